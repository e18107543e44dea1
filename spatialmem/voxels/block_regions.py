"""Connected regions of candidates, block by block: the answer of `regions.connected_regions`, many times faster.

The cells of a block that hold candidates are the bits of one word (bits.py), so the parts of a block are found without
looking at voxels, and whether parts of neighbouring blocks touch is one `and`. A region is a list of such parts; its
voxels are listed only as far as somebody asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.bits import (
    LAYERS,
    NONE,
    ONE,
    cells_of_voxels,
    count_bits,
    highest_bit,
    lowest_bit,
    row_of,
    touched,
    voxels_of_cells,
)
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.keys import VOXELS, empty_table, find, insert, voxel_at
from spatialmem.voxels.pools import PAGE
from spatialmem.voxels.search import Candidates

_PARTS = 8  # parts of a block at most: two that differ touch neither by a face, an edge nor a corner


@leaf
def _voxels_of_part(voxels, parts, part_count, k, c, z):
    """The candidates of layer z in part c of block k."""
    return voxels[k, z] if part_count[k] == 1 else voxels[k, z] & voxels_of_cells(parts[k, c], z)


@leaf
def _split_blocks(start, stop, voxels, parts, part_count, sizes):
    """The connected parts of each block's cells: parts (K, 8), part_count (K,), candidates in each: sizes (K, 8)."""
    for k in range(start, stop):
        left, count = cells_of_voxels(voxels[k]), 0
        while left != NONE:
            part = left & (~left + ONE)  # its lowest cell
            grown = touched(part, 0, 0, 0) & left
            while grown != part:
                part = grown
                grown = touched(part, 0, 0, 0) & left
            parts[k, count] = part
            count += 1
            left &= ~part
        part_count[k] = count
        for c in range(count):
            sizes[k, c] = 0
            for z in range(LAYERS):
                sizes[k, c] += count_bits(_voxels_of_part(voxels, parts, part_count, k, c, z))


@leaf
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@leaf
def _join_blocks(keys, parts, part_count, table_keys, table_values, parent):
    """Union the parts of neighbouring blocks that touch. Part c of block k is node 8 k + c; keys ascend."""
    for k in range(keys.shape[0]):
        insert(table_keys, table_values, keys[k], k)
        for c in range(part_count[k]):
            parent[_PARTS * k + c] = _PARTS * k + c
    for k in range(keys.shape[0]):
        for step in range(14, 27):  # half of the 26 neighbours; the others look this way
            dx, dy, dz = step % 3 - 1, step // 3 % 3 - 1, step // 9 - 1
            other = find(table_keys, table_values, keys[k] + (np.int64(dx) << 42) + (np.int64(dy) << 21) + np.int64(dz))
            if other < 0:
                continue
            for c in range(part_count[k]):
                reach = touched(parts[k, c], dx, dy, dz)
                for d in range(part_count[other]):
                    if reach & parts[other, d] != NONE:
                        a, b = _root(parent, _PARTS * k + c), _root(parent, _PARTS * np.int64(other) + d)
                        parent[max(a, b)] = min(a, b)


@leaf
def _count(voxels, parts, part_count, sizes, parent, totals, nodes, first):
    """Candidates, parts and first candidate of each root."""
    for k in range(part_count.shape[0]):
        for c in range(part_count[k]):
            root = _root(parent, _PARTS * k + c)
            if nodes[root] == 0 or part_count[k] > 1:
                z = 0
                while _voxels_of_part(voxels, parts, part_count, k, c, z) == NONE:
                    z += 1
                place = VOXELS * k + 64 * z + lowest_bit(_voxels_of_part(voxels, parts, part_count, k, c, z))
                first[root] = place if nodes[root] == 0 else min(first[root], place)
            totals[root] += sizes[k, c]
            nodes[root] += 1


@leaf
def _fill(part_count, parent, next_of, order):
    """Parts, region by region."""
    for k in range(part_count.shape[0]):
        for c in range(part_count[k]):
            root = _root(parent, _PARTS * k + c)
            order[next_of[root]] = _PARTS * k + c
            next_of[root] += 1


@leaf
def _pick(voxels, parts, part_count, sizes, nodes, total, places):
    """places[j]: the candidate number j * total // len(places) of the region that these nodes make up, by block."""
    j, wanted, seen = 0, 0, 0
    for node in nodes:
        k, c = node // _PARTS, node % _PARTS
        if wanted >= seen + sizes[k, c]:
            seen += sizes[k, c]
            continue
        for z in range(LAYERS):
            word = _voxels_of_part(voxels, parts, part_count, k, c, z)
            after = seen + count_bits(word)
            while wanted < after:
                while seen < wanted:  # drop the lowest
                    word &= word - ONE
                    seen += 1
                places[j] = VOXELS * k + 64 * z + lowest_bit(word)
                j += 1
                if j == places.shape[0]:
                    return
                wanted = j * total // places.shape[0]
            seen = after


