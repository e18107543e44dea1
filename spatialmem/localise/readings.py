"""Depth readings as points: what an alignment needs of a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.views import DepthView
from spatialmem.voxels.weights import DEPTH_UNIT_M, axial_sigma

_COLUMNS = 160  # of the grid on which readings are taken: a quarter of the width of a VGA image
_MAP_SIGMA_VOXELS = 0.75
"""what the map itself is off by, beside the noise of a reading: without it, near readings alone would decide, and a
slant in the map beside the camera would turn the whole frame"""
_BESIDE = 2  # points of the grid between a reading and those that its normal is taken from
_MOST_BEND = 0.03  # of the depth: how far a reading may lie off the line through its neighbours


@dataclass(frozen=True, eq=False)
class Readings:
    """Readings of one depth image on a grid of pixels, edges and grazing views left out. N readings."""

    points_m: NDArray[np.float64]
    """(N, 3) in camera axes"""
    sigma_m: NDArray[np.float64]
    """(N,) one-sigma error against the map, along the optical axis"""
    at: NDArray[np.intp]
    """(N, 2) row and column on the grid"""
    pixel: NDArray[np.intp]
    """(N, 2) row and column in the image"""
    normals: NDArray[np.float64]
    """(N, 3) unit normals of what was read, towards the camera, in camera axes; NaN beside gaps and steps"""

    def __len__(self) -> int:
        return len(self.points_m)

    def some(self, chosen: NDArray) -> Readings:
        """These of the readings (mask or indices)."""
        return Readings(
            self.points_m[chosen], self.sigma_m[chosen], self.at[chosen], self.pixel[chosen], self.normals[chosen]
        )

    def thinned(self, step: int) -> Readings:
        """Those on every `step`-th row and column of the grid."""
        return self if step == 1 else self.some((self.at % step == 0).all(axis=1))

    def halves(self) -> tuple[Readings, Readings]:
        """The readings on the black and on the white squares of a chessboard, 4 x 4 of the grid to a square."""
        white = (self.at // 4).sum(axis=1) % 2 == 1
        return self.some(~white), self.some(white)


def readings_of(view: DepthView, voxel_m: float) -> Readings:
    """The readings of a depth image, 160 or a few more to a row where it has as many pixels."""
    camera = view.camera
    step = max(1, camera.width // _COLUMNS)
    packed = view.packed[step // 2 :: step, step // 2 :: step]
    at = np.argwhere(packed != 0)
    pixel = at * step + step // 2
    z = (packed >> 8).astype(np.float64) * DEPTH_UNIT_M
    rows, columns = (np.arange(n) * step + step // 2 for n in packed.shape)
    grid = np.stack([(columns - camera.cx) / camera.fx * z, (rows[:, None] - camera.cy) / camera.fy * z, z], axis=-1)
    grid[packed == 0] = np.nan
    points, normals = grid[packed != 0], _normals(grid)[packed != 0]
    sigma = np.hypot(axial_sigma.py_func(points[:, 2]), _MAP_SIGMA_VOXELS * voxel_m)
    return Readings(points, sigma, at, pixel, normals)


def _normals(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W, 3) normals of points (H, W, 3) on a grid of pixels, from neighbours two rows and columns away."""
    out = np.full_like(grid, np.nan)
    if min(grid.shape[:2]) <= 2 * _BESIDE:
        return out
    n = _BESIDE
    middle = grid[n:-n, n:-n]
    ends = (grid[n:-n, 2 * n :], grid[n:-n, : -2 * n]), (grid[2 * n :, n:-n], grid[: -2 * n, n:-n])
    across, down = (after - before for after, before in ends)
    normal = np.cross(down, across)
    with np.errstate(invalid="ignore"):
        bend = np.maximum(*(np.abs(after + before - 2.0 * middle)[..., 2] for after, before in ends))
        normal[~(bend <= _MOST_BEND * middle[..., 2])] = np.nan  # True for NaN: a gap
        normal *= -np.sign(np.einsum("hwk,hwk->hw", normal, middle))[..., None]
        out[n:-n, n:-n] = normal / np.linalg.norm(normal, axis=-1, keepdims=True)
    return out
