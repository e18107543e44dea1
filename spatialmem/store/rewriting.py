"""Writing rows anew where they stand: for a file whose bound leaves no room for a second one beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from spatialmem.store import schema as sch
from spatialmem.store.room import WAL_PAGE

if TYPE_CHECKING:
    from spatialmem.store.writer import Writer

_PORTION_BYTES = 8 * sch.PAGE_SIZE
"""rows that are written anew together: several pages, so that those in their midst become empty"""


def rewrite_in_place(writer: Writer) -> None:
    """Take out rows a few pages at a time and put them back, so that no page keeps bytes of rows that are gone.

    SQLite overwrites rows it deletes and pages it frees (`secure_delete`), but not the copies that stay in the unused
    part of a page when its rows are shared out among its neighbours. A page that is emptied is overwritten whole. Each
    page is emptied in one of two passes, the second of which begins half a portion later. Then free pages are cut off.
    """
    for table in writer.read(sch.tables_of):
        for first_bytes in (_PORTION_BYTES, _PORTION_BYTES // 2):
            _rewrite_table(writer, table, first_bytes)
    if writer.room is not None:
        writer.room.give_back()


def wal_bytes_to_rewrite(connection: sqlite3.Connection) -> int:
    """What the wal must take for it at least: the longest row of all."""
    return _wal_bytes([max(_longest(connection, table) for table in sch.tables_of(connection))])


def _rewrite_table(writer: Writer, table: sch.Table, first_bytes: int) -> None:
    after, wanted = None, first_bytes
    while rows := writer.read(partial(_portion, table=table, after=after, wanted=wanted, most=_most_bytes(writer))):
        with writer.erasing("writing anew", _wal_bytes(_length(row) for _, row in rows)) as connection:
            for ident, row in rows:
                writer.look(_length(row))
                connection.execute(f"DELETE FROM {table.name} WHERE rowid = ?", (ident,))
            for ident, row in rows:
                writer.look(_length(row))
                connection.execute(_insert(table), (ident, *row))
        after, wanted = rows[-1][0], _PORTION_BYTES


def _most_bytes(writer: Writer) -> float:
    """What the wal has room for beside the file as it is."""
    return float("inf") if writer.room is None else writer.room.at_hand_bytes


def _wal_bytes(lengths: Iterable[int]) -> int:
    """What the wal takes of rows that are deleted and inserted again: their pages are overwritten, then written."""
    in_leaves, beyond = 0, 0
    for length in lengths:
        in_leaves += min(length, sch.PAGE_SIZE)
        beyond += 0 if length <= sch.PAGE_SIZE else 1 + length // sch.PAGE_SIZE
    return (2 * beyond + 4 * (in_leaves // sch.PAGE_SIZE + 4)) * WAL_PAGE  # leaves are shared out, and have an index


def _insert(table: sch.Table) -> str:
    """INSERT of a row after its rowid, which is its key where that is a whole number."""
    names = ("rowid", *table.names[1:], "crc") if _is_keyed(table) else ("rowid", *table.names, "crc")
    return f"INSERT INTO {table.name}({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _portion(
    connection: sqlite3.Connection, table: sch.Table, after: int | None, wanted: int, most: float
) -> list[tuple[int, Sequence]]:
    """Rows (rowid, columns) that follow `after`, until they fill so many bytes of leaves; at least one, and no more
    than the wal can take."""
    names = table.names[1:] if _is_keyed(table) else table.names
    where = "" if after is None else "WHERE rowid > ?"
    query = f"SELECT rowid, {', '.join(names)}, crc FROM {table.name} {where} ORDER BY rowid"
    return list(_until(connection.execute(query, () if after is None else (after,)), wanted, most))


def _until(rows: Iterable[Sequence], wanted: int, most: float) -> Iterator[tuple[int, Sequence]]:
    lengths: list[int] = []
    for ident, *row in rows:
        lengths.append(_length(row))
        if len(lengths) > 1 and _wal_bytes(lengths) > most:
            return
        yield ident, row
        wanted -= min(lengths[-1], sch.PAGE_SIZE)  # SQLite keeps the rest of a long row in pages of its own
        if wanted <= 0:
            return


def _length(row: Sequence) -> int:
    return 32 + sum(len(value) for value in row if isinstance(value, (bytes, str)))


def _longest(connection: sqlite3.Connection, table: sch.Table) -> int:
    lengths = [f"ifnull(length({name}), 0)" for name, kind in table.columns if kind.startswith(("BLOB", "TEXT"))]
    query = f"SELECT ifnull(max({' + '.join(lengths) or 0}), 0) FROM {table.name}"
    return 32 + connection.execute(query).fetchone()[0]


def _is_keyed(table: sch.Table) -> bool:
    return table.columns[0][1].startswith("INTEGER PRIMARY KEY")
