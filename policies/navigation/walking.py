"""A straight walk over places: which place it ends on, and what it costs. The middle of the body goes along a line; how
much room it has there is in the prices of the places."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.navigation.graph import Graph
from spatialmem.voxels.compiled import leaf

LONGEST = 4
"""columns that a link leads over: those of a gap (`spatialmem.ground.standing.GAP`), and the one beyond"""
_PIECE = 0.25
"""of a column; a walk is looked at in pieces so long"""


class Walkable(NamedTuple):
    """A graph as kernels read it."""

    voxel: NDArray[np.int32]
    """(N, 3)"""
    links: NDArray[np.int32]
    """(N, 8)"""
    price: NDArray[np.float64]
    """(N,)"""
    x_m: float
    """of the lower corner of column (0, 0)"""
    y_m: float
    voxel_m: float


def walkable(graph: Graph) -> Walkable:
    """A graph as kernels read it."""
    standing = graph.standing
    x, y, _ = standing.free.origin_m.tolist()
    return Walkable(standing.voxel, graph.links, graph.price, x, y, float(graph.voxel_m))


def is_straight(graph: Graph, place: int, start_m: NDArray[np.floating], end_m: NDArray[np.floating]) -> bool:
    """Whether the middle of a body on a place can go straight between two points (2 or more,) of the plan."""
    ends = (float(v) for v in (*start_m[:2], *end_m[:2]))
    return bool(walked(walkable(graph), place, *ends)[0] >= 0)


@leaf
def walked(w, place, x0, y0, x1, y1):
    """(place, cost) after going straight from (x0, y0), at or near a place, to (x1, y1); -1 where it cannot go on."""
    length = math.hypot(x1 - x0, y1 - y0)
    pieces, cost = max(1, int(math.ceil(length / (_PIECE * w.voxel_m)))), 0.0
    for k in range(1, pieces + 1):
        x, y = x0 + (x1 - x0) * k / pieces, y0 + (y1 - y0) * k / pieces
        i, j = int(math.floor((x - w.x_m) / w.voxel_m)), int(math.floor((y - w.y_m) / w.voxel_m))
        place = _over(w, place, i, j)
        if place < 0:
            return -1, np.inf
        cost += w.price[place] * length / pieces
    return place, cost


@leaf
def _over(w, place, i, j):
    """The place under a body that has come to column (i, j), last over `place`; over a column whose ground was not seen
    it is still that place. -1 where no link of a place leads there."""
    di, dj = i - w.voxel[place, 0], j - w.voxel[place, 1]
    reach = max(abs(di), abs(dj))
    if reach == 0:
        return place
    if reach > LONGEST or (reach > 1 and di != 0 and dj != 0):
        return -1
    other = w.links[place, _side(di, dj)]
    if other < 0 or not w.price[other] < np.inf:
        return -1
    far = max(abs(w.voxel[other, 0] - w.voxel[place, 0]), abs(w.voxel[other, 1] - w.voxel[place, 1]))
    return -1 if far < reach else other if far == reach else place


@leaf
def _side(di, dj):
    """Which of `links.SIDES` a column lies on."""
    if dj == 0:
        return 0 if di > 0 else 1
    if di == 0:
        return 2 if dj > 0 else 3
    return (4 if di > 0 else 6) + (0 if dj > 0 else 1)
