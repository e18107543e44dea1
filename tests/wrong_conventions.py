"""Plain folders that declare what is true, and copies of them made wrong in one way or several.

Images are written once, at half the size, and linked from every copy; what is wrong is written into poses.txt and
spatialmem.json, as it is in recordings that people make.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from recordings import save, save_text

from spatialmem.conventions.readings import PoseReading, as_written
from spatialmem.geometry import make_transform, quat_xyzw_from_matrix
from spatialmem.io import read
from spatialmem.io.images import read_depth_m, read_rgb
from spatialmem.io.shots import ShotsReader
from spatialmem.types import Camera

KITCHEN, DESK, LIVING = "7scenes_redkitchen_a", "tum_fr1_rpy_a", "redwood_livingroom1_clean_rendered"
FRAMES = {KITCHEN: slice(0, 120, 3), DESK: slice(None), LIVING: slice(0, None, 2)}
UP = {KITCHEN: (0.006, -0.889, -0.457), DESK: (0.0, 0.0, 1.0), LIVING: (0.0, -1.0, 0.0)}
"""the first measured by others (read-me of the data), the second by the format, the third by how the room stands"""
KINECT = {"colour_camera": [262.5, 262.5, 160.0, 120.0], "colour_from_depth_m": [-0.025, 0.0, 0.0]}


@dataclass(frozen=True)
class Truth:
    """A recording whose conventions are known."""

    folder: Path
    """images and intrinsics"""
    world_from_camera: np.ndarray
    """(N, 4, 4), OpenCV axes"""
    settings: dict[str, Any]
    """what a right spatialmem.json says"""
    written: PoseReading = PoseReading()
    """how the poses are written"""

    def copy(self, folder: Path, **declared: Any) -> Path:
        """A recording of these images that declares what is true, but for `declared`; None takes a key out."""
        folder.mkdir(parents=True)
        for name in ("rgb", "depth", "intrinsics.txt"):
            (folder / name).symlink_to(self.folder / name)
        lines = []
        for i, pose in enumerate(as_written(self.world_from_camera, self.written)):
            values = (*pose[:3, 3], *quat_xyzw_from_matrix(pose[:3, :3]))
            lines.append(f"{i * 0.1:.1f} " + " ".join(f"{value:.9f}" for value in values))
        save_text(folder / "poses.txt", lines)
        settings = {**self.settings, **declared}
        settings = {key: value for key, value in settings.items() if value is not None}
        (folder / "spatialmem.json").write_text(json.dumps(settings))
        return folder

    def as_poses(self, **reading: Any) -> Truth:
        """The same poses, written in another way."""
        return replace(self, written=replace(self.written, **reading))

    def turned(self, world_from_old_world: np.ndarray) -> Truth:
        """The same recording in a world with other axes, which up follows."""
        up = (world_from_old_world[:3, :3] @ self.settings["up"]).tolist()
        return replace(self, world_from_camera=world_from_old_world @ self.world_from_camera,
                       settings={**self.settings, "up": up})  # fmt: skip


def truth_of(source: Path, folder: Path) -> Truth:
    """A real recording as a plain folder of half the size, colour as its own camera took it."""
    reader = read(source)
    assert isinstance(reader, ShotsReader)
    poses = []
    for i, shot in enumerate(reader.shots[FRAMES[source.name]]):
        rgb, depth_m, _ = reader.images_of(shot)
        if reader.registration is not None:
            rgb, depth_m = read_rgb(shot.rgb), read_depth_m(shot.depth, reader.depth_scale)
        write_images(folder, i, rgb[::2, ::2], depth_m[::2, ::2], reader.depth_scale)
        poses.append(reader.pose_of(shot))
    c = reader.camera
    write_camera(folder, Camera(c.fx / 2, c.fy / 2, c.cx / 2, c.cy / 2, c.width // 2, c.height // 2))
    own = KINECT if reader.registration is not None else {}
    settings = {"depth_scale": reader.depth_scale, "up": list(UP[source.name]), **own}
    return Truth(folder, np.array(poses), settings)


def truth_of_frames(frames: Iterable, folder: Path, depth_scale: float = 1000.0) -> Truth:
    """Frames in memory as a plain folder."""
    kept = list(frames)
    for i, frame in enumerate(kept):
        write_images(folder, i, frame.rgb, frame.depth_m, depth_scale)
    write_camera(folder, kept[0].camera)
    settings = {"depth_scale": depth_scale, "up": [0.0, 0.0, 1.0]}
    return Truth(folder, np.array([frame.world_from_camera for frame in kept]), settings)


def write_images(folder: Path, i: int, rgb: np.ndarray, depth_m: np.ndarray, depth_scale: float) -> None:
    save(folder / "rgb" / f"{i:04d}.jpg", rgb)
    (folder / "depth").mkdir(exist_ok=True)
    raw = np.rint(np.nan_to_num(depth_m, nan=0.0).astype(np.float64) * depth_scale).astype(np.uint16)
    assert cv2.imwrite(str(folder / "depth" / f"{i:04d}.png"), raw)


def write_camera(folder: Path, c: Camera) -> None:
    save_text(folder / "intrinsics.txt", [f"{c.fx} {c.fy} {c.cx} {c.cy} {c.width} {c.height}"])


def move_colour(folder: Path, zoom: float, right_px: float) -> None:
    """Replace the linked colour of a copy by what a camera of another focal length beside this one would see."""
    (source := folder / "rgb").resolve()
    images = sorted(source.resolve().iterdir())
    source.unlink()
    for path in images:
        rgb = read_rgb(path)
        height, width = rgb.shape[:2]
        x, y = width / 2, height / 2
        moved = np.array([[zoom, 0.0, (1 - zoom) * x + right_px], [0.0, zoom, (1 - zoom) * y]])
        save(source / path.name, cv2.warpAffine(rgb, moved, (width, height), borderMode=cv2.BORDER_REFLECT))


Y_UP = make_transform([[1, 0, 0], [0, 0, 1], [0, -1, 0]], [0.0, 0.0, 0.0])
"""turns a world so that what was z is y"""
