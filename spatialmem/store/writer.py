"""The writing side of a memory file: the lock, one connection, one transaction at a time."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, final

from spatialmem.errors import MemoryFileError
from spatialmem.store.access import check_tables, connect, fold_log
from spatialmem.store.failures import explained
from spatialmem.store.header import check_header
from spatialmem.store.lock import WriterLock
from spatialmem.store.migrate import migrate_in_place
from spatialmem.store.rewriting import rewrite_in_place, wal_bytes_to_rewrite
from spatialmem.store.room import Room
from spatialmem.store.schema import FORMAT_VERSION, META, create_schema, set_writer_pragmas, with_crc

T = TypeVar("T")
_log = logging.getLogger(__name__)


@final
class Writer:
    """Holds the write lock of `path` until `close`. Raises `MemoryLocked` when another writer has it."""

    def __init__(self, path: Path, new_with: Mapping[str, str | None] | None = None) -> None:
        """Opens an existing memory, or makes a new one when `new_with` (its meta rows) is given."""
        if new_with is None:
            _refuse_missing(path)
        else:
            _refuse_existing(path)
        self._path = path
        self._guard = threading.RLock()
        self.room: Room | None = None
        """the bound on what the file takes, where it has one"""
        self._lock = WriterLock(path)
        try:
            if new_with is not None:
                _build(path, new_with)
            with explained(path, "opening"):
                version = check_header(path)
                refuse_unwritable(path)
                if version != FORMAT_VERSION:
                    fold_log(path)
                    kept = migrate_in_place(path, version)
                    _log.info("%s migrated from format %d; the old file is %s", path, version, kept)
                self._connection = _open(path)
        except BaseException:
            self._lock.release()
            raise

    def keep_within(self, limit_bytes: int) -> Room:
        """From now on file, wal and shm together never take more than this."""
        with self._guard, self._explained("opening"):
            self.room = Room(self._path, self._connection, limit_bytes)
        return self.room

    @contextmanager
    def transaction(self, doing: str, wal_bytes: int = 0) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is on disk when the block ends, or none of it after any exception.

        wal_bytes: what it appends to the wal, where that may be much. Raises `OutOfRoom` when it would take the files
        beyond their bound.
        """
        with self._guard, self._explained(doing):
            if self.room is not None:
                self.room.prepare(wal_bytes)
            try:
                self._connection.execute("BEGIN IMMEDIATE")  # in here, for Ctrl-C may strike as soon as it has begun
                yield self._connection
                if self.room is not None:
                    self.room.before_commit()
                self._connection.execute("COMMIT")
            except BaseException as error:
                stopped = self.room is not None and self.room.stopped(error)
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if stopped and self.room is not None:
                    raise self.room.refusal(doing) from error
                raise
            finally:
                if self.room is not None:
                    self.room.done()

    @contextmanager
    def erasing(self, doing: str, wal_bytes: int = 0) -> Iterator[sqlite3.Connection]:
        """Like `transaction`, and what is deleted in it is overwritten."""
        with self._guard:
            try:
                self._connection.execute("PRAGMA secure_delete = ON")
                with self.transaction(doing, wal_bytes) as connection:
                    yield connection
            finally:
                self._connection.execute(f"PRAGMA secure_delete = {'OFF' if self.room is None else 'FAST'}")

    def rewrite(self) -> None:
        """Write the whole file anew without its free pages, and empty the wal: nothing that was deleted is left.

        Where that does not fit the bound on the file, its pages are written anew a few at a time.
        """
        with self._guard, self._explained("writing anew"):
            if self.room is None or self.room.fits_twice():
                self._connection.execute("VACUUM")
            else:
                rewrite_in_place(self)
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise MemoryFileError(f"a reader holds the log of {self._path}; close the reader")

    def wal_bytes_to_rewrite(self) -> int:
        """What the wal must take for `rewrite` at least; 0 without a bound, or where a whole new file fits it."""
        with self._guard, self._explained("reading"):
            if self.room is None or self.room.fits_twice():
                return 0
            return wal_bytes_to_rewrite(self._connection)

    def look(self, n_bytes: int) -> None:
        """Before a row of so many bytes is written or overwritten; `OutOfRoom` when it might not fit the bound."""
        if self.room is not None:
            self.room.look(n_bytes)

    def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Result of `function(connection)`, which only reads, as of the last commit."""
        with self._guard, self._explained("reading"):
            return function(self._connection)

    def read_one(self, query: str) -> tuple:
        """First row of a query, as of the last commit."""
        return self.read(lambda connection: connection.execute(query).fetchone())

    def close(self) -> None:
        """Fold the wal into the file and let go of the lock; says so when the wal had to stay."""
        with self._guard:
            try:
                with self._explained("closing"):
                    try:
                        if self.room is not None:
                            self.room.give_back()
                        busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    finally:
                        self._connection.close()  # before another writer is let in
            finally:
                self._lock.release()
        if busy:
            raise MemoryFileError(
                f"{self._path} was closed, but a reader held its log, so {self._path.name}-wal stays beside it; "
                "nothing is lost: keep both files together and open with mode='a' once more"
            )
        left = [name for name in ("-wal", "-shm") if self._path.with_name(self._path.name + name).exists()]
        if left:
            _log.info("a reader was looking at %s while it was closed: %s left beside it, empty", self._path, left)

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """`explained`; and what was raised while SQLite asked how long the wal is goes on from here."""
        try:
            with explained(self._path, doing):
                yield
        except BaseException as error:
            raised = None if self.room is None else self.room.interruption()
            if raised is None:
                raise
            raise raised from error


def _open(path: Path) -> sqlite3.Connection:
    connection = connect(path, "mode=rw")
    try:
        check_tables(connection, path)
        set_writer_pragmas(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _build(path: Path, meta: Mapping[str, str | None]) -> None:
    """Write an empty memory under another name, then give it its own: a file of that name is complete."""
    _refuse_existing(path)  # again, now that the lock is ours
    new = path.with_name(path.name + "-new")
    for leftover in (new, new.with_name(new.name + "-journal")):
        leftover.unlink(missing_ok=True)
    try:
        with explained(path, "creating"):
            connection = connect(new, "mode=rwc")
            try:
                create_schema(connection)
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(META.insert, [with_crc((str(k), v)) for k, v in meta.items()])
                connection.execute("COMMIT")
            finally:
                connection.close()
        _rename(new, path)
    finally:
        new.unlink(missing_ok=True)


def _rename(new: Path, path: Path) -> None:
    try:
        os.rename(new, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise MemoryFileError(f"creating {path} failed ({error}); check the folder") from error


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise MemoryFileError(f"{path} exists already; open it with mode='a' to go on, or give another path")
    if not path.parent.is_dir():
        raise MemoryFileError(f"there is no folder {path.parent} to create {path.name} in; make it first")
    for suffix in ("-wal", "-journal"):
        log = path.with_name(path.name + suffix)
        if log.exists():
            raise MemoryFileError(
                f"{log} is left of a memory that was moved away without it; put them together again, or remove it"
            )


def refuse_unwritable(path: Path) -> None:
    """Notice now, not at the first frame; SQLite would quietly open it for reading."""
    try:
        with open(path, "r+b"):
            pass
    except OSError as error:
        raise MemoryFileError(
            f"{path} cannot be written ({error.strerror}); check its permissions, or open it with mode='r'"
        ) from error


def _refuse_missing(path: Path) -> None:
    if not path.exists():
        raise MemoryFileError(f"there is no file {path}; create a memory there, or check the path")
