"""Fusion of one depth image into the surface grid (docs/format.md, section 5).

Projective signed-distance fusion (Curless & Levoy, SIGGRAPH 1996) over sparse voxel blocks
(Niessner et al., SIGGRAPH Asia 2013), in three passes so that everything that can fail happens before
anything changes: `touch_blocks` finds and reserves the blocks of the truncation band, `sample_blocks` reads
the image for each of their voxels into a scratch, `merge_blocks` averages the scratch in.
We deviate in storing only the band (free space is a grid of its own) and in integer weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels import averages
from spatialmem.voxels.allocate import add_block, new_row, row_at
from spatialmem.voxels.compiled import kernel, leaf
from spatialmem.voxels.keys import BLOCK, KEY_MASK, KEY_OFFSET, NO_BLOCK, VOXELS, pack_key
from spatialmem.voxels.ways import LONGEST_WAY, way
from spatialmem.voxels.weights import DEPTH_UNIT_M

DIST_ONE = 32767
WEIGHT_CAP = 255


class Pinhole(NamedTuple):
    """A camera as the kernels want it: float32 intrinsics in pixels."""

    fx: np.float32
    fy: np.float32
    cx: np.float32
    cy: np.float32
    width: int
    height: int


class Scratch(NamedTuple):
    """What the touched blocks (N) of one frame will become; reused from frame to frame."""

    dist: NDArray[np.int16]
    """(N, 512) measured distance / truncation x 32767"""
    weight: NDArray[np.uint8]
    """(N, 512) weight of the measurement, 0 where the frame says nothing"""
    near: NDArray[np.uint16]
    """(N, 513) voxels within one voxel of the measured surface, the first `near_count`"""
    near_count: NDArray[np.int32]
    needs: NDArray[np.int32]
    """(N,) rows the block will have to get"""


def new_scratch(blocks: int) -> Scratch:
    """Scratch for this many touched blocks."""
    return Scratch(
        np.zeros((blocks, VOXELS), np.int16), np.zeros((blocks, VOXELS), np.uint8),
        np.zeros((blocks, VOXELS + 1), np.uint16), np.zeros(blocks, np.int32), np.zeros(blocks, np.int32),
    )  # fmt: skip


class Grid(NamedTuple):
    """Lengths of the grid, metres."""

    voxel: np.float32
    truncation: np.float32


@leaf
def _inside(bx, by, bz, limits):
    return (
        bx >= limits[0] and bx <= limits[3]
        and by >= limits[1] and by <= limits[4]
        and bz >= limits[2] and bz <= limits[5]
    )  # fmt: skip


@leaf
def _list_way(pools, at, order, forward, limits, has_limits, mark, stamp, touched, count):
    """Add the blocks of a way from block `at` on to `touched`; -1 and -2 as in `touch_blocks`."""
    for n in range(order.shape[0] + 1):
        if n > 0:
            at[order[n - 1]] += 1 if forward[order[n - 1]] else -1
        if has_limits and not _inside(at[0], at[1], at[2], limits):
            continue
        block = add_block(pools, pack_key(at[0], at[1], at[2]))
        if block == NO_BLOCK:
            return -1
        if mark[block] != stamp:
            if count == touched.shape[0]:
                return -2
            mark[block] = stamp
            touched[count] = block
            count += 1
    return count


@kernel
def touch_blocks(pools, packed, camera, map_from_camera, grid, stride, limits, has_limits, mark, stamp, touched):
    """Blocks that the truncation band of the readings passes through: one reading in every stride x stride pixels.

    Writes their indices to `touched` and returns how many; -1 when the pool of blocks is full, -2 when
    `touched` is too short. `mark` (B,) holds the stamp of the last call that listed a block.
    """
    m = map_from_camera
    per_edge = 1.0 / (grid.voxel * BLOCK)
    count, last_code = 0, 0
    near, far, forward, last_forward = np.empty(3), np.empty(3), np.empty(3, np.bool_), np.empty(3, np.bool_)
    at, last_at, order = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(LONGEST_WAY, np.int64)
    for row in range(stride // 2, camera.height, stride):
        for column in range(stride // 2, camera.width, stride):
            reading, u, v = packed[row, column], column, row
            if reading == 0:  # then the one diagonally before it: interlaced depth has rows without any
                u, v = max(column - 1, 0), max(row - 1, 0)
                reading = packed[v, u]
            if reading == 0:
                continue
            z = (reading >> 8) * DEPTH_UNIT_M
            x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
            for a in range(3):
                d = m[a, 0] * x + m[a, 1] * y + m[a, 2]
                near[a] = (m[a, 3] + (z - grid.truncation) * d) * per_edge
                far[a] = (m[a, 3] + (z + grid.truncation) * d) * per_edge
                forward[a] = d > 0
            steps, code = way(near, far, at, order)
            same = code == last_code and steps < 31
            for a in range(3):
                same &= (at[a] == last_at[a]) & (forward[a] == last_forward[a])
                last_at[a], last_forward[a] = at[a], forward[a]
            last_code = code
            if same:  # most readings go the way of the one before
                continue
            count = _list_way(pools, at, order[:steps], forward, limits, has_limits, mark, stamp, touched, count)
            if count < 0:
                return count
    return count


@leaf
def block_origin(key, voxel, r):
    """Camera coordinates (x, y, z) of the centre of the block's first voxel; r is camera_from_map (3, 4)."""
    x = (((key >> 42) - KEY_OFFSET) * BLOCK + 0.5) * voxel
    y = ((((key >> 21) & KEY_MASK) - KEY_OFFSET) * BLOCK + 0.5) * voxel
    z = (((key & KEY_MASK) - KEY_OFFSET) * BLOCK + 0.5) * voxel
    return (
        r[0, 0] * x + r[0, 1] * y + r[0, 2] * z + r[0, 3],
        r[1, 0] * x + r[1, 1] * y + r[1, 2] * z + r[1, 3],
        r[2, 0] * x + r[2, 1] * y + r[2, 2] * z + r[2, 3],
    )


