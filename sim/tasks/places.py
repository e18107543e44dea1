"""Where episodes start, and what is there to be looked for: drawn from any scene by what every scene tells."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.scene import Scene
from sim.tasks.phrases import Describer

NEAREST_M, FURTHEST_M = 1.0, 30.0
"""geodesic distance of a start from its goal"""
_STRAIGHT = 1.05
"""ratio of geodesic to straight distance below which most starts are passed over"""
_TRIES = 200
"""starts for one goal"""


def kept_share(ratio: float) -> float:
    """Which share of the starts of a ratio of geodesic to straight distance is kept, so that few ways are straight.

    Source: habitat-lab, datasets/pointnav/pointnav_generator.py, `_ratio_sample_rate`, as are the distances from 1 to
    30 m; the ratio 1.05 is that of the generator of its ObjectNav episodes (object_nav_generator.py).
    """
    return 1.0 if ratio >= _STRAIGHT else 20.0 * (ratio - 0.98) ** 2


@final
class Stock:
    """What a scene offers now, looked up once. It is of no use after the scene has changed."""

    def __init__(self, scene: Scene, groups: Sequence[str], categories: Sequence[str]) -> None:
        """Things of `groups` are looked for, of `categories` alone when there are any."""
        self.scene, there = scene, scene.objects()
        self.describer = Describer(there)
        self.things = tuple(t for t in there if t.group in groups and (not categories or t.category in categories))
        self.categories = tuple(sorted({t.category for t in self.things}))
        self._views: dict[str, NDArray[np.float64]] = {}
        self._away: dict[tuple[str, ...], Callable[[NDArray[np.floating]], float]] = {}

    def views_m(self, object_ids: Iterable[str]) -> NDArray[np.float64]:
        """(N, 3) ground points from which any of some things counts as found."""
        for i in object_ids:
            if i not in self._views:
                self._views[i] = self.scene.viewpoints_m(i)
        return np.concatenate([np.empty((0, 3)), *(self._views[i] for i in object_ids)])

    def away(self, object_ids: Sequence[str]) -> Callable[[NDArray[np.floating]], float]:
        """Geodesic distance of ground points to the nearest viewpoint of some things, inf without one."""
        key = tuple(object_ids)
        if key not in self._away:
            views_m = self.views_m(key)
            self._away[key] = self.scene.distances_to(views_m) if len(views_m) else lambda _: math.inf
        return self._away[key]

    def ids_of(self, category: str) -> tuple[str, ...]:
        """Things of a category that can be found."""
        return tuple(t.object_id for t in self.describer.instances(category) if len(self.views_m([t.object_id])))


def start(
    stock: Stock, object_ids: Sequence[str], rng: np.random.Generator
) -> tuple[tuple[float, float, float], float, float] | None:
    """A ground point with a way to some things, neither short nor straight, a heading (rad) and the way's length.

    As Habitat's generator draws them (`kept_share`), but for one thing: the straight distance is that to the nearest
    viewpoint, to which the way leads as well, not to the middle of the thing. None when no start is found.
    """
    views_m, away = stock.views_m(object_ids), stock.away(object_ids)
    places_m = stock.scene.standing_places_m()
    if not len(views_m) or not len(places_m):
        return None
    for n in rng.integers(len(places_m), size=_TRIES):
        at_m = places_m[n]
        keep = float(rng.uniform())
        far_m = away(at_m)
        if not NEAREST_M <= far_m <= FURTHEST_M:
            continue
        straight_m = float(np.linalg.norm(views_m - at_m, axis=1).min())
        if keep < kept_share(far_m / max(straight_m, 1e-6)):
            x, y, z = (float(v) for v in at_m)
            return (x, y, z), float(rng.uniform(-math.pi, math.pi)), far_m
    return None
