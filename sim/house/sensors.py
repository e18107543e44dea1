"""What real sensors make of a picture: noisy depth with gaps, odometry that drifts, motion blur. All off by default.

Every model takes its own random generator, so that runs can be repeated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.errors import InvalidHouse
from sim.house.render.base import Picture, Renderer
from spatialmem.types import Camera, checked_transform


@dataclass(frozen=True)
class DepthNoise:
    """A structured-light camera.

    Noise along the ray grows with the square of the distance, 1.2 mm + 1.9 mm/m2 (z - 0.4 m)^2, and edges are jagged
    by about a pixel (Nguyen, Izadi and Lovell, "Modeling Kinect sensor noise for improved 3D reconstruction and
    tracking", 2012). Readings come in steps of disparity. There is no reading out of range, on surfaces seen at a
    grazing angle, in the shadow that the projector, beside the camera, casts at depth edges, and now and then.
    """

    scale: float = 1.0
    """of the noise along the ray; 0 for none"""
    jagged_px: float = 0.7
    """standard deviation of where on the image a reading comes from"""
    near_m: float = 0.4
    far_m: float = 5.0
    grazing_deg: float = 78.0
    """from this angle between ray and normal on, half of the readings are missing"""
    baseline_m: float = 0.075
    """between projector and camera; 0 for no shadows"""
    disparity_px: float = 0.125
    """step of the readings, in pixels of an image 640 wide; 0 for none"""
    dropout: float = 0.005
    """share of readings missing anywhere"""

    def __post_init__(self) -> None:
        rest = (self.scale, self.jagged_px, self.baseline_m, self.disparity_px)
        if not all(math.isfinite(v) and v >= 0.0 for v in rest) or not 0.0 <= self.dropout < 1.0:
            raise InvalidHouse(f"noise must not be negative, dropout below 1; given {self}")
        if not 0.0 < self.near_m < self.far_m or not 0.0 < self.grazing_deg <= 90.0:
            raise InvalidHouse(f"near must lie before far, grazing within 0 to 90 degrees; given {self}")


def sensed_depth(picture: Picture, noise: DepthNoise, rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) float32 what a depth camera reads of a picture, NaN where it reads nothing; the picture is left alone.

    `InvalidHouse` unless the picture was rendered with normals.
    """
    exact, camera = picture.depth_m, picture.camera
    if picture.normals.shape[:2] != exact.shape:
        raise InvalidHouse("a depth camera needs to know the slope of surfaces; render with normals=True")
    height, width = exact.shape
    rows, columns = np.indices(exact.shape)
    if noise.jagged_px > 0.0:
        off = np.rint(rng.normal(0.0, noise.jagged_px, (2, height, width))).astype(int)
        rows, columns = np.clip(rows + off[0], 0, height - 1), np.clip(columns + off[1], 0, width - 1)
    z = exact[rows, columns].astype(np.float64)
    sigma = noise.scale * (0.0012 + 0.0019 * (z - 0.4) ** 2)
    z = z + sigma * rng.normal(size=z.shape)
    if noise.disparity_px > 0.0 and noise.baseline_m > 0.0:
        step = noise.disparity_px * width / 640.0
        disparity = np.rint(noise.baseline_m * camera.fx / z / step) * step
        z = np.where(disparity > 0.0, noise.baseline_m * camera.fx / np.maximum(disparity, 1e-9), np.nan)
    missing = rng.uniform(size=z.shape) < noise.dropout
    missing |= rng.uniform(size=z.shape) < _grazing(picture, noise)[rows, columns]
    if noise.baseline_m > 0.0:
        missing |= _shadowed(exact, camera, noise.baseline_m)
    with np.errstate(invalid="ignore"):
        missing |= ~((z >= noise.near_m) & (z <= noise.far_m))
    return np.where(missing, np.nan, z).astype(np.float32)


def _grazing(picture: Picture, noise: DepthNoise) -> NDArray[np.float64]:
    """(H, W) share of readings that are missing because of the angle at which a surface is seen."""
    camera = picture.camera
    y, x = np.indices(picture.depth_m.shape)
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones(x.shape)], axis=-1)
    rays = rays @ picture.world_from_camera[:3, :3].T
    cosine = -(rays * picture.normals).sum(axis=-1) / np.linalg.norm(rays, axis=-1)
    angle = np.degrees(np.arccos(np.clip(cosine, 0.0, 1.0)))
    return np.clip(0.5 + (angle - noise.grazing_deg) / 10.0, 0.0, 1.0)


