"""The map rendered from a pose, as something that a frame can be aligned to from farther away than the band reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import inverse, pixel_rays
from spatialmem.localise.likeness import brightness
from spatialmem.types import Camera
from spatialmem.voxels.surface_reading import SurfaceReading

_WIDER = 1.5  # field of view over that of the frame, so that a turned frame still falls into the view


def wide_camera(camera: Camera, columns: int) -> Camera:
    """A camera like the given one with `columns` columns and a wider view."""
    rows = max(1, round(camera.height * columns / camera.width))
    small = camera.scaled_to(columns, rows)
    middle_x, middle_y = (columns - 1) / 2.0, (rows - 1) / 2.0
    return Camera(small.fx / _WIDER, small.fy / _WIDER, middle_x, middle_y, columns, rows)


@dataclass(frozen=True, eq=False)
class Rendered:
    """A view of the map."""

    camera: Camera
    map_from_camera: NDArray[np.float64]
    """(4, 4)"""
    depth_m: NDArray[np.float32]
    """(H, W), NaN without surface"""
    grey: NDArray[np.float32]
    """(H, W) brightness"""
    points_m: NDArray[np.float64]
    """(H, W, 3) surface points in the map"""
    normals: NDArray[np.float64]
    """(H, W, 3) towards the observed side"""

    @classmethod
    def of(cls, surface: SurfaceReading, map_from_camera: NDArray[np.float64], camera: Camera) -> Rendered:
        """The map from a pose (4, 4)."""
        view = surface.render(map_from_camera, camera)
        rays = pixel_rays(camera) @ map_from_camera[:3, :3].T
        points = map_from_camera[:3, 3] + rays * view.depth_m[..., None]
        return cls(camera, map_from_camera, view.depth_m, brightness(view.rgb), points, view.normal.astype(np.float64))

    def distances(self, points_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N,) distance of points (N, 3) from the plane of the surface seen in their pixel, metres, and its normal.

        NaN where the view shows no surface. Projective association: Blais and Levine, PAMI 1995.
        """
        camera_from_map = inverse(self.map_from_camera)
        local = points_m @ camera_from_map[:3, :3].T + camera_from_map[:3, 3]
        ahead = np.maximum(local[:, 2], 1e-3)
        column = np.rint(local[:, 0] / ahead * self.camera.fx + self.camera.cx)
        row = np.rint(local[:, 1] / ahead * self.camera.fy + self.camera.cy)
        inside = (local[:, 2] > 1e-3) & (column >= 0) & (row >= 0)
        inside &= (column < self.camera.width) & (row < self.camera.height)
        row, column = np.where(inside, row, 0).astype(np.intp), np.where(inside, column, 0).astype(np.intp)
        normal = self.normals[row, column]
        distance = np.einsum("nk,nk->n", points_m - self.points_m[row, column], normal)
        return np.where(inside, distance, np.nan), normal
