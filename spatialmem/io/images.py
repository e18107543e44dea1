"""Image files as arrays, with the checks a decoder may leave out: whole files only, sizes known beforehand.

Some versions of OpenCV return the readable part of a truncated file as if it were the image, so
wholeness is checked before decoding: the checksums of a PNG, the end marker of a JPEG.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import ReadError
from spatialmem.io.reader import BadFrame, BadReason

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
_JPEG_TAIL_BYTES = 4096  # cameras may pad or append after the end marker
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_NPY_START = b"\x93NUMPY"
_LARGEST_PIXELS = 64 * 1024 * 1024
_LARGEST_BYTES = 1 << 30
_RAW_SATURATED = 65535
_COLOUR_SUFFIXES = (".png", ".jpg", ".jpeg")
_DEPTH_SUFFIXES = (".png", ".npy")


def read_rgb(path: Path, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """(H, W, 3) uint8, red first, from a PNG or JPEG file.

    Args:
        path: the file; grey images become grey RGB, alpha is dropped.
        size: width and height it must have; None: any.

    Raises:
        BadFrame: missing, truncated, damaged, not an image, or of another size.
    """
    return rgb_in(_bytes_of(path), path, size)


def rgb_in(data: bytes, name: Path | str, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """As `read_rgb`, from the bytes of a PNG or JPEG file that lies inside another one; `name` is for messages."""
    import cv2

    _check_whole(name, data, size)
    bgr = _decode(name, data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr), dtype=np.uint8)


def read_depth_m(path: Path, scale: float, size: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """(H, W) float32 metres, NaN where there is no reading, from a 16-bit PNG or a .npy file.

    Args:
        path: the file; raw values 0 and 65535 (integer), and what is not finite or not positive, mean no reading.
        scale: raw value / scale = metres.
        size: width and height it must have; None: any.

    Raises:
        BadFrame: missing, truncated, damaged, of another kind or size.
    """
    if path.suffix == ".npy":
        return depth_from_raw(_read_npy(path, size), scale)
    raw = raw_depth_in(_bytes_of(path), path, size)
    if raw.dtype != np.uint16:
        raise BadFrame(BadReason.UNREADABLE, f"{path} holds {raw.dtype} {raw.shape}; depth must be 16-bit, one channel")
    return depth_from_raw(raw, scale)


def raw_depth_in(data: bytes, name: Path | str, size: tuple[int, int] | None = None) -> NDArray:
    """(H, W) uint16 or float32 as stored, from the bytes of a PNG or TIFF file; `name` is for messages.

    Raises `BadFrame` as `read_depth_m` does.
    """
    import cv2

    if data[:4] not in _TIFF_STARTS:
        _check_whole(name, data, size)
    raw = _decode(name, data, cv2.IMREAD_UNCHANGED)
    if raw.dtype not in (np.uint16, np.float32) or raw.ndim != 2:
        raise BadFrame(
            BadReason.UNREADABLE, f"{name} holds {raw.dtype} {raw.shape}; depth must be 16-bit or float32, one channel"
        )
    if size is not None and raw.shape[::-1] != size:
        raise BadFrame(BadReason.SIZE_MISMATCH, "{} is {} x {}; expected {} x {}".format(name, *raw.shape[::-1], *size))
    return raw


def read_mask(path: Path, size: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """(H, W) bool, True where an 8-bit image of one channel is not 0; raises as `read_rgb`."""
    return read_levels(path, size) > 0


def read_levels(path: Path, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """(H, W) uint8, the values of an 8-bit image of one channel as they are; raises as `read_rgb`."""
    import cv2

    data = _bytes_of(path)
    _check_whole(path, data, size)
    levels = _decode(path, data, cv2.IMREAD_UNCHANGED)
    if levels.dtype != np.uint8 or levels.ndim != 2:
        raise BadFrame(BadReason.UNREADABLE, f"{path} holds {levels.dtype} {levels.shape}; expected 8-bit, one channel")
    return np.asarray(levels)


def depth_from_raw(raw: NDArray, scale: float) -> NDArray[np.float32]:
    """(H, W) float32 metres with NaN where there is no reading, from raw integer or floating values."""
    with np.errstate(invalid="ignore", over="ignore"):  # floating raw values may be anything, signalling NaN too
        depth_m = np.multiply(raw, np.float32(1.0 / scale), dtype=np.float32, casting="unsafe")
    if np.issubdtype(raw.dtype, np.integer):
        depth_m[(raw <= 0) | (raw == _RAW_SATURATED)] = np.nan
    else:
        depth_m[~(np.isfinite(depth_m) & (depth_m > 0))] = np.nan
    return depth_m


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG, JPEG or .npy file, from its header; `BadFrame` when it is none of these."""
    return size_in(_bytes_of(path), path)


def image_files(folder: Path, depth: bool = False) -> list[Path]:
    """Image files of a folder in natural order (2 before 10); `ReadError` when there is no such folder."""
    suffixes = _DEPTH_SUFFIXES if depth else _COLOUR_SUFFIXES
    if not folder.is_dir():
        raise ReadError(f"there is no folder {folder}; expected images in it")
    found = [p for p in folder.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith(".")]
    return sorted(found, key=natural_key)


