"""Where the agent can be, and how far it is from one place to another, over all floors.

Every floor is a grid of 5 cm cells, and so is the flight of stairs, as one more layer; cells of a flight are linked to
those of the floors at its foot and head. A cell is free when the agent's cylinder, standing on its middle, touches
nothing. Distances are those of any-angle paths: Dijkstra's search in which a cell takes its parent's parent when it
sees it (Theta*, Nash et al. 2007, without a heuristic), so that they lie within a few per mille of the truth in the
grid, and a straight way has its Euclidean length.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.errors import InvalidHouse
from sim.house.layout.plan import STOREY_M, WALL_M, Passage, Plan, Rect
from sim.house.paths import Cell, distances_from, pulled_path
from sim.house.shape import Footprint
from sim.house.shapes.structure import JAMB_M
from sim.house.thing import Body, Thing

CELL_M = 0.05
_FLAT_M = 0.05
"""things lower than this are walked over"""
_FIELDS = 12
"""kept; one of a large house takes 4 MB"""
_ENTRY_M = 0.25
"""how far the layer of a flight reaches beyond its ends"""


@final
class Navigation:
    """The navigable space of a house for one body, with everything where it first stood.

    Layers 0 to floors-1 are the floors; the last one, where there are stairs, is the flight.
    """

    def __init__(self, plan: Plan, things: tuple[Thing, ...], body: Body) -> None:
        self.plan, self.body = plan, body
        self.origin_m = (plan.footprint.x0 - 0.2, plan.footprint.y0 - 0.2)
        """world x, y of the corner of cell (0, 0)"""
        width, depth = plan.footprint.width + 0.4, plan.footprint.depth + 0.4
        shape = (math.ceil(depth / CELL_M), math.ceil(width / CELL_M))
        self._x = self.origin_m[0] + (np.arange(shape[1]) + 0.5) * CELL_M
        self._y = self.origin_m[1] + (np.arange(shape[0]) + 0.5) * CELL_M
        layers = plan.floors + (plan.stairs is not None)
        self.clearance_m = np.zeros((layers, *shape))
        """(L, rows, columns) distance from the middle of a cell to the nearest obstacle, at most 1 m, y along rows"""
        self.height_m = np.zeros((layers, *shape))
        """(L, rows, columns) of the ground"""
        for floor in range(plan.floors):
            self.clearance_m[floor] = self._floor(floor)
            self.height_m[floor] = floor * STOREY_M
        self.links = np.full((layers, *shape), -1, dtype=np.int32)
        """(L, rows, columns) the other layer of a cell at the foot or head of stairs, or -1"""
        self._half: dict[int, tuple[int, int]] = {}
        """floor -> first column, and the one after the last, of the half of the flight that begins or ends there"""
        if plan.stairs is not None:
            self._flight()
        for t in things:
            floor = plan.rooms[t.room_id].floor
            for rect in ground_taken(t, floor * STOREY_M, body):
                self._take(floor, rect, also_flight=t.category != "railing")  # the flight has its own sides
        self._open_links = self.links
        self._settle()

    def with_taken(self, taken: Iterable[tuple[int, Rect]]) -> Navigation:
        """The same with more ground taken: floors and rectangles. Much quicker than making it anew."""
        more = copy.copy(self)
        for name in ("reachable", "_fields"):
            more.__dict__.pop(name, None)
        more.clearance_m = self.clearance_m.copy()
        for floor, rect in taken:
            more._take(floor, rect)
        more._settle()
        return more

    def _settle(self) -> None:
        self.free = self.clearance_m >= self.body.radius_m
        """(L, rows, columns) where the agent can stand"""
        self.links = np.where(self.free, self._open_links, np.int32(-1))
        self._cut_blind_links()

    # places

    def cell_of(self, point_m: NDArray[np.floating]) -> tuple[int, int, int]:
        """(layer, row, column) below a point of the ground (3,); `InvalidHouse` outside the house."""
        x, y, z = (float(v) for v in point_m)
        # not x // CELL_M, which at the edge of a cell may be one less: the body is where walking.walk says
        column, row = math.floor((x - self.origin_m[0]) / CELL_M), math.floor((y - self.origin_m[1]) / CELL_M)
        if not (0 <= row < self.free.shape[1] and 0 <= column < self.free.shape[2]):
            raise InvalidHouse(f"the point {np.round(point_m, 3)} lies outside the house")
        gap = np.abs(self.height_m[:, row, column] - z) + np.where(self.free[:, row, column], 0.0, 0.4)
        return int(np.argmin(gap)), row, column

    def point_of(self, cell: tuple[int, int, int]) -> NDArray[np.float64]:
        """(3,) the middle of a cell, on the ground, world frame."""
        layer, row, column = cell
        return np.array([self._x[column], self._y[row], self.height_m[layer, row, column]])

    def points_of(
        self, layers: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(N, 3) middles of cells, on the ground, world frame."""
        return np.stack([self._x[columns], self._y[rows], self.height_m[layers, rows, columns]], axis=1).astype(
            np.float64
        )

    def is_free(self, point_m: NDArray[np.floating]) -> bool:
        """Whether the agent can stand at a point of the ground (3,), within 30 cm of its height."""
        layer, row, column = self.cell_of(point_m)
        near = abs(self.height_m[layer, row, column] - float(point_m[2])) < 0.3
        return bool(near and self.free[layer, row, column])

    def snap(self, point_m: NDArray[np.floating], *, within_m: float = 0.5) -> NDArray[np.float64]:
        """(3,) the nearest free cell's middle on the same floor; `InvalidHouse` when none lies within `within_m`."""
        layer, row, column = self.cell_of(point_m)
        if self.free[layer, row, column]:
            return self.point_of((layer, row, column))
        rows, columns = np.nonzero(self.free[layer])
        away = np.hypot(self._x[columns] - float(point_m[0]), self._y[rows] - float(point_m[1]))
        if not len(away) or away.min() > within_m:
            raise InvalidHouse(f"no free place within {within_m} m of {np.round(point_m, 3)}; ask for one further off")
        best = int(np.argmin(away))
        return self.point_of((layer, int(rows[best]), int(columns[best])))

    def room_cells(self, room_id: int) -> NDArray[np.int64]:
        """(N, 3) free cells within the walls of a room."""
        room = self.plan.rooms[room_id]
        r = room.inside
        inside = ((self._x > r.x0) & (self._x < r.x1))[None, :] & ((self._y > r.y0) & (self._y < r.y1))[:, None]
        rows, columns = np.nonzero(self.free[room.floor] & inside)
        return np.stack([np.full_like(rows, room.floor), rows, columns], axis=1)

    @functools.cached_property
    def reachable(self) -> NDArray[np.bool_]:
        """(L, rows, columns) the largest part of the free space that hangs together, over all floors."""
        import cv2

        parts, count = np.zeros(self.free.shape, dtype=np.int64), 1
        for layer, free in enumerate(self.free):
            found, labels = cv2.connectedComponents(free.astype(np.uint8), connectivity=4)
            parts[layer] = np.where(labels > 0, labels + count - 1, 0)
            count += found - 1
        joined = np.arange(count)
        for layer, row, column in np.argwhere(self.links >= 0):
            a, b = joined[parts[layer, row, column]], joined[parts[self.links[layer, row, column], row, column]]
            joined[joined == max(a, b)] = min(a, b)
        parts = joined[parts]
        sizes = np.bincount(parts[parts > 0], minlength=1)
        return (parts == int(np.argmax(sizes))) & (parts > 0)

    def ground_m(self, layer: int, x_m: float, y_m: float) -> float:
        """Height of the ground of a layer at a point that is not the middle of a cell."""
        s = self.plan.stairs
        if s is None or layer < self.plan.floors:
            return layer * STOREY_M
        share = (x_m - s.start_m) / (s.end_m - s.start_m)
        return s.floor * STOREY_M + min(max(share, 0.0), 1.0) * STOREY_M

    # ways

    def distances_m(self, target_m: NDArray[np.floating]) -> NDArray[np.float64]:
        """(L, rows, columns) length of the shortest way of each cell to a point of the ground; inf where none leads."""
        return self._field(frozenset([self._free_cell(target_m)]))[0]

    def distance_m(self, start_m: NDArray[np.floating], target_m: NDArray[np.floating]) -> float:
        """Length of the shortest way between two points of the ground (3,), metres; inf when there is none."""
        return self.ways_to(np.asarray(target_m)[None]).distance_m(start_m)

    def path(self, start_m: NDArray[np.floating], target_m: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) corners of the shortest way from start to target; empty when there is none."""
        return self.ways_to(np.asarray(target_m)[None]).path(start_m)

    def ways_to(self, targets_m: NDArray[np.floating]) -> Ways:
        """The shortest ways from anywhere to the nearest of some points of the ground (N, 3)."""
        ends = {self._free_cell(point): np.asarray(point, np.float64) for point in targets_m}
        return Ways(self, ends, *self._field(frozenset(ends)))

    def _free_cell(self, point_m: NDArray[np.floating]) -> Cell:
        cell = self.cell_of(point_m)
        if not self.free[cell]:
            raise InvalidHouse(f"the agent cannot stand at {np.round(point_m, 3)}; take Navigation.snap of it")
        return cell

    def _field(self, targets: frozenset[Cell]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        if targets not in self._fields:
            if len(self._fields) >= _FIELDS:
                self._fields.pop(next(iter(self._fields)))
            self._fields[targets] = distances_from(self.free, self.height_m, self.links, CELL_M, sorted(targets))
        return self._fields[targets]

    @functools.cached_property
    def _fields(self) -> dict[frozenset[Cell], tuple[NDArray[np.float64], NDArray[np.int64]]]:
        return {}

    # what stands in the way

    def _floor(self, floor: int) -> NDArray[np.float64]:
        clearance = np.ones((len(self._y), len(self._x)))
        inside = np.zeros(clearance.shape, dtype=bool)
        for room in self.plan.rooms_on(floor):
            inside |= self._covered(room.rect)
            for rect in _walls(self.plan, room.room_id):
                self._lower(clearance, rect)
        stairs = self.plan.stairs
        if stairs is not None:
            self._lower(clearance, stairs.ground)
        clearance[~inside] = 0.0
        return clearance

    def _flight(self) -> None:
        s = self.plan.stairs
        assert s is not None
        ahead = math.copysign(1.0, s.end_m - s.start_m)
        share = (self._x - s.start_m) / (s.end_m - s.start_m)
        rise = np.clip(share, 0.0, 1.0) * STOREY_M
        run = ((self._x - s.start_m) * ahead > -_ENTRY_M) & ((self._x - s.end_m) * ahead < _ENTRY_M)
        sideways = np.minimum(self._y - s.y0_m, s.y1_m - self._y)
        layer = self.plan.floors
        self.height_m[layer] = (s.floor * STOREY_M + rise)[None, :]
        self.clearance_m[layer] = np.where(run[None, :], np.maximum(sideways, 0.0)[:, None], 0.0)
        foot, head = run & (share < 0.0), run & (share > 1.0)
        for columns, floor in ((foot, s.floor), (head, s.floor + 1)):
            self.links[layer][:, columns] = floor
            self.links[floor][:, columns] = layer
        middle = int(np.searchsorted(self._x, (s.start_m + s.end_m) / 2.0))
        left, right = (s.floor, s.floor + 1) if ahead > 0.0 else (s.floor + 1, s.floor)
        self._half = {left: (0, middle), right: (middle, len(self._x))}

    def _cut_blind_links(self) -> None:
        """Keep only links between two free cells."""
        for layer in range(len(self.links)):
            rows, columns = np.nonzero(self.links[layer] >= 0)
            other = self.links[layer, rows, columns]
            blind = ~self.free[other, rows, columns]
            self.links[layer, rows[blind], columns[blind]] = -1

    def _covered(self, rect: Rect) -> NDArray[np.bool_]:
        x = (self._x >= rect.x0) & (self._x <= rect.x1)
        y = (self._y >= rect.y0) & (self._y <= rect.y1)
        return y[:, None] & x[None, :]

    def _take(self, floor: int, rect: Rect, *, also_flight: bool = True) -> None:
        """Something stands on a floor: in the way there, and on the half of the flight that begins or ends there."""
        self._lower(self.clearance_m[floor], rect)
        if also_flight and floor in self._half:
            self._lower(self.clearance_m[self.plan.floors], rect, self._half[floor])

    def _lower(self, clearance: NDArray[np.float64], rect: Rect, columns: tuple[int, int] | None = None) -> None:
        """Take account of an obstacle: the exact distance to a rectangle, where that is below 1 m."""
        c0, c1 = np.searchsorted(self._x, (rect.x0 - 1.0, rect.x1 + 1.0))
        if columns is not None:
            c0, c1 = max(c0, columns[0]), min(c1, columns[1])
        r0, r1 = np.searchsorted(self._y, (rect.y0 - 1.0, rect.y1 + 1.0))
        x, y = self._x[c0:c1], self._y[r0:r1]
        dx = np.maximum(np.maximum(rect.x0 - x, x - rect.x1), 0.0)
        dy = np.maximum(np.maximum(rect.y0 - y, y - rect.y1), 0.0)
        window = clearance[r0:r1, c0:c1]
        np.minimum(window, np.hypot(dx[None, :], dy[:, None]), out=window)


@final
@dataclass(frozen=True, eq=False)
class Ways:
    """The shortest ways from anywhere to the nearest of some points of the ground."""

    _navigation: Navigation
    _ends: Mapping[Cell, NDArray[np.float64]]
    _cost: NDArray[np.float64]
    _parent: NDArray[np.int64]

    def distance_m(self, start_m: NDArray[np.floating]) -> float:
        """Length of the way from a point of the ground (3,), metres; inf when there is none."""
        path = self.path(start_m)
        return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()) if len(path) else math.inf

    def path(self, start_m: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) corners of the way from a point of the ground (3,), both ends included; empty when there is none."""
        start = self._navigation._free_cell(start_m)
        if not np.isfinite(self._cost[start]):
            return np.empty((0, 3))
        cells = pulled_path(self._parent, start)
        points = np.array([self._navigation.point_of(c) for c in (cells if len(cells) > 1 else cells * 2)])
        points[0, :2], points[-1, :2] = np.asarray(start_m)[:2], self._ends[cells[-1]][:2]
        return points


