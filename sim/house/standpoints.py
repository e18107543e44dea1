"""From where things can be seen: rays from the height of the eye to points spread over their surfaces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.house.errors import InvalidHouse
from sim.house.navigation import CELL_M, Navigation
from sim.house.render.raycast import RaycastRenderer
from sim.house.thing import Thing

POINTS = 12
"""on a surface, that one looks at"""
SEEN = 2
"""of them must be seen for the thing to count as seen"""


def standpoints(
    caster: RaycastRenderer, navigation: Navigation, thing_id: int, *, within_m: float = 1.0, every_m: float = 0.1
) -> NDArray[np.float64]:
    """(N, 3) ground points, on a lattice, from which a thing can be seen where it is now; N may be 0.

    Those are reachable, no further than `within_m` from the thing's box on the plan, and show some of its surface to
    the eye of the body. ObjectNav counts success at such points (within 1 m, as in Habitat's data sets).

    Raises:
        InvalidHouse: the thing is not there, or the distances make no sense.
    """
    thing, pose = caster.house.thing(thing_id), caster.pose_of(thing_id)
    if pose is None:
        raise InvalidHouse(f"{thing.category} {thing_id} has been taken away; place it first")
    if not (within_m > 0.0 and every_m > 0.0):
        raise InvalidHouse(f"distances must be positive; given within_m {within_m}, every_m {every_m}")
    step = max(1, round(every_m / CELL_M))
    ground = ground_of(navigation, step)
    corners = thing.corners_m(pose)
    low, high = corners.min(axis=0), corners.max(axis=0)
    off = np.maximum(np.maximum(low[:2] - ground[:, :2], ground[:, :2] - high[:2]), 0.0)
    level = low[2] - ground[:, 2]
    near = ground[(np.hypot(off[:, 0], off[:, 1]) <= within_m) & (level > -1.2) & (level < 2.6)]
    counts = seen_points(caster, [(thing, pose, near)])[0]
    return near[counts >= SEEN]


def ground_of(navigation: Navigation, step: int) -> NDArray[np.float64]:
    """(N, 3) middles of reachable cells, every `step`-th row and column."""
    layers, rows, columns = np.nonzero(navigation.reachable)
    kept = (rows % step == 0) & (columns % step == 0)
    return navigation.points_of(layers[kept], rows[kept], columns[kept])


def nearest_ground(navigation: Navigation, point_m: NDArray[np.float64], room_id: int = -1) -> NDArray[np.float64]:
    """(3,) the middle of the nearest free cell in a room, or, without a room or when it has none, on any floor."""
    cells = navigation.room_cells(room_id) if room_id >= 0 else np.empty((0, 3), dtype=np.int64)
    if not len(cells):
        cells = np.argwhere(navigation.free)
    if not len(cells):
        raise InvalidHouse("the agent can stand nowhere in this house as it is now")
    points = navigation.points_of(cells[:, 0], cells[:, 1], cells[:, 2])
    return points[int(np.argmin(np.linalg.norm(points - point_m, axis=1)))]


def seen_points(
    caster: RaycastRenderer, asked: list[tuple[Thing, NDArray[np.float64], NDArray[np.float64]]]
) -> list[NDArray[np.int64]]:
    """For each thing with its pose (4, 4) and ground points (N, 3): how many of its POINTS each of those sees, (N,)."""
    eye_m = caster.house.config.body.eye_m
    rays, owner = [], []
    for thing, pose, spots in asked:
        eyes = np.repeat(spots + (0.0, 0.0, eye_m), POINTS, axis=0)
        rays.append(np.concatenate([eyes, np.tile(surface_points(thing, pose), (len(spots), 1)) - eyes], axis=1))
        owner.append(np.full(len(eyes), thing.thing_id))
    faces, _, _, _ = caster.cast(np.concatenate(rays).astype(np.float32))
    hit = np.where(faces >= 0, caster.scene.surfaces.face_thing[faces] + 1, 0)
    right = (hit == np.concatenate(owner)).reshape(-1, POINTS).sum(axis=1)
    return np.split(right, np.cumsum([len(spots) for _, _, spots in asked])[:-1])


def surface_points(thing: Thing, world_from_thing: NDArray[np.float64]) -> NDArray[np.float64]:
    """(POINTS, 3) middles of triangles spread over a surface by area, world frame."""
    corners = thing.shape.vertices_m[thing.shape.faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    total = np.cumsum(area)
    chosen = np.searchsorted(total, (np.arange(POINTS) + 0.5) / POINTS * total[-1])
    middles = corners[np.minimum(chosen, len(corners) - 1)].mean(axis=1)
    return middles @ world_from_thing[:3, :3].T + world_from_thing[:3, 3]
