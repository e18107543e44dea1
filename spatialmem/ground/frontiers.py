"""Frontiers: where ground that can be reached ends because nothing beyond it has been seen (Yamauchi, 1997).

On every floor and on stairs alike, as ground of any height has places (`standing.py`): a flight that goes on out of
sight ends in a frontier.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.ground.floors import NOT_REACHED, Floors
from spatialmem.ground.standing import GAP, Standing, beside, next_to
from spatialmem.voxels.compiled import kernel, leaf
from spatialmem.voxels.free_reading import UNKNOWN

_UNSEEN = 0.3
"""share of the room of the body in a column that was not seen, for it to be unknown"""
_TOGETHER_M = 0.25
_WIDEST_M = 1.5
"""a longer edge is several frontiers"""


@dataclass(frozen=True)
class Frontier:
    """An edge of the known ground."""

    position_m: tuple[float, float, float]
    """the place at the edge nearest to its middle, on the ground, map frame"""
    yaw_rad: float
    """of the way into the unknown, from the x axis towards y"""
    width_m: float
    """of the edge"""
    floor: int
    """`floors.BETWEEN` on stairs"""


def frontiers_of(floors: Floors, least_m: float = 0.3, sparse: bool = False) -> tuple[Frontier, ...]:
    """Frontiers of the reached ground, the widest first; edges narrower than `least_m` are left out.

    An edge is where the body can stand and, in a column beside, no ground is known, nothing stands in its way, and
    part of the room that it would take there has never been seen. A drop, whose air was seen, is none.

    With `sparse` an edge is also where all of that was seen but not the ground, nor any within the columns of a gap:
    rays that are far apart leave much of it out, and what is reached ends there. Many of these go away by themselves
    as the body comes nearer; without them a body that has seen the air of a room may have nowhere to go.
    """
    if not least_m >= 0.0:
        raise InvalidValue(f"least_m must be a width of at least 0 m; given {least_m}")
    standing, voxel_m = floors.standing, floors.standing.free.voxel_size_m
    stands = (floors.floor_of > NOT_REACHED) & standing.clear
    edge = np.zeros(len(standing), np.bool_)
    into = np.zeros((len(standing), 2))
    _mark_edges(
        standing.free.state, standing.below, standing.voxel, standing.starts, standing.step, standing.head, sparse,
        stands, edge, into,
    )  # fmt: skip
    found = list[Frontier]()
    for group in _grouped(standing, np.flatnonzero(edge)):
        for places in _split(standing, group):
            width = _spread_m(standing, places) + voxel_m
            if width >= least_m:
                found.append(_frontier(standing, floors.floor_of, places, into, width))
    return tuple(sorted(found, key=lambda f: (-f.width_m, f.position_m)))


def _grouped(standing: Standing, places: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Places of one edge: each no further than `_TOGETHER_M` from another one, and a step in height. An edge is rarely
    a closed line: it runs aslant, and single columns of it are known."""
    labels = np.full(len(standing), -1, np.int32)
    reach = max(1, round(_TOGETHER_M / standing.free.voxel_size_m))
    shape = np.array(standing.free.state.shape, np.int64)
    count = _group(standing.voxel, standing.starts, shape, places, reach, standing.step, labels)
    order = places[np.argsort(labels[places], kind="stable")]
    yield from np.split(order, np.searchsorted(labels[order], np.arange(1, count))) if count else ()


