"""ScanNet's own container, .sens version 4: one file with calibration, poses, colour and depth of a scan.

Little-endian, without padding (sensorData.h of ScanNet's SensReader): version, name of the sensor, intrinsics and
extrinsics of colour and of depth (4x4 float32, row-major), kinds of compression, sizes, depth scale, number of frames;
then each frame: world_from_camera (4x4 float32, OpenCV axes, minus infinity where lost), stamps of colour and depth
(microseconds), lengths of both images, both images. What follows the frames (IMU) is not read.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, ReadError
from spatialmem.io.images import depth_from_raw, rgb_in
from spatialmem.io.reader import BadFrame, BadReason, Reader
from spatialmem.io.registration import ColourRegistration
from spatialmem.io.scannet import colour_from_depth
from spatialmem.io.shots import frame_stamp_ns, size_of, usable_pose
from spatialmem.types import Camera, Frame

_VERSION = 4
_NAME_BYTES, _LARGEST_SIDE, _LARGEST_IMAGE_BYTES = 4096, 1 << 13, 1 << 28
_START = struct.Struct("<IQ")
_REST = struct.Struct("<64f2i4IfQ")
_FRAME = struct.Struct("<16f4Q")
_NS_PER_US = 1000
_COLOUR_KINDS = {0: "raw", 1: "png", 2: "jpeg"}
_DEPTH_KINDS = {0: "raw", 1: "zlib"}


@dataclass(frozen=True, eq=False)
class _Header:
    """What stands before the frames."""

    matrices: NDArray[np.float32]
    """(4, 4, 4): intrinsics and extrinsics of colour, intrinsics and extrinsics of depth"""
    colour_kind: str
    depth_kind: str
    colour_size: tuple[int, int]
    """width and height"""
    depth_size: tuple[int, int]
    depth_scale: float
    count: int
    """frames the file says it holds"""


@dataclass(frozen=True, eq=False)
class _Entry:
    """Where a frame lies in the file."""

    world_from_camera: NDArray[np.float64]
    stamp_us: int
    at: int
    colour_bytes: int
    depth_bytes: int


class SensReader(Reader):
    """One scan. Frames have the pixels and intrinsics of depth; colour is registered to them, as in `ScanNetReader`.

    Opening walks over the heads of the frames and reads no image. Where the file breaks off, the frames that are
    missing count as unreadable.
    """

    format_name = "sens"
    layout = "scene0000_00.sens, or a folder with one (ScanNet, not exported)"

    def __init__(
        self, path: str | Path, *, strict: bool = False, session_id: str | None = None, fps: float = 30.0
    ) -> None:
        """Read the header and find the frames.

        Args:
            path: the .sens file, or the folder it lies in.
            strict: see `Reader`.
            session_id: see `Reader`.
            fps: where every stamp in the file is zero, frame i is taken at i / fps seconds.
        """
        super().__init__(path, strict=strict, session_id=session_id)
        file = self.path if self.path.is_file() else _sens_in(self.path)
        if file is None:
            raise ReadError(f"{self.path} holds no .sens file, or several; give the path of one")
        self._file = file
        try:
            with self._file.open("rb") as stream:
                self._header = _read_header(self._file, stream)
                self._entries = _walk(self._file, stream, self._header.count)
        except OSError as error:
            raise ReadError(f"{self._file} cannot be read: {error.strerror or error}") from error
        self._stamps_ns = [entry.stamp_us * _NS_PER_US for entry in self._entries]
        self.camera, self._colour_camera, self._registration = self._calibrated()
        sizes = (*self._header.colour_size, *self._header.depth_size)
        self.note("colour, {} x {}, is registered to depth, {} x {}".format(*sizes))
        if not any(self._stamps_ns):
            self._stamps_ns = [frame_stamp_ns(i, fps) for i in range(len(self._entries))]
            self.note(f"every stamp is zero: frame i is taken at i / {fps:g} s")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.suffix == ".sens" if path.is_file() else path.is_dir() and _sens_in(path) is not None

    def __len__(self) -> int:
        return self._header.count

    def read_frame(self, index: int) -> Frame:
        if index >= len(self._entries):
            raise BadFrame(BadReason.UNREADABLE, f"{self._file} breaks off after {len(self._entries)} frames")
        entry = self._entries[index]
        pose = usable_pose(entry.world_from_camera, "no pose is stored for it")
        colour, depth = self._images(entry)
        depth_m = self._depth_m(depth)
        rgb, coloured = self._registration.register(self._rgb(colour), depth_m)
        return Frame(
            rgb, depth_m, self.camera, pose, self._stamps_ns[index], session_id=self.session_id, seq=index,
            valid=coloured, depth_unit="m",
        )  # fmt: skip

    def _calibrated(self) -> tuple[Camera, Camera, ColourRegistration]:
        """Cameras of depth and of colour, and how they lie to each other."""
        k_colour, rig_from_colour, k_depth, rig_from_depth = self._header.matrices.astype(np.float64)
        try:
            depth = Camera.from_matrix(k_depth, *self._header.depth_size)
            colour = Camera.from_matrix(k_colour, *self._header.colour_size)
        except InvalidValue as error:
            raise ReadError(f"{self._file}: {error}") from error
        move = colour_from_depth(self._file, rig_from_colour, rig_from_depth)
        return depth, colour, ColourRegistration(colour, depth, move)

    def _images(self, entry: _Entry) -> tuple[bytes, bytes]:
        """Colour and depth as they are stored."""
        with self._file.open("rb") as stream:
            stream.seek(entry.at)
            data = stream.read(entry.colour_bytes + entry.depth_bytes)
        if len(data) != entry.colour_bytes + entry.depth_bytes:
            raise BadFrame(BadReason.UNREADABLE, f"{self._file} has become shorter than it was when it was opened")
        return data[: entry.colour_bytes], data[entry.colour_bytes :]

    def _rgb(self, data: bytes) -> NDArray[np.uint8]:
        width, height = size_of(self._colour_camera)
        if self._header.colour_kind != "raw":
            return rgb_in(data, f"its {self._header.colour_kind} image", (width, height))
        return np.frombuffer(_of_size("colour", data, 3 * width * height), np.uint8).reshape(height, width, 3)

    def _depth_m(self, data: bytes) -> NDArray[np.float32]:
        width, height = size_of(self.camera)
        expected = 2 * width * height
        if self._header.depth_kind == "zlib":
            data = _inflated(data, expected)
        raw = np.frombuffer(_of_size("depth", data, expected), "<u2").reshape(height, width)
        return depth_from_raw(raw, self._header.depth_scale)


def _inflated(data: bytes, expected: int) -> bytes:
    """What was compressed, one byte too many at most, so that no frame can fill the memory."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, expected + 1)
    except zlib.error as error:
        raise BadFrame(BadReason.UNREADABLE, f"its depth cannot be decompressed: {error}") from error
    if not stream.eof and len(found) <= expected:
        raise BadFrame(BadReason.UNREADABLE, f"its depth is truncated ({len(data)} bytes)")
    return found


