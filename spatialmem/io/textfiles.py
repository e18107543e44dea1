"""The text beside the images: lists of stamps, trajectories, matrices. Errors name the file and the line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, ReadError
from spatialmem.types import Camera

_LARGEST_BYTES = 256 * 1024 * 1024
_LATEST_S = Decimal(2**63) / 10**9
_MATRIX_VALUES = 16


def read_text(path: Path) -> str:
    """The whole file as UTF-8; `ReadError` when it is missing, too long or not text."""
    try:
        if path.exists() and not (path.is_file() and path.stat().st_size <= _LARGEST_BYTES):
            raise ReadError(f"{path} is no file of at most {_LARGEST_BYTES >> 20} MB; expected a short text file")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ReadError(f"{path}: {error.strerror or error}; expected a text file there") from error
    except UnicodeDecodeError as error:
        raise ReadError(f"{path} is not text ({error.reason} at byte {error.start})") from error


def rows(path: Path, columns: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """(line number, words) of every line that is neither empty nor a comment; commas count as spaces."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        if columns is not None and len(words) != columns:
            raise ReadError(f"{path}, line {number}: expected {columns} values, found {len(words)}: {line[:80]!r}")
        yield number, words


def numbers(path: Path, line: int, words: list[str]) -> list[float]:
    """The words as numbers, NaN and infinity included; `ReadError` naming the line when one is not."""
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise ReadError(f"{path}, line {line}: {error}") from error


def stamp_ns(path: Path, line: int, seconds: str) -> int:
    """Nanoseconds from decimal seconds, exactly (a float of seconds since 1970 resolves only 240 ns)."""
    try:
        value = Decimal(seconds)
    except InvalidOperation as error:
        raise ReadError(f"{path}, line {line}: {seconds[:40]!r} is no time in seconds") from error
    if not value.is_finite() or not 0 <= value < _LATEST_S:
        raise ReadError(f"{path}, line {line}: time {seconds[:40]} s must lie in [0, {_LATEST_S:.0f}) seconds")
    return int((value * 10**9).to_integral_value())


def seconds_text(stamp_ns: int) -> str:
    """Decimal seconds with nine digits, the inverse of `stamp_ns`."""
    return f"{stamp_ns // 10**9}.{stamp_ns % 10**9:09d}"


def matrices(path: Path) -> list[NDArray[np.float64]]:
    """(4, 4) matrices, one of 16 row-major numbers a line."""
    return [_square(path, line, words) for line, words in rows(path, _MATRIX_VALUES)]


def matrix(path: Path) -> NDArray[np.float64]:
    """(3, 3) or (4, 4), all the numbers of a file in row-major order."""
    values: list[float] = []
    for line, words in rows(path):
        values += numbers(path, line, words)
    if len(values) not in (9, _MATRIX_VALUES):
        raise ReadError(f"{path} holds {len(values)} numbers; expected a 3x3 or 4x4 matrix, row by row")
    edge = math.isqrt(len(values))
    return np.array(values).reshape(edge, edge)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; `ReadError` when the file is missing, broken or something else."""
    text = read_text(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path} is no valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ReadError(f"{path} must hold one JSON object; found {type(value).__name__}")
    return value


def number_of(path: Path, values: dict[str, Any], key: str) -> float:
    """`values[key]` as a finite number; `ReadError` when it is missing or something else."""
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
        raise ReadError(f"{path}: {key!r} must be a finite number; found {value!r}")
    return float(value)


def camera_of(path: Path, fx: float, fy: float, cx: float, cy: float, width: float, height: float) -> Camera:
    """A camera from numbers of `path`; `ReadError` naming the file when they make none."""
    try:
        return Camera(fx, fy, cx, cy, int(width), int(height))
    except (InvalidValue, ValueError, OverflowError) as error:
        raise ReadError(f"{path}: {error}") from error


def camera_from_matrix(path: Path, width: int, height: int) -> Camera:
    """A camera from a file that holds a 3x3 or 4x4 intrinsic matrix in pixels."""
    try:
        return Camera.from_matrix(matrix(path), width, height)
    except InvalidValue as error:
        raise ReadError(f"{path}: {error}") from error


def _square(path: Path, line: int, words: list[str]) -> NDArray[np.float64]:
    return np.array(numbers(path, line, words)).reshape(4, 4)
