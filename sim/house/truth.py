"""What is the case in a house at a time: where everything is, since when, what stands on what.

The house itself is a value; a Truth starts from it and follows what is moved, taken and put. It knows nothing of
pictures: whoever moves a thing tells the renderer too (Renderer.place).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.errors import InvalidHouse
from sim.house.house import House
from sim.house.layout.plan import STOREY_M, Opening, Room
from sim.house.navigation import CELL_M, Navigation
from sim.house.render.base import Picture
from sim.house.thing import Thing
from spatialmem.types import checked_transform


@dataclass(frozen=True, eq=False)
class ThingState:
    """One thing as it is."""

    thing: Thing
    world_from_thing: NDArray[np.float64]
    """(4, 4)"""
    room_id: int
    """-1: in no room"""
    support_id: int
    """what it is on, in or under; 0: floor, wall or ceiling"""
    relation: str
    """on, in, under, or empty"""
    since_ns: int
    """since when it is there"""
    present: bool = True
    """False while somebody carries it, or when it has left the house"""

    @property
    def corners_m(self) -> NDArray[np.float64]:
        """(8, 3) corners of its box, turned with it, world frame."""
        return self.thing.corners_m(self.world_from_thing)

    @property
    def box_min_m(self) -> NDArray[np.float64]:
        """(3,) lower corner of its axis-aligned box, world frame."""
        return self.corners_m.min(axis=0)

    @property
    def box_max_m(self) -> NDArray[np.float64]:
        """(3,) upper corner."""
        return self.corners_m.max(axis=0)


@dataclass(frozen=True, eq=False)
class FloorPlan:
    """A floor from above."""

    floor: int
    base_m: float
    rooms: tuple[Room, ...]
    openings: tuple[Opening, ...]
    free: NDArray[np.bool_]
    """(rows, columns) where the agent can stand; y grows with the row, x with the column"""
    origin_m: tuple[float, float]
    """world x, y of the outer corner of cell (0, 0)"""
    cell_m: float


@final
class Truth:
    """The state of a house over time. Stamps never go back."""

    def __init__(self, house: House, stamp_ns: int = 0) -> None:
        self.house = house
        self.stamp_ns = stamp_ns
        self._states = [
            ThingState(t, t.world_from_thing.copy(), t.room_id, t.support_id, t.relation, stamp_ns)
            for t in house.things
        ]

        self._navigation: Navigation | None = house.navigation

    def state(self, thing_id: int) -> ThingState:
        """How a thing is now."""
        return self._states[self.house.thing(thing_id).thing_id - 1]

    def states(self, *, group: str | None = None, category: str | None = None) -> tuple[ThingState, ...]:
        """All things that are there now; of a group or category, when given."""
        return tuple(
            s
            for s in self._states
            if s.present and group in (None, s.thing.group) and category in (None, s.thing.category)
        )

    def held_by(self, thing_id: int) -> tuple[int, ...]:
        """Ids of everything on, in or under a thing, and on, in or under that, and so on."""
        found: list[int] = []
        for s in self._states:  # supports need not come first any more
            chain, seen = s.support_id, set()
            while chain and chain not in seen:
                if chain == thing_id:
                    found.append(s.thing.thing_id)
                    break
                seen.add(chain)
                chain = self._states[chain - 1].support_id
        return tuple(found)

    def move(
        self, thing_id: int, world_from_thing: NDArray[np.floating], stamp_ns: int, *, support_id: int = 0,
        relation: str = "",
    ) -> tuple[int, ...]:  # fmt: skip
        """Put a thing at a pose (4, 4), with all that it holds; returns the ids of what has moved.

        Raises:
            InvalidHouse: a part of the house that cannot be moved, a support that is the thing itself or held by it,
                or a stamp before the last one.
        """
        before = self.state(thing_id)
        if before.thing.group == "structure" and before.thing.category not in ("door", "front door"):
            raise InvalidHouse(
                f"{before.thing.category} {thing_id} is a part of the house; move furniture, objects or doors"
            )
        pose = checked_transform(world_from_thing)
        held = self.held_by(thing_id)
        if support_id:
            self.house.thing(support_id)
        if support_id == thing_id or support_id in held:
            raise InvalidHouse(f"thing {thing_id} cannot be put {relation or 'on'} {support_id}, which it holds")
        self._advance(stamp_ns)
        new_from_old = pose @ np.linalg.inv(before.world_from_thing)
        room = self.room_at(pose[:3, 3])
        self._states[thing_id - 1] = replace(
            before, world_from_thing=pose, room_id=room, support_id=support_id, relation=relation if support_id else "",
            since_ns=stamp_ns, present=True,
        )  # fmt: skip
        for other in held:
            s = self._states[other - 1]
            moved = new_from_old @ s.world_from_thing
            self._states[other - 1] = replace(s, world_from_thing=moved, room_id=room, since_ns=stamp_ns, present=True)
        return (thing_id, *held)

    def take(self, thing_id: int, stamp_ns: int) -> tuple[int, ...]:
        """Take a thing away, with all that it holds, until it is moved somewhere; returns the ids of what has gone."""
        state = self.state(thing_id)
        if state.thing.group == "structure":
            raise InvalidHouse(f"{state.thing.category} {thing_id} is a part of the house and cannot be taken")
        self._advance(stamp_ns)
        gone = (thing_id, *self.held_by(thing_id))
        for other in gone:
            self._states[other - 1] = replace(self._states[other - 1], present=False, since_ns=stamp_ns)
        self._states[thing_id - 1] = replace(self._states[thing_id - 1], support_id=0, relation="")
        return gone

    def wait(self, stamp_ns: int) -> None:
        """Let time pass in which nothing happens."""
        navigation = self._navigation
        self._advance(stamp_ns)
        self._navigation = navigation

    def room_at(self, point_m: NDArray[np.floating]) -> int:
        """Id of the room that holds a point (3,), walls shared evenly; -1 outside."""
        x, y, z = (float(v) for v in point_m)
        for room in self.house.rooms:
            if room.rect.holds(x, y) and room.base_m - 0.3 <= z < room.base_m + STOREY_M - 0.3:
                return room.room_id
        return -1

    def floor_plan(self, floor: int) -> FloorPlan:
        """A floor from above, as it is now."""
        plan, navigation = self.house.plan, self.navigation
        if not 0 <= floor < plan.floors:
            raise InvalidHouse(f"no floor {floor}; this house has {plan.floors}, counted from 0")
        openings = tuple(o for o in plan.openings if o.floor == floor)
        return FloorPlan(
            floor, floor * STOREY_M, plan.rooms_on(floor), openings, navigation.free[floor], navigation.origin_m, CELL_M
        )

    def distance_m(self, start_m: NDArray[np.floating], target_m: NDArray[np.floating]) -> float:
        """Length of the agent's shortest way between two points of the ground as things are now; inf without one."""
        return self.navigation.distance_m(start_m, target_m)

    @property
    def navigation(self) -> Navigation:
        """Where the agent can be as things are now; made anew after furniture or doors have moved."""
        if self._navigation is None:
            there = tuple(
                replace(s.thing, world_from_thing=s.world_from_thing, room_id=s.room_id) for s in self.states()
            )
            inside = tuple(t for t in there if t.room_id >= 0)
            self._navigation = Navigation(self.house.plan, inside, self.house.config.body)
        return self._navigation

    def _advance(self, stamp_ns: int) -> None:
        if isinstance(stamp_ns, bool) or not isinstance(stamp_ns, (int, np.integer)) or stamp_ns < self.stamp_ns:
            raise InvalidHouse(
                f"stamps are whole nanoseconds and never go back; given {stamp_ns!r} after {self.stamp_ns}"
            )
        self.stamp_ns = int(stamp_ns)
        self._navigation = None


def visible(picture: Picture) -> dict[int, int]:
    """thing_id -> number of pixels, of everything that a picture shows."""
    ids, counts = np.unique(picture.thing_ids, return_counts=True)
    return {int(i): int(n) for i, n in zip(ids, counts, strict=True) if i}