@leaf
def _extent(keys, voxels, parts, part_count, nodes, low, high):
    """Blocks that lie between what is known of the extent already need no look at their voxels."""
    x0, y0, z0 = low[0], low[1], low[2]
    x1, y1, z1 = high[0], high[1], high[2]
    for node in nodes:
        k, c = node // _PARTS, node % _PARTS
        x, y, z = voxel_at(keys[k], 0)
        if x >= x0 and y >= y0 and z >= z0 and x + 7 <= x1 and y + 7 <= y1 and z + 7 <= z1:
            continue
        flat = NONE
        for layer in range(LAYERS):
            word = _voxels_of_part(voxels, parts, part_count, k, c, layer)
            if word != NONE:
                flat |= word
                z0, z1 = min(z0, z + layer), max(z1, z + layer)
        x0, x1 = min(x0, x + lowest_bit(row_of(flat))), max(x1, x + highest_bit(row_of(flat)))
        y0, y1 = min(y0, y + lowest_bit(flat) // 8), max(y1, y + highest_bit(flat) // 8)
    low[0], low[1], low[2] = x0, y0, z0
    high[0], high[1], high[2] = x1, y1, z1


@leaf
def _span_of_rows(first, last, pages, n_rows):
    earliest, latest = np.uint32(0xFFFFFFFF), np.uint32(0)
    for r in range(n_rows):
        row = np.int64(pages[r // PAGE]) * PAGE + r % PAGE
        earliest, latest = min(earliest, first[row]), max(latest, last[row])
    return earliest, latest


@leaf
def _span(pools, blocks, voxels, parts, part_count, nodes, earliest, latest):
    """Widen (earliest, latest) lsn by a region's voxels; they are looked at only where a row of the block would."""
    first, last = pools.first, pools.last
    for node in nodes:
        k, c = node // _PARTS, node % _PARTS
        pages, slot = pools.pages[blocks[k]], pools.slot[blocks[k]]
        lower, upper = _span_of_rows(first, last, pages, pools.n_rows[blocks[k]])
        if lower >= earliest and upper <= latest:
            continue
        for layer in range(LAYERS):
            word = _voxels_of_part(voxels, parts, part_count, k, c, layer)
            while word != NONE:
                at = np.int64(slot[64 * layer + lowest_bit(word)]) - 1
                row = np.int64(pages[at // PAGE]) * PAGE + at % PAGE
                earliest, latest = min(earliest, first[row]), max(latest, last[row])
                word &= word - ONE
    return earliest, latest


@leaf
def _widen(stamps, first, last, earliest, latest):
    """The stamps of both frames: of two sessions, the later in the log may be the earlier by its clock."""
    end = stamps.shape[0] - 1
    a, b = stamps[min(np.int64(first), end)], stamps[min(np.int64(last), end)]
    return min(earliest, a, b), max(latest, a, b)


@leaf
def _stamps_of_rows(first, last, stamps, pages, n_rows, earliest, latest):
    for r in range(n_rows):
        row = np.int64(pages[r // PAGE]) * PAGE + r % PAGE
        earliest, latest = _widen(stamps, first[row], last[row], earliest, latest)
    return earliest, latest


@leaf
def _seen_between(pools, blocks, voxels, parts, part_count, nodes, stamps, earliest, latest):
    """Widen (earliest, latest) stamp by a region's voxels, as `_span` does lsn."""
    first, last = pools.first, pools.last
    for node in nodes:
        k, c = node // _PARTS, node % _PARTS
        pages, slot = pools.pages[blocks[k]], pools.slot[blocks[k]]
        lower, upper = _stamps_of_rows(first, last, stamps, pages, pools.n_rows[blocks[k]], earliest, latest)
        if lower == earliest and upper == latest:
            continue
        for layer in range(LAYERS):
            word = _voxels_of_part(voxels, parts, part_count, k, c, layer)
            while word != NONE:
                at = np.int64(slot[64 * layer + lowest_bit(word)]) - 1
                row = np.int64(pages[at // PAGE]) * PAGE + at % PAGE
                earliest, latest = _widen(stamps, first[row], last[row], earliest, latest)
                word &= word - ONE
    return earliest, latest


@final
@dataclass(frozen=True, eq=False)
class CandidateRegions:
    """Connected regions of candidates, largest first, equal ones in the order of their first candidates."""

    found: Candidates
    parts: NDArray[np.uint64]
    """(K, 8) cells of each block's parts"""
    part_count: NDArray[np.int64]
    """(K,)"""
    sizes: NDArray[np.int64]
    """(K, 8) candidates in each part"""
    nodes: NDArray[np.int64]
    """parts, region by region, each 8 * block + part"""
    starts: NDArray[np.int64]
    """(R + 1,) where each region begins in `nodes`"""
    totals: NDArray[np.int64]
    """(R,) candidates in each region"""

    def __len__(self) -> int:
        return len(self.totals)

    def size(self, region: int) -> int:
        """Number of candidates."""
        return int(self.totals[region])

    def members(self, region: int) -> NDArray[np.int64]:
        """Places of a region's candidates, by block."""
        return self.some(region, self.size(region))

    def some(self, region: int, count: int) -> NDArray[np.int64]:
        """Places of `count` candidates of a region, evenly spread in the order of `members`; of all when it has
        fewer."""
        total = self.size(region)
        places = np.empty(min(count, total), np.int64)
        _pick(self.found.voxel_bits, self.parts, self.part_count, self.sizes, self._nodes(region), total, places)
        return places

    def extent(self, region: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(3,) smallest and (3,) largest voxel coordinates of a region."""
        low, high = np.full(3, np.iinfo(np.int64).max), np.full(3, np.iinfo(np.int64).min)
        _extent(self.found.keys, self.found.voxel_bits, self.parts, self.part_count, self._nodes(region), low, high)
        return low, high

    def span(self, region: int, first_lsn: int, last_lsn: int) -> tuple[int, int]:
        """lsn of the first and of the latest frame that saw any of a region's candidates; those given did."""
        found = self.found
        earliest, latest = _span(
            found.pools, found.blocks, found.voxel_bits, self.parts, self.part_count, self._nodes(region),
            np.uint32(first_lsn), np.uint32(last_lsn),
        )  # fmt: skip
        return int(earliest), int(latest)

    def seen_between(
        self, region: int, span_lsn: tuple[int, int], stamps_ns: NDArray[np.int64]
    ) -> tuple[int, int]:  # fmt: skip
        """Stamps between which a region was seen: the least and the greatest of the first and the last frames of its
        candidates.

        span_lsn: the first of those frames and the last, as `span` gives them; stamps_ns: of each lsn. Where stamps
        rise along the log between the two, these are theirs; else every frame counts.
        """
        first, last = (min(lsn, len(stamps_ns) - 1) for lsn in span_lsn)
        between = stamps_ns[first : last + 1]
        if (between[:-1] <= between[1:]).all():
            return int(stamps_ns[first]), int(stamps_ns[last])
        found = self.found
        earliest, latest = _seen_between(
            found.pools, found.blocks, found.voxel_bits, self.parts, self.part_count, self._nodes(region), stamps_ns,
            min(stamps_ns[first], stamps_ns[last]), max(stamps_ns[first], stamps_ns[last]),
        )  # fmt: skip
        return int(earliest), int(latest)

    def _nodes(self, region: int) -> NDArray[np.int64]:
        return self.nodes[self.starts[region] : self.starts[region + 1]]


def candidate_regions(found: Candidates) -> CandidateRegions:
    """Connected regions of candidates.

    Candidates belong together when their cells of 2^3 voxels touch by a face, an edge or a corner.
    """
    blocks = len(found.keys)
    parts, part_count = np.empty((blocks, _PARTS), np.uint64), np.empty(blocks, np.int64)
    sizes = np.empty((blocks, _PARTS), np.int64)
    DISPATCHER.run(_split_blocks, blocks, found.voxel_bits, parts, part_count, sizes, grain=256)
    table_keys, table_values = empty_table(max(blocks, 1))
    parent = np.zeros(_PARTS * blocks, np.int64)
    _join_blocks(found.keys, parts, part_count, table_keys, table_values, parent)
    totals, nodes, first = (np.zeros(len(parent), np.int64) for _ in range(3))
    _count(found.voxel_bits, parts, part_count, sizes, parent, totals, nodes, first)
    roots = np.flatnonzero(totals)
    ranked = roots[np.lexsort((first[roots], -totals[roots]))]
    starts = np.concatenate([[0], np.cumsum(nodes[ranked])])
    next_of, order = np.zeros(len(parent), np.int64), np.empty(starts[-1], np.int64)
    next_of[ranked] = starts[:-1]
    _fill(part_count, parent, next_of, order)
    return CandidateRegions(found, parts, part_count, sizes, order, starts, totals[ranked])
