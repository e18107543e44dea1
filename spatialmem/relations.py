"""Where things are, told by other things: on, in, under and beside what. By boxes and points alone; z points up.

A thing stands on another when a surface of the other lies at the height of its bottom, under it or right beside it: the
thing itself hides what is beneath. Only a larger thing (in the plan) carries, and only one of a larger box holds, so
nothing is on or in itself, and no chain of "on" or "in" comes back to where it began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.things import MapObject

SURFACE_M = 0.08
"""by which a bottom and the surface that carries it may differ in height: voxels, noise, feet"""
_AROUND_M = (0.06, 0.25)
"""how far beside the footprint a surface is looked for: twice as far as its points lie apart, within these bounds"""
_LEAST_POINTS = 2
"""of a surface"""
_MOST = 0.6
"""of its points that must lie inside of what holds a thing"""
_SECTORS, _WALLED = 12, 10
"""directions around a thing, and in how many of them what holds it must rise beside it: a basket, not a chair"""
_FEET_M = 0.06
"""from the sides of a box within which it may have feet: what is so low further in is a board"""
_FLOOR_M = 0.15
"""by which the bottom of a thing may be above that of what it lies under"""
_ROOM_M = 0.3
"""height from which something has room beneath it"""
BESIDE_M, BESIDE_MOST = 1.0, 3
"""how far off a thing is still beside another, and how many are named"""


@dataclass(frozen=True, eq=False)
class Where:
    """Where a thing is, by others."""

    on: MapObject | None = None
    inside: MapObject | None = None
    under: MapObject | None = None
    beside: tuple[MapObject, ...] = ()
    """the nearest others, the nearest first; not those above and not what is on it"""


def where_of(thing: MapObject, things: Sequence[MapObject]) -> Where:
    """Where a thing is among others; itself among them does no harm."""
    others = [other for other in things if other.object_id != thing.object_id]
    if not others:
        return Where()
    low, high = np.array([o.box_min_m for o in others]), np.array([o.box_max_m for o in others])
    middle = (thing.box_min_m + thing.box_max_m)[:2] / 2.0
    over = [o for o, fits in zip(others, _within(middle, low[:, :2], high[:, :2]), strict=True) if fits]
    inside = _least([other for other in over if is_in(thing, other)])
    on = _least([other for other in over if is_on(thing, other)])
    under = _least([other for other in over if is_under(thing, other)])
    named = {found.object_id for found in (on, inside, under) if found is not None}
    apart = np.linalg.norm(np.maximum(0.0, np.maximum(thing.box_min_m - high, low - thing.box_max_m)), axis=1)
    near = [others[i] for i in np.nonzero(apart <= BESIDE_M)[0]]
    free = [o for o in near if o.object_id not in named and not _holds(thing, o)]
    return Where(on, inside, under, nearest(thing, free))


def held_by(thing: MapObject, things: Sequence[MapObject]) -> dict[str, tuple[MapObject, ...]]:
    """What is "on", "in" and "under" a thing."""
    others = [other for other in things if other.object_id != thing.object_id]
    return {
        "on": tuple(other for other in others if is_on(other, thing)),
        "in": tuple(other for other in others if is_in(other, thing)),
        "under": tuple(other for other in others if is_under(other, thing)),
    }


def nearest(
    thing: MapObject, things: Sequence[MapObject], most: int = BESIDE_MOST, within_m: float = BESIDE_M
) -> tuple[MapObject, ...]:
    """Others by the gap between boxes, the nearest first."""
    gaps = sorted((gap_m(thing, o), o.object_id, i) for i, o in enumerate(things) if o.object_id != thing.object_id)
    return tuple(things[i] for gap, _, i in gaps if gap <= within_m)[:most]


def gap_m(a: MapObject, b: MapObject) -> float:
    """Between two boxes, metres; 0 where they meet."""
    return float(np.linalg.norm(np.maximum(0.0, np.maximum(a.box_min_m - b.box_max_m, b.box_min_m - a.box_max_m))))


def is_on(thing: MapObject, other: MapObject) -> bool:
    """Whether a surface of the other, which is larger in the plan, carries the thing."""
    if thing is other or plan_m2(thing) >= plan_m2(other) or not _over(thing, other):
        return False
    bottom = thing.box_min_m[2]
    if not other.box_min_m[2] - SURFACE_M < bottom <= other.box_max_m[2] + SURFACE_M:
        return False
    near = _beneath(thing, other)
    near = near[np.abs(near[:, 2] - bottom) <= SURFACE_M]
    if bottom <= other.box_min_m[2] + SURFACE_M:
        near = near[_within_sides(near, other)]
    carried = len(near) >= _LEAST_POINTS or abs(bottom - other.box_max_m[2]) <= SURFACE_M
    return carried and not is_in(thing, other)


def is_in(thing: MapObject, other: MapObject) -> bool:
    """Whether most of the thing is within the other's box, below its top, with walls of the other around."""
    if thing is other or _volume_m3(thing) >= _volume_m3(other) or not _over(thing, other):
        return False
    return _share_within(thing, other) >= _MOST and _walled(thing, other)


