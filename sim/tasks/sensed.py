"""What the body senses in a task, by the keys of sim/observation.py: what of an observation no goal changes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sim.observation import COLLIDED, DEPTH, IDS, POSE, RGB, STAMP, STATE
from sim.scene import Scene

STEP_NS: Final = 1_000_000_000
"""by how much the clock that the agent is shown goes on with an action; the scene itself stands still meanwhile"""


def sensed(scene: Scene, steps: int, collided: bool, shows_ids: bool) -> dict[str, Any]:
    """What the camera shows and where the body is after so many steps; instance ids where a task shows them."""
    sight, stand = scene.look(), scene.stand
    seen: dict[str, Any] = {
        RGB: sight.rgb, DEPTH: np.nan_to_num(sight.depth_m, nan=0.0), POSE: sight.world_from_camera,
        STATE: np.array([stand.x_m, stand.y_m, stand.z_m, stand.yaw_rad, stand.pitch_rad], np.float32),
        STAMP: np.array(scene.stamp_ns + steps * STEP_NS, np.int64), COLLIDED: np.array(collided, np.int8),
    }  # fmt: skip
    return {**seen, IDS: sight.instance_ids} if shows_ids else seen
