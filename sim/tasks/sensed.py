"""What the body senses in a task, by the keys of sim/observation.py: what of an observation no goal changes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.observation import COLLIDED, DEPTH, IDS, POSE, RGB, STAMP, STATE
from sim.scene import Scene

STEP_NS: Final = 1_000_000_000
"""by how much the clock that the agent is shown goes on with an action; the scene itself stands still meanwhile"""


def sensed(scene: Scene, steps: int, collided: bool, shows_ids: bool) -> dict[str, Any]:
    """What the camera shows and where the body is after so many steps; instance ids where a task shows them."""
    sight = scene.look()
    seen: dict[str, Any] = {
        RGB: sight.rgb, DEPTH: np.nan_to_num(sight.depth_m, nan=0.0), POSE: sight.world_from_camera,
        STATE: believed_state(scene, sight.world_from_camera),
        STAMP: np.array(scene.stamp_ns + steps * STEP_NS, np.int64), COLLIDED: np.array(collided, np.int8),
    }  # fmt: skip
    return {**seen, IDS: sight.instance_ids} if shows_ids else seen


def believed_state(scene: Scene, believed: NDArray[np.float64]) -> NDArray[np.float32]:
    """(5,) the body's ground point (m), yaw and pitch (rad) where its camera were as believed, (4, 4)
    world_from_camera: what a `Sight` bears."""
    stand = scene.stand
    off = believed @ np.linalg.inv(scene.world_from_camera)
    x, y, z = off[:3, :3] @ stand.ground_m + off[:3, 3]
    yaw = stand.yaw_rad + np.arctan2(off[1, 0], off[0, 0])
    yaw = np.pi - (np.pi - yaw) % (2.0 * np.pi)  # above -pi, up to pi
    return np.array([x, y, z, yaw, stand.pitch_rad], np.float32)
