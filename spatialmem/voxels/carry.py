"""Surface content that moves: whose motion each voxel follows, what arrives, and how it is joined to what is there."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.averages import ROW_WEIGHT_CAP
from spatialmem.voxels.blocks import BlockArrays
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.half import half_to_float
from spatialmem.voxels.integrate import WEIGHT_CAP, Grid
from spatialmem.voxels.keys import BLOCK, NO_BLOCK, VOXELS, find, pack_key, voxel_at
from spatialmem.voxels.pools import Pools
from spatialmem.voxels.transport import MOST, NOTHING, carried

# --- whose motion a voxel follows


@leaf
def _row_of(pools, block, i):
    """Row of a voxel, -1 when it has none or its row was cleared."""
    slot = pools.slot[block, i]
    if slot == 0:
        return np.int64(-1)
    row = row_at(pools.pages, block, slot)
    return row if pools.colour_weight[row] > 0 else np.int64(-1)


@leaf
def _block_and_voxel(pools, vx, vy, vz):
    """(block, voxel) of integer voxel coordinates; block -1 where there is none."""
    block = find(pools.table_keys, pools.table_blocks, pack_key(vx >> 3, vy >> 3, vz >> 3))
    return block, ((vz & 7) * BLOCK + (vy & 7)) * BLOCK + (vx & 7)


@leaf
def _half_way(to, a, b, x, y, z, most):
    """Number of the motion that brings a point nearest to the middle of where motions a and b do; b itself where these
    are more than `most` apart, or none is nearer."""
    ax, ay, az = carried(to[a], x, y, z)
    bx, by, bz = carried(to[b], x, y, z)
    gap = math.sqrt((ax - bx) ** 2 + (ay - by) ** 2 + (az - bz) ** 2)
    chosen, least = b, gap / 2
    if a == b or gap > most:
        return chosen
    for n in range(to.shape[0]):
        nx, ny, nz = carried(to[n], x, y, z)
        away = math.sqrt((nx - (ax + bx) / 2) ** 2 + (ny - (ay + by) / 2) ** 2 + (nz - (az + bz) / 2) ** 2)
        if away < least:
            chosen, least = n, away
    return np.int32(chosen)


@leaf
def _motion_of_row(pools, row, key, i, motion_of, to, grid):
    vx, vy, vz = voxel_at(key, i)
    a, b = motion_of[pools.first[row]], motion_of[pools.last[row]]
    voxel = float(grid.voxel)
    return _half_way(to, a, b, (vx + 0.5) * voxel, (vy + 0.5) * voxel, (vz + 0.5) * voxel, grid.truncation)


@leaf
def _motion_near(pools, key, i, motion_of, to, grid, offsets, otherwise):
    vx, vy, vz = voxel_at(key, i)
    for n in range(offsets.shape[0]):
        block, at = _block_and_voxel(pools, vx + offsets[n, 0], vy + offsets[n, 1], vz + offsets[n, 2])
        if block != NO_BLOCK:
            row = _row_of(pools, block, at)
            if row >= 0:
                return _motion_of_row(pools, row, pools.keys[block], at, motion_of, to, grid)
    return otherwise


@leaf
def follow(start, stop, pools, blocks, motion_of, to, grid, offsets, otherwise, motion):
    """Motion of each voxel of blocks (N,).

    Where frames saw a surface, one half-way between that of the first and that of the last of them, or that of the last
    where these part by more than the truncation; elsewhere that of the nearest voxel where one did; where none is
    near, `otherwise` (N,). motion_of: by lsn; to: (M, 3, 4); motion: (N, 512).
    """
    for n in range(start, stop):
        block = blocks[n]
        for i in range(VOXELS):
            row = _row_of(pools, block, i)
            if row >= 0:
                motion[n, i] = _motion_of_row(pools, row, pools.keys[block], i, motion_of, to, grid)
            elif pools.weight[block, i] > 0:
                motion[n, i] = _motion_near(pools, pools.keys[block], i, motion_of, to, grid, offsets, otherwise[n])
            else:
                motion[n, i] = NOTHING


def followed(
    pools: Pools, grid: Grid, blocks: NDArray[np.int64], motion_of: NDArray[np.int32], every: NDArray[np.float64],
    otherwise: NDArray[np.int32],
) -> NDArray[np.int32]:  # fmt: skip
    """(N, 512) as `follow` says; every: (M, 4, 4) motions."""
    motion, to = np.empty((len(blocks), VOXELS), np.int32), np.ascontiguousarray(every[:, :3])
    offsets = _offsets(min(BLOCK, 1 + math.ceil(grid.truncation / grid.voxel)))
    DISPATCHER.run(follow, len(blocks), pools, blocks, motion_of, to, grid, offsets, otherwise, motion, grain=8)
    return motion


def _offsets(reach: int) -> NDArray[np.int64]:
    """(K, 3) steps to the voxels around one, the nearest first."""
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    squares = (steps**2).sum(1)
    order = np.lexsort((steps[:, 2], steps[:, 1], steps[:, 0], squares))
    return steps[order][(squares[order] > 0) & (squares[order] <= reach**2)].astype(np.int64)


# --- what arrives


class Arrivals(NamedTuple):
    """Sums over what comes to lie in the voxels of C blocks."""

    dist: NDArray[np.float32]
    """(C, 512) distances times weights"""
    weight: NDArray[np.float32]
    colour: NDArray[np.float32]
    """(C, 512, 3) times weights"""
    colour_weight: NDArray[np.float32]
    feature: NDArray[np.float32]
    """(C, 512, D) times weights"""
    feature_weight: NDArray[np.float32]
    first: NDArray[np.uint32]
    last: NDArray[np.uint32]
    doubt: NDArray[np.uint16]


def no_arrivals(count: int, width: int) -> Arrivals:
    """Nothing has come to lie in `count` blocks yet; width: of features."""
    shape = (count, VOXELS)
    real = [np.zeros(shape, np.float32) for _ in range(4)]
    return Arrivals(
        real[0], real[1], np.zeros((*shape, 3), np.float32), real[2], np.zeros((*shape, width), np.float32), real[3],
        np.zeros(shape, np.uint32), np.zeros(shape, np.uint32), np.zeros(shape, np.uint16),
    )  # fmt: skip


@leaf
def _distance_at(pools, x, y, z):
    """Trilinear distance at a point in voxels, over those of the eight voxels around it that were observed."""
    bx, by, bz = int(math.floor(x - 0.5)), int(math.floor(y - 0.5)), int(math.floor(z - 0.5))
    fx, fy, fz = x - 0.5 - bx, y - 0.5 - by, z - 0.5 - bz
    total, shares = 0.0, 0.0
    for corner in range(8):
        dx, dy, dz = corner & 1, corner >> 1 & 1, corner >> 2
        block, i = _block_and_voxel(pools, bx + dx, by + dy, bz + dz)
        if block != NO_BLOCK and pools.weight[block, i] > 0:
            share = (fx if dx else 1 - fx) * (fy if dy else 1 - fy) * (fz if dz else 1 - fz)
            total += share * pools.dist[block, i]
            shares += share
    return total / shares


@leaf
def _add_row(pools, row, out, n, i):
    weight, seen = np.float32(pools.colour_weight[row]), np.float32(pools.feature_weight[row])
    for k in range(3):
        out.colour[n, i, k] += weight * np.float32(pools.colour[row, k])
    for k in range(pools.feature.shape[1]):
        out.feature[n, i, k] += seen * half_to_float(pools.feature[row, k])
    first = out.first[n, i]
    fresh = first == 0
    out.doubt[n, i] = pools.doubt[row] if fresh or (out.doubt[n, i] > 0 and pools.doubt[row] > 0) else 0
    out.first[n, i] = pools.first[row] if fresh else min(first, pools.first[row])
    out.last[n, i] = max(out.last[n, i], pools.last[row])
    out.colour_weight[n, i] += weight
    out.feature_weight[n, i] += seen


@leaf
def gather(start, stop, pools, keys, motions, back, voxel, out):
    """Add up what comes to lie in the voxels of blocks with these keys (C,); motions (C, 512, MOST), back (M, 3, 4).

    Distance: trilinear; weight, colour, feature and times: those of the nearest old voxel.
    """
    for n in range(start, stop):
        for i in range(VOXELS):
            vx, vy, vz = voxel_at(keys[n], i)
            for k in range(MOST):
                g = motions[n, i, k]
                if g == NOTHING:
                    break
                x, y, z = carried(back[g], (vx + 0.5) * voxel, (vy + 0.5) * voxel, (vz + 0.5) * voxel)
                x, y, z = x / voxel, y / voxel, z / voxel
                block, at = _block_and_voxel(pools, int(math.floor(x)), int(math.floor(y)), int(math.floor(z)))
                weight = np.float32(pools.weight[block, at])
                if weight > 0:
                    out.dist[n, i] += weight * np.float32(_distance_at(pools, x, y, z))
                    out.weight[n, i] += weight
                row = _row_of(pools, block, at)
                if row >= 0:
                    _add_row(pools, row, out, n, i)


def gathered(
    pools: Pools, keys: NDArray[np.int64], motions: NDArray[np.int32], back: NDArray[np.float64], voxel_m: float
) -> Arrivals:
    """What comes to lie in blocks with these keys (C,), out of the map that the pools hold."""
    out = no_arrivals(len(keys), pools.feature.shape[1])
    DISPATCHER.run(gather, len(keys), pools, keys, motions, back, voxel_m, out)
    return out


# --- joining it


def joined(standing: BlockArrays | None, stays: NDArray[np.bool_], arrivals: Arrivals, n: int) -> BlockArrays:
    """A block (standing; None: an empty one), of which only these voxels (512,) stay, with what arrives in it as block
    `n`: the means of both by their weights, capped as a frame's."""
    rows = arrivals.colour_weight[n] > 0
    kept = np.zeros(VOXELS, np.bool_) if standing is None else standing.has_row & stays
    has_row = rows | kept
    dense = np.zeros(VOXELS, np.int64)
    if standing is not None:
        dense[standing.has_row] = np.arange(np.count_nonzero(standing.has_row))
    dist, weight = _joined_distances(standing, stays, arrivals.dist[n], arrivals.weight[n])
    mine, theirs = kept[has_row], rows[has_row]
    old = dense[has_row & kept]

    def own(name: str, kind: type = np.float32) -> NDArray:
        values = getattr(arrivals, name)[n][has_row]
        out = np.zeros(values.shape, kind)
        if standing is not None:
            held = getattr(standing, name)[old]
            out[mine] = held.view(np.float16) if name == "feature" else held
        return out

    colour, colour_weight = _mean(own("colour"), own("colour_weight"), arrivals.colour[n][has_row],
                                  arrivals.colour_weight[n][has_row])  # fmt: skip
    feature, feature_weight = _mean(own("feature"), own("feature_weight"), arrivals.feature[n][has_row],
                                    arrivals.feature_weight[n][has_row])  # fmt: skip
    first, first_too = own("first", np.uint32), arrivals.first[n][has_row]
    doubt, doubt_too = own("doubt", np.uint16), arrivals.doubt[n][has_row]
    both = mine & theirs
    return BlockArrays(
        dist, weight, has_row, _eight_bits(feature), np.floor(colour + np.float32(0.5)).astype(np.uint16),
        colour_weight, feature_weight,
        np.where(both, np.minimum(first, first_too), np.where(mine, first, first_too)),
        np.maximum(own("last", np.uint32), arrivals.last[n][has_row]),
        np.where(both, np.where(doubt_too > 0, doubt, 0), np.where(mine, doubt, doubt_too)).astype(np.uint16),
    )  # fmt: skip


