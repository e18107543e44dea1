"""Moving blocks in and out of the surface grid: for the file, for the canonical hash."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import OutOfRoom
from spatialmem.voxels.allocate import add_block, empty_block, reserve_rows, row_at, take_block
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.free_reading import FreePools
from spatialmem.voxels.keys import NO_BLOCK, VOXELS, find, lead_to
from spatialmem.voxels.pools import BLOCKS_USED, PAGE, PAGES_FREE, Pools
from spatialmem.voxels.versions import live_blocks


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


def keys_in_order(pools: Pools | FreePools, changed_after: int = -1) -> NDArray[np.int64]:
    """Keys of the blocks that a frame after `changed_after` changed, ascending."""
    blocks = live_blocks(pools.table_keys, pools.table_blocks)
    return np.sort(pools.keys[blocks[pools.changed[blocks].astype(np.int64) > changed_after]])


def number_of_blocks(pools: Pools | FreePools) -> int:
    """Number of blocks that a frame has changed."""
    return int(np.count_nonzero(pools.changed[live_blocks(pools.table_keys, pools.table_blocks)]))


def block_of(pools: Pools | FreePools, key: int) -> int:
    """Index of the block with this key, -1 when there is none."""
    return int(find(pools.table_keys, pools.table_blocks, np.int64(key)))


@leaf
def _pages_of(n_rows, blocks):
    total = 0
    for block in blocks:
        total += (n_rows[block] + PAGE - 1) // PAGE
    return total


def room_for_copies(pools: Pools, blocks: NDArray[np.int64], pages: int) -> bool:
    """Whether the pools can hold these blocks once more, and `pages` more pages."""
    left = pools.free_blocks.shape[0] - int(pools.counters[BLOCKS_USED])
    return len(blocks) <= left and _pages_of(pools.n_rows, blocks) + pages <= int(pools.counters[PAGES_FREE])


@leaf
def copy_blocks(pools, blocks, copies):
    """Copy blocks (N,) into unused ones, for which there is room, and let the table lead there; copies (N,)."""
    for n in range(blocks.shape[0]):
        old, new = blocks[n], take_block(pools)
        copies[n] = new
        pools.keys[new], pools.contains[new] = pools.keys[old], pools.contains[old]
        _copy_content(pools, old, pools, new)
        lead_to(pools.table_keys, pools.table_blocks, pools.keys[old], new)


@leaf
def adopt_blocks(pools, seen, blocks, contains):
    """Copy blocks (N,) of the pools `seen` in, none of which is here; frames up to `contains` will not change them.

    Returns False when there is no room for all of them.
    """
    for n in range(blocks.shape[0]):
        new = add_block(pools, seen.keys[blocks[n]])
        if new == NO_BLOCK or not _copy_content(seen, blocks[n], pools, new):
            return False
        pools.contains[new] = contains
        pools.changed[new] = min(pools.changed[new], contains)
    return True


@leaf
def _copy_content(seen, old, pools, new):
    """Copy what a block holds into an empty one; False when there is no room for its rows."""
    pools.n_rows[new] = 0
    if not reserve_rows(pools, new, seen.n_rows[old]):
        return False
    pools.changed[new], pools.n_rows[new] = seen.changed[old], seen.n_rows[old]
    for i in range(VOXELS):
        pools.dist[new, i], pools.weight[new, i] = seen.dist[old, i], seen.weight[old, i]
        pools.slot[new, i] = seen.slot[old, i]
    _copy_rows(seen, old, pools, new)
    return True


@leaf
def _copy_rows(seen, old, pools, new):
    for r in range(seen.n_rows[old]):
        a, b = row_at(seen.pages, old, r + 1), row_at(pools.pages, new, r + 1)
        for k in range(pools.feature.shape[1]):
            pools.feature[b, k] = seen.feature[a, k]
        for k in range(3):
            pools.colour[b, k] = seen.colour[a, k]
        pools.colour_weight[b], pools.feature_weight[b] = seen.colour_weight[a], seen.feature_weight[a]
        pools.first[b], pools.last[b], pools.doubt[b] = seen.first[a], seen.last[a], seen.doubt[a]


@leaf
def fresh_blocks(pools, blocks, fresh):
    """Let the table lead to unused, empty blocks in place of blocks (N,), for which there is room; fresh (N,)."""
    for n in range(blocks.shape[0]):
        key, block = pools.keys[blocks[n]], take_block(pools)
        fresh[n] = block
        empty_block(pools, block, key)
        lead_to(pools.table_keys, pools.table_blocks, key, block)


@leaf
def release_blocks(pools, blocks):
    """Give back blocks that no table leads to any more, with their pages."""
    for block in blocks:
        for page in range((pools.n_rows[block] + PAGE - 1) // PAGE):
            pools.free_pages[pools.counters[PAGES_FREE]] = pools.pages[block, page]
            pools.counters[PAGES_FREE] += 1
        pools.n_rows[block] = 0
        pools.counters[BLOCKS_USED] -= 1
        pools.free_blocks[pools.free_blocks.shape[0] - pools.counters[BLOCKS_USED] - 1] = block
