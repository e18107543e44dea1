"""The one loop over pixels of the `colours` encoder. One thread, releases the interpreter lock."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def pool_memberships(rgb, table, row_edges, col_edges, out):
    """Square root of the mean membership of each patch.

    rgb (H, W, 3) uint8 contiguous; table (32768, 16) uint8, rows summing to 255; row_edges (h+1,), col_edges
    (w+1,) int64, the first pixel of each patch and the end; out (h, w, 16) float32 is written, unit rows.
    """
    total = np.empty(16, dtype=np.uint32)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total[:] = 0
            for y in range(row_edges[i], row_edges[i + 1]):
                for x in range(col_edges[j], col_edges[j + 1]):
                    row = (np.int64(rgb[y, x, 0] >> 3) << 10) | (np.int64(rgb[y, x, 1] >> 3) << 5) | (rgb[y, x, 2] >> 3)
                    for k in range(16):
                        total[k] += table[row, k]
            pixels = (row_edges[i + 1] - row_edges[i]) * (col_edges[j + 1] - col_edges[j])
            for k in range(16):
                out[i, j, k] = math.sqrt(total[k] / (255.0 * pixels))
