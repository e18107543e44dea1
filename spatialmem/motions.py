"""How frames move when their poses are corrected, in as few rigid motions as matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.geometry import inverse

_SAME_VOXELS = 0.25
"""frames whose motions differ by less within their view share one: half of what a correction takes notice of"""
_NONE_M = 1e-6


@final
@dataclass(frozen=True, eq=False)
class Motions:
    """Of the frames of a log; number 0 is that of the frames that stay."""

    number: NDArray[np.int16] | NDArray[np.int32]
    """(last lsn + 1,) which one each frame follows; two bytes where these tell them apart, as every voxel has one"""
    every: NDArray[np.float64]
    """(M, 4, 4) map now from map before"""
    own: Mapping[int, NDArray[np.float64]]
    """(4, 4) of each frame that moves, exactly"""

    @classmethod
    def of(
        cls, now: Mapping[int, NDArray[np.float64]], before: Mapping[int, NDArray[np.float64]], last_lsn: int,
        config: MemoryConfig,
    ) -> Motions:  # fmt: skip
        """now, before: poses (4, 4) in the map that frames get, and by which they stand in the layers."""
        own = {lsn: now[lsn] @ inverse(before[lsn]) for lsn in sorted(now)}
        number, every, count = np.zeros(last_lsn + 1, np.int32), np.eye(4)[None], 1
        for lsn, motion in own.items():
            apart_m = _apart_m(motion, every[:count], before[lsn][:3, 3], config.max_depth_m)
            if apart_m[0] < _NONE_M:
                continue
            nearest = 1 + int(np.argmin(apart_m[1:])) if count > 1 else count
            if nearest == count or apart_m[nearest] > _SAME_VOXELS * config.voxel_size_m:
                nearest, count = count, count + 1
                every = every if count <= len(every) else np.concatenate([every, np.zeros_like(every)])
                every[nearest] = motion
            number[lsn] = nearest
        narrow = number.astype(np.int16) if count <= np.iinfo(np.int16).max else number
        return cls(narrow, every[:count].copy(), own)


def _apart_m(
    motion: NDArray[np.float64], others: NDArray[np.float64], centre_m: NDArray[np.float64], reach_m: float
) -> NDArray[np.float64]:
    """(M,) how far a motion and each of the others (M, 4, 4) may part for a point within reach of a place, metres."""
    turn = motion[:3, :3] - others[:, :3, :3]
    gap = turn @ centre_m + motion[:3, 3] - others[:, :3, 3]
    return np.linalg.norm(gap, axis=1) + np.linalg.norm(turn, axis=(1, 2)) / np.sqrt(2.0) * reach_m
