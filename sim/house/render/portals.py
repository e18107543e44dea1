"""Which rooms a camera can see into: views are narrowed by every doorway they pass through.

On the plan only: a view is an interval of directions; through a doorway passes the part of it that the doorway spans.
A stairwell is one more doorway, between the hallways below and above: what is seen through it lies straight on, too.
"""

from __future__ import annotations

import itertools
import math
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.layout.plan import CEILING_M, STOREY_M, WALL_M, Passage
from spatialmem.types import Camera

_FULL = (-math.pi, math.pi)
_CLOSE_M = 0.35
"""nearer than this to a doorway, a camera sees all of the room behind it"""


@final
class Portals:
    """Doorways of a house, and its stairwell, by room."""

    def __init__(self, house: House) -> None:
        self._plan = house.plan
        self._open: dict[int, list[tuple[int, NDArray[np.float64]]]] = {r.room_id: [] for r in house.rooms}
        for o in house.plan.openings:
            if o.passage in (Passage.DOOR, Passage.ARCH):
                half = WALL_M / 2.0
                strip = o.strip(half)
                ends = np.array([[x, y] for x in (strip.x0, strip.x1) for y in (strip.y0, strip.y1)])
                for here, there in (o.rooms, o.rooms[::-1]):
                    self._open[here].append((there, ends))
        self._low = np.array([(r.rect.x0, r.rect.y0, r.base_m) for r in house.rooms])
        self._high = np.array([(r.rect.x1, r.rect.y1, r.base_m + STOREY_M) for r in house.rooms])
        if house.plan.stairs is not None:
            g = house.plan.stairs.ground
            well = np.array([[x, y] for x in (g.x0, g.x1) for y in (g.y0, g.y1)])
            halls = [r.room_id for r in house.rooms if r.kind == "hallway" and r.rect.contains(g)]
            for here, there in itertools.permutations(halls, 2):
                self._open[here].append((there, well))

    def seen_from(self, world_from_camera: NDArray[np.float64], camera: Camera) -> set[int] | None:
        """Ids of the rooms that may be seen; None where the camera is in no room, or looks up or down too far."""
        x, y, z = (float(v) for v in world_from_camera[:3, 3])
        start = self._room_at(x, y, z)
        if start is None:
            return None
        seen: set[int] = set()
        self._look(start, (x, y), _directions(world_from_camera, camera), seen, frozenset())
        return seen

    def may_show(
        self, rooms: set[int], room_of: NDArray[np.int32], centres: NDArray[np.float64], radii: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """(T,) whether things may be in one of these rooms: they belong to it, or their box reaches into it now."""
        chosen = np.zeros(len(self._low), dtype=bool)
        chosen[list(rooms)] = True
        near, far = centres - radii[:, None], centres + radii[:, None]
        inside = (far > self._low[chosen, None]) & (near < self._high[chosen, None])
        return chosen[room_of] | inside.all(axis=2).any(axis=0)

    def _room_at(self, x: float, y: float, z: float) -> int | None:
        for room in self._plan.rooms:
            if room.rect.holds(x, y) and room.base_m <= z <= room.base_m + CEILING_M:
                return room.room_id
        return None

    def _look(
        self, room: int, eye: tuple[float, float], view: tuple[float, float], seen: set[int], way: frozenset[int]
    ) -> None:
        seen.add(room)
        for there, ends in self._open[room]:
            if there in way:
                continue
            narrowed = _through(eye, ends, view)
            if narrowed is not None:
                self._look(there, eye, narrowed, seen, way | {room})


def _directions(world_from_camera: NDArray[np.float64], camera: Camera) -> tuple[float, float]:
    """The interval of directions on the plan that the image spans: from, to, radians; all of them when it is steep."""
    xs = np.array([-0.5, camera.width - 0.5, -0.5, camera.width - 0.5])
    ys = np.array([-0.5, -0.5, camera.height - 0.5, camera.height - 0.5])
    rays = np.stack([(xs - camera.cx) / camera.fx, (ys - camera.cy) / camera.fy, np.ones(4)])
    world = world_from_camera[:3, :3] @ rays
    forward = world_from_camera[:3, 2]
    level = np.hypot(world[0], world[1])
    ahead = world[0] * forward[0] + world[1] * forward[1]
    if math.hypot(forward[0], forward[1]) < 0.2 or (ahead <= 1e-3 * level).any():
        return _FULL
    middle = math.atan2(forward[1], forward[0])
    turn = (np.arctan2(world[1], world[0]) - middle + math.pi) % (2.0 * math.pi) - math.pi
    return middle + float(turn.min()), middle + float(turn.max())


def _through(
    eye: tuple[float, float], ends: NDArray[np.float64], view: tuple[float, float]
) -> tuple[float, float] | None:
    """The part of a view that passes a doorway, or None."""
    to = ends - eye
    middle = to.mean(axis=0)
    inside = (ends[:, 0].min() - _CLOSE_M < eye[0] < ends[:, 0].max() + _CLOSE_M) and (
        ends[:, 1].min() - _CLOSE_M < eye[1] < ends[:, 1].max() + _CLOSE_M
    )
    if inside:
        return view
    centre = math.atan2(middle[1], middle[0])
    turn = (np.arctan2(to[:, 1], to[:, 0]) - centre + math.pi) % (2.0 * math.pi) - math.pi
    low, high = centre + float(turn.min()), centre + float(turn.max())
    if view == _FULL:
        return low, high
    for shift in (-2.0 * math.pi, 0.0, 2.0 * math.pi):
        a, b = max(low + shift, view[0]), min(high + shift, view[1])
        if a < b:
            return a, b
    return None