def _walls(plan: Plan, room_id: int) -> list[Rect]:
    """The walls around a room, with gaps where one can pass."""
    r = plan.rooms[room_id].rect
    half = WALL_M / 2.0
    found = []
    for axis, line, start, end in (
        (0, r.y0, r.x0, r.x1),
        (0, r.y1, r.x0, r.x1),
        (1, r.x0, r.y0, r.y1),
        (1, r.x1, r.y0, r.y1),
    ):
        gaps = sorted(
            (o.start_m + JAMB_M, o.end_m - JAMB_M)
            for o in plan.openings_of(room_id)
            if o.axis == axis and abs(o.line_m - line) < 1e-6 and o.passage in (Passage.DOOR, Passage.ARCH)
        )
        edges = [start - half, *(v for gap in gaps for v in gap), end + half]
        for a, b in zip(edges[::2], edges[1::2], strict=True):
            found.append(Rect(a, line - half, b, line + half) if axis == 0 else Rect(line - half, a, line + half, b))
    return found


def ground_taken(thing: Thing, base_m: float, body: Body) -> list[Rect]:
    """Rectangles that a thing takes from the ground of a floor at height `base_m`; none where it is not in the way."""
    return _footprints(thing) if _in_the_way(thing, base_m, body) else []


def _in_the_way(thing: Thing, base_m: float, body: Body) -> bool:
    if thing.category in ("wall", "floor", "ceiling", "door frame", "window", "stairs", "front door"):
        return False  # walls and flights are known from the plan
    corners = thing.corners_m()[:, 2] - base_m
    return bool(corners.min() < body.height_m and corners.max() > _FLAT_M)


def _footprints(thing: Thing) -> list[Rect]:
    """Rectangles along the world's axes around the ground that a thing takes."""
    found = []
    prints = thing.shape.footprints if thing.category not in ("railing", "door") else (_whole(thing),)
    for f in prints:
        x, y = (
            np.array([-0.5, 0.5, 0.5, -0.5]) * f.width_m + f.x_m,
            np.array([-0.5, -0.5, 0.5, 0.5]) * f.depth_m + f.y_m,
        )
        m = thing.world_from_thing
        wx, wy = m[0, 0] * x + m[0, 1] * y + m[0, 3], m[1, 0] * x + m[1, 1] * y + m[1, 3]
        found.append(Rect(float(wx.min()), float(wy.min()), float(wx.max()), float(wy.max())))
    return found


def _whole(thing: Thing) -> Footprint:
    low, high = thing.shape.box_m
    return Footprint((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, high[0] - low[0], high[1] - low[1])
