"""intrinsics.txt and intrinsics.json: one rectified pinhole camera for a whole recording."""

from __future__ import annotations

from pathlib import Path

from spatialmem.errors import ReadError
from spatialmem.io.redwood import open3d_camera
from spatialmem.io.settings import reject_unknown
from spatialmem.io.textfiles import camera_from_matrix, camera_of, number_of, numbers, read_json, rows
from spatialmem.types import Camera

NAMES = ("intrinsics.txt", "intrinsics.json")
_KEYS = ("fx", "fy", "cx", "cy", "width", "height")
_PARAMETERS, _WITH_SIZE = 4, 6


def find_intrinsics(folder: Path) -> Path | None:
    """The intrinsics file of a folder, if it has one."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def read_intrinsics(path: Path, size: tuple[int, int]) -> Camera:
    """The camera in a file; `size` (width, height) of the images counts where the file gives none.

    Text: "fx fy cx cy", "fx fy cx cy width height", or a 3x3 or 4x4 matrix. JSON: the same six keys (size
    optional), or Open3D's width, height, intrinsic_matrix. Pixels, integer coordinates at pixel centres.
    `ReadError` when the file says something else; lens distortion is not accepted, images must be rectified.
    """
    if path.suffix == ".json":
        return _from_json(path, size)
    lines = list(rows(path))
    if len(lines) == 1 and len(lines[0][1]) in (_PARAMETERS, _WITH_SIZE):
        fx, fy, cx, cy, *given = numbers(path, *lines[0])
        return camera_of(path, fx, fy, cx, cy, *(given or size))
    return camera_from_matrix(path, *size)


def _from_json(path: Path, size: tuple[int, int]) -> Camera:
    values = read_json(path)
    if "intrinsic_matrix" in values:
        return open3d_camera(path)
    reject_unknown(path, values, _KEYS, "images must be rectified first if this describes lens distortion")
    if ("width" in values) != ("height" in values):
        raise ReadError(f"{path}: give both width and height, or neither")
    values = {"width": size[0], "height": size[1], **values}
    return camera_of(path, *(number_of(path, values, key) for key in _KEYS))
