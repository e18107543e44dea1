"""`spatialmem rebuild`: every layer anew from the log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from spatialmem.cli.codes import OK
from spatialmem.cli.output import pairs_table, say, write_json
from spatialmem.view.words import size


@dataclass(frozen=True)
class Rebuild:
    """Make every layer of a memory anew from the frames in its log, in the file."""

    memory: tyro.conf.Positional[Path]
    """the memory file"""
    json: bool = False
    """one JSON object on standard output"""
    quiet: bool = False
    """say nothing"""

    def run(self) -> int:
        """Rebuild; returns the exit code."""
        from spatialmem.memory import SpatialMemory

        with SpatialMemory.open(self.memory, "a") as memory:
            before, frames = memory.canonical_hash(), len(memory.trajectory())
            if not self.quiet:
                say(f"rebuilding the layers from {frames} frames; Ctrl-C leaves the old ones")
            started = time.monotonic()
            memory.rebuild()
            seconds, after = time.monotonic() - started, memory.canonical_hash()
        n_bytes = self.memory.stat().st_size
        if self.json:
            write_json({
                "memory": self.memory, "frames": frames, "seconds": round(seconds, 3), "canonical_hash": after,
                "changed": before != after, "file_bytes": n_bytes,
            })  # fmt: skip
        elif not self.quiet:
            same = "the same as before" if before == after else "different from before"
            file = f"{self.memory}: {frames} frames, {size(n_bytes)}"
            pairs_table("", [("memory", file), ("layers", f"{same}, in {seconds:.1f} s")])
        return OK
