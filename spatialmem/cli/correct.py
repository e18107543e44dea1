"""`spatialmem correct`: other poses for stored frames."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from spatialmem.cli.codes import OK
from spatialmem.cli.output import pairs_table, write_json


@dataclass(frozen=True)
class Correct:
    """Give stored frames the poses of a trajectory, after a loop closure, say; the map becomes what they make of it."""

    memory: tyro.conf.Positional[Path]
    """the memory file"""
    trajectory: Path
    """TUM's text format, camera to the world of the session; poses at the stamps of stored frames count"""
    session: str | None = None
    """whose trajectory it is, when the memory holds several sessions"""
    camera: str | None = None
    """of which camera, when the session has several"""
    reason: str = "trajectory"
    """kept with the revision"""
    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Correct; returns the exit code."""
        from spatialmem.io.trajectory import read_trajectory
        from spatialmem.memory import SpatialMemory

        found, dropped = read_trajectory(self.trajectory)
        started = time.monotonic()
        with SpatialMemory.open(self.memory, "a") as memory:
            done = memory.correct_poses(
                (found.stamp_ns, found.world_from_camera), session_id=self.session, camera_id=self.camera,
                reason=self.reason,
            )  # fmt: skip
            frames = len(memory.trajectory())
        seconds = time.monotonic() - started
        if self.json:
            write_json({"memory": self.memory, "frames": frames, "lines_left_out": dropped, **asdict(done),
                        "seconds": round(seconds, 3)})  # fmt: skip
            return OK
        pairs_table("", [
            ("memory", f"{self.memory}: {frames} frames"),
            ("poses", f"{done.recorded} recorded, {done.applied} of them far enough from before to change the map"),
            ("map", f"{done.surface_blocks} blocks made anew from {done.replayed} frames, {_moved(done.moved_blocks)}"
                    f"in {seconds:.1f} s"),
        ])  # fmt: skip
        return OK


def _moved(blocks: int) -> str:
    return f"{blocks} blocks of frames without images moved with them, " if blocks else ""
