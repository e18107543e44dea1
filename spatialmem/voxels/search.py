"""Scanning the rows near the surface: which voxels answer a query vector, a box, a span of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.compiled import fast_leaf, kernel, leaf
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.half import half_to_float
from spatialmem.voxels.keys import BLOCK, VOXELS, unpack_keys, voxel_at
from spatialmem.voxels.pools import PAGE, Pools
from spatialmem.voxels.versions import live_blocks

_TINY = np.float32(1e-30)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Surface voxels that passed a scan, by block key and voxel. Valid while the map does not change.

    A candidate goes by its place in `index` and `similarity`; between those of one block and the next there is room.
    """

    similarity: NDArray[np.float32]
    """(P,) cosine with the query vector; 1 when none was given"""
    scanned: int
    """surface voxels looked at"""
    without_feature: int
    """surface voxels that a query vector could not be compared with"""
    pools: Pools
    index: NDArray[np.int64]
    """(P,) block * 512 + voxel"""
    starts: NDArray[np.int64]
    """(K,) place of the first candidate of each of the K blocks that have any"""
    stops: NDArray[np.int64]
    """(K,) one more than the place of the last"""
    left_out: int = 0
    """blocks that may hold more and were not looked at"""

    def places(self) -> NDArray[np.int64]:
        """(N,) places of all candidates."""
        parts = [np.arange(a, b) for a, b in zip(self.starts, self.stops, strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def voxels(self, members: NDArray[np.int64]) -> NDArray[np.int64]:
        """(M, 3) integer coordinates of the candidates at these places; centre = (voxel + 0.5) * voxel_size_m."""
        out = np.empty((len(members), 3), np.int64)
        _copy_voxels(self.pools, self.index[members], out)
        return out

    def features(self, members: NDArray[np.int64]) -> NDArray[np.float32]:
        """(M, D) mean features of the candidates at these places."""
        out = np.empty((len(members), self.pools.feature.shape[1]), np.float32)
        _copy_features(self.pools, self.index[members], out)
        return out

    def seen(self, members: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint16]]:
        """(M,) first lsn, last lsn and doubt (see pools.py) of the candidates at these places."""
        m = len(members)
        first, last, doubt = np.empty(m, np.uint32), np.empty(m, np.uint32), np.empty(m, np.uint16)
        _copy_seen(self.pools, self.index[members], first, last, doubt)
        return first, last, doubt

    def __len__(self) -> int:
        return int((self.stops - self.starts).sum())


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
def _compare_rows(pages, n_rows, feature, query, values):
    """Cosine with the query, squared but signed, of each of a block's rows, in their own order: that of memory."""
    for r in range(n_rows):
        row = np.int64(pages[r // PAGE]) * PAGE + r % PAGE
        dot, norm = np.float32(0), _TINY
        for k in range(query.shape[0]):
            f = half_to_float(feature[row, k])
            dot += f * query[k]
            norm += f * f
        values[r] = dot * abs(dot) / norm


@leaf
def _largest(values, n):
    largest = np.float32(-2)
    for r in range(n):
        largest = max(largest, values[r])
    return largest


@leaf
def _any_zero(pages, n_rows, weights_of_pages):
    """Whether any of a block's rows may have weight 0; weights_of_pages: the weights of each page's 8 rows as a word.

    Rows of the last page that are not in use count as well.
    """
    low, high = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
    found = np.uint64(0)
    for page in range((n_rows + PAGE - 1) // PAGE):
        word = weights_of_pages[pages[page]]
        found |= (word - low) & ~word & high
    return found != 0


@leaf
def _count_near(slot, weight, dist, near):
    """Voxels of a block that have a row and are at most `near` from the surface."""
    count = 0
    for i in range(VOXELS):
        d = np.int32(dist[i])
        count += np.int32((slot[i] > 0) & (weight[i] > 0) & (d <= near) & (d >= -near))
    return count


@leaf
def _inside(key, i, box, ball):
    """Whether voxel i of the block lies in the box and in the ball, both in voxels."""
    x, y, z = voxel_at(key, i)
    x, y, z = x + 0.5, y + 0.5, z + 0.5
    if x < box[0, 0] or y < box[0, 1] or z < box[0, 2] or x > box[1, 0] or y > box[1, 1] or z > box[1, 2]:
        return False
    return (x - ball[0]) ** 2 + (y - ball[1]) ** 2 + (z - ball[2]) ** 2 <= ball[3] * ball[3]


@leaf
def _scan_blocks(
    start, stop, pools, weight_words, selected, near, query, least, bounded, box, ball, stamp_of, since, until, base,
    value, counts, scanned, blind, index, similarity,
):  # fmt: skip
    """Voxels of the selected blocks that pass. Block n writes to index/similarity from base[n] on, counts[n] of them.

    near: largest |distance| that counts as the surface; bounded: whether box ((2, 3) voxels) and ball (x, y, z, radius
    in voxels) have an end; query: (D,) unit vector, D = 0 for none; least: cosine to reach; value: (512,)
    scratch; weight_words: weights of colours and of features, one word a page.
    Rows are compared first: most blocks hold none that passes, and then their voxels are only counted.
    """
    slots, weights, distances = pools.slot, pools.weight, pools.dist
    colour_words, feature_words = weight_words
    asked, reach = query.shape[0] > 0, least * abs(least)
    for n in range(start, stop):
        block = selected[n]
        pages, rows, slot = pools.pages[block], pools.n_rows[block], slots[block]
        weight, dist = weights[block], distances[block]
        counts[n], blind[n] = 0, 0
        if asked:
            _compare_rows(pages, rows, pools.feature, query, value)
            whole = not (_any_zero(pages, rows, colour_words) or _any_zero(pages, rows, feature_words))
            if whole and _largest(value, rows) < reach:
                scanned[n] = _count_near(slot, weight, dist, near)
                continue
        at, seen, featureless = base[n], 0, 0
        for i in range(VOXELS):
            if slot[i] == 0 or weight[i] == 0 or abs(np.int32(dist[i])) > near:
                continue
            row = row_at(pools.pages, block, slot[i])
            if pools.colour_weight[row] == 0:
                continue
            seen += 1
            blank = asked and pools.feature_weight[row] == 0
            square = value[slot[i] - 1] if asked and not blank else np.float32(1)
            if square < reach or (bounded and not _inside(pools.keys[block], i, box, ball)):
                continue
            if stamp_of.shape[0] > 0:
                stamp = stamp_of[pools.last[row]]
                if stamp < since or stamp > until:
                    continue
            if blank:
                featureless += 1
                continue
            index[at], similarity[at] = block * VOXELS + i, np.copysign(np.sqrt(abs(square)), square)
            at += 1
        counts[n], scanned[n], blind[n] = at - base[n], seen, featureless


@kernel
def scan_blocks(
    start, stop, pools, weight_words, selected, near, query, least, bounded, box, ball, stamp_of, since, until, base,
    counts, scanned, blind, index, similarity,
):  # fmt: skip
    """`_scan_blocks` with the scratch it needs."""
    value = np.empty(VOXELS, np.float32)
    _scan_blocks(
        start, stop, pools, weight_words, selected, near, query, least, bounded, box, ball, stamp_of, since, until,
        base, value, counts, scanned, blind, index, similarity,
    )  # fmt: skip


@leaf
def _copy_features(pools, index, out):
    feature, slots, pages = pools.feature, pools.slot, pools.pages
    for n in range(index.shape[0]):
        block, i = index[n] // VOXELS, index[n] % VOXELS
        row = row_at(pages, block, slots[block, i])
        for k in range(out.shape[1]):
            out[n, k] = half_to_float(feature[row, k])


@leaf
def _copy_voxels(pools, index, out):
    for n in range(index.shape[0]):
        out[n, 0], out[n, 1], out[n, 2] = voxel_at(pools.keys[index[n] // VOXELS], index[n] % VOXELS)


@leaf
def _copy_seen(pools, index, first, last, doubt):
    for n in range(index.shape[0]):
        block, i = index[n] // VOXELS, index[n] % VOXELS
        row = row_at(pools.pages, block, pools.slot[block, i])
        first[n], last[n], doubt[n] = pools.first[row], pools.last[row], pools.doubt[row]


def scan(pools: Pools, voxel_m: float, near: int, query: NDArray | None, least: float, chosen: Filter) -> Candidates:
    """Surface voxels that pass `chosen` and whose feature has a cosine of at least `least` with `query` (D,)."""
    selected = np.sort(live_blocks(pools.table_keys, pools.table_blocks))  # in the order of memory
    box, ball = limits_in_voxels(chosen, voxel_m)
    bounded = not (np.isinf(box).all() and np.isinf(ball[3]))
    selected = selected[blocks_in_box(pools.keys[selected], box, ball)] if bounded else selected
    base = np.concatenate([[0], np.cumsum(pools.n_rows[selected], dtype=np.int64)])
    index, similarity = np.empty(base[-1], np.int64), np.empty(base[-1], np.float32)
    counts, scanned, blind = (np.zeros(len(selected), np.int64) for _ in range(3))
    vector = np.empty(0, np.float32) if query is None else np.ascontiguousarray(query, np.float32)
    stamps = np.empty(0, np.int64) if chosen.stamp_of is None else chosen.stamp_of
    words = pools.colour_weight.view(np.uint64), pools.feature_weight.view(np.uint64)
    DISPATCHER.run(
        scan_blocks, len(selected), pools, words, selected, near, vector, np.float32(least), bounded, box, ball,
        stamps, chosen.since_ns, chosen.until_ns, base, counts, scanned, blind, index, similarity, grain=64,
    )  # fmt: skip
    hit = np.flatnonzero(counts)
    hit = hit[np.argsort(pools.keys[selected[hit]])]  # equal maps answer alike, however they came about
    starts = base[hit]
    return Candidates(similarity, int(scanned.sum()), int(blind.sum()), pools, index, starts, starts + counts[hit])


def limits_in_voxels(chosen: Filter, voxel_m: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The place of a filter in voxels: box (2, 3), ball (4,) centre and radius; infinite where it has none."""
    box = np.array([[-np.inf] * 3, [np.inf] * 3])
    if chosen.box_m is not None:
        box = np.asarray(chosen.box_m, np.float64) / voxel_m
    ball = np.array([0.0, 0.0, 0.0, np.inf])
    if chosen.centre_m is not None:
        ball = np.append(np.asarray(chosen.centre_m, np.float64), chosen.radius_m) / voxel_m
    return box, ball


def blocks_in_box(keys: NDArray[np.int64], box: NDArray, ball: NDArray) -> NDArray[np.int64]:
    """Places among the keys (N,) of the blocks that box and ball may meet."""
    low = unpack_keys(keys) * BLOCK
    lower, upper = np.maximum(box[0], ball[:3] - ball[3]), np.minimum(box[1], ball[:3] + ball[3])
    return np.flatnonzero((low <= upper).all(1) & (low + BLOCK >= lower).all(1))