def _split(standing: Standing, places: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Halved across its longer side until no part is wider than `_WIDEST_M`."""
    if _spread_m(standing, places) <= _WIDEST_M or len(places) < 2:
        yield places
        return
    ground = standing.ground_m[places, :2]
    axis = int(np.argmax(np.ptp(ground, axis=0)))
    order = np.argsort(ground[:, axis], kind="stable")
    yield from _split(standing, places[np.sort(order[: len(order) // 2])])
    yield from _split(standing, places[np.sort(order[len(order) // 2 :])])


def _spread_m(standing: Standing, places: NDArray[np.int64]) -> float:
    """The diagonal of the box around some places, in the plane."""
    return float(np.hypot(*np.ptp(standing.ground_m[places, :2], axis=0)))


def _frontier(
    standing: Standing,
    floor_of: NDArray[np.int16],
    places: NDArray[np.int64],
    into: NDArray[np.float64],
    width_m: float,
) -> Frontier:
    ground = standing.ground_m[places]
    middle = int(np.argmin(np.linalg.norm(ground - ground.mean(axis=0), axis=1)))
    ahead = into[places].sum(axis=0)
    if not ahead.any():
        ahead = into[places[middle]]
    floors, counts = np.unique(floor_of[places], return_counts=True)
    x, y, z = ground[middle].tolist()
    return Frontier((x, y, z), math.atan2(ahead[1], ahead[0]), width_m, int(floors[np.argmax(counts)]))


@leaf
def _mark_edges(state, below, places, starts, step, head, sparse, stands, edge, into):
    """Which standing places border on the unknown, and the sum of the ways into it."""
    width, depth, tall = state.shape
    for n in range(places.shape[0]):
        if not stands[n]:
            continue
        for side in range(4):
            di, dj = (side == 0) - (side == 1), (side == 2) - (side == 3)
            if beside(places, starts, width, depth, n, di, dj, step) >= 0:
                continue
            x, y, z = places[n, 0] + di, places[n, 1] + dj, places[n, 2]
            if _blocked(below, x, y, z, step, head):
                continue
            hidden = head
            if x >= 0 and y >= 0 and x < width and y < depth:
                for k in range(z, min(z + head, tall)):
                    hidden -= state[x, y, k] != UNKNOWN
            if hidden >= _UNSEEN * head or (sparse and _goes_on(state, below, places, starts, n, di, dj, step, head)):
                edge[n] = True
                into[n, 0] += di
                into[n, 1] += dj


@leaf
def _blocked(below, x, y, z, step, head):
    """Whether something stands in a column above a step and below the head."""
    if x < 0 or y < 0 or x >= below.shape[0] or y >= below.shape[1]:
        return False
    tall = below.shape[2] - 1
    return below[x, y, min(z + head, tall)] > below[x, y, min(z + step, tall)]


@leaf
def _goes_on(state, below, places, starts, n, di, dj, step, head):
    """Whether ground may go on beside a place, its air seen and the ground itself not: rays that are far apart leave
    much of it out. It does not where there is a place or something in the way within the columns of a gap, nor where
    the air was seen down to a step below."""
    if next_to(below, places, starts, n, di, dj, step, head) >= 0:
        return False
    for far in range(1, GAP + 2):
        if _blocked(below, places[n, 0] + far * di, places[n, 1] + far * dj, places[n, 2], step, head):
            return False
    x, y, z = places[n, 0] + di, places[n, 1] + dj, places[n, 2]
    low, high = max(z - 1 - step, 0), min(z + step, below.shape[2] - 1)
    if below[x, y, high] > below[x, y, low]:
        return False
    unknown = 0
    for k in range(low, z):
        unknown += state[x, y, k] == UNKNOWN
    return unknown > 0


@kernel
def _group(places, starts, shape, chosen, reach, step, labels):
    """Number the groups of the chosen places, of which each has another within `reach` columns and a step in height, in
    the order of their first ones; `labels` must be -1 everywhere. Returns how many there are."""
    wanted = np.zeros(len(labels), np.bool_)
    wanted[chosen] = True
    queue, count = np.empty(len(chosen), np.int64), 0
    for seed in chosen:
        if labels[seed] >= 0:
            continue
        labels[seed] = count
        queue[0], at, end = seed, 0, 1
        while at < end:
            x, y, z = places[queue[at]]
            at += 1
            for i in range(max(0, x - reach), min(shape[0], x + reach + 1)):
                for j in range(max(0, y - reach), min(shape[1], y + reach + 1)):
                    for other in range(starts[i * shape[1] + j], starts[i * shape[1] + j + 1]):
                        if wanted[other] and labels[other] < 0 and abs(places[other, 2] - z) <= step:
                            labels[other] = count
                            queue[end] = other
                            end += 1
        count += 1
    return count
