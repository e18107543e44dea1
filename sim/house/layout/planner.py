"""Plans: which rooms a house has, how they share its floor, and how they are joined.

Two families. Small flats are cut by recursive halving, rooms joined by a tree of doors. Larger ones, and all
with stairs, have a hallway through their middle with rooms on both sides, as most houses with many rooms have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.house.layout.openings import openings_of
from sim.house.layout.plan import STOREY_M, Plan, Rect, Room, Stairs

AREAS: dict[str, tuple[float, float, float]] = {
    "living room": (18.0, 30.0, 3.4),
    "kitchen": (9.0, 15.0, 2.5),
    "dining room": (10.0, 16.0, 2.8),
    "bedroom": (10.5, 17.0, 2.8),
    "kids room": (9.5, 14.0, 2.7),
    "bathroom": (5.0, 8.5, 2.0),
    "office": (8.5, 13.0, 2.5),
    "laundry room": (5.0, 8.0, 1.9),
    "storage room": (4.5, 8.0, 1.8),
    "library": (9.0, 14.0, 2.6),
    "gym": (10.0, 15.0, 2.8),
    "hallway": (6.0, 12.0, 1.3),
}
"""kind of room -> smallest and largest area asked for, square metres, and the least width, metres"""

_GROUND = ("living room", "kitchen", "bathroom")
_FLAT = ("living room", "kitchen", "bathroom", "bedroom")
_FURTHER_GROUND = ("dining room", "office", "laundry room", "storage room", "library", "gym", "bedroom", "bathroom")
_FURTHER_FLAT = (
    "bedroom",
    "dining room",
    "office",
    "kids room",
    "storage room",
    "laundry room",
    "bathroom",
    "library",
    "gym",
)
_UPPER = ("bedroom", "bathroom")
_FURTHER_UPPER = ("bedroom", "kids room", "office", "bathroom", "kids room", "library", "storage room", "gym")

_STEPS = 16
_TREAD_M = 0.26
_FLIGHT_M = 0.95
"""width of a flight"""


@dataclass(frozen=True)
class Bounds:
    """What a house may have; see HouseConfig."""

    floors: int
    rooms_per_floor: tuple[int, int]


def draw_plan(rng: np.random.Generator, bounds: Bounds) -> Plan | None:
    """A plan, or None when the rooms drawn do not fit together; the caller tries again."""
    lists = [_kinds(rng, bounds, floor) for floor in range(bounds.floors)]
    with_hall = bounds.floors > 1 or len(lists[0]) > 5 or (len(lists[0]) == 5 and rng.uniform() < 0.5)
    if not with_hall:
        return _halved(rng, lists[0])
    return _with_hall(rng, lists)


def _kinds(rng: np.random.Generator, bounds: Bounds, floor: int) -> list[str]:
    """Names of the rooms of a floor; a hallway among them stands for itself."""
    low, high = bounds.rooms_per_floor
    count = int(rng.integers(low, high + 1))
    if bounds.floors > 1:
        must, further = (_UPPER, _FURTHER_UPPER) if floor else (_GROUND, _FURTHER_GROUND)
        must = ("hallway", *must)
    else:
        must, further = _FLAT, _FURTHER_FLAT
        if count > 5:
            must = ("hallway", *must)
    if floor and count == 3:
        must = ("hallway", "bedroom", "kids room")  # beside a whole flight a bathroom would be too long
    if count < len(must):
        must = must[:count]
    pool = list(further)
    rest = [str(k) for k in rng.permutation(pool)[: max(count - len(must), 0)]]
    return [*must, *rest]


def _area(rng: np.random.Generator, kind: str) -> float:
    low, high, _ = AREAS[kind]
    return float(rng.uniform(low, high))


def _rooms(floor: int, first: int, cells: list[tuple[str, Rect]]) -> list[Room]:
    return [Room(first + i, kind, floor, rect) for i, (kind, rect) in enumerate(cells)]


def _fits(kind: str, rect: Rect) -> bool:
    low, high, width = AREAS[kind]
    short, long = sorted((rect.width, rect.depth))
    shaped = kind == "hallway" or (long / short < 2.4 and rect.area <= 2.1 * high)
    return shaped and short >= width + 0.12 and rect.area >= low * 0.8


# flats without a hallway


def _halved(rng: np.random.Generator, kinds: list[str]) -> Plan | None:
    for _ in range(60):
        areas = [_area(rng, k) for k in kinds]
        aspect = float(rng.uniform(1.0, 1.6))
        footprint = Rect(0.0, 0.0, round((sum(areas) * aspect) ** 0.5, 2), round((sum(areas) / aspect) ** 0.5, 2))
        order = [int(i) for i in rng.permutation(len(kinds))]
        cells = [(kinds[i], rect) for i, rect in _cut(footprint, order, areas)]
        if all(_fits(kind, rect) for kind, rect in cells):
            rooms = _rooms(0, 0, cells)
            found = openings_of(rng, rooms, footprint, None)
            if found is not None:
                return Plan(1, footprint, tuple(rooms), tuple(found), None)
    return None


def _cut(rect: Rect, members: list[int], areas: list[float]) -> list[tuple[int, Rect]]:
    """The rectangle shared out by area: cut across its longer side, each part cut again."""
    if len(members) == 1:
        return [(members[0], rect)]
    half = max(1, len(members) // 2)
    share = sum(areas[i] for i in members[:half]) / sum(areas[i] for i in members)
    if rect.width >= rect.depth:
        at = round(rect.x0 + rect.width * share, 2)
        first, second = Rect(rect.x0, rect.y0, at, rect.y1), Rect(at, rect.y0, rect.x1, rect.y1)
    else:
        at = round(rect.y0 + rect.depth * share, 2)
        first, second = Rect(rect.x0, rect.y0, rect.x1, at), Rect(rect.x0, at, rect.x1, rect.y1)
    return _cut(first, members[:half], areas) + _cut(second, members[half:], areas)


# houses with a hallway


_Row = list[tuple[str, float]]
"""rooms along one side of the hallway: kind and width, metres"""


def _with_hall(rng: np.random.Generator, lists: list[list[str]]) -> Plan | None:
    stairs_wanted = len(lists) > 1
    south, north = round(float(rng.uniform(3.3, 4.4)), 2), round(float(rng.uniform(3.3, 4.4)), 2)
    hall = round(1.35 + (_FLIGHT_M + 0.1 if stairs_wanted else float(rng.uniform(0.0, 0.35))), 2)
    rows = [_rows(rng, [k for k in kinds if k != "hallway"], (south, north)) for kinds in lists]
    lengths = [sum(width for _, width in row) for pair in rows for row in pair]
    length = max(lengths)
    if stairs_wanted:
        length = max(length, _STEPS * _TREAD_M + 3.4)
    if length > 18.0 or length < 4.5:
        return None
    y1, y2 = south, round(south + hall, 2)
    footprint = Rect(0.0, 0.0, round(length, 2), round(south + hall + north, 2))
    stairs = _stairs(rng, footprint.x1, y1, y2) if stairs_wanted else None
    rooms: list[Room] = []
    openings = []
    for floor, pair in enumerate(rows):
        cells = [("hallway", Rect(0.0, y1, footprint.x1, y2))]
        cells += _lined_up(pair[0], footprint.x1, 0.0, y1) + _lined_up(pair[1], footprint.x1, y2, footprint.y1)
        here = _rooms(floor, len(rooms), cells)
        found = openings_of(rng, here, footprint, stairs) if all(_fits(k, rect) for k, rect in cells) else None
        if found is None:
            return None
        rooms.extend(here)
        openings.extend(found)
    return Plan(len(lists), footprint, tuple(rooms), tuple(openings), stairs)


def _rows(rng: np.random.Generator, kinds: list[str], depths: tuple[float, float]) -> tuple[_Row, _Row]:
    """The rooms shared out to both sides of the hallway, so that both get about as long."""
    rows: tuple[_Row, _Row] = ([], [])
    used = [0.0, 0.0]
    for kind, area in sorted(((k, _area(rng, k)) for k in kinds), key=lambda pair: -pair[1]):
        side = int(used[0] > used[1])
        width = max(area / depths[side], AREAS[kind][2] + 0.15)
        rows[side].append((kind, width))
        used[side] += width
    south, north = ([row[int(i)] for i in rng.permutation(len(row))] for row in rows)
    return south, north


def _lined_up(row: _Row, length: float, low: float, high: float) -> list[tuple[str, Rect]]:
    """Rooms side by side, stretched alike to fill the length."""
    edges = np.cumsum([0.0, *(width for _, width in row)])
    edges = np.round(edges / edges[-1] * length, 2)
    return [(k, Rect(float(a), low, float(b), high)) for (k, _), a, b in zip(row, edges[:-1], edges[1:], strict=True)]


def _stairs(rng: np.random.Generator, length: float, y1: float, y2: float) -> Stairs:
    run = _STEPS * _TREAD_M
    start = float(np.round(rng.uniform(1.6, length - run - 1.6), 2))
    low_side = bool(rng.uniform() < 0.5)
    y0 = y1 + 0.06 if low_side else y2 - 0.06 - _FLIGHT_M
    ends = (start, start + run) if rng.uniform() < 0.5 else (start + run, start)
    assert STOREY_M / _STEPS < 0.19  # a riser that legs can take
    return Stairs(0, round(ends[0], 3), round(ends[1], 3), round(y0, 3), round(y0 + _FLIGHT_M, 3), _STEPS)
