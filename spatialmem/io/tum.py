"""TUM RGB-D: rgb.txt, depth.txt, groundtruth.txt (Sturm et al., IROS 2012).

Depth (raw / 5000 = metres) is registered to colour. Poses are world_from_camera of the colour camera, OpenCV
axes, z-up world of the motion capture system, at stamps of their own: interpolated at the colour image's stamp.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.io import depth_scales
from spatialmem.io.intrinsics import find_intrinsics, read_intrinsics
from spatialmem.io.shots import Shot, ShotsReader, first_size, positive, size_of, some
from spatialmem.io.textfiles import rows, stamp_ns
from spatialmem.io.trajectory import read_trajectory
from spatialmem.types import Camera

_NS = 1e9
_PAIR, _TWO_PAIRS = 2, 4
INTRINSICS = {
    "fr1": Camera(517.3, 516.5, 318.6, 255.3, 640, 480),
    "fr2": Camera(520.9, 521.0, 325.1, 249.7, 640, 480),
    "fr3": Camera(535.4, 539.2, 320.1, 247.6, 640, 480),
    "default": Camera(525.0, 525.0, 319.5, 239.5, 640, 480),
}
"""the data set's calibration of the colour cameras, and the factory default its authors offer for all three"""
DISTORTION = {
    "fr1": (0.2624, -0.9531, -0.0054, 0.0026, 1.1633),
    "fr2": (0.2312, -0.7849, -0.0033, -0.0001, 0.9172),
}
"""k1 k2 p1 p2 k3 of the same calibration; fr3 is published rectified"""


class TumReader(ShotsReader):
    """A sequence of the TUM RGB-D benchmark, or a recording in its layout.

    Intrinsics: an intrinsics.txt or .json in the folder, else option `camera`, else by the folder's name
    (freiburg1 or fr1, ...), else the default ones, with a note. With the calibrations of fr1 and fr2 colour and
    depth are both rectified: depth is registered to colour as the lens draws it, so that rectifying colour
    alone would pull them apart (on freiburg1_rpy colours of frames warped into each other correlate 0.937
    with both rectified, 0.920 with neither and 0.906 with colour alone).
    """

    format_name = "tum"
    layout = "rgb.txt, depth.txt (or associations.txt), groundtruth.txt, rgb/, depth/ (TUM RGB-D)"

    def __init__(self, path: str | Path, *, strict: bool = False, session_id: str | None = None, max_dt_s: float = 0.02,
                 max_pose_gap_s: float = 0.1, camera: str | Camera | None = None,
                 rectify: bool = True, depth_scale: float = depth_scales.TUM) -> None:  # fmt: skip
        """List and associate the frames.

        Args:
            path: the sequence's folder.
            strict: see `Reader`.
            session_id: see `Reader`.
            max_dt_s: colour and depth farther apart than this are no pair, seconds.
            max_pose_gap_s: no pose is interpolated between two farther apart than this, seconds.
            camera: "fr1", "fr2", "fr3", "default", or a `Camera`.
            rectify: undo the lens distortion of fr1 and fr2; False: images as they are.
            depth_scale: raw depth / depth_scale = metres.
        """
        super().__init__(path, strict=strict, session_id=session_id)
        self.depth_scale = positive("depth_scale", depth_scale)
        self._max_gap_ns = round(min(positive("max_pose_gap_s", max_pose_gap_s), 1e9) * _NS)
        pairs = self._pairs(positive("max_dt_s", max_dt_s))
        self._trajectory, dropped = read_trajectory(self.path / "groundtruth.txt")
        if dropped:
            self.note(f"{dropped} lines of groundtruth.txt are left out: not finite, or stamps that do not rise")
        shots = [Shot(self.path / rgb, self.path / depth, None, at, i) for i, (at, rgb, depth) in enumerate(pairs)]
        self.shots = some(shots, self.path, f"pairs of colour and depth within {max_dt_s} s")
        self._distortion: tuple[float, ...] | None = None
        self.camera = self._camera(camera, rectify)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        lists = (path / "rgb.txt").is_file() and (path / "depth.txt").is_file()
        return path.is_dir() and (path / "groundtruth.txt").is_file() and (lists or _associations(path) is not None)

    def pose_of(self, shot: Shot) -> NDArray[np.float64] | None:
        return self._trajectory.at(shot.stamp_ns, self._max_gap_ns)

    def images_of(self, shot: Shot) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None, NDArray[np.bool_] | None]:
        rgb, depth_m, valid = super().images_of(shot)
        if self._distortion is None or depth_m is None:
            return rgb, depth_m, valid
        import cv2

        x, y = self._rectification
        nothing = (float("nan"),) * 4
        straight = cv2.remap(depth_m, x, y, cv2.INTER_NEAREST, borderValue=nothing)
        rgb = np.asarray(cv2.remap(rgb, x, y, cv2.INTER_LINEAR), dtype=np.uint8)
        return rgb, np.asarray(straight, dtype=np.float32), valid

    @cached_property
    def _rectification(self) -> tuple[NDArray, NDArray]:
        """x and y (H, W) in the image as taken of every rectified pixel; the camera matrix stays the same."""
        import cv2

        k = self.camera.K
        size = size_of(self.camera)
        x, y = cv2.initUndistortRectifyMap(k, np.array(self._distortion), np.eye(3), k, size, cv2.CV_32FC1)
        return np.asarray(x), np.asarray(y)

    def _pairs(self, max_dt_s: float) -> list[tuple[int, str, str]]:
        """(stamp of colour in ns, colour file, depth file), rising."""
        if not (self.path / "rgb.txt").is_file():
            file = _associations(self.path)
            assert file is not None
            listed = [(stamp_ns(file, line, w[0]), w[1], w[3]) for line, w in rows(file, _TWO_PAIRS)]
            self.note(f"colour and depth are paired as listed in {file.name}")
            return listed
        colour, depth = _listed(self.path / "rgb.txt"), _listed(self.path / "depth.txt")
        matched = associate([s for s, _ in colour], [s for s, _ in depth], round(min(max_dt_s, 1e9) * _NS))
        largest = max((abs(colour[i][0] - depth[j][0]) for i, j in matched), default=0)
        self.note(
            f"{len(matched)} of {len(colour)} colour images have a depth image of their own within {max_dt_s:g} s "
            f"(largest difference {largest / 1e6:.1f} ms)"
        )
        return [(colour[i][0], colour[i][1], depth[j][1]) for i, j in matched]

    def _camera(self, given: str | Camera | None, rectify: bool) -> Camera:
        file = find_intrinsics(self.path)
        if isinstance(given, Camera):
            return given
        if given is not None and given not in INTRINSICS:
            raise InvalidValue(f"camera must be one of {', '.join(INTRINSICS)}, or a Camera; given {given!r}")
        if given is None and file is not None:
            return read_intrinsics(file, first_size([shot.rgb for shot in self.shots]))
        name = given or _sequence_camera(self.path)
        guessed = given is None and name == "default"
        self.note(f"intrinsics: {name}" + (" (the folder's name names no camera)" if guessed else ""))
        if name != "default":
            self.up_in_world = (0.0, 0.0, 1.0)
        if rectify and name in DISTORTION:
            self._distortion = DISTORTION[name]
            self.note(f"colour and depth are rectified with the published distortion of {name}")
        return INTRINSICS[name]