def _shadowed(depth: NDArray[np.float32], camera: Camera, baseline_m: float) -> NDArray[np.bool_]:
    """(H, W) pixels that a projector on the camera's right does not reach, for something nearer hides them.

    Seen from the projector, a pixel lies at column x - fx b / z. Going from right to left along a row, what lies no
    further left than something before it is hidden by that.
    """
    z = np.where(np.isfinite(depth), depth, np.inf).astype(np.float64)
    seen_at = np.arange(depth.shape[1]) - camera.fx * baseline_m / z
    leftmost = np.minimum.accumulate(seen_at[:, ::-1], axis=1)[:, ::-1]
    beyond = np.full_like(leftmost, np.inf)
    beyond[:, :-1] = leftmost[:, 1:]
    return seen_at > beyond + 0.5


@dataclass(frozen=True)
class Drift:
    """How odometry errs: standard deviations after the first metre or radian. Errors of steps are independent, so their
    sum grows with the root of the way; an error of yaw bends all that comes after it.
    """

    along_m: float = 0.01
    """metres along each axis, after a metre"""
    yaw_gone_rad: float = 0.005
    """radians, after a metre"""
    yaw_turned_rad: float = 0.01
    """radians, after a turn of one radian"""

    def __post_init__(self) -> None:
        values = (self.along_m, self.yaw_gone_rad, self.yaw_turned_rad)
        if not all(math.isfinite(v) and v >= 0.0 for v in values):
            raise InvalidHouse(f"drift must not be negative; given {values}")


@final
class Odometry:
    """Follows the true poses of a camera with errors that add up. Height, roll and pitch are known (gravity)."""

    def __init__(self, drift: Drift, rng: np.random.Generator) -> None:
        self._drift, self._rng = drift, rng
        self._true: NDArray[np.float64] | None = None
        self._world_from_true = np.eye(4)

    def follow(self, world_from_camera: NDArray[np.floating]) -> NDArray[np.float64]:
        """(4, 4) where odometry believes the camera to be, of where it is; the first pose is known exactly."""
        pose = checked_transform(world_from_camera)
        if self._true is not None:
            step = pose[:3, 3] - self._true[:3, 3]
            gone = float(np.linalg.norm(step[:2]))
            turned = float(_rotation_between(self._true, pose))
            d = self._drift
            off = self._rng.normal(0.0, 1.0, 3)
            yaw = off[2] * math.hypot(d.yaw_gone_rad * math.sqrt(gone), d.yaw_turned_rad * math.sqrt(turned))
            slip = np.array([off[0], off[1], 0.0]) * d.along_m * math.sqrt(gone)
            error = np.eye(4)  # about where the camera is: it slips and turns a little
            error[:2, :2] = [[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]]
            error[:3, 3] = pose[:3, 3] - error[:3, :3] @ pose[:3, 3] + slip
            self._world_from_true = self._world_from_true @ error
        self._true = pose
        return self._world_from_true @ pose


def blurred(
    renderer: Renderer, start: NDArray[np.floating], end: NDArray[np.floating], camera: Camera, *, samples: int = 7
) -> Picture:
    """A picture exposed while the camera goes from one pose (4, 4) to another: colour is the mean, in linear light.

    Depth, ids and normals are those of the middle of the exposure, whose pose the picture bears.
    """
    if samples < 1:
        raise InvalidHouse(f"samples must be at least 1; given {samples}")
    first, last = checked_transform(start), checked_transform(end)
    middle = renderer.render(between(first, last, 0.5), camera, normals=True)
    total = np.zeros(middle.rgb.shape)
    for i in range(samples):
        view = renderer.render(between(first, last, (i + 0.5) / samples), camera)
        total += (view.rgb / 255.0) ** 2  # shade.toned takes the root
    rgb = np.rint(255.0 * np.sqrt(total / samples)).astype(np.uint8)
    return Picture(
        rgb, middle.depth_m, middle.thing_ids, middle.category_ids, middle.normals, camera, middle.world_from_camera
    )


def between(start: NDArray[np.float64], end: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """(4, 4) the pose `share` of the way from start to end: straight on, turning evenly about one axis."""
    turn = start[:3, :3].T @ end[:3, :3]
    angle = math.acos(min(max((np.trace(turn) - 1.0) / 2.0, -1.0), 1.0))
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    length = float(np.linalg.norm(axis))
    if angle > math.pi - 1e-3:
        raise InvalidHouse("two poses that look in opposite ways have no pose between them; give nearer ones")
    pose = start.copy()
    if length > 1e-12:
        x, y, z = axis / length
        cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        a = angle * share
        pose[:3, :3] = start[:3, :3] @ (np.eye(3) + math.sin(a) * cross + (1.0 - math.cos(a)) * cross @ cross)
    pose[:3, 3] = start[:3, 3] + (end[:3, 3] - start[:3, 3]) * share
    return pose


def _rotation_between(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Angle between two poses, radians."""
    return math.acos(min(max((np.trace(a[:3, :3].T @ b[:3, :3]) - 1.0) / 2.0, -1.0), 1.0))
