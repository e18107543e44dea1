"""A block of the surface as the file holds it before compression, in one pass over the pools.

Layout: docs/format.md, section 5, codec 1. `store.block_codec.pack_surface_block` makes the same bytes of arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import VOXELS
from spatialmem.voxels.pools import Pools, row_bytes

_DENSE = VOXELS * 3 + VOXELS // 8


def block_planes(pools: Pools, block: int) -> tuple[int, NDArray[np.uint8]]:
    """(rows, content) of a block: what it holds as planes of bytes, uncompressed."""
    most, width = int(pools.n_rows[block]), pools.feature.shape[1]
    content, rows = np.empty(_DENSE + most * row_bytes(width), np.uint8), np.empty(most, np.int64)
    count = _dense(pools, block, rows, content)
    content = content[: _DENSE + count * row_bytes(width)]
    at = _DENSE
    at = _differences(pools.feature, rows, count, at, content)
    at = _differences(pools.colour, rows, count, at, content)
    _rest(pools, rows, count, at, content)
    return count, content


@leaf
def _dense(pools, block, rows, out):
    """Distances, weights and marks of rows; lists the rows, in voxel order; a cleared one counts as none."""
    count, bits = 0, np.uint8(0)
    for i in range(VOXELS):
        dist = np.uint16(pools.dist[block, i])
        out[i], out[VOXELS + i] = dist & 0xFF, dist >> 8
        out[2 * VOXELS + i] = pools.weight[block, i]
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
            out[3 * VOXELS + (i >> 3)] = bits
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
