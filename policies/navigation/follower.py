"""Walking to a goal with step actions, on a map that grows meanwhile."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from policies.navigation.blind import BLIND_M, Blind
from policies.navigation.errors import Unreachable
from policies.navigation.field import Field
from policies.navigation.goals import Goal
from policies.navigation.graph import Graph
from policies.navigation.known import Known
from policies.navigation.progress import Progress
from policies.navigation.route import Route
from policies.navigation.source import GroundSource
from policies.navigation.steps import moves_along
from policies.navigation.turning import face
from sim.body import Action, Motion, Stand
from sim.errors import InvalidSetting
from spatialmem.ground.standing import Body

_OFF_M = 0.08
"""moves are looked for anew when the body is so far from where they should have led it"""
_RETREAT_M, _RETREAT_STEPS = 1.2, 16
_GIVEN_UP_M = 0.5
"""goal places so near to one that could not be come to are given up with it"""
_MANY_BUMPS = 6
"""after which it is patient no more, unless it came nearer by the last one"""
_REMEDIES = 8
"""tried in one tick, before it is said that nothing helps"""


@final
@dataclass(frozen=True)
class FollowerConfig:
    """How the follower goes about it."""

    every: int = 10
    """actions after which the ground is read anew; it is at once when something new stands in the way"""
    most_steps: int = 1000
    """actions towards one goal, after which it counts as unreachable"""

    def __post_init__(self) -> None:
        if self.every < 1 or self.most_steps < 1:
            raise InvalidSetting(f"every and most_steps must be at least 1; given {self}")


@dataclass
class _Pursuit:
    """One goal, and how it goes."""

    goal: Goal
    progress: Progress
    blind: Blind
    old_bumps: int
    """that were there before it began"""
    steps: int = 0
    bumps: int = 0
    remedy: int = 0
    """how many were tried since the goal place was chosen"""
    shut_m: list[NDArray[np.float64]] = field(default_factory=list)
    """goal places that were given up, (3,) each"""
    retreat: NDArray[np.int64] | None = None
    """places to back out to first"""
    retreat_left: int = 0


@final
class Follower:
    """Says the next step action towards a goal: `go`, then `next` every tick until it says STOP.

    The memory may grow between ticks. What the body bumped into is kept from goal to goal. A goal always ends: with
    STOP, or with `Unreachable`.
    """

    def __init__(
        self, memory: GroundSource, motion: Motion, body: Body | None = None, config: FollowerConfig | None = None
    ) -> None:
        self.motion, self.config = motion, config or FollowerConfig()
        self.known = Known(memory, body or Body())
        self._pursuit: _Pursuit | None = None
        self._ahead = False
        self._forget_way()

    @property
    def goal(self) -> Goal | None:
        """Where it goes; None before `go`."""
        return None if self._pursuit is None else self._pursuit.goal

    def go(self, goal: Goal) -> None:
        """Go somewhere else from now on."""
        patience = 12 + math.ceil(180.0 / self.motion.turn_deg)
        self._pursuit = _Pursuit(goal, Progress(patience), Blind(self.motion), len(self.known.bumps))
        self._forget_way()

    def drop(self) -> None:
        """Go nowhere any more."""
        self._pursuit = None
        self._forget_way()

    def read(self) -> Graph:
        """Read the ground from the memory now; the way is looked for anew."""
        self.known.read()
        self._forget_way()
        return self.known.graph

    def route(self, stand: Stand) -> Route | None:
        """The way it would go now, over the ground as it was read last; None without one."""
        pursuit = self._followed()
        graph, place = self.known.around(stand, BLIND_M)
        return self._planned(pursuit, graph).route(place)

    def next(self, stand: Stand, collided: bool) -> Action:
        """The next action from where the body is believed to be; STOP when it is there and looks where it should.

        Args:
            collided: the last action was a move that ended early.

        Raises:
            Unreachable: no way leads to the goal, or none on which the body got on.
        """
        pursuit = self._followed()
        self._notice(pursuit, stand, collided)
        if pursuit.steps >= self.config.most_steps:
            raise self._unreachable(stand, f"it was not reached in {pursuit.steps} actions")
        if self.known.age is None or self.known.age >= self.config.every:
            self.read()
        action = self._chosen(pursuit, stand)
        pursuit.steps += 1
        self.known.grow_older()
        self._ahead = action is Action.FORWARD
        return action

    def _followed(self) -> _Pursuit:
        if self._pursuit is None:
            raise InvalidSetting("there is no goal to go to; call go(goal) first")
        return self._pursuit

    # a tick

    def _notice(self, pursuit: _Pursuit, stand: Stand, collided: bool) -> None:
        """What came of the last action."""
        if collided and self._ahead:
            self.known.bumped(stand)
            pursuit.blind.bumped(stand)
            pursuit.bumps += 1
            if pursuit.bumps % _MANY_BUMPS == 0:
                pursuit.progress.halt()
            self._forget_way()
        elif self._ahead and self._ends:
            x, y = self._ends.popleft()
            if math.hypot(stand.x_m - x, stand.y_m - y) > _OFF_M:
                self._moves.clear()
                self._ends.clear()
        if pursuit.retreat is not None:
            pursuit.retreat_left -= 1
            if pursuit.retreat_left <= 0:
                self._end_retreat(pursuit)

    def _chosen(self, pursuit: _Pursuit, stand: Stand) -> Action:
        for _ in range(_REMEDIES):
            graph, place = self.known.around(stand)
            if place < 0:
                return self._blind(pursuit, graph, stand)
            if pursuit.retreat is not None:
                graph = graph.eased(place, always=True)
            ways = self._ways = self._ways or self._planned(pursuit, graph)
            left_m = float(ways.cost_m[place])
            if not math.isfinite(left_m):
                self._open_up(pursuit, stand)
            elif left_m == 0.0 and pursuit.retreat is None:
                facing = pursuit.goal.facing(stand)
                return Action.STOP if facing is None else face(stand, facing, self.motion)
            elif left_m == 0.0:
                self._end_retreat(pursuit)
            elif self._moves and self._moves[0] is Action.FORWARD and self.known.blocks(stand, self.motion.forward_m):
                self.read()
            elif pursuit.retreat is None and pursuit.progress.stuck(left_m):
                self._remedy(pursuit, graph, ways, place)
            elif (action := self._along(graph, ways, stand)) is not None:
                return action
            else:
                self._remedy(pursuit, graph, ways, place)
        raise self._unreachable(stand, "no step leads nearer to it")

    def _along(self, graph: Graph, ways: Field, stand: Stand) -> Action | None:
        """The next of the actions that were found, or of new ones; None where there are none."""
        if not self._moves:
            moves = moves_along(graph, ways, stand, self.motion, self.known.bumps.bans)
            if moves is None:
                return None
            self._moves, self._ends = deque(moves.actions), deque(moves.ends_m.tolist())
        return self._moves.popleft()

    def _planned(self, pursuit: _Pursuit, graph: Graph) -> Field:
        """Ways to the places of the goal that were not given up, or to where the body backs out to."""
        if pursuit.retreat is not None:
            return graph.field(pursuit.retreat)
        places = pursuit.goal.places(graph)
        ground = graph.standing.ground_m[places]
        for point in pursuit.shut_m:
            off = np.linalg.norm(ground - point, axis=1) > _GIVEN_UP_M
            places, ground = places[off], ground[off]
        return graph.field(places)

    def _forget_way(self) -> None:
        self._ways: Field | None = None
        self._moves: deque[Action] = deque()
        self._ends: deque[tuple[float, float]] = deque()

    # when it does not get on

    def _open_up(self, pursuit: _Pursuit, stand: Stand) -> None:
        """No way leads to the goal: by the newest map, then without what earlier bumps closed, then that is said."""
        if self.known.age != 0:
            self.read()
        elif pursuit.retreat is not None:
            self._end_retreat(pursuit)
        elif pursuit.old_bumps > 0:
            self.known.forgive(pursuit.old_bumps)
            pursuit.old_bumps = 0
            self._forget_way()
        else:
            raise self._unreachable(stand, "no known way leads there")

    def _remedy(self, pursuit: _Pursuit, graph: Graph, ways: Field, place: int) -> None:
        """It is stuck: look for another way on the newest map, then back out, then give this place of the goal up."""
        pursuit.remedy += 1
        pursuit.progress.again()
        if pursuit.remedy == 1:
            self.read()
            return
        self._forget_way()
        if pursuit.remedy == 2:
            pursuit.retreat, pursuit.retreat_left = _roomiest(graph, place), _RETREAT_STEPS
            return
        pursuit.remedy, pursuit.retreat = 0, None
        route = ways.route(place)
        if route is not None:
            pursuit.shut_m.append(route.points_m[-1])

    def _end_retreat(self, pursuit: _Pursuit) -> None:
        pursuit.retreat = None
        self._forget_way()

    def _blind(self, pursuit: _Pursuit, graph: Graph, stand: Stand) -> Action:
        action = pursuit.blind.next(graph, stand)
        if action is None:
            raise self._unreachable(stand, "no ground is known around the body")
        return action

    def _unreachable(self, stand: Stand, why: str) -> Unreachable:
        return Unreachable(
            f"{self.goal} cannot be reached from {np.round(stand.ground_m, 2).tolist()}: {why}. Explore on, or go "
            "somewhere else"
        )


def _roomiest(graph: Graph, place: int) -> NDArray[np.int64]:
    """The places with the most room around one, as far as it can back out."""
    around = graph.places_within(graph.standing.ground_m[place], _RETREAT_M)
    clear = np.where(np.isfinite(graph.price[around]), graph.standing.clearance_m[around], -1.0)
    return around[clear >= clear.max() - 1e-6]
