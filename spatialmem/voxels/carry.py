"""Surface content that moves: whose motion each voxel follows, what arrives, and how it is joined to what is there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.averages import ROW_WEIGHT_CAP
from spatialmem.voxels.blocks import BlockArrays
from spatialmem.voxels.compiled import kernel, leaf
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.half import half_to_float
from spatialmem.voxels.half_way import elsewhere, empty_lists, half_way
from spatialmem.voxels.integrate import WEIGHT_CAP, Grid
from spatialmem.voxels.keys import BLOCK, NO_BLOCK, VOXELS, find, pack_key, voxel_at
from spatialmem.voxels.pools import Pools
from spatialmem.voxels.transport import MOST, NOTHING, carried

_HALF = np.float32(0.5)
ENOUGH = 8
"""weight of one full observation"""
_NEAR_VOXELS = 4 * math.sqrt(3.0) + BLOCK
"""within so many of the middle of a block lie its voxels, and those they are compared with (`followed`)"""

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
def _motion_of_row(pools, row, key, i, motion_of, to, grid, place, lists):
    vx, vy, vz = voxel_at(key, i)
    a, b = motion_of[pools.first[row]], motion_of[pools.last[row]]
    voxel = float(grid.voxel)
    x, y, z = (vx + 0.5) * voxel, (vy + 0.5) * voxel, (vz + 0.5) * voxel
    return half_way(to, a, b, x, y, z, grid.truncation, place, _NEAR_VOXELS * voxel, lists)


@leaf
def _motion_near(pools, key, i, motion_of, to, grid, offsets, otherwise, place, lists):
    vx, vy, vz = voxel_at(key, i)
    for n in range(offsets.shape[0]):
        block, at = _block_and_voxel(pools, vx + offsets[n, 0], vy + offsets[n, 1], vz + offsets[n, 2])
        if block != NO_BLOCK:
            row = _row_of(pools, block, at)
            if row >= 0:
                return _motion_of_row(pools, row, pools.keys[block], at, motion_of, to, grid, place, lists)
    return np.int64(otherwise)


@leaf
def _follow(start, stop, pools, blocks, motion_of, to, grid, offsets, otherwise, lists, motion):
    for n in range(start, stop):
        block = blocks[n]
        key, half = pools.keys[block], float(grid.voxel) * (BLOCK // 2)
        vx, vy, vz = voxel_at(key, 0)
        place = vx * float(grid.voxel) + half, vy * float(grid.voxel) + half, vz * float(grid.voxel) + half
        elsewhere(lists)
        for i in range(VOXELS):
            row = _row_of(pools, block, i)
            if row >= 0:
                motion[n, i] = _motion_of_row(pools, row, key, i, motion_of, to, grid, place, lists)
            elif pools.weight[block, i] > 0:
                motion[n, i] = _motion_near(
                    pools, key, i, motion_of, to, grid, offsets, otherwise[n], place, lists
                )  # fmt: skip
            else:
                motion[n, i] = NOTHING


@kernel
def follow(start, stop, pools, blocks, motion_of, to, grid, offsets, otherwise, motion):
    """Motion of each voxel of blocks (N,).

    Where frames saw a surface, one half-way between that of the first and that of the last of them, or that of the last
    where these part by more than the truncation; elsewhere that of the nearest voxel where one did; where none is
    near, `otherwise` (N,). motion_of: by lsn; to: (M, 3, 4); motion: (N, 512).
    """
    _follow(
        start, stop, pools, blocks, motion_of, to, grid, offsets, otherwise, empty_lists(to.shape[0]), motion
    )  # fmt: skip


def followed(
    pools: Pools, grid: Grid, blocks: NDArray[np.int64], motion_of: NDArray[np.signedinteger],
    every: NDArray[np.float64], otherwise: NDArray[np.signedinteger],
) -> NDArray[np.signedinteger]:  # fmt: skip
    """(N, 512) as `follow` says, of the dtype of motion_of; every: (M, 4, 4) motions."""
    motion, to = np.empty((len(blocks), VOXELS), motion_of.dtype), np.ascontiguousarray(every[:, :3])
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


def settled(arrivals: Arrivals, n: int) -> BlockArrays:
    """What has come to lie in block `n`, as a block: means by weight, weights capped as a frame's."""
    has_row = arrivals.colour_weight[n] > 0
    weight, seen = arrivals.weight[n], arrivals.colour_weight[n][has_row]
    seen_feature = arrivals.feature_weight[n][has_row]
    dist = np.floor(arrivals.dist[n] / np.maximum(weight, 1) + _HALF)
    colour = np.floor(arrivals.colour[n][has_row] / seen[:, None] + _HALF)
    feature = arrivals.feature[n][has_row] / np.maximum(seen_feature, 1)[:, None]
    return BlockArrays(
        dist.astype(np.int16), _capped(weight, WEIGHT_CAP), has_row, _eight_bits(feature), colour.astype(np.uint16),
        _capped(seen, ROW_WEIGHT_CAP), _capped(seen_feature, ROW_WEIGHT_CAP), arrivals.first[n][has_row],
        arrivals.last[n][has_row], arrivals.doubt[n][has_row],
    )  # fmt: skip


