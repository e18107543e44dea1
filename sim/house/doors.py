"""What language says of doors: between which rooms they are, and whether they are open."""

from __future__ import annotations

import math

import numpy as np

from sim.house.house import House
from sim.house.layout.plan import Opening, Passage
from sim.house.truth import ThingState

_CLOSED_DEG = 10.0
"""leaves that stand this near to their wall are closed"""


def door_words(house: House, state: ThingState) -> dict[str, str]:
    """`state`: open or closed; `joins`: "the kitchen and the hallway", of inner doors. Empty for what is no door."""
    opening = opening_of(house, state.thing.thing_id)
    if opening is None:
        return {}
    along = state.world_from_thing[:2, 0][opening.axis]
    words = {"state": "closed" if abs(along) > math.cos(math.radians(_CLOSED_DEG)) else "open"}
    if opening.passage is Passage.DOOR:
        first, second = (house.rooms[i].kind.replace("kids room", "kids' room") for i in opening.rooms)
        words["joins"] = f"the {first} and the {second}"
    return words


def opening_of(house: House, thing_id: int) -> Opening | None:
    """The hole in the wall that a door leaf hangs in; None for what is no door."""
    thing = house.thing(thing_id)
    passage = {"door": Passage.DOOR, "front door": Passage.FRONT}.get(thing.category)
    if passage is None:
        return None
    hinge = thing.world_from_thing[:2, 3]
    near = [o for o in house.plan.openings_of(thing.room_id) if o.passage is passage and o.leaf_room == thing.room_id]
    return min(near, key=lambda o: float(np.linalg.norm(_hinge(o) - hinge)), default=None)


def _hinge(o: Opening) -> np.ndarray:
    along = o.end_m if o.hinge_end else o.start_m
    return np.array((along, o.line_m) if o.axis == 0 else (o.line_m, along))
