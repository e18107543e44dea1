"""What navigation asks of a memory."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spatialmem.ground.floors import Floors
from spatialmem.ground.standing import Body


class GroundSource(Protocol):
    """A `spatialmem.SpatialMemory`, open or of an earlier time; or whatever else knows the ground."""

    def floors(self, body: Body | None = None) -> Floors:
        """The ground as it is known now."""
        ...

    def occupancy(self, points_m: NDArray[np.floating]) -> NDArray[np.uint8]:
        """(N,) 0 unknown, 1 free, 2 occupied at (N, 3) points of the map frame, metres."""
        ...
