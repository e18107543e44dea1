"""Averaging what a frame says into the surface grid: distances, and rows of colour and feature near the surface."""

from __future__ import annotations

import numpy as np

from spatialmem.voxels.allocate import new_row, reserve_rows_shared, row_at
from spatialmem.voxels.compiled import kernel, leaf
from spatialmem.voxels.half import eight_bits, float_to_half, half_to_float
from spatialmem.voxels.integrate import Scratch, block_origin, new_work, sample_block
from spatialmem.voxels.keys import BLOCK, VOXELS
from spatialmem.voxels.prefetch import fetch_feature, prefetch

WEIGHT_CAP = 255
ROW_WEIGHT_CAP = 32
_ROWS_AHEAD = 6


@leaf
def _blend_colour(colour, colour_weight, row, rgb, pixel_u, pixel_v):
    weight = np.float32(min(colour_weight[row] + 1, ROW_WEIGHT_CAP))
    for channel in range(3):
        old = np.float32(colour[row, channel])
        value = np.float32(rgb[pixel_v, pixel_u, channel]) * np.float32(256)
        colour[row, channel] = np.uint16(old + (value - old) / weight + np.float32(0.5))
    colour_weight[row] = np.uint8(weight)


@leaf
def _blend_feature(feature, row, features, gu, gv, share):
    """Average the bilinear interpolation of the patch grid at (gu, gv) into a row with the given share."""
    rows, columns, width = features.shape
    gu = min(max(gu, np.float32(0)), np.float32(columns - 1))
    gv = min(max(gv, np.float32(0)), np.float32(rows - 1))
    u0, v0 = int(gu), int(gv)
    u1, v1 = min(u0 + 1, columns - 1), min(v0 + 1, rows - 1)
    du, dv = gu - np.float32(u0), gv - np.float32(v0)
    one = np.float32(1)
    w00, w01, w10, w11 = (one - du) * (one - dv), du * (one - dv), (one - du) * dv, du * dv
    a, b, c, d = features[v0, u0], features[v0, u1], features[v1, u0], features[v1, u1]
    for k in range(width):
        new = w00 * a[k] + w01 * b[k] + w10 * c[k] + w11 * d[k]
        old = half_to_float(feature[row, k])
        feature[row, k] = eight_bits(float_to_half(old + (new - old) * share))


@leaf
def _merge_distances(dist, weight, block, new_dist, new_weight, n):
    """Weighted means of one block's distances; whether the frame said anything about it."""
    seen = 0
    for i in range(VOXELS):
        w = np.int32(new_weight[n, i])
        seen |= w
        old_w = np.int32(weight[block, i])
        share = np.float32(w) / np.float32(max(old_w + w, 1))
        old = np.float32(dist[block, i])
        dist[block, i] = np.int16(np.floor(old + (np.float32(new_dist[n, i]) - old) * share + np.float32(0.5)))
        weight[block, i] = np.uint8(min(old_w + w, WEIGHT_CAP))
    return seen > 0


