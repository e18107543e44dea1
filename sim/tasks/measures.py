"""Success, SPL, SoftSPL and distance to the goal, as Habitat measures them.

Source: facebookresearch/habitat-lab at 0fb6f43, habitat-lab/habitat/tasks/nav/nav.py, classes DistanceToGoal (geodesic
to the nearest view point of any goal), Success (stopped, and strictly nearer than `success_distance`), SPL and SoftSPL
(Anderson et al. 2018; Datta et al. 2020). The way gone is the sum of straight lengths between the places after each
action, climbs included. Where Habitat divides zero by zero, because an episode starts at its goal, the limit is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray


def path_share(shortest_m: float, gone_m: float) -> float:
    """Shortest length over the length gone or the shortest, whichever is longer; 0 when there is no way at all."""
    if not math.isfinite(shortest_m):
        return 0.0
    longest = max(shortest_m, gone_m)
    return shortest_m / longest if longest > 0.0 else 1.0


def spl(success: bool, shortest_m: float, gone_m: float) -> float:
    """Success weighted by path length, in [0, 1]."""
    return path_share(shortest_m, gone_m) if success else 0.0


def soft_spl(distance_m: float, shortest_m: float, gone_m: float) -> float:
    """The same with the share of the way to the goal that was made, at least 0, in place of success."""
    if not math.isfinite(shortest_m) or not math.isfinite(distance_m):
        return 0.0
    left = distance_m / shortest_m if shortest_m > 0.0 else float(distance_m > 0.0)
    return max(0.0, 1.0 - left) * path_share(shortest_m, gone_m)


@final
@dataclass
class Leg:
    """The way to one goal: what is measured on it."""

    at_m: NDArray[np.float64]
    """(3,) ground point where the body is"""
    shortest_m: float
    """geodesic distance to the goal where it began"""
    distance_m: float
    """the same from where the body is"""
    steps: int = 0
    """actions, STOP included"""
    gone_m: float = 0.0
    collisions: int = 0
    stopped: bool = False

    def moved(self, to_m: NDArray[np.float64], distance_m: float, collided: bool) -> None:
        """An action has put the body somewhere."""
        self.gone_m += float(np.linalg.norm(to_m - self.at_m))
        self.at_m, self.distance_m = to_m, distance_m
        self.collisions += collided

    def reached(self, success_m: float) -> bool:
        """Whether the body stopped nearer to the goal than that."""
        return self.stopped and self.distance_m < success_m

    def measured(self, success_m: float, soft_needs_stop: bool) -> dict[str, float]:
        """The metrics of this goal by Habitat's names, and what they are made of."""
        success = self.reached(success_m)
        soft = soft_spl(self.distance_m, self.shortest_m, self.gone_m)
        return {
            "success": float(success),
            "spl": spl(success, self.shortest_m, self.gone_m),
            "softspl": soft if self.stopped or not soft_needs_stop else 0.0,
            "distance_to_goal": self.distance_m,
            "num_steps": float(self.steps),
            "collisions": float(self.collisions),
            "path_length_m": self.gone_m,
            "shortest_m": self.shortest_m,
        }
