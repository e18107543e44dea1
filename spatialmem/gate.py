"""Which frames are worth keeping. Decisions are functions of the frame, the map and the log, never of the clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import GateConfig
from spatialmem.types import Outcome

SUSPECT_FRAMES = 3
"""frames in a row whose residual must be large before a pose is suspected"""
SUSPECT_RESIDUAL_VOXELS = 2.0


def reason_to_store(outcome: Outcome, gap_ns: int | None, gate: GateConfig) -> str | None:
    """Why a frame is kept, or None when the memory would gain nothing from it.

    Args:
        outcome: how the frame compares with the map before it is fused.
        gap_ns: time since the last stored frame of this camera; None when there is none.
    """
    if gap_ns is None:
        return "first"
    if gate.store_all:
        return "every"
    if outcome.rays and outcome.no_return >= gate.novelty:
        return "novelty"
    if outcome.rays and outcome.seen_through + outcome.occluded >= gate.disagreement:
        return "disagreement"
    return "time" if gap_ns >= gate.max_gap_s * 1e9 else None


def pose_suspect(residual_m: float, earlier_m: Sequence[float | None], voxel_size_m: float) -> bool:
    """Whether the depth residual stayed above 2 voxels: in this frame and in the stored ones just before it."""
    recent = [residual_m, *earlier_m][:SUSPECT_FRAMES]
    limit = SUSPECT_RESIDUAL_VOXELS * voxel_size_m
    return len(recent) == SUSPECT_FRAMES and all(r is not None and r > limit for r in recent)


def has_reading(depth_m: NDArray[np.float32], valid: NDArray[np.bool_] | None, min_depth_m: float) -> bool:
    """Whether any pixel of a depth image (H, W) can be used."""
    with np.errstate(invalid="ignore"):
        usable = (depth_m >= min_depth_m) & (depth_m < np.inf)
    return bool((usable if valid is None else usable & valid).any())