def _of_size(what: str, data: bytes, expected: int) -> bytes:
    if len(data) != expected:
        raise BadFrame(BadReason.SIZE_MISMATCH, f"its {what} has {len(data)} bytes; the header's size makes {expected}")
    return data


def _read_header(path: Path, stream: BinaryIO) -> _Header:
    version, name_bytes = _unpack(path, stream, _START)
    if version != _VERSION:
        raise ReadError(f"{path} is no .sens file of version {_VERSION}: it says version {version}")
    if name_bytes > _NAME_BYTES:
        raise ReadError(f"{path} is damaged: the sensor's name would be {name_bytes} bytes long")
    stream.seek(name_bytes, os.SEEK_CUR)
    values = _unpack(path, stream, _REST)
    colour, depth, *sizes = values[64:70]
    scale, count = values[70:]
    if colour not in _COLOUR_KINDS or depth not in _DEPTH_KINDS:
        kinds = f"colour {', '.join(_COLOUR_KINDS.values())}; depth {', '.join(_DEPTH_KINDS.values())}"
        raise ReadError(
            f"{path} is compressed in a way this reader does not know (colour {colour}, depth {depth}); it reads "
            f"{kinds}; export the scan with ScanNet's SensReader"
        )
    if not all(0 < side <= _LARGEST_SIDE for side in sizes) or not 0.0 < scale < float("inf"):
        raise ReadError(f"{path} is damaged: images {sizes}, depth scale {scale}")
    if not 0 < count <= (path.stat().st_size - stream.tell()) // _FRAME.size:
        raise ReadError(f"{path} says that it holds {count} frames, which its {path.stat().st_size} bytes do not")
    matrices = np.array(values[:64], dtype=np.float32).reshape(4, 4, 4)
    colour_size, depth_size = (sizes[0], sizes[1]), (sizes[2], sizes[3])
    return _Header(matrices, _COLOUR_KINDS[colour], _DEPTH_KINDS[depth], colour_size, depth_size, scale, count)


def _walk(path: Path, stream: BinaryIO, count: int) -> list[_Entry]:
    """The frames that lie in the file as a whole; fewer than `count` where it breaks off."""
    entries: list[_Entry] = []
    end = path.stat().st_size
    while len(entries) < count:
        head = stream.read(_FRAME.size)
        if len(head) < _FRAME.size:
            break
        *pose, stamp_us, _, colour_bytes, depth_bytes = _FRAME.unpack(head)
        at = stream.tell()
        if max(colour_bytes, depth_bytes) > _LARGEST_IMAGE_BYTES or at + colour_bytes + depth_bytes > end:
            break
        entries.append(_Entry(np.array(pose).reshape(4, 4), stamp_us, at, colour_bytes, depth_bytes))
        stream.seek(at + colour_bytes + depth_bytes)
    return entries


def _unpack(path: Path, stream: BinaryIO, form: struct.Struct) -> tuple:
    data = stream.read(form.size)
    if len(data) < form.size:
        raise ReadError(f"{path} ends within its header; expected a .sens file of version {_VERSION}")
    return form.unpack(data)


def _sens_in(folder: Path) -> Path | None:
    found = sorted(folder.glob("*.sens"))
    return found[0] if len(found) == 1 else None
