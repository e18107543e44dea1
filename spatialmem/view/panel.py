"""The panel of a page: a question, its hits, the frames that saw them, the time slider, what is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

from spatialmem.errors import SpatialMemError
from spatialmem.types import Answer
from spatialmem.view import markup
from spatialmem.view.canvas import Rgb, hit_colour
from spatialmem.view.evidence import boxed_frame, image_of
from spatialmem.view.flight import fly, viewpoint
from spatialmem.view.scene import PageScene
from spatialmem.view.stage import LAYERS, Stage

if TYPE_CHECKING:
    import viser

    from spatialmem.log_entry import Keyframe
    from spatialmem.memory import SpatialMemory

MOST_HITS = 10
_PICTURE = (420, 315)
_JPEG_QUALITY = 75
_PICTURES = 3
_PAUSE_S = 0.4
_CAMERA_RGB = (88, 100, 124)


@final
class Panel:
    """What there is to press and to read. All who look at a page share it; the view is each one's own."""

    def __init__(self, server: viser.ViserServer, memory: SpatialMemory, scene: PageScene) -> None:
        self._server, self._gui, self._memory, self._scene = server, server.gui, memory, scene
        self._poses = {keyframe.lsn: keyframe.map_from_camera for keyframe in memory.trajectory()}
        self._lock = threading.RLock()  # viser calls from many threads
        self._answer = Answer(())
        self._shown: list[Any] = []
        self._buttons: list[Any] = []
        self._stage = Stage(server, scene, self._show_keyframe)
        self._add_question()
        self._add_time()
        self._add_layers()
        self._gui.add_html(markup.page_html(scene))

    def ask(self, text: str) -> None:
        """Ask the memory and show the answer; an error is shown in its place, and no text asks nothing."""
        with self._lock:
            answer, html = Answer(()), ""
            try:
                if text:
                    answer = self._memory.query(text, top=MOST_HITS)
                    html = markup.answer_html(text, answer)
            except SpatialMemError as error:
                html = markup.error_html(str(error))
            self._answer, self._said.content = answer, html
            self._stage.show_hits(answer.hits, lambda number, event: self.choose(number, event.client))
            self._clear(self._shown)
            self._clear(self._buttons)
            with self._hits:
                self._buttons += [self._hit_button(number) for number in range(1, len(answer) + 1)]

    def choose(self, number: int, client: viser.ClientHandle | None) -> None:
        """Show what is known of a hit and the frames that saw it, and take the one who asks there."""
        with self._lock:
            if number > len(self._answer):
                return  # of an answer that another has replaced
            hit = self._answer[number - 1]
            self._stage.light(number)
            self._clear(self._shown)
            with self._evidence:
                self._shown.append(self._gui.add_html(markup.hit_html(number, hit)))
                self._shown += [
                    self._picture(e.lsn, e.box_xyxy, hit_colour(number), markup.evidence_label(e))
                    for e in hit.evidence[:_PICTURES]
                ]
        if client is not None:
            fly(client, *viewpoint(hit, self._poses, self._scene.up), self._scene.up)

    def _add_question(self) -> None:
        with self._gui.add_folder("Where is ..."):
            text = self._gui.add_text("Question", "", hint="such as: red chair")
            button = self._gui.add_button("Ask")
        self._said = self._gui.add_html("")
        self._hits = self._gui.add_folder(None)
        self._evidence = self._gui.add_folder(None)
        typed = _Typed(lambda: text.value, self.ask)
        button.on_click(lambda event: typed.ask_again())
        text.on_update(lambda event: typed.change())

    def _add_time(self) -> None:
        steps = max(len(self._scene.steps), 1)
        with self._gui.add_folder("Time"):
            slider = self._gui.add_slider("Seen until", 1, max(steps, 2), 1, steps, disabled=steps == 1)
            said = self._gui.add_html(markup.until_html(self._scene, steps))

        def move(event: Any) -> None:
            with self._lock:
                number = min(max(int(slider.value), 1), steps)
                self._stage.show_until(number)
                said.content = markup.until_html(self._scene, number)

        slider.on_update(move)

    def _add_layers(self) -> None:
        with self._gui.add_folder("Show"):
            for layer, on in LAYERS.items():
                self._add_layer(layer, on)
            home = self._gui.add_button("See it all")
        home.on_click(lambda event: self._go_home(event.client))

    def _add_layer(self, layer: str, on: bool) -> None:
        box = self._gui.add_checkbox(layer, on)

        def show(event: Any) -> None:
            with self._lock:
                self._stage.show(layer, bool(box.value))

        box.on_update(show)

    def _go_home(self, client: viser.ClientHandle | None) -> None:
        if client is not None:
            fly(client, self._scene.eye_m, self._scene.look_at_m, self._scene.up)

    def _hit_button(self, number: int) -> Any:
        label = markup.hit_label(number, self._answer[number - 1])
        button = self._gui.add_button(label, color=hit_colour(number))
        button.on_click(lambda event: self.choose(number, event.client))
        return button

    def _show_keyframe(self, keyframe: Keyframe, event: Any) -> None:
        with self._lock:
            self._clear(self._shown)
            with self._evidence:
                self._shown.append(self._picture(keyframe.lsn, None, _CAMERA_RGB, markup.keyframe_label(keyframe)))

    def _picture(self, lsn: int, box_xyxy: tuple[float, ...] | None, colour: Rgb, label: str) -> Any:
        try:
            rgb, rendered = image_of(self._memory, lsn)
        except SpatialMemError as error:  # not stored any more, or damaged: the rest of the page works
            return self._gui.add_html(markup.error_html(f"{label}: {error}"))
        image = boxed_frame(rgb, box_xyxy, colour, _PICTURE)
        return self._gui.add_image(image, label=label + rendered, format="jpeg", jpeg_quality=_JPEG_QUALITY)

    def _clear(self, handles: list[Any]) -> None:
        for handle in handles:
            handle.remove()
        handles.clear()


@final
class _Typed:
    """Asks what is typed into a box once nothing has come for a moment.

    Not by the Enter key: viser's forms send it at once and drop the letters that were typed just before it.
    """

    def __init__(self, value: Callable[[], str], ask: Callable[[str], None]) -> None:
        self._value, self._ask = value, ask
        self._waiting = threading.Lock()
        self._asked = ""

    def ask_again(self) -> None:
        """Ask at once, also what has been asked."""
        self._asked = self._value()
        self._ask(self._asked)

    def change(self) -> None:
        """To be called when the text has changed. One call waits for the last letter, the others leave it to that."""
        while self._value() != self._asked and self._waiting.acquire(blocking=False):
            try:
                text = self._settled()
                if text != self._asked:  # the button may have been faster
                    self._asked = text
                    self._ask(text)
            finally:
                self._waiting.release()

    def _settled(self) -> str:
        text = self._value()
        while True:
            time.sleep(_PAUSE_S)
            if text == (text := self._value()):
                return text
