"""The surface as a field: how far points are from it, and in which direction it is left.

What is stored is the distance along the rays of the cameras, not the shortest one; divided by its own slope it is
the latter to first order, which is what an alignment needs. Only the band around the surface is stored.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.integrate import DIST_ONE, Grid
from spatialmem.voxels.keys import BLOCK, NO_BLOCK, find, pack_key
from spatialmem.voxels.pools import Pools
from spatialmem.voxels.raycast import field_of

_LEAST_SLOPE = 0.2
"""of a distance field, whose slope is 1: less is the end of the band or the middle of a thin thing"""


@leaf
def _corner(field, min_weight, x, y, z):
    """Distance (of DIST_ONE) of one voxel; NaN when it was not observed."""
    block = find(field.table_keys, field.table_blocks, pack_key(x >> 3, y >> 3, z >> 3))
    if block == NO_BLOCK or field.changed[block] == 0:
        return np.nan
    i = ((z & 7) * BLOCK + (y & 7)) * BLOCK + (x & 7)
    return float(field.dist[block, i]) if field.weight[block, i] >= min_weight else np.nan


@leaf
def _corners(field, min_weight, x, y, z):
    """Distances (of DIST_ONE) of the eight voxels from (x, y, z) on, x fastest; NaN where not observed."""
    if (x & 7) == 7 or (y & 7) == 7 or (z & 7) == 7:
        return (
            _corner(field, min_weight, x, y, z), _corner(field, min_weight, x + 1, y, z),
            _corner(field, min_weight, x, y + 1, z), _corner(field, min_weight, x + 1, y + 1, z),
            _corner(field, min_weight, x, y, z + 1), _corner(field, min_weight, x + 1, y, z + 1),
            _corner(field, min_weight, x, y + 1, z + 1), _corner(field, min_weight, x + 1, y + 1, z + 1),
        )  # fmt: skip
    nan = np.nan
    block = find(field.table_keys, field.table_blocks, pack_key(x >> 3, y >> 3, z >> 3))
    if block == NO_BLOCK or field.changed[block] == 0:
        return nan, nan, nan, nan, nan, nan, nan, nan
    i = ((z & 7) * BLOCK + (y & 7)) * BLOCK + (x & 7)
    d, w = field.dist[block], field.weight[block]
    j, k = i + BLOCK, i + BLOCK * BLOCK
    m = k + BLOCK
    least = min(min(min(w[i], w[i + 1]), min(w[j], w[j + 1])), min(min(w[k], w[k + 1]), min(w[m], w[m + 1])))
    if least < min_weight:
        return nan, nan, nan, nan, nan, nan, nan, nan
    return (
        float(d[i]), float(d[i + 1]), float(d[j]), float(d[j + 1]),
        float(d[k]), float(d[k + 1]), float(d[m]), float(d[m + 1]),
    )  # fmt: skip


@leaf
def read_field(start, stop, pools, points, voxel, truncation, min_weight, distance, normal):
    """Points start..stop-1 of (N, 3), metres: distance (N,) to the surface, metres, and its unit slope (N, 3)."""
    field = field_of(pools)
    per_voxel, least = 1.0 / voxel, _LEAST_SLOPE * DIST_ONE * voxel / truncation
    for n in range(start, stop):
        distance[n], normal[n, 0], normal[n, 1], normal[n, 2] = np.nan, np.nan, np.nan, np.nan
        gx, gy, gz = points[n, 0] * per_voxel - 0.5, points[n, 1] * per_voxel - 0.5, points[n, 2] * per_voxel - 0.5
        x, y, z = int(math.floor(gx)), int(math.floor(gy)), int(math.floor(gz))
        a, b, c = gx - x, gy - y, gz - z
        d0, d1, d2, d3, d4, d5, d6, d7 = _corners(field, min_weight, x, y, z)
        e0, e1, e2, e3 = d0 + a * (d1 - d0), d2 + a * (d3 - d2), d4 + a * (d5 - d4), d6 + a * (d7 - d6)
        f0, f1 = e0 + b * (e1 - e0), e2 + b * (e3 - e2)
        sx = (1 - c) * ((1 - b) * (d1 - d0) + b * (d3 - d2)) + c * ((1 - b) * (d5 - d4) + b * (d7 - d6))
        sy = (1 - c) * (e1 - e0) + c * (e3 - e2)
        sz = f1 - f0
        slope = math.sqrt(sx * sx + sy * sy + sz * sz)
        if slope >= least:  # False for NaN
            distance[n] = (f0 + c * (f1 - f0)) / slope * voxel
            normal[n, 0], normal[n, 1], normal[n, 2] = sx / slope, sy / slope, sz / slope


def distances(
    pools: Pools, grid: Grid, points_m: NDArray[np.float64], min_weight: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) distance in metres, positive on the observed side, and (N, 3) unit slope, of (N, 3) points of the map.

    NaN outside the band, beside what was not observed, and where the field has no slope.
    """
    points = np.ascontiguousarray(points_m, np.float64)
    distance, normal = np.empty(len(points)), np.empty((len(points), 3))
    DISPATCHER.run(
        read_field, len(points), pools, points, float(grid.voxel), float(grid.truncation), min_weight, distance,
        normal, grain=2048,
    )  # fmt: skip
    return distance, normal
