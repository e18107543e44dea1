"""The blocks along a straight line, as the order in which it crosses their borders."""

from __future__ import annotations

import math

from spatialmem.voxels.compiled import leaf

LONGEST_WAY = 256
"""steps at most: a truncation band is 4 blocks deep at the most, seen along three axes and at a slant"""


@leaf
def way(near, far, first, order):
    """Axes in which the straight way from `near` to `far` leaves its blocks (Amanatides & Woo, Eurographics 1987).

    Points in block edges. Writes the first block to `first` and the axes to `order`; returns how many there are and
    a number that differs between any two ways of up to 31 steps.
    """
    inf = math.inf
    first[0], first[1], first[2] = math.floor(near[0]), math.floor(near[1]), math.floor(near[2])
    dx, dy, dz = far[0] - near[0], far[1] - near[1], far[2] - near[2]
    nx, ny = abs(math.floor(far[0]) - first[0]), abs(math.floor(far[1]) - first[1])
    nz = abs(math.floor(far[2]) - first[2])
    tx = (first[0] + (dx > 0) - near[0]) / dx if nx > 0 else inf
    ty = (first[1] + (dy > 0) - near[1]) / dy if ny > 0 else inf
    tz = (first[2] + (dz > 0) - near[2]) / dz if nz > 0 else inf
    count, code = min(nx + ny + nz, order.shape[0]), 1
    for n in range(count):  # counted, so that rounding never leads past the block of `far`
        if tx <= ty and tx <= tz:
            axis, nx = 0, nx - 1
            tx = tx + abs(1.0 / dx) if nx > 0 else inf
        elif ty <= tz:
            axis, ny = 1, ny - 1
            ty = ty + abs(1.0 / dy) if ny > 0 else inf
        else:
            axis, nz = 2, nz - 1
            tz = tz + abs(1.0 / dz) if nz > 0 else inf
        order[n] = axis
        code = code * 4 + axis
    return count, code
