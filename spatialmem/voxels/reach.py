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
_AT_ONCE = 4096  # blocks: of all that are on file, in a map of many rooms, these arrays would take more than the frame


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
        x = (r[0, 0] * bx + r[0, 1] * by + r[0, 2] * bz) * edge + r[0, 3]
        y = (r[1, 0] * bx + r[1, 1] * by + r[1, 2] * bz) * edge + r[1, 3]
        left, right, top, bottom = x - radius, x + radius, y - radius, y + radius
        near, behind = z - radius, z + radius
        if near <= 0.05:  # beside the camera it may be anywhere outwards from where its far side is
            bounds[n, 0] = left / behind * fx + cx if left > 0 else -math.inf
            bounds[n, 1] = top / behind * fy + cy if top > 0 else -math.inf
            bounds[n, 2] = right / behind * fx + cx if right < 0 else math.inf
            bounds[n, 3] = bottom / behind * fy + cy if bottom < 0 else math.inf
            continue
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


@leaf
def _nearer(bounds, depth, stride, limits, out):
    rows, columns = limits.shape
    for n in range(bounds.shape[0]):
        out[n] = False
        left, top = bounds[n, 0] / stride - 1.0, bounds[n, 1] / stride - 1.0  # in rays; one more on every side
        right, bottom = bounds[n, 2] / stride + 1.0, bounds[n, 3] / stride + 1.0
        if right < 0.0 or bottom < 0.0 or left > columns or top > rows or left > right:
            continue
        u0, v0 = int(max(0.0, left)), int(max(0.0, top))
        u1, v1 = int(min(columns - 1.0, right)), int(min(rows - 1.0, bottom))
        for v in range(v0, v1 + 1):
            for u in range(u0, u1 + 1):
                if limits[v, u] > 0.0 and depth[n] <= limits[v, u]:
                    out[n] = True
                    break
            if out[n]:
                break


def nearer_than(
    keys: NDArray[np.int64], edge_m: float, map_from_camera: NDArray[np.float64], camera: Camera, stride: int,
    limits_m: NDArray[np.float64],
) -> NDArray[np.bool_]:  # fmt: skip
    """(N,) on which of the blocks the rays through every stride-th pixel may come when they end where `limits_m` says.

    limits_m: (rows, columns) depth of each ray, 0 for none.
    """
    near, far_m = np.empty(len(keys), np.bool_), float(limits_m.max(initial=0.0))
    limits_m = np.ascontiguousarray(limits_m, np.float64)
    for at in range(0, len(keys), _AT_ONCE):
        some = keys[at : at + _AT_ONCE]
        bounds = pixel_bounds(some, edge_m, map_from_camera, camera, far_m)
        middle = (unpack_keys(some) + 0.5) * edge_m - map_from_camera[:3, 3]
        depth = middle @ map_from_camera[:3, 2] - edge_m * (_HALF_DIAGONAL + _ASIDE)
        _nearer(bounds, depth, float(stride), limits_m, near[at : at + _AT_ONCE])
    return near
