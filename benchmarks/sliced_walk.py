"""Walk to the nearest frontier: free ground of a memory that borders on what was never seen (Yamauchi, 1997)."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.body import Action, Motion, Stand
from spatialmem.voxels.free_reading import FREE, OCCUPIED, FreeSpace

BODY_M = (0.2, 1.5)
"""heights above the ground between which nothing may stand in the way"""
BODY_RADIUS_M, RADIUS_M = 0.18, 0.2
"""of the body; what it keeps from things where it can"""
_LEAST_CELLS = 6
"""of a frontier; fewer are holes in what was seen"""
_LOOKED_M = 0.6
"""a frontier so near that could not be resolved is left"""
_TRIES, _AROUND_M = 4, 0.5
"""bumps within such a radius after which a narrow gap is closed"""


@dataclass(frozen=True, eq=False)
class Ground:
    """What a memory knows about the ground of one floor."""

    origin_m: NDArray[np.float64]
    """(2,) x, y of the outer corner of cell (0, 0)"""
    cell_m: float
    free: NDArray[np.bool_]
    """(X, Y) seen through, and nothing stands there"""
    occupied: NDArray[np.bool_]
    """(X, Y)"""

    def cell(self, xy_m: NDArray[np.floating]) -> tuple[int, int]:
        """The cell of a point, the nearest one for points outside."""
        i, j = np.floor((np.asarray(xy_m)[:2] - self.origin_m) / self.cell_m).astype(int)
        return int(np.clip(i, 0, self.free.shape[0] - 1)), int(np.clip(j, 0, self.free.shape[1] - 1))

    def middle_m(self, cell: tuple[int, int]) -> NDArray[np.float64]:
        """(2,) x, y of the middle of a cell."""
        return self.origin_m + (np.array(cell) + 0.5) * self.cell_m

    def middles_m(self, cells: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(N, 2) x, y of the middles of marked cells."""
        return self.origin_m + (np.argwhere(cells) + 0.5) * self.cell_m

    @property
    def frontiers(self) -> NDArray[np.bool_]:
        """(X, Y) free cells with a neighbour of which nothing is known, in groups of some size."""
        import cv2

        unknown = ~(self.free | self.occupied)
        edge = self.free & (cv2.dilate(unknown.astype(np.uint8), _CROSS) > 0)
        _, label_image, stats, _ = cv2.connectedComponentsWithStats(edge.astype(np.uint8), connectivity=8)
        labels = np.asarray(label_image, np.int32)
        large = np.asarray(stats, np.int64)[:, cv2.CC_STAT_AREA] >= _LEAST_CELLS
        large[0] = False
        return large[labels]


_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def ground_of(space: FreeSpace, ground_z_m: float) -> Ground:
    """The ground around a height: a column is free when a voxel of it is, between the heights of the body, and none
    is occupied."""
    low, high = (round((ground_z_m + h - space.origin_m[2]) / space.voxel_size_m) for h in BODY_M)
    slab = space.state[:, :, max(low, 0) : max(high, 0)]
    occupied = (slab == OCCUPIED).any(axis=2)
    return Ground(space.origin_m[:2], space.voxel_size_m, (slab == FREE).any(axis=2) & ~occupied, occupied)


