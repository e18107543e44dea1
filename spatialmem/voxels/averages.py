"""Running means of colour and feature in the rows near the surface (docs/format.md, section 5)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.half import eight_bits, float_to_half, half_to_float
from spatialmem.voxels.keys import BLOCK
from spatialmem.voxels.lanes import LANES, average_in
from spatialmem.voxels.prefetch import fetch_feature, prefetch

ROW_WEIGHT_CAP = 32
_ROWS_AHEAD = 6


class Places(NamedTuple):
    """What the rows of one block see of the frame: the first N entries of each array."""

    row: NDArray[np.int64]
    pixel: NDArray[np.int32]
    """index into the (H * W) pixels"""
    u: NDArray[np.float32]
    v: NDArray[np.float32]
    """pixel coordinates"""
    corner: NDArray[np.int32]
    """index into the (h * w) patches: the upper left one of the four around the voxel"""
    right: NDArray[np.int32]
    below: NDArray[np.int32]
    """steps from there to the next column and row, 0 at the border"""
    w00: NDArray[np.float32]
    w01: NDArray[np.float32]
    w10: NDArray[np.float32]
    w11: NDArray[np.float32]
    """bilinear weights of the four: upper left and right, lower left and right"""
    share: NDArray[np.float32]
    """part of the new feature in the mean"""


@leaf
def project(near, count, origin, r, voxel, camera, places):
    """Pixels of the first `count` voxels in `near`; r is camera_from_map (3, 4), origin that of the block in it."""
    us, vs, pixel = places.u, places.v, places.pixel
    half, zero = np.float32(0.5), np.int32(0)
    width, last_u, last_v = np.int32(camera.width), np.int32(camera.width - 1), np.int32(camera.height - 1)
    for n in range(count):
        i = np.int32(near[n])
        x, y, z = (i & (BLOCK - 1)) * voxel, (i // BLOCK & (BLOCK - 1)) * voxel, (i // (BLOCK * BLOCK)) * voxel
        pz = np.float32(origin[2] + r[2, 0] * x + r[2, 1] * y + r[2, 2] * z)
        u = np.float32((origin[0] + r[0, 0] * x + r[0, 1] * y + r[0, 2] * z) / pz * camera.fx + camera.cx)
        v = np.float32((origin[1] + r[1, 0] * x + r[1, 1] * y + r[1, 2] * z) / pz * camera.fy + camera.cy)
        us[n], vs[n] = u, v
        column, line = min(max(np.int32(u + half), zero), last_u), min(max(np.int32(v + half), zero), last_v)
        pixel[n] = line * width + column


@leaf
def place_patches(count, camera, rows, columns, places):
    """The four patches of a (rows, columns) grid over the whole image around each pixel, and their weights."""
    us, vs, corner, right, below = places.u, places.v, places.corner, places.right, places.below
    w00, w01, w10, w11 = places.w00, places.w01, places.w10, places.w11
    to_grid_u, to_grid_v = np.float32(columns / camera.width), np.float32(rows / camera.height)
    last_u, last_v, step = np.float32(columns - 1), np.float32(rows - 1), np.int32(columns)
    half, zero, one = np.float32(0.5), np.float32(0), np.float32(1)
    for n in range(count):
        gu = min(max((us[n] + half) * to_grid_u - half, zero), last_u)
        gv = min(max((vs[n] + half) * to_grid_v - half, zero), last_v)
        u0, v0 = np.int32(gu), np.int32(gv)
        du, dv = gu - np.float32(u0), gv - np.float32(v0)
        corner[n] = v0 * step + u0
        right[n], below[n] = np.int32(gu < last_u), step * np.int32(gv < last_v)
        w00[n], w01[n], w10[n], w11[n] = (one - du) * (one - dv), du * (one - dv), (one - du) * dv, du * dv


@leaf
def average_colours(pools, places, count, pixels, lsn):
    """Average the pixels (H * W, 3) into the rows, which this frame saw, so that they are no longer in doubt."""
    colour, weight, first, last, doubt = pools.colour, pools.colour_weight, pools.first, pools.last, pools.doubt
    rows, seen = places.row, places.pixel
    for n in range(count):
        row, pixel = np.uint64(rows[n]), np.uint64(seen[n])
        ahead = rows[min(n + _ROWS_AHEAD, count - 1)]
        prefetch(colour, (ahead, 0))
        prefetch(first, (ahead,))
        prefetch(last, (ahead,))
        prefetch(doubt, (ahead,))
        count_now = np.float32(min(weight[row] + 1, ROW_WEIGHT_CAP))
        weight[row] = np.uint8(count_now)
        for channel in range(3):
            c = np.uint64(channel)
            old = np.float32(colour[row, c])
            value = np.float32(pixels[pixel, c]) * np.float32(256)
            colour[row, c] = np.uint16(np.int32(old + (value - old) / count_now + np.float32(0.5)))
        if first[row] == 0:
            first[row] = lsn
        last[row] = lsn
        doubt[row] = 0


@leaf
def average_features(feature, weight, places, count, patches):
    """Average the bilinear interpolation of the patches (h * w, D) into the rows, sixteen columns at a time."""
    rows, share, width = places.row, places.share, feature.shape[1]
    for n in range(count):
        fetch_feature(feature, rows[n])
        seen = np.float32(min(weight[rows[n]] + 1, ROW_WEIGHT_CAP))
        weight[rows[n]] = np.uint8(seen)
        share[n] = np.float32(1) / seen
    k = 0
    while k + LANES <= width:
        _average_sixteen(feature, k, places, count, patches)
        k += LANES
    while k < width:
        _average_one(feature, k, places, count, patches)
        k += 1


@leaf
def _average_sixteen(feature, k, places, count, patches):
    rows, corner, right, below, share = places.row, places.corner, places.right, places.below, places.share
    w00, w01, w10, w11 = places.w00, places.w01, places.w10, places.w11
    for n in range(count):
        a = np.int64(corner[n])
        b, c = a + right[n], a + below[n]
        weights = w00[n], w01[n], w10[n], w11[n]
        average_in(feature, rows[n], k, patches, (a, b, c, b + below[n]), weights, share[n])


@leaf
def _average_one(feature, k, places, count, patches):
    """What `average_in` does, for one column."""
    for n in range(count):
        a, row = np.int64(places.corner[n]), places.row[n]
        b, c = a + places.right[n], a + places.below[n]
        upper = places.w00[n] * patches[a, k] + places.w01[n] * patches[b, k]
        new = upper + places.w10[n] * patches[c, k] + places.w11[n] * patches[b + places.below[n], k]
        old = half_to_float(feature[row, k])
        feature[row, k] = eight_bits(float_to_half(old + (new - old) * places.share[n]))
