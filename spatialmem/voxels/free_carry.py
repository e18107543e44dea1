"""Free space that moves: voxel by voxel, each from the nearest old one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.free_reading import FreePools
from spatialmem.voxels.freespace import LOG_ODDS_LIMIT
from spatialmem.voxels.keys import VOXELS
from spatialmem.voxels.transport import MOST, NOTHING


class FreeArrays(NamedTuple):
    """One block."""

    log_odds: NDArray[np.int8]
    """(512,)"""
    last_free: NDArray[np.uint32]
    last_occupied: NDArray[np.uint32]


def read_block(pools: FreePools, block: int) -> FreeArrays:
    """Copies of a block's arrays."""
    return FreeArrays(
        pools.log_odds[block].copy(), pools.last_free[block].copy(), pools.last_occupied[block].copy()
    )  # fmt: skip


def followed(
    pools: FreePools, blocks: NDArray[np.int64], motion_of: NDArray[np.signedinteger]
) -> NDArray[np.signedinteger]:
    """(N, 512) motion of each voxel of blocks (N,): that of the frame that saw it last; motion_of: by lsn."""
    last = np.maximum(pools.last_free[blocks], pools.last_occupied[blocks])
    return np.where(last > 0, motion_of[last], NOTHING).astype(motion_of.dtype)


def gathered(pools: FreePools, blocks: NDArray[np.int64], places: NDArray[np.int64]) -> list[FreeArrays]:
    """C blocks of what comes from the old voxels at these places (C, 512, MOST): place in `blocks` (N,) * 512 + voxel,
    or -1."""
    shape = places.shape[:2]
    log_odds, free, occupied = np.zeros(shape, np.int64), np.zeros(shape, np.uint32), np.zeros(shape, np.uint32)
    for k in range(MOST):
        comes = places[:, :, k] >= 0
        at = places[:, :, k][comes]
        block, i = blocks[at // VOXELS], at % VOXELS
        assert (block >= 0).all(), "what is read is in RAM"
        log_odds[comes] += pools.log_odds[block, i]
        free[comes] = np.maximum(free[comes], pools.last_free[block, i])
        occupied[comes] = np.maximum(occupied[comes], pools.last_occupied[block, i])
    return [FreeArrays(_limited(log_odds[n]), free[n], occupied[n]) for n in range(shape[0])]


def joined(standing: FreeArrays, stays: NDArray[np.bool_], other: FreeArrays) -> FreeArrays:
    """A block, of which only these voxels (512,) stay, with another one: log-odds add up, within their limits."""
    log_odds = np.where(stays, standing.log_odds, 0).astype(np.int64) + other.log_odds
    free, occupied = (np.where(stays, last, 0).astype(np.uint32) for last in standing[1:])
    return FreeArrays(
        _limited(log_odds), np.maximum(free, other.last_free), np.maximum(occupied, other.last_occupied)
    )  # fmt: skip


def completed(made: FreeArrays, other: FreeArrays) -> FreeArrays:
    """A block that frames made anew, with what was moved where they saw nothing; times are the latest of both."""
    seen = (made.last_free > 0) | (made.last_occupied > 0)
    return FreeArrays(
        np.where(seen, made.log_odds, other.log_odds), np.maximum(made.last_free, other.last_free),
        np.maximum(made.last_occupied, other.last_occupied),
    )  # fmt: skip


def _limited(log_odds: NDArray[np.int64]) -> NDArray[np.int8]:
    return np.clip(log_odds, -LOG_ODDS_LIMIT, LOG_ODDS_LIMIT).astype(np.int8)