@leaf
def _project(near, count, origin, r, voxel, camera, us, vs):
    """Pixel coordinates of the first `count` voxels in `near`."""
    for n in range(count):
        i = np.int64(near[n])
        x = (i % BLOCK) * voxel
        y = (i // BLOCK % BLOCK) * voxel
        z = (i // (BLOCK * BLOCK)) * voxel
        pz = np.float32(origin[2] + r[2, 0] * x + r[2, 1] * y + r[2, 2] * z)
        us[n] = np.float32((origin[0] + r[0, 0] * x + r[0, 1] * y + r[0, 2] * z) / pz * camera.fx + camera.cx)
        vs[n] = np.float32((origin[1] + r[1, 0] * x + r[1, 1] * y + r[1, 2] * z) / pz * camera.fy + camera.cy)


@leaf
def _rows_for(pools, block, near, count, rows):
    """Rows of the first `count` voxels in `near`, made where there are none."""
    slots, pages = pools.slot, pools.pages
    for n in range(count):
        slot = slots[block, near[n]]
        rows[n] = row_at(pages, block, slot) if slot > 0 else new_row(pools, block, np.int64(near[n]))


@leaf
def _merge_colours(pools, rows, count, us, vs, camera, rgb, lsn):
    colour, weight, first, last, doubt = pools.colour, pools.colour_weight, pools.first, pools.last, pools.doubt
    half = np.float32(0.5)
    for n in range(count):
        row = rows[n]
        ahead = rows[min(n + _ROWS_AHEAD, count - 1)]
        prefetch(colour, (ahead, 0))
        prefetch(first, (ahead,))
        prefetch(last, (ahead,))
        prefetch(doubt, (ahead,))
        pixel_u = min(max(int(us[n] + half), 0), camera.width - 1)
        pixel_v = min(max(int(vs[n] + half), 0), camera.height - 1)
        _blend_colour(colour, weight, row, rgb, pixel_u, pixel_v)
        if first[row] == 0:
            first[row] = lsn
        last[row] = lsn
        doubt[row] = 0


@leaf
def _merge_features(feature, weight, rows, count, us, vs, camera, features):
    to_grid_u = np.float32(features.shape[1] / camera.width)
    to_grid_v = np.float32(features.shape[0] / camera.height)
    half = np.float32(0.5)
    for n in range(count):
        row = rows[n]
        fetch_feature(feature, rows[min(n + _ROWS_AHEAD, count - 1)])
        seen = np.float32(min(weight[row] + 1, ROW_WEIGHT_CAP))
        weight[row] = np.uint8(seen)
        gu, gv = (us[n] + half) * to_grid_u - half, (vs[n] + half) * to_grid_v - half
        _blend_feature(feature, row, features, gu, gv, np.float32(1) / seen)


@kernel
def merge_blocks(start, stop, pools, touched, camera, camera_from_map, grid, lsn, scratch, rgb, features, has_features):
    """Average the scratch of `integrate.sample_blocks` into the map: distance, weight, and rows near the surface.

    rgb: (H, W, 3) uint8; features: (h, w, D) float32 patch grid over the whole image.
    """
    work = new_work(camera_from_map, grid.voxel)
    _merge_blocks(
        start, stop, pools, touched, camera, camera_from_map, grid, lsn, scratch, rgb, features, has_features, work
    )  # fmt: skip


@leaf
def _merge_blocks(
    start, stop, pools, touched, camera, camera_from_map, grid, lsn, scratch, rgb, features, has_features, work
):
    for n in range(start, stop):
        _merge_block(
            n, touched[n], pools, camera, camera_from_map, grid, lsn, scratch, rgb, features, has_features, work
        )  # fmt: skip


@leaf
def _merge_block(n, block, pools, camera, camera_from_map, grid, lsn, scratch, rgb, features, has_features, work):
    """A loop for each kind of work: the processor then fetches the rows to come while it averages one.

    What is called for every row gets the arrays it needs: handing the tuple of all pools over would copy it each time.
    """
    if lsn <= pools.contains[block]:
        return
    new_dist, new_weight, near, count = scratch.dist, scratch.weight, scratch.near[n], scratch.near_count[n]
    rows, us, vs = work.rows, work.us, work.vs
    if _merge_distances(pools.dist, pools.weight, block, new_dist, new_weight, n):
        pools.changed[block] = lsn
    origin = block_origin(pools.keys[block], grid.voxel, camera_from_map)
    _project(near, count, origin, camera_from_map, grid.voxel, camera, us, vs)
    _rows_for(pools, block, near, count, rows)
    _merge_colours(pools, rows, count, us, vs, camera, rgb, lsn)
    if has_features:
        _merge_features(pools.feature, pools.feature_weight, rows, count, us, vs, camera, features)


@leaf
def _fuse_blocks(
    start, stop, pools, touched, readings, camera, camera_from_map, grid, lsn, rgb, features, has_features, scratch,
    work,
):  # fmt: skip
    for n in range(start, stop):
        block = touched[n]
        sample_block(0, block, pools, readings, camera, camera_from_map, grid, lsn, scratch, work)
        reserve_rows_shared(pools, block, scratch.needs[0])
        _merge_block(
            0, block, pools, camera, camera_from_map, grid, lsn, scratch, rgb, features, has_features, work
        )  # fmt: skip


@kernel
def fuse_blocks(start, stop, pools, touched, readings, camera, camera_from_map, grid, lsn, rgb, features, has_features):
    """`integrate.sample_blocks` and `merge_blocks` in one, block by block, so that what is read stays in the cache.

    For a map with room for as many rows as the touched blocks can ever get.
    """
    scratch = Scratch(
        np.empty((1, VOXELS), np.int16), np.empty((1, VOXELS), np.uint8), np.empty((1, VOXELS + 1), np.uint16),
        np.empty(1, np.int32), np.empty(1, np.int32),
    )  # fmt: skip
    _fuse_blocks(
        start, stop, pools, touched, readings, camera, camera_from_map, grid, lsn, rgb, features, has_features, scratch,
        new_work(camera_from_map, grid.voxel),
    )  # fmt: skip
