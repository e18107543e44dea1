"""Blocks of a memory file from which earlier ones can be made."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spatialmem.store import records as rec
from spatialmem.store.file import MemoryFile
from spatialmem.store.queries import CHUNK
from spatialmem.store.rows import BlockRow
from spatialmem.store.schema import Table


def blocks_until(file: MemoryFile, table: Table, keys: NDArray[np.int64], lsn: int) -> Iterator[BlockRow]:
    """Those of the blocks with these keys that a table of the file has as they were after frame `lsn` or earlier."""
    for some in _in_chunks(keys):
        query = table.select(f"WHERE key IN ({', '.join('?' * len(some))}) AND lsn <= ?")
        for row in file.sql(query, (*some, lsn), timeout_s=math.inf).rows:
            yield rec.block_row(table.checked(row))


def keys_after(file: MemoryFile, table: Table, keys: NDArray[np.int64], lsn: int) -> NDArray[np.int64]:
    """Those of the keys whose blocks a table of the file has as they were after a frame later than `lsn`."""
    found: list[int] = []
    for some in _in_chunks(keys):
        query = f"SELECT key FROM {table.name} WHERE key IN ({', '.join('?' * len(some))}) AND lsn > ?"
        found += [key for (key,) in file.sql(query, (*some, lsn), timeout_s=math.inf).rows]
    return np.array(found, np.int64)


def _in_chunks(keys: NDArray[np.int64]) -> Iterator[list[int]]:
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK].tolist()
