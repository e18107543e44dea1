"""Houses and cameras that the tests of sim/house share; each is made once per process."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from sim.house import House, HouseConfig, RasterRenderer, RaycastRenderer, Renderer, make_house
from sim.house.layout.plan import Plan, Rect, Room
from sim.house.making import numbered
from sim.house.shapes.structure import structure
from spatialmem.types import Camera

RENDERERS: tuple[type[Renderer], ...] = (RasterRenderer, RaycastRenderer)
SMALL = HouseConfig(floors=1, rooms_per_floor=(3, 4))
TALL = HouseConfig(floors=2, rooms_per_floor=(4, 5), density=0.6)


@functools.lru_cache
def small_house() -> House:
    """One floor, few rooms."""
    return make_house(3, SMALL)


@functools.lru_cache
def tall_house() -> House:
    """Two floors."""
    return make_house(5, TALL)


@functools.lru_cache
def box_room() -> House:
    """An empty room, 4.88 x 3.88 m inside its walls, without openings: depth is known exactly."""
    rect = Rect(0.0, 0.0, 5.0, 4.0)
    plan = Plan(1, rect, (Room(0, "bathroom", 0, rect),), (), None)  # bathrooms have no skirting
    things = numbered(structure(np.random.default_rng(0), plan), [])
    return House(0, 0, SMALL, plan, things)


@functools.lru_cache
def renderer(kind: type[Renderer], which: str) -> Renderer:
    """A renderer of one of the houses above, "small", "tall" or "box"; whoever moves things puts them back."""
    house = {"small": small_house, "tall": tall_house, "box": box_room}[which]()
    return kind(house, light=False)


def pose_at(point_m: NDArray[np.float64], yaw: float, pitch: float = 0.0) -> NDArray[np.float64]:
    """(4, 4) world_from_camera at a point, looking along yaw (from +x, anticlockwise) and pitch (up), radians."""
    pose = np.eye(4)
    forward = np.array([math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), math.sin(pitch)])
    right = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(forward, right), forward, point_m
    return pose


def poses(house: House, count: int, seed: int = 0) -> list[NDArray[np.float64]]:
    """Views from where the agent can stand, at the height of its eye."""
    rng = np.random.default_rng(seed)
    cells = np.argwhere(house.navigation.reachable)
    found = []
    for _ in range(count):
        row = cells[int(rng.integers(len(cells)))]
        ground = house.navigation.point_of((int(row[0]), int(row[1]), int(row[2])))
        eye = ground + (0.0, 0.0, house.config.body.eye_m)
        found.append(pose_at(eye, float(rng.uniform(-math.pi, math.pi)), float(rng.uniform(-0.6, 0.3))))
    return found


def camera(width: int = 160, height: int = 120, hfov_deg: float = 79.0) -> Camera:
    """A small pinhole camera."""
    return Camera.from_hfov(hfov_deg, width, height)
