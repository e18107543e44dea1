"""Evidence of change, taken before a frame is fused (docs/format.md, section 6)."""

from __future__ import annotations

import math

import numpy as np

from spatialmem.voxels.allocate import release_pages, row_at
from spatialmem.voxels.compiled import kernel, leaf
from spatialmem.voxels.integrate import DIST_ONE, block_origin
from spatialmem.voxels.keys import BLOCK, VOXELS, find, pack_key
from spatialmem.voxels.weights import DEPTH_UNIT_M, axial_sigma

DOUBT_CYCLE = 65535
"""a doubt is kept as 1 + lsn modulo this; one older than so many stored frames is taken for a later one"""
AGREES, SEEN_THROUGH, OCCLUDED, NO_RETURN = 0, 1, 2, 3
DOUBT, CLEAR, CLEAR_ROWLESS = 1, 2, 3
_MOST_PIXELS = 4096  # in the outline of a block, beyond which its voxels are looked at one by one at once


@leaf
def compare(pools, packed, map_from_camera, camera, stride, voxel, cast, counts, residuals, examined):
    """Sort the rays of `cast` (rows, columns; every stride-th pixel) into the four outcomes.

    counts: (4,) int64. residuals: (rays,) float32, |reading - surface| of the rays where they are within ten
    voxels. examined: (rays,) int64, blocks in which a surface was seen through (with repeats).
    Returns (residuals written, blocks written).
    """
    m = map_from_camera
    edge = voxel * BLOCK
    n_residuals, n_examined = 0, 0
    for j in range(cast.shape[0]):
        v = stride // 2 + stride * j
        y = (v - camera.cy) / camera.fy
        for i in range(cast.shape[1]):
            u = stride // 2 + stride * i
            if packed[v, u] == 0:
                continue
            z, surface = (packed[v, u] >> 8) * DEPTH_UNIT_M, cast[j, i]
            if not surface > 0:
                counts[NO_RETURN] += 1
                continue
            gap = z - surface
            limit = 3.0 * axial_sigma(z) + voxel
            if abs(gap) < 10.0 * voxel:
                residuals[n_residuals] = abs(gap)
                n_residuals += 1
            if gap > limit:
                counts[SEEN_THROUGH] += 1
                x = (u - camera.cx) / camera.fx
                bx = math.floor((m[0, 3] + surface * (m[0, 0] * x + m[0, 1] * y + m[0, 2])) / edge)
                by = math.floor((m[1, 3] + surface * (m[1, 0] * x + m[1, 1] * y + m[1, 2])) / edge)
                bz = math.floor((m[2, 3] + surface * (m[2, 0] * x + m[2, 1] * y + m[2, 2])) / edge)
                examined[n_examined] = pack_key(int(bx), int(by), int(bz))
                n_examined += 1
            elif gap < -limit:
                counts[OCCLUDED] += 1
            else:
                counts[AGREES] += 1
    return n_residuals, n_examined


@leaf
def _other_pose(poses, a, b):
    """Whether frames a and b looked from different poses: centres 5 cm or axes 5 degrees apart.

    poses: (lsn, 6) float64, centre and optical axis of every frame.
    """
    gap, cosine = 0.0, 0.0
    for k in range(3):
        gap += (poses[a, k] - poses[b, k]) ** 2
        cosine += poses[a, 3 + k] * poses[b, 3 + k]
    return gap > 0.05 * 0.05 or cosine < 0.99619


@leaf
def _slant(camera, u, v, margin, left, right, top, bottom):
    """Cosine between the ray of a pixel and the normal of the plane through the readings beside it, 1 at the most.

    Depths in metres at `margin` pixels from (u, v), those outside the image as the one in the middle.
    """
    x0, x1, x = (u - margin - camera.cx) / camera.fx, (u + margin - camera.cx) / camera.fx, (u - camera.cx) / camera.fx
    y0, y1, y = (v - margin - camera.cy) / camera.fy, (v + margin - camera.cy) / camera.fy, (v - camera.cy) / camera.fy
    ax, ay, az = right * x1 - left * x0, (right - left) * y, right - left
    bx, by, bz = (bottom - top) * x, bottom * y1 - top * y0, bottom - top
    nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    return min(abs(nx * x + ny * y + nz) / length, 1.0) if length > 0 else 1.0


