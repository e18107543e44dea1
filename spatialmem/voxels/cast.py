"""What the surface grid looks like from a pose: depth, normal, colour, feature."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Camera, View
from spatialmem.voxels import raycast, shading
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.integrate import Grid
from spatialmem.voxels.keys import BLOCK
from spatialmem.voxels.pools import Pools
from spatialmem.voxels.versions import live_blocks
from spatialmem.voxels.views import pinhole

MIN_WEIGHT = 1
"""weight (eighths of an observation) from which a voxel counts as observed"""
GAP_VOXELS = math.sqrt(3.0)
"""longest way through one voxel: a surface in one that was not observed is inferred from those on both sides"""
NEAR_M, FAR_M = 0.05, 60.0
"""depths between which blocks are cast"""
Part = tuple[int, int, int, int]
"""rows from, to, columns from, to, in tiles"""


def halves(part: Part) -> tuple[Part, Part]:
    """A part cut in two across its longer side."""
    top, bottom, left, right = part
    if bottom - top >= right - left:
        middle = (top + bottom) // 2
        return (top, middle, left, right), (middle, bottom, left, right)
    middle = (left + right) // 2
    return (top, bottom, left, middle), (top, bottom, middle, right)


def cast_depth(
    pools: Pools, grid: Grid, map_from_camera: NDArray[np.float64], camera: Camera, stride: int = 1, offset: int = 0,
    min_weight: int = MIN_WEIGHT, gap_voxels: float = GAP_VOXELS, far_m: float = FAR_M, part: Part | None = None,
) -> NDArray[np.float32]:  # fmt: skip
    """(rows, columns) float32 z-depth in metres of every `stride`-th pixel from `offset` on; NaN without surface.

    gap_voxels: unobserved way that a surface is inferred across, 0 for observed surfaces alone; see `raycast.cast_ray`.
    far_m: depth up to which blocks count. part: the tiles that are cast, the others stay without surface.
    """
    rows = max(0, -(-(camera.height - offset) // stride))
    columns = max(0, -(-(camera.width - offset) // stride))
    keys = keys_at_hand(pools)
    near, far = depth_ranges(keys, grid, map_from_camera, camera, stride, offset, (rows, columns), far_m, part)
    out = np.empty((rows, columns), np.float32)
    DISPATCHER.run(
        raycast.cast_rows, rows, pools, map_from_camera, pinhole(camera), float(grid.voxel), float(grid.truncation),
        min_weight, gap_voxels, stride, offset, near, far, out, grain=4,
    )  # fmt: skip
    return out


def keys_at_hand(pools: Pools) -> NDArray[np.int64]:
    """(N,) keys of the blocks that rays may meet."""
    blocks = live_blocks(pools.table_keys, pools.table_blocks)
    return pools.keys[blocks[pools.changed[blocks] > 0]]  # the others are reserved for a frame that is not in yet


def depth_ranges(
    keys: NDArray[np.int64], grid: Grid, map_from_camera: NDArray[np.float64], camera: Camera, stride: int, offset: int,
    shape: tuple[int, int], far_m: float = FAR_M, part: Part | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Depths at which the rays of each tile of an image of this shape begin, and end, among blocks with these keys."""
    tile = raycast.TILE * stride
    shape = -(-shape[0] // raycast.TILE), -(-shape[1] // raycast.TILE)
    near, far = np.full(shape, np.inf), np.full(shape, -np.inf)
    rotation = map_from_camera[:3, :3].T
    camera_from_map = np.ascontiguousarray(np.column_stack([rotation, -rotation @ map_from_camera[:3, 3]]))
    half_step = 0.5 * (stride - 1)  # a ray stands for its pixel, not for the stride x stride pixels around it
    raycast.tile_ranges(
        keys, camera_from_map, float(grid.voxel) * BLOCK, camera.fx / tile, camera.fy / tile,
        (camera.cx - offset + 0.5 + half_step) / tile, (camera.cy - offset + 0.5 + half_step) / tile,
        NEAR_M, far_m, near, far,
    )  # fmt: skip
    if part is not None:
        others = np.ones(shape, np.bool_)
        others[part[0] : part[1], part[2] : part[3]] = False
        near[others], far[others] = np.inf, -np.inf
    return near, far


def render(
    pools: Pools, grid: Grid, map_from_camera: NDArray[np.float64], camera: Camera, features: bool,
    min_weight: int = MIN_WEIGHT,
) -> View:  # fmt: skip
    """Depth, normal, colour and (if asked for) feature images of the map from a pose."""
    depth = cast_depth(pools, grid, map_from_camera, camera, min_weight=min_weight)
    shape = depth.shape
    normal, rgb = np.empty((*shape, 3), np.float32), np.zeros((*shape, 3), np.uint8)
    feature = np.zeros((*shape, pools.feature.shape[1]) if features else (1, 1, 1), np.float32)
    DISPATCHER.run(
        shading.shade_rows, shape[0], pools, map_from_camera, pinhole(camera), float(grid.voxel), min_weight,
        depth, normal, rgb, feature, features, grain=4,
    )  # fmt: skip
    return View(depth, normal, rgb, feature if features else None)
