"""What every renderer of a house can do."""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.errors import InvalidHouse
from sim.house.house import House
from sim.house.render.compiled import Threads
from sim.house.render.light import bake_light
from sim.house.render.scene import Scene
from sim.house.render.shade import LINES, N, shade_rows
from spatialmem.types import Camera, Frame, checked_transform


@dataclass(frozen=True, eq=False)
class Picture:
    """What a camera sees."""

    rgb: NDArray[np.uint8]
    """(H, W, 3); black where nothing is"""
    depth_m: NDArray[np.float32]
    """(H, W) along the optical axis; NaN where nothing is"""
    thing_ids: NDArray[np.int32]
    """(H, W) instances; 0 where nothing is"""
    category_ids: NDArray[np.int32]
    """(H, W) see house.CATEGORIES; 0 where nothing is"""
    normals: NDArray[np.float32]
    """(H, W, 3) unit, world frame; 0 where nothing is; of shape (0, 0, 3) when not asked for"""
    camera: Camera
    world_from_camera: NDArray[np.float64]
    """(4, 4) OpenCV camera axes, z-up world"""

    def frame(self, stamp_ns: int, **more: object) -> Frame:
        """The picture as a frame for a memory; `more` are further fields of Frame."""
        return Frame(self.rgb, self.depth_m, self.camera, self.world_from_camera, stamp_ns, depth_unit="m", **more)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Hits:
    """What the ray through each pixel meets first."""

    faces: NDArray[np.int32]
    """(H, W) index of the triangle, or -1"""
    u: NDArray[np.float32]
    """(H, W) barycentric weight of the triangle's second corner"""
    v: NDArray[np.float32]
    """(H, W) of its third corner"""
    depth_m: NDArray[np.float32]
    """(H, W) z-depth; any value where nothing is hit"""


class Renderer(abc.ABC):
    """Renders one house. Things can be moved, taken away and put back without anything being built again.

    Not safe for use by several threads at once.
    """

    def __init__(self, house: House, *, threads: int | None = None, light: bool = True) -> None:
        """`light`: bake soft shadows when the renderer is made (a second or so); without, all is lit evenly."""
        self.house = house
        self.scene = Scene(house)
        self._threads = Threads(threads)
        if light:
            bake_light(house, self.scene)

    @abc.abstractmethod
    def hits(self, world_from_camera: NDArray[np.float64], camera: Camera) -> Hits:
        """What each pixel meets first. Pixel centres are at integer coordinates."""

    @abc.abstractmethod
    def _changed(self, index: int) -> None:
        """A thing has moved, gone or come back: `self.scene` says how it is now."""

    @final
    def render(
        self, world_from_camera: NDArray[np.floating], camera: Camera, *, colour: bool = True, normals: bool = False,
        oversample: int = 1,
    ) -> Picture:  # fmt: skip
        """A picture from a pose (4, 4), OpenCV camera axes. Without `colour` rgb is black and the rest quicker.

        oversample: colour is the mean of so many times so many samples of a pixel, in linear light: without jagged
            edges, as a real camera sees, and as many times dearer. All else stays that of the pixel's middle.
        """
        if oversample < 1:
            raise InvalidHouse(f"oversample must be at least 1; given {oversample}")
        if oversample > 1 and colour:
            exact = self.render(world_from_camera, camera, colour=False, normals=normals)
            size = (camera.width * oversample, camera.height * oversample)
            fine = self.render(world_from_camera, camera.scaled_to(*size))
            return replace(exact, rgb=_pooled(fine.rgb, oversample))
        pose = checked_transform(world_from_camera)
        hits = self.hits(pose, camera)
        shape = (camera.height, camera.width)
        rgb = (np.empty if colour else np.zeros)((*shape, 3), dtype=np.uint8)
        things, categories = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.int32)
        out = np.empty((*shape, 3) if normals else (0, 0, 3), dtype=np.float32)
        lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        scratch = np.empty((camera.height, LINES * N), dtype=np.float32)
        self._threads.run(
            shade_rows, camera.height, hits.faces, hits.u, hits.v, hits.depth_m, lens, pose[:3], self.scene.surfaces,
            colour, normals, scratch, rgb, things, categories, out, grain=16,
        )  # fmt: skip
        return Picture(rgb, hits.depth_m, things, categories, out, camera, pose)

    @final
    def place(self, thing_id: int, world_from_thing: NDArray[np.floating]) -> None:
        """Move a thing to a pose (4, 4), and show it if it was taken away."""
        index = self.house.thing(thing_id).thing_id - 1
        self.scene.place(index, checked_transform(world_from_thing)[:3])
        self.scene.shown[index] = True
        self._changed(index)

    @final
    def take_away(self, thing_id: int) -> None:
        """Show a thing no longer, until it is placed again."""
        index = self.house.thing(thing_id).thing_id - 1
        self.scene.shown[index] = False
        self._changed(index)

    @final
    def pose_of(self, thing_id: int) -> NDArray[np.float64] | None:
        """(4, 4) where a thing is, or None when it was taken away."""
        index = self.house.thing(thing_id).thing_id - 1
        return np.vstack([self.scene.surfaces.poses[index], (0.0, 0.0, 0.0, 1.0)]) if self.scene.shown[index] else None


def _pooled(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(H/size, W/size, 3) means of squares of pixels, in linear light (shade.toned takes the root)."""
    height, width = rgb.shape[0] // size, rgb.shape[1] // size
    linear = np.square(rgb, dtype=np.float32).reshape(height, size, width, size, 3)
    return np.rint(np.sqrt(linear.mean(axis=(1, 3)))).astype(np.uint8)


def look_at(eye_m: NDArray[np.floating], target_m: NDArray[np.floating]) -> NDArray[np.float64]:
    """(4, 4) world_from_camera of a camera at `eye_m` that looks at `target_m`, its rows level; OpenCV axes."""
    eye, target = np.asarray(eye_m, dtype=np.float64), np.asarray(target_m, dtype=np.float64)
    forward = target - eye
    length = float(np.linalg.norm(forward))
    if eye.shape != (3,) or not length > 1e-9:
        raise InvalidHouse(f"look_at needs two different points (3,); given {eye_m} and {target_m}")
    forward /= length
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right = np.array([1.0, 0.0, 0.0]) if np.linalg.norm(right) < 1e-9 else right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(forward, right), forward, eye
    return pose
