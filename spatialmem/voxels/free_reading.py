"""The free-space layer as a reader sees it: what is free, what is occupied, when a place was last in view."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import BLOCK, NO_BLOCK, find, pack_key, unpack_keys
from spatialmem.voxels.versions import live_blocks

if TYPE_CHECKING:
    from spatialmem.voxels.shelved_free import ShelvedFree

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


class FreeArrays(NamedTuple):
    """One block of the layer; see `FreePools`."""

    log_odds: NDArray[np.int8]
    last_free: NDArray[np.uint32]
    last_occupied: NDArray[np.uint32]

    def alone(self) -> FreeArrays:
        """As an array of blocks, (1, 512)."""
        return FreeArrays(self.log_odds[None], self.last_free[None], self.last_occupied[None])


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
    away: ShelvedFree | None = None
    """those that are on file alone; None: all are in `pools`"""

    def held(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the keys whose blocks are in `pools`."""
        live = live_blocks(self.pools.table_keys, self.pools.table_blocks)
        return keys[np.isin(keys, self.pools.keys[live])]

    def states(self, points_m: NDArray[np.floating]) -> NDArray[np.uint8]:
        """(N,) 0 unknown, 1 free, 2 occupied at (N, 3) points of the map frame, metres."""
        if self.away is not None:
            return self.away.at(points_m, FreeReading.states, np.uint8)
        voxels = np.floor(np.asarray(points_m, np.float64).reshape(-1, 3) / self.voxel_m).astype(np.int64)
        out = np.zeros(len(voxels), np.uint8)
        _states(self.pools, voxels, out)
        return out

    def last_looked(self, points_m: NDArray[np.floating]) -> NDArray[np.uint32]:
        """(N,) lsn of the last frame that saw the free-space voxel of each (N, 3) point, 0 = none."""
        if self.away is not None:
            return self.away.at(points_m, FreeReading.last_looked, np.uint32)
        voxels = np.floor(np.asarray(points_m, np.float64).reshape(-1, 3) / self.voxel_m).astype(np.int64)
        out = np.zeros(len(voxels), np.uint32)
        _last_looked(self.pools, voxels, out)
        return out

    def blocks(self) -> Iterator[tuple[int, FreeArrays]]:
        """Key and content of every block, by ascending key."""
        pools = self.pools
        live = live_blocks(pools.table_keys, pools.table_blocks)
        live = live[np.argsort(pools.keys[live])]
        here = (
            (int(pools.keys[b]), FreeArrays(pools.log_odds[b], pools.last_free[b], pools.last_occupied[b]))
            for b in live
        )
        yield from heapq.merge(here, () if self.away is None else self.away.fetched(), key=lambda entry: entry[0])

    def known(self, after_lsn: int = 0) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """(N, 3) coordinates and (N,) states of the voxels that any frame saw, of blocks changed after `after_lsn`.

        centre = (voxel + 0.5) * voxel_m.
        """
        pools = self.pools
        live = live_blocks(pools.table_keys, pools.table_blocks)
        live = live[pools.changed[live] > after_lsn]
        live = live[np.argsort(pools.keys[live])]
        here = FreeArrays(pools.log_odds[live], pools.last_free[live], pools.last_occupied[live])
        found = [_known(pools.keys[live], here, after_lsn)]
        for key, content in self.away.fetched() if self.away is not None else ():
            found.append(_known(np.array([key]), content.alone(), after_lsn))
        keys, voxels, states = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(keys, kind="stable") if len(found) > 1 else slice(None)
        return voxels[order], states[order]

    def dense(self) -> FreeSpace:
        """The smallest dense box that holds every block."""
        pools = self.pools
        live = live_blocks(pools.table_keys, pools.table_blocks)
        live = live[pools.changed[live] > 0]  # the others are there for a frame that is not in yet
        keys = pools.keys[live] if self.away is None else np.concatenate([pools.keys[live], self.away.keys])
        if len(keys) == 0:
            return FreeSpace(np.zeros(3), self.voxel_m, np.zeros((0, 0, 0), np.uint8))
        blocks = unpack_keys(keys)
        low = blocks.min(0)
        state = np.zeros((blocks.max(0) - low + 1) * BLOCK, np.uint8)
        here = FreeArrays(pools.log_odds[live], pools.last_free[live], pools.last_occupied[live])
        _put_states(state, unpack_keys(pools.keys[live]) - low, here)
        for key, content in self.away.fetched() if self.away is not None else ():
            _put_states(state, unpack_keys(np.array([key])) - low, content.alone())
        return FreeSpace(low * BLOCK * self.voxel_m, self.voxel_m, state)


def _known(
    keys: NDArray[np.int64], blocks: FreeArrays, after_lsn: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """(N,) key of the block, (N, 3) coordinates and (N,) states of the voxels that any frame saw, of blocks (B, 512)
    that a frame after `after_lsn` looked at."""
    looked = np.maximum(blocks.last_free, blocks.last_occupied)
    block, i = np.nonzero((looked > 0) & (looked.max(1, initial=0) > after_lsn)[:, None])
    within = np.stack([i % BLOCK, i // BLOCK % BLOCK, i // (BLOCK * BLOCK)], axis=-1)
    states = np.where(blocks.log_odds[block, i] > 0, OCCUPIED, FREE).astype(np.uint8)
    return keys[block], unpack_keys(keys[block]) * BLOCK + within, states


def _put_states(state: NDArray[np.uint8], at: NDArray[np.int64], blocks: FreeArrays) -> None:
    """Write the states of blocks (B, 512) into a dense box (X, Y, Z); at: (B, 3) blocks from its corner."""
    seen = (blocks.last_free > 0) | (blocks.last_occupied > 0)
    states = np.where(seen, np.where(blocks.log_odds > 0, OCCUPIED, FREE), UNKNOWN).astype(np.uint8)
    for block, values in zip(at * BLOCK, states, strict=True):
        x, y, z = block
        state[x : x + BLOCK, y : y + BLOCK, z : z + BLOCK] = values.reshape(BLOCK, BLOCK, BLOCK).transpose(2, 1, 0)
