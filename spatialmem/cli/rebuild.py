"""`spatialmem rebuild`: every layer anew from the log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from spatialmem.cli.codes import OK
from spatialmem.cli.output import pairs_table, say, write_json
from spatialmem.errors import MemoryFileError
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

        before = self._hash_before()
        if not self.quiet:
            say("rebuilding the layers from the log; Ctrl-C leaves the old ones")
        started = time.monotonic()
        SpatialMemory.repair(self.memory)
        seconds = time.monotonic() - started
        with SpatialMemory.open(self.memory, "r") as memory:
            after, frames = memory.canonical_hash(), len(memory.trajectory())
        n_bytes = self.memory.stat().st_size
        if self.json:
            write_json({
                "memory": self.memory, "frames": frames, "seconds": round(seconds, 3), "canonical_hash": after,
                "changed": before != after, "file_bytes": n_bytes,
            })  # fmt: skip
        elif not self.quiet:
            damaged = "made anew; those of before were damaged"
            same = damaged if before is None else "the same as before" if before == after else "different from before"
            file = f"{self.memory}: {frames} frames, {size(n_bytes)}"
            pairs_table("", [("memory", file), ("layers", f"{same}, in {seconds:.1f} s")])
        return OK

    def _hash_before(self) -> str | None:
        """None where the layers are too damaged to be loaded, which is what they are made anew for."""
        from spatialmem.memory import SpatialMemory
        from spatialmem.store.header import check_header

        check_header(self.memory)
        try:
            with SpatialMemory.open(self.memory, "r") as memory:
                return memory.canonical_hash()
        except MemoryFileError as error:
            if not self.quiet:
                say(f"the layers cannot be loaded: {error}")
            return None
