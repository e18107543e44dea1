"""How frames move when their poses are corrected, in as few rigid motions as matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.geometry import inverse, pose_difference

_SAME_VOXELS = 0.25
"""frames whose motions differ by less within their view share one: half of what a correction takes notice of"""
_NONE_M = 1e-6


@final
@dataclass(frozen=True, eq=False)
class Motions:
    """Of the frames of a log; number 0 is that of the frames that stay."""

    number: NDArray[np.int32]
    """(last lsn + 1,) which one each frame follows"""
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
        number, every = np.zeros(last_lsn + 1, np.int32), [np.eye(4)]
        for lsn, motion in own.items():
            centre_m = before[lsn][:3, 3]
            apart_m = [_apart_m(motion, other, centre_m, config.max_depth_m) for other in every]
            if apart_m[0] < _NONE_M:
                continue
            nearest = 1 + int(np.argmin(apart_m[1:])) if len(every) > 1 else 0
            if nearest == 0 or apart_m[nearest] > _SAME_VOXELS * config.voxel_size_m:
                nearest = len(every)
                every.append(motion)
            number[lsn] = nearest
        return cls(number, np.stack(every), own)


def _apart_m(a: NDArray[np.float64], b: NDArray[np.float64], centre_m: NDArray[np.float64], reach_m: float) -> float:
    """How far apart two motions may bring a point within reach of a place, metres."""
    _, angle_rad = pose_difference(a, b)
    gap = (a[:3, :3] - b[:3, :3]) @ centre_m + a[:3, 3] - b[:3, 3]
    return float(np.linalg.norm(gap) + angle_rad * reach_m)