@leaf
def _gap_behind(readings, camera, u, v, z, residual, margin):
    """How far the surface read at a pixel and `margin` pixels to each side lies behind depth z at least, less 3 sigma.

    sigma is that of the reading and the frame's residual against the map together, so that a frame whose pose is off
    proves less. The margin keeps a small error of the pose from eating away the outlines of things. The distance is
    that to the surface, not that along the ray: a voxel's centre lies up to a voxel in front of what it stands for, and
    a ray that grazes it goes on for many times that.
    """
    least, middle = np.inf, 0.0
    depths = (0.0, 0.0, 0.0, 0.0)
    for n in range(5):
        du = margin * ((n == 2) - (n == 1))
        dv = margin * ((n == 4) - (n == 3))
        at_u, at_v, d = u + du, v + dv, middle
        if at_u >= 0 and at_v >= 0 and at_u < camera.width and at_v < camera.height:
            reading = readings[at_v * camera.width + at_u]
            if reading == 0:
                return -np.inf
            d = (reading >> 8) * DEPTH_UNIT_M
            sigma = axial_sigma(d)
            least = min(least, d - z - 3.0 * math.sqrt(sigma * sigma + residual * residual))
        if n == 0:
            middle = d
        else:
            depths = (depths[1], depths[2], depths[3], d)
    if least <= 0.0:
        return least
    return least * _slant(camera, u, v, margin, depths[0], depths[1], depths[2], depths[3])


