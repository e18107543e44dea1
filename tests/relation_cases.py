"""Things of the map made by hand: points over the faces of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatialmem.things import MapObject
from spatialmem.types import Presence

_STEP_M = 0.03


def box(
    object_id: int, name: str, at: tuple[float, float, float], size: tuple[float, float, float],
    points: NDArray[np.floating] | None = None,
) -> MapObject:  # fmt: skip
    """A closed box of a size whose bottom has its middle at a point."""
    low = np.array(at) - (size[0] / 2.0, size[1] / 2.0, 0.0)
    high = low + np.array(size)
    points = faces(low, high) if points is None else points
    return MapObject(
        object_id, name, (low + high) / 2.0, low, high, points.astype(np.float32), None, 0, 0, 1, 1, Presence.PRESENT,
        2, (),
    )  # fmt: skip


def table(object_id: int, name: str, at: tuple[float, float], size: tuple[float, float], height: float) -> MapObject:
    """A top on four thin legs."""
    low, high = (
        np.array([at[0] - size[0] / 2, at[1] - size[1] / 2]),
        np.array([at[0] + size[0] / 2, at[1] + size[1] / 2]),
    )
    top = _plane(low, high, height)
    heights = np.arange(0.0, height, _STEP_M)
    legs = [np.column_stack([np.full_like(heights, x), np.full_like(heights, y), heights])
            for x in (low[0], high[0]) for y in (low[1], high[1])]  # fmt: skip
    return box(object_id, name, (*at, 0.0), (*size, height), np.concatenate([top, *legs]))


def basket(
    object_id: int, name: str, at: tuple[float, float, float], size: tuple[float, float, float]
) -> MapObject:  # fmt: skip
    """A box without its top."""
    whole = box(object_id, name, at, size)
    return box(object_id, name, at, size, whole.points_m[whole.points_m[:, 2] < whole.box_max_m[2] - 1e-3])


def faces(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) over all six faces of a box."""
    axes = [np.linspace(a, b, max(2, int((b - a) / _STEP_M) + 1)) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[(np.isclose(grid, low) | np.isclose(grid, high)).any(axis=1)]


def _plane(low: NDArray[np.float64], high: NDArray[np.float64], height: float) -> NDArray[np.float64]:
    x, y = np.meshgrid(np.arange(low[0], high[0], _STEP_M), np.arange(low[1], high[1], _STEP_M))
    return np.column_stack([x.ravel(), y.ravel(), np.full(x.size, height)])
