"""`spatialmem build`: a recording into a memory file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from spatialmem.budget import ByteBudget
from spatialmem.cli.codes import INTERRUPTED, OK
from spatialmem.cli.interrupt import Interrupt
from spatialmem.cli.output import pairs_table, say, write_json
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.errors import EncoderMismatch, InvalidValue, MemoryFileError, ReadError
from spatialmem.store.replacing import Replacement, remove_memory
from spatialmem.view.words import size

if TYPE_CHECKING:
    from spatialmem.cli.remember import Tally
    from spatialmem.io import Reader
    from spatialmem.memory import SpatialMemory


@dataclass(frozen=True)
class Build:
    """Remember a recording: a folder, bag or capture of posed RGB-D frames into one memory file."""

    path: tyro.conf.Positional[Path]
    """the recording; its format is found by looking at it"""
    out: Path
    """the memory file to make (or, with --append, to go on with)"""
    encoder: str | None = None
    """gives pixels meaning: tiny, colours, or open_clip:MODEL/WEIGHTS (default tiny; fixed once the file exists)"""
    voxel_size_m: float | None = None
    """edge of a surface voxel, metres (default 0.02; fixed once the file exists)"""
    max_depth_m: float | None = None
    """farther readings are ignored, metres (default 5; fixed once the file exists)"""
    format: str | None = None
    """name of the format, where looking at the path is not enough"""
    session: str | None = None
    """name of this recording within the memory (default: the name of its file or folder)"""
    same_world: bool = False
    """with --append: the poses of this recording are in the map's own frame; without, a new one is looked for in it"""
    up: tuple[float, float, float] | None = None
    """direction against gravity in the map frame, where the recording does not declare it"""
    estimate_up: bool = False
    """find up in the map itself (largest level surface, as the camera was held), where nobody declares it"""
    max_frames: int | None = None
    """stop after this many good frames"""
    strict: bool = False
    """stop at the first bad frame instead of skipping and counting it"""
    store_all: bool = False
    """keep every frame, redundant ones too (fixed once the file exists)"""
    refine: bool = False
    """move each frame onto the map, by at most 5 cm and 2 degrees beyond the one before (fixed once the file exists)"""
    budget: str | None = None
    """bound on RAM, and on the file with its -wal and -shm, such as "2 GB" (default: 1 GiB of RAM; fixed once the file
    exists)"""
    append: bool = False
    """add to an existing memory; frames it has already are skipped"""
    overwrite: bool = False
    """replace an existing memory, once the new one is complete"""
    json: bool = False
    """one JSON object on standard output"""
    quiet: bool = False
    """no progress and no summary"""

    def run(self) -> int:
        """Build; returns the exit code."""
        self._check()
        with Interrupt() as stop:
            reader = self._reader()
            replaces = self.overwrite and self.out.exists()
            return self._replace(reader, stop) if replaces else self._make(reader, stop)

    def _check(self) -> None:
        """Everything that can be refused before anything heavy is loaded."""
        if self.append and self.overwrite:
            raise InvalidValue("--append and --overwrite exclude each other; give one")
        if self.max_frames is not None and self.max_frames < 1:
            raise InvalidValue(f"--max-frames must be at least 1; given {self.max_frames}")
        self._config()
        if self.append:
            self._check_append()
        elif self.out.exists() and not self.overwrite:
            raise MemoryFileError(f"{self.out} exists; add to it with --append, or replace it with --overwrite")
        if not self.out.absolute().parent.is_dir():
            raise MemoryFileError(f"there is no folder {self.out.absolute().parent}; make it first")

    def _check_append(self) -> None:
        if not self.out.exists():
            raise MemoryFileError(f"there is no {self.out} to add to; leave --append out to make it")
        for name in ("voxel_size_m", "max_depth_m", "store_all", "refine", "budget"):
            if getattr(self, name):
                option = name.replace("_", "-")
                raise InvalidValue(f"--{option} is fixed once a memory exists; leave it out, or build a new memory")

    def _config(self) -> MemoryConfig:
        config = MemoryConfig(gate=GateConfig(store_all=self.store_all), refine_poses=self.refine)
        if self.voxel_size_m is not None:
            free_voxel_m = max(config.free_voxel_m, self.voxel_size_m)
            config = replace(config, voxel_size_m=self.voxel_size_m, free_voxel_m=free_voxel_m)
        if self.max_depth_m is not None:
            config = replace(config, max_depth_m=self.max_depth_m)
        return config if self.budget is None else ByteBudget.of(self.budget).put_into(config)

    def _reader(self) -> Reader:
        from spatialmem.io import read

        options: dict[str, Any] = {} if self.session is None else {"session_id": self.session}
        return read(self.path, strict=self.strict, format=self.format, **options)

    def _created(self, path: Path) -> SpatialMemory:
        from spatialmem.memory import SpatialMemory
        from spatialmem.perception import DEFAULT_ENCODER

        return SpatialMemory.create(path, self.encoder or DEFAULT_ENCODER, self._config())

    def _opened(self) -> SpatialMemory:
        from spatialmem.memory import SpatialMemory

        memory = SpatialMemory.open(self.out, "a")
        own = memory.encoder.name
        if self.encoder not in (None, own):
            memory.close()
            raise EncoderMismatch(
                f"{self.out} was made with encoder {own}; given {self.encoder}; leave --encoder out, or move the "
                f"memory first: spatialmem rebuild {self.out} --encoder {self.encoder}"
            )
        return memory

    def _make(self, reader: Reader, stop: Interrupt) -> int:
        """A new memory, or more of an existing one."""
        memory = self._opened() if self.append else self._created(self.out)
        try:
            tally = self._remember(memory, reader, stop)
        finally:
            total = len(memory.trajectory())
            memory.close()
            if total == 0 and not self.append:
                remove_memory(self.out)
        if total == 0 and not self.append and not stop.asked:
            raise self._nothing(tally, "was not made")
        self._report(tally, reader, total)
        if stop.asked:
            made = f"{self.out} holds {total} frames; go on with --append" if total else f"{self.out} was not made"
            say(f"stopped by Ctrl-C: {made}")
        return INTERRUPTED if stop.asked else OK

    def _replace(self, reader: Reader, stop: Interrupt) -> int:
        """A new memory in place of an old one, which stays until the new one is complete."""
        with Replacement(self.out) as replacement:
            with self._created(replacement.path) as memory:
                tally = self._remember(memory, reader, stop)
                total = 0 if stop.asked else len(memory.trajectory())
            if total == 0 and not stop.asked:
                raise self._nothing(tally, "is still the old memory")
            if total:
                replacement.complete()
        if total or self.json:
            self._report(tally, reader, total)
        if stop.asked and not total:
            say(f"stopped by Ctrl-C: {self.out} is still the old memory; nothing was replaced")
        return OK if total else INTERRUPTED

    def _remember(self, memory: SpatialMemory, reader: Reader, stop: Interrupt) -> Tally:
        from spatialmem.cli.appending import place_session
        from spatialmem.cli.remember import remember

        place = place_session(memory, reader, self.same_world)
        if place is not None:
            say(f"{reader.path} was found in the map: {place.why}; it is session {reader.session_id!r} there")
        if not self.append:
            self._declare_up(memory, reader)
        tally = remember(memory, reader, self.max_frames, self.quiet, stop, self.same_world)
        if self.append:  # now that its frames were not refused as another recording's
            self._declare_up(memory, reader)
        if self.estimate_up and memory.up_in_map is None and memory.estimate_up() is None:
            say("up could not be estimated: no large level surface, or the camera was held in every direction")
        return tally

    def _nothing(self, tally: Tally, left: str) -> ReadError:
        reasons = ", ".join(f"{reason}: {number}" for reason, number in tally.skipped.items())
        return ReadError(f"no frame of {self.path} could be stored ({reasons}); {self.out} {left}")

    def _report(self, tally: Tally, reader: Reader, total: int) -> None:
        from spatialmem.cli.remember import tally_rows, tally_values

        n_bytes = self.out.stat().st_size if total else 0
        if self.json:
            file = {"memory": self.out, "recording": self.path, "frames_in_memory": total, "file_bytes": n_bytes}
            write_json({**file, **tally_values(tally, reader)})
        elif not self.quiet:
            file_row = ("memory", f"{self.out}: {total} frames, {size(n_bytes)}")
            pairs_table("", [file_row, *tally_rows(tally, reader)])

    def _declare_up(self, memory: SpatialMemory, reader: Reader) -> None:
        """What the user says, else what the recording says that makes the map's world."""
        if self.up is not None:
            memory.declare_up(self.up)
        elif not self.append and reader.up_in_world is not None:
            memory.declare_up(reader.up_in_world)
