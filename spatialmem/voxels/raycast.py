"""Casting rays into the surface grid: what the memory looks like from a pose.

Rays march in z-depth t, so that t is the depth a camera would measure. Unallocated space is skipped
block by block; inside a block the step follows the stored distance (sphere tracing, Hart 1996, on a
truncated field as in KinectFusion, Newcombe et al., ISMAR 2011). A hit is a change of sign from the
observed side, placed by the trilinear distances on both sides of it. Where a ray meets none, a change of
sign across a short unobserved gap stands in for it: what was observed ends in steps of a voxel, and a ray
along that border leaves and enters by turns. An inferred surface never hides an observed one behind it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.half import half_to_float
from spatialmem.voxels.integrate import DIST_ONE
from spatialmem.voxels.keys import BLOCK, KEY_MASK, KEY_OFFSET, NO_BLOCK, find, pack_key

TILE = 8
"""rays along the edge of a tile that shares one depth range"""
_MIN_STEP = 0.4  # voxels; shorter steps cost time and find nothing that interpolation does not
_MAX_STEPS = 4096
_WIDEN, _NARROW = 4, 2  # moves of the bracket around a hit, evaluations to narrow it
_NOT_OBSERVED = 2.0  # returned in place of a distance, which never exceeds 1


class Field(NamedTuple):
    """The part of `Pools` that says where the surface is: what is handed from call to call is kept small."""

    table_keys: NDArray[np.int64]
    table_blocks: NDArray[np.int32]
    weight: NDArray[np.uint8]
    dist: NDArray[np.int16]
    changed: NDArray[np.uint32]


class Rows(NamedTuple):
    """The part of `Pools` that finds a voxel's row."""

    table_keys: NDArray[np.int64]
    table_blocks: NDArray[np.int32]
    slot: NDArray[np.uint16]
    pages: NDArray[np.int32]
    colour_weight: NDArray[np.uint8]


@leaf
def tile_ranges(blocks, pools, camera_from_map, edge, fx, fy, cx, cy, low, high, near, far):
    """Widen (rows, columns) depth ranges of the tiles by the bounding spheres of these blocks.

    fx, fy, cx, cy are in tiles: pixel intrinsics divided by the pixels a tile is wide.
    """
    r = camera_from_map
    radius = edge * 0.8661  # half the diagonal
    rows, columns = near.shape
    for block in blocks:
        if pools.changed[block] == 0:
            continue
        key = pools.keys[block]
        bx = (key >> 42) - KEY_OFFSET + 0.5
        by = ((key >> 21) & KEY_MASK) - KEY_OFFSET + 0.5
        bz = (key & KEY_MASK) - KEY_OFFSET + 0.5
        z = (r[2, 0] * bx + r[2, 1] * by + r[2, 2] * bz) * edge + r[2, 3]
        if z + radius < low or z - radius > high:
            continue
        x = (r[0, 0] * bx + r[0, 1] * by + r[0, 2] * bz) * edge + r[0, 3]
        y = (r[1, 0] * bx + r[1, 1] * by + r[1, 2] * bz) * edge + r[1, 3]
        z0, z1 = max(z - radius, low), min(z + radius, high)
        u0, u1, v0, v1 = 0, columns - 1, 0, rows - 1
        if z - radius > 0.05:
            left, right, top, bottom = x - radius, x + radius, y - radius, y + radius
            u0 = max(u0, int(math.floor(left / (z0 if left < 0 else z1) * fx + cx)))
            u1 = min(u1, int(math.floor(right / (z0 if right > 0 else z1) * fx + cx)))
            v0 = max(v0, int(math.floor(top / (z0 if top < 0 else z1) * fy + cy)))
            v1 = min(v1, int(math.floor(bottom / (z0 if bottom > 0 else z1) * fy + cy)))
        for v in range(v0, v1 + 1):
            for u in range(u0, u1 + 1):
                near[v, u] = min(near[v, u], z0)
                far[v, u] = max(far[v, u], z1)


@leaf
def _sample(field, min_weight, vx, vy, vz, cached_key, cached_block):
    """Nearest distance (of the truncation) at voxel coordinates, with the last block kept at hand."""
    key = pack_key(vx >> 3, vy >> 3, vz >> 3)
    if key != cached_key:
        cached_key, cached_block = key, find(field.table_keys, field.table_blocks, key)
        if cached_block != NO_BLOCK and field.changed[cached_block] == 0:  # reserved for a frame that is not in yet
            cached_block = np.int32(NO_BLOCK)
    if cached_block == NO_BLOCK:
        return _NOT_OBSERVED, cached_key, cached_block, False
    i = ((vz & 7) * BLOCK + (vy & 7)) * BLOCK + (vx & 7)
    if field.weight[cached_block, i] < min_weight:
        return _NOT_OBSERVED, cached_key, cached_block, True
    return field.dist[cached_block, i] / DIST_ONE, cached_key, cached_block, True


