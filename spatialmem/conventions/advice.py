"""What to type, or to change in the files, so that a recording is read as it is meant."""

from __future__ import annotations

import json
import shlex
from typing import Any

from spatialmem.conventions.gravity import direction
from spatialmem.conventions.poses import POSE_QUESTIONS
from spatialmem.conventions.readings import PoseReading
from spatialmem.conventions.report import Finding, Verdict
from spatialmem.io import Reader
from spatialmem.io.folder import FolderReader
from spatialmem.io.settings import SETTINGS_NAME
from spatialmem.io.shots import ShotsReader

_MISREAD = {
    "wxyz": "the quaternions of the poses are w x y z and were read as x y z w",
    "yzwx": "the quaternions of the poses were x y z w and somebody read them as w x y z",
}
_OPTION_DEPTH_SCALE = ("tum", "redwood")  # readers of image files with such an option


def advise(reader: Reader, findings: list[Finding]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Lines to type, one for each thing that is wrong or missing, and the keys of spatialmem.json that they set.

    For a plain folder they are lines of its spatialmem.json; elsewhere the format fixes the convention, and the
    line says what to change, in Python where that is how it is done.
    """
    todo = {f.question: f.found for f in findings if f.verdict in (Verdict.WRONG, Verdict.FOUND)}
    if isinstance(reader, FolderReader):
        return _for_folder(reader, todo)
    lines = _pose_lines(reader, todo)
    if "depth_scale" in todo:
        lines.append(_depth_line(reader, todo["depth_scale"]))
    if "colour" in todo:
        lines.append(_colour_line(reader, todo["colour"]))
    if "up" in todo:
        up = " ".join(f"{value:g}" for value in direction(todo["up"]))
        lines.append(f"spatialmem build {shlex.quote(str(reader.path))} --out FILE.mem --up {up}")
    return tuple(lines), {}


def _for_folder(reader: FolderReader, todo: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    lines, settings = [], {}
    for question in POSE_QUESTIONS:
        if question not in todo:
            continue
        if question == "quat_order" and (not reader.has_quaternions or todo[question] == "yzwx"):
            lines += _pose_lines(reader, {question: todo[question]})
        else:
            settings[question] = todo[question]
    if "depth_scale" in todo:
        settings["depth_scale"] = todo["depth_scale"]
    if "up" in todo:
        settings["up"] = direction(todo["up"])
    if isinstance(todo.get("colour"), dict):
        settings.update(todo["colour"])
    elif "colour" in todo:
        lines.append(f'{reader.path / SETTINGS_NAME}: take out "colour_camera"; colour is registered to depth')
    lines = [f'{reader.path / SETTINGS_NAME}: "{key}": {json.dumps(value)}' for key, value in settings.items()] + lines
    return tuple(lines), settings


def _pose_lines(reader: Reader, todo: dict[str, Any]) -> list[str]:
    """One line of Python that turns a pose as written into what the reader expects, and why."""
    default = PoseReading()
    found = {name: todo.get(name, getattr(default, name)) for name in POSE_QUESTIONS}
    if not any(name in todo for name in POSE_QUESTIONS):
        return []
    pose, why = "pose", []
    if found["quat_order"] != default.quat_order:
        right = "np.roll(quat, -1)" if found["quat_order"] == "wxyz" else "np.roll(quat, 1)"
        why.append(f"{_MISREAD[found['quat_order']]} (quat_xyzw = {right})")
    if found["poses"] != default.poses:
        pose = f"geometry.inverse({pose})"
        why.append("the poses are camera_from_world")
    if found["camera_axes"] != default.camera_axes:
        pose = f'geometry.opencv_pose({pose}, "{found["camera_axes"]}")'
        why.append(f"the camera axes are those of {found['camera_axes']}")
    change = f": write world_from_camera = {pose} into the files" if pose != "pose" else "; write the poses anew"
    return [f"{'; '.join(why)}, which the format {reader.format_name} does not mean{change}"]


def _depth_line(reader: Reader, scale: float) -> str:
    if not isinstance(reader, ShotsReader):
        return f"depth in metres as the format {reader.format_name} gives it must be divided by {scale:g}"
    if reader.format_name in _OPTION_DEPTH_SCALE:
        return f'read("{reader.path}", depth_scale={scale:g})  # the format {reader.format_name} means another one'
    if reader.format_name == "replica":
        return f'{reader.path / "cam_params.json"}: "scale": {scale:g}'
    return f"depth is raw / {scale:g}, which the format {reader.format_name} does not mean: write the depth images anew"


def _colour_line(reader: Reader, found: Any) -> str:
    if found == "registered":
        return f"colour is registered to depth, which the format {reader.format_name} does not mean: use a plain folder"
    keys = ", ".join(f'"{key}": {json.dumps(value)}' for key, value in found.items())
    return f"colour is not registered to depth: copy the files into a plain folder with {keys} in its {SETTINGS_NAME}"
