"""Reading functions over a connection. They only read and return, so that they may be run again."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.store import checking
from spatialmem.store import records as rec
from spatialmem.store import schema as sch
from spatialmem.store.rows import KeyframeRow, TombstoneRow
from spatialmem.types import Camera

CHUNK = 256
_STEPS_BETWEEN_LOOKS = 20_000
_USER_ERRORS = ("SQLITE_ERROR", "SQLITE_AUTH", "SQLITE_MISMATCH", "SQLITE_RANGE", "SQLITE_READONLY", "SQLITE_TOOBIG")
_TABLE_FUNCTIONS = ("json_each", "json_tree")
_FORBIDDEN_FUNCTIONS = ("load_extension", "fts3_tokenizer", "sqlite_log")


class SqlResult(NamedTuple):
    """Answer to a SELECT."""

    columns: tuple[str, ...]
    rows: list[tuple]


def rows(connection: sqlite3.Connection, table: sch.Table, where: str, params: Sequence[Any] = ()) -> list[Sequence]:
    """Whole rows, checked against their checksums and without them."""
    found = connection.execute(table.select(where), params).fetchall()  # first: a statement that a damaged row left
    return checking.checked(table, found)  # half read would keep the writer from folding its wal


LAST_LSN = (
    "max((SELECT ifnull(max(lsn), 0) FROM keyframes), (SELECT ifnull(max(at_lsn), 0) FROM tombstones))"  # scalar max
)


def last_lsn(connection: sqlite3.Connection) -> int:
    """Largest lsn the log has ever had, 0 when it is empty."""
    return connection.execute(f"SELECT {LAST_LSN}").fetchone()[0]


def stored_lsns(connection: sqlite3.Connection) -> NDArray[np.int64]:
    """(N,) ascending, of the frames in the log."""
    found = connection.execute("SELECT lsn FROM keyframes ORDER BY lsn").fetchall()
    return np.array([lsn for (lsn,) in found if lsn <= sch.LAST_LSN], np.int64)


_REVISED = (
    "(SELECT count(*) FROM pose_revisions WHERE valid_from > lsn)"  # not those that came with their frame
    " + (SELECT count(*) FROM anchors WHERE revision > 0)"
)


def revised(connection: sqlite3.Connection) -> int:
    """How many revisions of poses and of places of sessions came after what they revise was stored."""
    return connection.execute(f"SELECT {_REVISED}").fetchone()[0]


def revisions(connection: sqlite3.Connection) -> int:
    """How often the past has been changed; erasing counts for more than the revisions that it takes away."""
    return connection.execute(f"SELECT {_REVISED} + ((SELECT count(*) FROM tombstones) << 40)").fetchone()[0]


def base_lsn(connection: sqlite3.Connection) -> int:
    """Lsn of the latest finished checkpoint round, 0 when there is none."""
    latest = rows(connection, sch.CHECKPOINTS, "ORDER BY lsn DESC LIMIT 1")
    return latest[0][0] if latest else 0


def newest_tag(connection: sqlite3.Connection) -> int:
    """The latest frame that a block contains."""
    query = (
        "SELECT max((SELECT ifnull(max(lsn), 0) FROM surface_blocks), (SELECT ifnull(max(lsn), 0) FROM free_blocks))"
    )
    return connection.execute(query).fetchone()[0]


def tombstones(connection: sqlite3.Connection) -> list[TombstoneRow]:
    """What was erased, oldest first."""
    return [rec.tombstone_row(values) for values in rows(connection, sch.TOMBSTONES, "ORDER BY id")]


def recorded_count(connection: sqlite3.Connection, table: sch.Table) -> int:
    """How many rows a table of `schema.COUNTED` has, as was recorded when they were written."""
    return {row[0]: row[1] for row in rows(connection, sch.ROW_COUNTS, "")}.get(table.name, 0)


def cameras(connection: sqlite3.Connection) -> dict[int, Camera]:
    """Cameras by `camera_ref`."""
    try:
        return {ref: Camera(*numbers) for ref, *numbers in rows(connection, sch.CAMERAS, "")}
    except InvalidValue as error:
        raise MemoryFileError(f"a camera in the file is damaged ({error}); restore a copy") from error


def keyframes(connection: sqlite3.Connection, after_lsn: int) -> list[KeyframeRow]:
    """Rows of the log after `after_lsn`, in log order."""
    listed = rows(connection, sch.KEYFRAMES, "WHERE lsn > ? ORDER BY lsn", (after_lsn,))
    known = cameras(connection)  # after the rows: a live writer adds a camera together with its first frame
    return [rec.keyframe_row(values, camera_of(values, known)) for values in listed]


def camera_of(values: Sequence[Any], known: Mapping[int, Camera]) -> Camera:
    """That of a row of `keyframes`."""
    camera = known.get(values[5])
    if camera is None:
        raise MemoryFileError(f"frame {values[0]} names camera {values[5]}, which the file lacks; restore a copy")
    return camera


def restricted(
    connection: sqlite3.Connection, query: str, params: Sequence[Any] | Mapping[str, Any], timeout_s: float
) -> SqlResult:
    """One SELECT, on a connection that is used for nothing else."""
    deadline = time.monotonic() + timeout_s
    connection.execute("PRAGMA query_only = ON")
    with suppress(sqlite3.OperationalError):  # a library without JSON
        for (
            function
        ) in _TABLE_FUNCTIONS:  # they are tables that come into being when first read, which would be refused
            connection.execute(f"SELECT 1 FROM {function}('[]')").close()
    connection.set_authorizer(_authorise)
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
    try:
        cursor = connection.execute(query, params)
        if cursor.description is None:
            raise InvalidValue("this statement returns no rows; sql() takes one SELECT")
        return SqlResult(tuple(column[0] for column in cursor.description), cursor.fetchall())
    except (sqlite3.Warning, sqlite3.ProgrammingError, sqlite3.InterfaceError) as error:
        raise InvalidValue(f"sql() takes one SELECT and its parameters: {error}") from error
    except sqlite3.Error as error:
        raise _user_error(error, timeout_s) from error


def _user_error(error: sqlite3.Error, timeout_s: float) -> Exception:
    name = str(getattr(error, "sqlite_errorname", "SQLITE_ERROR"))
    if name == "SQLITE_INTERRUPT" or "interrupted" in str(error):
        return InvalidValue(f"the query took longer than {timeout_s:g} s; narrow it, or raise timeout_s")
    if name.startswith("SQLITE_AUTH") or "prohibited" in str(error) or "not authorized" in str(error):
        return InvalidValue(f"sql() only reads the memory's tables: {error}")
    return InvalidValue(f"SQL error: {error}") if name.startswith(_USER_ERRORS) else error


def _authorise(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    allowed = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE)
    if action in allowed or (action == sqlite3.SQLITE_FUNCTION and second not in _FORBIDDEN_FUNCTIONS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def table_sizes(connection: sqlite3.Connection) -> dict[str, int]:
    """Bytes of content by table (blobs and texts by length, numbers as 8), and of free pages.

    By length and not from `dbstat`: lengths stand in the row headers, `dbstat` would read the whole file.
    """
    sizes = {}
    for table in sch.tables_of(connection):
        lengths = " + ".join(
            f"ifnull(length({name}), 0)" if kind.startswith(("TEXT", "BLOB")) else "8" for name, kind in table.columns
        )
        sizes[table.name] = connection.execute(f"SELECT ifnull(sum({lengths} + 8), 0) FROM {table.name}").fetchone()[0]
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    return {**sizes, "free": pages * page}


def disk_sizes(path: Path) -> dict[str, int]:
    """Bytes of the file, of its wal and shm, and of all three."""
    sizes = {}
    for name, suffix in (("file", ""), ("wal", "-wal"), ("shm", "-shm")):
        beside = path.with_name(path.name + suffix)
        sizes[name] = beside.stat().st_size if beside.exists() else 0
    return {**sizes, "total": sum(sizes.values())}