# --- joining it to what is there


def joined(standing: BlockArrays, stays: NDArray[np.bool_], other: BlockArrays) -> BlockArrays:
    """A block, of which only these voxels (512,) stay, with another one: means of both by their weights, capped as a
    frame's. What stands in one of them alone comes out bit for bit."""
    kept = _part(standing, stays)
    has_row = kept.has_row | other.has_row
    mine, theirs = kept.has_row[has_row], other.has_row[has_row]
    one, two = _with_rows(kept, lambda rows: _spread(rows, mine)), _with_rows(other, lambda rows: _spread(rows, theirs))
    both = mine & theirs
    weight = kept.weight.astype(np.float32) + other.weight.astype(np.float32)
    seen = one.colour_weight.astype(np.float32) + two.colour_weight.astype(np.float32)
    seen_feature = one.feature_weight.astype(np.float32) + two.feature_weight.astype(np.float32)
    dist = np.floor(_mean(kept.dist, kept.weight, other.dist, other.weight) + _HALF).astype(np.int16)
    colour = np.floor(_mean(one.colour, one.colour_weight, two.colour, two.colour_weight) + _HALF).astype(np.uint16)
    halves = one.feature.view(np.float16), two.feature.view(np.float16)
    feature = _eight_bits(_mean(halves[0], one.feature_weight, halves[1], two.feature_weight))
    doubted = np.where((one.doubt > 0) & (two.doubt > 0), one.doubt, 0)
    return BlockArrays(
        _where_both(kept.dist, kept.weight, other.dist, other.weight, dist), _capped(weight, WEIGHT_CAP), has_row,
        _where_both(one.feature, one.feature_weight, two.feature, two.feature_weight, feature),
        _where_both(one.colour, one.colour_weight, two.colour, two.colour_weight, colour),
        _capped(seen, ROW_WEIGHT_CAP), _capped(seen_feature, ROW_WEIGHT_CAP),
        np.where(both, np.minimum(one.first, two.first), np.maximum(one.first, two.first)),
        np.maximum(one.last, two.last),
        np.where(both, doubted, np.maximum(one.doubt, two.doubt)).astype(np.uint16),
    )  # fmt: skip


def completed(made: BlockArrays, other: BlockArrays) -> BlockArrays:
    """A block that frames made anew, completed by what was moved.

    Where they saw a voxel well enough, theirs is the distance, and it is near a surface only if they say so; elsewhere
    both are joined. Colours, features and times are joined wherever both have a row.
    """
    seen = made.weight >= ENOUGH
    both = joined(made, np.ones(VOXELS, np.bool_), _part(other, ~seen | made.has_row))
    return both._replace(dist=np.where(seen, made.dist, both.dist), weight=np.where(seen, made.weight, both.weight))


def _with_rows(block: BlockArrays, change: Callable[[Any], Any]) -> BlockArrays:
    return block._replace(
        feature=change(block.feature), colour=change(block.colour), colour_weight=change(block.colour_weight),
        feature_weight=change(block.feature_weight), first=change(block.first), last=change(block.last),
        doubt=change(block.doubt),
    )  # fmt: skip


def _part(block: BlockArrays, stays: NDArray[np.bool_]) -> BlockArrays:
    """The voxels (512,) of a block that stay."""
    rows = stays[block.has_row]
    return _with_rows(block, lambda values: values[rows])._replace(
        dist=np.where(stays, block.dist, 0).astype(np.int16), weight=np.where(stays, block.weight, 0).astype(np.uint8),
        has_row=block.has_row & stays,
    )  # fmt: skip


def _spread(values: NDArray, there: NDArray[np.bool_]) -> NDArray:
    """Rows in place among those of both blocks, zeros between them."""
    out = np.zeros((len(there), *values.shape[1:]), values.dtype)
    out[there] = values
    return out


def _mean(one: NDArray, one_weight: NDArray, two: NDArray, two_weight: NDArray) -> NDArray[np.float32]:
    """(N,) or (N, K), by weights (N,)."""
    shape = (-1,) + (1,) * (one.ndim - 1)
    a, b = one_weight.astype(np.float32).reshape(shape), two_weight.astype(np.float32).reshape(shape)
    mean = (one.astype(np.float32) * a + two.astype(np.float32) * b) / np.maximum(a + b, 1)
    return mean.astype(np.float32)


def _where_both(one: NDArray, one_weight: NDArray, two: NDArray, two_weight: NDArray, mean: NDArray) -> NDArray:
    """The mean, but where one of them says nothing."""
    shape = (-1,) + (1,) * (one.ndim - 1)
    only_one, only_two = (two_weight == 0).reshape(shape), (one_weight == 0).reshape(shape)
    return np.where(only_one, one, np.where(only_two, two, mean))


def _capped(weight: NDArray[np.floating], cap: int) -> NDArray[np.uint8]:
    return np.minimum(weight, cap).astype(np.uint8)


def _eight_bits(feature: NDArray[np.float32]) -> NDArray[np.uint16]:
    """As `half.eight_bits`."""
    bits = feature.astype(np.float16).view(np.uint16).astype(np.uint32)
    return (((bits + 4) >> 3) << 3).astype(np.uint16)
