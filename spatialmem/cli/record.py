"""`spatialmem record`: a walk through a procedural house as a recording, with the truth beside it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatialmem.cli.codes import INTERRUPTED, OK, WrongUsage
from spatialmem.cli.interrupt import Interrupt
from spatialmem.cli.output import pairs_table, say, write_json
from spatialmem.cli.progress import progress_for

if TYPE_CHECKING:
    from sim.house.world import HouseScene
    from spatialmem.types import Frame

TRUTH, CHANGES = "truth.json", "changes.json"
_DAY_NS = 86_400_000_000_000
_DEPTH_SCALE = 2500.0
"""values a metre: 16 bits reach 26 m, farther than any house is long"""
_MOST_PIXELS = 4096
_KEPT_NOTHING = "stopping; of a walk that is not whole nothing is kept; Ctrl-C again stops at once"


@dataclass(frozen=True)
class Record:
    """Record a walk through every room of a house: a plain folder with exact poses, and truth.json beside it."""

    out: Path
    """folder to make; it must not exist or be empty. With several visits: visit-1, visit-2 ... inside it"""
    house: int = 7
    """seed of the house"""
    floors: int | None = None
    """1 or 2; without it the seed decides"""
    frames: int | None = None
    """so many frames, spread evenly over the walk; without it all"""
    size: str = "320x240"
    """width x height in pixels"""
    hfov: float = 79.0
    """degrees from left to right"""
    visits: int = 1
    """how often the house is walked, a day apart; between visits small things are taken away and moved"""
    moves: int = 6
    """how many things are taken away between visits, and how many are put where those were"""
    noise: bool = False
    """depth as a structured-light camera reads it; without it exact, to 0.2 mm"""
    jpeg: bool = False
    """colour as JPEG (small) in place of PNG (exact)"""
    json: bool = False
    """one JSON object on standard output"""
    quiet: bool = False
    """no progress"""

    def run(self) -> int:
        """Record; returns the exit code."""
        width, height = self._checked()
        from sim.errors import SimError
        from sim.house.house import HouseConfig
        from sim.house.world import HouseWorld
        from sim.scene import SceneConfig

        started = time.monotonic()
        try:
            with _beside(self.out.resolve()) as whole:
                with Interrupt(_KEPT_NOTHING) as stop:
                    world = HouseWorld(HouseConfig(floors=self.floors))
                    if not self.quiet:
                        say(f"making house {self.house}")
                    with closing(world.open(str(self.house), SceneConfig(width, height, self.hfov))) as scene:
                        visits = self._visits(scene, whole, stop)
                if stop.asked:
                    return INTERRUPTED
                os.replace(whole, self.out.resolve())
        except SimError as error:
            raise WrongUsage(str(error)) from error
        self._tell(visits, round(time.monotonic() - started, 1))
        return OK

    def _checked(self) -> tuple[int, int]:
        width, cross, height = self.size.partition("x")
        sizes = [int(n) for n in (width, height) if n.isascii() and n.isdecimal() and len(n) < 6]
        if not (cross and len(sizes) == 2 and all(16 <= n <= _MOST_PIXELS for n in sizes)):
            raise WrongUsage(
                f"--size takes width x height, each 16 to {_MOST_PIXELS}, such as 320x240; given {self.size!r}"
            )
        for name, value, least in (("house", self.house, 0), ("visits", self.visits, 1), ("moves", self.moves, 0)):
            if value < least:
                raise WrongUsage(f"--{name} must be at least {least}; given {value}")
        if self.frames is not None and self.frames < 2:
            raise WrongUsage(f"--frames must be at least 2; given {self.frames}")
        if not 10.0 <= self.hfov <= 150.0:
            raise WrongUsage(f"--hfov must lie within 10 to 150 degrees; given {self.hfov:g}")
        above = next((p for p in self.out.absolute().parents if p.exists()), self.out)
        if not above.is_dir():
            raise WrongUsage(f"{above} is a file; --out takes a folder in a folder")
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise WrongUsage(f"{self.out} exists and is not an empty folder; name a new one")
        if self.out.exists() and (self.out.is_mount() or self.out.resolve() == Path.cwd()):
            raise WrongUsage(f"{self.out} cannot be replaced, it is in use; name a folder inside it")
        return int(width), int(height)

    def _visits(self, scene: HouseScene, whole: Path, stop: Interrupt) -> list[dict[str, Any]]:
        from sim.recording import rearrange, truth_values
        from sim.touring import tour

        start, visits, changes = scene.stand, [], []
        for number in range(1, self.visits + 1):
            if number > 1:
                scene.advance(scene.stamp_ns + _DAY_NS)
                changes.append(
                    {"visit": number, "stamp_ns": scene.stamp_ns, "changes": rearrange(scene, self.moves, number)}
                )
            folder = whole if self.visits == 1 else whole / f"visit-{number}"
            scene.place(start.ground_m, start.yaw_rad)
            visit = {"folder": self.out / folder.relative_to(whole), "start_ns": scene.stamp_ns}
            visit["frames"] = self._visit(scene, folder, tour(scene), number, stop)
            if stop.asked:
                return visits
            _write(folder / TRUTH, truth_values(scene))
            visits.append({**visit, "end_ns": scene.stamp_ns, "changed": len(changes[-1]["changes"]) if changes else 0})
        if changes:
            _write(whole / CHANGES, {"visits": changes})
        return visits

    def _visit(self, scene: HouseScene, folder: Path, actions: list[Any], number: int, stop: Interrupt) -> int:
        from sim.house.sensors import DepthNoise
        from sim.recording import recorded
        from spatialmem.io.export_folder import write_plain_folder

        noise = DepthNoise() if self.noise else None
        frames = recorded(scene, actions, frames=self.frames, noise=noise, seed=number)
        total = min(self.frames or len(actions) + 1, len(actions) + 1)
        with progress_for(total, self.quiet) as progress:
            counted = _counted(frames, progress, stop)
            write_plain_folder(
                folder, counted, depth_scale=_DEPTH_SCALE, colour="jpg" if self.jpeg else "png", up=(0.0, 0.0, 1.0)
            )
        return total

    def _tell(self, visits: list[dict[str, Any]], seconds: float) -> None:
        if self.json:
            write_json({"out": self.out, "house": self.house, "visits": visits, "seconds": seconds})
            return
        rows = [(str(v["folder"]), f"{v['frames']} frames, {v['changed']} things not where they were") for v in visits]
        pairs_table("", [*rows, ("took", f"{seconds} s")])
        folders = [str(v["folder"]) for v in visits]
        print(f"remember it with\n  spatialmem build {folders[0]} --out house.mem")
        for folder in folders[1:]:
            print(f"  spatialmem build {folder} --out house.mem --append --same-world")


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A folder to be made beside `out`, which takes its name only when everything is there; else it goes, and those
    around it that were made for it.

    Raises `ExportError` when something cannot be written.
    """
    aside, made = None, [p for p in out.parents if not p.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        yield aside / "recording"
    except BrokenPipeError:  # nobody reads what is said: no matter of files
        raise
    except OSError as error:
        named = Path(error.filename).resolve() if isinstance(error.filename, str) else out
        if named not in made and not named.is_relative_to(out.parent):
            raise  # something that is read
        from spatialmem.io.export_file import ExportError

        raise ExportError(
            f"{out} cannot be written: {error.strerror or error}; nothing of the walk is kept. Free space there, or "
            "name another folder with --out"
        ) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        if not out.exists():
            for folder in made:
                with suppress(OSError):
                    folder.rmdir()


def _counted(frames: Iterable[Frame], progress: Any, stop: Interrupt) -> Iterator[Frame]:
    for number, frame in enumerate(frames, start=1):
        yield frame
        progress.step(number, number)
        if stop.asked:
            return


def _write(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
