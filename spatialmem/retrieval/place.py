"""What is known of a place where nothing answers: never looked at, seen empty, or something else is there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Presence
from spatialmem.voxels.free_reading import OCCUPIED, UNKNOWN
from spatialmem.voxels.search import Filter

_MOST_POINTS = 20_000
_LOOKED_SHARE = 0.1
"""share of a place that must have been in view before it counts as looked at"""


def what_is_there(
    chosen: Filter, spacing_m: float, states: Callable[[NDArray[np.float64]], NDArray[np.uint8]]
) -> Presence | None:
    """State of the ball or box of a query; None when it has neither, or one without end.

    Args:
        chosen: the conditions of the query.
        spacing_m: distance between the points that are looked up; grows with the place.
        states: (N, 3) points -> (N,) 0 unknown, 1 free, 2 occupied.
    """
    points = _points(chosen, spacing_m)
    if points is None:
        return None
    state = states(points)
    if (state != UNKNOWN).mean() < _LOOKED_SHARE:
        return Presence.NEVER_LOOKED
    return Presence.SOMETHING_ELSE if (state == OCCUPIED).any() else Presence.FREE


def _points(chosen: Filter, spacing_m: float) -> NDArray[np.float64] | None:
    low, high = np.full(3, -np.inf), np.full(3, np.inf)
    if chosen.box_m is not None:
        low, high = chosen.box_m
    if chosen.centre_m is not None:
        low, high = (
            np.maximum(low, chosen.centre_m - chosen.radius_m),
            np.minimum(high, chosen.centre_m + chosen.radius_m),
        )
    if not np.isfinite([low, high]).all() or (low > high).any():
        return None
    counts = np.maximum(1, np.ceil((high - low) / spacing_m)).astype(int)
    while counts.prod() > _MOST_POINTS:
        counts = np.maximum(1, counts * 3 // 4)
    axes = [low[a] + (np.arange(counts[a]) + 0.5) * (high[a] - low[a]) / counts[a] for a in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    if chosen.centre_m is not None:
        points = points[((points - chosen.centre_m) ** 2).sum(1) <= chosen.radius_m**2]
    return points if len(points) else None
