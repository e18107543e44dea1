"""Which way is up: the dominant horizontal surface, told from walls by how people and robots hold cameras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CONE_DEG = 50.0  # cameras may be tilted, but up lies within this cone around their mean
_INLIER_DEG = 8.0
_LEAST_SHARE = 0.08  # of all normals: less is no floor and no table
_SAMPLES = 3000
_ROUNDS = 8


@dataclass(frozen=True, eq=False)
class Up:
    """A direction against gravity and how well the surface agrees with it."""

    up_in_map: NDArray[np.float64]
    """(3,) unit vector"""
    residual_deg: float
    """median angle between it and the normals of the horizontal surfaces"""


def estimate_up(normals: NDArray[np.floating], camera_ups: NDArray[np.floating]) -> Up | None:
    """Up from surface normals, or None when no horizontal surface stands out.

    The direction with most normals within 8 degrees (floors and tables along it, ceilings against it), inside the
    cone of 50 degrees around the mean of the cameras' own up; refined by the mean of those normals.

    Args:
        normals: (N, 3) unit normals in the map frame; rows of zeros or NaN are left out.
        camera_ups: (M, 3) the cameras' -y axes in the map frame.
    """
    length = np.linalg.norm(normals, axis=1)
    known = normals[(length > 0.5) & np.isfinite(length)].astype(np.float64)
    hint = camera_ups.mean(0) if len(camera_ups) else np.zeros(3)
    if len(known) < 100 or np.linalg.norm(hint) < 0.3:
        return None
    hint = hint / np.linalg.norm(hint)
    sample = known[:: max(1, len(known) // _SAMPLES)]
    sample = sample * np.where(sample @ hint < 0, -1.0, 1.0)[:, None]
    candidates = sample[sample @ hint > np.cos(np.deg2rad(_CONE_DEG))]
    if len(candidates) == 0:
        return None
    near = np.cos(np.deg2rad(_INLIER_DEG))
    up = candidates[np.argmax((candidates @ candidates.T > near).sum(1))]
    for _ in range(_ROUNDS):
        inliers = sample[sample @ up > near]
        up = inliers.mean(0) / np.linalg.norm(inliers.mean(0))
    inliers = sample[sample @ up > near]
    if len(inliers) < _LEAST_SHARE * len(sample):
        return None
    residual = float(np.median(np.rad2deg(np.arccos(np.clip(inliers @ up, -1.0, 1.0)))))
    return Up(up, residual)
