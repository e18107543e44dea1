"""What users give, told apart from what only looks like it: numbers, and the parts of a frame."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidFrame

_MILLIMETRE_MEDIAN = 100.0  # no depth camera of an indoor robot sees a median of 100 m


def described(value: Any) -> str:
    """A short form of any value for an error message; arrays by dtype and shape."""
    if isinstance(value, np.ndarray) and value.size > 16:
        return f"{value.dtype} array of shape {value.shape}"
    return reprlib.repr(value.tolist() if isinstance(value, np.ndarray) else value)


def real_number(value: Any) -> float | None:
    """`value` as a float when it is a real number (of numpy too) but no bool; else None. May be NaN or infinite."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:  # an int beyond the largest float
        return None


def finite_number(value: Any) -> float | None:
    """`value` as a float when it is a finite real number, else None."""
    number = real_number(value)
    return number if number is not None and math.isfinite(number) else None


def whole_number(value: Any) -> int | None:
    """`value` as an int when it is a whole number (2, 2.0, of numpy too; no bool), else None."""
    number = finite_number(value)
    return None if number is None or number != math.floor(number) else int(value)


def numeric_array(value: Any) -> NDArray[np.float64] | None:
    """`value` as float64 when it is an array, nested sequence or iterator of numbers; None for text, ragged and so on.

    An array that is float64 already is not copied.
    """
    try:
        given = np.asarray(list(value) if isinstance(value, Iterator) else value)
    except (TypeError, ValueError, RuntimeError):  # ragged, or an array of another library that numpy cannot read
        return None
    return given.astype(np.float64, copy=False) if given.dtype.kind in "fiu" else None


def check_mask(valid: NDArray[np.bool_], shape: tuple[int, ...]) -> None:
    """The mask of a frame is bool and of the image's shape (H, W), or `InvalidFrame`."""
    if not isinstance(valid, np.ndarray) or valid.dtype != np.bool_ or valid.shape != shape:
        given = f"{valid.dtype} {valid.shape}" if isinstance(valid, np.ndarray) else described(valid)
        raise InvalidFrame(
            f"valid must be bool of shape {shape}; given {given}; make it with numpy.asarray(valid, bool), False where "
            "a pixel must be ignored"
        )


def checked_seq(seq: int | None) -> int | None:
    """The number of a frame as an int from 0 on, or None."""
    if seq is None:
        return None
    number = whole_number(seq)
    if number is None or not 0 <= number < 2**63:
        raise InvalidFrame(
            f"seq must be an integer from 0 on, or None; given {described(seq)}; None lets the memory number frames"
        )
    return number


def checked_sigma(pose_sigma: tuple[float, float] | None) -> tuple[float, float] | None:
    """The uncertainty of a pose as two floats, metres and radians, or None."""
    if pose_sigma is None:
        return None
    pair = numeric_array(pose_sigma)
    if pair is None or pair.shape != (2,) or not np.isfinite(pair).all() or (pair < 0).any():
        raise InvalidFrame(
            f"pose_sigma must be two finite numbers from 0 on, metres and radians; given {described(pose_sigma)}; "
            "give (0.01, 0.005), say, or None when it is not known"
        )
    return float(pair[0]), float(pair[1])


def checked_depth(depth_m: NDArray[np.floating], shape: tuple[int, ...], unit: str | None) -> NDArray[np.float32]:
    """(H, W) float32 metres; `InvalidFrame` when it is of another form, or looks to be in another unit."""
    if not isinstance(depth_m, np.ndarray) or depth_m.shape != shape:
        raise InvalidFrame(
            f"depth_m must have the shape of rgb, {shape}; given {getattr(depth_m, 'shape', type(depth_m).__name__)}; "
            "register depth to colour and resize it (nearest neighbour) first"
        )
    if not np.issubdtype(depth_m.dtype, np.floating):
        raise InvalidFrame(
            f"depth_m must be float32 metres; given {depth_m.dtype}; divide raw depth by its scale "
            "(1000 for millimetres, 5000 for TUM) and convert to float32"
        )
    depth = np.ascontiguousarray(depth_m, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        readings = depth[np.isfinite(depth) & (depth > 0)]
    if readings.size == 0:
        return depth
    median, largest = float(np.median(readings[:: max(1, readings.size // 4096)])), float(readings.max())
    if median > _MILLIMETRE_MEDIAN:
        raise InvalidFrame(
            f"depth_m has a median of {median:.0f}, which looks like millimetres; divide by 1000 "
            "(or set depth_scale in the recording's spatialmem.json)"
        )
    if largest <= 1.0 and unit is None:
        raise InvalidFrame(
            f"depth_m never exceeds 1.0 (largest {largest:.3f}), which looks like normalised depth; multiply by the "
            'sensor\'s maximum range, or pass depth_unit="m" if everything really is nearer than a metre'
        )
    return depth
