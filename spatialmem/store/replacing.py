"""A memory that takes the place of another one only when it is complete."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, final

from spatialmem.errors import MemoryFileError

if TYPE_CHECKING:
    from spatialmem.store.lock import WriterLock

_BESIDE = ("-wal", "-shm", "-journal")


@final
class Replacement:
    """While entered, `out` is locked and keeps what it holds; a new memory is made at `path` in the same folder.

    `complete` puts the new one, closed by then, in place of the old one. Without it, leaving removes the new one; what
    a killed process leaves of it is removed by the next replacement of the same file.
    """

    def __init__(self, out: Path) -> None:
        """Raises `MemoryFileError` when `out` is no memory; on entering, `MemoryLocked` while somebody writes it."""
        from spatialmem.store.header import check_header

        self._out = out.resolve()  # a link goes on pointing to the memory
        check_header(self._out)
        self.path = self._out.with_name(self._out.name + "-building")
        self._lock: WriterLock | None = None

    def __enter__(self) -> Replacement:
        from spatialmem.store.lock import WriterLock

        self._lock = WriterLock(self._out)
        try:
            _fold(self._out)  # nobody writes from here on, so the old memory is whole without a log until the very end
            _unlink(self.path, ("", *_BESIDE, "-lock"))  # whoever makes it holds the lock that is held now
        except BaseException:
            self._lock.release()
            raise
        return self

    def complete(self) -> None:
        """The new memory takes the name; the old one is gone."""
        _unlink(self._out, _BESIDE)  # the log of a killed writer must not be taken for one of the new file
        try:
            os.replace(self.path, self._out)
        except OSError as error:
            raise MemoryFileError(
                f"{self._out} cannot be replaced ({error}); it is as it was: check the folder"
            ) from error
        folder = os.open(self._out.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def __exit__(self, *exception: object) -> None:
        try:
            _unlink(self.path, ("", *_BESIDE))
            _tidy(self._out)
        finally:
            if self._lock is not None:
                self._lock.release()


def remove_memory(path: Path) -> None:
    """Delete a memory file and what a killed writer left beside it; refused while somebody writes it, or when the
    file is something else."""
    from spatialmem.store.header import check_header
    from spatialmem.store.lock import WriterLock

    if not path.exists():
        return
    check_header(path)
    lock = WriterLock(path)
    try:
        _unlink(path, ("", *_BESIDE))
    finally:
        lock.release()


def _fold(path: Path) -> None:
    """Bring what a killed writer left into its file. `MemoryFileError` when that cannot be done now."""
    import sqlite3

    from spatialmem.store.access import fold_log
    from spatialmem.store.failures import explained
    from spatialmem.store.header import sidecars

    if not sidecars(path):
        return
    with explained(path, "replacing"):
        try:
            fold_log(path)
        except sqlite3.OperationalError:  # a full disk, say
            raise
        except sqlite3.DatabaseError:  # damaged: there is nothing whole to keep
            pass


def _tidy(path: Path) -> None:
    """Remove the empty log that readers made while the file was locked: SQLite does it on closing, when alone."""
    import sqlite3

    from spatialmem.store.access import fold_log

    if any(path.with_name(path.name + suffix).exists() for suffix in _BESIDE):
        with contextlib.suppress(sqlite3.Error, MemoryFileError):  # what stays is empty and harms nobody
            fold_log(path)


def _unlink(path: Path, suffixes: tuple[str, ...]) -> None:
    for suffix in suffixes:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
