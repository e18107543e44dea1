"""Open3D and Redwood: image/ (or color/, rgb/), depth/ and a trajectory .log (Choi et al., CVPR 2015).

A .log holds five lines a frame: three integers, the first being the frame's number, then the rows of
world_from_camera (OpenCV axes). Depth is in millimetres, registered to colour.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import ReadError
from spatialmem.io import depth_scales
from spatialmem.io.images import image_files
from spatialmem.io.reader import recording_name
from spatialmem.io.shots import Shot, ShotsReader, first_size, frame_stamp_ns, numbered, positive, some
from spatialmem.io.textfiles import camera_of, number_of, numbers, read_json, rows
from spatialmem.types import Camera

_COLOUR_FOLDERS = ("image", "color", "rgb")
_LOGS = ("trajectory.log", "scene/trajectory.log")
_INTRINSICS = ("camera_intrinsic.json", "intrinsic.json", "camera.json")
_PRIMESENSE = Camera(525.0, 525.0, 319.5, 239.5, 640, 480)
_META, _EDGE = 3, 4


class RedwoodReader(ShotsReader):
    """A recording in the layout of Open3D's reconstruction system."""

    format_name = "redwood"
    layout = "image/|color/|rgb/, depth/, a trajectory .log (Open3D, Redwood)"

    def __init__(self, path: str | Path, *, strict: bool = False, session_id: str | None = None, fps: float = 30.0,
                 depth_scale: float = depth_scales.REDWOOD) -> None:  # fmt: skip
        """List the frames.

        Args:
            path: the folder, or its trajectory .log.
            strict: see `Reader`.
            session_id: see `Reader`.
            fps: the format has no stamps; frame i is taken at i / fps seconds.
            depth_scale: raw depth / depth_scale = metres.
        """
        super().__init__(path, strict=strict, session_id=session_id)
        self.depth_scale = positive("depth_scale", depth_scale)
        log = self.path if self.path.is_file() else _log_in(self.path)
        if log is None:
            raise ReadError(f"no trajectory .log in {self.path}")
        root = next((p for p in (log.parent, log.parent.parent) if _colour_folder(p)), None)
        if root is None:
            raise ReadError(f"no folder {', '.join(_COLOUR_FOLDERS)} with images beside {log}")
        if session_id is None:
            self.session_id = recording_name(root)  # every capture's log has the same name
        colour, depth = numbered(image_files(root / _colour_folder(root))), numbered(image_files(root / "depth", True))
        poses = self._poses_by_number(read_log(log), sorted(colour))
        shots = [
            Shot(colour[n], depth.get(n, root / "depth" / f"{colour[n].stem}.png"), poses.get(n),
                 frame_stamp_ns(n, fps), n, f"{log.name} has no entry for frame {n}")
            for n in sorted(colour)
        ]  # fmt: skip
        self.shots = some(shots, self.path, "images whose names are numbers")
        self.camera = self._intrinsics(root)
        self.note(f"no stamps in this format: frame i is taken at i / {fps:g} s")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        if path.is_file():
            return path.suffix == ".log" and any(_colour_folder(p) for p in (path.parent, path.parent.parent))
        if not path.is_dir() or (path / "poses.txt").is_file():  # a plain folder may hold a log of any kind
            return False
        return bool(_colour_folder(path)) and (path / "depth").is_dir() and _log_in(path) is not None

    def _poses_by_number(
        self, entries: list[tuple[int, NDArray[np.float64]]], frames: list[int]
    ) -> dict[int, NDArray[np.float64]]:
        """Entries belong to frames by number; by order where images count from 1 and entries from 0, say."""
        by_number = dict(entries)
        if len(entries) == len(frames) and any(n not in by_number for n in frames):
            self.note("the numbers in the .log are not those of the images, but there are as many: paired in order")
            return {n: pose for n, (_, pose) in zip(frames, entries, strict=True)}
        return by_number

    def _intrinsics(self, root: Path) -> Camera:
        for name in _INTRINSICS:
            if (root / name).is_file():
                return open3d_camera(root / name)
        size = first_size([shot.rgb for shot in self.shots])
        if size != (_PRIMESENSE.width, _PRIMESENSE.height):
            given = f"{size[0]} x {size[1]}"
            raise ReadError(f"images of {root} are {given}; write their intrinsics to {root / _INTRINSICS[0]}")
        self.note("no camera_intrinsic.json: the PrimeSense default is used (fx = fy = 525, cx 319.5, cy 239.5)")
        return _PRIMESENSE


def open3d_camera(path: Path) -> Camera:
    """A camera from Open3D's JSON: width, height, intrinsic_matrix (9 numbers, column-major)."""
    values = read_json(path)
    k = values.get("intrinsic_matrix")
    if not isinstance(k, list) or len(k) != 9:
        raise ReadError(f"{path}: 'intrinsic_matrix' must be 9 numbers, column by column; found {str(k)[:80]}")
    fx, fy, cx, cy = (number_of(path, {"intrinsic_matrix": k[i]}, "intrinsic_matrix") for i in (0, 4, 6, 7))
    return camera_of(path, fx, fy, cx, cy, number_of(path, values, "width"), number_of(path, values, "height"))


def read_log(path: Path) -> list[tuple[int, NDArray[np.float64]]]:
    """(frame number, (4, 4) world_from_camera) of every entry of a trajectory .log."""
    lines = [(line, numbers(path, line, words)) for line, words in rows(path)]
    entries = []
    for at in range(0, len(lines), 1 + _EDGE):
        block = lines[at : at + 1 + _EDGE]
        widths = [len(values) for _, values in block]
        if widths != [_META] + [_EDGE] * _EDGE or not np.isfinite(block[0][1]).all():
            raise ReadError(f"{path}, line {block[0][0]}: expected three integers, then four lines of four numbers")
        entries.append((int(block[0][1][0]), np.array([values for _, values in block[1:]])))
    return entries


def _colour_folder(root: Path) -> str:
    return next((name for name in _COLOUR_FOLDERS if (root / name).is_dir()), "")


def _log_in(root: Path) -> Path | None:
    for name in _LOGS:
        if (root / name).is_file():
            return root / name
    logs = sorted(root.glob("*.log"))
    return logs[0] if len(logs) == 1 else None
