"""The flat arrays of the free-space layer: reserved once, given out block by block."""

from __future__ import annotations

import numpy as np

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.free_reading import FreePools
from spatialmem.voxels.keys import NO_BLOCK, VOXELS, empty_table, find, insert, lead_to
from spatialmem.voxels.reserve import reserved


def reserve(blocks: int, aside: int = 0, voxels: int = VOXELS) -> FreePools:
    """Empty pools for this many blocks; `aside`: so many more are given out only by what `beside` makes.

    voxels: those that a block has room for; 1 where nothing is wanted of it but its key.
    """
    every = blocks + aside
    table_keys, table_blocks = empty_table(every)
    return FreePools(
        table_keys, table_blocks, np.zeros(every, np.int64), reserved((every, voxels), np.int8),
        reserved((every, voxels), np.uint32), reserved((every, voxels), np.uint32), np.zeros(every, np.uint32),
        np.zeros(every, np.uint32), np.arange(blocks - 1, -1, -1, dtype=np.int32), np.zeros(2, np.int64),
    )  # fmt: skip


def clear(free: FreePools) -> None:
    """Forget every block; the arrays stay reserved."""
    free.table_keys.fill(-1)
    free.counters[:] = 0
    free.free_blocks[:] = np.arange(free.free_blocks.shape[0] - 1, -1, -1, dtype=np.int32)


def beside(free: FreePools) -> FreePools:
    """The same blocks under a table of their own, which takes more blocks: into what `reserve` set aside."""
    every = np.arange(free.keys.shape[0] - 1, free.free_blocks.shape[0] - 1, -1, dtype=np.int32)
    return free._replace(
        table_keys=free.table_keys.copy(), table_blocks=free.table_blocks.copy(), free_blocks=every,
        counters=np.zeros(2, np.int64),
    )  # fmt: skip


@leaf
def take_block(free):
    """An unused block, -1 when there is none."""
    left = free.free_blocks.shape[0] - free.counters[0]
    if left == 0:
        return np.int32(NO_BLOCK)
    free.counters[0] += 1
    return free.free_blocks[left - 1]


@leaf
def copy_blocks(free, blocks, copies):
    """Copy blocks (N,) into unused ones, for which there is room, and let the table lead there; copies (N,)."""
    for n in range(blocks.shape[0]):
        old, new = blocks[n], take_block(free)
        copies[n] = new
        free.keys[new], free.contains[new] = free.keys[old], free.contains[old]
        _copy_content(free, old, free, new)
        lead_to(free.table_keys, free.table_blocks, free.keys[old], new)


@leaf
def adopt_blocks(free, seen, blocks, contains):
    """Copy blocks (N,) of the pools `seen` in; frames up to `contains` will not change them. False: no room for all."""
    for n in range(blocks.shape[0]):
        new = block_at(free, seen.keys[blocks[n]])
        if new == NO_BLOCK:
            return False
        _copy_content(seen, blocks[n], free, new)
        free.contains[new] = contains
        free.changed[new] = min(free.changed[new], contains)
    return True


@leaf
def _copy_content(seen, old, free, new):
    free.changed[new] = seen.changed[old]
    for i in range(VOXELS):
        free.log_odds[new, i] = seen.log_odds[old, i]
        free.last_free[new, i], free.last_occupied[new, i] = seen.last_free[old, i], seen.last_occupied[old, i]


@leaf
def empty_block(free, block, key):
    """Make a block what it is before the first frame."""
    free.keys[block] = key
    free.log_odds[block] = 0
    free.last_free[block] = 0
    free.last_occupied[block] = 0
    free.contains[block] = 0
    free.changed[block] = 0


@leaf
def fresh_blocks(free, blocks, fresh):
    """Let the table lead to unused, empty blocks in place of blocks (N,), for which there is room; fresh (N,)."""
    for n in range(blocks.shape[0]):
        key, block = free.keys[blocks[n]], take_block(free)
        fresh[n] = block
        empty_block(free, block, key)
        lead_to(free.table_keys, free.table_blocks, key, block)


@leaf
def release_blocks(free, blocks):
    """Give back blocks that no table leads to any more."""
    for block in blocks:
        free.counters[0] -= 1
        free.free_blocks[free.free_blocks.shape[0] - free.counters[0] - 1] = block


@leaf
def move_listed(listed, place):
    """Voxels (block * 512 + i) of blocks that have moved to `place` (B,)."""
    for n in range(listed.shape[0]):
        listed[n] = np.int64(place[listed[n] // VOXELS]) * VOXELS + listed[n] % VOXELS


@leaf
def block_at(free, key):
    """Block of `key`, made if it is missing; -1 when the pool is full."""
    block = find(free.table_keys, free.table_blocks, key)
    if block != NO_BLOCK:
        return block
    block = take_block(free)
    if block == NO_BLOCK:
        free.counters[1] += 1
        return NO_BLOCK
    empty_block(free, block, key)
    insert(free.table_keys, free.table_blocks, key, block)
    return block


@leaf
def enter_blocks(free, keys, blocks):
    """Blocks (N,) of these keys (N,), made where they are missing; False when the pool is full."""
    for n in range(keys.shape[0]):
        blocks[n] = block_at(free, keys[n])
        if blocks[n] == NO_BLOCK:
            return False
    return True
