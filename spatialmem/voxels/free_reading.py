"""The free-space layer as a reader sees it: what is free, what is occupied, when a place was last in view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import BLOCK, NO_BLOCK, find, pack_key, unpack_keys
from spatialmem.voxels.versions import live_blocks

UNKNOWN, FREE, OCCUPIED = 0, 1, 2


class FreePools(NamedTuple):
    """Struct of arrays over B free-space blocks of 8^3 voxels."""

    table_keys: NDArray[np.int64]
    table_blocks: NDArray[np.int32]
    keys: NDArray[np.int64]
    log_odds: NDArray[np.int8]
    """(B, 512); 0 with both stamps 0 = never touched"""
    last_free: NDArray[np.uint32]
    """(B, 512) lsn of the last frame that saw the voxel free"""
    last_occupied: NDArray[np.uint32]
    """(B, 512) lsn of the last frame that saw it occupied"""
    contains: NDArray[np.uint32]
    """(B,) lsn up to which the block comes from a file"""
    changed: NDArray[np.uint32]
    """(B,) lsn of the last frame that changed the block"""
    free_blocks: NDArray[np.int32]
    """(B,) stack of unused blocks: the first B - counters[0]"""
    counters: NDArray[np.int64]
    """[blocks in use, times the pool was found full]"""


@dataclass(frozen=True, eq=False)
class FreeSpace:
    """A dense crop of the free-space layer in the map frame."""

    origin_m: NDArray[np.float64]
    """(3,) lower corner of voxel (0, 0, 0)"""
    voxel_size_m: float
    state: NDArray[np.uint8]
    """(X, Y, Z): 0 unknown, 1 free, 2 occupied"""


@leaf
def voxel_index(x, y, z):
    return ((z & 7) * BLOCK + (y & 7)) * BLOCK + (x & 7)


@leaf
def _states(free, voxels, out):
    for n in range(voxels.shape[0]):
        x, y, z = voxels[n, 0], voxels[n, 1], voxels[n, 2]
        out[n] = UNKNOWN
        block = find(free.table_keys, free.table_blocks, pack_key(x >> 3, y >> 3, z >> 3))
        if block == NO_BLOCK:
            continue
        i = voxel_index(x, y, z)
        if free.last_free[block, i] > 0 or free.last_occupied[block, i] > 0:
            out[n] = OCCUPIED if free.log_odds[block, i] > 0 else FREE


@leaf
def _last_looked(free, voxels, out):
    for n in range(voxels.shape[0]):
        x, y, z = voxels[n, 0], voxels[n, 1], voxels[n, 2]
        out[n] = 0
        block = find(free.table_keys, free.table_blocks, pack_key(x >> 3, y >> 3, z >> 3))
        if block != NO_BLOCK:
            i = voxel_index(x, y, z)
            out[n] = max(free.last_free[block, i], free.last_occupied[block, i])


@dataclass(frozen=True, eq=False)
class FreeReading:
    """Free-space blocks of one epoch."""

    pools: FreePools
    voxel_m: float

    def states(self, points_m: NDArray[np.floating]) -> NDArray[np.uint8]:
        """(N,) 0 unknown, 1 free, 2 occupied at (N, 3) points of the map frame, metres."""
        voxels = np.floor(np.asarray(points_m, np.float64).reshape(-1, 3) / self.voxel_m).astype(np.int64)
        out = np.zeros(len(voxels), np.uint8)
        _states(self.pools, voxels, out)
        return out

    def last_looked(self, points_m: NDArray[np.floating]) -> NDArray[np.uint32]:
        """(N,) lsn of the last frame that saw the free-space voxel of each (N, 3) point, 0 = none."""
        voxels = np.floor(np.asarray(points_m, np.float64).reshape(-1, 3) / self.voxel_m).astype(np.int64)
        out = np.zeros(len(voxels), np.uint32)
        _last_looked(self.pools, voxels, out)
        return out

    def known(self, after_lsn: int = 0) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """(N, 3) coordinates and (N,) states of the voxels that any frame saw, of blocks changed after `after_lsn`.

        centre = (voxel + 0.5) * voxel_m.
        """
        pools = self.pools
        live = np.sort(live_blocks(pools.table_keys, pools.table_blocks))
        live = live[pools.changed[live] > after_lsn]
        block, i = np.nonzero((pools.last_free[live] > 0) | (pools.last_occupied[live] > 0))
        state = np.where(pools.log_odds[live][block, i] > 0, OCCUPIED, FREE).astype(np.uint8)
        within = np.stack([i % BLOCK, i // BLOCK % BLOCK, i // (BLOCK * BLOCK)], axis=-1)
        return unpack_keys(pools.keys[live])[block] * BLOCK + within, state

    def dense(self) -> FreeSpace:
        """The smallest dense box that holds every block."""
        pools = self.pools
        live = live_blocks(pools.table_keys, pools.table_blocks)
        live = live[pools.changed[live] > 0]  # the others are there for a frame that is not in yet
        if len(live) == 0:
            return FreeSpace(np.zeros(3), self.voxel_m, np.zeros((0, 0, 0), np.uint8))
        blocks = unpack_keys(pools.keys[live])
        low = blocks.min(0)
        shape = (blocks.max(0) - low + 1) * BLOCK
        state = np.zeros(shape, np.uint8)
        seen = (pools.last_free[live] > 0) | (pools.last_occupied[live] > 0)
        states = np.where(seen, np.where(pools.log_odds[live] > 0, OCCUPIED, FREE), UNKNOWN).astype(np.uint8)
        for block, values in zip((blocks - low) * BLOCK, states, strict=True):
            x, y, z = block
            state[x : x + BLOCK, y : y + BLOCK, z : z + BLOCK] = values.reshape(BLOCK, BLOCK, BLOCK).transpose(2, 1, 0)
        return FreeSpace(low * BLOCK * self.voxel_m, self.voxel_m, state)
