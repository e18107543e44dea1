"""A straight move of the body over the plan, compiled: where it ends, on which layer, how far it got."""

from __future__ import annotations

import math

from numba import njit

STRIDE_M = 0.01
"""moves are tried in pieces of this length"""


@njit(cache=True, nogil=True)
def walk(free, links, origin_x, origin_y, cell_m, x, y, layer, heading_rad, length_m):
    """(x, y, layer, gone): straight on from (x, y) on a layer until the body would touch something.

    free: (L, rows, columns) where the body can stand; links: (L, rows, columns) the other layer of a cell, or -1.
    """
    rows, columns = free.shape[1], free.shape[2]
    dx, dy = math.cos(heading_rad), math.sin(heading_rad)
    start_x, start_y, gone = x, y, 0.0
    row, column = math.floor((y - origin_y) / cell_m), math.floor((x - origin_x) / cell_m)
    while gone < length_m - 1e-9:
        onward = min(gone + STRIDE_M, length_m)
        nx, ny = start_x + onward * dx, start_y + onward * dy
        r, c = math.floor((ny - origin_y) / cell_m), math.floor((nx - origin_x) / cell_m)
        if r < 0 or c < 0 or r >= rows or c >= columns:
            break
        if not free[layer, r, c]:
            other = links[layer, row, column]
            if other < 0 or not free[other, r, c]:
                break
            layer = other
        x, y, row, column, gone = nx, ny, r, c, onward
    return x, y, layer, gone
