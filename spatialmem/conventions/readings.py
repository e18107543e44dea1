"""The ways in which the poses of a recording can be meant, and how to get from one to another."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import (
    CameraAxes,
    inverse,
    make_transform,
    matrix_from_quat_xyzw,
    opencv_pose,
    pose_in_axes,
    quat_xyzw_from_matrix,
)
from spatialmem.io import Reader
from spatialmem.io.folder import FolderReader

PoseDirection = Literal["world_from_camera", "camera_from_world"]
QuatOrder = Literal["xyzw", "wxyz", "yzwx"]
"""what the four numbers are that were, or would be, read as x y z w; yzwx: x y z w that somebody took for w x y z"""

_ROLL: Final[dict[str, int]] = {"xyzw": 0, "wxyz": -1, "yzwx": 1}


@dataclass(frozen=True)
class PoseReading:
    """One way to understand the numbers of a pose."""

    poses: PoseDirection = "world_from_camera"
    """direction of the transform"""
    camera_axes: CameraAxes = "opencv"
    """axes of the camera"""
    quat_order: QuatOrder = "xyzw"
    """order of the quaternion; a rotation matrix counts as if it had been made from a quaternion read as x y z w"""


ALL_READINGS: Final = tuple(
    PoseReading(*choice)
    for choice in itertools.product(get_args(PoseDirection), get_args(CameraAxes), get_args(QuatOrder))
)
"""every combination, what the library itself uses first"""


def declared_reading(reader: Reader) -> PoseReading:
    """How a reader understands its poses: what a plain folder declares, what the format fixes elsewhere."""
    if not isinstance(reader, FolderReader):
        return PoseReading()
    s = reader.settings
    order = s.quat_order if reader.has_quaternions else "xyzw"
    return PoseReading(s.poses, s.camera_axes, order)  # pyright: ignore[reportArgumentType] - checked on reading


def understood(written: NDArray[np.float64], reading: PoseReading) -> NDArray[np.float64]:
    """(..., 4, 4) world_from_camera with OpenCV axes, of poses as written (..., 4, 4)."""
    pose = _reordered(written, _ROLL[reading.quat_order])
    pose = inverse(pose) if reading.poses == "camera_from_world" else pose
    return opencv_pose(pose, reading.camera_axes)


def as_written(world_from_camera: NDArray[np.float64], reading: PoseReading) -> NDArray[np.float64]:
    """(..., 4, 4) the numbers that `understood` makes these poses of; its inverse."""
    pose = pose_in_axes(world_from_camera, reading.camera_axes)
    pose = inverse(pose) if reading.poses == "camera_from_world" else pose
    return _reordered(pose, -_ROLL[reading.quat_order])


def _reordered(pose: NDArray[np.float64], roll: int) -> NDArray[np.float64]:
    if roll == 0:
        return pose
    quat = np.roll(quat_xyzw_from_matrix(pose[..., :3, :3]), roll, axis=-1)
    return make_transform(matrix_from_quat_xyzw(quat), pose[..., :3, 3])
