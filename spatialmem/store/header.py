"""What can be told of a memory file without SQLite: is it one, is it whole, does it change."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path
from typing import NamedTuple

from spatialmem.errors import MemoryFileError
from spatialmem.store.migrate import check_version

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_LOGS = ("-wal", "-journal")


class Fingerprint(NamedTuple):
    """Changes whenever somebody writes the file or opens it for writing."""

    inode: tuple[int, int]
    size: int
    mtime_ns: int
    ctime_ns: int
    logs: tuple[tuple[str, int, int], ...]
    """name, size and time of the logs that hold something"""


def fingerprint(path: Path) -> Fingerprint:
    """State of the file now; `MemoryFileError` when there is none."""
    status = _status(path)
    logs = tuple((log.name, *_log_state(log)) for log in sidecars(path))
    return Fingerprint((status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns, status.st_ctime_ns, logs)


def sidecars(path: Path) -> list[Path]:
    """Write-ahead log or journal beside the file, where they hold anything."""
    beside = [path.with_name(path.name + suffix) for suffix in _LOGS]
    return [log for log in beside if _log_state(log)[0] > 0]


def check_header(path: Path) -> int:
    """Format version of a memory; `MemoryFileError` unless it can be read and the file is as long as it says.

    Must not be called while this process has the file open for writing: closing a descriptor would drop
    SQLite's POSIX locks on it (sqlite.org/howtocorrupt.html, section 2.2).
    """
    size = _status(path).st_size
    if size == 0:
        raise MemoryFileError(f"{path} is empty (0 bytes), so it is no memory; remove it and create one, or restore it")
    try:
        with open(path, "rb") as file:
            head = file.read(_HEADER_BYTES)
    except OSError as error:
        raise MemoryFileError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    if not head.startswith(_MAGIC[: len(head)]):
        raise MemoryFileError(f"{path} is not a memory (not an SQLite file); give the path of a memory")
    if len(head) < _HEADER_BYTES:
        raise MemoryFileError(f"{path} is cut short: {size} bytes are less than a header; restore it from a copy")
    version, application_id = struct.unpack_from(">I", head, 60)[0], struct.unpack_from(">I", head, 68)[0]
    check_version(path, application_id, version)
    (page,) = struct.unpack_from(">H", head, 16)
    (pages,) = struct.unpack_from(">I", head, 28)
    expected = (65536 if page == 1 else page) * pages
    if size < expected and not sidecars(path):
        raise MemoryFileError(f"{path} is cut short: it has {size} of {expected} bytes; restore it from a copy")
    return version


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise MemoryFileError(f"there is no file {path}; create a memory there, or check the path") from error
    except OSError as error:
        raise MemoryFileError(f"{path} cannot be looked at ({error.strerror}); check path and permissions") from error
    if stat.S_ISDIR(status.st_mode):
        raise MemoryFileError(f"{path} is a folder, a memory is one file; give the path of the file")
    if not stat.S_ISREG(status.st_mode):
        raise MemoryFileError(f"{path} is not a regular file; a memory is one")
    return status


def _log_state(log: Path) -> tuple[int, int]:
    try:
        status = log.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
