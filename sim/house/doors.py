"""Doors of a house: how they hang open and shut, which rooms are shut when some of them are, and words for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.layout.plan import Opening, Passage
from sim.house.shape import placed
from sim.house.shapes.structure import leaf_place
from sim.house.truth import ThingState, Truth


@dataclass(frozen=True, eq=False)
class Door:
    """A leaf and its doorway."""

    thing_id: int
    opening: Opening
    open_pose: NDArray[np.float64]
    """(4, 4) world_from_thing"""
    shut_pose: NDArray[np.float64]
    """(4, 4)"""

    @property
    def front(self) -> bool:
        """It leads outside."""
        return self.opening.passage is Passage.FRONT

    def is_shut(self, truth: Truth) -> bool:
        """Whether the leaf closes the doorway now."""
        return self.shuts(truth.state(self.thing_id))

    def shuts(self, state: ThingState) -> bool:
        """Whether the leaf closes the doorway in a state of it."""
        return bool(np.allclose(state.world_from_thing, self.shut_pose, atol=1e-4))


def doors_of(house: House) -> tuple[Door, ...]:
    """All doors, by thing_id."""
    leaves = [t for t in house.things if t.category in ("door", "front door")]
    found = []
    for o in house.plan.openings:
        if o.passage not in (Passage.DOOR, Passage.FRONT):
            continue
        base = house.rooms[o.rooms[0]].base_m
        poses = []
        for shut in (False, True):
            (x, y), yaw = leaf_place(house.plan, o, shut=shut)
            poses.append(placed((x, y, base), yaw_deg=yaw))
        first = poses[1] if o.passage is Passage.FRONT else poses[0]
        leaf = next(t for t in leaves if np.allclose(t.world_from_thing, first, atol=1e-6))
        found.append(Door(leaf.thing_id, o, poses[0], poses[1]))
    return tuple(sorted(found, key=lambda d: d.thing_id))


def shut_rooms(house: House, doors: tuple[Door, ...], shut: Collection[int]) -> frozenset[int]:
    """Rooms without a way from the front door when the doors of these thing_ids are shut."""
    closed = {d.opening for d in doors if d.thing_id in shut}
    ways = [
        o.rooms
        for o in house.plan.openings
        if len(o.rooms) == 2 and o.passage in (Passage.DOOR, Passage.ARCH) and o not in closed
    ]
    stairs = house.plan.stairs
    if stairs is not None:
        halls = [r for r in house.rooms if r.kind == "hallway" and r.floor in (stairs.floor, stairs.floor + 1)]
        ways += [(a.room_id, b.room_id) for a in halls for b in halls if a.floor < b.floor]
    start = next((o.rooms[0] for o in house.plan.openings if o.passage is Passage.FRONT), 0)
    found, grown = {start}, True
    while grown:
        more = {r for way in ways if found & set(way) for r in way} - found
        found |= more
        grown = bool(more)
    return frozenset(r.room_id for r in house.rooms) - found


def shut_now(truth: Truth, doors: tuple[Door, ...]) -> frozenset[int]:
    """Rooms that are shut in a house as it is now."""
    return shut_rooms(truth.house, doors, [d.thing_id for d in doors if d.is_shut(truth)])


def door_words(house: House, door: Door, state: ThingState) -> dict[str, str]:
    """`state`: open or closed; `joins`: "the kitchen and the hallway", of inner doors."""
    words = {"state": "closed" if door.shuts(state) else "open"}
    if not door.front:
        first, second = (house.rooms[i].kind.replace("kids room", "kids' room") for i in door.opening.rooms)
        words["joins"] = f"the {first} and the {second}"
    return words
