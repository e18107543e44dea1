"""Where cameras go: as a walking body sees a room, towards one thing, and close to a small thing as a wrist sees it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.render.base import look_at
from sim.house.thing import Thing

Pose = NDArray[np.float64]


def walking(house: House, room_id: int, rng: np.random.Generator) -> tuple[Pose, Pose]:
    """Two poses (4, 4) of a body in a room, a step and a turn apart."""
    spot = _ground(house, room_id, rng)
    eye = spot + (0.0, 0.0, float(np.clip(rng.normal(1.25, 0.2), 0.6, 1.7)))
    yaw, pitch = float(rng.uniform(-math.pi, math.pi)), math.radians(float(rng.uniform(-40.0, 8.0)))
    nearby = eye + (*rng.uniform(-0.4, 0.4, 2), float(rng.uniform(-0.1, 0.1)))
    if not house.navigation.is_free(nearby - (0.0, 0.0, eye[2] - spot[2])):
        nearby = eye
    turned = yaw + math.radians(float(rng.uniform(-40.0, 40.0)))
    return _posed(eye, yaw, pitch, rng, 4.0), _posed(nearby, turned, pitch, rng, 4.0)


def towards(house: House, thing: Thing, rng: np.random.Generator) -> Pose:
    """A pose (4, 4) of a body in the room of a thing that looks at it from 0.6 to 4 m, roughly."""
    corners = thing.corners_m()
    middle, reach = corners.mean(axis=0), float(np.linalg.norm(np.ptp(corners, axis=0))) / 2.0
    spots = _cells(house, thing.room_id)
    far = np.linalg.norm(spots[:, :2] - middle[:2], axis=1)
    near = spots[(far > 0.5 + 0.5 * reach) & (far < 2.5 + reach)]
    spot = (near if len(near) else spots)[int(rng.integers(len(near) or len(spots)))]
    eye = spot + (0.0, 0.0, float(np.clip(rng.normal(1.25, 0.25), 0.5, 1.8)))
    off = rng.normal(0.0, 0.12 * float(np.linalg.norm(middle - eye)), 3)
    return rolled(look_at(eye, middle + off), math.radians(float(rng.normal(0.0, 4.0))))


def close_to(thing: Thing, rng: np.random.Generator, azimuth_rad: float) -> Pose:
    """A pose (4, 4) 0.2 to 0.8 m from a thing, from about an azimuth, level to steep, rolled as wrists are."""
    corners = thing.corners_m()
    middle, half = corners.mean(axis=0), float(np.ptp(corners, axis=0).max()) / 2.0
    azimuth = azimuth_rad + float(rng.normal(0.0, 0.4))
    elevation = math.radians(float(rng.uniform(8.0, 72.0)))
    far_m = float(rng.uniform(0.2, 0.8)) + 0.6 * half
    level = math.cos(elevation)
    away = np.array([level * math.cos(azimuth), level * math.sin(azimuth), math.sin(elevation)])
    aim = middle + rng.normal(0.0, 0.1 * far_m, 3)
    return rolled(look_at(middle + far_m * away, aim), math.radians(float(rng.normal(0.0, 12.0))))


def rolled(world_from_camera: Pose, angle_rad: float) -> Pose:
    """The pose turned about its optical axis."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    turn = np.eye(4)
    turn[:2, :2] = [[c, -s], [s, c]]
    return world_from_camera @ turn


def _posed(eye: NDArray[np.float64], yaw: float, pitch: float, rng: np.random.Generator, roll_deg: float) -> Pose:
    ahead = np.array([math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), math.sin(pitch)])
    return rolled(look_at(eye, eye + ahead), math.radians(float(rng.normal(0.0, roll_deg))))


def _cells(house: House, room_id: int) -> NDArray[np.float64]:
    """(N, 3) ground points of a room where a body can be; of the whole house where that has none."""
    navigation = house.navigation
    cells = navigation.room_cells(room_id)
    if not len(cells):
        cells = np.argwhere(navigation.free)
    return navigation.points_of(cells[:, 0], cells[:, 1], cells[:, 2])


def _ground(house: House, room_id: int, rng: np.random.Generator) -> NDArray[np.float64]:
    cells = _cells(house, room_id)
    return cells[int(rng.integers(len(cells)))]
