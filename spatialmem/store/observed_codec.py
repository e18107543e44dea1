"""The blob of observations (docs/format.md, section 4)."""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.store.compress import compress, decompress
from spatialmem.things import MOST_DETECTIONS, Observations
from spatialmem.types import Camera

_HEADER = struct.Struct("<HHHHHIIf")
"""h, w, stride, N, D (0: not encoded), P, bytes of the labels, scale of the features"""
_MILLIMETRE = 0.001
_LARGEST = 65535
_MOST = 1 << 26
"""bytes of one frame's: a damaged header must not take all of RAM"""
_ADVICE = "restore the file from a copy"


def encode_observations(seen: Observations) -> bytes:
    """Depths, and points in camera axes, to the millimetre; features as int8 with one scale."""
    n = len(seen)
    if n > MOST_DETECTIONS or len(seen.points_m) > _LARGEST:
        raise InvalidValue(f"a frame has at most {MOST_DETECTIONS} detections, 65535 points in all; given {n}")
    h, w = seen.depth_m.shape
    depth = np.nan_to_num(np.rint(seen.depth_m / _MILLIMETRE), nan=0.0).clip(0, _LARGEST).astype("<u2")
    depth[:, 1:] -= depth[:, :-1].copy()
    labels = "\0".join(seen.labels).encode("utf-8")
    scale, features, dim = _small_features(seen.features)
    parts = (
        depth.tobytes(), seen.detection_of.astype(np.uint8).tobytes(), seen.scores.astype("<f4").tobytes(),
        seen.boxes_xyxy.astype("<f4").tobytes(), seen.pixels.astype("<u4").tobytes(),
        np.diff(seen.starts).astype("<u2").tobytes(),
        np.rint(seen.points_m / _MILLIMETRE).clip(-32768, 32767).astype("<i2").tobytes(), features, labels,
    )  # fmt: skip
    return _HEADER.pack(h, w, seen.stride, n, dim, len(seen.points_m), len(labels), scale) + compress(b"".join(parts))


def _small_features(features: NDArray[np.float32] | None) -> tuple[float, bytes, int]:
    if features is None:
        return 0.0, b"", 0
    largest = float(np.abs(features).max(initial=0.0))
    if not math.isfinite(largest):
        raise InvalidValue("features of detections hold NaN or infinity; normalise them with a floor under the norm")
    scale = float(np.float32(max(largest, 1e-12) / 127.0))
    return scale, np.rint(features / np.float32(scale)).clip(-127, 127).astype(np.int8).tobytes(), features.shape[1]


def decode_observations(data: bytes, camera: Camera) -> Observations:
    """The inverse, of a frame with this camera; `MemoryFileError` on damage."""
    if len(data) < _HEADER.size:
        raise MemoryFileError(f"observations are damaged: {len(data)} bytes are fewer than their header; {_ADVICE}")
    h, w, stride, n, dim, points, label_bytes, scale = _HEADER.unpack_from(data)
    sizes = (2 * h * w, h * w, 4 * n, 16 * n, 4 * n, 2 * n, 6 * points, n * dim, label_bytes)
    if not (h and w and stride) or n > MOST_DETECTIONS or sum(sizes) > _MOST or not 0.0 <= scale < 1e6:
        raise MemoryFileError(f"observations are damaged: their header says {h} x {w}, {n} detections; {_ADVICE}")
    content = decompress(memoryview(data)[_HEADER.size :], sum(sizes), "blob of observations")
    cut = np.cumsum([0, *sizes])
    depth, of, scores, boxes, pixels, counts, xyz, features, labels = (
        content[a:b] for a, b in zip(cut, cut[1:], strict=False)
    )
    steps = np.frombuffer(depth, "<u2").reshape(h, w)
    depth_m = np.cumsum(steps, axis=1, dtype=np.uint16).astype(np.float32) * np.float32(_MILLIMETRE)
    depth_m[depth_m == 0.0] = np.nan
    starts = np.concatenate([[0], np.cumsum(np.frombuffer(counts, "<u2"))]).astype(np.int32)
    names, shown = _labels(labels, n), np.frombuffer(of, np.uint8).reshape(h, w)
    if starts[-1] != points or shown.max(initial=0) > n or h != _samples(camera.height, stride):
        raise MemoryFileError(f"observations are damaged: their parts do not fit each other; {_ADVICE}")
    small = np.frombuffer(features, np.int8).reshape(n, dim).astype(np.float32) * np.float32(scale)
    return Observations(
        camera, stride, depth_m, shown, names, np.frombuffer(scores, "<f4"), np.frombuffer(boxes, "<f4").reshape(n, 4),
        np.frombuffer(pixels, "<u4").astype(np.int32), starts,
        np.frombuffer(xyz, "<i2").reshape(points, 3).astype(np.float32) * np.float32(_MILLIMETRE),
        small if dim else None,
    )  # fmt: skip


def _samples(pixels: int, stride: int) -> int:
    return len(range(stride // 2, pixels, stride))


def _labels(data: bytes, n: int) -> tuple[str, ...]:
    try:
        names = tuple(data.decode("utf-8").split("\0")) if n else ()
    except UnicodeDecodeError as error:
        raise MemoryFileError(f"observations are damaged: a label is no text ({error}); {_ADVICE}") from error
    if len(names) != n:
        raise MemoryFileError(f"observations are damaged: {len(names)} labels of {n} detections; {_ADVICE}")
    return names