def natural_key(path: Path) -> list[tuple[int, int | str]]:
    """Sorting key that reads digits as numbers: frame2 before frame10."""
    parts = re.split(r"([0-9]+)", path.name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def number_in(path: Path) -> int | None:
    """The first number in a file's name (frame-000012.color.png is 12); None without digits."""
    match = re.search(r"[0-9]+", path.name)
    return int(match.group()) if match else None


def _bytes_of(path: Path) -> bytes:
    try:
        if path.exists() and not (path.is_file() and path.stat().st_size <= _LARGEST_BYTES):  # a pipe would never end
            raise BadFrame(BadReason.UNREADABLE, f"{path} is no file of at most {_LARGEST_BYTES >> 20} MB")
        return path.read_bytes()
    except OSError as error:
        raise BadFrame(BadReason.UNREADABLE, f"{path}: {error.strerror or error}") from error


def _check_whole(name: Path | str, data: bytes, size: tuple[int, int] | None) -> None:
    """`BadFrame` unless `data` is a whole PNG or JPEG file, of this size where one is given."""
    found = size_in(data, name)
    if size is not None and found != size:
        raise BadFrame(
            BadReason.SIZE_MISMATCH, f"{name} is {found[0]} x {found[1]}; the camera of this recording is "
            f"{size[0]} x {size[1]}"
        )  # fmt: skip
    whole = _png_is_whole(data) if data.startswith(_PNG_START) else _JPEG_END in data[-_JPEG_TAIL_BYTES:]
    if not whole:
        raise BadFrame(BadReason.UNREADABLE, f"{name} is truncated or damaged ({len(data)} bytes)")


def _decode(name: Path | str, data: bytes, flags: int) -> NDArray:
    import cv2

    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise BadFrame(BadReason.UNREADABLE, f"{name} cannot be decoded: {error.err}") from error
    if image is None:
        raise BadFrame(BadReason.UNREADABLE, f"{name} cannot be decoded ({len(data)} bytes)")
    return image


def size_in(data: bytes, name: Path | str) -> tuple[int, int]:
    """As `image_size`, from the bytes of such a file; `name` is for messages."""
    if data.startswith(_PNG_START) and data[12:16] == b"IHDR" and len(data) >= 24:
        size = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    elif data.startswith(_JPEG_START):
        size = _jpeg_size(data)
    elif data.startswith(_NPY_START):
        height, width = _npy_header(name, data)[1]
        size = width, height
    else:
        size = None
    if size is None or not 0 < size[0] * size[1] <= _LARGEST_PIXELS:
        raise BadFrame(BadReason.UNREADABLE, f"{name} is no PNG or JPEG image ({len(data)} bytes, size {size})")
    return size


def _png_is_whole(data: bytes) -> bool:
    """Every chunk present up to IEND, every checksum right (PNG specification, section 5)."""
    view, at = memoryview(data), len(_PNG_START)
    while at + 12 <= len(data):
        length = int.from_bytes(view[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(data) or zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return False
        if view[at + 4 : at + 8] == b"IEND":
            return True
        at = end + 4
    return False


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """From the frame header (ITU-T T.81, B.2.2): markers C0 to CF except C4, C8 and CC."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def _npy_header(path: Path | str, data: bytes) -> tuple[np.dtype, tuple[int, int], int]:
    """dtype, (H, W) and offset of the values (NumPy enhancement proposal 1), parsed without evaluating anything."""
    wide = data[6:7] != b"\x01"
    start = 12 if wide else 10
    end = start + int.from_bytes(data[8:start], "little")
    header = data[start:end].decode("latin-1")
    kind = re.search(r"'descr':\s*'([<|]?[fui][1248])'", header)
    shape = re.search(r"'shape':\s*\((\d{1,9}),\s*(\d{1,9})\)", header)
    if not kind or not shape or "'fortran_order': False" not in header or not header.endswith("\n"):
        raise BadFrame(BadReason.UNREADABLE, f"{path} is no two-dimensional numeric .npy array in C order")
    try:
        dtype = np.dtype(kind.group(1))
    except TypeError as error:
        raise BadFrame(BadReason.UNREADABLE, f"{path} holds values of unknown kind {kind.group(1)!r}") from error
    return dtype, (int(shape.group(1)), int(shape.group(2))), end


def _read_npy(path: Path, size: tuple[int, int] | None) -> NDArray:
    data = _bytes_of(path)
    if not data.startswith(_NPY_START):
        raise BadFrame(BadReason.UNREADABLE, f"{path} is no .npy array ({len(data)} bytes)")
    dtype, (height, width), offset = _npy_header(path, data)
    if size is not None and (width, height) != size:
        raise BadFrame(BadReason.SIZE_MISMATCH, f"{path} is {width} x {height}; its colour is {size[0]} x {size[1]}")
    if len(data) - offset != width * height * dtype.itemsize:
        raise BadFrame(BadReason.UNREADABLE, f"{path} is truncated or damaged ({len(data)} bytes)")
    return np.frombuffer(data, dtype=dtype, offset=offset).reshape(height, width)
