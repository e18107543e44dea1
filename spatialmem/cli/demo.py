"""`spatialmem demo`: a house that is explored, remembered and asked; or the recording that ships with spatialmem."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatialmem.cli.codes import INTERRUPTED, OK, WrongUsage
from spatialmem.cli.interrupt import Interrupt
from spatialmem.cli.output import answer_table, answer_values, pairs_table, say, write_json
from spatialmem.errors import ReadError
from spatialmem.store.replacing import remove_memory

if TYPE_CHECKING:
    from spatialmem.memory import SpatialMemory

RECORDING = "kitchenette"
QUESTIONS = ("yellow cup", "something red", "something purple")
"""two things that are in the room, and one that is not"""


@dataclass(frozen=True)
class Demo:
    """Explore a house, remember what is seen, and ask where three things are (one of them is not there)."""

    out: Path = Path("runs/demo")
    """folder for the memory and the pictures; made when missing, an earlier demo in it is replaced"""
    max_frames: int | None = None
    """stop after this many frames"""
    recording: bool = False
    """the recording of a small room that comes along, instead of a house"""
    house: int = 23
    """seed of the house"""
    page: bool = False
    """open the page of the memory afterwards, until Ctrl-C; needs the extra [view]"""
    json: bool = False
    """one JSON object on standard output"""
    quiet: bool = False
    """no progress"""

    def run(self) -> int:
        """Show; returns the exit code."""
        if self.page and self.json:
            raise WrongUsage("--page and --json exclude each other; give one")
        if self.recording:
            code, path = self._recording(), self.out / f"{RECORDING}.mem"
        else:
            from spatialmem.cli.demo_house import HouseDemo

            demo = HouseDemo(self.out, self.house, self.max_frames, self.json, self.quiet)
            code, path = demo.run(), demo.path
        if self.page and code == OK:
            from spatialmem.cli.view import View

            return View(path).run()
        return code

    def _recording(self) -> int:
        started = time.monotonic()
        recording = demo_recording()
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / f"{RECORDING}.mem"
        if not self.quiet:
            say(f"remembering {recording} (the first run compiles its kernels, which takes a while)")
        from spatialmem.cli.remember import remember, tally_rows, tally_values
        from spatialmem.io import read
        from spatialmem.memory import SpatialMemory

        with Interrupt() as stop:
            reader = read(recording)
            remove_memory(path)
            with SpatialMemory.create(path) as memory:
                tally = remember(memory, reader, self.max_frames, self.quiet, stop)
                if reader.up_in_world is not None:
                    memory.declare_up(reader.up_in_world)
                answers = [] if stop.asked else [self._ask(memory, question) for question in QUESTIONS]
        seconds = round(time.monotonic() - started, 1)
        if self.json:
            values = {"memory": path, "recording": recording, **tally_values(tally, reader)}
            write_json({**values, "answers": answers, "total_seconds": seconds})
        elif answers:
            pairs_table("", [("memory", str(path)), *tally_rows(tally, reader)])
            print(_next(path, [answer["picture"] for answer in answers], seconds))
        return INTERRUPTED if stop.asked else OK

    def _ask(self, memory: SpatialMemory, question: str) -> dict[str, Any]:
        from spatialmem.cli.query import draw_answer

        answer = memory.query(question)
        picture = self.out / f"{question.replace(' ', '_')}.png"
        draw_answer(memory, answer, question, picture)
        if not self.json:
            answer_table(question, answer)
        return {"text": question, "picture": picture, **answer_values(answer)}


def demo_recording() -> Path:
    """Folder of the recording: inside the installed package, or in assets/ of a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "assets" / RECORDING, package.parent / "assets" / RECORDING):
        if folder.is_dir():
            return folder
    raise ReadError(
        f"the demo recording {RECORDING} is not installed; reinstall spatialmem, or run the demo in a checkout of its "
        "repository"
    )


def _next(path: Path, pictures: list[Path], seconds: float) -> str:
    lines = [f"done in {seconds} s; look at", *(f"  {picture}" for picture in pictures), "and go on with"]
    lines.append(f'  spatialmem query {path} "blue" --picture {path.parent}/blue.png')
    lines.append(f"  spatialmem export {path} --mesh {path.parent}/room.ply --map {path.parent}/map")
    lines.append("  spatialmem build YOUR_RECORDING --out yours.mem")
    return "\n".join(lines)
