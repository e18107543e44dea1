"""Record3D: an .r3d file or its folder, with metadata and rgbd/0.jpg, 0.depth, 0.conf.

By the word of the app's author (issues 7, 18, 27, 33, 36, 83 and 93 of marek-simonik/record3d): an .r3d file is a
ZIP file; depth is float32 metres, row by row, and confidence uint8 (0 to 2), both compressed with LZFSE; metadata is
JSON with w and h (colour), dw and dh (depth), K (nine numbers, column by column, in pixels of colour), fps, and poses,
one qx qy qz qw px py pz a frame: world_from_camera with OpenGL axes. The world begins at the first camera, so up is
not known.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, ReadError, require
from spatialmem.geometry import make_transform, matrix_from_quat_xyzw, opencv_pose
from spatialmem.io.bundle import Bundle
from spatialmem.io.images import depth_from_raw, rgb_in
from spatialmem.io.phones import EXTRA, checked_confidence, colour_at, confident, depth_camera
from spatialmem.io.reader import BadFrame, BadReason, Reader
from spatialmem.io.shots import frame_stamp_ns, size_of, usable_pose
from spatialmem.io.textfiles import camera_of, number_of
from spatialmem.types import Camera, Frame

_METADATA = ("metadata", "metadata.json")
_IMAGES, _KINDS = "rgbd", ("jpg", "depth")
_POSE, _LENS = 7, 4
_NS = 1_000_000_000
_LARGEST_SIDE = 1 << 13
_LZFSE_EXTRA_BYTES = 4096  # what cannot be compressed is stored with a few bytes more


class Record3dReader(Reader):
    """One recording. Frames have the pixels of depth (192 x 256 from a LiDAR); colour is averaged down to them.

    Each frame has intrinsics of its own where the app stored them (perFrameIntrinsicCoeffs), for they follow the focus.
    """

    format_name = "record3d"
    layout = "recording.r3d, or its folder: metadata, rgbd/0.jpg, 0.depth, 0.conf, ... (Record3D)"

    def __init__(
        self, path: str | Path, *, strict: bool = False, session_id: str | None = None, min_confidence: int = 1
    ) -> None:
        """Read the metadata and list the frames.

        Args:
            path: the .r3d file, or the folder it was unpacked to.
            strict: see `Reader`.
            session_id: see `Reader`.
            min_confidence: readings below it count as none: 0 keeps all, 1 medium and high, 2 high alone.

        Raises:
            MissingDependency: the LZFSE decoder is not installed.
        """
        super().__init__(path, strict=strict, session_id=session_id)
        self._min_confidence = checked_confidence(min_confidence)
        if _is_exr_export(self.path):
            raise ReadError(f"{self.path} is an EXR export; export the recording as .r3d (Shareable/Internal format)")
        self._bundle = Bundle(self.path)
        self._metadata = _read_metadata(self._bundle)
        names = self._bundle.names_in(_IMAGES)
        stems = {stem for stem, _, kind in (name.rpartition(".") for name in names) if kind in _KINDS}
        self._numbers = sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit() and len(stem) < 10)
        if not self._numbers:
            raise ReadError(f"{self.path} holds no frame; expected {_IMAGES}/0.jpg, {_IMAGES}/1.jpg and so on")
        self._has_confidence = any(name.endswith(".conf") for name in names)
        self._lzfse = require("lzfse", EXTRA)
        self._poses = _list_of(self._metadata, "poses")
        self._lenses = _list_of(self._metadata, "perFrameIntrinsicCoeffs")
        self._times = _list_of(self._metadata, "frameTimestamps")
        self._fps = _positive(self.path, self._metadata, "fps", 30.0)
        colour = self._colour_camera(None)
        self._depth_size = self._find_depth_size(colour)
        self.camera = depth_camera(colour, self._depth_size, self.path)
        self._note_choices()

    @classmethod
    def recognises(cls, path: Path) -> bool:
        if path.is_file():
            return path.suffix == ".r3d"
        whole = (path / _IMAGES).is_dir() and any((path / name).is_file() for name in _METADATA)
        return whole or _is_exr_export(path)

    def __len__(self) -> int:
        return len(self._numbers)

    def describe(self, index: int) -> str:
        return f"frame {self._numbers[index]}"

    def read_frame(self, index: int) -> Frame:
        number = self._numbers[index]
        pose = usable_pose(self._pose(number), "metadata lists no pose for it")
        colour_camera = self._colour_camera(number)
        camera = depth_camera(colour_camera, self._depth_size, self.path)
        name = f"{_IMAGES}/{number}.jpg"
        rgb = rgb_in(self._bundle.read(name), name, size_of(colour_camera))
        return Frame(
            colour_at(rgb, size_of(camera)), self._depth_m(number), camera, pose, self._stamp_ns(number),
            session_id=self.session_id, seq=number, depth_unit="m",
        )  # fmt: skip

    def _pose(self, number: int) -> NDArray[np.float64] | None:
        if number >= len(self._poses):
            return None
        values = _numbers_in(self._poses[number], _POSE)
        if values is None:
            raise BadFrame(BadReason.LOST_POSE, f"its pose is {str(self._poses[number])[:80]}; expected 7 numbers")
        if not np.isfinite(values).all():
            return np.full((4, 4), np.nan)
        try:
            return opencv_pose(make_transform(matrix_from_quat_xyzw(values[:4]), values[4:]), "opengl")
        except InvalidValue as error:
            raise BadFrame(BadReason.LOST_POSE, str(error)) from error

    def _depth_m(self, number: int) -> NDArray[np.float32]:
        width, height = self._depth_size
        raw = np.frombuffer(self._unpacked(f"{number}.depth", 4 * width * height), "<f4").reshape(height, width)
        depth_m = depth_from_raw(raw, 1.0)
        if not self._has_confidence:
            return depth_m
        levels = np.frombuffer(self._unpacked(f"{number}.conf", width * height), np.uint8).reshape(height, width)
        return confident(depth_m, levels, self._min_confidence)

    def _unpacked(self, name: str, expected: int) -> bytes:
        packed = self._bundle.read(f"{_IMAGES}/{name}")
        if len(packed) > expected + _LZFSE_EXTRA_BYTES:
            raise BadFrame(BadReason.SIZE_MISMATCH, f"{name} is larger packed than the {expected} bytes it should hold")
        try:
            data = self._lzfse.decompress(packed)
        except (self._lzfse.error, MemoryError) as error:
            raise BadFrame(BadReason.UNREADABLE, f"{name} is not whole LZFSE data ({len(packed)} bytes)") from error
        if len(data) != expected:
            raise BadFrame(BadReason.SIZE_MISMATCH, f"{name} holds {len(data)} bytes; expected {expected}")
        return data

    def _colour_camera(self, number: int | None) -> Camera:
        """Intrinsics of colour, of one frame where it has its own."""
        size = [number_of(self.path, self._metadata, key) for key in ("w", "h")]
        own = _numbers_in(self._lenses[number], _LENS) if number is not None and number < len(self._lenses) else None
        if own is not None:
            return camera_of(self.path, *own, *size)
        k = _numbers_in(self._metadata.get("K"), 9)
        if k is None or np.abs(k[[1, 2, 3, 5]]).max() > 1e-6 or abs(k[8] - 1.0) > 1e-6:
            found = str(self._metadata.get("K"))[:120]
            raise ReadError(f"{self.path}: 'K' must be fx 0 0 0 fy 0 cx cy 1, column by column; found {found}")
        return camera_of(self.path, k[0], k[4], k[6], k[7], *size)

    def _find_depth_size(self, colour: Camera) -> tuple[int, int]:
        """Width and height; where the metadata do not tell, the proportions of colour and as many pixels as values."""
        if "dw" in self._metadata or "dh" in self._metadata:
            size = int(number_of(self.path, self._metadata, "dw")), int(number_of(self.path, self._metadata, "dh"))
            if not all(0 < side <= _LARGEST_SIDE for side in size):
                raise ReadError(f"{self.path}: depth of {size[0]} x {size[1]} pixels cannot be")
            return size
        for number in self._numbers:
            try:
                values = len(self._lzfse.decompress(self._bundle.read(f"{_IMAGES}/{number}.depth"))) // 4
            except (self._lzfse.error, BadFrame, MemoryError):
                continue
            width = round(math.sqrt(values * colour.width / colour.height))
            if width > 0 and values == width * (values // width):
                return width, values // width
        raise ReadError(f"{self.path}: the metadata do not give dw and dh, and no depth image tells the size")

    def _stamp_ns(self, number: int) -> int:
        if len(self._times) != len(self._poses) or number >= len(self._times):
            return frame_stamp_ns(number, self._fps)
        seconds = _numbers_in([self._times[number]], 1)
        if seconds is None or not 0.0 <= seconds[0] < 2**33:
            raise BadFrame(BadReason.INVALID, f"its time is {str(self._times[number])[:40]}; expected seconds")
        return round(float(seconds[0]) * _NS)

    def _note_choices(self) -> None:
        width, height = (int(number_of(self.path, self._metadata, key)) for key in ("w", "h"))
        depth = "{} x {}".format(*self._depth_size)
        self.note(f"colour, {width} x {height}, is averaged down to depth, {depth}")
        self.note("intrinsics: of each frame" if self._lenses else "intrinsics: of the first frame, for all")
        kept = f"readings below {self._min_confidence} are left out" if self._has_confidence else "there is none"
        self.note(f"confidence: {kept}")
        if len(self._times) != len(self._poses):
            self.note(f"no stamps in the metadata: frame i is taken at i / {self._fps:g} s")
        if not self._poses:
            self.note("the metadata list no poses (the app has them for the LiDAR, not for the front camera)")


def _read_metadata(bundle: Bundle) -> dict[str, Any]:
    name = next((name for name in _METADATA if name in bundle), None)
    if name is None:
        raise ReadError(f"{bundle.path} has no metadata; expected a recording of Record3D")
    try:
        values = json.loads(bundle.read(name))
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{bundle.path}: {name} is no valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise ReadError(f"{bundle.path}: {name} must hold one JSON object; found {type(values).__name__}")
    return values


def _list_of(values: dict[str, Any], key: str) -> list[Any]:
    found = values.get(key)
    return found if isinstance(found, list) else []


def _numbers_in(given: Any, count: int) -> NDArray[np.float64] | None:
    """`given` as (count,) float64; None when it is something else."""
    if not isinstance(given, list) or len(given) != count:
        return None
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) and (v != v or abs(v) < 1e300) for v in given):
        return None
    return np.array(given, dtype=np.float64)


def _positive(path: Path, values: dict[str, Any], key: str, default: float) -> float:
    value = number_of(path, values, key) if key in values else default
    if not 0.0 < value <= 1e6:
        raise ReadError(f"{path}: {key!r} must be positive; found {value}")
    return value


def _is_exr_export(path: Path) -> bool:
    return path.is_dir() and (path / "metadata.json").is_file() and next(path.glob("depth/*.exr"), None) is not None
