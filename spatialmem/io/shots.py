"""Readers of recordings that are lists of image files: what they share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, ReadError
from spatialmem.io.images import image_size, number_in, read_depth_m, read_rgb
from spatialmem.io.reader import BadFrame, BadReason, Reader
from spatialmem.io.recording_id import first_frame_id
from spatialmem.io.registration import ColourRegistration
from spatialmem.types import Camera, Frame

_NS = 1_000_000_000
_HEADERS_TRIED = 20


@dataclass(frozen=True, eq=False)
class Shot:
    """The files and the pose of one frame."""

    rgb: Path
    depth: Path | None
    world_from_camera: NDArray[np.float64] | None
    """(4, 4), OpenCV camera axes; None or not finite: lost"""
    stamp_ns: int
    seq: int
    pose_problem: str = "no pose is listed for it"
    """why there is no pose, for the message"""


class ShotsReader(Reader):
    """A reader over `self.shots`, all taken by `self.camera`, with depth / `self.depth_scale` in metres.

    A subclass fills `shots`, `camera`, `depth_scale` and `depth_declared` in its constructor.
    """

    shots: list[Shot]
    camera: Camera
    """intrinsics of the frames handed out"""
    depth_scale: float
    """raw depth / depth_scale = metres"""
    depth_declared: bool = True
    """whether the scale is certain (fixed by the format, or declared), so that near scenes are not suspect"""
    registration: ColourRegistration | None = None
    """how colour of a camera of its own is found for the pixels of depth; None: they share their pixels"""

    def __len__(self) -> int:
        return len(self.shots)

    def describe(self, index: int) -> str:
        return f"frame {index} ({self.shots[index].rgb.name})"

    @cached_property
    def recording_id(self) -> str | None:
        """From the first shot with a pose, and the sizes of its files: some formats have no stamps of their own."""
        for shot in self.shots:
            try:
                pose = self.pose_of(shot)
                if pose is not None and np.isfinite(pose).all():
                    sizes = [file.stat().st_size for file in (shot.rgb, shot.depth) if file is not None]
                    return first_frame_id(shot.stamp_ns, pose, *sizes)
            except (ReadError, InvalidValue, OSError):
                continue
        return None

    def read_frame(self, index: int) -> Frame:
        shot = self.shots[index]
        pose = usable_pose(self.pose_of(shot), shot.pose_problem)
        rgb, depth_m, valid = self.images_of(shot)
        return Frame(
            rgb, depth_m, self.camera, pose, shot.stamp_ns, session_id=self.session_id, seq=shot.seq, valid=valid,
            depth_unit="m" if self.depth_declared else None,
        )  # fmt: skip

    def pose_of(self, shot: Shot) -> NDArray[np.float64] | None:
        """(4, 4) world_from_camera of a shot, or None; overridden where poses are files of their own."""
        return shot.world_from_camera

    def images_of(self, shot: Shot) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None, NDArray[np.bool_] | None]:
        """rgb, depth_m and valid of a shot; overridden where colour and depth do not match pixel for pixel."""
        size = size_of(self.camera)
        rgb = read_rgb(shot.rgb, size)
        return rgb, read_depth_m(shot.depth, self.depth_scale, size) if shot.depth else None, None


def usable_pose(pose: NDArray[np.float64] | None, problem: str) -> NDArray[np.float64]:
    """A copy of the pose, or `BadFrame(LOST_POSE)` when there is none or it is not finite."""
    if pose is None:
        raise BadFrame(BadReason.LOST_POSE, problem)
    if not np.isfinite(pose).all():
        raise BadFrame(BadReason.LOST_POSE, "its pose holds NaN or infinity (tracking was lost)")
    return pose.copy()  # what a caller does to a frame must not reach the next reading of it


def frame_stamp_ns(number: int, fps: float) -> int:
    """Time of frame `number` in a recording without stamps, nanoseconds from its frame 0."""
    if not 0.0 < fps <= 1e6:
        raise InvalidValue(f"fps must lie between 0 and 1e6 frames a second; given {fps}")
    return round(number * _NS / fps)


def positive(name: str, value: float) -> float:
    """`value`, or `InvalidValue` when it is no positive number."""
    if not 0.0 < value < float("inf"):
        raise InvalidValue(f"{name} must be a positive number; given {value}")
    return value


def numbered(files: list[Path]) -> dict[int, Path]:
    """Files by the number in their names; those without a number are left out."""
    found: dict[int, Path] = {}
    for path in files:
        number = number_in(path)
        if number is not None and number < 2**40:
            found.setdefault(number, path)
    return found


def some(shots: list[Shot], path: Path, what: str) -> list[Shot]:
    """`shots`, or `ReadError` when there is none."""
    if not shots:
        raise ReadError(f"{path} lists no frame; expected {what}")
    return shots


def size_of(camera: Camera) -> tuple[int, int]:
    """Width and height, pixels."""
    return camera.width, camera.height


def first_size(files: list[Path]) -> tuple[int, int]:
    """Width and height in the first header that can be read; a damaged first image must not stop the others."""
    problem: BadFrame | None = None
    for file in files[:_HEADERS_TRIED]:
        try:
            return image_size(file)
        except BadFrame as error:
            problem = error
    raise ReadError(f"the size of the images cannot be found: {problem or 'there is no image'}")
