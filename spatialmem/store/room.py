"""Keeping file, wal and shm of a writer within a bound at every instant (docs/format.md, section 9).

Two hard limits hold a transaction: `max_page_count` for the file it will be folded into, and a look at the wal every
few instructions of SQLite, and before each long row, for what it appends there. What passes one of them is rolled
back. Together they leave room for the file to take in the whole wal, which happens while that still stands beside it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import final

from spatialmem.errors import OutOfRoom
from spatialmem.store.schema import PAGE_SIZE

WAL_PAGE = PAGE_SIZE + 24
_LEAST_WAL, _MOST_WAL = 2 << 20, 8 << 20
_SHM_STEP, _SHM_FRAMES = 32768, 4062  # sqlite.org/walformat.html: an index of 32 KiB for so many pages of the wal
_CACHE_PAGES = 16  # changed pages that SQLite holds back from the wal until it commits
_SPARE_PAGES = 8  # what one statement may change beyond the cache before the next look; longer rows are told before
_HELD = (_CACHE_PAGES + _SPARE_PAGES) * WAL_PAGE  # bytes that may come into the wal after the last look
_PATIENCE_MS = 250  # for a reader that holds the wal; one that takes longer has changes refused
_AGAIN_S = 1.0  # after which one is waited for once more: it may be another, and to be missed each time is bad luck
_STEPS = 50  # instructions between two looks
_FULL = "SQLITE_FULL"
_DISK_IS_FULL = 16 << 20  # with less free than this, it was the disk that had no room


@final
class HeldByReader(OutOfRoom):
    """There is no room because somebody reads: giving something up would not help, waiting does."""


@final
class Room:
    """The bound on one writer's files. Not for several threads at once: the writer holds its guard."""

    def __init__(self, path: Path, connection: sqlite3.Connection, limit: int) -> None:
        self.limit = limit
        self.wal_bytes = least_wal(limit)
        """what the wal may take unless a transaction asks for more"""
        self._path, self._connection = path, connection
        self._wal = f"{path}-wal"
        self._stop: int | None = None
        """size of the wal at which the transaction that runs is broken off"""
        self._stopped, self._expected = False, 0
        self._raised: BaseException | None = None
        self._waits_again_s = 0.0
        """time of the monotonic clock before which no reader is waited for: one was, in vain"""
        self.lacks_wal = False
        """whether it was the wal that had no room when a transaction was refused or broken off"""
        for pragma in (
            f"cache_size = {_CACHE_PAGES}", "wal_autocheckpoint = 0", "secure_delete = FAST",
            f"journal_size_limit = {self.wal_bytes}",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.set_progress_handler(self._looks().__next__, _STEPS)

    # --- what there is

    @property
    def used_bytes(self) -> int:
        """Bytes of the pages that hold something."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * PAGE_SIZE

    def capacity_bytes(self, wal_bytes: int = 0) -> int:
        """What the pages that hold something may take beside a transaction that appends so much to the wal."""
        return self._ceiling(max(wal_bytes + _HELD, self.wal_bytes))

    @property
    def spare_bytes(self) -> int:
        """What a transaction may append to the wal when the file does not grow."""
        return max(0, self.limit - self._file_bytes() - _HELD - _shm_bytes(self.limit))

    @property
    def at_hand_bytes(self) -> int:
        """What a transaction may append to the wal beside the file as it is."""
        return max(self.spare_bytes, self.wal_bytes - _HELD)

    # --- a transaction

    @contextmanager
    def expecting(self, wal_bytes: int) -> Iterator[None]:
        """Transactions in the block append up to so much to the wal."""
        self._expected = wal_bytes
        try:
            yield
        finally:
            self._expected = 0

    def prepare(self, wal_bytes: int = 0) -> None:
        """Before a transaction that appends up to `wal_bytes`: see to it that wal and file have the room.

        Raises `OutOfRoom` when they have not, even without the file's free pages; `HeldByReader` when a reader that
        keeps the wal from being folded did not end within a quarter of a second, or did not less than a second ago.
        """
        self.lacks_wal = True
        need = max(max(wal_bytes, self._expected) + _HELD, self.wal_bytes // 2)
        if _size(self._wal) + need > self.wal_bytes:
            self.fold(0)
        if self._file_bytes() > self._ceiling(max(self.wal_bytes, _size(self._wal) + need)):
            patience_ms = 0 if monotonic() < self._waits_again_s else _PATIENCE_MS
            self.give_back(self._ceiling(max(self.wal_bytes, need)), patience_ms)
            if patience_ms and _size(self._wal):
                self._waits_again_s = monotonic() + _AGAIN_S
        wal = max(self.wal_bytes, _size(self._wal) + need)
        if self._file_bytes() > self._ceiling(wal):
            if _size(self._wal):
                raise HeldByReader(
                    f"{self._path} may take {self.limit:,} bytes with its -wal and -shm, and somebody who reads it "
                    f"(check(), a query, another process) keeps {_size(self._wal):,} bytes of the -wal from being "
                    "folded into it; nothing was changed: wait until that has ended, then do this again"
                )
            raise OutOfRoom(
                f"{self._path} may take {self.limit:,} bytes with its -wal and -shm, and a change that needs a -wal of "
                f"{wal:,} bytes does not fit beside the {self._file_bytes():,} of the file"
            )
        self.lacks_wal = False
        self._connection.execute(f"PRAGMA max_page_count = {self._ceiling(wal) // PAGE_SIZE}").fetchall()
        self._stop, self._stopped = wal - _HELD, False

    def look(self, n_bytes: int) -> None:
        """Before a statement that writes or overwrites a row of so many bytes, which SQLite does in one instruction.

        Raises `OutOfRoom` when the wal might become too long.
        """
        pages = 2 + n_bytes // PAGE_SIZE
        if pages > _SPARE_PAGES and self._stop is not None and _size(self._wal) + pages * WAL_PAGE > self._stop:
            self._stopped = self.lacks_wal = True
            raise self.refusal("writing to")

    def before_commit(self) -> None:
        """The last look: a commit itself must not be broken off, it might have been done."""
        too_long, self._stop = self._is_too_long(), None
        if too_long:
            raise self.refusal("writing to")

    def done(self) -> None:
        """The transaction has ended."""
        self._stop = None

    def stopped(self, error: BaseException) -> bool:
        """Whether it is this bound that an error in the transaction comes from; asked before it is rolled back."""
        if self._stopped:
            return True
        if not isinstance(error, sqlite3.Error) or getattr(error, "sqlite_errorname", _FULL) != _FULL:
            return False
        return shutil.disk_usage(self._path.parent).free > _DISK_IS_FULL

    def interruption(self) -> BaseException | None:
        """What was raised, once, while SQLite asked for a look: Ctrl-C, say."""
        raised, self._raised = self._raised, None
        return raised

    def refusal(self, doing: str) -> OutOfRoom:
        """The error for a transaction that was broken off."""
        return OutOfRoom(
            f"{doing} {self._path} would take more than the {self.limit:,} bytes that file, -wal and -shm may have "
            "(file_bytes); nothing of it was written"
        )

    # --- giving back

    def fold(self, patience_ms: int | None = None) -> None:
        """Bring the wal into the file and cut it to nothing; where somebody reads it for longer than this, it stays."""
        (before,) = self._connection.execute("PRAGMA busy_timeout").fetchone()
        self._connection.execute(f"PRAGMA busy_timeout = {before if patience_ms is None else patience_ms}").fetchall()
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not _size(self._wal):
                self._waits_again_s = 0.0
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {before}").fetchall()

    def give_back(self, to_bytes: int = 0, patience_ms: int | None = None) -> None:
        """Cut free pages off the file until it has at most `to_bytes` or no free page, or a reader holds the wal."""
        self.fold(patience_ms)
        while not _size(self._wal) and self._pragma("freelist_count") and self._file_bytes() > to_bytes:
            left = self.limit - self._file_bytes() - _size(self._wal) - _shm_bytes(self.wal_bytes)
            pages = min(left // (4 * WAL_PAGE), -(-(self._file_bytes() - to_bytes) // PAGE_SIZE))
            if pages < 1:
                return
            self._connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
            self.fold(patience_ms)

    def fits_twice(self) -> bool:
        """Whether the whole file can be written anew through its wal."""
        self.fold()
        wal = _size(self._wal) + self.used_bytes // PAGE_SIZE * WAL_PAGE + (1 << 16)
        return self._file_bytes() + wal + _shm_bytes(wal) <= self.limit

    # --- inside

    def _looks(self) -> Iterator[bool]:
        """What SQLite asks between instructions; True breaks off what it does.

        It drops what is raised meanwhile. Signals strike when Python is entered, so from the second call on that
        happens inside `try`, which a function could not give.
        """
        too_long = False
        while True:
            try:
                while True:
                    yield too_long
                    too_long = self._is_too_long()
            except GeneratorExit:
                return
            except BaseException as error:  # noqa: BLE001  goes on from `interruption`
                self._raised, too_long = error, True

    def _is_too_long(self) -> bool:
        if self._stop is None or _size(self._wal) <= self._stop:
            return False
        self._stopped = self.lacks_wal = True
        return True

    def _ceiling(self, wal_bytes: int) -> int:
        """What the file may take beside a wal of this length."""
        return (self.limit - wal_bytes - _shm_bytes(wal_bytes)) // PAGE_SIZE * PAGE_SIZE

    def _file_bytes(self) -> int:
        """What the file has, or will have when the wal is folded."""
        return max(_size(str(self._path)), self._pragma("page_count") * PAGE_SIZE)

    def _pragma(self, name: str) -> int:
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]


def wal_bytes_of(rows: Iterable[int]) -> int:
    """What a transaction that writes rows of so many bytes may append to the wal, at most or nearly so."""
    return (12 + sum(2 + size // PAGE_SIZE for size in rows)) * WAL_PAGE


def blocks_at_once(limit: int | None) -> int | None:
    """How many voxel blocks one transaction may write under a bound on the file; None without one."""
    return None if limit is None else max(4, least_wal(limit) // 2 // (3 * WAL_PAGE))


def least_wal(limit: int) -> int:
    """What the wal may take under a bound, unless a transaction asks for more."""
    return min(max(limit // 8, _LEAST_WAL), _MOST_WAL)


def _shm_bytes(wal_bytes: int) -> int:
    return _SHM_STEP * (1 + -(-max(0, wal_bytes // WAL_PAGE - _SHM_FRAMES) // 4096))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
