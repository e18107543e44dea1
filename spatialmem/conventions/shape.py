"""Normals of depth images, and whether what they show is one plane."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.conventions.samples import Sample
from spatialmem.types import Camera

_JUMP = 0.1  # readings this share of their depth apart are not one surface
_PLANE = 0.02  # readings within this share of their depth lie on a plane
_TRIALS, _POINTS = 64, 800


class Cloud(NamedTuple):
    """Some readings of a frame as points, in their rows and columns; NaN where there is none."""

    points: NDArray[np.float64]
    """(h, w, 3) camera axes, metres as read"""
    normals: NDArray[np.float64]
    """(h, w, 3) unit vectors towards the camera; NaN too where a neighbour is missing or on another surface"""
    step: int
    """pixels between neighbours"""
    camera: Camera


def cloud(sample: Sample, columns: int) -> Cloud:
    """About `columns` readings of each row, of as many rows as fit them."""
    c = sample.camera
    step = max(1, c.width // columns)
    y, x = np.mgrid[0 : c.height : step, 0 : c.width : step]
    depth = np.where(sample.usable[y, x], sample.depth_m[y, x], np.nan).astype(np.float64)
    points = np.stack([(x - c.cx) / c.fx * depth, (y - c.cy) / c.fy * depth, depth], axis=-1)
    across, down = np.full_like(points, np.nan), np.full_like(points, np.nan)
    across[:, 1:-1], down[1:-1] = points[:, 2:] - points[:, :-2], points[2:] - points[:-2]
    with np.errstate(invalid="ignore", divide="ignore"):
        normal = np.cross(down, across)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        torn = np.maximum(np.abs(across[..., 2]), np.abs(down[..., 2])) > _JUMP * depth
    normal[torn] = np.nan
    return Cloud(points, normal, step, c)


def plane_share(sample: Sample) -> float:
    """Largest share of readings on one plane; 1 without readings. Source: RANSAC, Fischler and Bolles (1981)."""
    points = cloud(sample, 80).points
    points = points[np.isfinite(points).all(axis=-1)]
    if len(points) < 50:
        return 1.0
    rng = np.random.default_rng(0)
    points = points[rng.permutation(len(points))[:_POINTS]]
    corners = points[rng.integers(0, len(points), (_TRIALS, 3))]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1)
    wide = length > 1e-3 * np.square(corners[:, 0, 2])  # three readings in a row make no plane
    if not wide.any():
        return 1.0
    normal, corners = normal[wide] / length[wide, None], corners[wide]
    apart = np.abs((points[None] - corners[:, :1]) @ normal[..., None])[..., 0]
    return float((apart < _PLANE * points[:, 2]).mean(axis=1).max())
