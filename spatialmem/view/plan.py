"""Looking down on a memory: surface points as an image on which positions can be marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatialmem.geometry import rotation_to_z_up
from spatialmem.up import estimate_up

GROUND = (221, 226, 233)
"""RGB where nothing was seen"""
_DOWNWARD = -0.3  # cosine: surfaces that face down hide what is below them from above
_HEADROOM_M = 1.0
_FILL_NEIGHBOURS = 4
_MARGIN_M = 0.25


@dataclass(frozen=True, eq=False)
class Plan:
    """An image seen from above, and where it lies."""

    rgb: NDArray[np.uint8]
    """(H, W, 3)"""
    pixels_per_m: float
    z_up_from_map: NDArray[np.float64]
    """(3, 3) rotation; the image's right is x, its up is y after it"""
    corner_xy_m: tuple[float, float]
    """x and y at the outer corner of the upper left pixel"""

    def pixels(self, points_m: ArrayLike) -> NDArray[np.float64]:
        """(..., 2) image positions of map points (..., 3)."""
        turned = np.asarray(points_m, dtype=np.float64) @ self.z_up_from_map.T
        x = (turned[..., 0] - self.corner_xy_m[0]) * self.pixels_per_m - 0.5
        y = (self.corner_xy_m[1] - turned[..., 1]) * self.pixels_per_m - 0.5
        return np.stack([x, y], axis=-1)


def choose_up(
    declared: NDArray[np.float64] | None, normal: NDArray[np.floating], map_from_camera: NDArray[np.float64]
) -> tuple[NDArray[np.float64], str]:
    """The direction to look down along, and a phrase that says how it was found.

    Args:
        declared: what the memory knows, or None.
        normal: (N, 3) unit normals of the surface.
        map_from_camera: (K, 4, 4) camera poses, axes OpenCV.
    """
    if declared is not None:
        return np.asarray(declared, dtype=np.float64), "seen from above"
    if len(map_from_camera) == 0:
        return np.array([0.0, 0.0, 1.0]), "up unknown: seen along the z axis"
    upright = -map_from_camera[:, :3, 1].mean(axis=0)
    if np.linalg.norm(upright) > 0.5:
        level = estimate_up(normal, -map_from_camera[:, :3, 1])
        if level is not None:
            return level.up_in_map, "up estimated from the largest level surface"
        return upright / np.linalg.norm(upright), "up estimated from how the camera was held"
    axis = int(np.argmin(map_from_camera[:, :3, 3].var(axis=0)))
    return np.eye(3)[axis], f"up unknown: seen along the {'xyz'[axis]} axis, along which the camera moved least"


def draw_plan(
    position_m: NDArray[np.floating], normal: NDArray[np.floating], rgb: NDArray[np.uint8],
    camera_m: NDArray[np.floating], up: NDArray[np.float64], voxel_size_m: float, size: tuple[int, int],
) -> Plan:  # fmt: skip
    """The surface from above, ceilings left out.

    Args:
        position_m: (N, 3) surface points, map frame.
        normal: (N, 3) unit normals.
        rgb: (N, 3) uint8.
        camera_m: (K, 3) positions of the camera: always inside the picture.
        up: (3,) direction to look down along.
        voxel_size_m: spacing of the points.
        size: width and height of the image.
    """
    rotation = rotation_to_z_up(up)
    keep = normal @ up > _DOWNWARD
    if len(camera_m):
        keep &= position_m @ up < np.percentile(camera_m @ up, 90) + _HEADROOM_M
    points, colours = position_m[keep] @ rotation.T, rgb[keep]
    around = np.concatenate([points[:, :2], (camera_m @ rotation.T).reshape(-1, 3)[:, :2]])
    low, high = (around.min(axis=0), around.max(axis=0)) if len(around) else (np.full(2, -1.0), np.full(2, 1.0))
    low, high = low - _MARGIN_M, high + _MARGIN_M
    scale = float(min(size[0] / (high[0] - low[0]), size[1] / (high[1] - low[1])))
    middle = (low + high) / 2.0
    corner = (middle[0] - size[0] / scale / 2.0, middle[1] + size[1] / scale / 2.0)
    cell = max(voxel_size_m, 1.0 / scale)
    image = _raster(points, colours, cell, corner, (np.array(size) / scale / cell).astype(int) + 1)
    return Plan(_enlarged(image, cell * scale, size), scale, rotation, corner)


def _raster(
    points: NDArray[np.floating], colours: NDArray[np.uint8], cell: float, corner: tuple[float, float], shape: NDArray
) -> NDArray[np.uint8]:
    """(h, w, 3): the colour of the highest point in each cell; small gaps closed from their neighbours."""
    column = np.floor((points[:, 0] - corner[0]) / cell).astype(np.int64)
    row = np.floor((corner[1] - points[:, 1]) / cell).astype(np.int64)
    inside = (column >= 0) & (row >= 0) & (column < shape[0]) & (row < shape[1])
    cells = row[inside] * shape[0] + column[inside]
    order = np.lexsort((-points[inside, 2], cells))
    cells, first = np.unique(cells[order], return_index=True)
    image = np.full((shape[1] * shape[0], 3), GROUND, dtype=np.uint8)
    filled = np.zeros(shape[1] * shape[0], dtype=bool)
    image[cells], filled[cells] = colours[inside][order][first], True
    return _closed(image.reshape(shape[1], shape[0], 3), filled.reshape(shape[1], shape[0]))


def _closed(image: NDArray[np.uint8], filled: NDArray[np.bool_]) -> NDArray[np.uint8]:
    import cv2

    for _ in range(2):
        count = cv2.boxFilter(filled.astype(np.float32), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        weighted = image.astype(np.float32) * filled[..., None]
        total = cv2.boxFilter(weighted, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
        gap = ~filled & (count >= _FILL_NEIGHBOURS)
        image[gap] = (total[gap] / count[gap][:, None]).astype(np.uint8)
        filled = filled | gap
    return image


def _enlarged(image: NDArray[np.uint8], factor: float, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The cells enlarged by `factor` (pixels a cell) and cut to width and height; corners of pixels stay in place."""
    import cv2

    to_cells = np.array([[1.0 / factor, 0.0, 0.5 / factor - 0.5], [0.0, 1.0 / factor, 0.5 / factor - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, to_cells, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=GROUND)
    return np.asarray(warped, dtype=np.uint8)
