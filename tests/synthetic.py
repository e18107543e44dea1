"""A room with an exact answer: analytic RGB-D of an axis-aligned room with four coloured boxes.

World: right-handed metres, z up, origin on the floor in the middle of the room. Everything here is
deterministic; numpy only, a 160x120 frame takes a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from spatialmem.types import Camera, Frame


class Box(NamedTuple):
    """A solid, axis-aligned box of one colour."""

    name: str
    min_m: tuple[float, float, float]
    max_m: tuple[float, float, float]
    rgb: tuple[int, int, int]

    @property
    def centre_m(self) -> np.ndarray:
        return (np.array(self.min_m) + np.array(self.max_m)) / 2.0


ROOM_MIN_M = (-2.5, -2.0, 0.0)
ROOM_MAX_M = (2.5, 2.0, 2.5)
RED_BOX = Box("red", (1.7, -0.3, 0.0), (2.3, 0.3, 0.9), (200, 25, 30))
GREEN_BOX = Box("green", (-0.3, 1.3, 0.0), (0.4, 1.8, 0.8), (25, 150, 45))
BLUE_BOX = Box("blue", (-2.2, -0.4, 0.0), (-1.6, 0.3, 0.7), (25, 55, 200))
YELLOW_BOX = Box("yellow", (-0.4, -1.8, 0.0), (0.2, -1.3, 1.0), (235, 210, 30))
BOXES = (RED_BOX, GREEN_BOX, BLUE_BOX, YELLOW_BOX)

WALL_RGB = (185, 185, 185)
FLOOR_RGB = (95, 95, 95)
CEILING_RGB = (240, 240, 240)
HFOV_DEG = 75.0
CIRCLE_RADIUS_M = 0.7
EYE_HEIGHT_M = 1.5
PITCH_DOWN_DEG = 20.0
FRAME_STEP_NS = 100_000_000
"""ten frames a second"""
FIRST_STAMP_NS = 1_000_000_000
SMALL_PIXELS, LARGE_PIXELS = 160 * 120, 640 * 480
"""up to the first, many images are remembered, up to the second, a few"""
_SHADE = np.array([0.94, 0.88, 1.0])  # of faces across x, y and z: keeps edges visible, hue untouched


def look(position_m: Sequence[float], forward: Sequence[float]) -> np.ndarray:
    """(4, 4) world_from_camera (OpenCV axes) at `position_m`, looking along `forward`, level with the floor."""
    z = np.asarray(forward, dtype=np.float64)
    z = z / np.linalg.norm(z)
    x = np.cross(z, (0.0, 0.0, 1.0))
    x = x / np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
    pose[:3, 3] = position_m
    return pose


def room_camera(width: int, height: int) -> Camera:
    """The camera of `room_frame`."""
    return Camera.from_hfov(HFOV_DEG, width, height)


def room_pose(i: int, n: int) -> np.ndarray:
    """(4, 4) world_from_camera of step i of n around the circle, looking across the room, a little down.

    The red box is in view around step 0 (mod n), then, a quarter further each, green, blue and yellow.
    """
    angle, pitch = 2.0 * np.pi * i / n, np.radians(PITCH_DOWN_DEG)
    ahead = np.array([np.cos(angle), np.sin(angle), 0.0])
    position = -CIRCLE_RADIUS_M * ahead + (0.0, 0.0, EYE_HEIGHT_M)
    return look(position, np.cos(pitch) * ahead - (0.0, 0.0, np.sin(pitch)))


def render_room(
    world_from_camera: np.ndarray, camera: Camera, boxes: Sequence[Box] = BOXES
) -> tuple[np.ndarray, np.ndarray]:
    """rgb (H, W, 3) uint8 and exact z-depth (H, W) float32 metres, from a camera inside the room.

    Rays have z = 1 in the camera, so that the ray parameter is the depth; slab test of Kay and Kajiya (1986).
    Images are remembered, as tests show the same few walks again and again; the caller's are copies.
    """
    pixels = camera.width * camera.height
    if pixels > LARGE_PIXELS:
        return _render(world_from_camera, camera, boxes)
    remembered = _remembered_small if pixels <= SMALL_PIXELS else _remembered_large
    rgb, depth = remembered(np.asarray(world_from_camera, np.float64).tobytes(), camera, tuple(boxes))
    return rgb.copy(), depth.copy()


def _of_bytes(world_from_camera: bytes, camera: Camera, boxes: tuple[Box, ...]) -> tuple[np.ndarray, np.ndarray]:
    return _render(np.frombuffer(world_from_camera).reshape(4, 4), camera, boxes)


_remembered_small = lru_cache(maxsize=256)(_of_bytes)
_remembered_large = lru_cache(maxsize=32)(_of_bytes)


def _render(
    world_from_camera: np.ndarray, camera: Camera, boxes: Sequence[Box] = BOXES
) -> tuple[np.ndarray, np.ndarray]:
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1)
    rays = (rays @ world_from_camera[:3, :3].T).reshape(-1, 3)
    rays = np.where(rays == 0.0, 1e-300, rays)
    eye = world_from_camera[:3, 3]
    _, depth, axis = _slabs(eye, rays, ROOM_MIN_M, ROOM_MAX_M)
    rgb = _room_colour(eye, rays, depth, axis)
    for box in boxes:
        near, far, near_axis = _slabs(eye, rays, box.min_m, box.max_m, entry=True)
        seen = (near > 0.0) & (near <= far) & (near < depth)
        depth, axis = np.where(seen, near, depth), np.where(seen, near_axis, axis)
        rgb = np.where(seen[:, None], np.array(box.rgb, dtype=np.float64), rgb)
    shape = (camera.height, camera.width)
    shaded = np.rint(rgb * _SHADE[axis][:, None]).astype(np.uint8)
    return shaded.reshape(*shape, 3), depth.astype(np.float32).reshape(shape)


def room_frame(
    i: int,
    n: int,
    width: int = 160,
    height: int = 120,
    seed: int = 0,
    noise: bool = False,
    boxes: Sequence[Box] = BOXES,
) -> Frame:
    """Frame i of a walk around the room, n steps a lap; i may exceed n (further laps).

    With `noise`, depth gets the axial noise of a structured-light sensor (Nguyen et al. 2012), one
    reading in fifty is missing (NaN), and colour gets two grey levels; `seed` steers only this.
    Leave boxes out of `boxes` for a room they were taken from.
    """
    camera, pose = room_camera(width, height), room_pose(i, n)
    rgb, depth = render_room(pose, camera, boxes)
    if noise:
        rgb, depth = _with_noise(rgb, depth, np.random.default_rng((seed, i)))
    return Frame(rgb, depth, camera, pose, FIRST_STAMP_NS + i * FRAME_STEP_NS, seq=i)


def room_frames(n: int, width: int = 160, height: int = 120, seed: int = 0, noise: bool = False) -> list[Frame]:
    """One lap."""
    return [room_frame(i, n, width, height, seed, noise) for i in range(n)]


def distance_to_surface_m(points_m: np.ndarray, boxes: Sequence[Box] = BOXES) -> np.ndarray:
    """(N,) unsigned distance of points (N, 3) to the nearest wall, floor, ceiling or box face."""
    distances = [_box_distance(points_m, ROOM_MIN_M, ROOM_MAX_M)]
    distances += [_box_distance(points_m, box.min_m, box.max_m) for box in boxes]
    return np.min(distances, axis=0)


def _slabs(eye, rays, low, high, entry=False):
    """Entry and exit parameter of each ray, and the axis of the face entered (or left)."""
    a, b = (np.array(low) - eye) / rays, (np.array(high) - eye) / rays
    near, far = np.minimum(a, b), np.maximum(a, b)
    axis = near.argmax(axis=1) if entry else far.argmin(axis=1)
    return near.max(axis=1), far.min(axis=1), axis


def _room_colour(eye, rays, depth, axis):
    """Plain walls, darker floor, white ceiling, with a faint half-metre checker."""
    points = eye + rays * depth[:, None]
    colour = np.where((axis == 2)[:, None], np.array(FLOOR_RGB), np.array(WALL_RGB)).astype(np.float64)
    colour[(axis == 2) & (rays[:, 2] > 0)] = CEILING_RGB
    cells = np.floor(points / 0.5 + 0.25).astype(int)
    cells[np.arange(len(axis)), axis] = 0  # the checker varies along the face only
    return colour - 6.0 * (cells.sum(axis=1) % 2)[:, None]


def _with_noise(rgb, depth, rng):
    sigma = 0.0012 + 0.0019 * (depth - 0.4) ** 2
    noisy = (depth + sigma * rng.standard_normal(depth.shape)).astype(np.float32)
    noisy[rng.random(depth.shape) < 0.02] = np.nan
    grey = rgb + rng.normal(0.0, 2.0, rgb.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8), noisy


def _box_distance(points, low, high):
    centre, half = (np.array(low) + high) / 2.0, (np.array(high) - low) / 2.0
    q = np.abs(np.asarray(points) - centre) - half
    outside = np.linalg.norm(np.maximum(q, 0.0), axis=-1)
    return np.abs(outside + np.minimum(q.max(axis=-1), 0.0))
