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
from sim.house.layout.plan import STOREY_M, Opening, Rect, Room
from sim.house.navigation import CELL_M, Navigation, ground_taken
from sim.house.render.base import Picture
from sim.house.thing import Thing
from spatialmem.types import checked_transform

LIGHT = frozenset(("chair", "stool", "office chair", "ottoman", "laundry basket", "waste bin"))
"""furniture that people move every day"""


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
        self._still: Navigation | None = None  # with what is seldom moved alone
        self._ground: dict[int, tuple[Rect, ...]] = {}  # what things take from it, as far as it was asked

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
        holds: dict[int, list[int]] = {}
        for s in self._states:
            if s.support_id:
                holds.setdefault(s.support_id, []).append(s.thing.thing_id)
        found, left = set[int](), [thing_id]
        while left:
            more = [i for i in holds.get(left.pop(), ()) if i not in found and i != thing_id]
            found.update(more)
            left += more
        return tuple(sorted(found))

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
        self._way_changes(thing_id, *held)
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
        for moved_id in (thing_id, *held):
            self._ground.pop(moved_id, None)
        self._way_changes(thing_id, *held)
        return (thing_id, *held)

    def take(self, thing_id: int, stamp_ns: int) -> tuple[int, ...]:
        """Take a thing away, with all that it holds, until it is moved somewhere; returns the ids of what has gone."""
        state = self.state(thing_id)
        if state.thing.group == "structure":
            raise InvalidHouse(f"{state.thing.category} {thing_id} is a part of the house and cannot be taken")
        self._advance(stamp_ns)
        gone = (thing_id, *self.held_by(thing_id))
        self._way_changes(*gone)
        for other in gone:
            self._states[other - 1] = replace(self._states[other - 1], present=False, since_ns=stamp_ns)
        self._states[thing_id - 1] = replace(self._states[thing_id - 1], support_id=0, relation="")
        return gone

    def wait(self, stamp_ns: int) -> None:
        """Let time pass in which nothing happens."""
        self._advance(stamp_ns)

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
        """Where the agent can be as things are now; made anew after something that blocks ways has moved."""
        if self._navigation is None:
            there = [s for s in self.states() if s.room_id >= 0]
            if self._still is None:
                still = tuple(_as_is(s) for s in there if not is_loose(s.thing))
                self._still = Navigation(self.house.plan, still, self.house.config.body)
            loose = [s for s in there if is_loose(s.thing)]
            self._navigation = self._still.with_taken(
                (self.house.rooms[s.room_id].floor, rect) for s in loose for rect in self._own_ground(s.thing.thing_id)
            )
        return self._navigation

    def _way_changes(self, *thing_ids: int) -> None:
        """Things are about to change or have changed: ways are found anew where they take ground of their own."""
        if self._still is not None and any(not is_loose(self.house.thing(i)) for i in thing_ids):
            self._still = None
        if self._navigation is not None and any(self._own_ground(i) for i in thing_ids):
            self._navigation = None

    def _own_ground(self, thing_id: int) -> tuple[Rect, ...]:
        """What a thing takes from the ground beside what its support takes."""
        s = self._states[thing_id - 1]
        if not s.present or s.room_id < 0:
            return ()
        support = self._states[s.support_id - 1] if s.support_id else None
        below = self._taken(support) if support is not None and support.present and support.room_id >= 0 else ()
        return tuple(rect for rect in self._taken(s) if not any(b.contains(rect, 0.0) for b in below))

    def _taken(self, s: ThingState) -> tuple[Rect, ...]:
        found = self._ground.get(s.thing.thing_id)
        if found is None:
            base = self.house.rooms[s.room_id].base_m
            found = self._ground[s.thing.thing_id] = tuple(ground_taken(_as_is(s), base, self.house.config.body))
        return found

    def _advance(self, stamp_ns: int) -> None:
        if isinstance(stamp_ns, bool) or not isinstance(stamp_ns, (int, np.integer)) or stamp_ns < self.stamp_ns:
            raise InvalidHouse(
                f"stamps are whole nanoseconds and never go back; given {stamp_ns!r} after {self.stamp_ns}"
            )
        self.stamp_ns = int(stamp_ns)


def is_loose(thing: Thing) -> bool:
    """Whether people move it every day: small things, doors, chairs and the like."""
    return thing.group == "object" or thing.category in LIGHT or thing.category in ("door", "front door")


def _as_is(s: ThingState) -> Thing:
    """The thing at its pose of now."""
    return replace(s.thing, world_from_thing=s.world_from_thing, room_id=s.room_id)


def visible(picture: Picture) -> dict[int, int]:
    """thing_id -> number of pixels, of everything that a picture shows."""
    ids, counts = np.unique(picture.thing_ids, return_counts=True)
    return {int(i): int(n) for i, n in zip(ids, counts, strict=True) if i}
