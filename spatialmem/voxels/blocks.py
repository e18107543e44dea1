"""Moving blocks in and out of the surface grid: for the file, for the canonical hash."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import OutOfRoom
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.integrate import add_block, reserve_rows, row_at
from spatialmem.voxels.keys import NO_BLOCK, VOXELS
from spatialmem.voxels.pools import BLOCKS_USED, Pools


class BlockArrays(NamedTuple):
    """One block, rows in voxel order; see docs/format.md, section 5."""

    dist: NDArray[np.int16]
    weight: NDArray[np.uint8]
    has_row: NDArray[np.bool_]
    feature: NDArray[np.uint16]
    """(n, D) float16 bits"""
    colour: NDArray[np.uint16]
    colour_weight: NDArray[np.uint8]
    feature_weight: NDArray[np.uint8]
    first: NDArray[np.uint32]
    last: NDArray[np.uint32]
    doubt: NDArray[np.uint16]


@leaf
def _list_rows(pools, block, has_row, rows):
    """Rows in use, in voxel order; a cleared row counts as none."""
    count = 0
    for i in range(VOXELS):
        has_row[i] = False
        slot = pools.slot[block, i]
        if slot > 0:
            row = row_at(pools.pages, block, slot)
            if pools.colour_weight[row] > 0:
                has_row[i] = True
                rows[count] = row
                count += 1
    return count


def read_block(pools: Pools, block: int) -> BlockArrays:
    """Copies of a block's arrays."""
    has_row, rows = np.empty(VOXELS, np.bool_), np.empty(VOXELS, np.int64)
    rows = rows[: _list_rows(pools, block, has_row, rows)]
    return BlockArrays(
        pools.dist[block].copy(), pools.weight[block].copy(), has_row, pools.feature[rows], pools.colour[rows],
        pools.colour_weight[rows], pools.feature_weight[rows], pools.first[rows], pools.last[rows], pools.doubt[rows],
    )  # fmt: skip


@leaf
def _slots(pools, block, has_row, rows):
    count = 0
    for i in range(VOXELS):
        pools.slot[block, i] = 0
        if has_row[i]:
            count += 1
            pools.slot[block, i] = count
            rows[count - 1] = row_at(pools.pages, block, count)
    pools.n_rows[block] = count


def write_block(pools: Pools, key: int, arrays: BlockArrays, contains: int) -> None:
    """Put a block from the file in; frames up to lsn `contains` will not change it again."""
    block = add_block(pools, np.int64(key))
    n = int(arrays.has_row.sum())
    if block == NO_BLOCK or not reserve_rows(pools, block, n):
        raise OutOfRoom(
            "the file holds more voxel blocks than fit into the memory's ram_bytes; open it with a larger ram_bytes"
        )
    rows = np.empty(n, np.int64)
    pools.dist[block], pools.weight[block] = arrays.dist, arrays.weight
    _slots(pools, block, arrays.has_row, rows)
    pools.feature[rows], pools.colour[rows] = arrays.feature, arrays.colour
    pools.colour_weight[rows], pools.feature_weight[rows] = arrays.colour_weight, arrays.feature_weight
    pools.first[rows], pools.last[rows], pools.doubt[rows] = arrays.first, arrays.last, arrays.doubt
    pools.contains[block], pools.changed[block] = contains, contains


def blocks_by_key(pools: Pools, changed_after: int = -1) -> NDArray[np.int64]:
    """Indices of the blocks that a frame after `changed_after` changed, by ascending key."""
    used = int(pools.counters[BLOCKS_USED])
    chosen = np.flatnonzero(pools.changed[:used].astype(np.int64) > changed_after)
    return chosen[np.argsort(pools.keys[chosen])]
