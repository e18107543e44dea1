"""spatialmem.json: what a plain folder declares about itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from spatialmem.errors import ReadError
from spatialmem.io.textfiles import number_of, read_json

SETTINGS_NAME = "spatialmem.json"
_CHOICES = {
    "camera_axes": ("opencv", "opengl", "ros_body"),
    "poses": ("world_from_camera", "camera_from_world"),
    "pose_format": ("tum", "matrix"),
    "quat_order": ("xyzw", "wxyz"),
    "stamps": ("poses", "file", "fps"),
}


@dataclass(frozen=True)
class FolderSettings:
    """The keys of spatialmem.json; every one is optional."""

    depth_scale: float | None = None
    """raw depth / depth_scale = metres; None: 1000 for integer images, 1 for floating-point arrays, and reported"""
    camera_axes: str = "opencv"
    """axes of the camera in the poses: opencv, opengl or ros_body"""
    poses: str = "world_from_camera"
    """direction of the poses: world_from_camera or camera_from_world"""
    pose_format: str | None = None
    """tum (stamp tx ty tz qx qy qz qw) or matrix (16 numbers, row-major); None: by the number of values in a line"""
    quat_order: str = "xyzw"
    """order of the quaternion in tum lines: xyzw (scalar last) or wxyz"""
    stamps: str | None = None
    """poses (first column of tum lines), file (stamps.txt, seconds) or fps; None: the first of these there is"""
    fps: float | None = None
    """frames a second, for stamps "fps"; None: 30, and reported"""
    frame_id: str = "world"
    """name of the world frame"""
    up: tuple[float, float, float] | None = None
    """direction against gravity in the world; None: not known"""
    colour_camera: tuple[float, float, float, float] | None = None
    """fx fy cx cy of a colour camera of its own, pixels; None: colour is registered to depth"""
    colour_from_depth_m: tuple[float, float, float] | None = None
    """where the depth camera is seen from the colour camera (its axes, metres); None: in the same place"""


def read_settings(folder: Path) -> FolderSettings:
    """The folder's spatialmem.json, or the defaults; `ReadError` for unknown keys and bad values."""
    path = folder / SETTINGS_NAME
    if not path.is_file():
        return FolderSettings()
    values = read_json(path)
    reject_unknown(path, values, [f.name for f in fields(FolderSettings)])
    for key, allowed in _CHOICES.items():
        _check_choice(path, values, key, allowed)
    for key in ("depth_scale", "fps"):
        if key in values and not number_of(path, values, key) > 0:
            raise ReadError(f"{path}: {key!r} must be positive; found {values[key]}")
    if "frame_id" in values and not (isinstance(values["frame_id"], str) and values["frame_id"]):
        raise ReadError(f"{path}: 'frame_id' must be a name; found {values['frame_id']!r}")
    if "up" in values:
        values["up"] = unit_vector(path, "up", values["up"])
    if "colour_camera" in values:
        values["colour_camera"] = _numbers(path, values, "colour_camera", 4)
    if "colour_from_depth_m" in values:
        values["colour_from_depth_m"] = _numbers(path, values, "colour_from_depth_m", 3)
        if "colour_camera" not in values:
            raise ReadError(f"{path}: 'colour_from_depth_m' needs 'colour_camera', the fx fy cx cy of that camera")
    return FolderSettings(**values)


def reject_unknown(path: Path, values: dict[str, Any], known: Iterable[str], remark: str = "") -> None:
    """`ReadError` naming the first key of `values` that is not known, with the nearest one."""
    names = list(known)
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(names)}"
            raise ReadError(f"{path}: unknown key {key!r}; {hint}" + (f" ({remark})" if remark else ""))


def check_camera_axes(path: Path, values: dict[str, Any]) -> None:
    """`ReadError` when values["camera_axes"] is given and names no axes."""
    _check_choice(path, values, "camera_axes", _CHOICES["camera_axes"])


def _numbers(path: Path, values: dict[str, Any], key: str, count: int) -> tuple[float, ...]:
    given = values[key]
    if not isinstance(given, list) or len(given) != count:
        raise ReadError(f"{path}: {key!r} must be {count} numbers; found {given!r}")
    return tuple(number_of(path, {key: value}, key) for value in given)


def unit_vector(path: Path, key: str, given: Any) -> tuple[float, float, float]:
    """`given`, three numbers, at unit length; `ReadError` naming the key when it is no direction."""
    if not isinstance(given, list) or len(given) != 3:
        raise ReadError(f"{path}: {key!r} must be three numbers; found {given!r}")
    vector = np.array([number_of(path, {key: value}, key) for value in given])
    length = float(np.linalg.norm(vector))
    if not 1e-6 < length < 1e6:
        raise ReadError(f"{path}: {key!r} must be a direction; found {given!r}")
    x, y, z = (float(value) for value in vector / length)
    return x, y, z


def _check_choice(path: Path, values: dict[str, Any], key: str, allowed: tuple[str, ...]) -> None:
    if key in values and values[key] not in allowed:
        raise ReadError(f"{path}: {key!r} must be one of {', '.join(allowed)}; found {values[key]!r}")
