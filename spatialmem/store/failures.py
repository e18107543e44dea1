"""SQLite's errors in the words of this library: what happened and what to do next."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spatialmem.errors import InvalidValue, MemoryFileError

_ADVICE = (
    ("SQLITE_FULL", "the disk is full; free space, then go on: nothing of this change was written"),
    ("SQLITE_READONLY", "the file or its folder cannot be written; check its permissions, or open it with mode='r'"),
    ("SQLITE_IOERR", "the disk or file system failed; check it, then run `spatialmem info FILE --verify`"),
    (
        "SQLITE_CORRUPT",
        "the file is damaged or cut short; look with `spatialmem info FILE --verify`, or restore a copy",
    ),
    ("SQLITE_NOTADB", "this is not a memory (no SQLite file); give the path of a memory"),
    ("SQLITE_CANTOPEN", "the file cannot be opened; check the path and the permissions of its folder"),
    ("SQLITE_BUSY", "another program holds the file; close it there"),
    ("SQLITE_PERM", "the file cannot be accessed; check its permissions"),
    ("SQLITE_NOMEM", "there is no memory left for the request"),
)
_FALLBACK = (  # Python before 3.11 gives the text only
    ("full", "SQLITE_FULL"),
    ("readonly", "SQLITE_READONLY"),
    ("i/o", "SQLITE_IOERR"),
    ("malformed", "SQLITE_CORRUPT"),
    ("not a database", "SQLITE_NOTADB"),
    ("unable to open", "SQLITE_CANTOPEN"),
    ("locked", "SQLITE_BUSY"),
)


@contextmanager
def explained(path: Path | str, doing: str) -> Iterator[None]:
    """Turns any error of sqlite3 in the block into `MemoryFileError`, or `InvalidValue` for unusable parameters."""
    try:
        yield
    except sqlite3.Error as error:
        raise MemoryFileError(f"{doing} {path} failed ({error}): {_advice(error)}") from error
    except (OverflowError, UnicodeEncodeError, struct.error) as error:
        raise InvalidValue(f"{doing} {path}: a value does not fit the file ({error})") from error
    except UnicodeDecodeError as error:
        raise MemoryFileError(f"{doing} {path} failed: a text in it is damaged ({error}); restore a copy") from error


def _advice(error: sqlite3.Error) -> str:
    name = str(getattr(error, "sqlite_errorname", ""))
    if not name:
        name = next((code for text, code in _FALLBACK if text in str(error).lower()), "")
    for prefix, advice in _ADVICE:
        if name.startswith(prefix):
            return advice
    return "see the message of SQLite"


@contextmanager
def needed(path: Path, lsn: int) -> Iterator[None]:
    """Turns any error of reading frame `lsn` of the log in the block into one that says what a rebuild lacks."""
    try:
        yield
    except (InvalidValue, MemoryFileError) as error:
        raise MemoryFileError(
            f"{path}: the layers cannot be made anew, for frame {lsn} of the log is damaged; the file was left as it "
            f"is ({error}); restore it from a copy, or build a memory from the recording"
        ) from error
