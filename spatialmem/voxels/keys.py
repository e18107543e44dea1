"""Block keys and the open-addressing hash table that finds a block by its coordinates."""

from __future__ import annotations

import numpy as np

from spatialmem.voxels.compiled import leaf

BLOCK = 8
"""voxels along a block's edge"""
VOXELS = BLOCK**3
KEY_OFFSET = 1 << 20
KEY_MASK = (1 << 21) - 1
NO_BLOCK = -1
_EMPTY = -1


@leaf
def pack_key(bx, by, bz):
    """int64 key of block coordinates, each within +-2^20 (docs/format.md, section 3)."""
    return (np.int64(bx + KEY_OFFSET) << 42) | (np.int64(by + KEY_OFFSET) << 21) | np.int64(bz + KEY_OFFSET)


def unpack_keys(keys: np.ndarray) -> np.ndarray:
    """(N, 3) int64 block coordinates of (N,) int64 keys."""
    keys = np.asarray(keys, dtype=np.int64)
    return np.stack(
        [(keys >> 42) - KEY_OFFSET, ((keys >> 21) & KEY_MASK) - KEY_OFFSET, (keys & KEY_MASK) - KEY_OFFSET], axis=-1
    )


def keys_of(blocks: np.ndarray) -> np.ndarray:
    """(...) int64 keys of (..., 3) block coordinates."""
    shifted = np.asarray(blocks, np.int64) + KEY_OFFSET
    return (shifted[..., 0] << 42) | (shifted[..., 1] << 21) | shifted[..., 2]


def moved_keys(keys: np.ndarray, map_from_map: np.ndarray, edge_m: float) -> np.ndarray:
    """(N,) keys of the blocks in which the centres of these blocks (N,) lie after a (4, 4) rigid motion."""
    centres = (unpack_keys(keys) + 0.5) * edge_m
    moved = np.floor((centres @ map_from_map[:3, :3].T + map_from_map[:3, 3]) / edge_m).astype(np.int64)
    return keys_of(moved)


@leaf
def voxel_at(key, i):
    """Integer coordinates (x, y, z) of voxel i of the block with this key."""
    return (
        ((key >> 42) - KEY_OFFSET) * BLOCK + i % BLOCK,
        (((key >> 21) & KEY_MASK) - KEY_OFFSET) * BLOCK + i // BLOCK % BLOCK,
        ((key & KEY_MASK) - KEY_OFFSET) * BLOCK + i // (BLOCK * BLOCK),
    )


@leaf
def _first_slot(key, mask):
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mixed >> np.uint64(32)) & mask


@leaf
def find(table_keys, table_blocks, key):
    """Block index of `key`, or -1."""
    mask = table_keys.shape[0] - 1
    slot = _first_slot(key, mask)
    while True:
        there = table_keys[slot]
        if there == key:
            return table_blocks[slot]
        if there == _EMPTY:
            return NO_BLOCK
        slot = (slot + 1) & mask


@leaf
def insert(table_keys, table_blocks, key, block):
    """Enter a key that is not there yet."""
    mask = table_keys.shape[0] - 1
    slot = _first_slot(key, mask)
    while table_keys[slot] != _EMPTY:
        slot = (slot + 1) & mask
    table_blocks[slot] = block
    table_keys[slot] = key


@leaf
def lead_to(table_keys, table_blocks, key, block):
    """Let a key that is there lead to another block."""
    mask = table_keys.shape[0] - 1
    slot = _first_slot(key, mask)
    while table_keys[slot] != key:
        slot = (slot + 1) & mask
    table_blocks[slot] = block


@leaf
def refill_table(table_keys, table_blocks, keys, blocks):
    """Empty the table and enter these blocks (N,) alone."""
    for slot in range(table_keys.shape[0]):
        table_keys[slot] = _EMPTY
    for block in blocks:
        insert(table_keys, table_blocks, keys[block], block)


def empty_table(capacity: int) -> tuple[np.ndarray, np.ndarray]:
    """Table for `capacity` blocks, at most half full: (keys int64, blocks int32), a power of two long."""
    size = 1 << max(4, int(2 * capacity - 1).bit_length())
    return np.full(size, _EMPTY, dtype=np.int64), np.zeros(size, dtype=np.int32)
