"""The demo in a house: a frontier explorer walks, the memory grows, three questions are checked against the truth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.cli.codes import INTERRUPTED, OK, WrongUsage
from spatialmem.cli.interrupt import Interrupt
from spatialmem.cli.output import answer_table, answer_values, pairs_table, say, write_json
from spatialmem.cli.progress import progress_for
from spatialmem.cli.remember import Tally
from spatialmem.store.replacing import remove_memory

if TYPE_CHECKING:
    from sim.house.world import HouseScene
    from sim.scene import SceneObject
    from spatialmem.memory import SpatialMemory
    from spatialmem.types import Answer

FRAMES = 240
"""at most, unless asked otherwise"""
VOXEL_M = 0.03
STEP_NS = 250_000_000
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
"""what the encoder can tell best"""
NEAR_M = 0.5
_SEEN_PIXELS = 1500


@final
@dataclass
class HouseDemo:
    """See `Demo`."""

    out: Path
    house: int
    max_frames: int | None
    json: bool
    quiet: bool

    @property
    def path(self) -> Path:
        """The memory file."""
        return self.out / f"house-{self.house}.mem"

    def run(self) -> int:
        """Show; returns the exit code."""
        from sim.errors import SimError

        if self.max_frames is not None and self.max_frames < 1:
            raise WrongUsage(f"--max-frames must be at least 1; given {self.max_frames}")
        started = time.monotonic()
        self.out.mkdir(parents=True, exist_ok=True)
        if not self.quiet:
            say(f"making house {self.house} (the first run compiles kernels, which takes a while)")
        try:
            scene = self._scene()
        except SimError as error:
            raise WrongUsage(f"--house {self.house}: {error}") from error
        return self._shown(scene, started)

    def _scene(self) -> HouseScene:
        from sim.house.house import HouseConfig
        from sim.house.world import HouseWorld
        from sim.scene import SceneConfig

        world = HouseWorld(HouseConfig(floors=1, rooms_per_floor=(4, 5)))
        return world.open(str(self.house), SceneConfig(320, 240, 90.0))

    def _shown(self, scene: HouseScene, started: float) -> int:
        from spatialmem.config import MemoryConfig
        from spatialmem.memory import SpatialMemory

        remove_memory(self.path)
        with Interrupt() as stop, SpatialMemory.create(self.path, config=MemoryConfig(voxel_size_m=VOXEL_M)) as memory:
            memory.declare_up((0.0, 0.0, 1.0))
            tally, seen, left_m = self._explore(scene, memory, stop)
            if stop.asked:
                return INTERRUPTED
            answers = []
            for question in chosen_questions(scene, seen):
                answers.append(self._ask(memory, scene, question))
                if stop.asked:
                    return INTERRUPTED
            overview = self.out / "overview.png"
            self._draw(memory, answers, left_m, overview)
        seconds = round(time.monotonic() - started, 1)
        told = {
            "house": self.house, "memory": self.path, "frames": tally.frames, "stored": tally.stored_total,
            "overview": overview, "total_seconds": seconds,
        }  # fmt: skip
        if self.json:
            for answer in answers:
                del answer["answer"]
            write_json({**told, "answers": answers})
        else:
            self._tell(told, answers)
        return OK

    def _explore(
        self, scene: HouseScene, memory: SpatialMemory, stop: Interrupt
    ) -> tuple[Tally, NDArray[np.int64], NDArray[np.float64]]:
        """Walk until no frontier is left; the pixels in which each thing was seen, and the frontiers left (N, 2)."""
        from policies.navigation.frontier_walk import FrontierWalk
        from sim.body import Action
        from spatialmem.types import Frame

        walk, tally, collided = FrontierWalk(scene.motion), Tally(), False
        most, pixels = self.max_frames or FRAMES, np.zeros(len(scene.house.things) + 1, np.int64)
        started = time.monotonic()
        with progress_for(most, self.quiet) as progress:
            while tally.frames < most and not stop.asked:
                sight = scene.look()
                pixels += np.bincount(sight.instance_ids.ravel(), minlength=len(pixels))
                frame = Frame(
                    sight.rgb, sight.depth_m, sight.camera, sight.world_from_camera, scene.stamp_ns, depth_unit="m",
                    session_id=f"house-{self.house}", camera_id="head", seq=tally.frames,
                )  # fmt: skip
                tally.count(memory.observe(frame))
                progress.step(tally.frames, tally.stored_total)
                action = walk.next(memory, scene.stand, collided)
                if action is Action.STOP:
                    break
                collided = scene.act(action).collided
                scene.advance(scene.stamp_ns + STEP_NS)
        tally.seconds = time.monotonic() - started
        return tally, pixels, walk.left_m

    def _ask(self, memory: SpatialMemory, scene: HouseScene, question: str) -> dict[str, Any]:
        from spatialmem.cli.query import draw_answer

        answer = memory.query(question, top=5)
        picture = self.out / f"{question.replace(' ', '_')}.png"
        draw_answer(memory, answer, question, picture)
        true = matching(scene.objects(), question)
        off = off_m(answer, true)
        if not self.json:
            answer_table(question, answer)
            print(verdict(question, true, bool(answer.hits), off))
        return {
            "text": question, "picture": picture, "true_things": [o.phrase for o in true], "off_m": off,
            **answer_values(answer), "answer": answer,
        }  # fmt: skip

    def _draw(
        self, memory: SpatialMemory, answers: list[dict[str, Any]], left_m: NDArray[np.float64], path: Path
    ) -> None:
        import cv2

        from spatialmem.io.export_file import write_file
        from spatialmem.view.overview import overview_picture

        best = [(a["text"], a["answer"].hits[0] if a["answer"].hits else None, a["off_m"]) for a in answers]
        _, data = cv2.imencode(".png", overview_picture(memory, best, left_m)[:, :, ::-1])
        write_file(path, data.tobytes())

    def _tell(self, told: dict[str, Any], answers: list[dict[str, Any]]) -> None:
        pairs_table("", [
            ("memory", str(self.path)), ("walked", f"{told['frames']} steps, {told['stored']} frames stored"),
        ])  # fmt: skip
        lines = [f"done in {told['total_seconds']} s; look at", f"  {told['overview']}"]
        lines += [f"  {answer['picture']}" for answer in answers]
        lines += ["and go on with", f"  spatialmem view {self.path}   (a page in the browser; extra [view])"]
        lines.append(f'  spatialmem query {self.path} "blue" --picture {self.out}/blue.png')
        print("\n".join(lines))


def chosen_questions(scene: HouseScene, pixels: NDArray[np.int64]) -> list[str]:
    """Two things that were seen and whose colour few other things share, and a colour that nothing in view had."""
    looks = [t.look for t in scene.house.things if pixels[t.thing_id] > 0]
    count = {colour: sum(colour in (o.colour, o.second_colour) for o in looks) for colour in COLOURS}
    large = [
        o for o in scene.objects()
        if o.group == "furniture" and o.attributes.get("colour") in COLOURS and "second colour" not in o.attributes
        and pixels[o.instance_id] >= _SEEN_PIXELS and "lamp" not in o.category
    ]  # fmt: skip
    large.sort(key=lambda o: (count[o.attributes["colour"]], -pixels[o.instance_id], o.instance_id))
    chosen: dict[str, str] = {}
    for o in large:
        chosen.setdefault(o.attributes["colour"], f"{o.attributes['colour']} {o.category}")
    absent = [colour for colour in COLOURS if count[colour] == 0]
    return [*list(chosen.values())[:2], *(f"something {colour}" for colour in absent[:1])]


def matching(objects: tuple[SceneObject, ...], question: str) -> list[SceneObject]:
    """The things that a question "COLOUR CATEGORY" means."""
    return [o for o in objects if f"{o.attributes.get('colour', '')} {o.category}" == question]


def off_m(answer: Answer, true: list[SceneObject]) -> float | None:
    """From the best hit to the nearest of the things meant, box to point; None without either."""
    if not answer.hits or not true:
        return None
    at = answer.hits[0].position_m
    return min(float(np.linalg.norm(at - np.clip(at, o.box_min_m, o.box_max_m))) for o in true)


def verdict(question: str, true: list[SceneObject], found: bool, off: float | None) -> str:
    """What the truth says to the best hit."""
    if not true:
        said = f"truth: nothing that came into view is called {question.removeprefix('something ')}"
        return f"{said}, so whatever was found is a false answer, or a detail" if found else f"{said}: right"
    if off is None:
        return f"truth: missed; there is {', '.join(o.phrase for o in true)}"
    what = "right" if off <= NEAR_M else "WRONG"
    return f"truth: {what}, the best hit is {off:.2f} m from the box of {true[0].phrase} ({true[0].room})"
