"""A search over the poses that step actions lead to: A* (Hart, Nilsson and Raphael, 1968), with a little impatience.

Nodes are places after a move ahead, told apart by 5 cm; from each, every heading can be turned to. What a way costs is
its length, and a little for each turn. The heuristic is the length of the shortest way of a body that turns freely; it
is weighted by `1 + impatience`, so that of the many ways that are all but as short, one is followed.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

from sim.body import Action, Moved, Stand

_Heuristic = Callable[[Any], float]
_CELL_M, _HEURISTIC_M = 0.05, 0.02
"""how finely poses are told apart, and places of the heuristic"""
_LEAST_M = 0.03
"""a move shorter than this leads nowhere"""


@final
@dataclass(frozen=True)
class Search:
    """How to look for a way."""

    after: Callable[[Stand, Action], Moved]
    """Scene.after"""
    distance_m: _Heuristic
    """of a ground point to the nearest target"""
    turn_deg: float
    within_m: float
    """so near to a target is there"""
    impatience: float = 0.06
    turn_cost_m: float = 0.004
    """what a turn counts"""
    most_nodes: int = 20_000
    """looked at before the best way so far is taken"""

    def way(self, start: Stand) -> list[Action] | None:
        """Actions from a stand to within reach of a target; None when nothing leads nearer."""
        return _Run(self).way(start)


@dataclass(frozen=True)
class _Node:
    stand: Stand
    cost: float
    parent: _Node | None
    actions: tuple[Action, ...]


@final
class _Run:
    def __init__(self, search: Search) -> None:
        self._s = search
        self._known: dict[tuple[int, int, int], float] = {}
        turns = round(360.0 / search.turn_deg)
        half = turns // 2
        self._turns = [(Action.LEFT,) * n if n <= half else (Action.RIGHT,) * (turns - n) for n in range(turns)]

    def way(self, start: Stand) -> list[Action] | None:
        """A*: the way to a target, or to what lay nearest to one when the search ran out of nodes."""
        s, order = self._s, itertools.count()
        first = _Node(start, 0.0, None, ())
        best, nearest = first, self._left(start)
        if not math.isfinite(nearest):
            return None
        queue = [(nearest, next(order), first)]
        closed: set[tuple[int, int, int]] = set()
        while queue and len(closed) < s.most_nodes:
            _, _, node = heapq.heappop(queue)
            left = self._left(node.stand)
            if left < nearest:
                best, nearest = node, left
            if left < _HEURISTIC_M and self._s.distance_m(node.stand.ground_m) < self._s.within_m:
                best, nearest = node, 0.0
                break
            place = self._place(node.stand)
            if place in closed:
                continue
            closed.add(place)
            for onward in self._onward(node):
                if self._place(onward.stand) not in closed:
                    f = onward.cost + (1.0 + s.impatience) * self._left(onward.stand)
                    heapq.heappush(queue, (f, next(order), onward))
        return _actions(best) if best is not first or nearest <= 0.0 else None

    def _onward(self, node: _Node) -> list[_Node]:
        """The poses a turn and a move away."""
        found, stand = [], node.stand
        step = math.radians(self._s.turn_deg)
        for n, turns in enumerate(self._turns):
            yaw = (stand.yaw_rad + n * step + math.pi) % (2.0 * math.pi) - math.pi
            moved = self._s.after(replace(stand, yaw_rad=yaw), Action.FORWARD)
            if moved.length_m >= _LEAST_M:
                cost = node.cost + moved.length_m + self._s.turn_cost_m * len(turns)
                found.append(_Node(moved.stand, cost, node, (*turns, Action.FORWARD)))
        return found

    def _left(self, stand: Stand) -> float:
        """Metres to go at least; 0 within reach."""
        key = (round(stand.x_m / _HEURISTIC_M), round(stand.y_m / _HEURISTIC_M), stand.layer)
        if key not in self._known:
            self._known[key] = self._s.distance_m(stand.ground_m)
        return max(0.0, self._known[key] - self._s.within_m)

    def _place(self, stand: Stand) -> tuple[int, int, int]:
        return round(stand.x_m / _CELL_M), round(stand.y_m / _CELL_M), stand.layer


def _actions(node: _Node) -> list[Action]:
    found: list[tuple[Action, ...]] = []
    at: _Node | None = node
    while at is not None:
        found.append(at.actions)
        at = at.parent
    return [action for actions in reversed(found) for action in actions]
