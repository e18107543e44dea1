"""A memory that knows a given space, and a body in such a space, both in the plainest way."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field, replace

import ground_cases
import numpy as np

from policies.navigation.errors import Unreachable
from policies.navigation.follower import Follower
from sim.body import Action, Motion, Stand
from spatialmem.ground.floors import Floors, floors_of
from spatialmem.ground.standing import Body, standing_of
from spatialmem.voxels.free_reading import OCCUPIED, FreeSpace

MOTION = Motion()


@dataclass
class Given:
    """A memory whose free space is given, over which a camera was carried at some points."""

    free: FreeSpace
    tracks_m: list[np.ndarray] = field(default_factory=list)
    body: Body = ground_cases.BODY
    asked: int = 0
    """how often the ground was read"""

    def floors(self, body: Body | None = None) -> Floors:
        self.asked += 1
        return floors_of(standing_of(self.free, body or self.body), self.tracks_m)

    def occupancy(self, points_m: np.ndarray) -> np.ndarray:
        at = np.floor((points_m - self.free.origin_m) / self.free.voxel_size_m).astype(int)
        inside = ((at >= 0) & (at < self.free.state.shape)).all(axis=1)
        return np.where(inside, self.free.state[tuple(np.where(inside[:, None], at, 0).T)], 0)


@dataclass
class Walker:
    """A body that stops where a column with something at its height is nearer than it is wide."""

    state: np.ndarray
    stand: Stand
    radius_m: float = 0.15
    collisions: int = 0

    def act(self, action: Action, motion: Motion = MOTION) -> bool:
        """Do an action; whether a move ended early."""
        turn = math.radians(motion.turn_deg) * ((action is Action.LEFT) - (action is Action.RIGHT))
        self.stand = replace(self.stand, yaw_rad=self.stand.yaw_rad + turn)
        for _ in range(round(100 * motion.forward_m) if action is Action.FORWARD else 0):
            x, y = (
                self.stand.x_m + 0.01 * math.cos(self.stand.yaw_rad),
                self.stand.y_m + 0.01 * math.sin(self.stand.yaw_rad),
            )
            ground = self._ground(x, y)
            if ground is None:
                self.collisions += 1
                return True
            self.stand = replace(self.stand, x_m=x, y_m=y, z_m=ground)
        return False

    def _ground(self, x: float, y: float) -> float | None:
        """Height of the ground at a point to which it can step; None where it cannot."""
        free = ground_cases.space(self.state)
        i, j, k = ((np.array([x, y, self.stand.z_m + 1e-6]) - free.origin_m) / free.voxel_size_m).tolist()
        if not (0 <= i < self.state.shape[0] and 0 <= j < self.state.shape[1]):
            return None
        column = self.state[int(i), int(j)]
        tops = [z + 1 for z in range(len(column)) if column[z] == OCCUPIED and abs(z + 1 - int(k)) <= ground_cases.STEP]
        if not tops:
            return None
        top = max(tops)
        taken = (self.state[:, :, top + ground_cases.STEP : top + ground_cases.HEAD] == OCCUPIED).any(axis=2)
        cells = np.argwhere(taken)
        gaps = np.maximum(np.abs(cells + 0.5 - (i, j)) - 0.5, 0.0) * free.voxel_size_m
        if len(cells) and np.hypot(*gaps.T).min() < self.radius_m:
            return None
        return float(free.origin_m[2] + top * free.voxel_size_m)


def point(x: int, y: int, z: int) -> tuple[float, float, float]:
    """The ground point of a voxel of `ground_cases.space`."""
    a, b, c = (np.array([1.0, 2.0, 3.0]) + (np.array([x, y, z]) + (0.5, 0.5, 0.0)) * ground_cases.VOXEL_M).tolist()
    return a, b, c


def stand(x: int, y: int, z: int = 1, yaw_rad: float = 0.0) -> Stand:
    """A body on a voxel."""
    return Stand(*point(x, y, z), yaw_rad)


def follow(follower: Follower, walker: Walker, most: int = 400) -> list[Action]:
    """Walk until STOP; the actions. Fails when it takes too many."""
    actions, collided = list[Action](), False
    while len(actions) < most:
        actions.append(follower.next(walker.stand, collided))
        if actions[-1] is Action.STOP:
            return actions
        collided = walker.act(actions[-1], follower.motion)
    raise AssertionError(f"no end after {most} actions, at {walker.stand}")


def gives_up(follower: Follower, walker: Walker, most: int = 400) -> int:
    """Walk until `Unreachable`; after how many actions."""
    collided = False
    for count in range(most):
        try:
            action = follower.next(walker.stand, collided)
        except Unreachable:
            return count
        assert action is not Action.STOP
        collided = walker.act(action, follower.motion)
    raise AssertionError(f"it has not given up after {most} actions, at {walker.stand}")


def cheapest(links: np.ndarray, price: np.ndarray, ground: np.ndarray, goals: list[int]) -> np.ndarray:
    """(N,) cost to the nearest goal (Dijkstra, with a plain heap)."""
    cost = np.full(len(price), np.inf)
    queue = [(0.0, goal) for goal in goals]
    cost[goals] = 0.0
    while queue:
        spent, at = heapq.heappop(queue)
        if spent > cost[at]:
            continue
        for side, other in enumerate(links[at].tolist()):
            if other < 0 or not np.isfinite(price[other]):
                continue
            if side >= 4:
                beside = [links[at, 0 if side < 6 else 1], links[at, 2 if side % 2 == 0 else 3]]
                if not np.isfinite(price[beside]).all():
                    continue
            total = spent + float(np.linalg.norm(ground[at] - ground[other])) * (price[at] + price[other]) / 2
            if total < cost[other] - 1e-12:
                cost[other] = total
                heapq.heappush(queue, (total, other))
    return cost
