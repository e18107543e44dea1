"""`spatialmem merge`: another memory's frames into this one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from spatialmem.cli.codes import OK
from spatialmem.cli.output import pairs_table, write_json
from spatialmem.cli.progress import progress_for

if TYPE_CHECKING:
    from spatialmem.merging import Merged


@dataclass(frozen=True)
class Merge:
    """Take over the frames of another memory, of another robot, say. Frames that are here already are skipped."""

    memory: tyro.conf.Positional[Path]
    """the memory file that grows"""
    other: tyro.conf.Positional[Path]
    """the memory file whose frames are taken; it stays as it is"""
    name: str | None = None
    """of the other memory: its sessions are called NAME/SESSION here (default: the name of its file)"""
    same_world: bool = False
    """the two maps share their world; without, the other's frames are looked for in this map"""
    quiet: bool = False
    """no progress"""
    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Merge; returns the exit code."""
        import numpy as np

        from spatialmem.memory import SpatialMemory

        started, given = time.monotonic(), np.eye(4) if self.same_world else None
        with SpatialMemory.open(self.other) as other, SpatialMemory.open(self.memory, "a") as memory:
            with progress_for(len(other.trajectory()), self.quiet) as progress:
                done = memory.merge(other, map_from_other=given, name=self.name, progress=progress.step)
            frames = len(memory.trajectory())
        seconds = time.monotonic() - started
        if self.json:
            write_json({"memory": self.memory, "other": self.other, "frames": frames, **_values(done),
                        "seconds": round(seconds, 3)})  # fmt: skip
            return OK
        skipped = ", ".join(f"{number} {why}" for why, number in done.skipped.items()) or "none"
        pairs_table("", [
            ("memory", f"{self.memory}: {frames} frames"),
            ("merged", f"{done.stored} frames of {self.other}, skipped: {skipped}; in {seconds:.1f} s"),
            ("place", "known" if done.place is None else done.place.why),
            ("sessions", ", ".join(done.sessions)),
        ])  # fmt: skip
        return OK


def _values(done: Merged) -> dict[str, Any]:
    place = done.place
    found = None if place is None else {"asked": place.asked, "answered": place.answered, "agreed": place.agreed,
                                        "spread_m": place.spread_m, "spread_deg": place.spread_deg}  # fmt: skip
    return {"map_from_other": done.map_from_other, "localised": found, "sessions": list(done.sessions),
            "stored": done.stored, "skipped": done.skipped}  # fmt: skip
