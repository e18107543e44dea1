"""What a surface point looks like: its normal, its colour, its feature."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.half import half_to_float
from spatialmem.voxels.keys import BLOCK, NO_BLOCK, find, pack_key
from spatialmem.voxels.raycast import NOT_OBSERVED, field_of, trilinear


class Rows(NamedTuple):
    """The part of `Pools` that finds a voxel's row."""

    table_keys: NDArray[np.int64]
    table_blocks: NDArray[np.int32]
    slot: NDArray[np.uint16]
    pages: NDArray[np.int32]
    colour_weight: NDArray[np.uint8]


class Paint(NamedTuple):
    """The part of `Pools` that says what a row looks like."""

    colour: NDArray[np.uint16]
    feature: NDArray[np.uint16]
    feature_weight: NDArray[np.uint8]


@leaf
def rows_of(pools):
    """Their part that finds a voxel's row."""
    return Rows(pools.table_keys, pools.table_blocks, pools.slot, pools.pages, pools.colour_weight)


@leaf
def paint_of(pools):
    """Their part that says what a surface looks like."""
    return Paint(pools.colour, pools.feature, pools.feature_weight)


@leaf
def _slope_along(field, min_weight, px, py, pz, a):
    """Derivative of the distance along axis `a`, per voxel: over a voxel to both sides, or as far as it is known.

    One-sided, then over half and a quarter of a voxel, where the band ends; NaN where that fails too.
    """
    middle = trilinear(field, min_weight, px, py, pz)
    h = 1.0
    for _ in range(3):
        dx, dy, dz = (h if a == 0 else 0.0), (h if a == 1 else 0.0), (h if a == 2 else 0.0)
        after = trilinear(field, min_weight, px + dx, py + dy, pz + dz)
        before = trilinear(field, min_weight, px - dx, py - dy, pz - dz)
        if before != NOT_OBSERVED and after != NOT_OBSERVED:
            return (after - before) / (2.0 * h)
        if middle != NOT_OBSERVED and after != NOT_OBSERVED:
            return (after - middle) / h
        if middle != NOT_OBSERVED and before != NOT_OBSERVED:
            return (middle - before) / h
        h *= 0.5
    return np.nan


@leaf
def gradient(field, min_weight, px, py, pz):
    """Unit gradient of the distance at a point in voxels, towards the observed side; NaN when it is not known."""
    x = _slope_along(field, min_weight, px, py, pz, 0)
    y = _slope_along(field, min_weight, px, py, pz, 1)
    z = _slope_along(field, min_weight, px, py, pz, 2)
    length = math.sqrt(x * x + y * y + z * z)
    return (x / length, y / length, z / length) if length > 0 else (np.nan, np.nan, np.nan)


@leaf
def nearest_row(rows, px, py, pz):
    """Row of the voxel at a point in voxels, or of the neighbour nearest to it that has one; -1 when none has."""
    vx, vy, vz = int(math.floor(px)), int(math.floor(py)), int(math.floor(pz))
    best, best_distance = np.int64(-1), 1e9
    key, block = np.int64(-1), np.int32(NO_BLOCK)
    for dz in range(-1, 2):
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                x, y, z = vx + dx, vy + dy, vz + dz
                distance = (x + 0.5 - px) ** 2 + (y + 0.5 - py) ** 2 + (z + 0.5 - pz) ** 2
                if distance >= best_distance:
                    continue
                here = pack_key(x >> 3, y >> 3, z >> 3)
                if here != key:
                    key, block = here, find(rows.table_keys, rows.table_blocks, here)
                if block == NO_BLOCK:
                    continue
                slot = rows.slot[block, ((z & 7) * BLOCK + (y & 7)) * BLOCK + (x & 7)]
                if slot > 0:
                    row = row_at(rows.pages, block, slot)
                    if rows.colour_weight[row] > 0:
                        best, best_distance = row, distance
    return best


@leaf
def shade(field, rows, paint, m, camera, per_voxel, min_weight, j, i, t, normal, rgb, feature, has_feature):
    """Normal, colour and feature of the surface point at depth t in pixel (j, i)."""
    x, y = (i - camera.cx) / camera.fx, (j - camera.cy) / camera.fy
    px = (m[0, 3] + t * (m[0, 0] * x + m[0, 1] * y + m[0, 2])) * per_voxel
    py = (m[1, 3] + t * (m[1, 0] * x + m[1, 1] * y + m[1, 2])) * per_voxel
    pz = (m[2, 3] + t * (m[2, 0] * x + m[2, 1] * y + m[2, 2])) * per_voxel
    normal[j, i, 0], normal[j, i, 1], normal[j, i, 2] = gradient(field, min_weight, px, py, pz)
    row = nearest_row(rows, px, py, pz)
    if row < 0:
        return
    for c in range(3):
        rgb[j, i, c] = np.uint8(min(255, (paint.colour[row, c] + 128) >> 8))
    if has_feature and paint.feature_weight[row] > 0:
        for k in range(feature.shape[2]):
            feature[j, i, k] = half_to_float(paint.feature[row, k])


@leaf
def shade_rows(
    start, stop, pools, map_from_camera, camera, voxel, min_weight, depth, normal, rgb, feature, has_feature
):
    """Normal, colour and feature of the surface points that `cast_rows` found (stride 1, offset 0)."""
    field, rows, paint = field_of(pools), rows_of(pools), paint_of(pools)
    per_voxel = 1.0 / voxel
    for j in range(start, stop):
        for i in range(depth.shape[1]):
            t = depth[j, i]
            normal[j, i] = np.nan
            if t > 0:
                shade(
                    field, rows, paint, map_from_camera, camera, per_voxel, min_weight, j, i, t, normal, rgb, feature,
                    has_feature,
                )  # fmt: skip
