"""Writing rows anew where they stand: for a file whose bound leaves no room for a second one beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
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
    for table in sch.TABLES:
        for first_bytes in (_PORTION_BYTES, _PORTION_BYTES // 2):
            _rewrite_table(writer, table, first_bytes)
    if writer.room is not None:
        writer.room.give_back()


def _rewrite_table(writer: Writer, table: sch.Table, first_bytes: int) -> None:
    after, wanted, longest = None, first_bytes, _longest(writer, table)
    while True:
        pages = 4 * ((wanted + longest) // sch.PAGE_SIZE + 4)  # each is overwritten, then written; leaves and index
        with writer.erasing("writing anew", pages * WAL_PAGE) as connection:
            rows = _portion(connection, table, after, wanted)
            for ident, _ in rows:
                connection.execute(f"DELETE FROM {table.name} WHERE rowid = ?", (ident,))
            connection.executemany(_insert(table), [(ident, *row) for ident, row in rows])
        if not rows:
            return
        after, wanted = rows[-1][0], _PORTION_BYTES


def _insert(table: sch.Table) -> str:
    """INSERT of a row after its rowid, which is its key where that is a whole number."""
    names = ("rowid", *table.names[1:], "crc") if _is_keyed(table) else ("rowid", *table.names, "crc")
    return f"INSERT INTO {table.name}({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _portion(
    connection: sqlite3.Connection, table: sch.Table, after: int | None, wanted_bytes: int
) -> list[tuple[int, Sequence]]:
    """Rows (rowid, columns) that follow `after`, until they are as long as wanted."""
    names = table.names[1:] if _is_keyed(table) else table.names
    where = "" if after is None else "WHERE rowid > ?"
    query = f"SELECT rowid, {', '.join(names)}, crc FROM {table.name} {where} ORDER BY rowid"
    return list(_until(connection.execute(query, () if after is None else (after,)), wanted_bytes))


def _until(rows: Iterable[Sequence], wanted_bytes: int) -> Iterator[tuple[int, Sequence]]:
    left = wanted_bytes
    for ident, *row in rows:
        yield ident, row
        left -= 32 + sum(len(value) for value in row if isinstance(value, (bytes, str)))
        if left <= 0:
            return


def _longest(writer: Writer, table: sch.Table) -> int:
    lengths = [f"ifnull(length({name}), 0)" for name, kind in table.columns if kind.startswith(("BLOB", "TEXT"))]
    return writer.read_one(f"SELECT ifnull(max({' + '.join(lengths) or 0}), 0) FROM {table.name}")[0]


def _is_keyed(table: sch.Table) -> bool:
    return table.columns[0][1].startswith("INTEGER PRIMARY KEY")
