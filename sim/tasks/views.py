"""From where to take the picture of an image goal."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.scene import Scene, SceneObject
from sim.tasks.episode import ImageView
from spatialmem.types import Camera

_TRIED = 4
"""viewpoints"""
_PREVIEW = 64
"""pixels a side of the picture that is judged"""
_LEAST = 0.01
"""share of the picture that the thing must cover; of the goals of GOAT-Bench's files it covers 4 percent and more"""
_HFOV_DEG = (50.0, 90.0)


def image_view(
    scene: Scene, thing: SceneObject, viewpoints_m: NDArray[np.float64], rng: np.random.Generator, size: int
) -> ImageView | None:
    """A square view of a thing from the body's eye at one of its viewpoints (N, 3); None where none shows it well.

    Of a few viewpoints the one at which it covers most of the picture is taken. The field of view follows the thing's
    size, within bounds.
    """
    eye_m = float(scene.world_from_camera[2, 3]) - scene.stand.z_m
    best, chosen = _LEAST, None
    for n in rng.permutation(len(viewpoints_m))[:_TRIED]:
        pose, hfov_deg = _towards(viewpoints_m[n] + (0.0, 0.0, eye_m), thing)
        sight = scene.sight_from(pose, Camera.from_hfov(hfov_deg, _PREVIEW, _PREVIEW))
        covered = float((sight.instance_ids == thing.instance_id).mean())
        if covered > best:
            best, chosen = covered, ImageView(tuple(float(v) for v in pose.ravel()), size, size, hfov_deg)
    return chosen


def _towards(eye_m: NDArray[np.float64], thing: SceneObject) -> tuple[NDArray[np.float64], float]:
    """The pose (4, 4) that looks at a thing's middle, and a field of view in which it fills about a third."""
    ahead = thing.middle_m - eye_m
    far_m = max(float(np.linalg.norm(ahead)), 1e-3)
    z = ahead / far_m
    level = np.array([z[0], z[1], 0.0]) if math.hypot(z[0], z[1]) > 1e-3 else np.array([1.0, 0.0, 0.0])
    level /= np.linalg.norm(level)
    x = np.array([level[1], -level[0], 0.0])
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = x, np.cross(z, x), z, eye_m
    wide = 2.0 * math.degrees(math.atan2(float(np.linalg.norm(thing.box_max_m - thing.box_min_m)) / 2.0, far_m))
    return pose, float(round(min(max(3.0 * wide, _HFOV_DEG[0]), _HFOV_DEG[1]), 1))
