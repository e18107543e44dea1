"""Free space that moves: voxel by voxel, each from the nearest old one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.free_reading import FreePools
from spatialmem.voxels.freespace import LOG_ODDS_LIMIT
from spatialmem.voxels.keys import VOXELS
from spatialmem.voxels.transport import MOST, NOTHING


class Arrivals(NamedTuple):
    """What comes to lie in the voxels of C blocks, (C, 512) each."""

    log_odds: NDArray[np.int32]
    """sums"""
    last_free: NDArray[np.uint32]
    last_occupied: NDArray[np.uint32]


def none(shape: tuple[int, int]) -> Arrivals:
    """Nothing comes."""
    return Arrivals(np.zeros(shape, np.int32), np.zeros(shape, np.uint32), np.zeros(shape, np.uint32))


def followed(pools: FreePools, blocks: NDArray[np.int64], motion_of: NDArray[np.int32]) -> NDArray[np.int32]:
    """(N, 512) motion of each voxel of blocks (N,): that of the frame that saw it last; motion_of: by lsn."""
    last = np.maximum(pools.last_free[blocks], pools.last_occupied[blocks])
    return np.where(last > 0, motion_of[last], NOTHING).astype(np.int32)


def gathered(pools: FreePools, blocks: NDArray[np.int64], places: NDArray[np.int64]) -> Arrivals:
    """What comes from the old voxels at these places (C, 512, MOST): place in `blocks` (N,) * 512 + voxel, or -1."""
    out = none((places.shape[0], places.shape[1]))
    for k in range(MOST):
        comes = places[:, :, k] >= 0
        at = places[:, :, k][comes]
        block, i = blocks[at // VOXELS], at % VOXELS
        out.log_odds[comes] += pools.log_odds[block, i]
        out.last_free[comes] = np.maximum(out.last_free[comes], pools.last_free[block, i])
        out.last_occupied[comes] = np.maximum(out.last_occupied[comes], pools.last_occupied[block, i])
    return out


def joined(
    pools: FreePools, block: int, stays: NDArray[np.bool_], arrivals: Arrivals, n: int
) -> tuple[NDArray[np.int8], NDArray[np.uint32], NDArray[np.uint32]]:
    """Log-odds, last seen free and occupied of a block (-1: an empty one), of which these voxels (512,) stay, with what
    arrives in it as block `n`: log-odds add up, within their limits."""
    log_odds, free, occupied = (values[n] for values in arrivals)
    if block >= 0:
        log_odds = log_odds + np.where(stays, pools.log_odds[block], 0)
        free = np.maximum(free, np.where(stays, pools.last_free[block], 0))
        occupied = np.maximum(occupied, np.where(stays, pools.last_occupied[block], 0))
    limited = np.clip(log_odds, -LOG_ODDS_LIMIT, LOG_ODDS_LIMIT).astype(np.int8)
    return limited, free.astype(np.uint32), occupied.astype(np.uint32)
