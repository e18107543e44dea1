"""The places of a map as a graph: what a metre costs where, which place a body is at, cheapest ways."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from policies.navigation.field import Field, field_kernel
from spatialmem.ground.floors import Floors
from spatialmem.ground.links import links_of
from spatialmem.ground.standing import Standing
from spatialmem.voxels.compiled import leaf

COMFORT_M = 0.45
"""clearance from which on a metre costs a metre"""
_SHY = 1.0
"""what a metre costs more where the body just has room"""
TIGHT = 30.0
"""price where it may have room: obstacles of the map may begin half a voxel further off"""
_SQUEEZED, _SQUEEZED_M = 40.0, 0.45
"""price of places on which the body cannot be by the map, so near to where it is all the same"""
AT_M = 0.3
"""the place of a body is looked for so far off"""


def prices(standing: Standing) -> NDArray[np.float64]:
    """(N,) what a metre costs on each place: 1 in the open, more near things, inf where the body does not fit."""
    clear, radius_m = standing.clearance_m.astype(np.float64), standing.body.radius_m
    comfort_m = max(COMFORT_M, radius_m + standing.free.voxel_size_m)
    price = 1.0 + _SHY * np.clip((comfort_m - clear) / (comfort_m - radius_m), 0.0, 1.0)
    price[clear < radius_m] = TIGHT
    price[clear < radius_m - standing.free.voxel_size_m / 2.0] = np.inf
    return price


@final
@dataclass(frozen=True, eq=False)
class Graph:
    """Places (N) of `floors.standing`, which may be linked to those beside them, and what they cost."""

    floors: Floors
    links: NDArray[np.int32]
    """(N, 8) see `spatialmem.ground.links.links_of`"""
    price: NDArray[np.float64]
    """(N,) of a metre; inf: the body cannot be there"""

    @property
    def standing(self) -> Standing:
        """The places."""
        return self.floors.standing

    @property
    def voxel_m(self) -> float:
        """Edge of a column, metres."""
        return self.standing.free.voxel_size_m

    def place_at(self, point_m: NDArray[np.floating], within_m: float = AT_M) -> int:
        """The place nearest in the plane to a ground point (3,), no more than a step and a voxel above or below it;
        of those about as near, one where the body fits. -1 without any within `within_m`."""
        standing = self.standing
        at = (np.asarray(point_m, np.float64) - standing.free.origin_m) / self.voxel_m
        shape = np.array(standing.free.state.shape, np.int64)
        steps = float(standing.step + 1.5)
        return int(_place_at(standing.voxel, standing.starts, shape, self.price, at, within_m / self.voxel_m, steps))

    def places_within(self, point_m: NDArray[np.floating], radius_m: float, rise_m: float = 0.4) -> NDArray[np.int64]:
        """Places whose middles lie within a radius, in the plane, of a point (3,), and at about its height."""
        off = self.standing.ground_m - np.asarray(point_m, np.float64)
        return np.flatnonzero((np.hypot(off[:, 0], off[:, 1]) <= radius_m) & (np.abs(off[:, 2]) <= rise_m))

    def field(self, goals: NDArray[np.int64]) -> Field:
        """Cheapest ways from everywhere to the nearest of some places; those where the body cannot be are left out."""
        goals = np.asarray(goals, np.int64)
        goals = np.unique(goals[np.isfinite(self.price[goals])])
        cost, length = (np.full(len(self.standing), np.inf) for _ in range(2))
        onward = np.full(len(self.standing), -1, np.int32)
        field_kernel(self.standing.ground_m, self.links, self.price, goals, cost, length, onward)
        return Field(self.floors, goals, cost, length, onward)

    def priced(self, price: NDArray[np.float64]) -> Graph:
        """The same places at other prices (N,)."""
        return replace(self, price=price)

    def eased(self, place: int, always: bool = False) -> Graph:
        """The same for a body that is at a place where it should not fit (`always`: or should): it is there, so it may
        get away over what is around it."""
        if math.isfinite(self.price[place]) and not always:
            return self
        price, around = self.price.copy(), self.places_within(self.standing.ground_m[place], _SQUEEZED_M)
        price[around] = np.minimum(price[around], _SQUEEZED)
        return self.priced(price)


def graph_of(floors: Floors) -> Graph:
    """The graph of all places of a map."""
    return Graph(floors, links_of(floors.standing), prices(floors.standing))


@leaf
def _place_at(places, starts, shape, price, at, within, steps):
    """See `Graph.place_at`, in voxels; a place that does not fit counts as a column further off."""
    reach = int(math.ceil(within))
    x, y, best, least = int(math.floor(at[0])), int(math.floor(at[1])), -1, np.inf
    for i in range(max(0, x - reach), min(shape[0], x + reach + 1)):
        for j in range(max(0, y - reach), min(shape[1], y + reach + 1)):
            away = math.sqrt((i + 0.5 - at[0]) ** 2 + (j + 0.5 - at[1]) ** 2)
            if (i != x or j != y) and away > within:
                continue
            for place in range(starts[i * shape[1] + j], starts[i * shape[1] + j + 1]):
                off = away + (0.0 if price[place] < np.inf else 1.0)
                if off < least and abs(places[place, 2] - at[2]) <= steps:
                    best, least = place, off
    return best
