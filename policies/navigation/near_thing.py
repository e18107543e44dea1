"""A thing of the map as a goal: anywhere near some of its surface from where it can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from policies.navigation.approach import EYE_M, places_near
from policies.navigation.goals import Goal
from policies.navigation.graph import Graph
from policies.navigation.turning import Facing, towards
from sim.body import Stand

_POINTS = 8
"""of the thing that are tried"""
_FURTHER_M = (0.0, 0.5, 1.5, 3.0)
"""where no place is near enough, one so much further off will do: from there more of the ground is seen"""


@final
@dataclass(frozen=True, eq=False)
class NearThing(Goal):
    """Within `near_m`, over the plan, of points (N, 3) of a thing's surface, map frame, looking at its middle."""

    points_m: NDArray[np.floating]
    near_m: float = 0.7
    eye_m: float = EYE_M

    def places(self, graph: Graph) -> NDArray[np.int64]:
        some = np.asarray(self.points_m, np.float64)[:: max(1, len(self.points_m) // _POINTS)]
        for further_m in _FURTHER_M:
            reach_m = self.near_m + further_m
            found = np.unique(np.concatenate([places_near(graph, point, reach_m, self.eye_m) for point in some]))
            if len(found):
                return found
        return np.empty(0, np.int64)

    def off_m(self, stand: Stand) -> float:
        """How far, over the plan, the body is from the nearest of the points."""
        return float(np.linalg.norm(np.asarray(self.points_m)[:, :2] - stand.ground_m[:2], axis=1).min())

    def facing(self, stand: Stand) -> Facing | None:
        x, y, z = (float(v) for v in np.mean(self.points_m, axis=0))
        return towards(stand, (x, y, z))
