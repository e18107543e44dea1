"""`spatialmem rebuild`: every layer anew from the log, by the memory's encoder or by another one."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from spatialmem.cli.codes import OK
from spatialmem.cli.output import pairs_table, say, write_json
from spatialmem.cli.progress import progress_for
from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.view.words import size

if TYPE_CHECKING:
    from spatialmem.reencoding import Reencoded


@dataclass(frozen=True)
class Rebuild:
    """Make every layer of a memory anew from the frames in its log, in the file."""

    memory: tyro.conf.Positional[Path]
    """the memory file"""
    encoder: str | None = None
    """move the memory to this encoder: every picture in the log is encoded anew (default: its own, and none is)"""
    accept_loss: bool = False
    """with --encoder: go on where images of frames were given up; what only these saw keeps shape and colour, but no
    question about things finds it"""
    json: bool = False
    """one JSON object on standard output"""
    quiet: bool = False
    """say nothing"""

    def run(self) -> int:
        """Rebuild; returns the exit code."""
        if self.encoder is not None:
            return self._reencode(self.encoder)
        if self.accept_loss:
            raise InvalidValue("--accept-loss is for moving to another encoder; give --encoder NAME, or leave it out")
        return self._rebuild()

    def _rebuild(self) -> int:
        from spatialmem.memory import SpatialMemory

        before = self._hash_before()
        if not self.quiet:
            say("rebuilding the layers from the log; Ctrl-C leaves the old ones")
        started = time.monotonic()
        SpatialMemory.repair(self.memory)
        seconds = time.monotonic() - started
        after, frames, n_bytes = self._found()
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

    def _found(self) -> tuple[str, int, int]:
        """Hash, frames and bytes of the memory as it is now."""
        from spatialmem.memory import SpatialMemory

        with SpatialMemory.open(self.memory, "r") as memory:
            return memory.canonical_hash(), len(memory.trajectory()), self.memory.stat().st_size

    def _frames(self) -> int:
        from spatialmem.store.file import MemoryFile

        with MemoryFile.open(self.memory) as file:
            return len(file.stored_lsns())

    # --- by another encoder

    def _reencode(self, encoder: str) -> int:
        from spatialmem.memory import SpatialMemory
        from spatialmem.perception import load_encoder

        loaded, total, started = load_encoder(encoder), self._frames(), time.monotonic()
        if not self.quiet:
            say(f"encoding {total} frames with {encoder}; until all is done, and after Ctrl-C, the memory is as it was")
        with progress_for(total, self.quiet, "encoded") as progress:
            done = SpatialMemory.reencode(self.memory, loaded, accept_loss=self.accept_loss, progress=progress.step)
        seconds = time.monotonic() - started
        after, frames, n_bytes = self._found()
        if self.json:
            write_json({
                "memory": self.memory, "frames": frames, "seconds": round(seconds, 3), "canonical_hash": after,
                "changed": done is not None, "file_bytes": n_bytes, "encoder": encoder,
                "moved": None if done is None else asdict(done),
            })  # fmt: skip
        elif not self.quiet:
            file = ("memory", f"{self.memory}: {frames} frames, {size(n_bytes)}")
            if done is None:
                own = f"{encoder}, its own: nothing was encoded, the layers were made anew in {seconds:.1f} s"
                pairs_table("", [file, ("encoder", own)])
            else:
                pairs_table("", [file, *_said(done, seconds)])
        return OK


def _said(done: Reencoded, seconds: float) -> list[tuple[str, str]]:
    lines = [
        ("encoder", f"{done.encoder} in place of {done.encoder_before}; features {done.width} wide, before "
                    f"{done.width_before}"),
        ("encoded", f"{done.encoded} frames, in {seconds:.1f} s"),
    ]  # fmt: skip
    if done.without_images:
        lost = (
            f"{done.without_images} frames had no images any more: {done.voxels_without_feature:,} of {done.voxels:,} "
            "voxels at surfaces keep shape and colour without a feature, so questions about things do not find them; "
            "the image vectors of these frames are gone"
        )
        lines.append(("lost", lost))
    if done.given_up:
        lines.append(("given up", f"images of {done.given_up} frames once they were encoded, for the file budget"))
    return lines
