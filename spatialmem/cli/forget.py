"""`spatialmem forget`: erase frames for good."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tyro

from spatialmem.cli.codes import OK
from spatialmem.cli.output import pairs_table, write_json


@dataclass(frozen=True)
class Forget:
    """Erase frames, and what they left in the map, for good. Conditions narrow each other."""

    memory: tyro.conf.Positional[Path]
    """the memory file"""
    frames: tuple[int, ...] | None = None
    """lsn of the frames"""
    box: tuple[float, float, float, float, float, float] | None = None
    """x y z of the lower and of the upper corner, metres in the map: every frame that looked into it"""
    since_ns: int | None = None
    """frames taken from this stamp on, nanoseconds"""
    until_ns: int | None = None
    """frames taken up to this stamp, nanoseconds"""
    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Erase; returns the exit code."""
        from spatialmem.memory import SpatialMemory

        box_m = None if self.box is None else np.array(self.box).reshape(2, 3)
        with SpatialMemory.open(self.memory, "a") as memory:
            done = memory.forget(frames=self.frames, box_m=box_m, since_ns=self.since_ns, until_ns=self.until_ns)
            left = len(memory.trajectory())
        if self.json:
            write_json({"memory": self.memory, "frames_left": left, **asdict(done)})
            return OK
        pairs_table("", [
            ("memory", f"{self.memory}: {left} frames left"),
            ("erased", f"{done.frames} frames; {done.surface_blocks} blocks made anew from {done.replayed} others"),
        ])  # fmt: skip
        return OK
