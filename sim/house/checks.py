"""What a layout must offer: every room can be reached, everything can be looked at from where one can stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.navigation import Navigation
from sim.house.thing import Thing

NEAREST_M, FURTHEST_M = 0.35, 3.0
"""how far a standpoint may be from what it shows, on the plan"""
_STANDPOINTS = 40
"""tried per thing"""
_POINTS = 12
"""on its surface, that one looks at from each"""
_SEEN = 2
"""that must be seen from one of them"""
_ROOM_M2 = 0.4
"""of a room that can be walked on, at least"""


def unreachable_room(house: House, navigation: Navigation) -> str:
    """What is wrong with the first room that cannot be walked into; empty when there is none."""
    cell_m2 = 0.05 * 0.05
    for room in house.rooms:
        cells = navigation.room_cells(room.room_id)
        reached = navigation.reachable[tuple(cells.T)].sum() * cell_m2
        if reached < _ROOM_M2:
            return f"room {room.room_id}, {room.kind}, has {reached:.2f} m2 that can be reached"
    return ""


def viewpoints(house: House, navigation: Navigation) -> dict[int, NDArray[np.float64]]:
    """thing_id -> (3,) ground point of the best standpoint found; things without one are left out.

    Best is where most of `_POINTS` points of its surface are seen from the height of the eye. Walls, floors and
    ceilings are not asked about.
    """
    from sim.house.render.raycast import RaycastRenderer

    caster = RaycastRenderer(house, light=False)
    asked = [t for t in house.things if t.category not in ("wall", "floor", "ceiling")]
    rows = np.argwhere(navigation.reachable)
    ground = np.array([navigation.point_of((int(a), int(b), int(c))) for a, b, c in rows[::5]]).reshape(-1, 3)
    stands, targets, owner = [], [], []
    for t in asked:
        spots = _standpoints(t, ground)
        points = _surface_points(t)
        stands.append(np.repeat(spots, len(points), axis=0))
        targets.append(np.tile(points, (len(spots), 1)))
        owner.append(np.full(len(spots) * len(points), t.thing_id))
    eyes = np.concatenate(stands) + (0.0, 0.0, house.config.body.eye_m)
    aimed = np.concatenate(targets)
    rays = np.concatenate([eyes, aimed - eyes], axis=1).astype(np.float32)
    faces, _, _, _ = caster.cast(rays)
    hit = np.where(faces >= 0, caster.scene.surfaces.face_thing[faces] + 1, 0)
    return _best(asked, stands, hit == np.concatenate(owner))


def _best(
    asked: list[Thing], stands: list[NDArray[np.float64]], seen: NDArray[np.bool_]
) -> dict[int, NDArray[np.float64]]:
    found: dict[int, NDArray[np.float64]] = {}
    start = 0
    for t, spots in zip(asked, stands, strict=True):
        counts = seen[start : start + len(spots)].reshape(-1, _POINTS).sum(axis=1)
        start += len(spots)
        if len(counts) and counts.max() >= _SEEN:
            found[t.thing_id] = spots[int(np.argmax(counts)) * _POINTS]
    return found


def _standpoints(t: Thing, ground: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reachable ground around a thing, every direction and distance among it; (N, 3), N at most _STANDPOINTS."""
    corners = t.corners_m()
    middle = corners.mean(axis=0)
    reach = float(np.linalg.norm(corners[:, :2].max(axis=0) - middle[:2]))
    away = np.linalg.norm(ground[:, :2] - middle[:2], axis=1)
    level = corners[:, 2].min() - ground[:, 2]
    near = np.nonzero((away > NEAREST_M) & (away < FURTHEST_M + reach) & (level > -1.2) & (level < 2.6))[0]
    order = near[np.argsort(away[near], kind="stable")]
    step = max(1, len(order) // _STANDPOINTS)
    return ground[order[::step][:_STANDPOINTS]]


def _surface_points(t: Thing) -> NDArray[np.float64]:
    """(_POINTS, 3) middles of triangles spread over the surface by area, world frame."""
    corners = t.shape.vertices_m[t.shape.faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    total = np.cumsum(area)
    chosen = np.searchsorted(total, (np.arange(_POINTS) + 0.5) / _POINTS * total[-1])
    middles = corners[np.minimum(chosen, len(corners) - 1)].mean(axis=1)
    m = t.world_from_thing
    return middles @ m[:3, :3].T + m[:3, 3]
