"""Putting layers in place of those of a file whose budget has no room for both: only what differs is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence

from spatialmem.store import maintenance
from spatialmem.store import records as rec
from spatialmem.store import schema as sch
from spatialmem.store.rows import BlockRow, CheckpointRow, DepartedRow


def renew_layers(
    connection: sqlite3.Connection, surface: Iterable[BlockRow], free: Iterable[BlockRow],
    cells: Iterable[tuple[int, bytes]], departed: Sequence[DepartedRow],
    checkpoint: CheckpointRow | Callable[[], CheckpointRow] | None, look: Callable[[int], None],
) -> None:  # fmt: skip
    """What `clear_layers` and writing everything would leave, but for the tags of blocks that are as they were.

    look: see `put_blocks`.
    """
    _renew(connection, sch.SIGHTINGS, cells, look)
    for table in (sch.DEPARTED, sch.CHECKPOINTS, sch.ROW_COUNTS):
        connection.execute(f"DELETE FROM {table.name}")
    for table, blocks in ((sch.SURFACE_BLOCKS, surface), (sch.FREE_BLOCKS, free)):
        count = _renew(connection, table, map(rec.block_values, blocks), look)
        if count:
            connection.execute(sch.ROW_COUNTS.insert, sch.with_crc((table.name, count)))
    maintenance.insert_departed(connection, departed)
    maintenance.put_blocks(connection, (), (), checkpoint, look)


def _renew(
    connection: sqlite3.Connection, table: sch.Table, rows: Iterable[Sequence], look: Callable[[int], None]
) -> int:
    """Write the rows that the table lacks or has otherwise, delete all others; returns how many it then has."""
    key, wanted = table.names[0], set()
    if not _finds_its_rows(connection, table):
        connection.execute(f"DELETE FROM {table.name}")
    for values in rows:
        found = connection.execute(table.select(f"WHERE {key} = ?"), (values[0],)).fetchone()
        if found is None or not _same(table, found, values):
            look(2 * len(values[-1]))
            connection.execute(table.replace, sch.with_crc(values))
        wanted.add(values[0])
    others = [(ident,) for (ident,) in connection.execute(f"SELECT {key} FROM {table.name}") if ident not in wanted]
    connection.executemany(f"DELETE FROM {table.name} WHERE {key} = ?", others)
    return len(wanted)


def _finds_its_rows(connection: sqlite3.Connection, table: sch.Table) -> bool:
    """Whether every row stands where SQLite looks for it: else one could neither be found nor deleted by its key."""
    return connection.execute(f"PRAGMA quick_check({table.name})").fetchall() == [("ok",)]


def _same(table: sch.Table, found: Sequence, values: Sequence) -> bool:
    """Whether a row is undamaged and says the same; a block that no later frame changed may keep its earlier tag."""
    if table.wrong(found) is not None:
        return False
    first = 1 if table is sch.SIGHTINGS else 2
    return tuple(found[first:-1]) == tuple(values[first:]) and (first == 1 or found[1] <= values[1])
