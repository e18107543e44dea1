"""Keeps the ways through a room open: what blocks them is taken out again."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.house.layout.furnisher import Furnisher
from sim.house.layout.placement import Placement
from sim.house.layout.plan import CEILING_M, WALL_M, Passage, Plan, Rect

_CELL_M = 0.05
_DOORSTEP_M = 0.4
"""how far inside a room a doorway ends"""
_FLAT_M = 0.05
_WALKABLE = 0.15
"""share of a room that one can walk on from its doors, at least"""
_LEAF_M = 0.15
"""ground along the wall that an open leaf takes, with its frame and handle"""


def keep_passable(f: Furnisher, plan: Plan, radius_m: float, height_m: float) -> None:
    """Take furniture out of a room, as little and as late in its recipe as can be, until its doors are joined.

    `radius_m`, `height_m`: of the agent. Everything that stands on what is taken out goes too.
    """
    ends = _ends(f, plan)
    while f.items:
        blocking = [i for i in f.items if _blocks(i, f.room.base_m, height_m)]
        if _joined(f, plan, blocking, ends, radius_m):
            return
        for item in reversed(blocking):
            if _joined(f, plan, [b for b in blocking if b is not item], ends, radius_m):
                f.drop(item)
                break
        else:
            if not blocking:
                return
            f.drop(blocking[-1])


def _ends(f: Furnisher, plan: Plan) -> list[tuple[float, float]]:
    """Points of the room that must be joined: inside its doors, at the foot or head of stairs."""
    r = f.inside
    found = []
    for o in plan.openings_of(f.room.room_id):
        if o.passage is Passage.WINDOW:
            continue
        x, y = o.middle
        if o.axis == 0:
            y = r.y0 + _DOORSTEP_M if abs(y - r.y0) < abs(y - r.y1) else r.y1 - _DOORSTEP_M
        else:
            x = r.x0 + _DOORSTEP_M if abs(x - r.x0) < abs(x - r.x1) else r.x1 - _DOORSTEP_M
        found.append((x, y))
    s = plan.stairs
    if s is not None and f.room.kind == "hallway":
        ahead = math.copysign(1.0, s.end_m - s.start_m)
        x = s.start_m - ahead * 0.45 if f.room.floor == s.floor else s.end_m + ahead * 0.45
        found.append((x, (s.y0_m + s.y1_m) / 2.0))
    return found


def _leaves(f: Furnisher, plan: Plan) -> list[Rect]:
    """Door leaves that stand open into the room."""
    found = []
    for o in plan.openings_of(f.room.room_id):
        if o.passage is Passage.DOOR and o.leaf_room == f.room.room_id:
            s = o.strip(WALL_M / 2.0 + o.width_m)
            low, high = (o.end_m - _LEAF_M, o.end_m) if o.hinge_end else (o.start_m, o.start_m + _LEAF_M)
            found.append(Rect(low, s.y0, high, s.y1) if o.axis == 0 else Rect(s.x0, low, s.x1, high))
    return found


def _blocks(item: Placement, base_m: float, height_m: float) -> bool:
    return item.support < 0 and item.top_m - base_m > _FLAT_M and item.z_m - base_m < min(height_m, CEILING_M)


def _joined(f: Furnisher, plan: Plan, items: list[Placement], ends: list[tuple[float, float]], radius_m: float) -> bool:
    r = f.inside
    x = np.arange(r.x0 + _CELL_M / 2, r.x1, _CELL_M)
    y = np.arange(r.y0 + _CELL_M / 2, r.y1, _CELL_M)
    free = np.ones((len(y), len(x)), dtype=bool)
    free &= ((x > r.x0 + radius_m) & (x < r.x1 - radius_m))[None, :] & ((y > r.y0 + radius_m) & (y < r.y1 - radius_m))[
        :, None
    ]
    taken = [i.turned(p) for i in items for p in i.made.shape.footprints] + _leaves(f, plan)
    if plan.stairs is not None and f.room.kind == "hallway":
        taken.append(plan.stairs.ground)
    for rect in taken:
        _block(free, x, y, rect.grown(radius_m + 0.02))
    return _one_piece(free, x, y, ends)


def _block(free: NDArray[np.bool_], x: NDArray[np.float64], y: NDArray[np.float64], rect: Rect) -> None:
    free[(y > rect.y0) & (y < rect.y1)] &= ~((x > rect.x0) & (x < rect.x1))[None, :]


def _one_piece(
    free: NDArray[np.bool_], x: NDArray[np.float64], y: NDArray[np.float64], ends: list[tuple[float, float]]
) -> bool:
    """Whether the ends lie in one part of the free ground, and that is large enough to be of use."""
    import cv2

    if not ends:
        return True
    _, labels = cv2.connectedComponents(free.astype(np.uint8), connectivity=4)
    found = {int(labels[np.argmin(np.abs(y - py)), np.argmin(np.abs(x - px))]) for px, py in ends}
    if 0 in found or len(found) > 1:
        return False
    return bool((labels == found.pop()).sum() >= _WALKABLE * free.size)
