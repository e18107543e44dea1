"""Trajectories as TUM text: `stamp tx ty tz qx qy qz qw`, seconds, metres, scalar-last quaternions.

Format: https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.geometry import quat_xyzw_from_matrix
from spatialmem.io.export_file import write_file
from spatialmem.types import checked_transform

_NS = 1_000_000_000


def write_trajectory_tum(
    path: str | Path, stamp_ns: Sequence[int], map_from_camera: Sequence[NDArray[np.floating]]
) -> None:
    """Write camera poses, in the order given. Stamps keep all their nanoseconds.

    Args:
        path: file to write; replaced when it exists.
        stamp_ns: N times, nanoseconds.
        map_from_camera: N (4, 4) poses, camera axes OpenCV.

    Raises:
        InvalidValue: not one stamp for each pose, or a pose that is no rigid transform.
        ExportError: the file cannot be written.
    """
    if len(stamp_ns) != len(map_from_camera):
        raise InvalidValue(f"a trajectory needs one stamp a pose; given {len(stamp_ns)} and {len(map_from_camera)}")
    lines = [_line(int(stamp), pose) for stamp, pose in zip(stamp_ns, map_from_camera, strict=True)]
    head = "# map_from_camera (OpenCV axes): stamp_s tx_m ty_m tz_m qx qy qz qw\n"
    write_file(path, (head + "".join(lines)).encode("ascii"))


def _line(stamp_ns: int, map_from_camera: NDArray[np.floating]) -> str:
    pose = checked_transform(map_from_camera)
    numbers = [*pose[:3, 3], *quat_xyzw_from_matrix(pose[:3, :3])]
    stamp = f"{stamp_ns // _NS}.{stamp_ns % _NS:09d}"
    return " ".join([stamp, *(f"{value:.9f}" for value in numbers)]) + "\n"
