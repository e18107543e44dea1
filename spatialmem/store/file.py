"""The memory file: what is written in one transaction, and what is read back (docs/format.md)."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, final

from spatialmem.errors import InvalidValue, MemoryFileError, OutOfRoom, ReadOnlyMemory
from spatialmem.store import evictions, integrity, maintenance, queries
from spatialmem.store import records as rec
from spatialmem.store import schema as sch
from spatialmem.store.access import BesideWriter, Reading
from spatialmem.store.contents import Contents
from spatialmem.store.queries import SqlResult
from spatialmem.store.renewing import renew_layers
from spatialmem.store.room import Room
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
T = TypeVar("T")
_log = logging.getLogger(__name__)


@final
class MemoryFile(Contents):
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
        length = sum(len(blob) for blob in rec.frame_values(row.lsn, blobs) if isinstance(blob, bytes))
        if row.lsn != self._last_lsn + 1:
            raise InvalidValue(f"the next frame of {self._path} has lsn {self._last_lsn + 1}; given {row.lsn}")
        try:
            with writer.transaction(f"storing frame {row.lsn} in") as connection:
                if session is not None:
                    maintenance.insert_session(connection, *session)
                if recording_id is not None:
                    maintenance.put_recording(connection, row.session_id, recording_id)
                writer.look(length)
                maintenance.insert_frame(connection, row, blobs, vector, cells, pose)
                maintenance.insert_departed(connection, departed)
                maintenance.close_departed(connection, closed_departed, row.lsn)
                maintenance.put_blocks(connection, surface, free, checkpoint, writer.look)
        finally:
            self._last_lsn = self._lsn_on_disk()

    def append_contents(
        self, lsn: int, blobs: FrameBlobs, vector: bytes | None, cells: bytes | None,
        departed: Sequence[DepartedRow] = (),
    ) -> None:  # fmt: skip
        """What `append_frame` writes of a frame whose row in `keyframes` is there already, in one transaction."""
        writer = self._for_writing()
        with writer.transaction(f"storing frame {lsn} in") as connection:
            writer.look(sum(len(blob) for blob in rec.frame_values(lsn, blobs) if isinstance(blob, bytes)))
            maintenance.insert_contents(connection, lsn, blobs, vector, cells)
            maintenance.insert_departed(connection, departed)

    def write_checkpoint(
        self, surface: Iterable[BlockRow] = (), free: Iterable[BlockRow] = (), checkpoint: CheckpointRow | None = None
    ) -> None:
        """Blocks outside a frame's transaction (closing, eviction); `checkpoint` when they finish a round."""
        writer = self._for_writing()
        with writer.transaction("writing blocks to") as connection:
            maintenance.put_blocks(connection, surface, free, checkpoint, writer.look)

    def replace_layers(
        self,
        surface: Iterable[BlockRow] = (),
        free: Iterable[BlockRow] = (),
        cells: Iterable[tuple[int, bytes]] = (),
        departed: Sequence[DepartedRow] = (),
        checkpoint: CheckpointRow | Callable[[], CheckpointRow] | None = None,
        grows: bool = False,
    ) -> None:
        """Put rebuilt layers in place of everything derived, in one transaction; what stood there is not read.

        Blocks are taken one by one, so they need not all be packed at once; a function `checkpoint` is called after.
        grows: half of the room that a budget leaves is for the file, all of it for the wal otherwise.
        """
        writer = self._for_writing()
        wal_bytes = 0 if writer.room is None else writer.room.spare_bytes // (2 if grows else 1)
        with writer.transaction("rebuilding", wal_bytes) as connection:
            if writer.room is not None:
                renew_layers(connection, surface, free, cells, departed, checkpoint, writer.look)
                return
            maintenance.clear_layers(connection)
            connection.executemany(sch.SIGHTINGS.insert, (sch.with_crc(pair) for pair in cells))
            maintenance.insert_departed(connection, departed)
            maintenance.put_blocks(connection, surface, free, checkpoint, writer.look)

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
        writer = self._for_writing()
        with writer.transaction("correcting poses in") as connection:
            maintenance.insert_poses(connection, poses)
            maintenance.use_poses(connection, used)
            if anchor is not None:
                maintenance.insert_anchor(connection, anchor)
            if layers is not None:
                maintenance.put_corrected(connection, layers, writer.look)

    def erase(self, row: TombstoneRow, layers: CorrectedLayers) -> None:
        """Erase frames and all that came of them, in one transaction; `scrub` is to follow."""
        writer = self._for_writing()
        with writer.erasing("erasing frames from") as connection:
            maintenance.erase_frames(connection, row, writer.look)
            maintenance.put_corrected(connection, layers, writer.look)
        self._last_lsn = self._lsn_on_disk()

    def scrub(self) -> None:
        """See to it that nothing erased is left in the file's free pages or its wal; does nothing when that is so.

        `MemoryFileError` when it cannot be done now; the frames are erased all the same.
        """
        if self.get_meta(sch.SCRUB_PENDING) is None:
            return
        writer = self._for_writing()
        try:
            writer.rewrite()
        except (MemoryFileError, OutOfRoom) as error:
            raise MemoryFileError(
                f"the frames are erased, but bytes of them may be left in free pages of {self._path} or in its log: "
                f"{error}; then call forget() again, or open the memory with mode='a'"
            ) from error
        with writer.transaction("changing") as connection:
            connection.execute("DELETE FROM meta WHERE key = ?", (sch.SCRUB_PENDING,))

    def try_scrub(self) -> None:
        """`scrub`; where it cannot be done now, a warning in the log says what is left to do."""
        try:
            self.scrub()
        except MemoryFileError as error:
            _log.warning("%s", error)

    def scrub_wal_bytes(self) -> int:
        """What the wal must be able to take for `scrub`; 0 when nothing is to be done, or there is room anyway."""
        return 0 if self.get_meta(sch.SCRUB_PENDING) is None else self._for_writing().wal_bytes_to_rewrite()

    def revisions(self) -> int:
        """Grows whenever the past is changed: poses revised, sessions moved, frames erased."""
        return self.read(queries.revisions)

    def revised(self) -> int:
        """How many revisions of poses and places of sessions it has, but for those that came with their frame."""
        return self.read(queries.revised)

    def set_meta(self, key: str, value: str | None) -> None:
        """Write one row of `meta`."""
        with self._for_writing().transaction("changing") as connection:
            connection.execute(sch.META.replace, sch.with_crc((key, value)))

    def keep_within(self, limit_bytes: int) -> Room:
        """From now on file, wal and shm never take more: what would raises `OutOfRoom`, and nothing is changed."""
        return self._for_writing().keep_within(limit_bytes)

    @property
    def bounded(self) -> bool:
        """Whether `keep_within` was called."""
        return self._writer is not None and self._writer.room is not None

    def change(self, doing: str, function: Callable[[sqlite3.Connection], object]) -> None:
        """Call `function(connection)` in one transaction."""
        with self._for_writing().transaction(doing) as connection:
            function(connection)

    # --- reading

    def read(self, function: Callable[[sqlite3.Connection], T], fresh: bool = False) -> T:
        """Result of `function(connection)`, which only reads and returns: it may run more than once."""
        self._check_usable()
        return self._reading(function, fresh)

    @property
    def last_lsn(self) -> int:
        """Number of the latest stored frame, 0 when there is none."""
        return self._last_lsn if self._writer is not None else self.read(queries.last_lsn)

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] = (), timeout_s: float = 10.0) -> SqlResult:
        """Rows of one SELECT. Anything that would change something raises `InvalidValue`, as does a timeout."""
        return self.read(lambda connection: queries.restricted(connection, query, params, timeout_s), fresh=True)

    def integrity(self) -> list[str]:
        """What is wrong with the file, one line each; empty when it is sound. Reads all of it."""
        return self.read(integrity.problems, fresh=True)

    def sizes(self) -> dict[str, int]:
        """Bytes by table, of free pages ("free"), and on disk: "file", "wal", "shm" and their sum "total"."""
        return {**self.read(queries.table_sizes), **queries.disk_sizes(self._path)}

    def frame_lengths(self, lsns: Iterable[int]) -> list[int]:
        """Bytes of the blobs that each of these frames has in the log, its image vector left out."""
        wanted = list(lsns)
        return self.read(lambda connection: [evictions.size(connection, sch.FRAMES, lsn) for lsn in wanted])

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

    def _lsn_on_disk(self) -> int:
        assert self._writer is not None
        return self._writer.read_one(f"SELECT {queries.LAST_LSN}")[0]


def _resolved(path: str | Path) -> Path:
    return Path(os.path.realpath(Path(path).expanduser()))
