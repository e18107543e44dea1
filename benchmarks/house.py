"""A house of five rooms and a corridor, and a robot that walks through it: analytic frames, cheap enough for a day.

World: right-handed metres, z up, origin on the floor in a corner. Everything is an axis-aligned box; rays are cast with
the slab test of Kay and Kajiya (1986). Deterministic: a frame is a function of its number and the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Camera, Frame

SIZE_M = (12.0, 8.0, 2.6)
EYE_M = 1.2
HFOV_DEG = 70.0
FIRST_STAMP_NS = 1_000_000_000
_WALL, _THICK, _DOOR_M, _LINTEL_M = (190, 188, 180), 0.1, 0.9, 2.1
_SHADE = np.array([0.94, 0.88, 1.0])  # of faces across x, y and z
_CELL_M = 0.5  # of the faint checker on every face
Box = tuple[float, float, float, float, float, float, tuple[int, int, int]]
"""x0, y0, z0, x1, y1, z1, colour"""

FURNITURE: tuple[Box, ...] = (
    (0.2, 6.9, 0.0, 2.1, 7.8, 0.5, (60, 90, 170)), (3.2, 7.2, 0.0, 3.9, 7.9, 1.9, (150, 110, 70)),
    (4.3, 7.3, 0.0, 7.6, 7.9, 0.9, (200, 200, 196)), (4.2, 5.2, 0.0, 4.9, 6.4, 0.75, (140, 100, 60)),
    (10.9, 5.2, 0.0, 11.8, 7.6, 0.45, (40, 120, 70)), (8.3, 7.3, 0.0, 9.6, 7.9, 1.2, (110, 80, 60)),
    (0.2, 0.2, 0.0, 2.4, 0.9, 0.8, (170, 60, 50)), (4.6, 0.3, 0.0, 5.7, 1.6, 0.4, (90, 90, 95)),
    (6.4, 0.2, 0.0, 7.2, 2.2, 0.72, (160, 130, 90)), (10.6, 0.2, 0.0, 11.8, 1.1, 1.7, (220, 210, 180)),
)  # fmt: skip
MOVABLE: tuple[tuple[float, float, float, tuple[int, int, int]], ...] = (
    (0.40, 0.40, 0.45, (200, 25, 30)), (0.35, 0.45, 0.80, (25, 150, 45)), (0.50, 0.35, 0.35, (25, 55, 200)),
    (0.40, 0.40, 0.60, (235, 210, 30)), (0.45, 0.30, 0.90, (230, 120, 20)), (0.35, 0.35, 0.50, (150, 40, 150)),
)  # fmt: skip
"""size and colour of what is moved"""
SPOTS_M = ((0.9, 5.3), (3.4, 5.3), (7.3, 5.3), (7.2, 6.7), (8.7, 5.3), (0.7, 2.6), (5.3, 2.7), (2.9, 0.5), (8.4, 0.5),
           (11.3, 2.7), (6.6, 2.9), (0.5, 4.1))  # fmt: skip
"""where it stands; more spots than things"""
TOUR_M = (
    (2.0, 4.1), (2.0, 6.0), (1.4, 6.2), (2.7, 6.4), (2.0, 6.0), (2.0, 4.1), (3.0, 4.1), (3.0, 2.0), (1.5, 1.8),
    (4.0, 1.9), (3.0, 2.0), (3.0, 4.1), (6.0, 4.1), (6.0, 6.0), (5.6, 6.7), (6.6, 6.2), (6.0, 6.0), (6.0, 4.1),
    (9.0, 4.1), (9.0, 2.0), (8.0, 1.6), (10.0, 1.8), (9.0, 2.0), (9.0, 4.1), (10.0, 4.1), (10.0, 6.0), (9.4, 6.4),
    (10.0, 6.0), (10.0, 4.1), (6.0, 4.1), (2.0, 4.1),
)  # fmt: skip
"""the way through the house, once an hour"""


def _shell() -> list[Box]:
    """Floor, ceiling and walls with their doors."""
    x, y, z = SIZE_M
    t, boxes = _THICK, []
    boxes.append((-t, -t, -t, x + t, y + t, 0.0, (105, 85, 65)))
    boxes.append((-t, -t, z, x + t, y + t, z + t, (240, 240, 238)))
    boxes += [(-t, -t, 0.0, 0.0, y + t, z, _WALL), (x, -t, 0.0, x + t, y + t, z, _WALL)]
    boxes += [(-t, -t, 0.0, x + t, 0.0, z, _WALL), (-t, y, 0.0, x + t, y + t, z, _WALL)]
    boxes += [(at - t / 2, 4.7, 0.0, at + t / 2, y, z, _WALL) for at in (4.0, 8.0)]
    boxes.append((6.0 - t / 2, 0.0, 0.0, 6.0 + t / 2, 3.5, z, _WALL))
    for level, doors in ((4.7, (2.0, 6.0, 10.0)), (3.5, (3.0, 9.0))):
        edges = [0.0, *(at + side * _DOOR_M / 2 for at in doors for side in (-1, 1)), x]
        low, high = level - t / 2, level + t / 2
        boxes += [(a, low, 0.0, b, high, z, _WALL) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        boxes += [(at - _DOOR_M / 2, low, _LINTEL_M, at + _DOOR_M / 2, high, z, _WALL) for at in doors]
    return boxes


@dataclass(frozen=True, eq=False)
class Scene:
    """Boxes as arrays."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    rgb: NDArray[np.float64]


