"""Kills while a memory commits, checkpoints, closes, is corrected, forgets ..., and what must be there afterwards."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter as clock

import numpy as np

from faults.aftermath import Bulky, Known, wrong_after
from faults.marks import can_leave_ram
from faults.scene import CROWDED, FINE, bulky, made, store, walk
from faults.server import Aim, Death, Server
from faults.victim import FRAMES

BEGUN, WHOLE = 6, 14
"""frames in a memory that goes on observing, and in one that is corrected or forgets"""
MOST_BULKY, SMALL = 400, 12
"""frames after which a memory must have given one up; in one whose RAM does not hold its blocks"""


@dataclass(frozen=True)
class Phase:
    """Where kills are to land, and how children are brought there."""

    name: str
    deed: str
    places: tuple[str, ...]
    """at which the delay begins, in turn"""
    template: str
    """which memory the children are given a copy of"""
    occurrences: int = 3
    """the delay begins when the place is entered for the first time, the second ... so many"""


PHASES = (
    Phase("commit", "observe", ("commit",), "begun"),
    Phase("checkpoint", "observe", ("checkpoint",), "checkpointing", 4),
    Phase("correction", "correct", ("correction", "correction:file"), "whole"),
    Phase("forget", "forget", ("forget", "forget:erase", "forget:rewrite"), "whole", 2),
    Phase("close", "close", ("close", "close:blocks", "close:fold"), "begun", 2),
    Phase("eviction", "evict", ("eviction",), "crowded", 3),
    Phase("opening", "recover", ("opening",), "killed", 1),
    Phase("rebuild", "rebuild", ("rebuild", "rebuild:file"), "whole", 2),
)
LEAVING = Phase("leaving", "leave", ("leaving",), "small", 3)
"""blocks on their way from RAM to the file, in releases where they do that (marks.can_leave_ram)"""


@dataclass
class Tally:
    """What became of the kills of one phase."""

    killed: int = 0
    """kills that landed in it"""
    elsewhere: int = 0
    """kills on the way to it that landed outside: after it, or in another place; checked all the same"""
    steps: dict[str, int] = field(default_factory=dict)
    """of those that landed in it, by the innermost place"""
    frames: int = 0
    """frames that had to be there afterwards, or erased on record, over all kills"""
    lost: int = 0
    """kills after which something was wrong, in the phase or beside it"""
    wrong: list[str] = field(default_factory=list)
    """what that was, and children that ended by an error"""
    checking_ms: list[float] = field(default_factory=list)


class Templates:
    """The memories that children are given copies of, and what is known of them."""

    def __init__(self, folder: Path, aside: Path) -> None:
        """folder: for the templates; aside: in RAM, where there is such a folder."""
        self._folder, self._aside = folder, aside
        self.frames = walk(FRAMES)
        self.known = Known.of(folder / "reference", self.frames)
        self.count = {"begun": BEGUN, "checkpointing": BEGUN, "whole": WHOLE, "killed": WHOLE}
        made(self._path("begun"), self.frames[:BEGUN]).close()
        made(self._path("checkpointing"), self.frames[:BEGUN], checkpoint_frames=2).close()
        made(self._path("whole"), self.frames[:WHOLE]).close()
        self._leave_killed()
        self._crowd(folder)
        if can_leave_ram():
            self._overfill(folder)
        self.sides = folder / "sides.json"
        self.sides.write_text(json.dumps(self.known.sides(self._path("whole"))))

    def _path(self, name: str) -> Path:
        (self._folder / name).mkdir(parents=True, exist_ok=True)
        return self._folder / name / "a.mem"

    def _leave_killed(self) -> None:
        """A file with a wal, as it lies on the disk while its writer lives."""
        live = self._path("live")
        with made(live, self.frames[:WHOLE], checkpoint_frames=4):
            for suffix in ("", "-wal"):
                shutil.copyfile(f"{live}{suffix}", f"{self._path('killed')}{suffix}")

    def set_aside(self, path: Path) -> Path:
        """A copy of what a killed process left, where looking at it waits for no disk."""
        aside = self._aside / "victim"
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(path.parent, aside)
        return aside / path.name

    def _crowd(self, folder: Path) -> None:
        """A memory of the least file, filled until frames had to go."""
        with made(self._path("crowded"), [], CROWDED) as memory:
            for number in range(MOST_BULKY):
                store(memory, bulky(number))
                if memory.sql("SELECT count(*) FROM evictions")[0][0]:
                    break
            else:
                raise RuntimeError(f"{MOST_BULKY} frames went into {CROWDED.file} bytes, and none was given up")
            self.count["crowded"] = len(memory.trajectory())
        self.known.bulky["evict"] = Bulky(folder / "reference" / "crowded.mem", {})

    def _overfill(self, folder: Path) -> None:
        """A memory of the least RAM, with more blocks than that holds."""
        with made(self._path("small"), [bulky(number) for number in range(SMALL)], **FINE) as memory:
            if not memory.info()["surface_blocks_on_file_alone"]:
                raise RuntimeError(f"the blocks of {SMALL} frames found room in RAM")
        self.count["small"] = SMALL
        self.known.bulky["leave"] = Bulky(folder / "reference" / "small.mem", FINE)

    def copy(self, name: str, into: Path) -> Path:
        """A copy, alone in a new folder."""
        shutil.rmtree(into, ignore_errors=True)
        shutil.copytree(self._path(name).parent, into)
        return into / "a.mem"


def campaign(
    phase: Phase, wanted: int, server: Server, templates: Templates, folder: Path, rng: np.random.Generator
) -> Tally:  # fmt: skip
    """Kill until `wanted` kills have landed in the phase, or three times as many were tried."""
    tally, begun = Tally(), templates.count[phase.template]
    for number in range(3 * wanted):
        if tally.killed >= wanted:
            break
        path = templates.copy(phase.template, folder / "victim")
        place = phase.places[number % len(phase.places)]
        aim = Aim(phase.deed, place, int(rng.integers(1, phase.occurrences + 1)), float(rng.uniform(0.0, 1.05)))
        death = server.kill_one(path, aim)
        _count(tally, phase, death)
        tally.frames += max(begun, death.facts.get("stored", 0))
        start = clock()
        path = templates.set_aside(path)
        found = wrong_after(path, phase.deed, begun, death.facts, templates.known)
        tally.checking_ms.append(1e3 * (clock() - start))
        tally.lost += bool(found)
        tally.wrong += [f"{phase.name} {number}, killed in {death.step}: {line}" for line in found]
    return tally


def _count(tally: Tally, phase: Phase, death: Death) -> None:
    if not death.killed:
        if death.status:
            tally.wrong.append(f"{phase.name}: the process ended by itself with status {death.status}")
    elif death.phase == phase.name:
        tally.killed += 1
        tally.steps[str(death.step)] = tally.steps.get(str(death.step), 0) + 1
    else:
        tally.elsewhere += 1
