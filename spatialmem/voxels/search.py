"""Scanning the rows near the surface: which voxels answer a query vector, a box, a span of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import fast_leaf, leaf
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.half import half_to_float
from spatialmem.voxels.integrate import row_at
from spatialmem.voxels.keys import BLOCK, KEY_MASK, KEY_OFFSET, VOXELS, unpack_keys
from spatialmem.voxels.pools import BLOCKS_USED, Pools


@dataclass(frozen=True, eq=False)
class Candidates:
    """Surface voxels that passed a scan. Valid while the map does not change."""

    voxel: NDArray[np.int64]
    """(N, 3) integer voxel coordinates; centre = (voxel + 0.5) * voxel_size_m"""
    similarity: NDArray[np.float32]
    """(N,) cosine with the query vector; 1 when none was given"""
    first: NDArray[np.uint32]
    last: NDArray[np.uint32]
    doubt: NDArray[np.uint16]
    """(N,) see pools.py; not 0 when a frame has seen through the voxel since"""
    scanned: int
    """surface voxels looked at"""
    without_feature: int
    """surface voxels that a query vector could not be compared with"""
    pools: Pools
    index: NDArray[np.int64]
    """(N,) block * 512 + voxel"""

    def features(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """(M, D) mean features of the candidates with these numbers."""
        out = np.empty((len(members), self.pools.feature.shape[1]), np.float32)
        _copy_features(self.pools, self.index[members], out)
        return out

    def __len__(self) -> int:
        return len(self.voxel)


@dataclass(frozen=True, eq=False)
class Filter:
    """What a scan keeps, beside the similarity."""

    box_m: NDArray[np.float64] | None = None
    """(2, 3) lower and upper corner, metres"""
    centre_m: NDArray[np.float64] | None = None
    """(3,) with radius_m: a ball"""
    radius_m: float = np.inf
    stamp_of: NDArray[np.int64] | None = None
    """(lsn + 1,) stamps; needed with since_ns or until_ns"""
    since_ns: int = 0
    until_ns: int = 2**63 - 1


@fast_leaf
def _dot_and_norm(feature, row, query):
    dot, norm = np.float32(0), np.float32(0)
    for k in range(query.shape[0]):
        f = half_to_float(feature[row, k])
        dot += f * query[k]
        norm += f * f
    return dot, norm


@leaf
def scan_blocks(
    start, stop, pools, selected, near, query, least, box, ball, voxel_m, stamp_of, since, until, base, counts, scanned,
    blind, index, similarity,
):  # fmt: skip
    """Voxels of the selected blocks that pass. Block n writes to index/similarity from base[n] on, counts[n] of them.

    near: largest |distance| that counts as the surface; box: (2, 3) voxels; ball: x, y, z, radius in voxels; query:
    (D,) unit vector, D = 0 for none; least: cosine to reach.
    """
    for n in range(start, stop):
        block = selected[n]
        at, seen, featureless = base[n], 0, 0
        key = pools.keys[block]
        bx = ((key >> 42) - KEY_OFFSET) * BLOCK
        by = (((key >> 21) & KEY_MASK) - KEY_OFFSET) * BLOCK
        bz = ((key & KEY_MASK) - KEY_OFFSET) * BLOCK
        for i in range(VOXELS):
            slot = pools.slot[block, i]
            if slot == 0 or pools.weight[block, i] == 0 or abs(np.int32(pools.dist[block, i])) > near:
                continue
            row = row_at(pools.pages, block, slot)
            if pools.colour_weight[row] == 0:
                continue
            seen += 1
            x, y, z = bx + i % BLOCK + 0.5, by + i // BLOCK % BLOCK + 0.5, bz + i // (BLOCK * BLOCK) + 0.5
            if x < box[0, 0] or y < box[0, 1] or z < box[0, 2] or x > box[1, 0] or y > box[1, 1] or z > box[1, 2]:
                continue
            if (x - ball[0]) ** 2 + (y - ball[1]) ** 2 + (z - ball[2]) ** 2 > ball[3] * ball[3]:
                continue
            if stamp_of.shape[0] > 0:
                stamp = stamp_of[pools.last[row]]
                if stamp < since or stamp > until:
                    continue
            cosine = np.float32(1)
            if query.shape[0] > 0:
                if pools.feature_weight[row] == 0:
                    featureless += 1
                    continue
                dot, norm = _dot_and_norm(pools.feature, row, query)
                if dot <= 0 or dot * dot < least * least * norm:
                    continue
                cosine = dot / np.sqrt(norm)
            index[at] = block * VOXELS + i
            similarity[at] = cosine
            at += 1
        counts[n] = at - base[n]
        scanned[n] = seen
        blind[n] = featureless


@leaf
def _copy_features(pools, index, out):
    for n in range(index.shape[0]):
        block, i = index[n] // VOXELS, index[n] % VOXELS
        row = row_at(pools.pages, block, pools.slot[block, i])
        for k in range(out.shape[1]):
            out[n, k] = half_to_float(pools.feature[row, k])


@leaf
def _describe(pools, index, voxel, first, last, doubt):
    for n in range(index.shape[0]):
        block, i = index[n] // VOXELS, index[n] % VOXELS
        key = pools.keys[block]
        voxel[n, 0] = ((key >> 42) - KEY_OFFSET) * BLOCK + i % BLOCK
        voxel[n, 1] = (((key >> 21) & KEY_MASK) - KEY_OFFSET) * BLOCK + i // BLOCK % BLOCK
        voxel[n, 2] = ((key & KEY_MASK) - KEY_OFFSET) * BLOCK + i // (BLOCK * BLOCK)
        row = row_at(pools.pages, block, pools.slot[block, i])
        first[n], last[n], doubt[n] = pools.first[row], pools.last[row], pools.doubt[row]


def scan(pools: Pools, voxel_m: float, near: int, query: NDArray | None, least: float, chosen: Filter) -> Candidates:
    """Surface voxels that pass `chosen` and whose feature has a cosine of at least `least` with `query` (D,)."""
    used = int(pools.counters[BLOCKS_USED])
    box, ball = _limits_in_voxels(chosen, voxel_m)
    selected = _blocks_in_box(pools.keys[:used], box, ball)
    base = np.concatenate([[0], np.cumsum(pools.n_rows[selected], dtype=np.int64)])
    index, similarity = np.empty(base[-1], np.int64), np.empty(base[-1], np.float32)
    counts, scanned, blind = (np.zeros(len(selected), np.int64) for _ in range(3))
    vector = np.empty(0, np.float32) if query is None else np.ascontiguousarray(query, np.float32)
    stamps = np.empty(0, np.int64) if chosen.stamp_of is None else chosen.stamp_of
    DISPATCHER.run(
        scan_blocks, len(selected), pools, selected, near, vector, np.float32(least), box, ball, voxel_m, stamps,
        chosen.since_ns, chosen.until_ns, base, counts, scanned, blind, index, similarity, grain=64,
    )  # fmt: skip
    hit = np.flatnonzero(counts)
    hit = hit[np.argsort(pools.keys[selected[hit]])]  # equal maps answer alike, however they came about
    places = _ranges(base[hit], counts[hit])
    return _gather(pools, index[places], similarity[places], int(scanned.sum()), int(blind.sum()))


def _gather(
    pools: Pools, index: NDArray[np.int64], similarity: NDArray[np.float32], scanned: int, blind: int
) -> Candidates:
    n = len(index)
    voxel = np.empty((n, 3), np.int64)
    first, last, doubt = np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(n, np.uint16)
    _describe(pools, index, voxel, first, last, doubt)
    return Candidates(voxel, similarity, first, last, doubt, scanned, blind, pools, index)


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """starts[0], starts[0] + 1, ... for counts[0] entries, then starts[1], ..."""
    if len(counts) == 0:
        return np.zeros(0, np.int64)
    shift = np.repeat(starts - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return np.arange(counts.sum()) + shift


def _limits_in_voxels(chosen: Filter, voxel_m: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    box = np.array([[-np.inf] * 3, [np.inf] * 3])
    if chosen.box_m is not None:
        box = np.asarray(chosen.box_m, np.float64) / voxel_m
    ball = np.array([0.0, 0.0, 0.0, np.inf])
    if chosen.centre_m is not None:
        ball = np.append(np.asarray(chosen.centre_m, np.float64), chosen.radius_m) / voxel_m
    return box, ball


def _blocks_in_box(keys: NDArray[np.int64], box: NDArray, ball: NDArray) -> NDArray[np.int64]:
    if np.isinf(box).all() and np.isinf(ball[3]):
        return np.arange(len(keys))
    low = unpack_keys(keys) * BLOCK
    lower, upper = np.maximum(box[0], ball[:3] - ball[3]), np.minimum(box[1], ball[:3] + ball[3])
    return np.flatnonzero((low <= upper).all(1) & (low + BLOCK >= lower).all(1))
