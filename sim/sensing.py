"""What real sensors make of any scene: noisy depth, odometry that drifts, motion blur. The truth stays in the scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.body import Action, Moved, Stand
from sim.errors import InvalidSetting
from sim.house.render.base import Picture
from sim.house.sensors import DepthNoise, Drift, Odometry, between, sensed_depth
from sim.scene import Scene, SceneObject, Sight
from spatialmem.types import Camera


@dataclass(frozen=True)
class SensingConfig:
    """Which sensor models are on; None and 0: off."""

    depth: DepthNoise | None = None
    drift: Drift | None = None
    blur_samples: int = 0
    """pictures that a blurred one is the mean of, taken along the last move"""

    def __post_init__(self) -> None:
        if isinstance(self.blur_samples, bool) or not 0 <= self.blur_samples <= 64:
            raise InvalidSetting(f"blur_samples must be 0 to 64; given {self.blur_samples!r}")


@final
class Sensed(Scene):
    """A scene seen through sensors. `look` bears the pose that odometry believes; all else is the scene's truth."""

    def __init__(self, scene: Scene, config: SensingConfig, seed: int) -> None:
        self.scene, self.config = scene, config
        self.scene_id, self.camera, self.motion = scene.scene_id, scene.camera, scene.motion
        self._depth_rng, self._drift_rng = (np.random.default_rng([seed, part]) for part in range(2))
        self._begin()

    def _begin(self) -> None:
        """Odometry starts from where the body is put, known exactly."""
        pose = self.scene.world_from_camera
        self._odometry = Odometry(self.config.drift, self._drift_rng) if self.config.drift else None
        self._before = pose
        self.believed = self._odometry.follow(pose) if self._odometry else pose
        """(4, 4) world_from_camera as odometry says"""

    def _moved(self, before: NDArray[np.float64]) -> None:
        pose = self.scene.world_from_camera
        self._before = before
        self.believed = self._odometry.follow(pose) if self._odometry else pose

    @property
    def stand(self) -> Stand:
        return self.scene.stand

    @property
    def world_from_camera(self) -> NDArray[np.float64]:
        return self.scene.world_from_camera

    def place(self, ground_m: NDArray[np.floating], yaw_rad: float, pitch_rad: float = 0.0) -> Stand:
        stand = self.scene.place(ground_m, yaw_rad, pitch_rad)
        self._begin()
        return stand

    def act(self, action: Action) -> Moved:
        before = self.scene.world_from_camera
        moved = self.scene.act(action)
        self._moved(before)
        return moved

    def drive(self, forward_mps: float, turn_radps: float, seconds: float) -> Moved:
        before = self.scene.world_from_camera
        moved = self.scene.drive(forward_mps, turn_radps, seconds)
        self._moved(before)
        return moved

    def after(self, stand: Stand, action: Action) -> Moved:
        return self.scene.after(stand, action)

    def look(self, normals: bool = False) -> Sight:
        sight = self.scene.look(normals or self.config.depth is not None)
        depth_m, rgb = sight.depth_m, sight.rgb
        if self.config.depth is not None:
            ids, pose = sight.instance_ids, sight.world_from_camera
            picture = Picture(sight.rgb, sight.depth_m, ids, ids, sight.normals, sight.camera, pose)
            depth_m = sensed_depth(picture, self.config.depth, self._depth_rng)
        if self.config.blur_samples > 1 and not np.array_equal(self._before, sight.world_from_camera):
            rgb = self._blurred(sight)
        shown = sight.normals if normals else np.zeros((0, 0, 3), np.float32)
        return replace(sight, rgb=rgb, depth_m=depth_m, normals=shown, world_from_camera=self.believed.copy())

    def _blurred(self, sight: Sight) -> NDArray[np.uint8]:
        """(H, W, 3) mean in linear light of what is seen on the way of the last move; see sensors.blurred."""
        total, count = np.zeros(sight.rgb.shape), self.config.blur_samples
        for i in range(count):
            pose = between(self._before, sight.world_from_camera, (i + 0.5) / count)
            total += (self.scene.sight_from(pose, sight.camera).rgb / 255.0) ** 2
        return np.rint(255.0 * np.sqrt(total / count)).astype(np.uint8)

    def sight_from(self, world_from_camera: NDArray[np.floating], camera: Camera) -> Sight:
        return self.scene.sight_from(world_from_camera, camera)

    @property
    def stamp_ns(self) -> int:
        return self.scene.stamp_ns

    def advance(self, stamp_ns: int) -> None:
        before = self.scene.world_from_camera
        self.scene.advance(stamp_ns)
        if not np.array_equal(self.scene.world_from_camera, before):  # it stepped aside for a door or a chair
            self._moved(self.scene.world_from_camera)

    def objects(self) -> tuple[SceneObject, ...]:
        return self.scene.objects()

    def viewpoints_m(self, object_id: str) -> NDArray[np.float64]:
        return self.scene.viewpoints_m(object_id)

    def distance_m(self, start_m: NDArray[np.floating], targets_m: NDArray[np.floating]) -> float:
        return self.scene.distance_m(start_m, targets_m)

    def distances_to(self, targets_m: NDArray[np.floating]) -> Callable[[NDArray[np.floating]], float]:
        return self.scene.distances_to(targets_m)

    def standing_places_m(self) -> NDArray[np.float64]:
        return self.scene.standing_places_m()

    def close(self) -> None:
        self.scene.close()
