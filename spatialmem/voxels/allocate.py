"""Giving out the reserved pools: blocks, and pages of rows for them."""

from __future__ import annotations

import numpy as np

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import NO_BLOCK, find, insert
from spatialmem.voxels.pools import BLOCKS_USED, PAGE, PAGES_FREE


@leaf
def take_block(pools):
    """An unused block, -1 when there is none."""
    left = pools.free_blocks.shape[0] - pools.counters[BLOCKS_USED]
    if left == 0:
        return np.int32(NO_BLOCK)
    pools.counters[BLOCKS_USED] += 1
    return pools.free_blocks[left - 1]


@leaf
def empty_block(pools, block, key):
    """Make a block what it is before the first frame."""
    pools.keys[block] = key
    pools.weight[block] = 0
    pools.dist[block] = 0
    pools.slot[block] = 0
    pools.n_rows[block] = 0
    pools.contains[block] = 0
    pools.changed[block] = 0


@leaf
def _new_block(pools, key):
    block = take_block(pools)
    if block == NO_BLOCK:
        return NO_BLOCK
    empty_block(pools, block, key)
    insert(pools.table_keys, pools.table_blocks, key, block)
    return block


@leaf
def add_block(pools, key):
    """Block index of `key`, made if it is missing; -1 when the pool is full."""
    block = find(pools.table_keys, pools.table_blocks, key)
    return block if block != NO_BLOCK else _new_block(pools, key)


@leaf
def enter_blocks(pools, keys, blocks):
    """Blocks (N,) of these keys (N,), made where they are missing; False when the pool is full."""
    for n in range(keys.shape[0]):
        blocks[n] = add_block(pools, keys[n])
        if blocks[n] == NO_BLOCK:
            return False
    return True


@leaf
def pages_needed(pools, touched, count, needs):
    """Pages that `merge_blocks` will take for these blocks."""
    total = 0
    for n in range(count):
        have = (pools.n_rows[touched[n]] + PAGE - 1) // PAGE
        total += (pools.n_rows[touched[n]] + needs[n] + PAGE - 1) // PAGE - have
    return total


@leaf
def reserve_rows(pools, block, rows):
    """Give the block the pages for `rows` more rows; False when the pool of pages is empty."""
    have = (pools.n_rows[block] + PAGE - 1) // PAGE
    want = (pools.n_rows[block] + rows + PAGE - 1) // PAGE
    if want - have > pools.counters[PAGES_FREE]:
        return False
    for page in range(have, want):
        pools.counters[PAGES_FREE] -= 1
        pools.pages[block, page] = pools.free_pages[pools.counters[PAGES_FREE]]
    return True


@leaf
def release_pages(pools, block, rows):
    """Keep the block's first `rows` rows and give the pages behind them back."""
    have = (pools.n_rows[block] + PAGE - 1) // PAGE
    for page in range((rows + PAGE - 1) // PAGE, have):
        pools.free_pages[pools.counters[PAGES_FREE]] = pools.pages[block, page]
        pools.counters[PAGES_FREE] += 1
    pools.n_rows[block] = rows


@leaf
def reserve_pages(pools, touched, count, near, near_count):
    """Give each block the pages its new rows need. The caller has checked that there are enough.

    Rows are counted anew: some may have been cleared since they were sampled, and what that gave back is enough.
    """
    for n in range(count):
        missing = 0
        for at in range(near_count[n]):
            missing += pools.slot[touched[n], near[n, at]] == 0
        reserve_rows(pools, touched[n], missing)


@leaf
def row_at(pages, block, slot):
    """Row index of a voxel's slot (1-based)."""
    at = np.int64(slot) - 1
    return np.int64(pages[block, at // PAGE]) * PAGE + at % PAGE


@leaf
def new_row(pools, block, i):
    pools.n_rows[block] += 1
    pools.slot[block, i] = pools.n_rows[block]
    row = row_at(pools.pages, block, pools.slot[block, i])
    pools.colour_weight[row] = 0
    pools.feature_weight[row] = 0
    pools.first[row] = 0
    pools.last[row] = 0
    pools.doubt[row] = 0
    pools.colour[row] = 0
    pools.feature[row] = 0
    return row
