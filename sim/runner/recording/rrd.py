"""An episode as a recording for the Rerun viewer: camera, picture, depth, way and goals over the timeline `step`.

The root is z-up; cameras are pinholes that look along z, x right, y down, which is Rerun's own convention as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import cv2
import numpy as np
from numpy.typing import NDArray

from sim import observation as keys
from sim.runner.recording.recorder import Recorder, require
from sim.scene import Scene
from sim.tasks.episode import Episode

_GOAL, _THING, _GROUND, _WAY = (222, 50, 40), (150, 150, 145), (200, 205, 200), (10, 60, 190)


@final
class Recording(Recorder):
    """Writes as it goes."""

    def __init__(self, scene: Scene, episode: Episode, path: Path) -> None:
        self.path = path
        self._rr = require("rerun", "rerun")
        self._scene = scene
        self._to = self._rr.RecordingStream("spatialmem episode", make_default=False, make_thread_default=False)
        self._to.save(path)
        self._way: list[NDArray[np.float64]] = []
        self._log_scene(episode)

    def _log_scene(self, episode: Episode) -> None:
        rr, goals = self._rr, {object_id for goal in episode.goals for object_id in goal.object_ids}
        self._to.log("/", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        ground = rr.Points3D(self._scene.standing_places_m(), colors=[_GROUND], radii=0.03)
        self._to.log("scene/ground", ground, static=True)
        for name, wanted in (("goals", True), ("things", False)):
            things = [thing for thing in self._scene.objects() if (thing.object_id in goals) == wanted]
            boxes = rr.Boxes3D(
                centers=[thing.middle_m for thing in things],
                half_sizes=[(thing.box_max_m - thing.box_min_m) / 2 for thing in things],
                labels=[thing.phrase for thing in things], colors=[_GOAL if wanted else _THING], show_labels=wanted,
            )  # fmt: skip
            self._to.log(f"scene/{name}", boxes, static=True)

    def step(self, observation: Mapping[str, Any]) -> None:
        """One more step: the camera with its pictures, and the way so far."""
        rr, camera, pose = self._rr, self._scene.camera, self._scene.world_from_camera
        self._to.set_time("step", sequence=len(self._way))
        self._way.append(self._scene.stand.ground_m)
        self._to.log("body/camera", rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3]))
        pinhole = rr.Pinhole(
            image_from_camera=camera.K, resolution=(camera.width, camera.height), camera_xyz=rr.ViewCoordinates.RDF,
            image_plane_distance=0.4,
        )  # fmt: skip
        self._to.log("body/camera", pinhole)
        _, jpeg = cv2.imencode(".jpg", observation[keys.RGB][:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        self._to.log("body/camera/rgb", rr.EncodedImage(contents=jpeg.tobytes(), media_type="image/jpeg"))
        depth = np.nan_to_num(observation[keys.DEPTH])
        self._to.log("body/camera/depth", rr.DepthImage((depth * 1000.0).astype(np.uint16), meter=1000.0))
        self._to.log("body/way", rr.LineStrips3D([np.array(self._way)], colors=[_WAY], radii=0.02))
        self._to.log("goal", rr.TextLog(str(observation[keys.GOAL_TEXT]) or str(observation[keys.GOAL_KIND])))

    def close(self, ended: str) -> None:
        self._to.log("goal", self._rr.TextLog(f"{ended} after {len(self._way)} steps"))
        self._to.flush()
        self._to.disconnect()