def associate(first_ns: list[int], second_ns: list[int], max_dt_ns: int) -> list[tuple[int, int]]:
    """Pairs of indices, rising in the first, no stamp used twice, closest pairs made first.

    Equal distances go to the earlier first stamp, then the earlier second one.
    """
    order = np.argsort(np.array(second_ns, dtype=np.int64), kind="stable")
    ordered = np.array(second_ns, dtype=np.int64)[order]
    candidates = []
    for i, stamp in enumerate(first_ns):
        low, high = np.searchsorted(ordered, [stamp - max_dt_ns, stamp + max_dt_ns + 1])
        candidates += [(abs(stamp - second_ns[j]), i, int(j)) for j in order[low:high]]
    pairs: dict[int, int] = {}
    used: set[int] = set()
    for _, i, j in sorted(candidates):
        if i not in pairs and j not in used:
            pairs[i] = j
            used.add(j)
    return sorted(pairs.items(), key=lambda pair: first_ns[pair[0]])


def _listed(path: Path) -> list[tuple[int, str]]:
    return [(stamp_ns(path, line, words[0]), words[1]) for line, words in rows(path, _PAIR)]


def _associations(path: Path) -> Path | None:
    names = ("associations.txt", "associate.txt", "association.txt")
    return next((path / name for name in names if (path / name).is_file()), None)


def _sequence_camera(path: Path) -> str:
    """fr1, fr2 or fr3 from the name of the folder, or of one above it; "default" when none says."""
    for name in (path.resolve().name, *(parent.name for parent in path.resolve().parents)):
        match = re.search(r"(?:freiburg|(?<![a-z])fr)([123])", name.lower())
        if match:
            return f"fr{match.group(1)}"
    return "default"