def is_under(thing: MapObject, other: MapObject) -> bool:
    """Whether the thing is on the ground that the other stands on, with a surface of the other above it."""
    if thing is other or plan_m2(thing) >= plan_m2(other) or not _over(thing, other):
        return False
    if thing.box_min_m[2] > other.box_min_m[2] + _FLOOR_M or thing.box_max_m[2] >= other.box_max_m[2]:
        return False
    if other.extent_m[2] < _ROOM_M or is_on(thing, other) or is_in(thing, other):
        return False
    return int((_beneath(thing, other)[:, 2] > thing.box_max_m[2]).sum()) >= _LEAST_POINTS


def plan_m2(thing: MapObject) -> float:
    """Area of the box as seen from above."""
    return float(np.prod(thing.extent_m[:2]))


def _volume_m3(thing: MapObject) -> float:
    return float(np.prod(thing.extent_m))


def _least(found: Sequence[MapObject]) -> MapObject | None:
    """Of several, the smallest in the plan: what is on a tray on a table is on the tray."""
    return min(found, key=lambda o: (plan_m2(o), o.object_id), default=None)


def _holds(thing: MapObject, other: MapObject) -> bool:
    return is_on(other, thing) or is_in(other, thing)


def _over(thing: MapObject, other: MapObject) -> bool:
    """Whether the middle of the thing is within the other's box as seen from above."""
    middle = (thing.box_min_m[:2] + thing.box_max_m[:2]) / 2.0
    return bool(_within(middle, other.box_min_m[None, :2], other.box_max_m[None, :2])[0])


def _within(
    middle: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.bool_]:  # fmt: skip
    """(N,) whether a point of the plan is within boxes (N, 2)."""
    return np.all((middle >= low) & (middle <= high), axis=1)


def _beneath(thing: MapObject, other: MapObject) -> NDArray[np.float32]:
    """(M, 3) points of the other in the column of the thing's footprint, a little wider."""
    points, size = other.points_m, other.extent_m
    area_m2 = 2.0 * float(size[0] * size[1] + size[1] * size[2] + size[2] * size[0])
    around_m = min(max(2.0 * (area_m2 / max(1, len(points))) ** 0.5, _AROUND_M[0]), _AROUND_M[1])
    low, high = thing.box_min_m[:2] - around_m, thing.box_max_m[:2] + around_m
    return points[((points[:, :2] >= low) & (points[:, :2] <= high)).all(axis=1)]


def _within_sides(points: NDArray[np.float32], other: MapObject) -> NDArray[np.bool_]:
    """(N,) whether points are off the sides of a box, in the plan."""
    low, high = other.box_min_m[:2] + _FEET_M, other.box_max_m[:2] - _FEET_M
    return np.all((points[:, :2] > low) & (points[:, :2] < high), axis=1)


def _share_within(thing: MapObject, other: MapObject) -> float:
    points = thing.points_m
    if not len(points):
        return 0.0
    return float(((points >= other.box_min_m) & (points <= other.box_max_m)).all(axis=1).mean())


def _walled(thing: MapObject, other: MapObject) -> bool:
    """Whether the other rises beside the thing in most directions, at its height."""
    middle = (thing.box_min_m[:2] + thing.box_max_m[:2]) / 2.0
    points = other.points_m
    low, high = thing.box_min_m[2] + SURFACE_M / 2.0, max(thing.box_max_m[2], thing.box_min_m[2] + SURFACE_M)
    rises = points[(points[:, 2] > low) & (points[:, 2] <= high)]
    off = rises[:, :2] - middle
    angles = np.arctan2(off[:, 1], off[:, 0])
    sectors = np.floor((angles + np.pi) / (2.0 * np.pi) * _SECTORS).astype(int) % _SECTORS
    return len(np.unique(sectors)) >= _WALLED
