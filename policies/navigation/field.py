"""Cheapest ways from every place to the nearest of some goals (Dijkstra, 1959)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from policies.navigation.route import Route
from spatialmem.ground.floors import Floors
from spatialmem.voxels.compiled import kernel, leaf


@final
@dataclass(frozen=True, eq=False)
class Field:
    """How far it is from each of N places to the nearest goal, and the way there."""

    floors: Floors
    goals: NDArray[np.int64]
    """places, rising"""
    cost_m: NDArray[np.float64]
    """(N,) metres times their prices; inf: no way leads to a goal"""
    length_m: NDArray[np.float64]
    """(N,) metres of the cheapest way, climbs included"""
    onward: NDArray[np.int32]
    """(N,) the next place on it; -1 at goals, and where none leads on"""

    def route(self, place: int) -> Route | None:
        """The cheapest way from a place to a goal; None when there is none."""
        if place < 0 or not math.isfinite(self.cost_m[place]):
            return None
        places = [place]
        while self.onward[places[-1]] >= 0:
            places.append(int(self.onward[places[-1]]))
        return Route.over(self.floors, np.array(places, np.int64), float(self.length_m[place]))


@kernel
def field_kernel(ground, links, price, goals, cost, length, onward):
    """Fill cost, length (N,), inf at first, and onward (N,), -1 at first, from places at which all cost nothing.

    A link costs its length in space times the mean price of its ends; one aslant is only taken where the body fits on
    both places beside it.
    """
    room = 8 * len(price) + len(goals) + 1
    keys, items, size = np.empty(room), np.empty(room, np.int32), 0
    for goal in goals:
        cost[goal], length[goal] = 0.0, 0.0
        size = push(keys, items, size, 0.0, goal)
    while size > 0:
        key, at = keys[0], items[0]
        size = sink(keys, items, size - 1)
        if key > cost[at]:
            continue
        for side in range(8):
            other = links[at, side]
            if other < 0 or not price[other] < np.inf:
                continue
            if side >= 4 and not _open_corner(links, price, at, side):
                continue
            dx, dy = ground[other, 0] - ground[at, 0], ground[other, 1] - ground[at, 1]
            metres = math.sqrt(dx * dx + dy * dy + (ground[other, 2] - ground[at, 2]) ** 2)
            total = key + metres * (price[at] + price[other]) / 2.0
            if total < cost[other]:
                cost[other], length[other], onward[other] = total, length[at] + metres, at
                size = push(keys, items, size, total, other)


@leaf
def _open_corner(links, price, at, side):
    one, other = links[at, 0 if side < 6 else 1], links[at, 2 if side % 2 == 0 else 3]
    return one >= 0 and other >= 0 and price[one] < np.inf and price[other] < np.inf


@leaf
def push(keys, items, size, key, item):
    """Add an item to a binary heap; returns its size."""
    i = size
    while i > 0 and keys[(i - 1) >> 1] > key:
        keys[i], items[i] = keys[(i - 1) >> 1], items[(i - 1) >> 1]
        i = (i - 1) >> 1
    keys[i], items[i] = key, item
    return size + 1


@leaf
def sink(keys, items, size):
    """Take the first item off a heap that has `size` left: the last one takes its place and goes down."""
    key, item, i = keys[size], items[size], 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[i], items[i] = keys[child], items[child]
        i = child
    keys[i], items[i] = key, item
    return size
