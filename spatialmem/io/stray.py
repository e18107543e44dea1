"""Stray Scanner: rgb.mp4, depth/000000.png, confidence/000000.png, odometry.csv, camera_matrix.csv.

By the app's docs/format.md and its source: depth in millimetres, confidence 0 to 2, one line of odometry.csv a frame
(timestamp, frame, x, y, z, qx, qy, qz, qw), camera_matrix.csv in pixels of the video, of the last frame. The app turns
ARKit's camera about x before it writes the quaternion: poses are world_from_camera with OpenCV axes, in ARKit's
gravity-aligned y-up world.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import ReadError
from spatialmem.io import depth_scales
from spatialmem.io.images import image_files, read_depth_m, read_levels
from spatialmem.io.phones import ARKIT_UP, EXTRA, checked_confidence, colour_at, confident, depth_camera
from spatialmem.io.reader import BadFrame, BadReason, Reader
from spatialmem.io.shots import first_size, numbered, size_of, usable_pose
from spatialmem.io.textfiles import camera_from_matrix, rows, stamp_ns
from spatialmem.io.trajectory import pose_from_tum
from spatialmem.io.video import Video
from spatialmem.types import Frame

_FILES = ("rgb.mp4", "odometry.csv", "camera_matrix.csv")
_POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
_COLUMNS = ("timestamp", "frame", *_POSE)


@dataclass(frozen=True, eq=False)
class _Line:
    """One line of odometry.csv."""

    number: int
    """of the frame"""
    stamp_ns: int
    world_from_camera: NDArray[np.float64] | None
    """(4, 4), OpenCV axes; None where it is not finite"""


class StrayReader(Reader):
    """One recording. Frames have the pixels of depth (256 x 192); colour is averaged down to them.

    The app numbers the frames of its video from -1, and players hide what lies before time 0: this reader takes
    every frame that is stored, in order.
    """

    format_name = "stray"
    layout = "rgb.mp4, depth/000000.png, odometry.csv, camera_matrix.csv, optional confidence/ (Stray Scanner)"

    def __init__(
        self, path: str | Path, *, strict: bool = False, session_id: str | None = None, min_confidence: int = 1
    ) -> None:
        """Read the lists, and go over the video without decoding it.

        Args:
            path: the recording's folder.
            strict: see `Reader`.
            session_id: see `Reader`.
            min_confidence: readings below it count as none: 0 keeps all, 1 medium and high, 2 high alone.

        Raises:
            MissingDependency: PyAV is not installed.
        """
        super().__init__(path, strict=strict, session_id=session_id)
        self.up_in_world = ARKIT_UP
        self._min_confidence = checked_confidence(min_confidence)
        self._lines = _odometry(self.path / "odometry.csv")
        self._depth = numbered(image_files(self.path / "depth", depth=True))
        self._has_confidence = (self.path / "confidence").is_dir()
        self._video = Video(self.path / "rgb.mp4", EXTRA, edited=False)
        self._video_numbers = self._paired()
        colour = camera_from_matrix(self.path / "camera_matrix.csv", *self._video.size)
        self.camera = depth_camera(colour, first_size([self._depth[n] for n in sorted(self._depth)]), self.path)
        sizes = (*self._video.size, *size_of(self.camera))
        self.note("colour, {} x {}, is averaged down to depth, {} x {}".format(*sizes))
        self.note("intrinsics are those of the last frame (the app stores no others)")
        kept = (
            f"readings of confidence below {min_confidence} are left out" if self._has_confidence else "there is none"
        )
        self.note(f"confidence: {kept}")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir() and (path / "depth").is_dir() and all((path / name).is_file() for name in _FILES)

    def __len__(self) -> int:
        return len(self._lines)

    def describe(self, index: int) -> str:
        return f"frame {self._lines[index].number:06d}"

    def read_frame(self, index: int) -> Frame:
        line = self._lines[index]
        pose = usable_pose(line.world_from_camera, "its pose holds NaN or infinity (tracking was lost)")
        depth_m = self._depth_m(line.number)
        at = self._video_numbers.get(line.number)
        if at is None:
            raise BadFrame(BadReason.UNREADABLE, f"rgb.mp4 has no frame {line.number}")
        rgb = colour_at(self._video.rgb(at), size_of(self.camera))
        return Frame(
            rgb, depth_m, self.camera, pose, line.stamp_ns, session_id=self.session_id, seq=line.number, depth_unit="m"
        )

    def _depth_m(self, number: int) -> NDArray[np.float32]:
        size, name = size_of(self.camera), f"{number:06d}.png"
        depth_m = read_depth_m(self._depth.get(number, self.path / "depth" / name), depth_scales.MILLIMETRES, size)
        if not self._has_confidence:
            return depth_m
        return confident(depth_m, read_levels(self.path / "confidence" / name, size), self._min_confidence)

    def _paired(self) -> dict[int, int]:
        """Number of the video's frame for each number in odometry.csv."""
        ticks, listed = self._video.ticks, max(line.number for line in self._lines) + 1
        if len(ticks) == listed or len(ticks) == 1:
            return {i: i for i in range(len(ticks))}
        self.note(f"rgb.mp4 holds {len(ticks)} frames, odometry.csv lists {listed}: paired by time in the video")
        gaps, often = np.unique(np.diff(ticks), return_counts=True)
        step = gaps[often.argmax()]
        return {round((tick - ticks[0]) / step): i for i, tick in enumerate(ticks)}


def _odometry(path: Path) -> list[_Line]:
    lines = list(rows(path))
    names = lines[0][1] if lines else []
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise ReadError(f"{path}: the first line must name the columns {', '.join(_COLUMNS)}; missing: {missing}")
    columns = {name: names.index(name) for name in _COLUMNS}
    found = []
    for line, words in lines[1:]:
        if len(words) != len(names):
            raise ReadError(f"{path}, line {line}: expected {len(names)} values, found {len(words)}")
        number = words[columns["frame"]]
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise ReadError(f"{path}, line {line}: {number[:40]!r} is no number of a frame")
        pose = pose_from_tum(path, line, [words[columns[name]] for name in _POSE])
        found.append(_Line(int(number), stamp_ns(path, line, words[columns["timestamp"]]), pose))
    if not found:
        raise ReadError(f"{path} lists no frame")
    return found
