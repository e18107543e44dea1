"""How a memory file is read without changing anything beside it (docs/format.md section 2)."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, final

from spatialmem.errors import MemoryFileError
from spatialmem.store.failures import explained
from spatialmem.store.header import Fingerprint, check_header, fingerprint, sidecars
from spatialmem.store.lock import is_locked
from spatialmem.store.migrate import check_version, migrated
from spatialmem.store.schema import FORMAT_VERSION, TABLES

T = TypeVar("T")
_BUSY_S = 5.0
_TRIES = 20


def connect(path: Path, options: str) -> sqlite3.Connection:
    """A connection without implicit transactions; `options` is the query of an SQLite URI, such as "mode=ro"."""
    return sqlite3.connect(
        f"{path.as_uri()}?{options}", uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_S
    )


def check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """`MemoryFileError` unless the database is a memory of this version with all its tables."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    check_version(path, application_id, version)
    if version != FORMAT_VERSION:
        raise MemoryFileError(f"{path} is being written by an older release (format {version}); close it there first")
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    missing = [table.name for table in TABLES if table.name not in found]
    if missing:
        raise MemoryFileError(f"{path} lacks the tables {', '.join(missing)}; restore it from a copy")


class Changed(Exception):
    """A writer came or went while a file was read; what was read must be dropped."""


class Access(ABC):
    """One way of reading. `read` may be called from any thread."""

    detail: str
    inode: tuple[int, int]
    """of the file that is read: another file under its name is another memory"""

    @abstractmethod
    def read(self, function: Callable[[sqlite3.Connection], T], fresh: bool = False) -> T:
        """Result of `function`; with `fresh` on a connection of its own, closed afterwards. Raises `Changed`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""


class KeptConnection(Access):
    """Reads through one connection, one thread at a time."""

    def __init__(self, path: Path, options: str) -> None:
        self._path, self._options = path, options
        self.inode = fingerprint(path).inode
        self._guard = threading.Lock()
        self._connection = connect(path, options)
        try:
            check_tables(self._connection, path)
        except BaseException:
            self._connection.close()
            raise

    def read(self, function: Callable[[sqlite3.Connection], T], fresh: bool = False) -> T:
        if fresh:
            return _with_new_connection(self._path, self._options, function)
        with self._guard:
            return function(self._connection)

    def close(self) -> None:
        with self._guard:
            self._connection.close()


@final
class BesideWriter(KeptConnection):
    """The reading side of the process that writes: sees what is committed, never waits for a commit."""

    detail = "writer"

    def __init__(self, path: Path) -> None:
        super().__init__(path, "mode=ro")


@final
class Immutable(KeptConnection):
    """A file that nobody writes. SQLite takes no lock and makes no file; so we watch for a writer ourselves."""

    detail = "immutable"

    def __init__(self, path: Path) -> None:
        self._seen = fingerprint(path)
        super().__init__(path, "mode=ro&immutable=1")

    def read(self, function: Callable[[sqlite3.Connection], T], fresh: bool = False) -> T:
        try:
            result = super().read(function, fresh)
        except (sqlite3.Error, MemoryFileError) as error:
            if self._stale():
                raise Changed from error
            raise
        if self._stale():
            raise Changed
        return result

    def _stale(self) -> bool:
        now = fingerprint(self._path)
        _require_same_file(self._path, now.inode, self._seen.inode)
        return now != self._seen


@final
class Attached(Access):
    """A file with a live writer. A connection for each read: the writer's close then finds itself alone."""

    detail = "attached"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.inode = fingerprint(path).inode
        self.read(lambda connection: check_tables(connection, path))

    def read(self, function: Callable[[sqlite3.Connection], T], fresh: bool = False) -> T:
        if not is_locked(self._path):
            raise Changed
        try:
            result = _with_new_connection(self._path, "mode=ro", function)
        except sqlite3.Error as error:
            if is_locked(self._path):
                raise
            raise Changed from error
        _require_same_file(self._path, fingerprint(self._path).inode, self.inode)
        return result

    def close(self) -> None:
        """Nothing is held between reads."""


