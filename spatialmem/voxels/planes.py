"""Blocks of the surface as the file holds them before compression, in one pass over the pools.

Layout: docs/format.md, section 5, codec 1. `store.block_codec.pack_surface_block` makes the same bytes of arrays.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import VOXELS
from spatialmem.voxels.pools import Pools, row_bytes

_DENSE = VOXELS * 3 + VOXELS // 8
_AT_ONCE = 8  # blocks whose bytes stand in RAM at a time


def planes_of(pools: Pools, blocks: NDArray[np.integer]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(rows, content) of each of the blocks (N,): what it holds as planes of bytes, uncompressed."""
    row = row_bytes(pools.feature.shape[1])
    for at in range(0, len(blocks), _AT_ONCE):
        some = blocks[at : at + _AT_ONCE]
        most = pools.n_rows[some]
        starts = np.concatenate([[0], np.cumsum(_DENSE + most * row)])
        content = np.empty(int(starts[-1]), np.uint8)
        counts = np.empty(len(some), np.int64)
        _pack(pools, some, starts, np.empty(int(most.max()), np.int64), counts, content)
        for start, count in zip(starts.tolist(), counts.tolist(), strict=False):
            yield count, content[start : start + _DENSE + count * row]


@leaf
def _pack(pools, blocks, starts, rows, counts, out):
    """Planes of each block, from its start on, and how many rows it has; `rows` is room to list them."""
    for n in range(blocks.shape[0]):
        at = starts[n]
        count = _dense(pools, blocks[n], rows, at, out)
        at = _differences(pools.feature, rows, count, at + _DENSE, out)
        at = _differences(pools.colour, rows, count, at, out)
        _rest(pools, rows, count, at, out)
        counts[n] = count


@leaf
def _dense(pools, block, rows, at, out):
    """Distances, weights and marks of rows; lists the rows, in voxel order; a cleared one counts as none."""
    count, bits = 0, np.uint8(0)
    for i in range(VOXELS):
        dist = np.uint16(pools.dist[block, i])
        out[at + i], out[at + VOXELS + i] = dist & 0xFF, dist >> 8
        out[at + 2 * VOXELS + i] = pools.weight[block, i]
        slot = pools.slot[block, i]
        has = False
        if slot > 0:
            row = row_at(pools.pages, block, slot)
            if pools.colour_weight[row] > 0:
                has = True
                rows[count] = row
                count += 1
        bits = np.uint8((bits << 1) | has)
        if i & 7 == 7:
            out[at + 3 * VOXELS + (i >> 3)] = bits
    return count


@leaf
def _differences(values, rows, count, at, out):
    """Differences down each column modulo 2^16: (D, n) low bytes, then high ones. Returns where it ends."""
    width = values.shape[1]
    high = at + width * count
    for n in range(count):
        row = rows[n]
        for d in range(width):
            step = np.uint16(values[row, d])
            if n > 0:
                step = np.uint16(step - values[rows[n - 1], d])
            out[at + d * count + n], out[high + d * count + n] = step & 0xFF, step >> 8
    return high + width * count


@leaf
def _rest(pools, rows, count, at, out):
    """Weights, then the planes of both lsns and of doubt."""
    first, last = at + 2 * count, at + 6 * count
    doubt = at + 10 * count
    for n in range(count):
        row = rows[n]
        out[at + n], out[at + count + n] = pools.colour_weight[row], pools.feature_weight[row]
        for byte in range(4):
            out[first + byte * count + n] = (pools.first[row] >> (8 * byte)) & 0xFF
            out[last + byte * count + n] = (pools.last[row] >> (8 * byte)) & 0xFF
        out[doubt + n], out[doubt + count + n] = pools.doubt[row] & 0xFF, pools.doubt[row] >> 8
