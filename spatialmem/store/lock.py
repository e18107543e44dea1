"""One writer per memory file: an exclusive `flock` on `FILE.mem-lock`, which holds the writer's process id as text.

The kernel drops the lock when its holder dies, however it dies. The file system must support flock (POSIX).
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import final

from spatialmem.errors import MemoryFileError, MemoryLocked

_PATIENCE_S = 0.25  # readers hold the lock for microseconds when they look whether there is a writer
_PAUSE_S = 0.01


def lock_path(path: Path) -> Path:
    """The lock file of a memory."""
    return path.with_name(path.name + "-lock")


@final
class WriterLock:
    """Held from construction to `release`; raises `MemoryLocked` when another writer has it."""

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        self._path = lock_path(path)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            descriptor = self._try()
            if descriptor is not None:
                break
            if time.monotonic() > deadline:
                raise MemoryLocked(
                    f"{path} is open for appending in {_holder(self._path)}; close it there, or open this one with "
                    "mode='r'"
                )
            time.sleep(_PAUSE_S)
        self._descriptor = descriptor
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except OSError as error:
            self.release()
            raise MemoryFileError(
                f"cannot write beside the memory ({error}); free space there, then try again: nothing was changed"
            ) from error

    def _try(self) -> int | None:
        fcntl = _fcntl()
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise MemoryFileError(
                f"cannot write beside the memory ({error}); appending needs a folder that can be written"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return None
            raise MemoryFileError(f"cannot lock {self._path} ({error}); keep the memory on a local disk") from error
        if _same_file(descriptor, self._path):
            return descriptor
        os.close(descriptor)  # its previous holder removed it between our open and our lock
        return None

    def __del__(self) -> None:
        """A writer that was dropped without being closed must not keep the file locked until the process ends."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def release(self) -> None:
        """Remove the lock file and let go; a second call does nothing."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            if _same_file(descriptor, self._path):
                os.unlink(self._path)
        finally:
            _fcntl().flock(descriptor, _fcntl().LOCK_UN)  # also for copies of the descriptor in forked children
            os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether a writer has the memory at `path` open now. Changes nothing in the folder."""
    fcntl = _fcntl()
    try:
        descriptor = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise MemoryFileError(f"cannot see whether {path} is being written ({error}); check its permissions") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return True
        raise MemoryFileError(f"cannot see whether {path} is being written ({error})") from error
    finally:
        os.close(descriptor)
    return False


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if text == str(os.getpid()):
        return f"this process ({text})"
    return f"process {text}" if text.isdigit() else "another process"


def _fcntl():
    """The module, imported late: reading works without it being loaded on import."""
    try:
        import fcntl
    except ImportError as error:
        raise MemoryFileError("memory files need a system with flock (Linux, macOS); use one, or WSL") from error
    return fcntl
