"""A made thing at a place, and whether it is in the way of others."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.house.category import Made
from sim.house.layout.plan import Rect
from sim.house.shape import Footprint, Region, placed


@dataclass(frozen=True, eq=False)
class Placement:
    """A thing where it stands. Angles turn anticlockwise seen from above; at 0 its front looks along +y."""

    made: Made
    x_m: float
    y_m: float
    z_m: float
    yaw_deg: float
    room_id: int
    support: int = -1
    """index of the placement it is in, on or under; -1: floor, wall or ceiling"""
    region: int = -1
    """index of the region of the support"""

    @property
    def world_from_thing(self) -> NDArray[np.float64]:
        """(4, 4) float64."""
        return placed((self.x_m, self.y_m, self.z_m), yaw_deg=self.yaw_deg)

    @property
    def top_m(self) -> float:
        """Height of its highest point."""
        return self.z_m + float(self.made.shape.box_m[1][2])

    @functools.cached_property
    def rect(self) -> Rect:
        """The bounding rectangle of the whole shape on the plan."""
        low, high = self.made.shape.box_m
        return self.turned(
            Footprint((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, high[0] - low[0], high[1] - low[1])
        )

    def turned(self, local: Footprint) -> Rect:
        """The bounding rectangle on the plan of a rectangle in the thing's own frame."""
        cos, sin = math.cos(math.radians(self.yaw_deg)), math.sin(math.radians(self.yaw_deg))
        x = self.x_m + local.x_m * cos - local.y_m * sin
        y = self.y_m + local.x_m * sin + local.y_m * cos
        half_x = (abs(cos) * local.width_m + abs(sin) * local.depth_m) / 2.0
        half_y = (abs(sin) * local.width_m + abs(cos) * local.depth_m) / 2.0
        return Rect(x - half_x, y - half_y, x + half_x, y + half_y)

    def front(self, depth_m: float) -> Rect:
        """The ground that is kept free in front of it."""
        low, high = self.made.shape.box_m
        return self.turned(Footprint((low[0] + high[0]) / 2, high[1] + depth_m / 2, high[0] - low[0], depth_m))

    def region_point(self, region: Region, x_m: float = 0.0, y_m: float = 0.0) -> tuple[float, float, float]:
        """World position of a point of a region, given from the region's middle along the thing's own axes."""
        p = self.world_from_thing @ np.array([region.x_m + x_m, region.y_m + y_m, region.z_m, 1.0])
        return float(p[0]), float(p[1]), float(p[2])
