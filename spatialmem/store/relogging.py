"""A file that takes over the log of another one, but for what hangs on the encoder (docs/format.md, section 8)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from spatialmem.errors import MemoryFileError
from spatialmem.store import evictions
from spatialmem.store import schema as sch
from spatialmem.store.evictions import EvictionRow
from spatialmem.store.file import MemoryFile
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.queries import CHUNK

_COPIED = (
    sch.SESSIONS, sch.ANCHORS, sch.CAMERAS, sch.KEYFRAMES, sch.POSE_REVISIONS, sch.TOMBSTONES, sch.EVICTIONS, sch.MOVED,
)  # fmt: skip
_FIRST = -(1 << 63)


def with_log_of(source: MemoryFile, path: Path, encoder: Mapping[str, str | None], limit: int | None) -> MemoryFile:
    """A new file at `path` with all rows of the log of `source`, but for the contents of frames and image vectors.

    encoder: rows of `meta` in place of those of the source; limit: bound on what the file takes.
    """
    meta = {key: value for key, value in source.meta().items() if key != sch.SCRUB_PENDING}
    file = MemoryFile.create(path, {**meta, **encoder})
    try:
        if limit is not None:
            file.keep_within(limit)
        there = source.read(sch.tables_of)
        for table in (table for table in _COPIED if table in there):
            _copy(source, file, table)
    except BaseException:
        file.close()
        raise
    return file


def _copy(source: MemoryFile, file: MemoryFile, table: sch.Table) -> None:
    if table in sch.LATER:
        file.change("copying the log to", lambda connection: connection.execute(table.ddl))
    for rows in _pages(source, table):
        file.change("copying the log to", partial(_insert, table=table, rows=rows))


def _insert(connection: sqlite3.Connection, table: sch.Table, rows: Sequence[Sequence]) -> None:
    connection.executemany(table.insert, map(sch.with_crc, rows))


def _pages(source: MemoryFile, table: sch.Table) -> Iterator[list[Sequence]]:
    """Rows in the order they stand in, checked, a few hundred at a time."""
    columns = ", ".join(("rowid", *table.names, "crc"))
    query = f"SELECT {columns} FROM {table.name} WHERE rowid > ? ORDER BY rowid LIMIT {CHUNK}"
    after = _FIRST
    while found := source.read(partial(_found, query=query, after=after)):
        if found[-1][0] <= after:
            raise MemoryFileError(f"{source.path}: rows of table {table.name} stand out of order; {sch.LOG_ADVICE}")
        yield [table.checked(row) for _, *row in found]
        after = found[-1][0]


def _found(connection: sqlite3.Connection, query: str, after: int) -> list[tuple]:
    return connection.execute(query, (after,)).fetchall()


def record_lost_vectors(source: MemoryFile, file: MemoryFile, lsns: Sequence[int], at_lsn: int, reason: str) -> None:
    """Say that frames have no image vectors any more; bytes: what they had in the source."""
    if not lsns:
        return
    n_bytes = sum(source.read(partial(evictions.size, table=sch.VECTORS, lsn=lsn)) for lsn in lsns)
    row = EvictionRow(at_lsn, evictions.VECTORS, LsnRanges.of(lsns), n_bytes, reason)
    file.change("copying the log to", partial(evictions.insert, row=row))
