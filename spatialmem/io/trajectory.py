"""Trajectories in TUM's text format: `stamp tx ty tz qx qy qz qw`, seconds, metres, scalar-last quaternion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, ReadError
from spatialmem.geometry import interpolate_poses, make_transform, matrix_from_quat_xyzw
from spatialmem.io.reader import BadFrame, BadReason
from spatialmem.io.textfiles import numbers, rows, stamp_ns

COLUMNS = 8
_UNIT_TOLERANCE = 0.05


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses at rising stamps."""

    stamp_ns: NDArray[np.int64]
    """(N,) strictly rising"""
    world_from_camera: NDArray[np.float64]
    """(N, 4, 4)"""

    def at(self, stamp_ns: int, max_gap_ns: int) -> NDArray[np.float64]:
        """(4, 4) pose at a stamp, straight in translation and slerp in rotation.

        `BadFrame(LOST_POSE)` before the first, after the last, and between poses more than max_gap_ns apart.
        """
        try:
            return interpolate_poses(self.stamp_ns, self.world_from_camera, np.int64(stamp_ns), max_gap_ns)
        except InvalidValue as error:
            raise BadFrame(BadReason.LOST_POSE, str(error)) from error


def read_trajectory(path: Path) -> tuple[Trajectory, int]:
    """A trajectory file, and the number of lines left out (lost poses, stamps that do not rise)."""
    stamps: list[int] = []
    poses: list[NDArray[np.float64]] = []
    dropped = 0
    for line, words in rows(path, COLUMNS):
        stamp, pose = stamp_ns(path, line, words[0]), pose_from_tum(path, line, words[1:])
        if pose is None or (stamps and stamp <= stamps[-1]):
            dropped += 1
            continue
        stamps.append(stamp)
        poses.append(pose)
    if not poses:
        raise ReadError(f"{path} holds no usable pose; expected lines of stamp tx ty tz qx qy qz qw")
    return Trajectory(np.array(stamps, dtype=np.int64), np.array(poses)), dropped


def pose_from_tum(path: Path, line: int, words: list[str]) -> NDArray[np.float64] | None:
    """(4, 4) from tx ty tz qx qy qz qw; None when it is not finite (lost).

    `ReadError` when the quaternion is far from unit length: the columns are then something else.
    """
    values = np.array(numbers(path, line, words))
    if not np.isfinite(values).all():
        return None
    length = float(np.linalg.norm(values[3:]))
    if not abs(length - 1.0) <= _UNIT_TOLERANCE:
        raise ReadError(
            f"{path}, line {line}: quaternion has length {length:.3g}, expected 1; are the columns "
            "stamp tx ty tz qx qy qz qw?"
        )
    return make_transform(matrix_from_quat_xyzw(values[3:]), values[:3])
