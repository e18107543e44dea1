"""spatialmem.json beside a LeRobot data set: what its format has no place for, the camera and where it is."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, ReadError
from spatialmem.geometry import make_transform, matrix_from_quat_wxyz, matrix_from_quat_xyzw
from spatialmem.io.settings import SETTINGS_NAME, check_camera_axes, reject_unknown, unit_vector
from spatialmem.io.textfiles import camera_of, number_of, read_json
from spatialmem.types import Camera, checked_transform

POSE_VALUES = {"xyz_quat_xyzw": 7, "xyz_quat_wxyz": 7, "matrix": 16}
"""pose_format -> how many numbers"""
_LENS = ("fx", "fy", "cx", "cy", "width", "height")
_UNIT_TOLERANCE = 0.05
_EXAMPLE = {
    "intrinsics": {"fx": 615.0, "fy": 615.0, "cx": 319.5, "cy": 239.5, "width": 640, "height": 480},
    "pose": "observation.camera_pose",
    "pose_format": "xyz_quat_xyzw",
}


@dataclass(frozen=True, eq=False)
class LeRobotSettings:
    """The keys of spatialmem.json; `intrinsics` and one of `pose` and `world_from_camera` are needed."""

    intrinsics: Camera
    """of the colour images: fx, fy, cx, cy, width, height in pixels"""
    rgb: str | None = None
    """feature that holds colour; None: the only one there is"""
    depth: str | None = None
    """feature that holds depth; None: the only one there is, or the one named as colour with _depth at its end"""
    pose: str | None = None
    """feature whose vector holds the pose of the camera, or of what carries it"""
    pose_format: str | None = None
    """xyz_quat_xyzw, xyz_quat_wxyz or matrix (16 numbers, row by row)"""
    pose_at: int = 0
    """index of the first number of the pose in that vector"""
    body_from_camera: NDArray[np.float64] | None = None
    """(4, 4): where the camera sits on what `pose` is the pose of (hand-eye calibration); None: it is the camera's"""
    world_from_camera: NDArray[np.float64] | None = None
    """(4, 4): of a camera that never moves; excludes `pose`"""
    camera_axes: str = "opencv"
    """axes of the camera in these poses: opencv, opengl or ros_body"""
    frame_id: str = "world"
    """name of the world frame"""
    up: tuple[float, float, float] | None = None
    """direction against gravity in the world; None: not known"""
    episode: int | None = None
    """the episode to read; None: all, one after the other"""


def read_lerobot_settings(root: Path, features: dict[str, Any]) -> LeRobotSettings:
    """The data set's spatialmem.json; `ReadError` that shows what to write when it is missing or incomplete."""
    path = root / SETTINGS_NAME
    if not path.is_file():
        raise ReadError(
            f"LeRobot's format has no place for intrinsics and camera poses: write {path}, for example\n"
            f"{json.dumps(_EXAMPLE, indent=2)}\nfeatures here: {', '.join(features)} (docs/readers.md has all keys)"
        )
    values = read_json(path)
    reject_unknown(path, values, [f.name for f in fields(LeRobotSettings)])
    for key in ("rgb", "depth", "pose", "frame_id", "pose_format"):
        if key in values and not (isinstance(values[key], str) and values[key]):
            raise ReadError(f"{path}: {key!r} must be a name; found {values[key]!r}")
    for key in ("rgb", "depth", "pose"):
        if key in values and values[key] not in features:
            raise ReadError(f"{path}: {key!r} names no feature of meta/info.json; it has: {', '.join(features)}")
    _check_pose(path, values)
    values["intrinsics"] = _lens(path, values.get("intrinsics"))
    for key in ("pose_at", "episode"):
        if key in values:
            values[key] = _index(path, values, key)
    for key in ("body_from_camera", "world_from_camera"):
        if key in values:
            values[key] = _transform(path, key, values[key])
    check_camera_axes(path, values)
    if "up" in values:
        values["up"] = unit_vector(path, "up", values["up"])
    return LeRobotSettings(**values)


def pose_in(values: NDArray[np.float64], pose_format: str) -> NDArray[np.float64]:
    """(4, 4) from the numbers of a pose; `InvalidValue` when a quaternion is far from unit length."""
    if pose_format == "matrix":
        return values.reshape(4, 4).copy()
    if not abs(float(np.linalg.norm(values[3:])) - 1.0) <= _UNIT_TOLERANCE:
        raise InvalidValue(f"quaternion {values[3:]} is not of unit length; are the columns {pose_format}?")
    turn = matrix_from_quat_xyzw if pose_format == "xyz_quat_xyzw" else matrix_from_quat_wxyz
    return make_transform(turn(values[3:]), values[:3])


def _check_pose(path: Path, values: dict[str, Any]) -> None:
    if ("pose" in values) == ("world_from_camera" in values):
        raise ReadError(f"{path}: give either 'pose' (a feature), or 'world_from_camera' for a camera that never moves")
    if "pose" in values and values.get("pose_format") not in POSE_VALUES:
        raise ReadError(
            f"{path}: 'pose_format' must be one of {', '.join(POSE_VALUES)}; found {values.get('pose_format')!r}"
        )
    for key in ("pose_format", "pose_at", "body_from_camera"):
        if key in values and "pose" not in values:
            raise ReadError(f"{path}: {key!r} goes with 'pose', which is not given")


def _lens(path: Path, given: Any) -> Camera:
    if not isinstance(given, dict):
        raise ReadError(f"{path}: 'intrinsics' must be an object with {', '.join(_LENS)}; found {given!r}")
    reject_unknown(path, given, _LENS, "images must be rectified first if this describes lens distortion")
    return camera_of(path, *(number_of(path, given, key) for key in _LENS))


def _index(path: Path, values: dict[str, Any], key: str) -> int:
    value = number_of(path, values, key)
    if not (0 <= value < 2**31 and value == int(value)):
        raise ReadError(f"{path}: {key!r} must be a number from 0; found {values[key]!r}")
    return int(value)


def _transform(path: Path, key: str, given: Any) -> NDArray[np.float64]:
    rows = given if isinstance(given, list) else []
    flat = [value for row in rows for value in (row if isinstance(row, list) else [row])]
    if len(flat) != POSE_VALUES["matrix"]:
        raise ReadError(f"{path}: {key!r} must be a 4x4 matrix, row by row; found {str(given)[:80]}")
    try:
        return checked_transform(np.array([number_of(path, {key: value}, key) for value in flat]).reshape(4, 4))
    except InvalidValue as error:
        raise ReadError(f"{path}: {key!r} is no rigid transform: {error}") from error
