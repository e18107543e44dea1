"""Puts small things on, in and under furniture, into bowls and crates, and along the walls of the floor."""

from __future__ import annotations

from collections import Counter

import numpy as np

from sim.house.category import Category, Made, make
from sim.house.layout.furnisher import Furnisher
from sim.house.layout.placement import Placement
from sim.house.layout.plan import Rect
from sim.house.shape import Region
from sim.house.shapes.object_table import THINGS

PER_REGION: dict[str, tuple[int, int]] = {
    "counter": (1, 4), "dining table": (3, 8), "coffee table": (1, 4), "side table": (0, 2), "desk": (3, 6),
    "shelf": (1, 3), "cabinet top": (1, 4), "dresser": (1, 4), "nightstand": (1, 3), "console": (1, 4),
    "wall shelf": (2, 4), "mantel": (1, 4), "piano": (0, 2), "tv stand": (0, 1), "television place": (0, 0),
    "storage shelf": (1, 4), "workbench": (2, 5), "washbasin": (1, 2), "bath edge": (0, 2), "bathtub": (0, 1),
    "shower shelf": (1, 2), "toilet": (0, 1), "machine top": (0, 2), "sink": (0, 3), "hob": (0, 1),
    "fridge top": (0, 1), "bed": (0, 2), "sofa": (0, 1), "chair": (0, 1), "bench": (0, 2), "ottoman": (0, 1),
    "shoes": (0, 3), "under desk": (0, 1), "under bed": (0, 1), "table shelf": (0, 2), "cubby": (0, 2),
    "ironing board": (0, 1), "bowl": (1, 5), "crate": (1, 4), "board": (0, 2), "box": (0, 1),
}  # fmt: skip
"""kind of region -> fewest and most things drawn for it; a place that is too small holds fewer"""

_RARE = {"chair": 0.15, "hob": 0.4, "fridge top": 0.4, "box": 0.2, "ottoman": 0.3, "under bed": 0.5, "toilet": 0.6}
"""kind of region -> share of such regions that hold anything"""

_TRIES = 14


def populate(rng: np.random.Generator, furnishers: list[Furnisher], density: float) -> list[Placement]:
    """Furniture of all rooms with small things added; supports always come before what they hold.

    `density` scales how many things there are; 1 is a lived-in house.
    """
    placements: list[Placement] = []
    for f in furnishers:
        first = len(placements)
        for item in f.items:
            support = item.support + first if item.support >= 0 else -1
            placements.append(_moved(item, support))
    index = 0
    while index < len(placements):  # what is added has regions too: fruit lies in bowls
        support = placements[index]
        kind = furnishers[support.room_id].room.kind
        for number, region in enumerate(support.made.shape.regions):
            placements.extend(_fill(rng, support, index, number, region, kind, density))
        index += 1
    return placements


def _moved(item: Placement, support: int) -> Placement:
    return Placement(item.made, item.x_m, item.y_m, item.z_m, item.yaw_deg, item.room_id, support, item.region)


def _fill(
    rng: np.random.Generator, support: Placement, index: int, number: int, region: Region, room: str, density: float
) -> list[Placement]:
    low, high = PER_REGION[region.kind]
    if rng.uniform() > _RARE.get(region.kind, 1.0):
        return []
    count = int(rng.binomial(high, min(1.0, density * 0.65))) if high else 0
    count = max(count, low if density >= 0.5 else 0)
    taken: list[Rect] = []
    kinds: Counter[str] = Counter()
    found: list[Placement] = []
    options = [c for c in THINGS if region.kind in c.places and (not c.rooms or room in c.rooms)]
    for _ in range(count):
        left = [c for c in options if kinds[c.name] < c.most and c.smallest_m[2] < region.height_m]
        if not left:
            break
        chosen = _chosen(rng, left, kinds)
        thing = _put(rng, support, index, number, region, make(chosen, rng), taken)
        if thing is not None:
            kinds[chosen.name] += 1
            found.append(thing)
    return found


def _chosen(rng: np.random.Generator, options: list[Category], kinds: Counter[str]) -> Category:
    """Any of them; kinds that are already there come again more often where many may be (plates, apples, cans)."""
    weights = np.array([1.0 + 2.5 * min(kinds[c.name], 1) * (c.most > 2) for c in options])
    return options[int(rng.choice(len(options), p=weights / weights.sum()))]


def _put(
    rng: np.random.Generator, support: Placement, index: int, number: int, region: Region, made: Made, taken: list[Rect]
) -> Placement | None:
    """The thing at a free spot of the region, or None when it is too large for what is left."""
    low, high = (c.astype(float) for c in made.shape.box_m)
    if high[2] > region.height_m:
        return None
    for attempt in range(_TRIES):
        yaw = float(rng.normal(0.0, 6.0)) if made.category.flat else float(rng.uniform(-180.0, 180.0))
        spot = Placement(made, 0.0, 0.0, 0.0, yaw, support.room_id).rect
        room_x, room_y = region.width_m - spot.width, region.depth_m - spot.depth
        if room_x < 0.0 or room_y < 0.0:
            if attempt == 0 and made.category.flat:
                return None
            continue
        x = float(rng.uniform(-room_x / 2, room_x / 2)) - (spot.x0 + spot.x1) / 2
        y = float(rng.uniform(-room_y / 2, room_y / 2)) - (spot.y0 + spot.y1) / 2
        here = Rect(spot.x0 + x, spot.y0 + y, spot.x1 + x, spot.y1 + y)
        if any(here.grown(0.006).overlaps(t) for t in taken):
            continue
        taken.append(here)
        wx, wy, wz = support.region_point(region, x, y)
        return Placement(
            made, wx, wy, wz - float(low[2]) + 0.0005, support.yaw_deg + yaw, support.room_id, index, number
        )
    return None


def things_on_the_floor(f: Furnisher, density: float) -> None:
    """A few things along the walls; children leave more of them."""
    most = 5 if f.room.kind == "kids room" else 3 if f.room.kind in ("gym", "storage room", "hallway") else 2
    options = [c for c in THINGS if "floor" in c.places and (not c.rooms or f.room.kind in c.rooms)]
    for _ in range(int(f.rng.binomial(most, min(1.0, 0.6 * density)))):
        chosen = options[int(f.rng.integers(len(options)))]
        f.wall(chosen.name, made=make(chosen, f.rng), clear_m=0.0, shift_m=float(f.rng.uniform(0.03, 0.12)))