@final
class FrontierWalk:
    """Says the next step action, from a memory's free space and where the body is. It keeps what it bumped into and
    which frontiers it gave up, and nothing else."""

    def __init__(self, motion: Motion) -> None:
        self.motion = motion
        self._bumps: list[NDArray[np.float64]] = []
        self._tried: list[NDArray[np.float64]] = []
        self._closed: list[NDArray[np.float64]] = []
        self._narrow = False
        self._given_up: list[NDArray[np.float64]] = []
        self._turns_left = round(360.0 / motion.turn_deg)
        self.left_m: NDArray[np.float64] = np.empty((0, 2))
        """(N, 2) x, y of the frontiers known at the last step, but for those it gave up"""

    def next(self, space: FreeSpace, stand: Stand, collided: bool) -> Action:
        """The next action; STOP when no frontier is left that can be reached. At first it looks around."""
        if self._turns_left > 0:
            self._turns_left -= 1
            return Action.LEFT
        ahead = np.array([math.cos(stand.yaw_rad), math.sin(stand.yaw_rad)])
        if collided:
            self._bump(stand.ground_m[:2] + ahead * (RADIUS_M + 0.1))
        ground = ground_of(space, stand.z_m)
        edges = self._wanted(ground)
        self.left_m = ground.middles_m(edges)
        while (way := self._found(ground, stand, edges)) is not None:
            if len(way) * ground.cell_m >= RADIUS_M * 2:
                return self._towards(ground.middle_m(way[min(len(way) - 1, 5)]), stand)
            before = self.left_m[np.argmin(np.linalg.norm(self.left_m - ground.middle_m(way[-1]), axis=1))]
            action = self._towards(before, stand)
            if action is not Action.FORWARD:
                return action
            self._given_up.append(before)  # it stands before it and looks there: not to be resolved
            edges = self._wanted(ground)
            self.left_m = ground.middles_m(edges)
        return Action.STOP

    def _bump(self, point_m: NDArray[np.float64]) -> None:
        """What it ran into is in the way; in a narrow gap after some tries only, as it may not have been in line."""
        if not self._narrow:
            self._bumps.append(point_m)
        self._tried.append(point_m)
        near = [np.linalg.norm(point_m - other) < _AROUND_M for other in self._tried]
        if sum(near) > _TRIES:
            self._closed.append(point_m)
            self._tried = [other for other, close in zip(self._tried, near, strict=True) if not close]

    def _found(self, ground: Ground, stand: Stand, edges: NDArray[np.bool_]) -> list[tuple[int, int]] | None:
        """The cheapest way to a frontier, through gaps as narrow as the body only where there is no other."""
        if not edges.any():
            return None
        for self._narrow in (False, True):
            way = _way(self._walkable(ground), ground.cell(stand.ground_m), edges)
            if way is not None:
                return way
        return None

    def _wanted(self, ground: Ground) -> NDArray[np.bool_]:
        edges = ground.frontiers.copy()
        cells, middles = np.argwhere(edges), ground.middles_m(edges)
        for point in self._given_up:
            near = np.linalg.norm(middles - point, axis=1) < _LOOKED_M
            edges[tuple(cells[near].T)] = False
        return edges

    def _walkable(self, ground: Ground) -> NDArray[np.float64]:
        """(X, Y) price of each cell: inf where the body does not fit, higher near obstacles.

        In narrow gaps the map, whose obstacles may begin half a cell further off, is believed, not the bumps.
        """
        import cv2

        blocked = ground.occupied.copy()
        for point in self._closed if self._narrow else [*self._bumps, *self._closed]:
            blocked[ground.cell(point)] = True
        clear = cv2.distanceTransform((~blocked).astype(np.uint8), cv2.DIST_L2, 5) * ground.cell_m
        price = 1.0 + (12.0 if self._narrow else 3.0) * np.clip(0.5 - clear, 0.0, None) / 0.5
        least_m = BODY_RADIUS_M - ground.cell_m / 2.0 if self._narrow else RADIUS_M
        return np.where(ground.free & (clear > least_m), price, np.inf)

    def _towards(self, point_m: NDArray[np.float64], stand: Stand) -> Action:
        off = point_m - stand.ground_m[:2]
        turn = (math.atan2(off[1], off[0]) - stand.yaw_rad + math.pi) % (2.0 * math.pi) - math.pi
        if abs(turn) > math.radians(self.motion.turn_deg) / 2.0 + 1e-6:
            return Action.LEFT if turn > 0.0 else Action.RIGHT
        return Action.FORWARD


def _way(price: NDArray[np.float64], start: tuple[int, int], goals: NDArray[np.bool_]) -> list[tuple[int, int]] | None:
    """Cells of the cheapest way to any goal within reach of the body (Dijkstra); None when there is none.

    The start may lie where the body does not fit: it is there. A goal counts as reached from a cell beside it.
    """
    import cv2

    reach = cv2.dilate(goals.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    cost, came = {start: 0.0}, {start: start}
    queue = [(0.0, start)]
    while queue:
        spent, cell = heapq.heappop(queue)
        if spent > cost[cell]:
            continue
        if reach[cell] and np.isfinite(price[cell]):
            way = [cell]
            while way[-1] != start:
                way.append(came[way[-1]])
            return way[::-1]
        for di, dj in _STEPS:
            to = (cell[0] + di, cell[1] + dj)
            if not (0 <= to[0] < price.shape[0] and 0 <= to[1] < price.shape[1]):
                continue
            each = price[to] if np.isfinite(price[to]) else (9.0 if spent < 6.0 else np.inf)  # out of a tight spot
            total = spent + each * math.hypot(di, dj)
            if total < cost.get(to, np.inf):
                cost[to], came[to] = total, cell
                heapq.heappush(queue, (total, to))
    return None


_STEPS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