@leaf
def _trilinear_within(field, min_weight, x0, y0, z0, ax, ay, az):
    """`trilinear` when all eight corners lie in one block, as two times out of three."""
    block = find(field.table_keys, field.table_blocks, pack_key(x0 >> 3, y0 >> 3, z0 >> 3))
    if block == NO_BLOCK:
        return _NOT_OBSERVED
    weight, dist = field.weight, field.dist
    i = ((z0 & 7) * BLOCK + (y0 & 7)) * BLOCK + (x0 & 7)
    low = np.inf
    for corner in range(8):
        low = min(low, weight[block, i + (corner & 1) + (corner >> 1 & 1) * BLOCK + (corner >> 2) * BLOCK * BLOCK])
    if low < min_weight:
        return _NOT_OBSERVED
    bx, by, bz = 1 - ax, 1 - ay, 1 - az
    j = i + BLOCK * BLOCK
    k, m = i + BLOCK, j + BLOCK
    lower = by * (bx * dist[block, i] + ax * dist[block, i + 1]) + ay * (bx * dist[block, k] + ax * dist[block, k + 1])
    upper = by * (bx * dist[block, j] + ax * dist[block, j + 1]) + ay * (bx * dist[block, m] + ax * dist[block, m + 1])
    return (bz * lower + az * upper) / DIST_ONE


@leaf
def trilinear(field, min_weight, px, py, pz):
    """Trilinear distance at a point in voxels (centres at +0.5); `_NOT_OBSERVED` when a corner is unknown."""
    gx, gy, gz = px - 0.5, py - 0.5, pz - 0.5
    x0, y0, z0 = int(math.floor(gx)), int(math.floor(gy)), int(math.floor(gz))
    ax, ay, az = gx - x0, gy - y0, gz - z0
    if (x0 & 7) < 7 and (y0 & 7) < 7 and (z0 & 7) < 7:
        return _trilinear_within(field, min_weight, x0, y0, z0, ax, ay, az)
    key, block = np.int64(-1), np.int32(NO_BLOCK)
    total = 0.0
    for corner in range(8):
        dx, dy, dz = corner & 1, (corner >> 1) & 1, corner >> 2
        d, key, block, _ = _sample(field, min_weight, x0 + dx, y0 + dy, z0 + dz, key, block)
        if d == _NOT_OBSERVED:
            return _NOT_OBSERVED
        total += d * (ax if dx else 1 - ax) * (ay if dy else 1 - ay) * (az if dz else 1 - az)
    return total


@leaf
def _block_exit(px, py, pz, dx, dy, dz):
    """Depth (from a point in voxels along direction d, voxels per metre of z) to the border of its block."""
    best = math.inf
    for p, d in ((px, dx), (py, dy), (pz, dz)):
        if d > 1e-9:
            best = min(best, ((math.floor(p / BLOCK) + 1) * BLOCK - p) / d)
        elif d < -1e-9:
            best = min(best, (math.floor(p / BLOCK) * BLOCK - p) / d)
    return best


@leaf
def cast_ray(field, min_weight, truncation_voxels, gap_voxels, ox, oy, oz, dx, dy, dz, near, far):
    """First surface from the observed side along o + t d (voxels; t is z-depth in metres); NaN when there is none.

    When all changes of sign lie across gaps: the first whose gap is at most `gap_voxels`, in steps of the march.
    """
    speed = math.sqrt(dx * dx + dy * dy + dz * dz)  # voxels per metre of depth
    min_step = _MIN_STEP / speed
    max_gap = gap_voxels / speed
    t, before_t, before_d, gap = near, near, _NOT_OBSERVED, 0.0
    t0, d0, t1, d1 = np.nan, 0.0, np.nan, 0.0  # both sides of the first gap with a change of sign
    key, block = np.int64(-1), np.int32(NO_BLOCK)
    for _ in range(_MAX_STEPS):
        if t > far:
            break
        px, py, pz = ox + t * dx, oy + t * dy, oz + t * dz
        d, key, block, allocated = _sample(
            field, min_weight, int(math.floor(px)), int(math.floor(py)), int(math.floor(pz)), key, block
        )
        if d == _NOT_OBSERVED:
            step = 2.0 * min_step if allocated else _block_exit(px, py, pz, dx, dy, dz) + 1e-4 / speed
            gap += step
            t += step
            continue
        if d <= 0.0 and before_d != _NOT_OBSERVED and before_d > 0.0:
            if gap == 0.0:
                return _crossing(field, min_weight, ox, oy, oz, dx, dy, dz, before_t, before_d, t, d, min_step)
            if gap <= max_gap and np.isnan(t1):
                t0, d0, t1, d1 = before_t, before_d, t, d
        before_t, before_d, gap = t, d, 0.0
        t += max(min_step, 0.8 * abs(d) * truncation_voxels / speed)
    if np.isnan(t1):
        return np.nan
    return _crossing(field, min_weight, ox, oy, oz, dx, dy, dz, t0, d0, t1, d1, min_step)


