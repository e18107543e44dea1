"""Rows of the log whose blobs were given up to keep the file within its budget (docs/format.md, section 9).

A frame that is evicted keeps its row in `frames`, with nothing in it but `examined`, which then lists every surface
block that the frame touched or examined: what a rebuild, a correction and forgetting have to know of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import Evicted, MemoryFileError, SpatialMemError
from spatialmem.store import queries
from spatialmem.store import schema as sch
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.records import numbers

FRAMES, VECTORS = "frames", "vectors"
"""kinds: images, depth and features of frames; their image vectors"""


@dataclass(frozen=True)
class EvictionRow:
    """What was given up at one time."""

    at_lsn: int
    """the base: every block on file contains the frames up to it, so also those that were evicted"""
    kind: str
    lsns: LsnRanges
    bytes: int
    """of the blobs"""
    reason: str


def insert(connection: sqlite3.Connection, row: EvictionRow) -> None:
    """Record an eviction; one of the same kind, base and reason as the latest is added to that."""
    latest = queries.rows(connection, sch.EVICTIONS, "ORDER BY id DESC LIMIT 1")
    ident = 1 if not latest else latest[0][0] + 1
    if latest:
        held = _row(latest[0])
        if (held.at_lsn, held.kind, held.reason) == (row.at_lsn, row.kind, row.reason):
            ident = latest[0][0]
            both = LsnRanges.joined((held.lsns, row.lsns))
            row = EvictionRow(row.at_lsn, row.kind, both, held.bytes + row.bytes, row.reason)
    what = json.dumps({"lsn": row.lsns.pairs})
    values = (ident, row.at_lsn, row.kind, what, len(row.lsns), row.bytes, row.reason)
    connection.execute(sch.EVICTIONS.replace, sch.with_crc(values))


def listed(connection: sqlite3.Connection) -> list[EvictionRow]:
    """What was evicted, oldest first."""
    found = queries.rows(connection, sch.EVICTIONS, "ORDER BY id")
    last_lsn = queries.last_lsn(connection) if found else 0  # after the rows: a live writer goes on meanwhile
    return [_row(values, last_lsn) for values in found]


def _row(values: Sequence[Any], last_lsn: int = sch.LAST_LSN) -> EvictionRow:
    ident, at_lsn, kind, what, _, n_bytes, reason = values
    try:
        if at_lsn > last_lsn:
            raise ValueError(f"at_lsn is {at_lsn}, after frame {last_lsn}")
        lsns = numbers(json.loads(what)["lsn"], at_lsn)
    except (ValueError, TypeError, KeyError) as error:
        raise MemoryFileError(
            f"row {ident} of table evictions is damaged ({error!r}); restore the file from a copy"
        ) from error
    return EvictionRow(at_lsn, kind, lsns, n_bytes, reason)


def drop_frames(connection: sqlite3.Connection, row: EvictionRow, left: Mapping[int, bytes | None]) -> None:
    """Delete the blobs of frames; left: for each, the blocks it touched or examined, encoded."""
    for lsn in row.lsns:  # not REPLACE: only deleting makes SQLite put what is left of pages together
        connection.execute("DELETE FROM frames WHERE lsn = ?", (lsn,))
    for lsn in row.lsns:
        connection.execute(sch.FRAMES.insert, sch.with_crc((lsn, None, None, None, None, left[lsn])))
    insert(connection, row)


def drop_vectors(connection: sqlite3.Connection, row: EvictionRow) -> None:
    """Delete the image vectors of frames."""
    connection.executemany("DELETE FROM vectors WHERE lsn = ?", [(lsn,) for lsn in row.lsns])
    insert(connection, row)


def recorded(rows: Iterable[EvictionRow], kind: str, stored: NDArray[np.int64]) -> set[int]:
    """Of the stored frames, (N,) lsn, those that rows of one kind list; what was erased since is listed, too."""
    return set(stored[LsnRanges.joined(row.lsns for row in rows if row.kind == kind).within(stored)].tolist())


def refusal(connection: sqlite3.Connection, lsn: int) -> SpatialMemError:
    """The error for who asks for the blobs of a frame that has none: `Evicted`, or damage where none is recorded."""
    rows = [row for row in listed(connection) if row.kind == FRAMES and lsn in row.lsns]
    if not rows:
        return MemoryFileError(f"the colour of frame {lsn} is missing, and no eviction is recorded; {sch.LOG_ADVICE}")
    when = f"after frame {rows[-1].at_lsn} was stored ({rows[-1].reason})"
    return Evicted(
        f"images and depth of frame {lsn} were given up {when}; its pose and what it left in the map are kept. Frames "
        "that still have theirs: SELECT lsn FROM frames WHERE colour IS NOT NULL"
    )


def size(connection: sqlite3.Connection, table: sch.Table, lsn: int) -> int:
    """Bytes of the blobs that a frame has in a table."""
    lengths = " + ".join(f"ifnull(length({name}), 0)" for name in table.names[1:])
    found = connection.execute(f"SELECT {lengths} FROM {table.name} WHERE lsn = ?", (lsn,)).fetchone()
    return 0 if found is None else found[0]


def problems(connection: sqlite3.Connection) -> Iterator[str]:
    """What is missing without being recorded as evicted, or the other way round."""
    stored, rows = queries.stored_lsns(connection), listed(connection)
    said = {kind: recorded(rows, kind, stored) for kind in (FRAMES, VECTORS)}
    gone = {lsn for (lsn,) in connection.execute("SELECT lsn FROM frames WHERE colour IS NULL")}
    vectorless = {lsn for (lsn,) in connection.execute(
        "SELECT lsn FROM keyframes WHERE encoded = 1 AND lsn NOT IN (SELECT lsn FROM vectors)")}  # fmt: skip
    for lsns, words in (
        (gone - said[FRAMES], "have no images, and no eviction is recorded"),
        (said[FRAMES] - gone, "are recorded as evicted, but have their images"),
        (vectorless - said[VECTORS], "were encoded but have no image vector, and no eviction is recorded"),
        (said[VECTORS] - vectorless, "are recorded to have lost their image vectors, but have them"),
    ):
        if lsns:
            yield f"{len(lsns)} frames {words}, frame {min(lsns)} among them"
    base = queries.base_lsn(connection)
    for row in rows:
        query = "SELECT ifnull(max(lsn), 0) FROM keyframes WHERE lsn <= ?"  # the frame at the base may have been erased
        if connection.execute(query, (row.at_lsn,)).fetchone()[0] > base:
            yield f"frames were evicted at base {row.at_lsn}, but the last checkpoint is {base}; {sch.REBUILD_ADVICE}"