@kernel
def _voxel_offsets(r, voxel):
    """(3, 512) float32 camera-frame offsets of a block's voxel centres from its first one."""
    out = np.empty((3, VOXELS), np.float32)
    for i in range(VOXELS):
        x, y, z = i % BLOCK, i // BLOCK % BLOCK, i // (BLOCK * BLOCK)
        for a in range(3):
            out[a, i] = (r[a, 0] * x + r[a, 1] * y + r[a, 2] * z) * voxel
    return out


@kernel
def sample_blocks(start, stop, pools, touched, readings, camera, camera_from_map, grid, lsn, scratch):
    """Read the image for every voxel of the touched blocks; the map is not changed.

    readings: (H * W,) packed. Fills the first N entries of `scratch`.
    """
    new_dist, new_weight, new_near, new_count, needs = scratch
    fx, fy = np.float32(camera.fx), np.float32(camera.fy)
    cx, cy = np.float32(camera.cx + 0.5), np.float32(camera.cy + 0.5)
    width, height = np.float32(camera.width), np.float32(camera.height)
    stride = np.int32(camera.width)
    truncation = np.float32(grid.truncation)
    scale = np.float32(DIST_ONE / grid.truncation)
    near = np.int32(DIST_ONE * grid.voxel / grid.truncation)
    unit, half, zero, one = np.float32(DEPTH_UNIT_M), np.float32(0.5), np.float32(0), np.float32(1)
    nowhere = np.float32(np.inf)
    offsets = _voxel_offsets(camera_from_map, grid.voxel)
    off_x, off_y, off_z = offsets[0], offsets[1], offsets[2]
    pixel, depth = np.empty(VOXELS, np.int32), np.empty(VOXELS, np.float32)
    found, eights = np.empty(VOXELS, np.int32), np.empty(VOXELS // 8, np.uint64)
    close = eights.view(np.uint8)
    for n in range(start, stop):
        block = touched[n]
        if lsn <= pools.contains[block]:
            new_weight[n] = 0
            new_count[n] = 0
            needs[n] = 0
            continue
        origin = block_origin(pools.keys[block], grid.voxel, camera_from_map)
        ox, oy, oz = np.float32(origin[0]), np.float32(origin[1]), np.float32(origin[2])
        block_dist, block_weight = new_dist[n], new_weight[n]
        for i in range(VOXELS):  # four short loops, each of which LLVM vectorises; only the look-up is scalar
            z = oz + off_z[i]
            inverse = one / z
            u = (ox + off_x[i]) * inverse * fx + cx
            v = (oy + off_y[i]) * inverse * fy + cy
            ahead = (z > np.float32(0.01)) & (u >= zero) & (v >= zero) & (u < width) & (v < height)
            at = np.int32(v if ahead else zero) * stride + np.int32(u if ahead else zero)
            pixel[i] = at
            depth[i] = z if ahead else nowhere  # then no reading is near it, not the one of pixel 0 either
        for i in range(VOXELS):
            found[i] = readings[np.uint32(pixel[i])]
        for i in range(VOXELS):
            reading = found[i]
            s = np.float32(reading >> np.int32(8)) * unit - depth[i]
            use = (reading > 0) & (s <= truncation) & (s >= -truncation)
            distance = np.int32(np.floor((s if use else zero) * scale + half))
            weight = (reading & np.int32(255)) if use else np.int32(0)
            block_dist[i], block_weight[i] = np.int16(distance), np.uint8(weight)
            close[i] = np.uint8((weight > 0) & (distance <= near) & (distance >= -near))
        rows = 0
        for eighth in range(VOXELS // 8):
            if eights[eighth] != 0:  # of eight in a row none is near, most often
                for i in range(8 * eighth, 8 * eighth + 8):
                    new_near[n, rows] = i
                    rows += close[i]
        new_count[n] = rows
        missing = 0
        for i in range(rows):
            missing += pools.slot[block, new_near[n, i]] == 0
        needs[n] = missing


@leaf
def _merge_distances(dist, weight, block, new_dist, new_weight, n):
    """Weighted means of one block's distances; whether the frame said anything about it."""
    seen = 0
    for layer in range(BLOCK):
        start, said = layer * BLOCK * BLOCK, np.uint8(0)
        for i in range(start, start + BLOCK * BLOCK):
            said |= new_weight[n, i]
        if said == 0:  # most layers of a block lie outside the band
            continue
        seen |= said
        for i in range(start, start + BLOCK * BLOCK):
            w = np.int32(new_weight[n, i])
            old_w = np.int32(weight[block, i])
            share = np.float32(w) / np.float32(max(old_w + w, 1))
            old = np.float32(dist[block, i])
            dist[block, i] = np.int16(np.floor(old + (np.float32(new_dist[n, i]) - old) * share + np.float32(0.5)))
            weight[block, i] = np.uint8(min(old_w + w, WEIGHT_CAP))
    return seen > 0


@leaf
def _rows_for(pools, block, near, count, rows):
    """Rows of the first `count` voxels in `near`, made where there are none."""
    slots, pages = pools.slot, pools.pages
    for n in range(count):
        slot = slots[block, near[n]]
        rows[n] = row_at(pages, block, slot) if slot > 0 else new_row(pools, block, np.int64(near[n]))


@kernel
def merge_blocks(start, stop, pools, touched, camera, camera_from_map, grid, lsn, scratch, rgb, features, has_features):
    """Average the scratch of `sample_blocks` into the map: distance, weight, and rows near the surface.

    rgb: (H, W, 3) uint8; features: (h, w, D) float32 patch grid over the whole image. Both contiguous.
    """
    pixels, whole, real = rgb.reshape(-1, 3), np.empty((3, VOXELS), np.int32), np.empty((7, VOXELS), np.float32)
    patches = features.reshape(-1, features.shape[2])
    places = averages.Places(
        np.empty(VOXELS, np.int64), np.empty(VOXELS, np.int32), real[0], real[1], whole[0], whole[1], whole[2],
        real[2], real[3], real[4], real[5], real[6],
    )  # fmt: skip
    shape = features.shape[0], features.shape[1]
    _merge_blocks(
        start, stop, pools, touched, camera, camera_from_map, grid, lsn, scratch, pixels, patches, shape, has_features,
        places,
    )  # fmt: skip


@leaf
def _merge_blocks(
    start, stop, pools, touched, camera, camera_from_map, grid, lsn, scratch, pixels, patches, shape, has_features,
    places,
):  # fmt: skip
    """A loop for each kind of work: the processor then fetches the rows to come while it averages one.

    What is called for every row gets the arrays it needs: handing the tuple of all pools over would copy it each time.
    """
    new_dist, new_weight, new_near, new_count, _ = scratch
    for n in range(start, stop):
        block, near, count = touched[n], new_near[n], new_count[n]
        if lsn <= pools.contains[block]:
            continue
        if _merge_distances(pools.dist, pools.weight, block, new_dist, new_weight, n):
            pools.changed[block] = lsn
        origin = block_origin(pools.keys[block], grid.voxel, camera_from_map)
        averages.project(near, count, origin, camera_from_map, grid.voxel, camera, places)
        _rows_for(pools, block, near, count, places.row)
        averages.average_colours(pools, places, count, pixels, lsn)
        if has_features:
            averages.place_patches(count, camera, shape[0], shape[1], places)
            averages.average_features(pools.feature, pools.feature_weight, places, count, patches)