@leaf
def _slope(pools, block, i, step, place):
    """Change of the block's distances along one axis at voxel i, where `place` is its coordinate, over known voxels."""
    before = i - step if place > 0 and pools.weight[block, i - step] > 0 else i
    after = i + step if place < BLOCK - 1 and pools.weight[block, i + step] > 0 else i
    return (np.float64(pools.dist[block, after]) - pools.dist[block, before]) / max((after - before) // step, 1)


@leaf
def _to_surface(pools, block, i, truncation):
    """From a voxel's centre to the surface it stands for, metres (map): down the slope of its block's distances."""
    gx = _slope(pools, block, i, 1, i % BLOCK)
    gy = _slope(pools, block, i, BLOCK, i // BLOCK % BLOCK)
    gz = _slope(pools, block, i, BLOCK * BLOCK, i // (BLOCK * BLOCK))
    length = math.sqrt(gx * gx + gy * gy + gz * gz)
    if length == 0.0:
        return 0.0, 0.0, 0.0
    share = -pools.dist[block, i] / DIST_ONE * truncation / length
    return gx * share, gy * share, gz * share


@leaf
def _seen_through(readings, camera, px, py, pz, residual, margin):
    """`_gap_behind` at a point in camera coordinates, -inf where the image does not show it."""
    if pz < 0.01:
        return -np.inf
    u, v = px / pz * camera.fx + camera.cx + 0.5, py / pz * camera.fy + camera.cy + 0.5
    if not (u >= 0 and v >= 0 and u < camera.width and v < camera.height):
        return -np.inf
    return _gap_behind(readings, camera, int(u), int(v), pz, residual, margin)


@leaf
def _hidden(readings, camera, origin, r, voxel):
    """Whether no reading in a block's outline lies behind its nearest corner by more than a voxel, so that no voxel of
    it is seen through: so it is with doubted blocks in view but in another room. False where looking is more work."""
    span, nearest = (BLOCK - 1) * voxel, np.inf
    low_u, low_v, high_u, high_v = np.inf, np.inf, -np.inf, -np.inf
    for corner in range(8):
        x, y, z = (corner & 1) * span, (corner >> 1 & 1) * span, (corner >> 2) * span
        pz = origin[2] + r[2, 0] * x + r[2, 1] * y + r[2, 2] * z
        if pz < 0.1:
            return False
        u = (origin[0] + r[0, 0] * x + r[0, 1] * y + r[0, 2] * z) / pz * camera.fx + camera.cx + 0.5
        v = (origin[1] + r[1, 0] * x + r[1, 1] * y + r[1, 2] * z) / pz * camera.fy + camera.cy + 0.5
        nearest = min(nearest, pz)
        low_u, low_v, high_u, high_v = min(low_u, u), min(low_v, v), max(high_u, u), max(high_v, v)
    first_u, last_u = int(max(low_u - 1.0, 0.0)), int(min(high_u + 1.0, camera.width - 1.0))
    first_v, last_v = int(max(low_v - 1.0, 0.0)), int(min(high_v + 1.0, camera.height - 1.0))
    if (last_u - first_u + 1) * (last_v - first_v + 1) > _MOST_PIXELS:
        return False
    for at_v in range(first_v, last_v + 1):
        for at_u in range(first_u, last_u + 1):
            if (readings[at_v * camera.width + at_u] >> 8) * DEPTH_UNIT_M - nearest > voxel:
                return False
    return True


@leaf
def judge_blocks(
    start, stop, pools, blocks, readings, camera, camera_from_map, voxel, truncation, residual, lsn, poses, verdicts
):
    """For every voxel of the examined blocks: 0, DOUBT, CLEAR or CLEAR_ROWLESS, without changing the map.

    A voxel with a row stands for the surface beside it, up to a voxel away: both must have been seen through. Of a wall
    that stands, rays along it see through the voxels just before it. verdicts: (N, 512) uint8.
    """
    r = camera_from_map
    margin = max(1, min(4, camera.height // 120))  # pixels around a reading that must be seen through as well
    for n in range(start, stop):
        block = blocks[n]
        verdicts[n] = 0
        if lsn <= pools.contains[block]:
            continue
        origin = block_origin(pools.keys[block], voxel, r)
        if _hidden(readings, camera, origin, r, voxel):
            continue
        cleared = False
        for i in range(VOXELS):
            if pools.weight[block, i] == 0:
                continue
            x, y, z = (i % BLOCK) * voxel, (i // BLOCK % BLOCK) * voxel, (i // (BLOCK * BLOCK)) * voxel
            px = origin[0] + r[0, 0] * x + r[0, 1] * y + r[0, 2] * z
            py = origin[1] + r[1, 0] * x + r[1, 1] * y + r[1, 2] * z
            pz = origin[2] + r[2, 0] * x + r[2, 1] * y + r[2, 2] * z
            gap = _seen_through(readings, camera, px, py, pz, residual, margin)
            if gap <= voxel:
                continue
            slot = pools.slot[block, i]
            if slot == 0:
                verdicts[n, i] = CLEAR_ROWLESS if gap > truncation else 0
                continue
            sx, sy, sz = _to_surface(pools, block, i, truncation)
            qx = px + r[0, 0] * sx + r[0, 1] * sy + r[0, 2] * sz
            qy = py + r[1, 0] * sx + r[1, 1] * sy + r[1, 2] * sz
            qz = pz + r[2, 0] * sx + r[2, 1] * sy + r[2, 2] * sz
            if _seen_through(readings, camera, qx, qy, qz, residual, margin) <= voxel:
                continue
            doubt = np.int64(pools.doubt[row_at(pools.pages, block, slot)])
            if doubt == 0:
                verdicts[n, i] = DOUBT
            elif _other_pose(poses, lsn - (lsn - (doubt - 1)) % DOUBT_CYCLE, lsn):
                verdicts[n, i] = CLEAR
                cleared = True
        if not cleared:
            for i in range(VOXELS):
                if verdicts[n, i] == CLEAR_ROWLESS:
                    verdicts[n, i] = 0


@kernel
def _compact(pools, block):
    """Drop the block's rows that are cleared (colour weight 0), close the gaps, give back what pages that frees."""
    count = 0
    kept, voxels = np.empty(VOXELS, np.int64), np.empty(VOXELS, np.int64)
    for i in range(VOXELS):
        slot = pools.slot[block, i]
        if slot > 0:
            row = row_at(pools.pages, block, slot)
            pools.slot[block, i] = 0
            if pools.colour_weight[row] > 0:
                kept[count], voxels[count] = row, i
                count += 1
    rows = kept[:count]
    feature, colour = pools.feature[rows], pools.colour[rows]
    colour_weight, feature_weight = pools.colour_weight[rows], pools.feature_weight[rows]
    first, last, doubt = pools.first[rows], pools.last[rows], pools.doubt[rows]
    for n in range(count):
        pools.slot[block, voxels[n]] = n + 1
        row = row_at(pools.pages, block, n + 1)
        pools.feature[row] = feature[n]
        pools.colour[row] = colour[n]
        pools.colour_weight[row], pools.feature_weight[row] = colour_weight[n], feature_weight[n]
        pools.first[row], pools.last[row], pools.doubt[row] = first[n], last[n], doubt[n]
    release_pages(pools, block, count)


@kernel
def carry_out(pools, blocks, count, verdicts, lsn):
    """Write the verdicts of `judge_blocks` into the map."""
    for n in range(count):
        block = blocks[n]
        changed, cleared = False, False
        for i in range(VOXELS):
            verdict = verdicts[n, i]
            if verdict == 0:
                continue
            changed = True
            slot = pools.slot[block, i]
            if verdict == DOUBT:
                pools.doubt[row_at(pools.pages, block, slot)] = 1 + lsn % DOUBT_CYCLE
                continue
            pools.weight[block, i] = 0
            pools.dist[block, i] = 0
            if slot > 0:
                pools.colour_weight[row_at(pools.pages, block, slot)] = 0
                cleared = True
        if cleared:
            _compact(pools, block)
        if changed:
            pools.changed[block] = lsn


@leaf
def mark_doubtful(pools, blocks, out):
    """Which of the blocks (N,) hold a row that has been seen through: out (N,) bool."""
    for n in range(blocks.shape[0]):
        out[n] = False
        for i in range(VOXELS):
            slot = pools.slot[blocks[n], i]
            if slot > 0 and pools.doubt[row_at(pools.pages, blocks[n], slot)] > 0:
                out[n] = True
                break


@leaf
def _find_all(pools, keys, out):
    for n in range(keys.shape[0]):
        out[n] = find(pools.table_keys, pools.table_blocks, keys[n])


def blocks_of(pools, keys: np.ndarray) -> np.ndarray:
    """(N,) int32 indices of the blocks with these keys, -1 where there is none."""
    found = np.empty(len(keys), np.int32)
    _find_all(pools, np.ascontiguousarray(keys, np.int64), found)
    return found


def distinct_blocks(pools, keys: np.ndarray) -> np.ndarray:
    """(N,) int32 indices of the blocks with these sorted distinct keys that exist."""
    found = blocks_of(pools, keys)
    return found[found >= 0]


def around(keys: np.ndarray) -> np.ndarray:
    """Sorted keys of these blocks (N,) and of the 26 around each."""
    step = np.arange(-1, 2)
    steps = ((step[:, None, None] << 42) + (step[:, None] << 21) + step).ravel()
    return np.unique(keys[:, None] + steps)


def with_neighbours(pools, keys: np.ndarray) -> np.ndarray:
    """Sorted keys of these blocks (N,) and of the up to 26 around each, as far as they exist."""
    blocks = distinct_blocks(pools, around(keys))
    return np.sort(pools.keys[blocks[pools.weight[blocks].any(1)]])  # an empty one may or may not be there
