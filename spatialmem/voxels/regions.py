"""Connected regions of voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import empty_table, find, insert, pack_key


@leaf
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@leaf
def _label(cells, table_keys, table_values, cell_of, parent):
    """Union-find over distinct cells; cell_of (N,) becomes the cell index of each voxel, parent its root."""
    count = 0
    for n in range(cells.shape[0]):
        key = pack_key(cells[n, 0], cells[n, 1], cells[n, 2])
        at = find(table_keys, table_values, key)
        if at < 0:
            at = count
            insert(table_keys, table_values, key, at)
            parent[at] = at
            count += 1
            for step in range(27):
                if step == 13:
                    continue
                dx, dy, dz = step % 3 - 1, step // 3 % 3 - 1, step // 9 - 1
                other = find(table_keys, table_values, pack_key(cells[n, 0] + dx, cells[n, 1] + dy, cells[n, 2] + dz))
                if other >= 0:
                    a, b = _root(parent, at), _root(parent, other)
                    parent[max(a, b)] = min(a, b)
        cell_of[n] = at
    for n in range(cells.shape[0]):
        cell_of[n] = _root(parent, cell_of[n])


def connected_regions(voxel: NDArray[np.int64], gap: int = 2) -> NDArray[np.int64]:
    """(N,) region number, from 0, of (N, 3) voxel coordinates, largest region first.

    Voxels belong together when their cells of `gap`^3 voxels touch by a face, an edge or a corner, so
    holes of up to `gap` voxels do not part a surface.
    """
    if len(voxel) == 0:
        return np.zeros(0, np.int64)
    cells = np.ascontiguousarray(voxel, np.int64) // gap
    table_keys, table_values = empty_table(len(cells))
    root, parent = np.empty(len(cells), np.int64), np.empty(len(cells), np.int64)
    _label(cells, table_keys, table_values, root, parent)
    _, region, sizes = np.unique(root, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[region]
