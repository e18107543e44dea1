"""A way over the ground of a map, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.ground.floors import Floors


@final
@dataclass(frozen=True, eq=False)
class Route:
    """A way from place to place, each linked to the one before."""

    places: NDArray[np.int64]
    """(M,) indices into `Floors.standing`"""
    points_m: NDArray[np.float64]
    """(M, 3) of the ground, map frame"""
    length_m: float
    """over the ground, climbs included, from column to column: up to 8 % more than a body walks that goes straight"""
    floors: tuple[int, ...]
    """numbers of the floors that it leads over, in their order along it"""
    clearance_m: float
    """least room on the way, as in `Standing.clearance_m`"""

    @classmethod
    def over(cls, floors: Floors, places: NDArray[np.int64], length_m: float) -> Route:
        """The route over some places (M,)."""
        standing, on = floors.standing, floors.floor_of[places]
        on = on[on >= 0].tolist()
        crossed = tuple(floor for n, floor in enumerate(on) if n == 0 or on[n - 1] != floor)
        clear_m = float(standing.clearance_m[places].min())
        return cls(places, standing.ground_m[places], length_m, crossed, clear_m)
