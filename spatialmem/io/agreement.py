"""Do two posed depth images agree about where the surfaces are? The test of poses, axes, scale and intrinsics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spatialmem.geometry import apply, back_project_pixels, inverse, project
from spatialmem.types import Frame

_NEAR_M = 0.05


class Agreement(NamedTuple):
    """How well the points of one frame lie on the depth of another."""

    median_m: float
    """median absolute difference in depth where both have a reading; NaN without overlap"""
    within_5cm: float
    """share of those differences below 5 cm"""
    overlap: float
    """share of the first frame's readings that fall on a reading of the second"""


def depth_agreement(first: Frame, second: Frame, step: int = 4) -> Agreement:
    """Compare every `step`-th reading of `first`, moved into the camera of `second`, with the depth there.

    Both frames need a depth image and a pose in the same world. Costs a few milliseconds at step 4.
    """
    if first.depth_m is None or second.depth_m is None:
        return Agreement(float("nan"), float("nan"), 0.0)
    if first.world_from_camera is None or second.world_from_camera is None:
        return Agreement(float("nan"), float("nan"), 0.0)
    y, x = np.mgrid[0 : first.camera.height : step, 0 : first.camera.width : step]
    depth_m = first.depth_m[y, x]
    known = np.isfinite(depth_m) & (depth_m > 0)
    pixels = np.stack([x[known], y[known]], axis=-1)
    points = back_project_pixels(pixels, depth_m[known], first.camera)
    moved = apply(inverse(second.world_from_camera) @ first.world_from_camera, points)
    there = project(moved, second.camera)
    limits = (second.camera.width - 0.5, second.camera.height - 0.5)
    inside = np.isfinite(there).all(axis=1) & (there > -0.5).all(axis=1) & (there < limits).all(axis=1)
    column, row = np.rint(there[inside]).astype(np.intp).T
    seen = second.depth_m[row, column]
    met = np.isfinite(seen) & (seen > 0)
    if not met.any():
        return Agreement(float("nan"), float("nan"), 0.0)
    difference = np.abs(seen[met] - moved[inside][met, 2])
    return Agreement(float(np.median(difference)), float((difference < _NEAR_M).mean()), float(met.sum() / known.sum()))
