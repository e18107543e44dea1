"""Step actions along a way: A* (Hart, Nilsson and Raphael, 1968) over the poses that turns and moves lead to.

Nodes are points after a move ahead; from each, every heading can be turned to. A way costs what its metres cost, and a
little for each turn. What is left to go is read off the field of cheapest ways, whose corners are thus cut where the
body can go straight, and taken wide where its steps are too coarse for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from policies.navigation.field import Field, push, sink
from policies.navigation.graph import Graph
from policies.navigation.walking import walkable, walked
from sim.body import Action, Motion, Stand
from spatialmem.voxels.compiled import kernel, leaf

_TURN_COST_M, _IMPATIENCE, _HORIZON_M, _MOST = 0.1, 0.05, 2.5, 1500
_CELL_M = 0.04
"""how finely points are told apart"""
_NEARER_M = 0.1
"""a way that does not end at the horizon must at least lead so much nearer"""
_BANNED_M, _BANNED_RAD = 0.06, 0.8
"""so near to where a move ended early, headings so near to that one are not tried again: what it touches is wide"""


class Stepping(NamedTuple):
    """How to look."""

    turns: int
    """in a full circle"""
    forward_m: float
    turn_cost_m: float
    impatience: float
    horizon_m: float
    """of cost; no further ahead is looked"""
    most: int
    """points looked at"""
    nearer_m: float


@final
@dataclass(frozen=True)
class Moves:
    """Step actions, and where they lead."""

    actions: tuple[Action, ...]
    ends_m: NDArray[np.float64]
    """(K, 2) x, y after each FORWARD"""


def moves_along(graph: Graph, field: Field, stand: Stand, motion: Motion, bans: NDArray[np.float64]) -> Moves | None:
    """Actions from a stand down a field, at most some metres; None where no move leads nearer.

    Args:
        bans: (B, 3) x, y and yaw from which a move ahead is not to be tried.
    """
    place = graph.place_at(stand.ground_m)
    if place < 0 or not math.isfinite(field.cost_m[place]):
        return None
    x, y = _start(graph, place, stand)
    turns = max(1, round(360.0 / motion.turn_deg))
    how = Stepping(turns, motion.forward_m, _TURN_COST_M, _IMPATIENCE, _HORIZON_M, _MOST, _NEARER_M)
    headings, ends = _search(walkable(graph), field.cost_m, x, y, place, stand.yaw_rad, how, bans)
    if len(headings) == 0:
        return None
    return Moves(tuple(_actions(headings.tolist(), turns)), ends)


def _start(graph: Graph, place: int, stand: Stand) -> tuple[float, float]:
    """Where the body is; the middle of its place where it is over ground that was not seen."""
    x, y, _ = graph.standing.ground_m[place].tolist()
    half = graph.voxel_m / 2.0
    inside = abs(stand.x_m - x) <= half and abs(stand.y_m - y) <= half
    return (stand.x_m, stand.y_m) if inside else (x, y)


def _actions(headings: list[int], turns: int) -> list[Action]:
    """Headings, in turns to the left of the first one, as actions."""
    found, before = list[Action](), 0
    for heading in headings:
        left = (heading - before) % turns
        found += [Action.LEFT] * left if left <= turns // 2 else [Action.RIGHT] * (turns - left)
        found.append(Action.FORWARD)
        before = heading
    return found


@kernel
def _search(w, field, x, y, place, yaw, how, bans):
    """Headings (K,), in turns to the left of the first one, each of a move ahead, and where the moves end (K, 2)."""
    room, turn = how.most * how.turns + 1, 2.0 * math.pi / how.turns
    at, places = np.empty((room, 2)), np.empty(room, np.int32)
    heading, parent, cost = np.zeros(room, np.int32), np.full(room, -1, np.int32), np.zeros(room)
    keys, items, size, count = np.empty(room), np.empty(room, np.int32), 0, 1
    half = int(math.ceil((2.0 * how.horizon_m + how.forward_m) / _CELL_M))
    closed = np.zeros((2 * half + 1, 2 * half + 1), np.bool_)
    at[0, 0], at[0, 1], places[0] = x, y, place
    first = _left(w, field, place, x, y)
    best, least, done = 0, first, 0
    size = push(keys, items, size, first, 0)
    while size > 0 and done < how.most:
        node = items[0]
        size = sink(keys, items, size - 1)
        i, j = int(round((at[node, 0] - x) / _CELL_M)) + half, int(round((at[node, 1] - y) / _CELL_M)) + half
        if not (0 <= i <= 2 * half and 0 <= j <= 2 * half) or closed[i, j]:
            continue
        closed[i, j] = True
        done += 1
        left = _left(w, field, places[node], at[node, 0], at[node, 1])
        if left < least:
            best, least = node, left
        if field[places[node]] == 0.0 or left <= first - how.horizon_m:
            best, least = node, -np.inf
            break
        for n in range(how.turns):
            angle = yaw + n * turn
            if node == 0 and _banned(bans, x, y, angle):
                continue
            to_x, to_y = at[node, 0] + how.forward_m * math.cos(angle), at[node, 1] + how.forward_m * math.sin(angle)
            end, metres = walked(w, places[node], at[node, 0], at[node, 1], to_x, to_y)
            if end < 0 or not field[end] < np.inf:
                continue
            few = abs(n - heading[node])
            at[count, 0], at[count, 1], places[count], heading[count], parent[count] = to_x, to_y, end, n, node
            cost[count] = cost[node] + metres + how.turn_cost_m * min(few, how.turns - few)
            f = cost[count] + (1.0 + how.impatience) * _left(w, field, end, to_x, to_y)
            size = push(keys, items, size, f, count)
            count += 1
    return _way(best if least < first - how.nearer_m else 0, at, heading, parent)


@kernel
def _way(node, at, heading, parent):
    """What leads to a node."""
    count, n = 0, node
    while parent[n] >= 0:
        count, n = count + 1, parent[n]
    headings, ends = np.empty(count, np.int32), np.empty((count, 2))
    while count > 0:
        count -= 1
        headings[count], ends[count], node = heading[node], at[node], parent[node]
    return headings, ends


@leaf
def _left(w, field, place, x, y):
    """What is left to go from a point over a place: by way of the middle of it or of one beside it."""
    least = field[place] + w.price[place] * _off(w, place, x, y)
    for side in range(8):
        other = w.links[place, side]
        if other >= 0 and w.price[other] < np.inf:
            least = min(least, field[other] + w.price[other] * _off(w, other, x, y))
    return least


@leaf
def _off(w, place, x, y):
    """Metres in the plane from a point to the middle of a place."""
    return math.hypot(
        w.x_m + (w.voxel[place, 0] + 0.5) * w.voxel_m - x, w.y_m + (w.voxel[place, 1] + 0.5) * w.voxel_m - y
    )


@leaf
def _banned(bans, x, y, yaw):
    for n in range(len(bans)):
        off = (yaw - bans[n, 2] + math.pi) % (2.0 * math.pi) - math.pi
        if abs(off) < _BANNED_RAD and math.hypot(bans[n, 0] - x, bans[n, 1] - y) <= _BANNED_M:
            return True
    return False
