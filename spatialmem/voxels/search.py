"""Scanning the rows near the surface: which voxels answer a query vector, a box, a span of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.bits import LAYERS, NONE, ONE, count_bits, lowest_bit
from spatialmem.voxels.compiled import fast_leaf, kernel, leaf
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.half import half_to_float
from spatialmem.voxels.keys import BLOCK, VOXELS, unpack_keys, voxel_at
from spatialmem.voxels.pools import PAGE, Pools
from spatialmem.voxels.prefetch import fetch_feature_to_read
from spatialmem.voxels.versions import live_blocks

_TINY = np.float32(1e-30)
_AHEAD = 2 * PAGE  # rows fetched ahead of the one that is compared


@dataclass(frozen=True, eq=False)
class Candidates:
    """Surface voxels that passed a scan, in K blocks by ascending key. Valid while the map does not change.

    A candidate goes by its place: 512 * number of its block among the K + voxel.
    """

    pools: Pools
    query: NDArray[np.float32]
    """(D,) unit vector; (0,) for none"""
    scanned: int
    """surface voxels looked at"""
    without_feature: int
    """surface voxels that a query vector could not be compared with"""
    keys: NDArray[np.int64]
    """(K,)"""
    blocks: NDArray[np.int64]
    """(K,) index in the pools"""
    voxel_bits: NDArray[np.uint64]
    """(K, 8) the candidates of each block as a set of voxels (bits.py), at least one"""
    left_out: int = 0
    """blocks that may hold more and were not looked at"""
    unscored: int = 0
    """candidates that were too many to be scored by themselves, the least similar ones"""

    def places(self) -> NDArray[np.int64]:
        """(N,) places of all candidates, ascending."""
        out = np.empty(len(self), np.int64)
        _list_places(self.voxel_bits, out)
        return out

    def voxels(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """(M, 3) integer coordinates of the candidates at these places; centre = (voxel + 0.5) * voxel_size_m."""
        out = np.empty((len(places), 3), np.int64)
        _copy_voxels(self.keys, places, out)
        return out

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """(M,) rows in the pools of the candidates at these places."""
        out = np.empty(len(places), np.int64)
        _copy_rows(self.pools, self.blocks, places, out)
        return out

    def features(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(M, D) mean features of rows (M,)."""
        out = np.empty((len(rows), self.pools.feature.shape[1]), np.float32)
        _copy_features(self.pools.feature, rows, out)
        return out

    def similarity(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(M,) cosine of rows (M,) with the query vector; 1 when none was given."""
        out = np.ones(len(rows), np.float32)
        if len(self.query):
            _copy_similarity(self.pools.feature, rows, self.query, out)
        return out

    def seen(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint16]]:
        """(M,) first lsn, last lsn and doubt (see pools.py) of rows (M,)."""
        return self.pools.first[rows], self.pools.last[rows], self.pools.doubt[rows]

    def __len__(self) -> int:
        return int(_count_places(self.voxel_bits))


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
def _signed_square(feature, row, query):
    """Cosine of a row with the query, squared but signed."""
    dot, norm = np.float32(0), _TINY
    for k in range(query.shape[0]):
        f = half_to_float(feature[row, k])
        dot += f * query[k]
        norm += f * f
    return dot * abs(dot) / norm


@fast_leaf
def _compare_rows(pages, n_rows, feature, query, square):
    """square[slot]: cosine with the query, squared but signed, of each of a block's rows, in the order of memory."""
    for r in range(n_rows):
        ahead = min(r + _AHEAD, n_rows - 1)
        fetch_feature_to_read(feature, np.int64(pages[ahead // PAGE]) * PAGE + ahead % PAGE)
        square[r + 1] = _signed_square(feature, np.int64(pages[r // PAGE]) * PAGE + r % PAGE, query)


@leaf
def _largest(square, n_rows):
    largest = np.float32(-2)
    for slot in range(1, n_rows + 1):
        largest = max(largest, square[slot])
    return largest


@leaf
def _any_zero(pages, n_rows, weights_of_pages):
    """Whether any of a block's rows has weight 0; weights_of_pages: the weights of each page's 8 rows as a word."""
    low, high = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
    found, last = NONE, (n_rows - 1) // PAGE
    for page in range(last + 1):
        word = weights_of_pages[pages[page]]
        if page == last:  # rows that are not in use do not count
            word |= ~NONE << np.uint64(8 * (n_rows - 1 - PAGE * last)) << np.uint64(8)
        found |= (word - low) & ~word & high
    return found != NONE


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
def _whole_block(slot, weight, dist, near, square, reach, bits):
    """Sets bits (8,) where a voxel near the surface reaches; square[slot] of its row. Returns how many are near."""
    seen = 0
    for z in range(LAYERS):
        word = NONE
        for j in range(64):
            i = 64 * z + j
            d = np.int32(dist[i])
            there = (slot[i] > 0) & (weight[i] > 0) & (d <= near) & (d >= -near)
            seen += np.int32(there)
            word |= np.uint64(there & (square[slot[i]] >= reach)) << np.uint64(j)
        bits[z] = word
    return seen


@leaf
def _some_voxels(pools, block, near, asked, square, reach, bounded, box, ball, stamp_of, since, until, bits):
    """Sets bits (8,) of a block's voxels that pass. Returns how many are near the surface, and how many without
    feature would pass otherwise."""
    slot, weight, dist = pools.slot[block], pools.weight[block], pools.dist[block]
    seen, featureless = 0, 0
    for i in range(VOXELS):
        if slot[i] == 0 or weight[i] == 0 or abs(np.int32(dist[i])) > near:
            continue
        row = row_at(pools.pages, block, slot[i])
        if pools.colour_weight[row] == 0:
            continue
        seen += 1
        blank = asked and pools.feature_weight[row] == 0
        if asked and not blank and square[slot[i]] < reach:
            continue
        if bounded and not _inside(pools.keys[block], i, box, ball):
            continue
        if stamp_of.shape[0] > 0:
            stamp = max(stamp_of[pools.first[row]], stamp_of[pools.last[row]])  # clocks of sessions may differ
            if stamp < since or stamp > until:
                continue
        if blank:
            featureless += 1
        else:
            bits[i // 64] |= ONE << np.uint64(i % 64)
    return seen, featureless


@leaf
def _scan_blocks(
    start, stop, pools, weight_words, selected, near, query, least, bounded, box, ball, stamp_of, since, until,
    square, voxel_bits, scanned, blind,
):  # fmt: skip
    """Voxels of the selected blocks that pass: voxel_bits (N, 8), zero at first.

    near: largest |distance| that counts as the surface; bounded: whether box ((2, 3) voxels) and ball (x, y, z, radius
    in voxels) have an end; query: (D,) unit vector, D = 0 for none; least: cosine to reach; square: (513,) scratch;
    weight_words: weights of colours and of features, one word a page.
    Rows are compared first: most blocks hold none that passes, and then their voxels are only counted.
    """
    colour_words, feature_words = weight_words
    asked, reach = query.shape[0] > 0, least * abs(least)
    for n in range(start, stop):
        block = selected[n]
        if asked:
            pages, rows = pools.pages[block], pools.n_rows[block]
            _compare_rows(pages, rows, pools.feature, query, square)
            if not (_any_zero(pages, rows, colour_words) or _any_zero(pages, rows, feature_words)):
                slot, weight, dist = pools.slot[block], pools.weight[block], pools.dist[block]
                if _largest(square, rows) < reach:
                    scanned[n] = _count_near(slot, weight, dist, near)
                    continue
                if not bounded and stamp_of.shape[0] == 0:
                    scanned[n] = _whole_block(slot, weight, dist, near, square, reach, voxel_bits[n])
                    continue
        scanned[n], blind[n] = _some_voxels(
            pools, block, near, asked, square, reach, bounded, box, ball, stamp_of, since, until, voxel_bits[n]
        )


@kernel
def scan_blocks(
    start, stop, pools, weight_words, selected, near, query, least, bounded, box, ball, stamp_of, since, until,
    voxel_bits, scanned, blind,
):  # fmt: skip
    """`_scan_blocks` with the scratch it needs."""
    square = np.empty(VOXELS + 1, np.float32)
    _scan_blocks(
        start, stop, pools, weight_words, selected, near, query, least, bounded, box, ball, stamp_of, since, until,
        square, voxel_bits, scanned, blind,
    )  # fmt: skip


@leaf
def _count_places(voxel_bits):
    count = np.int64(0)
    for k in range(voxel_bits.shape[0]):
        for z in range(LAYERS):
            count += count_bits(voxel_bits[k, z])
    return count


@leaf
def _list_places(voxel_bits, out):
    count = 0
    for k in range(voxel_bits.shape[0]):
        for z in range(LAYERS):
            word = voxel_bits[k, z]
            while word != NONE:
                out[count] = VOXELS * k + 64 * z + lowest_bit(word)
                word &= word - ONE
                count += 1


@leaf
def _copy_voxels(keys, places, out):
    for n in range(places.shape[0]):
        out[n, 0], out[n, 1], out[n, 2] = voxel_at(keys[places[n] // VOXELS], places[n] % VOXELS)


@leaf
def _copy_rows(pools, blocks, places, out):
    slots, pages = pools.slot, pools.pages
    for n in range(places.shape[0]):
        block = blocks[places[n] // VOXELS]
        out[n] = row_at(pages, block, slots[block, places[n] % VOXELS])


@leaf
def _copy_features(feature, rows, out):
    for n in range(rows.shape[0]):
        fetch_feature_to_read(feature, rows[min(n + _AHEAD, rows.shape[0] - 1)])
        for k in range(out.shape[1]):
            out[n, k] = half_to_float(feature[rows[n], k])


@leaf
def _copy_similarity(feature, rows, query, out):
    for n in range(rows.shape[0]):
        fetch_feature_to_read(feature, rows[min(n + _AHEAD, rows.shape[0] - 1)])
        square = _signed_square(feature, rows[n], query)
        out[n] = np.copysign(np.sqrt(abs(square)), square)


def scan(pools: Pools, voxel_m: float, near: int, query: NDArray | None, least: float, chosen: Filter) -> Candidates:
    """Surface voxels that pass `chosen` and whose feature has a cosine of at least `least` with `query` (D,)."""
    selected = np.sort(live_blocks(pools.table_keys, pools.table_blocks))  # in the order of memory
    box, ball = limits_in_voxels(chosen, voxel_m)
    bounded = not (np.isinf(box).all() and np.isinf(ball[3]))
    selected = selected[blocks_in_box(pools.keys[selected], box, ball)] if bounded else selected
    scanned, blind = np.zeros(len(selected), np.int64), np.zeros(len(selected), np.int64)
    voxel_bits = np.zeros((len(selected), LAYERS), np.uint64)
    vector = np.empty(0, np.float32) if query is None else np.ascontiguousarray(query, np.float32)
    stamps = np.empty(0, np.int64) if chosen.stamp_of is None else chosen.stamp_of
    words = pools.colour_weight.view(np.uint64), pools.feature_weight.view(np.uint64)
    DISPATCHER.run(
        scan_blocks, len(selected), pools, words, selected, near, vector, np.float32(least), bounded, box, ball,
        stamps, chosen.since_ns, chosen.until_ns, voxel_bits, scanned, blind, grain=64,
    )  # fmt: skip
    hit = np.flatnonzero(voxel_bits.any(axis=1))
    hit = hit[np.argsort(pools.keys[selected[hit]])]  # equal maps answer alike, however they came about
    blocks, totals = selected[hit], (int(scanned.sum()), int(blind.sum()))
    return Candidates(pools, vector, *totals, pools.keys[blocks], blocks, voxel_bits[hit])


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
