"""The memory file: what is written in one transaction, and what is read back (docs/format.md)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, final

from spatialmem.errors import InvalidValue, MemoryFileError, ReadOnlyMemory
from spatialmem.store import integrity, maintenance, queries
from spatialmem.store import records as rec
from spatialmem.store import schema as sch
from spatialmem.store.access import BesideWriter, Reading
from spatialmem.store.queries import SqlResult
from spatialmem.store.rows import (
    AnchorRow,
    BlockRow,
    CheckpointRow,
    CorrectedLayers,
    DepartedRow,
    FrameBlobs,
    KeyframeRow,
    PoseRow,
    SessionRow,
    TombstoneRow,
)
from spatialmem.store.writer import Writer

Mode = Literal["r", "a"]


@final
class MemoryFile:
    """One memory on disk. Any thread may read; writes are serialised. Make one with `create` or `open`.

    Failures of the file are `MemoryFileError` and say what to do; changes with mode "r" raise `ReadOnlyMemory`. Read
    blocks before rows: a live writer may commit in between, and no block holds a frame that is not among the rows yet.
    """

    def __init__(self, path: Path, reading: Reading, writer: Writer | None) -> None:
        self._path, self._reading, self._writer = path, reading, writer
        self._process = os.getpid()
        self._closed = False
        self._last_lsn = 0 if writer is None else self._lsn_on_disk()

    @classmethod
    def create(cls, path: str | Path, meta: Mapping[str, str | None]) -> MemoryFile:
        """A new, empty memory with these rows in `meta`, open for appending. An existing file is refused."""
        return cls._appending(_resolved(path), meta)

    @classmethod
    def open(cls, path: str | Path, mode: Mode = "r") -> MemoryFile:
        """Open an existing memory: "r" changes nothing in its folder, "a" appends and takes the write lock.

        Raises `MemoryLocked` when another writer has it, `MemoryFileError` when it is no sound memory.
        """
        given = _resolved(path)
        if mode == "a":
            return cls._appending(given, None)
        if mode != "r":
            raise InvalidValue(f"mode must be 'r' or 'a'; given {mode!r}")
        return cls(given, Reading(given), None)

    @classmethod
    def _appending(cls, path: Path, new_with: Mapping[str, str | None] | None) -> MemoryFile:
        writer = Writer(path, new_with)
        try:
            return cls(path, Reading(path, BesideWriter(path)), writer)
        except BaseException:
            writer.close()
            raise

    @property
    def path(self) -> Path:
        """Absolute path of the file, symbolic links resolved."""
        return self._path

    @property
    def read_only(self) -> bool:
        """Whether the file was opened with mode "r"."""
        return self._writer is None

    @property
    def mode_detail(self) -> str:
        """How the file is read at the moment: writer, immutable, attached, recovered copy or migrated copy."""
        return self._reading.detail

    def __enter__(self) -> MemoryFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave exactly one file behind; a second call does nothing. `MemoryFileError` when that did not succeed."""
        if self._closed or os.getpid() != self._process:  # a forked child must leave the parent's file alone
            return
        self._closed = True
        try:
            self._reading.close()
        finally:
            if self._writer is not None:
                self._writer.close()

    # --- writing

    def append_frame(  # noqa: PLR0913  one transaction holds it all
        self,
        row: KeyframeRow,
        blobs: FrameBlobs,
        vector: bytes | None = None,
        cells: bytes | None = None,
        *,
        departed: Sequence[DepartedRow] = (),
        closed_departed: Sequence[int] = (),
        surface: Iterable[BlockRow] = (),
        free: Iterable[BlockRow] = (),
        checkpoint: CheckpointRow | None = None,
        session: tuple[SessionRow, AnchorRow] | None = None,
        recording_id: str | None = None,
        pose: PoseRow | None = None,
    ) -> None:
        """One stored frame and everything that comes with it, in one transaction; on disk when this returns.

        Args:
            row: its lsn must be `last_lsn + 1`; its session must have been added, or come as `session`.
            blobs, vector, cells: encoded by store/codec.py.
            departed: regions this frame cleared; their ids are given here.
            closed_departed: ids of departed rows that hold no longer as of this frame.
            surface, free: this frame's share of a checkpoint round.
            checkpoint: given with the last share of a round.
            session: given with the first frame of a session that comes into being with it.
            recording_id: given with the first frame of its session that says of which recording it is.
            pose: by which the frame stands in the layers, where that is not the observed one.
        """
        writer = self._for_writing()
        if row.lsn != self._last_lsn + 1:
            raise InvalidValue(f"the next frame of {self._path} has lsn {self._last_lsn + 1}; given {row.lsn}")
        try:
            with writer.transaction(f"storing frame {row.lsn} in") as connection:
                if session is not None:
                    maintenance.insert_session(connection, *session)
                if recording_id is not None:
                    maintenance.put_recording(connection, row.session_id, recording_id)
                maintenance.insert_frame(connection, row, blobs, vector, cells, pose)
                maintenance.insert_departed(connection, departed)
                maintenance.close_departed(connection, closed_departed, row.lsn)
                maintenance.put_blocks(connection, surface, free, checkpoint)
        finally:
            self._last_lsn = self._lsn_on_disk()

    def write_checkpoint(
        self, surface: Iterable[BlockRow] = (), free: Iterable[BlockRow] = (), checkpoint: CheckpointRow | None = None
    ) -> None:
        """Blocks outside a frame's transaction (closing, eviction); `checkpoint` when they finish a round."""
        with self._for_writing().transaction("writing blocks to") as connection:
            maintenance.put_blocks(connection, surface, free, checkpoint)

    def replace_layers(
        self,
        surface: Iterable[BlockRow] = (),
        free: Iterable[BlockRow] = (),
        cells: Iterable[tuple[int, bytes]] = (),
        departed: Sequence[DepartedRow] = (),
        checkpoint: CheckpointRow | Callable[[], CheckpointRow] | None = None,
    ) -> None:
        """Put rebuilt layers in place of everything derived, in one transaction; what stood there is not read.

        Blocks are taken one by one, so they need not all be packed at once; a function `checkpoint` is called after.
        """
        with self._for_writing().transaction("rebuilding") as connection:
            maintenance.clear_layers(connection)
            connection.executemany(sch.SIGHTINGS.insert, (sch.with_crc(pair) for pair in cells))
            maintenance.insert_departed(connection, departed)
            maintenance.put_blocks(connection, surface, free, checkpoint)

    def close_departed(self, ids: Sequence[int], valid_to: int) -> None:
        """Departed rows that hold no longer from lsn `valid_to` on."""
        with self._for_writing().transaction("changing") as connection:
            maintenance.close_departed(connection, ids, valid_to)

    def add_session(self, row: SessionRow, anchor: AnchorRow | None = None) -> None:
        """A new session, with its place in the map where that is known."""
        with self._for_writing().transaction(f"adding session {row.session_id!r} to") as connection:
            maintenance.insert_session(connection, row, anchor)

    def add_anchor(self, row: AnchorRow) -> None:
        """A further revision of where a session lies; the one before it ends where this begins."""
        with self._for_writing().transaction(f"placing session {row.session_id!r} in") as connection:
            maintenance.insert_anchor(connection, row)

    def correct(
        self,
        poses: Sequence[PoseRow],
        used: Mapping[int, int],
        anchor: AnchorRow | None,
        layers: CorrectedLayers | None,
    ) -> None:
        """Revisions of poses, and what they change in the layers, in one transaction.

        used: revision by which each frame (lsn) stands in the layers from now on; layers: None when nothing changes.
        """
        with self._for_writing().transaction("correcting poses in") as connection:
            maintenance.insert_poses(connection, poses)
            maintenance.use_poses(connection, used)
            if anchor is not None:
                maintenance.insert_anchor(connection, anchor)
            if layers is not None:
                maintenance.put_corrected(connection, layers)

    def erase(self, row: TombstoneRow, layers: CorrectedLayers) -> None:
        """Erase frames and all that came of them, in one transaction; `scrub` is to follow."""
        with self._for_writing().erasing("erasing frames from") as connection:
            maintenance.erase_frames(connection, row)
            maintenance.put_corrected(connection, layers)
        self._last_lsn = self._lsn_on_disk()

    def scrub(self) -> None:
        """See to it that nothing erased is left in the file's free pages or its wal; does nothing when that is so."""
        if self.get_meta(sch.SCRUB_PENDING) is None:
            return
        writer = self._for_writing()
        try:
            writer.rewrite()
        except MemoryFileError as error:
            raise MemoryFileError(
                f"the frames are erased, but bytes of them may be left in free pages of {self._path} or in its log: "
                f"{error}; then call forget() again, or open the memory with mode='a'"
            ) from error
        with writer.transaction("changing") as connection:
            connection.execute("DELETE FROM meta WHERE key = ?", (sch.SCRUB_PENDING,))

    def revisions(self) -> int:
        """Grows whenever the past is changed: poses revised, sessions moved, frames erased."""
        return self._read(queries.revisions)

    def tombstones(self) -> list[TombstoneRow]:
        """What was erased, oldest first."""
        return [rec.tombstone_row(values) for values in self._rows(sch.TOMBSTONES, "ORDER BY id")]

    def set_meta(self, key: str, value: str | None) -> None:
        """Write one row of `meta`."""
        with self._for_writing().transaction("changing") as connection:
            connection.execute(sch.META.replace, sch.with_crc((key, value)))

    # --- reading

    @property
    def last_lsn(self) -> int:
        """Number of the latest stored frame, 0 when there is none."""
        return self._last_lsn if self._writer is not None else self._read(queries.last_lsn)

    @property
    def base_lsn(self) -> int:
        """Every block holds at least the frames up to this one; those after it are replayed."""
        return self._read(queries.base_lsn)

    def get_meta(self, key: str) -> str | None:
        """Value of a row of `meta`; None when it is null or absent."""
        return self.meta().get(key)

    def meta(self) -> dict[str, str | None]:
        """All rows of `meta`."""
        return {row[0]: row[1] for row in self._rows(sch.META)}

    def keyframes(self, after_lsn: int = 0) -> list[KeyframeRow]:
        """Rows of the log with lsn > `after_lsn`, in log order."""
        return self._read(lambda connection: queries.keyframes(connection, after_lsn))

    def blobs(self, lsn: int) -> FrameBlobs:
        """Encoded contents of a frame."""
        return rec.frame_blobs(self._one(sch.FRAMES, lsn))

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

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] = (), timeout_s: float = 10.0) -> SqlResult:
        """Rows of one SELECT. Anything that would change something raises `InvalidValue`, as does a timeout."""
        return self._read(lambda connection: queries.restricted(connection, query, params, timeout_s), fresh=True)

    def integrity(self) -> list[str]:
        """What is wrong with the file, one line each; empty when it is sound. Reads all of it."""
        return self._read(integrity.problems, fresh=True)

    def sizes(self) -> dict[str, int]:
        """Bytes by table, of free pages ("free"), and on disk: "file", "wal", "shm" and their sum "total"."""
        return {**self._read(queries.table_sizes), **queries.disk_sizes(self._path)}

    # --- inside

    def _for_writing(self) -> Writer:
        self._check_usable()
        if self._writer is None:
            raise ReadOnlyMemory(f"{self._path} is open for reading only; open it with mode='a' to change it")
        return self._writer

    def _check_usable(self) -> None:
        if self._closed:
            raise MemoryFileError(f"{self._path} is closed; open it again")
        if os.getpid() != self._process:
            raise MemoryFileError(f"{self._path} was opened before this process was forked; open it again here")

    def _read(self, function, fresh: bool = False):
        self._check_usable()
        return self._reading(function, fresh)

    def _lsn_on_disk(self) -> int:
        assert self._writer is not None
        return self._writer.read_one(f"SELECT {queries.LAST_LSN}")[0]

    def _rows(self, table: sch.Table, where: str = "", params: Sequence[Any] = ()) -> list[Sequence]:
        return self._read(lambda connection: queries.rows(connection, table, where, params))

    def _one(self, table: sch.Table, key: int) -> Sequence:
        found = self._rows(table, f"WHERE {table.names[0]} = ?", (key,))
        if not found and any(key in row.lsns for row in self.tombstones()):
            raise InvalidValue(f"frame {key} of {self._path} has been erased; open the file again to see what is left")
        if not found and 1 <= key <= self.last_lsn:
            raise MemoryFileError(f"{self._path}: row {key} of table {table.name} is missing; {sch.LOG_ADVICE}")
        if not found:
            raise InvalidValue(f"{self._path} has no row {key} in {table.name}; frames go from 1 to {self.last_lsn}")
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
                f"{self._path}: table {table.name} has {seen} rows, but {after} were written; {sch.REBUILD_ADVICE}"
            )

    def _recorded_count(self, table: sch.Table) -> int:
        return self._read(lambda connection: queries.recorded_count(connection, table))

    def _in_chunks(self, table: sch.Table, after: int = -1) -> Iterator[Sequence]:
        """Rows by ascending integer key, a few hundred at a time, so that a large table never stands in RAM."""
        name = table.names[0]
        while chunk := self._rows(table, f"WHERE {name} > ? ORDER BY {name} LIMIT {queries.CHUNK}", (after,)):
            yield from chunk
            after = chunk[-1][0]


def _resolved(path: str | Path) -> Path:
    return Path(os.path.realpath(Path(path).expanduser()))
