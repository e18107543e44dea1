"""Doors, archways and windows of one floor."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from sim.house.layout.plan import DOOR_HEIGHT_M, Opening, Passage, Rect, Room, Stairs

_PUBLIC = {"living room", "kitchen", "dining room", "hallway"}
_OPEN_PAIRS = {
    frozenset(("living room", "dining room")),
    frozenset(("kitchen", "dining room")),
    frozenset(("living room", "kitchen")),
}
_LEAVES = {"bathroom", "laundry room", "storage room"}
"""rooms that nobody walks through"""
_DOOR_M, _FRAME_M, _CORNER_M = 0.88, 0.07, 0.18


class _Edge(NamedTuple):
    """A stretch of wall between two rooms."""

    a: Room
    b: Room
    axis: int
    line: float
    start: float
    end: float


def openings_of(
    rng: np.random.Generator, rooms: list[Room], footprint: Rect, stairs: Stairs | None
) -> list[Opening] | None:
    """All openings of a floor, or None when its rooms cannot be joined."""
    edges = [e for a, b in itertools.combinations(rooms, 2) if (e := _shared(a, b)) is not None]
    free = [s for e in edges for s in _without_stairs(e, stairs) if s.end - s.start > _DOOR_M + 2 * _CORNER_M]
    chosen = _tree(rng, rooms, free)
    if chosen is None:
        return None
    joined = {frozenset((e.a.room_id, e.b.room_id)) for e in chosen}
    for edge in free:  # rooms that are lived in together are open to each other
        pair = frozenset((edge.a.kind, edge.b.kind))
        key = frozenset((edge.a.room_id, edge.b.room_id))
        if pair in _OPEN_PAIRS and key not in joined and rng.uniform() < 0.75:
            chosen.append(edge)
            joined.add(key)
    doors = [_door(rng, e) for e in chosen]
    front = [_front(rng, rooms, footprint)] if rooms[0].floor == 0 else []
    taken = [*doors, *front]
    windows = [w for r in rooms for w in _windows(rng, r, footprint, taken)]
    return [*taken, *windows]


def _shared(a: Room, b: Room) -> _Edge | None:
    p, q = a.rect, b.rect
    if abs(p.x1 - q.x0) < 1e-6 or abs(q.x1 - p.x0) < 1e-6:
        low, high = max(p.y0, q.y0), min(p.y1, q.y1)
        line = p.x1 if abs(p.x1 - q.x0) < 1e-6 else p.x0
        return _Edge(a, b, 1, line, low, high) if high - low > _DOOR_M else None
    if abs(p.y1 - q.y0) < 1e-6 or abs(q.y1 - p.y0) < 1e-6:
        low, high = max(p.x0, q.x0), min(p.x1, q.x1)
        line = p.y1 if abs(p.y1 - q.y0) < 1e-6 else p.y0
        return _Edge(a, b, 0, line, low, high) if high - low > _DOOR_M else None
    return None


def _without_stairs(edge: _Edge, stairs: Stairs | None) -> list[_Edge]:
    """The pieces of an edge that neither a flight nor the landing at its ends touches."""
    if stairs is None or edge.axis != 0:
        return [edge]
    g = stairs.ground
    if min(abs(edge.line - g.y0), abs(edge.line - g.y1)) > 0.15:
        return [edge]
    left = edge._replace(end=min(edge.end, g.x0 - 0.1))
    right = edge._replace(start=max(edge.start, g.x1 + 0.1))
    return [left, right]


def _tree(rng: np.random.Generator, rooms: list[Room], edges: list[_Edge]) -> list[_Edge] | None:
    """Edges that join all rooms: few doors between private rooms, none through a bathroom."""

    def cost(e: _Edge) -> float:
        kinds = (e.a.kind, e.b.kind)
        if "hallway" in kinds:
            return 0.0 + rng.uniform()
        public = sum(k in _PUBLIC for k in kinds)
        return 3.0 - public + 4.0 * sum(k in _LEAVES for k in kinds) + rng.uniform()

    group = {r.room_id: r.room_id for r in rooms}
    through: dict[int, int] = {r.room_id: 0 for r in rooms}
    chosen: list[_Edge] = []
    for edge in sorted(edges, key=cost):
        ga, gb = group[edge.a.room_id], group[edge.b.room_id]
        full = any(r.kind in _LEAVES and through[r.room_id] for r in (edge.a, edge.b))
        if ga == gb or full:
            continue
        chosen.append(edge)
        for r in (edge.a, edge.b):
            through[r.room_id] += 1
        group = {k: (ga if g == gb else g) for k, g in group.items()}
    return chosen if len(set(group.values())) == 1 else None


def _door(rng: np.random.Generator, edge: _Edge) -> Opening:
    pair = frozenset((edge.a.kind, edge.b.kind))
    room = edge.end - edge.start - 2 * _CORNER_M
    floor, rooms = edge.a.floor, (edge.a.room_id, edge.b.room_id)
    arch = pair in _OPEN_PAIRS or ("hallway" in pair and pair & {"living room", "dining room"} and rng.uniform() < 0.5)
    if arch and room > 1.3:
        width = float(rng.uniform(1.2, min(2.2, room)))
        start = edge.start + _CORNER_M + float(rng.uniform(0.0, room - width))
        return Opening(Passage.ARCH, floor, edge.axis, edge.line, start, start + width, 0.0, 2.2, rooms)
    start = edge.start + _CORNER_M + float(rng.uniform(0.0, room - _DOOR_M))
    into = edge.b if edge.a.kind == "hallway" or (edge.a.kind in _PUBLIC and edge.b.kind not in _PUBLIC) else edge.a
    before, after = start - edge.start, edge.end - start - _DOOR_M
    return Opening(
        Passage.DOOR, floor, edge.axis, edge.line, start, start + _DOOR_M, 0.0, DOOR_HEIGHT_M, rooms, into.room_id,
        hinge_end=after < before,  # the leaf opens towards the nearer corner
    )  # fmt: skip


def _outer_sides(room: Room, footprint: Rect) -> list[tuple[int, float, float, float]]:
    """(axis, line, start, end) of the sides of a room that look outside."""
    r = room.rect
    sides = [(0, r.y0, r.x0, r.x1, footprint.y0), (0, r.y1, r.x0, r.x1, footprint.y1)]
    sides += [(1, r.x0, r.y0, r.y1, footprint.x0), (1, r.x1, r.y0, r.y1, footprint.x1)]
    return [(axis, line, a, b) for axis, line, a, b, outer in sides if abs(line - outer) < 1e-6]


def _front(rng: np.random.Generator, rooms: list[Room], footprint: Rect) -> Opening:
    order = {"hallway": 0, "living room": 1, "kitchen": 2, "dining room": 3}
    sides = [(order.get(r.kind, 9), i, r, s) for r in rooms for i, s in enumerate(_outer_sides(r, footprint))]
    best = min(rank for rank, *_ in sides)
    options = [(r, s) for rank, _, r, s in sides if rank == best and s[3] - s[2] > 1.3]
    options = options or [(r, s) for _, _, r, s in sides if s[3] - s[2] > 1.3]
    room, (axis, line, start, end) = options[int(rng.integers(len(options)))]
    at = float(rng.uniform(start + _CORNER_M, end - _CORNER_M - 0.95))
    return Opening(
        Passage.FRONT, room.floor, axis, line, at, at + 0.95, 0.0, DOOR_HEIGHT_M, (room.room_id,), room.room_id
    )


def _windows(rng: np.random.Generator, room: Room, footprint: Rect, taken: list[Opening]) -> list[Opening]:
    windows: list[Opening] = []
    if room.kind == "storage room":
        return windows
    small = room.kind in ("bathroom", "laundry room", "hallway")
    for axis, line, start, end in _outer_sides(room, footprint):
        wide = float(rng.uniform(0.6, 0.9) if small else rng.uniform(1.1, 1.9))
        sill = 1.2 if small else (0.45 if room.kind == "living room" and rng.uniform() < 0.5 else 0.95)
        count = 1 if small or end - start < 4.2 else 2
        for i in range(count):
            a, b = start + (end - start) * i / count, start + (end - start) * (i + 1) / count
            if b - a < wide + 0.6:
                continue
            at = (a + b) / 2.0 - wide / 2.0 + float(rng.uniform(-0.5, 0.5)) * (b - a - wide - 0.6)
            window = Opening(Passage.WINDOW, room.floor, axis, line, at, at + wide, sill, 2.15, (room.room_id,))
            if not any(
                t.axis == axis and abs(t.line_m - line) < 1e-6 and t.start_m < at + wide + 0.15 and at - 0.15 < t.end_m
                for t in taken
            ):
                windows.append(window)
    return windows
