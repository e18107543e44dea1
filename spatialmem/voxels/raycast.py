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

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.integrate import DIST_ONE
from spatialmem.voxels.keys import BLOCK, KEY_MASK, KEY_OFFSET, NO_BLOCK, find, pack_key

TILE = 8
"""rays along the edge of a tile that shares one depth range"""
_MIN_STEP = 0.4  # voxels; shorter steps cost time and find nothing that interpolation does not
_MAX_STEPS = 4096
_WIDEN, _NARROW = 4, 2  # moves of the bracket around a hit, evaluations to narrow it
NOT_OBSERVED = 2.0  # returned in place of a distance, which never exceeds 1
ENDED, START = -1, -2
"""in place of the key of the block that a ray waits for: it goes no farther; it has not set off yet"""
REACH_VOXELS = 1.7
"""how far beyond the samples on both sides of it a surface may be looked for: `_WIDEN` steps, and rounding"""
_NONE, _NOWHERE = np.zeros(0, np.int64), np.zeros(0, np.int32)


class Field(NamedTuple):
    """The part of `Pools` that says where the surface is: what is handed from call to call is kept small."""

    table_keys: NDArray[np.int64]
    table_blocks: NDArray[np.int32]
    weight: NDArray[np.uint8]
    dist: NDArray[np.int16]
    changed: NDArray[np.uint32]


@leaf
def tile_ranges(keys, camera_from_map, edge, fx, fy, cx, cy, low, high, near, far):
    """Widen (rows, columns) depth ranges of the tiles by the bounding spheres of the blocks with these keys.

    fx, fy, cx, cy are in tiles: pixel intrinsics divided by the pixels a tile is wide.
    """
    r = camera_from_map
    radius = edge * 0.8661  # half the diagonal
    rows, columns = near.shape
    for key in keys:
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
        return NOT_OBSERVED, cached_key, cached_block, False
    i = ((vz & 7) * BLOCK + (vy & 7)) * BLOCK + (vx & 7)
    if field.weight[cached_block, i] < min_weight:
        return NOT_OBSERVED, cached_key, cached_block, True
    return field.dist[cached_block, i] / DIST_ONE, cached_key, cached_block, True


@leaf
def _trilinear_within(field, min_weight, x0, y0, z0, ax, ay, az):
    """`trilinear` when all eight corners lie in one block, as two times out of three."""
    block = find(field.table_keys, field.table_blocks, pack_key(x0 >> 3, y0 >> 3, z0 >> 3))
    if block == NO_BLOCK:
        return NOT_OBSERVED
    weight, dist = field.weight, field.dist
    i = ((z0 & 7) * BLOCK + (y0 & 7)) * BLOCK + (x0 & 7)
    low = np.inf
    for corner in range(8):
        low = min(low, weight[block, i + (corner & 1) + (corner >> 1 & 1) * BLOCK + (corner >> 2) * BLOCK * BLOCK])
    if low < min_weight:
        return NOT_OBSERVED
    bx, by, bz = 1 - ax, 1 - ay, 1 - az
    j = i + BLOCK * BLOCK
    k, m = i + BLOCK, j + BLOCK
    lower = by * (bx * dist[block, i] + ax * dist[block, i + 1]) + ay * (bx * dist[block, k] + ax * dist[block, k + 1])
    upper = by * (bx * dist[block, j] + ax * dist[block, j + 1]) + ay * (bx * dist[block, m] + ax * dist[block, m + 1])
    return (bz * lower + az * upper) / DIST_ONE