def scene(moves: int) -> Scene:
    """The house after things have been moved so many times: each move takes one thing to the next free spot."""
    spots = list(range(len(MOVABLE)))
    for move in range(moves):
        taken = set(spots)
        free = [spot for spot in range(len(SPOTS_M)) if spot not in taken]
        spots[move % len(MOVABLE)] = free[(5 * move) % len(free)]
    boxes = [*_shell(), *FURNITURE]
    for (width, depth, height, rgb), spot in zip(MOVABLE, spots, strict=True):
        x, y = SPOTS_M[spot]
        boxes.append((x - width / 2, y - depth / 2, 0.0, x + width / 2, y + depth / 2, height, rgb))
    corners = np.array([box[:6] for box in boxes])
    return Scene(corners[:, :3].copy(), corners[:, 3:].copy(), np.array([box[6] for box in boxes], np.float64))


class Walk:
    """Frames of a robot on its way through the house."""

    def __init__(self, width: int, height: int, frames_an_hour: int, moves_a_day: int, seed: int) -> None:
        self.camera = Camera.from_hfov(HFOV_DEG, width, height)
        self._hour, self._moves, self._seed = frames_an_hour, moves_a_day, seed
        u, v = np.meshgrid(np.arange(width), np.arange(height))
        c = self.camera
        self._rays = np.stack([(u - c.cx) / c.fx, (v - c.cy) / c.fy, np.ones(u.shape)], axis=-1).reshape(-1, 3)
        legs = np.diff(np.array(TOUR_M), axis=0)
        self._at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(legs, axis=1))])
        self._scene, self._moved = scene(0), 0

    def frame(self, number: int) -> Frame:
        """Frame `number` of the day, with noise of a structured-light sensor (Nguyen et al., 3DIM 2012)."""
        rng = np.random.default_rng((self._seed, number))
        moved = number * self._moves // (24 * self._hour)
        if moved != self._moved:
            self._scene, self._moved = scene(moved), moved
        pose = self.pose(number, rng)
        rgb, depth = self._cast(pose)
        sigma = 0.0012 + 0.0019 * (depth - 0.4) ** 2
        depth += sigma * rng.standard_normal(depth.shape, dtype=np.float32)
        depth[rng.random(depth.shape, dtype=np.float32) < 0.02] = np.nan
        stamp_ns = FIRST_STAMP_NS + number * (3_600_000_000_000 // self._hour)
        return Frame(rgb, depth, self.camera, pose, stamp_ns, seq=number, depth_unit="m")

    def pose(self, number: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(4, 4) world_from_camera: along the tour, looking to the left and right and a little down."""
        along = (number % self._hour) / self._hour * self._at[-1]
        leg = int(np.searchsorted(self._at, along, side="right")) - 1
        start, end = np.array(TOUR_M[leg]), np.array(TOUR_M[leg + 1])
        share = (along - self._at[leg]) / (self._at[leg + 1] - self._at[leg])
        place = start + share * (end - start) + rng.uniform(-0.05, 0.05, 2)
        ahead = np.arctan2(*(end - start)[::-1])
        yaw = ahead + 1.3 * np.sin(0.35 * number) + rng.uniform(-0.1, 0.1)
        pitch = np.radians(15.0) + rng.uniform(-0.05, 0.05)
        z = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)])
        x = np.cross(z, (0.0, 0.0, 1.0))
        x /= np.linalg.norm(x)
        pose = np.eye(4)
        pose[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
        pose[:3, 3] = (*place, EYE_M)
        return pose

    def _cast(self, pose: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        rays, eye, house = self._rays @ pose[:3, :3].T, pose[:3, 3], self._scene
        depth = np.empty(len(rays))
        rgb = np.empty((len(rays), 3), np.uint8)
        _cast_rays(rays, eye, house.low, house.high, house.rgb, _SHADE, _CELL_M, depth, rgb)
        shape = (self.camera.height, self.camera.width)
        return rgb.reshape(*shape, 3), depth.astype(np.float32).reshape(shape)


@numba.njit(cache=True, nogil=True)
def _cast_rays(rays, eye, low, high, colour, shade, cell_m, depth, rgb):
    """First box along each ray, from outside all of them: parameter of the ray (z depth), and its shaded colour."""
    inverse = np.empty(3)
    for i in range(len(rays)):
        for k in range(3):
            inverse[k] = 1.0 / rays[i, k] if rays[i, k] != 0.0 else 1e300
        best, hit, face = np.inf, 0, 0
        for box in range(len(low)):
            enter, leave, axis = 0.0, best, -1
            for k in range(3):
                a, b = (low[box, k] - eye[k]) * inverse[k], (high[box, k] - eye[k]) * inverse[k]
                if a > b:
                    a, b = b, a
                if a > enter:
                    enter, axis = a, k
                leave = min(leave, b)
                if enter > leave:
                    break
            if axis >= 0 and enter <= leave and enter < best:
                best, hit, face = enter, box, axis
        depth[i] = best
        cells = 0
        for k in range(3):
            if k != face:
                cells += int(np.floor((eye[k] + best * rays[i, k]) / cell_m + 0.25))
        for k in range(3):
            rgb[i, k] = np.uint8(round((colour[hit, k] - 6.0 * (cells % 2)) * shade[face]))
