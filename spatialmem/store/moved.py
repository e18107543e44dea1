"""Marks of blocks whose content was moved, because frames that made it have no images any more (docs/format.md, 10).

The table is made in a file with the first such block: files of earlier releases have none.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from spatialmem.errors import MemoryFileError
from spatialmem.store import queries
from spatialmem.store import schema as sch
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.records import numbers

SURFACE: Literal["surface"] = "surface"
FREE: Literal["free"] = "free"
_MOST_FRAMES = 1 << 24  # of one block: a damaged mark must not take all of RAM


@dataclass(frozen=True)
class MovedRow:
    """A block that holds what was moved into it, or what frames left there by poses that they have no longer."""

    layer: str
    """"surface" or "free\""""
    key: int
    at_lsn: int
    """the last frame when it was moved"""
    lsns: tuple[int, ...]
    """frames that had their images then, and of which traces are in it wherever they stand now"""


def _is_there(connection: sqlite3.Connection) -> bool:
    return sch.MOVED in sch.tables_of(connection)


def listed(connection: sqlite3.Connection) -> list[MovedRow]:
    """All marks, by layer and key."""
    if not _is_there(connection):
        return []
    return [_row(values) for values in queries.rows(connection, sch.MOVED, "ORDER BY layer, key")]


def _row(values: Sequence) -> MovedRow:
    layer, key, at_lsn, lsns = values
    try:
        frames = numbers(json.loads(lsns), at_lsn)
        if len(frames) > _MOST_FRAMES:
            raise ValueError(f"{len(frames)} frames")
        return MovedRow(layer, key, at_lsn, tuple(frames))
    except (ValueError, TypeError) as error:
        raise MemoryFileError(
            f"the mark of {layer} block {key} in table moved is damaged ({error!r}); restore the file from a copy"
        ) from error


def count(connection: sqlite3.Connection) -> int:
    """How many surface blocks are marked."""
    if not _is_there(connection):
        return 0
    return connection.execute("SELECT count(*) FROM moved WHERE layer = ?", (SURFACE,)).fetchone()[0]


def replace(connection: sqlite3.Connection, gone: Mapping[str, Iterable[int]], rows: Sequence[MovedRow]) -> None:
    """Marks in place of those of blocks; gone: keys of these by layer."""
    there = _is_there(connection)
    if not there and rows:
        connection.execute(sch.MOVED.ddl)
    if there:
        for layer, keys in gone.items():
            pairs = ((layer, int(key)) for key in keys)
            connection.executemany("DELETE FROM moved WHERE layer = ? AND key = ?", pairs)
    for row in rows:
        values = (row.layer, int(row.key), row.at_lsn, json.dumps(LsnRanges.of(row.lsns).pairs))
        connection.execute(sch.MOVED.insert, sch.with_crc(values))
