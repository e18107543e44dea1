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

    def __len__(self) -> int:
        return len(self.points_m)

    def some(self, chosen: NDArray) -> Readings:
        """These of the readings (mask or indices)."""
        return Readings(self.points_m[chosen], self.sigma_m[chosen], self.at[chosen], self.pixel[chosen])

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
    z = (packed[packed != 0] >> 8).astype(np.float64) * DEPTH_UNIT_M
    x = (pixel[:, 1] - camera.cx) / camera.fx * z
    y = (pixel[:, 0] - camera.cy) / camera.fy * z
    sigma = np.hypot(axial_sigma.py_func(z), _MAP_SIGMA_VOXELS * voxel_m)
    return Readings(np.stack([x, y, z], axis=-1), sigma, at, pixel)
