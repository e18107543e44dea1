"""What a layout must offer: every room can be reached, everything can be looked at from where one can stand."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.navigation import CELL_M, Navigation
from sim.house.render.raycast import RaycastRenderer
from sim.house.standpoints import SEEN, ground_of, seen_points
from sim.house.thing import Thing

_NEAREST_M, _FURTHEST_M = 0.35, 3.0
"""how far a standpoint may be from what it shows, on the plan"""
_TRIED = 40
"""standpoints per thing"""
_ROOM_M2 = 0.4
"""of a room that can be walked on, at least"""


def unreachable_room(house: House, navigation: Navigation, *, but: Collection[int] = ()) -> str:
    """What is wrong with the first room, `but` those of some ids, that cannot be walked into; empty without any."""
    for room in (r for r in house.rooms if r.room_id not in but):
        cells = navigation.room_cells(room.room_id)
        reached = navigation.reachable[tuple(cells.T)].sum() * CELL_M**2
        if reached < _ROOM_M2:
            return f"room {room.room_id}, {room.kind}, has {reached:.2f} m2 that can be reached"
    return ""


def viewpoints(house: House, navigation: Navigation) -> dict[int, NDArray[np.float64]]:
    """thing_id -> (3,) ground point of the best standpoint found; things without one are left out.

    Best is where most of its surface is seen from the height of the eye. Not asked about: walls, floors, ceilings.
    """
    caster = RaycastRenderer(house, light=False)
    ground = ground_of(navigation, 2)
    things = [t for t in house.things if t.category not in ("wall", "floor", "ceiling")]
    asked = [(t, t.world_from_thing, _around(t, ground)) for t in things]
    found: dict[int, NDArray[np.float64]] = {}
    for (t, _, spots), counts in zip(asked, seen_points(caster, asked), strict=True):
        if len(counts) and counts.max() >= SEEN:
            found[t.thing_id] = spots[int(np.argmax(counts))]
    return found


def _around(t: Thing, ground: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ground around a thing, every direction and distance among it; (N, 3), N at most _TRIED."""
    corners = t.corners_m()
    middle = corners.mean(axis=0)
    reach = float(np.linalg.norm(corners[:, :2].max(axis=0) - middle[:2]))
    level = corners[:, 2].min() - ground[:, 2]
    away = np.linalg.norm(ground[:, :2] - middle[:2], axis=1)
    near = np.nonzero((away > _NEAREST_M) & (away < _FURTHEST_M + reach) & (level > -1.2) & (level < 2.6))[0]
    order = near[np.argsort(away[near], kind="stable")]
    return ground[order[:: max(1, len(order) // _TRIED)][:_TRIED]]
