"""From an observation to a frame that a memory takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sim.observation import DEPTH, POSE, RGB, STAMP
from spatialmem.types import Camera, Frame


def frame_of(observation: Mapping[str, Any], camera: Camera, session_id: str = "main") -> Frame:
    """The frame of an observation (not batched), posed as the odometry says; depth of 0, no reading, becomes NaN."""
    depth = np.asarray(observation[DEPTH])
    depth_m = np.where(depth > 0.0, depth, np.nan).astype(np.float32)
    pose = np.array(observation[POSE], np.float64)
    rgb = np.array(observation[RGB], np.uint8)
    return Frame(rgb, depth_m, camera, pose, int(observation[STAMP]), session_id, "head", depth_unit="m")
