"""The plain folder, our own layout: rgb/, depth/, poses.txt, intrinsics.txt or .json, optional spatialmem.json.

docs/readers.md describes it for users; `write_plain_folder` writes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, ReadError
from spatialmem.geometry import inverse, opencv_pose
from spatialmem.io import depth_scales
from spatialmem.io.images import image_files, read_depth_m, read_mask, read_rgb
from spatialmem.io.intrinsics import NAMES, find_intrinsics, read_intrinsics
from spatialmem.io.registration import ColourRegistration
from spatialmem.io.settings import SETTINGS_NAME, FolderSettings, read_settings
from spatialmem.io.shots import Shot, ShotsReader, first_size, frame_stamp_ns, positive, size_of, some
from spatialmem.io.textfiles import numbers, rows, stamp_ns
from spatialmem.io.trajectory import pose_from_tum
from spatialmem.types import Camera, checked_transform

_TUM, _MATRIX = 8, 16
_FPS = 30.0


class FolderReader(ShotsReader):
    """rgb/ and depth/ paired with the lines of poses.txt in natural order of the file names.

    Image i, depth i, line i belong together; a line of "nan" (as many as the format has numbers) is a lost
    pose. depth/ may be missing (colour only), a folder valid/ of 8-bit images (0: ignore the pixel) is
    optional. Depth is 16-bit PNG, or .npy. Colour is registered to it, unless spatialmem.json declares a colour_camera:
    intrinsics.txt is then of the depth camera, whose pixels the frames have.
    """

    format_name = "folder"
    layout = "rgb/, depth/, poses.txt, intrinsics.txt|json, optional spatialmem.json (the plain folder)"

    def __init__(self, path: str | Path, *, strict: bool = False, session_id: str | None = None,
                 depth_scale: float | None = None) -> None:  # fmt: skip
        """List the frames.

        Args:
            path: the folder.
            strict: see `Reader`.
            session_id: see `Reader`.
            depth_scale: raw depth / depth_scale = metres; goes before what spatialmem.json says.
        """
        super().__init__(path, strict=strict, session_id=session_id)
        self.settings = read_settings(self.path)
        self.frame_id, self.up_in_world = self.settings.frame_id, self.settings.up
        colour = image_files(self.path / "rgb")
        depth = self._partners("depth", colour)
        poses, pose_stamps = read_poses(self.path / "poses.txt", self.settings)
        self.has_quaternions = pose_stamps is not None
        if len(poses) != len(colour):
            raise ReadError(
                f"{self.path}: rgb/ holds {len(colour)} images and poses.txt {len(poses)} poses; expected one line for "
                "each image, in order (a line of nan where the pose is lost)"
            )
        stamps = self._stamps(pose_stamps, len(poses))
        shots = [
            Shot(rgb, depth[i] if depth else None, poses[i], stamps[i], i, f"line {i + 1} of poses.txt is lost")
            for i, rgb in enumerate(colour)
        ]
        self.shots = some(shots, self.path / "rgb", "PNG or JPEG images")
        self._masks = self._partners("valid", colour)
        self._set_depth_scale(depth_scale, depth)
        intrinsics = find_intrinsics(self.path)
        if intrinsics is None:
            raise ReadError(f"{self.path} has none of {', '.join(NAMES)}; write one line 'fx fy cx cy', in pixels")
        own = self.settings.colour_camera is not None
        self.camera = read_intrinsics(intrinsics, first_size(depth if own and depth else colour))
        if own:
            self._set_registration(first_size(colour), bool(depth))

    has_quaternions: bool
    """whether the poses are written as quaternions, so that `quat_order` matters"""

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir() and (path / "rgb").is_dir() and (path / "poses.txt").is_file()

    def images_of(self, shot: Shot) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None, NDArray[np.bool_] | None]:
        mask = read_mask(self._masks[shot.seq], size_of(self.camera)) if self._masks else None
        if self.registration is None or shot.depth is None:
            return *super().images_of(shot)[:2], mask
        depth_m = read_depth_m(shot.depth, self.depth_scale, size_of(self.camera))
        rgb, coloured = self.registration.register(read_rgb(shot.rgb, size_of(self.registration.colour)), depth_m)
        return rgb, depth_m, coloured if mask is None else coloured & mask

    def _partners(self, name: str, colour: list[Path]) -> list[Path]:
        """The file of folder `name` for each colour image: the one of the same name, else paired in order."""
        if not (self.path / name).is_dir():
            return []
        files = image_files(self.path / name, depth=name == "depth")
        by_stem = {file.stem: file for file in files}
        if any(rgb.stem in by_stem for rgb in colour):  # a missing one is one bad frame, not a shift of all
            return [by_stem.get(rgb.stem, self.path / name / f"{rgb.stem}.png") for rgb in colour]
        if len(files) != len(colour):
            raise ReadError(
                f"{self.path}: rgb/ holds {len(colour)} images and {name}/ {len(files)}, and no two have the same "
                "name; give both the same names or the same number of files"
            )
        return files

    def _set_registration(self, size: tuple[int, int], has_depth: bool) -> None:
        assert self.settings.colour_camera is not None
        if not has_depth:
            raise ReadError(f"{self.path}: a colour_camera of its own needs depth/, which is missing")
        try:
            colour = Camera(*self.settings.colour_camera, *size)
        except InvalidValue as error:
            raise ReadError(f"{self.path / SETTINGS_NAME}: 'colour_camera': {error}") from error
        colour_from_depth = np.eye(4)
        colour_from_depth[:3, 3] = self.settings.colour_from_depth_m or (0.0, 0.0, 0.0)
        self.registration = ColourRegistration(colour, self.camera, colour_from_depth)
        self.note("colour is registered to the depth camera as spatialmem.json declares")

    def _set_depth_scale(self, given: float | None, depth: list[Path]) -> None:
        declared = given if given is not None else self.settings.depth_scale
        if declared is not None:
            positive("depth_scale", declared)
        arrays = bool(depth) and depth[0].suffix == ".npy"
        self.depth_declared = declared is not None
        self.depth_scale = declared or (1.0 if arrays else depth_scales.MILLIMETRES)
        if depth and declared is None:
            kind = "floating-point arrays are taken as metres" if arrays else "16-bit depth is taken as millimetres"
            self.note(f"depth_scale is not declared: {kind} (declare it in spatialmem.json)")

    def _stamps(self, pose_stamps: list[int] | None, count: int) -> list[int]:
        """Stamps from poses.txt, stamps.txt or a frame rate, whichever the settings say or there is."""
        file = self.path / "stamps.txt"
        source = self.settings.stamps or ("poses" if pose_stamps else "file" if file.is_file() else "fps")
        if source == "poses":
            if pose_stamps is None:
                raise ReadError(f"{self.path}: stamps are to come from poses.txt, but its lines are matrices")
            return pose_stamps
        if source == "file":
            stamps = [stamp_ns(file, line, words[0]) for line, words in rows(file, 1)]
            if len(stamps) != count:
                raise ReadError(f"{file} holds {len(stamps)} times; expected {count}, one for each image")
            return stamps
        fps = self.settings.fps or _FPS
        if self.settings.fps is None:
            self.note(f"no stamps: frame i is taken at i / {_FPS:g} s (declare fps in spatialmem.json)")
        return [frame_stamp_ns(i, fps) for i in range(count)]


def read_poses(path: Path, settings: FolderSettings) -> tuple[list[NDArray[np.float64] | None], list[int] | None]:
    """(4, 4) world_from_camera poses with OpenCV axes, None where lost, and stamps (ns) of TUM lines, else None."""
    lines = list(rows(path))
    columns = {"tum": _TUM, "matrix": _MATRIX, None: len(lines[0][1]) if lines else _TUM}[settings.pose_format]
    if columns not in (_TUM, _MATRIX):
        raise ReadError(
            f"{path}: lines hold {columns} values; expected 8 (stamp tx ty tz qx qy qz qw) or 16 (4x4, row-major)"
        )
    poses: list[NDArray[np.float64] | None] = []
    stamps: list[int] = []
    for line, words in lines:
        if len(words) != columns:
            raise ReadError(f"{path}, line {line}: expected {columns} values, found {len(words)}")
        if columns == _TUM:
            stamps.append(stamp_ns(path, line, words[0]))
            poses.append(_ours(pose_from_tum(path, line, _scalar_last(words[1:], settings)), settings))
        else:
            poses.append(_ours(np.array(numbers(path, line, words)).reshape(4, 4), settings))
    return poses, stamps if columns == _TUM else None


def _scalar_last(words: list[str], settings: FolderSettings) -> list[str]:
    """tx ty tz qx qy qz qw, whichever order the quaternion was written in."""
    return words if settings.quat_order == "xyzw" else [*words[:3], *words[4:], words[3]]


def _ours(pose: NDArray[np.float64] | None, settings: FolderSettings) -> NDArray[np.float64] | None:
    """The pose as world_from_camera with OpenCV axes. One that is no rigid transform stays as it is, to be refused."""
    if pose is None or not np.isfinite(pose).all():
        return None
    if settings.poses == "camera_from_world":
        try:
            pose = inverse(checked_transform(pose))
        except InvalidValue:
            return pose
    return opencv_pose(pose, settings.camera_axes)  # pyright: ignore[reportArgumentType] - checked on reading
