"""Rows of blocks that are not where SQLite looks for them, because their key is damaged, or what leads to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterable, Sequence
from contextlib import closing

from spatialmem.errors import MemoryFileError
from spatialmem.store.schema import Table, Value, row_crc


def astray(
    connection: sqlite3.Connection, table: Table, wanted: Container[int], absent: Iterable[int]
) -> tuple[list[Sequence[Value]], list[int]]:
    """All of the table is read as it lies.

    Args:
        connection: to the file.
        table: of blocks; the first column is the key.
        wanted: keys of blocks of which a row is needed.
        absent: those of them that SQLite did not find.

    Returns:
        Rows, whole, of absent ones: their checksum holds under that key. And keys of the other damaged rows, as far as
        they are none that is wanted. `MemoryFileError` for one that is.
    """
    absent = set(absent)
    found: list[Sequence[Value]] = []
    unsure: list[int] = []
    with closing(connection.execute(table.select())) as rows:  # half read, it would keep the wal from being folded
        for key, *others, crc in rows:
            sound = table.wrong((key, *others, crc)) is None
            mine = key if sound else next((one for one in absent if row_crc((one, *others)) == crc), None)
            if mine in absent:
                found.append((mine, *others))
            elif mine is None:
                if key in wanted or key in unsure:
                    raise MemoryFileError(
                        f"row {key} of table {table.name} is damaged, and nobody knows of which block"
                    )
                unsure.append(key)
    return found, unsure
