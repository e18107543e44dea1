"""Connected regions of voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import empty_table, find, insert, pack_key


@dataclass(frozen=True, eq=False)
class Regions:
    """Voxels sorted into connected regions, largest first."""

    order: NDArray[np.int64]
    """(N,) numbers of the voxels, region by region"""
    starts: NDArray[np.int64]
    """(R + 1,) where each region begins in `order`"""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def size(self, region: int) -> int:
        """Number of voxels."""
        return int(self.starts[region + 1] - self.starts[region])

    def members(self, region: int) -> NDArray[np.int64]:
        """Numbers of a region's voxels, ascending."""
        return self.order[self.starts[region] : self.starts[region + 1]]


@leaf
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@leaf
def _enter_cells(voxel, gap, table_keys, table_values, cell_of, key_of):
    """Number the distinct cells of gap^3 voxels; cell_of (N,), key_of (C,). Returns C."""
    count = 0
    last_key, last = np.int64(-1), np.int64(-1)
    for n in range(voxel.shape[0]):
        key = pack_key(voxel[n, 0] // gap, voxel[n, 1] // gap, voxel[n, 2] // gap)
        if key != last_key:
            last_key, last = key, np.int64(find(table_keys, table_values, key))
            if last < 0:
                last = count
                insert(table_keys, table_values, key, last)
                key_of[last] = key
                count += 1
        cell_of[n] = last
    return count


@leaf
def _join(key_of, count, table_keys, table_values, parent):
    """Union cells that touch by a face, an edge or a corner: half of the 26 neighbours of each are enough."""
    for i in range(count):
        parent[i] = i
    for i in range(count):
        for step in range(14, 27):
            dx, dy, dz = step % 3 - 1, step // 3 % 3 - 1, step // 9 - 1
            key = key_of[i] + (np.int64(dx) << 42) + (np.int64(dy) << 21) + np.int64(dz)
            other = find(table_keys, table_values, key)
            if other >= 0:
                a, b = _root(parent, i), _root(parent, np.int64(other))
                parent[max(a, b)] = min(a, b)


@leaf
def _count(cell_of, parent, sizes):
    for n in range(cell_of.shape[0]):
        cell_of[n] = _root(parent, cell_of[n])
        sizes[cell_of[n]] += 1


@leaf
def _fill(cell_of, next_of, order):
    for n in range(cell_of.shape[0]):
        root = cell_of[n]
        order[next_of[root]] = n
        next_of[root] += 1


def connected_regions(voxel: NDArray[np.int64], gap: int = 2) -> Regions:
    """Connected regions of (N, 3) voxel coordinates, largest first, equal ones in the order of their first voxels.

    Voxels belong together when their cells of `gap`^3 voxels touch by a face, an edge or a corner, so
    holes of up to `gap` voxels do not part a surface.
    """
    n = len(voxel)
    table_keys, table_values = empty_table(max(n, 1))
    cell_of, key_of = np.empty(n, np.int64), np.empty(n, np.int64)
    count = _enter_cells(np.ascontiguousarray(voxel, np.int64), gap, table_keys, table_values, cell_of, key_of)
    parent, sizes = np.empty(count, np.int64), np.zeros(count, np.int64)
    _join(key_of, count, table_keys, table_values, parent)
    _count(cell_of, parent, sizes)
    roots = np.flatnonzero(sizes)
    ranked = roots[np.argsort(-sizes[roots], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(sizes[ranked])])
    next_of, order = np.zeros(count, np.int64), np.empty(n, np.int64)
    next_of[ranked] = starts[:-1]
    _fill(cell_of, next_of, order)
    return Regions(order, starts)
