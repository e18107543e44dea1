"""Which kind of room a thing is in, told by the furniture around it. Nothing of a context says it; homes are alike."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from policies.planner.answering.words import likeness, tidy, without_article
from spatialmem.retrieval.context import ShownObject

TELLING: dict[str, tuple[str, ...]] = {
    "kitchen": ("stove", "refrigerator", "kitchen counter", "kitchen island", "kitchen sink", "dishwasher",
                "wall cabinet"),
    "bathroom": ("toilet", "bathtub", "shower", "washbasin", "towel rail"),
    "bedroom": ("double bed", "single bed", "nightstand", "wardrobe"),
    "kids' room": ("crib", "bunk bed"),
    "living room": ("sofa", "TV stand", "television", "coffee table", "fireplace"),
    "dining room": ("dining table",),
    "office": ("desk", "office chair", "monitor", "printer"),
    "laundry room": ("washing machine", "tumble dryer", "ironing board"),
    "hallway": ("coat rack", "shoe rack", "console table"),
    "storage room": ("storage rack", "workbench"),
    "library": ("bookshelf",),
    "gym": ("treadmill", "exercise bike", "dumbbell rack"),
}  # fmt: skip
"""kind of room -> the furniture that it is told by"""
_WEAK = {
    "desk": 0.5,
    "dining table": 0.6,
    "bookshelf": 0.3,
    "wardrobe": 0.6,
    "console table": 0.5,
    "washbasin": 0.7,
    "storage rack": 0.4,
}
"""what stands in other rooms too"""
_REACH_M, _STOREY_M = 1.6, 1.8
"""how far furniture speaks for what is around it; by how much it may be higher or lower"""
_ALIKE = {"hall": "hallway", "corridor": "hallway", "child's room": "kids' room", "children's room": "kids' room",
          "study": "office", "lounge": "living room"}  # fmt: skip


def rooms_of(thing: ShownObject, things: Sequence[ShownObject]) -> dict[str, float]:
    """Share by kind of room, the likeliest first; empty where no furniture around tells."""
    weights: dict[str, float] = defaultdict(float)
    for other in things:
        told = _told_by(other.name)
        if told is None or abs(float(thing.position_m[2] - other.position_m[2])) > _STOREY_M:
            continue
        far_m = float(np.linalg.norm((thing.position_m - other.position_m)[:2]))
        weights[told[0]] += told[1] * math.exp(-((far_m / _REACH_M) ** 2))
    total = sum(weights.values())
    if total < 0.05:
        return {}
    return {room: weight / total for room, weight in sorted(weights.items(), key=lambda w: (-w[1], w[0]))}


def same_kind(a: str, b: str) -> bool:
    """Whether two words mean the same kind of room."""
    first, second = (_ALIKE.get(word, word) for word in (without_article(a), without_article(b)))
    return first == second


def _told_by(name: str) -> tuple[str, float] | None:
    for room, furniture in TELLING.items():
        for piece in furniture:
            if tidy(name) == tidy(piece) or likeness(name, piece) >= 0.8:
                return room, _WEAK.get(piece, 1.0)
    return None
