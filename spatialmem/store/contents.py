"""What a memory file holds, table by table, as frozen rows."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.store import codec, evictions, moved, queries
from spatialmem.store import records as rec
from spatialmem.store import schema as sch
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.rows import (
    AnchorRow,
    BlockRow,
    CheckpointRow,
    DepartedRow,
    FrameBlobs,
    KeyframeRow,
    PoseRow,
    SessionRow,
    TombstoneRow,
)
from spatialmem.types import Camera

T = TypeVar("T")


class Contents(ABC):
    """The tables of a memory file, for a class that can read it. Every damaged row is a `MemoryFileError`."""

    @property
    @abstractmethod
    def path(self) -> Path:
        """Absolute path of the file, symbolic links resolved."""

    @property
    @abstractmethod
    def last_lsn(self) -> int:
        """Number of the latest stored frame, 0 when there is none."""

    @abstractmethod
    def read(self, function: Callable[[sqlite3.Connection], T], fresh: bool = False) -> T:
        """Result of `function(connection)`, which only reads and returns: it may run more than once."""

    @property
    def base_lsn(self) -> int:
        """Every block holds at least the frames up to this one; those after it are replayed."""
        return self.read(queries.base_lsn)

    @property
    def newest_tag(self) -> int:
        """The latest frame that a block on file contains; 0 without blocks. Reads through both tables of blocks."""
        return self.read(queries.newest_tag)

    def get_meta(self, key: str) -> str | None:
        """Value of a row of `meta`; None when it is null or absent."""
        return self.meta().get(key)

    def meta(self) -> dict[str, str | None]:
        """All rows of `meta`."""
        return {row[0]: row[1] for row in self._rows(sch.META)}

    def keyframes(self, after_lsn: int = 0) -> list[KeyframeRow]:
        """Rows of the log with lsn > `after_lsn`, in log order."""
        return self.read(lambda connection: queries.keyframes(connection, after_lsn))

    def logged(self) -> Iterator[tuple[Sequence[Any], Camera]]:
        """The columns of `keyframes`, checked, and the camera, a few hundred at a time: a long log never stands in RAM
        as objects."""
        known: dict[int, Camera] = {}
        for chunk in self._chunks(sch.KEYFRAMES):
            rec.require_poses(chunk)
            for values in chunk:
                if values[5] not in known:  # asked after the row: a live writer adds a camera with its first frame
                    known = self.read(queries.cameras)
                yield values, queries.camera_of(values, known)

    def blobs(self, lsn: int) -> FrameBlobs:
        """Encoded contents of a frame; `Evicted` when they were given up."""
        blobs = rec.frame_blobs(self._one(sch.FRAMES, lsn))
        if blobs.colour is None:
            raise self.read(lambda connection: evictions.refusal(connection, lsn))
        return blobs

    def vector(self, lsn: int) -> bytes | None:
        """Encoded image vector of a frame, None when it has none."""
        found = self._rows(sch.VECTORS, "WHERE lsn = ?", (lsn,))
        return found[0][1] if found else None

    def vectors(self, after_lsn: int = 0) -> Iterator[tuple[int, bytes]]:
        """(lsn, encoded image vector) of the frames after `after_lsn`, in log order."""
        return ((lsn, data) for lsn, data in self._in_chunks(sch.VECTORS, after_lsn))

    def cells(self, lsn: int) -> bytes | None:
        """Encoded sightings of a frame, None when it has none."""
        found = self._rows(sch.SIGHTINGS, "WHERE lsn = ?", (lsn,))
        return found[0][1] if found else None

    def cells_between(self, first_lsn: int, last_lsn: int) -> dict[int, bytes]:
        """Encoded sightings by lsn, of the frames from one to another, both included."""
        return {row[0]: row[1] for row in self._rows(sch.SIGHTINGS, "WHERE lsn BETWEEN ? AND ?", (first_lsn, last_lsn))}

    def all_cells(self, after_lsn: int = 0) -> Iterator[tuple[int, bytes]]:
        """(lsn, encoded sightings) of the frames after `after_lsn`, in log order."""
        return ((lsn, data) for lsn, data in self._in_chunks(sch.SIGHTINGS, after_lsn))

    def surface_blocks(self) -> Iterator[BlockRow]:
        """Blocks by ascending key; a consistent map results from replaying the rows after `base_lsn`."""
        return map(rec.block_row, self._counted(sch.SURFACE_BLOCKS))

    def free_blocks(self) -> Iterator[BlockRow]:
        """Free-space blocks by ascending key."""
        return map(rec.block_row, self._counted(sch.FREE_BLOCKS))

    def departed(self) -> list[DepartedRow]:
        """All departed rows by id, those that hold no longer included."""
        return [rec.departed_row(values) for values in self._counted(sch.DEPARTED)]

    def tombstones(self) -> list[TombstoneRow]:
        """What was erased, oldest first."""
        return self.read(queries.tombstones)

    def evictions(self) -> list[evictions.EvictionRow]:
        """What was given up to keep within the budget, oldest first."""
        return self.read(evictions.listed)

    def stored_lsns(self) -> NDArray[np.int64]:
        """(N,) ascending, of the frames in the log."""
        return self.read(queries.stored_lsns)

    def erased_frames(self) -> LsnRanges:
        """Frames that were erased."""
        return LsnRanges.joined(row.lsns for row in self.tombstones())

    def evicted_frames(self) -> LsnRanges:
        """Frames whose images and depth were given up, those that were erased since among them."""
        return LsnRanges.joined(row.lsns for row in self.evictions() if row.kind == evictions.FRAMES)

    def left_by(self, lsn: int) -> NDArray[np.int64]:
        """(n,) keys of the surface blocks that an evicted frame touched or examined."""
        return codec.decode_examined(self._one(sch.FRAMES, lsn)[5])

    def moved(self) -> list[moved.MovedRow]:
        """Blocks whose content was moved, by layer and key."""
        return self.read(moved.listed)

    def moved_blocks(self) -> int:
        """How many surface blocks are among them."""
        return self.read(moved.count)

    def sessions(self) -> list[SessionRow]:
        """Sessions in order of arrival."""
        return [rec.session_row(values) for values in self._rows(sch.SESSIONS, "ORDER BY ordinal")]

    def recordings(self) -> dict[str, str]:
        """Recording of each session that is known to hold one, by session."""
        return {key.removeprefix(sch.RECORDING): value for key, value in self.meta().items()
                if key.startswith(sch.RECORDING) and value is not None}  # fmt: skip

    def anchors(self) -> list[AnchorRow]:
        """All anchors by session and revision, replaced ones included."""
        return [rec.anchor_row(values) for values in self._rows(sch.ANCHORS, "ORDER BY session_id, revision")]

    def poses(self) -> list[PoseRow]:
        """All revisions of poses by frame and revision, replaced ones included."""
        return [rec.pose_row(values) for values in self._rows(sch.POSE_REVISIONS, "ORDER BY lsn, revision")]

    def checkpoints(self) -> list[CheckpointRow]:
        """Finished rounds, oldest first."""
        return [CheckpointRow(*values) for values in self._rows(sch.CHECKPOINTS, "ORDER BY lsn")]

    # --- inside

    def _rows(self, table: sch.Table, where: str = "", params: Sequence[Any] = ()) -> list[Sequence]:
        return self.read(lambda connection: queries.rows(connection, table, where, params))

    def _one(self, table: sch.Table, key: int) -> Sequence:
        found = self._rows(table, f"WHERE {table.names[0]} = ?", (key,))
        if not found and any(key in row.lsns for row in self.tombstones()):
            raise InvalidValue(f"frame {key} of {self.path} has been erased; open the file again to see what is left")
        if not found and 1 <= key <= self.last_lsn:
            raise MemoryFileError(f"{self.path}: row {key} of table {table.name} is missing; {sch.LOG_ADVICE}")
        if not found:
            raise InvalidValue(f"{self.path} has no row {key} in {table.name}; frames go from 1 to {self.last_lsn}")
        return found[0]

    def _counted(self, table: sch.Table) -> Iterator[Sequence]:
        """Rows by ascending key; after the last one, `MemoryFileError` when there were not as many as were written.

        The recorded number is read before and after: a live writer may add rows in between.
        """
        before, seen = self._recorded_count(table), 0
        for values in self._in_chunks(table):
            yield values
            seen += 1
        after = self._recorded_count(table)
        if not min(before, after) <= seen <= max(before, after):
            raise MemoryFileError(
                f"{self.path}: table {table.name} has {seen} rows, but {after} were written; {sch.REBUILD_ADVICE}"
            )

    def _recorded_count(self, table: sch.Table) -> int:
        return self.read(lambda connection: queries.recorded_count(connection, table))

    def _in_chunks(self, table: sch.Table, after: int = -1) -> Iterator[Sequence]:
        """Rows by ascending integer key; a large table never stands in RAM."""
        for chunk in self._chunks(table, after):
            yield from chunk

    def _chunks(self, table: sch.Table, after: int = -1) -> Iterator[list[Sequence]]:
        """Rows by ascending integer key, a few hundred at a time."""
        name = table.names[0]
        while chunk := self._rows(table, f"WHERE {name} > ? ORDER BY {name} LIMIT {queries.CHUNK}", (after,)):
            if any(one >= other for one, other in pairwise([after, *(values[0] for values in chunk)])):
                advice = sch.REBUILD_ADVICE if table in sch.DERIVED else sch.LOG_ADVICE
                raise MemoryFileError(f"{self.path}: rows of table {table.name} stand out of order; {advice}")
            yield chunk
            after = chunk[-1][0]
