"""Write frames as a plain folder, the layout `FolderReader` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.geometry import quat_xyzw_from_matrix
from spatialmem.io.settings import SETTINGS_NAME
from spatialmem.io.textfiles import seconds_text
from spatialmem.types import Camera, Frame

_LARGEST_RAW = 65534  # 65535 means no reading
_PNG_LEVEL = 6
_LOST = " ".join(["nan"] * 7)


def write_plain_folder(
    path: str | Path,
    frames: Iterable[Frame],
    *,
    depth_scale: float = 5000.0,
    colour: Literal["png", "jpg"] = "png",
    jpeg_quality: int = 95,
    frame_id: str = "world",
    up: tuple[float, float, float] | None = None,
) -> Path:
    """Write a recording that `read(path)` gives back: stamps and poses exactly, depth to half a step of its scale.

    Frames are renumbered from 0. The folder must not exist or be empty; frames are written as they come,
    so that a recording may be longer than memory.

    Args:
        path: the folder to make.
        frames: all with the same camera, and either all with depth or none.
        depth_scale: stored value / depth_scale = metres; 5000 reaches 13.1 m in steps of 0.2 mm.
        colour: "png" keeps colour exactly, "jpg" is small.
        jpeg_quality: 1 to 100, for "jpg".
        frame_id: name of the world frame.
        up: direction against gravity in the world, where known.

    Returns:
        The folder.

    Raises:
        InvalidValue: no frames, different cameras, depth beyond what the scale can hold, or a folder in use.
    """
    root = Path(path)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InvalidValue(f"{root} exists and is not an empty folder; name a new one")
    if colour not in ("png", "jpg"):
        raise InvalidValue(f"colour must be png or jpg; given {colour!r}")
    writer = _FolderWriter(root, depth_scale, colour, jpeg_quality)
    for frame in frames:
        writer.add(frame)
    settings: dict[str, Any] = {"depth_scale": depth_scale, "frame_id": frame_id, "pose_format": "tum"}
    if up is not None:
        settings["up"] = [float(value) for value in up]
    writer.finish(settings)
    return root


class _FolderWriter:
    def __init__(self, root: Path, depth_scale: float, colour: str, jpeg_quality: int) -> None:
        self._root, self._scale, self._suffix, self._quality = root, depth_scale, colour, jpeg_quality
        self._camera: Camera | None = None
        self._has_depth = self._has_mask = False
        self._lines: list[str] = []

    def add(self, frame: Frame) -> None:
        """Write the images of a frame; `InvalidValue` when it has another camera or other images than the first."""
        if self._camera is None:
            self._camera = frame.camera
            self._has_depth, self._has_mask = frame.depth_m is not None, frame.valid is not None
        if frame.camera != self._camera:
            raise InvalidValue(f"a plain folder has one camera, {self._camera}; frame {frame.key} has {frame.camera}")
        if (frame.depth_m is not None) != self._has_depth or (frame.valid is not None) != self._has_mask:
            raise InvalidValue(f"either all frames have depth (and a valid mask) or none; frame {frame.key} differs")
        name = f"{len(self._lines):06d}"
        self._image("rgb", f"{name}.{self._suffix}", np.ascontiguousarray(frame.rgb[..., ::-1]))
        if frame.depth_m is not None:
            self._image("depth", f"{name}.png", self._raw(frame))
        if frame.valid is not None:
            self._image("valid", f"{name}.png", frame.valid.astype(np.uint8) * np.uint8(255))
        self._lines.append(f"{seconds_text(frame.stamp_ns)} {_pose_text(frame)}\n")

    def finish(self, settings: dict[str, Any]) -> None:
        """Write poses, intrinsics and settings; `InvalidValue` when there was no frame."""
        if self._camera is None:
            raise InvalidValue(f"there are no frames to write to {self._root}")
        c = self._camera
        (self._root / "poses.txt").write_text("# stamp tx ty tz qx qy qz qw\n" + "".join(self._lines), encoding="utf-8")
        (self._root / "intrinsics.txt").write_text(
            f"# fx fy cx cy width height\n{c.fx!r} {c.fy!r} {c.cx!r} {c.cy!r} {c.width} {c.height}\n", encoding="utf-8"
        )
        (self._root / SETTINGS_NAME).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")

    def _image(self, folder: str, name: str, image: NDArray) -> None:
        import cv2

        file = self._root / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        options = [cv2.IMWRITE_JPEG_QUALITY, self._quality, cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL]
        done, data = cv2.imencode(file.suffix, image, options[:2] if file.suffix == ".jpg" else options[2:])
        if not done:
            raise InvalidValue(f"{file} cannot be encoded")
        file.write_bytes(data.tobytes())

    def _raw(self, frame: Frame) -> NDArray[np.uint16]:
        assert frame.depth_m is not None
        known = np.isfinite(frame.depth_m) & (frame.depth_m > 0)
        raw = np.rint(np.where(known, frame.depth_m, 0).astype(np.float64) * self._scale)
        if raw.max(initial=0) > _LARGEST_RAW:
            farthest = float(frame.depth_m[known].max())
            raise InvalidValue(
                f"depth of {farthest:.2f} m does not fit a 16-bit image at depth_scale {self._scale:g}; use at most "
                f"{_LARGEST_RAW / farthest:.0f}, or set far readings to NaN"
            )
        return np.where(known, np.maximum(raw, 1), 0).astype(np.uint16)


def _pose_text(frame: Frame) -> str:
    pose = frame.world_from_camera
    if pose is None:
        return _LOST
    return " ".join(repr(float(value)) for value in (*pose[:3, 3], *quat_xyzw_from_matrix(pose[:3, :3])))
