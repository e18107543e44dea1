"""Blocks of a memory file from which earlier ones can be made."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spatialmem.store import queries
from spatialmem.store import records as rec
from spatialmem.store.file import MemoryFile
from spatialmem.store.rows import BlockRow
from spatialmem.store.schema import Table


def blocks_until(file: MemoryFile, table: Table, keys: NDArray[np.int64], lsn: int) -> Iterator[BlockRow]:
    """Those of the blocks with these keys that a table of the file has as they were after frame `lsn` or earlier."""
    for start in range(0, len(keys), queries.CHUNK):
        some = keys[start : start + queries.CHUNK].tolist()
        where = f"WHERE key IN ({', '.join('?' * len(some))}) AND lsn <= ?"
        read = partial(queries.rows, table=table, where=where, params=(*some, lsn))
        yield from map(rec.block_row, file.read(read))
