"""Over ground that was not seen, as that below a camera often is at first: straight to the nearest that was."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import final

import numpy as np

from policies.navigation.graph import Graph
from policies.navigation.turning import turn_to
from sim.body import Action, Motion, Stand

BLIND_M = 2.5
"""known ground no further off is gone to"""
_RISE_M = 0.5
_MOST = 40
"""actions"""
_WIDE_RAD = 0.6
"""headings so near to one on which the body bumped are left"""


@final
@dataclass
class Blind:
    """Goes to known ground."""

    motion: Motion
    _steps: int = 0
    _closed: list[float] = field(default_factory=list)
    """headings on which it bumped"""

    def bumped(self, stand: Stand) -> None:
        """A move ahead ended early."""
        self._closed.append(stand.yaw_rad)

    def next(self, graph: Graph, stand: Stand) -> Action | None:
        """The next action; None when there is nothing to go to, or it took too many."""
        off = graph.standing.ground_m - stand.ground_m
        far = np.hypot(off[:, 0], off[:, 1])
        far[(np.abs(off[:, 2]) > _RISE_M) | ~np.isfinite(graph.price)] = np.inf
        headings = np.arctan2(off[:, 1], off[:, 0])
        for closed in self._closed:
            far[np.abs((headings - closed + math.pi) % (2.0 * math.pi) - math.pi) < _WIDE_RAD] = np.inf
        self._steps += 1
        if self._steps > _MOST or not len(far) or not far.min() <= BLIND_M:
            return None
        return turn_to(stand, float(headings[int(np.argmin(far))]), self.motion) or Action.FORWARD