@leaf
def trilinear(field, min_weight, px, py, pz):
    """Trilinear distance at a point in voxels (centres at +0.5); `NOT_OBSERVED` when a corner is unknown."""
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
        if d == NOT_OBSERVED:
            return NOT_OBSERVED
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
def march(field, away_keys, away_blocks, min_weight, truncation_voxels, gap_voxels, ox, oy, oz, dx, dy, dz, far, ray):
    """Go on along o + t d (voxels; t is z-depth in metres) up to `far`, or to a block that is not at hand.

    away_keys, away_blocks: table of the blocks that are not at hand, unless they are in that of the field; empty for
    none. ray: where it stands, as `set_off` and this tell it. Returns the key of the block it waits for, or `ENDED`,
    and where it stands then: steps done, depth, depth and distance at the last sample, unobserved way since; then
    depths and distances on both sides of the surface it met, NaN where there is none. When all changes of sign lie
    across gaps, it is the first whose gap is at most `gap_voxels`, in steps of the march.
    """
    speed = math.sqrt(dx * dx + dy * dy + dz * dz)  # voxels per metre of depth
    min_step = _MIN_STEP / speed
    max_gap = gap_voxels / speed
    steps, t, before_t, before_d, gap, t0, d0, t1, d1 = ray
    key, block = np.int64(-1), np.int32(NO_BLOCK)
    while steps < _MAX_STEPS and t <= far:
        px, py, pz = ox + t * dx, oy + t * dy, oz + t * dz
        d, key, block, allocated = _sample(
            field, min_weight, int(math.floor(px)), int(math.floor(py)), int(math.floor(pz)), key, block
        )
        if not allocated and away_keys.shape[0] > 0 and find(away_keys, away_blocks, key) != NO_BLOCK:
            return key, (steps, t, before_t, before_d, gap, t0, d0, t1, d1)
        steps += 1.0
        if d == NOT_OBSERVED:
            step = 2.0 * min_step if allocated else _block_exit(px, py, pz, dx, dy, dz) + 1e-4 / speed
            gap += step
            t += step
            continue
        if d <= 0.0 and before_d != NOT_OBSERVED and before_d > 0.0:
            if gap == 0.0:
                return np.int64(ENDED), (steps, t, before_t, before_d, gap, before_t, before_d, t, d)
            if gap <= max_gap and np.isnan(t1):
                t0, d0, t1, d1 = before_t, before_d, t, d
        before_t, before_d, gap = t, d, 0.0
        t += max(min_step, 0.8 * abs(d) * truncation_voxels / speed)
    return np.int64(ENDED), (steps, t, before_t, before_d, gap, t0, d0, t1, d1)


@leaf
def set_off(near):
    """Where a ray stands that begins at this depth; see `march`."""
    return 0.0, near, near, NOT_OBSERVED, 0.0, np.nan, 0.0, np.nan, 0.0


@leaf
def cast_ray(field, min_weight, truncation_voxels, gap_voxels, ox, oy, oz, dx, dy, dz, near, far):
    """First surface from the observed side along a ray, of which all blocks are at hand; NaN when there is none."""
    _, ray = march(
        field, _NONE, _NOWHERE, min_weight, truncation_voxels, gap_voxels, ox, oy, oz, dx, dy, dz, far, set_off(near)
    )
    return ending(field, min_weight, ox, oy, oz, dx, dy, dz, ray[5], ray[6], ray[7], ray[8])


@leaf
def ending(field, min_weight, ox, oy, oz, dx, dy, dz, t0, d0, t1, d1):
    """Depth of the surface between two samples of a ray that has ended; NaN when it met none."""
    if np.isnan(t1):
        return np.nan
    speed = math.sqrt(dx * dx + dy * dy + dz * dz)
    return _crossing(field, min_weight, ox, oy, oz, dx, dy, dz, t0, d0, t1, d1, _MIN_STEP / speed)


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
        elif b > 0.0 and b != NOT_OBSERVED:
            t0, a, t1 = t1, b, t1 + step
            b = trilinear(field, min_weight, ox + t1 * dx, oy + t1 * dy, oz + t1 * dz)
    if a <= 0.0 or a == NOT_OBSERVED or b > 0.0:  # b > 0: not observed included
        return guess
    t = guess
    for _ in range(_NARROW):
        t = t0 + (t1 - t0) * a / (a - b)
        c = trilinear(field, min_weight, ox + t * dx, oy + t * dy, oz + t * dz)
        if c == NOT_OBSERVED:
            break
        if c > 0.0:
            t0, a = t, c
        else:
            t1, b = t, c
    return t


@leaf
def direction(m, camera, u, v, per_voxel):
    """Of the ray through a pixel: voxels of the map a metre of depth."""
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    return (
        (m[0, 0] * x + m[0, 1] * y + m[0, 2]) * per_voxel,
        (m[1, 0] * x + m[1, 1] * y + m[1, 2]) * per_voxel,
        (m[2, 0] * x + m[2, 1] * y + m[2, 2]) * per_voxel,
    )


@leaf
def field_of(pools):
    """Their part that says where the surface is."""
    return Field(pools.table_keys, pools.table_blocks, pools.weight, pools.dist, pools.changed)


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
    field = field_of(pools)
    m = map_from_camera
    per_voxel = 1.0 / voxel
    ox, oy, oz = m[0, 3] * per_voxel, m[1, 3] * per_voxel, m[2, 3] * per_voxel
    truncation_voxels = truncation * per_voxel
    for j in range(start, stop):
        for i in range(out.shape[1]):
            low, high = near[j // TILE, i // TILE], far[j // TILE, i // TILE]
            if low > high:
                out[j, i] = np.nan
                continue
            dx, dy, dz = direction(m, camera, offset + stride * i, offset + stride * j, per_voxel)
            out[j, i] = cast_ray(field, min_weight, truncation_voxels, gap_voxels, ox, oy, oz, dx, dy, dz, low, high)
