"""Rows of observations: what frames show of things (docs/format.md, section 3).

The table is made in a file with the first such frame: files of earlier releases have none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from spatialmem.store import queries
from spatialmem.store import schema as sch


def is_there(connection: sqlite3.Connection) -> bool:
    """Whether the file has the table."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (sch.OBSERVATIONS.name,)).fetchone() is not None


def insert(connection: sqlite3.Connection, lsn: int, segmenter: str, data: bytes) -> None:
    """What a frame shows, by whom it was found."""
    if not is_there(connection):
        connection.execute(sch.OBSERVATIONS.ddl)
    connection.execute(sch.OBSERVATIONS.insert, sch.with_crc((lsn, segmenter, data)))


def replace(connection: sqlite3.Connection, lsn: int, segmenter: str, data: bytes) -> None:
    """The same in place of what was found before."""
    if not is_there(connection):
        connection.execute(sch.OBSERVATIONS.ddl)
    connection.execute(sch.OBSERVATIONS.replace, sch.with_crc((lsn, segmenter, data)))


def erase(connection: sqlite3.Connection, lsn: int) -> None:
    """Delete what a frame shows."""
    if is_there(connection):
        connection.execute(f"DELETE FROM {sch.OBSERVATIONS.name} WHERE lsn = ?", (lsn,))


def after(connection: sqlite3.Connection, lsn: int, until_lsn: int) -> list[Sequence]:
    """(lsn, segmenter, data) of the next frames after `lsn`, up to `until_lsn`, a few hundred at most."""
    if not is_there(connection):
        return []
    where = f"WHERE lsn > ? AND lsn <= ? ORDER BY lsn LIMIT {queries.CHUNK}"
    return queries.rows(connection, sch.OBSERVATIONS, where, (lsn, until_lsn))


def of(connection: sqlite3.Connection, lsn: int) -> tuple[str, bytes] | None:
    """(segmenter, data) of a frame; None when nothing was looked for in it."""
    if not is_there(connection):
        return None
    found = queries.rows(connection, sch.OBSERVATIONS, "WHERE lsn = ?", (lsn,))
    return (found[0][1], found[0][2]) if found else None
