"""Pictures of frontiers: of what was really seen that way, else of what the map shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import SpatialMemError
from spatialmem.ground.frontiers import Frontier
from spatialmem.log_entry import Keyframe
from spatialmem.retrieval.context import FrontierView
from spatialmem.types import Camera

if TYPE_CHECKING:
    from spatialmem.asking import Asking

_EYE_M = 1.0
"""height over a frontier's ground that a picture has to show"""
_FURTHEST_M, _NEAREST_M = 4.0, 0.3
_ALONG = 0.5
"""least cosine between the way into the unknown and the optical axis, in the plane"""
_TRIES = 4
"""frames that are looked into"""
_HIDDEN_M = 0.3
_BACK_M = 0.6
_LEAST_SURFACE = 0.15
"""share of a rendered picture that must show something"""
_RENDERED = Camera.from_hfov(90.0, 160, 120)


def pictured(memory: Asking, frontier: Frontier, frames: Sequence[Keyframe]) -> FrontierView:
    """A frontier with the best picture of it that there is, of these stored frames or rendered."""
    position = np.array(frontier.position_m, np.float64)
    found = _seen(memory, frontier, position, frames)
    if found is not None:
        return _view(frontier, found[1], "seen", found[0])
    rgb = _rendered(memory, frontier, position)
    return _view(frontier, rgb, "none" if rgb is None else "rendered", None)


def _view(
    frontier: Frontier, rgb: NDArray[np.uint8] | None, source: Literal["seen", "rendered", "none"], lsn: int | None
) -> FrontierView:
    position = np.array(frontier.position_m, np.float64)
    return FrontierView(0, position, frontier.yaw_rad, frontier.width_m, frontier.floor, rgb, source, lsn=lsn)


def unpictured(frontier: Frontier) -> FrontierView:
    """A frontier without a picture."""
    return _view(frontier, None, "none", None)


def _seen(
    memory: Asking, frontier: Frontier, position: NDArray[np.float64], frames: Sequence[Keyframe]
) -> tuple[int, NDArray[np.uint8]] | None:
    """Number and picture of a stored frame that looked at the frontier and past it."""
    target = position + (0.0, 0.0, _EYE_M)
    into = np.array([math.cos(frontier.yaw_rad), math.sin(frontier.yaw_rad), 0.0])
    rated = [(rating, frame.lsn) for frame in frames if (rating := _rating(frame, target, into)) > 0.0]
    for _, lsn in sorted(rated, reverse=True)[:_TRIES]:
        try:
            frame = memory.keyframe(lsn)
        except SpatialMemError:  # its images were given up, or the memory keeps none
            continue
        if frame.depth_m is None or _open(memory.pose_of(lsn), frame.depth_m, target):
            return lsn, frame.rgb
    return None


def _rating(frame: Keyframe, target: NDArray[np.float64], into: NDArray[np.float64]) -> float:
    """How well a frame may show what lies beyond a frontier; 0: it does not."""
    pose, camera = frame.map_from_camera, frame.camera
    x, y, z = (float(v) for v in (target - pose[:3, 3]) @ pose[:3, :3])
    if not _NEAREST_M < z < _FURTHEST_M:
        return 0.0
    u, v = x / z * camera.fx + camera.cx, y / z * camera.fy + camera.cy
    inside = 0.1 * camera.width < u < 0.9 * camera.width and 0.0 <= v < camera.height
    level = pose[:3, 2] * (1.0, 1.0, 0.0)
    along = float(level @ into) / max(float(np.linalg.norm(level)), 1e-6)
    return along / (1.0 + 0.2 * z) if inside and along >= _ALONG else 0.0


def _open(frame: Keyframe, depth_m: NDArray[np.float32], target: NDArray[np.float64]) -> bool:
    """Whether nothing stands between the camera and the frontier."""
    pose, camera = frame.map_from_camera, frame.camera
    x, y, z = (float(v) for v in (target - pose[:3, 3]) @ pose[:3, :3])
    row, column = round(y / z * camera.fy + camera.cy), round(x / z * camera.fx + camera.cx)
    around = depth_m[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    known = around[np.isfinite(around) & (around > 0.0)]
    return len(known) == 0 or float(np.median(known)) > z - _HIDDEN_M


def _rendered(memory: Asking, frontier: Frontier, position: NDArray[np.float64]) -> NDArray[np.uint8] | None:
    """What the map shows from before a frontier, looking into the unknown; None where that is too little."""
    forward = np.array([math.cos(frontier.yaw_rad), math.sin(frontier.yaw_rad), 0.0])
    pose = np.eye(4)
    pose[:3, 0] = (forward[1], -forward[0], 0.0)
    pose[:3, 1] = (0.0, 0.0, -1.0)
    pose[:3, 2] = forward
    pose[:3, 3] = position - _BACK_M * forward + (0.0, 0.0, _EYE_M)
    view = memory.render(pose, _RENDERED)
    return view.rgb if np.isfinite(view.depth_m).mean() >= _LEAST_SURFACE else None