@leaf
def _crossing(field, min_weight, ox, oy, oz, dx, dy, dz, t0, d0, t1, d1, step):
    """Depth of the zero near two samples of the nearest voxels, d0 > 0 >= d1.

    The trilinear distance changes sign up to a voxel before or after the nearest one does: the bracket is moved
    by `step` until it holds that change, then narrowed (regula falsi). Where corners are unknown the nearest
    distances have to do.
    """
    guess = t0 + (t1 - t0) * d0 / (d0 - d1)
    a = trilinear(field, min_weight, ox + t0 * dx, oy + t0 * dy, oz + t0 * dz)
    b = trilinear(field, min_weight, ox + t1 * dx, oy + t1 * dy, oz + t1 * dz)
    for _ in range(_WIDEN):
        if a <= 0.0:
            t1, b, t0 = t0, a, t0 - step
            a = trilinear(field, min_weight, ox + t0 * dx, oy + t0 * dy, oz + t0 * dz)
        elif b > 0.0 and b != _NOT_OBSERVED:
            t0, a, t1 = t1, b, t1 + step
            b = trilinear(field, min_weight, ox + t1 * dx, oy + t1 * dy, oz + t1 * dz)
    if a <= 0.0 or a == _NOT_OBSERVED or b > 0.0:  # b > 0: not observed included
        return guess
    t = guess
    for _ in range(_NARROW):
        t = t0 + (t1 - t0) * a / (a - b)
        c = trilinear(field, min_weight, ox + t * dx, oy + t * dy, oz + t * dz)
        if c == _NOT_OBSERVED:
            break
        if c > 0.0:
            t0, a = t, c
        else:
            t1, b = t, c
    return t


@leaf
def cast_rows(
    start,
    stop,
    pools,
    map_from_camera,
    camera,
    voxel,
    truncation,
    min_weight,
    gap_voxels,
    stride,
    offset,
    near,
    far,
    out,
):
    """Rows start..stop-1 of a depth image (rows, columns): ray (j, i) goes through pixel offset + stride * (i, j)."""
    field = Field(pools.table_keys, pools.table_blocks, pools.weight, pools.dist, pools.changed)
    m = map_from_camera
    per_voxel = 1.0 / voxel
    ox, oy, oz = m[0, 3] * per_voxel, m[1, 3] * per_voxel, m[2, 3] * per_voxel
    truncation_voxels = truncation * per_voxel
    for j in range(start, stop):
        y = (offset + stride * j - camera.cy) / camera.fy
        for i in range(out.shape[1]):
            low, high = near[j // TILE, i // TILE], far[j // TILE, i // TILE]
            if low > high:
                out[j, i] = np.nan
                continue
            x = (offset + stride * i - camera.cx) / camera.fx
            dx = (m[0, 0] * x + m[0, 1] * y + m[0, 2]) * per_voxel
            dy = (m[1, 0] * x + m[1, 1] * y + m[1, 2]) * per_voxel
            dz = (m[2, 0] * x + m[2, 1] * y + m[2, 2]) * per_voxel
            out[j, i] = cast_ray(field, min_weight, truncation_voxels, gap_voxels, ox, oy, oz, dx, dy, dz, low, high)


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
        if before != _NOT_OBSERVED and after != _NOT_OBSERVED:
            return (after - before) / (2.0 * h)
        if middle != _NOT_OBSERVED and after != _NOT_OBSERVED:
            return (after - middle) / h
        if middle != _NOT_OBSERVED and before != _NOT_OBSERVED:
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
def shade_rows(
    start, stop, pools, map_from_camera, camera, voxel, min_weight, depth, normal, rgb, feature, has_feature
):
    """Normal, colour and feature of the surface points that `cast_rows` found (stride 1, offset 0)."""
    field = Field(pools.table_keys, pools.table_blocks, pools.weight, pools.dist, pools.changed)
    rows = Rows(pools.table_keys, pools.table_blocks, pools.slot, pools.pages, pools.colour_weight)
    m = map_from_camera
    per_voxel = 1.0 / voxel
    for j in range(start, stop):
        y = (j - camera.cy) / camera.fy
        for i in range(depth.shape[1]):
            t = depth[j, i]
            normal[j, i] = np.nan
            if not t > 0:
                continue
            x = (i - camera.cx) / camera.fx
            px = (m[0, 3] + t * (m[0, 0] * x + m[0, 1] * y + m[0, 2])) * per_voxel
            py = (m[1, 3] + t * (m[1, 0] * x + m[1, 1] * y + m[1, 2])) * per_voxel
            pz = (m[2, 3] + t * (m[2, 0] * x + m[2, 1] * y + m[2, 2])) * per_voxel
            normal[j, i, 0], normal[j, i, 1], normal[j, i, 2] = gradient(field, min_weight, px, py, pz)
            row = nearest_row(rows, px, py, pz)
            if row < 0:
                continue
            for c in range(3):
                rgb[j, i, c] = np.uint8(min(255, (pools.colour[row, c] + 128) >> 8))
            if has_feature and pools.feature_weight[row] > 0:
                for k in range(feature.shape[2]):
                    feature[j, i, k] = half_to_float(pools.feature[row, k])
