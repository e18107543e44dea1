"""The search behind Navigation: any-angle distances on layered grids, compiled."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

Cell = tuple[int, int, int]


def distances_from(
    free: NDArray[np.bool_],
    height_m: NDArray[np.float64],
    links: NDArray[np.int32],
    cell_m: float,
    starts: Sequence[Cell],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distance of every cell (L, rows, columns) from the nearest of some, metres, inf where unreachable, and parents.

    The parent of a cell, a flat index, is the corner before it on its way to a start; a start is its own. `links`
    (L, rows, columns) names the other layer of a cell that belongs to two, or -1.
    """
    cost = np.full(free.shape, np.inf)
    parent = np.full(free.shape, -1, dtype=np.int64)
    first = np.unique(np.ravel_multi_index(np.asarray(starts, np.int64).reshape(-1, 3).T, free.shape))
    _search(free, height_m, links, cell_m, first, cost, parent)
    return cost, parent


def pulled_path(parent: NDArray[np.int64], start: Cell) -> list[Cell]:
    """Cells at the corners of the way from `start` along parents, both ends included."""
    at = int(np.ravel_multi_index(start, parent.shape))
    cells = [start]
    flat = parent.ravel()
    while flat[at] != at:
        at = int(flat[at])
        cell = np.unravel_index(at, parent.shape)
        cells.append((int(cell[0]), int(cell[1]), int(cell[2])))
    return cells


@njit(cache=True, nogil=True)
def _sees(free, layer, r0, c0, r1, c1):
    """Whether the straight way between the middles of two cells crosses free cells only."""
    dr, dc = r1 - r0, c1 - c0
    steps = max(abs(dr), abs(dc)) * 2
    for k in range(1, steps):
        r, c = r0 + dr * k / steps, c0 + dc * k / steps
        if not free[layer, int(math.floor(r + 0.5)), int(math.floor(c + 0.5))]:
            return False
    return True


@njit(cache=True, nogil=True)
def _length(height_m, layer, r0, c0, r1, c1, cell_m):
    dh = height_m[layer, r0, c0] - height_m[layer, r1, c1]
    return math.sqrt(((r0 - r1) ** 2 + (c0 - c1) ** 2) * cell_m * cell_m + dh * dh)


@njit(cache=True, nogil=True)
def _push(keys, items, size, key, item):
    i = size
    while i > 0 and keys[(i - 1) >> 1] > key:
        keys[i], items[i] = keys[(i - 1) >> 1], items[(i - 1) >> 1]
        i = (i - 1) >> 1
    keys[i], items[i] = key, item


@njit(cache=True, nogil=True)
def _sink(keys, items, size):
    """The last entry takes the place of the first, then goes down."""
    key, item = keys[size], items[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[i], items[i] = keys[child], items[child]
        i = child
    keys[i], items[i] = key, item


@njit(cache=True, nogil=True)
def _search(free, height_m, links, cell_m, starts, cost, parent):
    layers, rows, columns = free.shape
    area = rows * columns
    room = 9 * int(free.sum()) + len(starts) + 16
    keys, items = np.empty(room), np.empty(room, dtype=np.int64)
    size = len(starts)
    for n in range(size):  # all keys are equal: a heap as it is
        at = starts[n]
        layer, row, column = at // area, (at // columns) % rows, at % columns
        cost[layer, row, column], parent[layer, row, column] = 0.0, at
        keys[n], items[n] = 0.0, at
    while size > 0:
        key, at = keys[0], items[0]
        size -= 1
        _sink(keys, items, size)
        layer, row, column = at // area, (at // columns) % rows, at % columns
        if key > cost[layer, row, column]:
            continue
        other = links[layer, row, column]
        if other >= 0 and key < cost[other, row, column]:
            here = other * area + row * columns + column
            cost[other, row, column], parent[other, row, column] = key, at
            _push(keys, items, size, key, here)
            size += 1
        up = parent[layer, row, column]
        up_layer, up_row, up_column = up // area, (up // columns) % rows, up % columns
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                r, c = row + dr, column + dc
                if (dr == 0 and dc == 0) or not (0 <= r < rows and 0 <= c < columns) or not free[layer, r, c]:
                    continue
                if dr != 0 and dc != 0 and not (free[layer, row, c] and free[layer, r, column]):
                    continue  # no cutting of corners
                best = key + _length(height_m, layer, row, column, r, c, cell_m)
                through = at
                if up_layer == layer and _sees(free, layer, up_row, up_column, r, c):
                    straight = cost[layer, up_row, up_column] + _length(
                        height_m, layer, up_row, up_column, r, c, cell_m
                    )
                    if straight <= best:
                        best, through = straight, up
                if best < cost[layer, r, c] - 1e-12:
                    cost[layer, r, c], parent[layer, r, c] = best, through
                    _push(keys, items, size, best, layer * area + r * columns + c)
                    size += 1
