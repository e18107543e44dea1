"""What a body ran into that its map does not show: at first to be kept away from, after some bumps closed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from policies.navigation.graph import TIGHT, Graph
from sim.body import Stand

_AHEAD_M, _AROUND_M = 0.12, 0.13
"""the middle of the body cannot come to what lies so far ahead, so near around it"""
_DEARER = 4.0
_SAME_M, _BELIEVED = 0.3, 3
"""so many bumps so near each other close what is there"""
_RISE_M = 0.4


@final
@dataclass
class Bumps:
    """Where moves ended early."""

    _where: list[tuple[float, float, float]] = field(default_factory=list)
    """what was run into: x, y, z of the ground"""
    _from: list[tuple[float, float, float]] = field(default_factory=list)
    """x, y and yaw of the body at that"""

    def add(self, stand: Stand) -> None:
        """A move ahead ended early at a stand."""
        x, y = (stand.x_m + _AHEAD_M * math.cos(stand.yaw_rad), stand.y_m + _AHEAD_M * math.sin(stand.yaw_rad))
        self._where.append((x, y, stand.z_m))
        self._from.append((stand.x_m, stand.y_m, stand.yaw_rad))

    def __len__(self) -> int:
        return len(self._where)

    @property
    def bans(self) -> NDArray[np.float64]:
        """(B, 3) x, y and yaw from which a move ended early."""
        return np.array(self._from, np.float64).reshape(-1, 3)

    def forgive(self, count: int) -> None:
        """Forget the first ones: a door may be open again."""
        del self._where[:count], self._from[:count]

    def applied(self, graph: Graph) -> Graph:
        """The graph with what was run into dear or closed; of what is tight anyway more is closed."""
        if not self._where:
            return graph
        price, where = graph.price.copy(), np.array(self._where)
        for point in where:
            around = graph.places_within(point, _AROUND_M, _RISE_M)
            if int((np.linalg.norm(where - point, axis=1) < _SAME_M).sum()) < _BELIEVED:
                price[around] = np.maximum(price[around], _DEARER)
                continue
            wider = graph.places_within(point, _SAME_M, _RISE_M)
            price[around] = price[wider[graph.price[wider] >= TIGHT]] = np.inf
        return graph.priced(price)