def _joined_distances(
    standing: BlockArrays | None, stays: NDArray[np.bool_], dist: NDArray[np.float32], weight: NDArray[np.float32]
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    total, both = dist, weight
    if standing is not None:
        own = np.where(stays, standing.weight, 0).astype(np.float32)
        total, both = own * standing.dist.astype(np.float32) + dist, own + weight
    mean = np.floor(total / np.maximum(both, 1) + np.float32(0.5))
    if standing is not None:
        mean = np.where(weight > 0, mean, np.where(stays, standing.dist, 0))
    return mean.astype(np.int16), np.minimum(both, WEIGHT_CAP).astype(np.uint8)


def _mean(
    own: NDArray[np.float32], own_weight: NDArray[np.float32], total: NDArray[np.float32], weight: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    both = own_weight + weight
    mean = (own * own_weight[:, None] + total) / np.maximum(both, 1)[:, None]
    mean = np.where((weight > 0)[:, None], mean, own)
    return mean.astype(np.float32), np.minimum(both, ROW_WEIGHT_CAP).astype(np.uint8)


def _eight_bits(feature: NDArray[np.float32]) -> NDArray[np.uint16]:
    """As `half.eight_bits`."""
    bits = feature.astype(np.float16).view(np.uint16).astype(np.uint32)
    return ((bits + 4 >> 3) << 3).astype(np.uint16)
