"""Where to go: a point, some points, a thing that is to be faced, a frontier."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from policies.navigation.approach import EYE_M, places_near
from policies.navigation.graph import Graph
from policies.navigation.turning import Facing, towards
from sim.body import Stand
from sim.errors import InvalidSetting
from spatialmem.ground.frontiers import Frontier

Point = tuple[float, float, float]
WITHIN_M = 0.2
"""so near to a point a body is there, unless asked otherwise"""
_AT_FRONTIER_M = 0.35


class Goal(ABC):
    """Where to go. Which places that means may change as the map grows."""

    @abstractmethod
    def places(self, graph: Graph) -> NDArray[np.int64]:
        """Places (K,) at which the body is there, as the map is now."""

    def facing(self, stand: Stand) -> Facing | None:
        """Where to look from where the body has come to; None: it does not matter."""
        return None


@final
@dataclass(frozen=True)
class ToPoint(Goal):
    """A point of the ground, map frame; with `face_m`, a point to look at from there."""

    point_m: Point
    within_m: float = WITHIN_M
    face_m: Point | None = None

    def __post_init__(self) -> None:
        _check("point_m and within_m", (*self.point_m, self.within_m), self.within_m)

    def places(self, graph: Graph) -> NDArray[np.int64]:
        """Places all of whose columns are within reach of the point; the column of the point for a small `within_m`."""
        found = graph.places_within(np.array(self.point_m), max(self.within_m - 0.5 * graph.voxel_m, graph.voxel_m))
        return found[np.isfinite(graph.price[found])]

    def facing(self, stand: Stand) -> Facing | None:
        return None if self.face_m is None else towards(stand, self.face_m)


@final
@dataclass(frozen=True)
class ToPoints(Goal):
    """The nearest, by way, of some points of the ground."""

    points_m: tuple[Point, ...]
    within_m: float = WITHIN_M

    def __post_init__(self) -> None:
        if not self.points_m:
            raise InvalidSetting("points_m must hold at least one point")

    def places(self, graph: Graph) -> NDArray[np.int64]:
        return np.unique(np.concatenate([ToPoint(point, self.within_m).places(graph) for point in self.points_m]))


@final
@dataclass(frozen=True)
class ToThing(Goal):
    """Near a point of a thing, map frame, looking at it: see `places_near`."""

    point_m: Point
    radius_m: float = 0.9
    eye_m: float = EYE_M
    tilts: bool = False
    """the camera is tilted to it too; it stays so"""

    def __post_init__(self) -> None:
        _check("point_m and radius_m", (*self.point_m, self.radius_m), self.radius_m)

    def places(self, graph: Graph) -> NDArray[np.int64]:
        return places_near(graph, np.array(self.point_m), self.radius_m, self.eye_m)

    def facing(self, stand: Stand) -> Facing | None:
        return towards(stand, self.point_m, self.eye_m if self.tilts else None)


@final
@dataclass(frozen=True)
class ToFrontier(Goal):
    """An edge of the known ground, looking into the unknown."""

    frontier: Frontier

    def places(self, graph: Graph) -> NDArray[np.int64]:
        found = graph.places_within(np.array(self.frontier.position_m), _AT_FRONTIER_M)
        return found[np.isfinite(graph.price[found])]

    def facing(self, stand: Stand) -> Facing | None:
        return Facing(self.frontier.yaw_rad)


def _check(what: str, values: tuple[float, ...], far_m: float) -> None:
    if not all(math.isfinite(v) for v in values) or far_m <= 0.0:
        raise InvalidSetting(f"{what} must be finite, the distance positive; given {values}")


@final
@dataclass(frozen=True)
class ToGround(Goal):
    """The nearest ground where the body has room, within some metres of a point: that below a camera is rarely seen."""

    point_m: Point
    within_m: float = 2.5

    def places(self, graph: Graph) -> NDArray[np.int64]:
        found = graph.places_within(np.array(self.point_m), self.within_m)
        return found[graph.standing.clear[found] & np.isfinite(graph.price[found])]