@final
class RecoveredCopy(KeptConnection):
    """What a killed writer or an older release left, made usable in a private folder that is removed on close."""

    detail = "recovered copy"

    def __init__(self, path: Path, version: int) -> None:
        inode = fingerprint(path).inode
        self._folder = tempfile.TemporaryDirectory(prefix="spatialmem-", ignore_cleanup_errors=True)
        try:
            copy = Path(self._folder.name) / path.name
            for source in (path, *sidecars(path)):
                shutil.copyfile(source, copy.with_name(source.name))
            if version != FORMAT_VERSION:
                fold_log(copy)
                copy = migrated(copy, version, copy.with_name("migrated.mem"))
                self.detail = "migrated copy"
            super().__init__(copy, "mode=rw")
            self.inode = inode
            self._connection.execute("PRAGMA query_only = ON")
        except BaseException:
            self._folder.cleanup()
            raise

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


@final
class Reading:
    """Reads a memory file by the access its state asks for, and changes over when that state changes."""

    def __init__(self, path: Path, access: Access | None = None) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._access = access or _open_access(path)

    @property
    def detail(self) -> str:
        """writer, immutable, attached, recovered copy or migrated copy."""
        return self._access.detail

    def __call__(self, function: Callable[[sqlite3.Connection], T], fresh: bool = False) -> T:
        """Result of `function(connection)`. It may run more than once, so it must only read and return."""
        for _ in range(_TRIES):
            access = self._access
            try:
                with explained(self._path, "reading"):
                    return access.read(function, fresh)
            except Changed:
                self._renew(access)
        raise MemoryFileError(f"{self._path} keeps changing hands while it is read; try again when its writer rests")

    def _renew(self, old: Access) -> None:
        with self._guard:
            if self._access is old:
                new = _open_access(self._path)
                try:
                    _require_same_file(self._path, new.inode, old.inode)
                except MemoryFileError:
                    new.close()
                    raise
                self._access = new
                old.close()

    def close(self) -> None:
        """Let go of the file; a private copy is removed."""
        self._access.close()


def fold_log(path: Path) -> None:
    """Bring a write-ahead log or journal into the file itself; `MemoryFileError` when a reader keeps it from that."""
    connection = connect(path, "mode=rw")
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()
    if busy:
        raise MemoryFileError(
            f"a killed writer left frames in {path.name}-wal, and somebody reads them, so they cannot be brought into "
            f"{path}; end what reads it, then try again: nothing was changed"
        )


def _require_same_file(path: Path, now: tuple[int, int], before: tuple[int, int]) -> None:
    if now != before:
        raise MemoryFileError(f"{path} was replaced by another file while it was open; open it again")


def _with_new_connection(path: Path, options: str, function: Callable[[sqlite3.Connection], T]) -> T:
    connection = connect(path, options)
    try:
        return function(connection)
    finally:
        connection.close()


def _open_access(path: Path) -> Access:
    for _ in range(_TRIES):
        try:
            with explained(path, "opening"):
                if is_locked(path):
                    return Attached(path)
                return _open_resting(path)
        except Changed:
            continue
    raise MemoryFileError(f"{path} keeps changing hands while it is opened; try again when its writer rests")


def _open_resting(path: Path) -> Access:
    """Access to a file that nobody writes; `Changed` when somebody began to meanwhile."""
    before: Fingerprint = fingerprint(path)
    version = check_header(path)
    try:
        as_it_is = version == FORMAT_VERSION and not sidecars(path)
        access: Access = Immutable(path) if as_it_is else RecoveredCopy(path, version)
    except (OSError, sqlite3.Error, MemoryFileError) as error:
        if fingerprint(path) != before or is_locked(path):
            raise Changed from error
        if isinstance(error, OSError):
            raise MemoryFileError(
                f"{path} was left by a killed writer or an older release and must be worked on in a private copy, "
                f"which failed ({error}); free space in the temporary folder, or open it once with mode='a'"
            ) from error
        raise
    if fingerprint(path) != before or is_locked(path):
        access.close()
        raise Changed
    return access
