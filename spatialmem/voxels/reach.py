"""Which of many blocks a camera may come upon, by their bounding spheres: never too few, some too many."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Camera
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import KEY_MASK, KEY_OFFSET, unpack_keys

_HALF_DIAGONAL = 0.8661  # of a block, in edges
_ASIDE = 0.375  # edges beside a ray that are looked at: three voxels


@leaf
def _bounds(keys, r, edge, radius, fx, fy, cx, cy, far, bounds):
    for n in range(keys.shape[0]):
        key = keys[n]
        bx = (key >> 42) - KEY_OFFSET + 0.5
        by = ((key >> 21) & KEY_MASK) - KEY_OFFSET + 0.5
        bz = (key & KEY_MASK) - KEY_OFFSET + 0.5
        z = (r[2, 0] * bx + r[2, 1] * by + r[2, 2] * bz) * edge + r[2, 3]
        bounds[n, 0], bounds[n, 1], bounds[n, 2], bounds[n, 3] = math.inf, math.inf, -math.inf, -math.inf
        if z + radius <= 0.0 or z - radius > far:
            continue
        if z - radius <= 0.05:
            bounds[n, 0], bounds[n, 1], bounds[n, 2], bounds[n, 3] = -math.inf, -math.inf, math.inf, math.inf
            continue
        x = (r[0, 0] * bx + r[0, 1] * by + r[0, 2] * bz) * edge + r[0, 3]
        y = (r[1, 0] * bx + r[1, 1] * by + r[1, 2] * bz) * edge + r[1, 3]
        left, right, top, bottom = x - radius, x + radius, y - radius, y + radius
        near, behind = z - radius, z + radius
        bounds[n, 0] = left / (near if left < 0 else behind) * fx + cx
        bounds[n, 1] = top / (near if top < 0 else behind) * fy + cy
        bounds[n, 2] = right / (near if right > 0 else behind) * fx + cx
        bounds[n, 3] = bottom / (near if bottom > 0 else behind) * fy + cy


def pixel_bounds(
    keys: NDArray[np.int64], edge_m: float, map_from_camera: NDArray[np.float64], camera: Camera, far_m: float,
    aside: float = _ASIDE,
) -> NDArray[np.float64]:  # fmt: skip
    """(N, 4) left, top, right, bottom pixel of what each block may have a say in; left > right: in nothing.

    edge_m: of a block. far_m: depth up to which blocks count. aside: edges beside a ray that are looked at.
    """
    rotation = map_from_camera[:3, :3].T
    camera_from_map = np.ascontiguousarray(np.column_stack([rotation, -rotation @ map_from_camera[:3, 3]]))
    bounds = np.empty((len(keys), 4))
    radius = edge_m * (_HALF_DIAGONAL + aside)
    _bounds(
        np.ascontiguousarray(keys, np.int64), camera_from_map, edge_m, radius, camera.fx, camera.fy, camera.cx,
        camera.cy, far_m, bounds,
    )  # fmt: skip
    return bounds


def within(bounds: NDArray[np.float64], left: float, top: float, right: float, bottom: float) -> NDArray[np.bool_]:
    """Which of `pixel_bounds` meet a rectangle of pixels, with one more on every side."""
    return (
        (bounds[:, 0] <= right + 1) & (bounds[:, 2] >= left - 1)
        & (bounds[:, 1] <= bottom + 1) & (bounds[:, 3] >= top - 1)
    )  # fmt: skip


@leaf
def _nearer(bounds, depth, pixels, limits, out):
    rows, columns = limits.shape
    for n in range(bounds.shape[0]):
        out[n] = False
        if bounds[n, 0] > bounds[n, 2]:
            continue
        left, right = max(0.0, bounds[n, 0] / pixels - 1), min(columns - 1.0, bounds[n, 2] / pixels + 1)
        top, bottom = max(0.0, bounds[n, 1] / pixels - 1), min(rows - 1.0, bounds[n, 3] / pixels + 1)
        for v in range(int(top), int(bottom) + 1):
            for u in range(int(left), int(right) + 1):
                out[n] |= depth[n] <= limits[v, u]


def nearer_than(
    keys: NDArray[np.int64], edge_m: float, map_from_camera: NDArray[np.float64], camera: Camera, pixels: int,
    limits_m: NDArray[np.float64],
) -> NDArray[np.int64]:  # fmt: skip
    """Those of the block keys (N,) on which rays may come that end, in each tile, where its limit says.

    limits_m: (rows, columns) depth; a tile is `pixels` wide and high, and what lies beside it counts as well.
    """
    bounds = pixel_bounds(keys, edge_m, map_from_camera, camera, float(limits_m.max(initial=0.0)))
    middle = (unpack_keys(keys) + 0.5) * edge_m - map_from_camera[:3, 3]
    depth = middle @ map_from_camera[:3, 2] - edge_m * (_HALF_DIAGONAL + _ASIDE)
    near = np.empty(len(keys), np.bool_)
    _nearer(bounds, depth, float(pixels), np.ascontiguousarray(limits_m, np.float64), near)
    return keys[near]


def in_view(
    keys: NDArray[np.int64], edge_m: float, map_from_camera: NDArray[np.float64], camera: Camera, far_m: float
) -> NDArray[np.int64]:
    """Those of the block keys (N,) that a look through this camera may come upon."""
    bounds = pixel_bounds(keys, edge_m, map_from_camera, camera, far_m)
    return keys[within(bounds, 0.0, 0.0, camera.width, camera.height)]
