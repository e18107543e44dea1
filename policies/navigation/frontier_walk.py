"""Walk to frontiers until none is left (Yamauchi, 1997), on every floor: ground of any height is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from policies.navigation.approach import EYE_M
from policies.navigation.choosing import Option, options
from policies.navigation.errors import Unreachable
from policies.navigation.follower import Follower, FollowerConfig
from policies.navigation.goals import ToFrontier, ToGround
from policies.navigation.source import GroundSource
from sim.body import Action, Motion, Stand
from spatialmem.ground.floors import BETWEEN, NOT_REACHED, Floors, floors_of
from spatialmem.ground.frontiers import Frontier, frontiers_of
from spatialmem.ground.standing import Body

_LOOKED_M = 0.6
"""a frontier so near to one that was looked at in vain is given up too"""
_SAME_M, _MOVED_M = 0.7, 0.3
"""a frontier is the one of before when it lies so near to it; it is gone to anew when it has moved so far"""
_BETTER = 5.0
"""actions that another frontier must save, for the body to turn to it on its way"""
_MOST_STEPS = 150
"""on the way to a frontier, after which it is given up"""
_STARTS, _MOST_GAPS, _CHOICES = 3, 20, 8
"""times that it goes to ground it has not reached at the start, and that it looks for ways through gaps that may be too
narrow"""
_AHEAD_M = 0.3
"""so far ahead of a frontier lies what it leads to"""
_APART_M, _STOOD_M = 0.1, 0.4
"""how far apart what the body has stood on is kept; so near to it all is known"""
_SWEEP: tuple[Action, ...] = (Action.LEFT, Action.RIGHT, Action.RIGHT, Action.LEFT)
"""looks to either side on stairs: their treads hide much of each other"""
_TILTED_RAD = -0.2
"""a camera that looks down so much sees the ground well enough"""


@final
class FrontierWalk:
    """Says the next step action, from a memory and where the body is. It keeps what it bumped into, where it goes and
    which frontiers it gave up, and nothing else.

    At first it tilts a level camera down once, as the ground is what is to be known, and looks around. Then it goes to
    the frontier that costs the fewest actions, where a wide one may cost a few more, and looks into it. One that is
    seen into on the way is left, and one that is still there when it was looked into is given up.
    """

    def __init__(self, motion: Motion, body: Body | None = None, every: int = 6) -> None:
        """`every`: actions after which the ground and its frontiers are read anew."""
        self.motion, self.body = motion, body or Body()
        self._config = FollowerConfig(every=every)
        self._follower: Follower | None = None
        self._queue: list[Action] | None = None
        self._target: Frontier | None = None
        self._given_up: list[NDArray[np.float64]] = []
        self._visited: list[NDArray[np.float64]] = []
        self._stood = Stood()
        self._swept = False
        self._steps, self._starts, self._gaps = 0, 0, 0
        self.left_m: NDArray[np.float64] = np.empty((0, 2))
        """(N, 2) x, y of the frontiers known when the ground was read last, but for those it gave up"""

    def next(self, memory: GroundSource, stand: Stand, collided: bool) -> Action:
        """The next action; STOP when no frontier is left that can be reached.

        Args:
            memory: knows what was seen from where the body is; the same one every time.
            collided: the last action was a move that ended early.
        """
        self._stood.add(stand)
        if self._queue is None:
            self._queue = self._around(stand)
        follower = self._of(memory)
        for _ in range(_CHOICES):
            if self._queue:
                return self._queue.pop(0)
            if not self._has_goal(follower, stand):
                return Action.STOP
            if self._queue:
                continue
            try:
                action, arrived = follower.next(stand, collided), True
            except Unreachable:
                action, arrived = Action.STOP, False
            self._steps, collided = self._steps + 1, False
            if action is not Action.STOP and self._steps <= _MOST_STEPS:
                return action
            self._looked(follower, stand, arrived and action is Action.STOP)
        return Action.STOP

    def _around(self, stand: Stand) -> list[Action]:
        """A full turn but for what is seen at first."""
        tilt = [Action.LOOK_DOWN] if stand.pitch_rad > _TILTED_RAD else []
        return [*tilt, *[Action.LEFT] * (math.ceil(360.0 / self.motion.turn_deg) - 1)]

    def _of(self, memory: GroundSource) -> Follower:
        if self._follower is None or self._follower.known.memory is not memory:
            self._follower = Follower(memory, self.motion, self.body, self._config)
        return self._follower

    def _has_goal(self, follower: Follower, stand: Stand) -> bool:
        """Whether there is something to go to; it is chosen anew whenever the ground is read anew."""
        age = follower.known.age
        if follower.goal is not None and age is not None and age < self._config.every:
            return True
        self._read(follower, stand)
        found = self._options(follower, stand)
        if not found:
            return self._start_out(follower, stand)
        self._choose(follower, stand, found)
        return True

    def _read(self, follower: Follower, stand: Stand) -> Floors:
        """Read the ground. Where the memory kept no frame from where the body is, the body itself says that it came
        there."""
        graph = follower.read()
        place = graph.place_at(stand.ground_m)
        self._floors = graph.floors
        if place >= 0 and self._floors.floor_of[place] == NOT_REACHED:
            self._floors = floors_of(graph.standing, [self._stood.points_m + (0.0, 0.0, EYE_M)])
        return self._floors

    def _options(self, follower: Follower, stand: Stand) -> list[Option]:
        """Frontiers to go to; beyond gaps as narrow as the body only where there are no others."""
        found = list[Option]()
        for known in (self._frontiers, self._beyond_gaps):
            frontiers = [f for f in known(follower) if self._is_wanted(f)]
            self.left_m = np.array([f.position_m[:2] for f in frontiers], np.float64).reshape(-1, 2)
            found = options(follower.known, stand, self.motion, frontiers)
            if found:
                break
        return found

    def _frontiers(self, follower: Follower) -> tuple[Frontier, ...]:
        return frontiers_of(self._floors, sparse=True)

    def _beyond_gaps(self, follower: Follower) -> list[Frontier]:
        """Frontiers for a body half a voxel thinner, on ground that this one does not reach."""
        graph = follower.known.graph
        reached = self._floors.floor_of > NOT_REACHED
        if not reached.any() or self._gaps >= _MOST_GAPS:
            return []
        half_m = graph.voxel_m / 2.0
        thinner = replace(self.body, radius_m=max(self.body.radius_m - half_m, half_m))
        frontiers = frontiers_of(follower.known.memory.floors(thinner), sparse=True)
        self._gaps += 1
        return [f for f in frontiers if f.floor != BETWEEN and not reached[graph.place_at(np.array(f.position_m))]]

    def _is_wanted(self, frontier: Frontier) -> bool:
        """Whether it was not given up, and does not lead to ground on which the body itself has stood."""
        x, y, z = frontier.position_m
        ahead = (x + _AHEAD_M * math.cos(frontier.yaw_rad), y + _AHEAD_M * math.sin(frontier.yaw_rad), z)
        return not (_near(frontier.position_m, self._given_up) or self._stood.near(ahead))

    def _choose(self, follower: Follower, stand: Stand, found: list[Option]) -> None:
        """The cheapest frontier, or that of before while no other one is much cheaper."""
        best = min(found, key=lambda option: option.actions)
        if self._target is not None:
            before = np.array(self._target.position_m)
            same = min(found, key=lambda option: float(np.linalg.norm(option.frontier.position_m - before)))
            away_m = float(np.linalg.norm(same.frontier.position_m - before))
            if away_m <= _SAME_M and same.actions <= best.actions + _BETTER:
                if away_m > _MOVED_M:
                    self._target = same.frontier
                    follower.go(ToFrontier(same.frontier))
                return
        self._target, self._steps = best.frontier, 0
        follower.go(ToFrontier(best.frontier))
        if best.frontier.floor != BETWEEN and stand.pitch_rad > _TILTED_RAD and self._queue is not None:
            self._queue.append(Action.LOOK_DOWN)

    def _looked(self, follower: Follower, stand: Stand, arrived: bool) -> None:
        """The body looks into its target, or did not come there: what is still a frontier there is given up, but only
        after it was looked at with a level camera too, as what rises is not seen by one that looks down, and on stairs
        to either side."""
        floors = self._read(follower, stand)
        target, down = self._target, stand.pitch_rad <= _TILTED_RAD
        if target is not None:
            at = np.array(target.position_m)
            still = [np.array(f.position_m) for f in frontiers_of(floors, sparse=True) if _near(f.position_m, [at])]
            looks = [Action.LOOK_UP] if down else [] if self._swept or target.floor != BETWEEN else list(_SWEEP)
            if arrived and still and looks:
                self._queue = looks
                self._swept = not down
                return
            again = _near(at, self._visited)
            self._visited.append(at)
            self._given_up += [*still, at] if again or not arrived else still
        self._target, self._steps, self._swept = None, 0, False
        follower.drop()

    def _start_out(self, follower: Follower, stand: Stand) -> bool:
        """Nothing is left; or the body has not yet come to ground that was seen: then it goes there."""
        reached = bool((self._floors.floor_of > NOT_REACHED).any())
        if reached or self._starts >= _STARTS:
            return False
        self._starts += 1
        self._target = None
        follower.go(ToGround((stand.x_m, stand.y_m, stand.z_m)))
        return True


@final
class Stood:
    """Where a body has been."""

    def __init__(self) -> None:
        self.points_m = np.empty((0, 3))
        """(N, 3) of the ground, map frame"""

    def add(self, stand: Stand) -> None:
        """It is somewhere."""
        if not len(self.points_m) or np.linalg.norm(self.points_m[-1] - stand.ground_m) > _APART_M:
            self.points_m = np.concatenate([self.points_m, stand.ground_m[None]])

    def near(self, point_m: Sequence[float]) -> bool:
        """Whether it has been there."""
        return bool((np.linalg.norm(self.points_m - np.array(point_m), axis=1) <= _STOOD_M).any())


def _near(position_m: Sequence[float] | NDArray[np.float64], others: list[NDArray[np.float64]]) -> bool:
    """Whether a point (3,) lies where something was looked at before."""
    at = np.array(position_m)
    return any(np.linalg.norm(at - other) <= _LOOKED_M for other in others)
