"""Blobs of a log row, as docs/format.md section 4 lays them out. Every decoder raises `MemoryFileError` on damage."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.store.compress import compress, content_size, decompress

_EXACT_QUANTA_M = (0.001, 0.0002)  # millimetres; the 1/5000 m of TUM recordings
_FINE_QUANTUM_M = 0.00025
_COARSE_QUANTUM_M = 0.001
_LARGEST = 65535
_FARTHEST_M = np.float32(65.5355)  # beyond the coarse steps: no reading
_SAMPLE = 509  # readings looked at before the whole frame is
_MULTIPLE_TOLERANCE_M = 1e-6
_FLOAT32_ERROR = np.float32(2.4e-7)  # of a rounded reading times a rounded factor, relative
_DEPTH_HEADER = struct.Struct("<fHH")
_FEATURE_HEADER = struct.Struct("<HHHf")
_COUNT_HEADER = struct.Struct("<I")
_CELL_BYTES = 10
_LARGEST_SCALE = 1e36  # times 127 still a float32
_TINY = 1e-30  # a scale below this is zero: its inverse would overflow
_MOST_PIXELS = 1 << 28


class Cells(NamedTuple):
    """Cells (free-space blocks) that a frame saw, sorted by (x, y, z)."""

    cell: NDArray[np.int16]
    """(n, 3) block coordinates x, y, z"""
    occupied: NDArray[np.uint16]
    """(n,) voxels of the cell seen occupied"""
    free: NDArray[np.uint16]
    """(n,) voxels of the cell seen free"""


def encode_colour(rgb: NDArray[np.uint8], quality: int) -> bytes:
    """JPEG of an RGB image (H, W, 3) uint8; quality 1 to 100."""
    import cv2

    bgr = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    if not done:
        raise InvalidValue(f"OpenCV cannot write a JPEG of {rgb.shape[1]} x {rgb.shape[0]} pixels; resize the images")
    return data.tobytes()


def decode_colour(data: bytes) -> NDArray[np.uint8]:
    """RGB (H, W, 3) uint8."""
    import cv2

    _sized(data, 4, "colour blob")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    if bgr is None:
        raise MemoryFileError("colour blob is damaged: OpenCV finds no JPEG in it; restore the file from a copy")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr), dtype=np.uint8)


def encode_depth(depth_m: NDArray[np.float32]) -> bytes:
    """Depth (H, W) float32 metres as quantised row differences; NaN, inf and values <= 0 are no reading.

    Exact when the readings are whole millimetres or whole 1/5000 m, else rounded to 0.25 mm (up to 16.38 m
    in the frame) or 1 mm.
    """
    depth = np.asarray(depth_m, dtype=np.float32)
    height, width = _plane_size(depth)
    with np.errstate(invalid="ignore"):
        clean = np.where((depth > 0) & (depth < _FARTHEST_M), depth, np.float32(0))
    quantum_m = _quantum(clean)
    values = np.rint(clean * np.float32(1 / quantum_m))
    steps = values.astype(np.uint16)
    differences = steps.copy()
    differences[:, 1:] -= steps[:, :-1]
    return _DEPTH_HEADER.pack(quantum_m, height, width) + compress(differences.data)


def decode_depth(data: bytes) -> NDArray[np.float32]:
    """Depth (H, W) float32 metres, NaN where there is no reading."""
    _sized(data, _DEPTH_HEADER.size, "depth blob")
    quantum_m, height, width = _DEPTH_HEADER.unpack_from(data)
    if not 0 < quantum_m < 1 or height * width > _MOST_PIXELS or height * width == 0:
        raise MemoryFileError(f"depth blob is damaged: header says {width} x {height} in steps of {quantum_m} m")
    content = decompress(memoryview(data)[_DEPTH_HEADER.size :], 2 * height * width, "depth blob")
    differences = np.frombuffer(content, dtype="<u2").reshape(height, width)
    values = np.cumsum(differences, axis=1, dtype=np.uint16)
    depth = values.astype(np.float32)
    depth *= np.float32(quantum_m)
    depth[values == 0] = np.nan
    return depth


def encode_mask(valid: NDArray[np.bool_] | None) -> bytes | None:
    """Mask (H, W) bool of usable pixels; None when all are."""
    if valid is None or valid.all():
        return None
    return compress(np.packbits(valid).data)


def decode_mask(data: bytes | None, height: int, width: int) -> NDArray[np.bool_] | None:
    """Mask (height, width) bool, or None when every pixel is usable."""
    if data is None:
        return None
    count = height * width
    bits = np.frombuffer(decompress(data, (count + 7) // 8, "mask blob"), dtype=np.uint8)
    return np.unpackbits(bits, count=count).view(np.bool_).reshape(height, width)


def encode_features(features: NDArray[np.float32]) -> bytes:
    """Patch features (h, w, D) float32 as int8 with one scale; the error is at most half of max |x| / 127."""
    given = np.asarray(features, dtype=np.float32)
    if given.ndim != 3 or not given.size or max(given.shape) > _LARGEST:
        raise InvalidValue(f"features must have shape (h, w, D), each 1 to {_LARGEST}; given {given.shape}")
    largest = float(np.abs(given).max(initial=0.0))
    if not largest < 100 * _LARGEST_SCALE:
        raise InvalidValue("features hold NaN or infinity; normalise them with a floor under the norm")
    scale = float(np.float32(largest / 127.0))
    inverse = np.float32(1.0 / scale) if scale > _TINY else np.float32(0)
    small = np.clip(np.rint(given * inverse), -127, 127).astype(np.int8)
    return _FEATURE_HEADER.pack(*given.shape, scale) + compress(small.tobytes())


def decode_features(data: bytes) -> NDArray[np.float32]:
    """Patch features (h, w, D) float32, as stored: no longer of exactly unit norm."""
    _sized(data, _FEATURE_HEADER.size, "feature blob")
    h, w, dim, scale = _FEATURE_HEADER.unpack_from(data)
    if not 0 <= scale < _LARGEST_SCALE or h * w * dim > _MOST_PIXELS or h * w * dim == 0:
        raise MemoryFileError(f"feature blob is damaged: header says {h} x {w} x {dim}, scale {scale}")
    content = decompress(memoryview(data)[_FEATURE_HEADER.size :], h * w * dim, "feature blob")
    return np.frombuffer(content, dtype=np.int8).reshape(h, w, dim).astype(np.float32) * np.float32(scale)


def encode_examined(keys: NDArray[np.int64]) -> bytes | None:
    """Surface-block keys, any order, duplicates dropped; None when there are none."""
    ordered = np.unique(np.asarray(keys, dtype="<i8"))
    return compress(ordered.data) if len(ordered) else None


def decode_examined(data: bytes | None) -> NDArray[np.int64]:
    """Sorted keys (n,) int64."""
    if data is None:
        return np.empty(0, dtype=np.int64)
    size = content_size(data, "list of examined blocks")
    if size % 8 or size > 8 * _MOST_PIXELS:
        raise MemoryFileError(f"list of examined blocks is damaged: {size} bytes are not a list of keys")
    content = decompress(data, size, "list of examined blocks")
    return np.frombuffer(content, dtype="<i8").astype(np.int64)


def encode_cells(cells: Cells) -> bytes:
    """Cells in any order, each once; coordinates must fit int16, counts are cut at 65535."""
    cell = np.asarray(cells.cell).reshape(-1, 3)
    if len(cell) and (cell.min() < -32768 or cell.max() > 32767):
        raise InvalidValue("a frame saw cells beyond 32768 free-space blocks from the origin; set workspace_m")
    order = np.lexsort((cell[:, 2], cell[:, 1], cell[:, 0]))
    counts = [np.minimum(np.asarray(c)[order], _LARGEST).astype("<u2").tobytes() for c in (cells.occupied, cells.free)]
    content = b"".join((cell[order].astype("<i2").tobytes(), *counts))
    return _COUNT_HEADER.pack(len(cell)) + compress(content)


def decode_cells(data: bytes) -> Cells:
    """Cells sorted by (x, y, z)."""
    n, content = _cells_content(data)
    return Cells(
        np.frombuffer(content, dtype="<i2", count=3 * n).reshape(n, 3),
        np.frombuffer(content, dtype="<u2", count=n, offset=6 * n),
        np.frombuffer(content, dtype="<u2", count=n, offset=8 * n),
    )


def cells_content(data: bytes) -> bytes:
    """What `decode_cells` reads, before it is split: what the canonical hash is taken over."""
    return _cells_content(data)[1]


def encode_vector(vector: NDArray[np.float32]) -> bytes:
    """Image vector (F,) as float16."""
    given = np.asarray(vector)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise InvalidValue(f"image vector must be finite and of shape (F,); given shape {given.shape}")
    return given.astype("<f2").tobytes()


def decode_vector(data: bytes) -> NDArray[np.float32]:
    """Image vector (F,) float32."""
    if len(data) % 2:
        raise MemoryFileError(f"image vector is damaged: {len(data)} bytes are not a list of float16")
    return np.frombuffer(data, dtype="<f2").astype(np.float32)


def _cells_content(data: bytes) -> tuple[int, bytes]:
    _sized(data, _COUNT_HEADER.size, "sightings blob")
    (n,) = _COUNT_HEADER.unpack_from(data)
    if n > _MOST_PIXELS:
        raise MemoryFileError(f"sightings blob is damaged: header says {n} cells")
    return n, decompress(memoryview(data)[_COUNT_HEADER.size :], _CELL_BYTES * n, "sightings blob")


def _plane_size(depth: NDArray[np.float32]) -> tuple[int, int]:
    if depth.ndim != 2 or not depth.size or max(depth.shape) > _LARGEST:
        raise InvalidValue(f"depth must have shape (H, W), each 1 to {_LARGEST}; given {depth.shape}")
    return depth.shape[0], depth.shape[1]


def _quantum(clean: NDArray[np.float32]) -> float:
    """The step of this frame, metres; `clean` is 0 where there is no reading."""
    largest_m = float(clean.max())
    sample = clean.ravel()[:: max(1, clean.size // _SAMPLE)]
    for quantum_m in _EXACT_QUANTA_M:
        fits = largest_m <= _LARGEST * quantum_m * (1 + 1e-6)
        if fits and _are_multiples(sample, quantum_m) and _are_multiples(clean, quantum_m):
            return quantum_m
    return _FINE_QUANTUM_M if largest_m <= _LARGEST * _FINE_QUANTUM_M else _COARSE_QUANTUM_M


def _are_multiples(readings_m: NDArray[np.float32], quantum_m: float) -> bool:
    steps = readings_m * np.float32(1 / quantum_m)
    tolerance = steps * _FLOAT32_ERROR
    tolerance += np.float32(_MULTIPLE_TOLERANCE_M / quantum_m)
    steps -= np.rint(steps)
    return bool((np.abs(steps, out=steps) <= tolerance).all())


def _sized(data: bytes | None, least: int, what: str) -> None:
    if data is None:
        raise MemoryFileError(f"{what} is missing; restore the file from a copy")
    if len(data) < least:
        raise MemoryFileError(f"{what} is damaged: it has {len(data)} bytes, fewer than its header")
