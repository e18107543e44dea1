"""What it takes to go to each of some frontiers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from policies.navigation.blind import BLIND_M
from policies.navigation.field import Field
from policies.navigation.goals import ToFrontier
from policies.navigation.known import Known
from policies.navigation.turning import turned
from sim.body import Motion, Stand
from spatialmem.ground.frontiers import Frontier

_PER_METRE_WIDE, _WIDEST_M = 3.0, 1.5
"""actions that a frontier may cost more for each metre that it is wider, up to so many"""
_NARROW_M, _LATER = 0.6, 12.0
"""narrower ones, which often are but gaps in what was seen, may wait for so many actions"""
_ELSEWHERE = 15.0
"""actions that a frontier on another floor, or on stairs, must cost less: who leaves a floor must come back to it"""
_OFF_M = 0.6
"""where a way has gone so far from the body, is where it turns to at first"""


class Option(NamedTuple):
    """A frontier that can be reached."""

    frontier: Frontier
    actions: float
    """about how many it takes to go there and look into it, less what its width is worth"""


def options(known: Known, stand: Stand, motion: Motion, frontiers: Sequence[Frontier]) -> list[Option]:
    """Those of some frontiers to which a way leads from where a body is, and what they take."""
    graph, place = known.around(stand, BLIND_M)
    if place < 0:
        return []
    ways, found = graph.field(np.array([place])), list[Option]()
    floor = graph.floors.floor_of[place]
    for frontier in frontiers:
        places = ToFrontier(frontier).places(graph)
        end = int(places[np.argmin(ways.cost_m[places])]) if len(places) else -1
        if end >= 0 and math.isfinite(ways.cost_m[end]):
            worth = _PER_METRE_WIDE * min(frontier.width_m, _WIDEST_M) - _LATER * (frontier.width_m < _NARROW_M)
            worth -= _ELSEWHERE * (frontier.floor != floor)
            found.append(Option(frontier, _actions(ways, end, stand, motion, frontier.yaw_rad) - worth))
    return found


def _actions(ways: Field, end: int, stand: Stand, motion: Motion, yaw_rad: float) -> float:
    """Moves along a way, and turns at both ends of it."""
    route = ways.route(end)
    assert route is not None
    off = route.points_m[:, :2] - (stand.x_m, stand.y_m)
    away = np.flatnonzero(np.hypot(off[:, 0], off[:, 1]) >= _OFF_M)
    first = off[away[-1]] if len(away) else (math.cos(yaw_rad), math.sin(yaw_rad))
    last = off[0] - off[min(8, len(off) - 1)]
    leaving = abs(turned(math.atan2(first[1], first[0]) - stand.yaw_rad))
    looking = abs(turned(yaw_rad - math.atan2(last[1], last[0]))) if len(away) else 0.0
    return route.length_m / motion.forward_m + math.degrees(leaving + looking) / motion.turn_deg
