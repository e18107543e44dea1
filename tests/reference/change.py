"""Evidence of change (docs/format.md, section 6) for whole images and blocks at once."""

from __future__ import annotations

import numpy as np

DOUBT, CLEAR, CLEAR_ROWLESS = 1, 2, 3


def sigma(z):
    """Axial noise of a structured-light camera, metres (Nguyen et al., 3DIM 2012)."""
    return 0.0012 + 0.0019 * (z - 0.4) ** 2


def outcomes(packed, surface, voxel_m):
    """Counts (agrees, seen through, occluded, no return) and the median residual of the rays within ten voxels."""
    has = packed > 0
    z = (packed >> 8) * 1e-5
    met = has & ~np.isnan(surface)
    gap = np.where(met, z - np.nan_to_num(surface), 0.0)
    limit = 3 * sigma(z) + voxel_m
    through, occluded = met & (gap > limit), met & (gap < -limit)
    close = np.abs(gap[met & (np.abs(gap) < 10 * voxel_m)])
    counts = [(met & ~through & ~occluded).sum(), through.sum(), occluded.sum(), (has & ~met).sum()]
    return np.array(counts), float(np.median(close)) if len(close) else float("nan")


def other_pose(a, b) -> bool:
    """Whether two (4, 4) poses differ by 5 cm or their axes by 5 degrees."""
    apart = np.linalg.norm(a[:3, 3] - b[:3, 3]) > 0.05
    return bool(apart or np.degrees(np.arccos(np.clip(a[:3, 2] @ b[:3, 2], -1, 1))) > 5.0)
