"""A house while its days are being written: a Truth that runs ahead, who is busy, and the deeds so far."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.days.clock import SECOND_NS
from sim.house.days.deed import Deed, Place, Verb, place_of
from sim.house.days.spots import Spot, Spots
from sim.house.doors import Door, doors_of, shut_rooms
from sim.house.house import House
from sim.house.truth import ThingState, Truth

_WALK_MPS = 0.9
_STOREY_S = 9.0

Event = Callable[[int], None]


@final
class Household:
    """What residents can do, and what has come of it. Events happen in the order of their stamps.

    Its truth leaves all doors as they first were, so that ways are judged with doors open; which are shut it knows
    by itself.
    """

    def __init__(self, house: House, residents: tuple[str, ...], rng: np.random.Generator) -> None:
        self.house, self.rng = house, rng
        self.truth = Truth(house)
        self.spots = Spots(self.truth, rng)
        self.doors = doors_of(house)
        self.front = next((d for d in self.doors if d.front), None)
        self.busy_until = dict.fromkeys(residents, 0)
        self.awaited: Counter[int] = Counter()
        """supports that something is on its way to: they stay"""
        self.deeds: list[Deed] = []
        self._shut = {d.thing_id for d in self.doors if d.front}
        self.shut: frozenset[int] = frozenset()
        """rooms that nobody can enter now"""
        self._leaves = {d.thing_id: place_of(self.truth.state(d.thing_id)) for d in self.doors}
        self._places: dict[int, Place] = {}
        self._heading: dict[int, int] = {}  # thing in somebody's hands -> room it is carried to
        self._events: list[tuple[int, int, Event]] = []
        self._number = itertools.count()

    # time

    def later(self, stamp_ns: int, event: Event) -> None:
        """Let something happen at a stamp."""
        heapq.heappush(self._events, (stamp_ns, next(self._number), event))

    def run(self) -> None:
        """Let everything happen."""
        while self._events:
            stamp, _, event = heapq.heappop(self._events)
            event(stamp)

    def seconds(self, low: float, high: float) -> int:
        """A time drawn between two, nanoseconds."""
        return int(self.rng.uniform(low, high) * SECOND_NS)

    def walk_ns(self, start_m: NDArray[np.float64], target_m: NDArray[np.float64]) -> int:
        """About how long a resident goes from one place to another."""
        floors = round(abs(float(target_m[2] - start_m[2])) / 2.8)
        seconds = 1.35 * float(np.linalg.norm(target_m[:2] - start_m[:2])) / _WALK_MPS + floors * _STOREY_S
        return int((2.0 + seconds) * SECOND_NS)

    # what is free to be used

    def at_hand(self, thing_id: int) -> bool:
        """Whether a thing can be taken: it is there, nobody brings anything to it, no door is in the way."""
        s = self.truth.state(thing_id)
        if not s.present or s.room_id in self.shut:
            return False
        awaited = +self.awaited
        return not awaited or not any(awaited[i] for i in (thing_id, *self.truth.held_by(thing_id)))

    def stands(self, state: ThingState) -> bool:
        """Whether things can be put on a piece now."""
        return state.present and state.room_id >= 0 and state.room_id not in self.shut

    # deeds

    def take(self, stamp: int, who: str, thing_id: int, why: str) -> int:
        """Into the hands; returns when the resident is done with it."""
        source, done = place_of(self.truth.state(thing_id)), stamp + self.seconds(2.0, 5.0)
        self.spots.follow(self.truth.take(thing_id, stamp))
        self._places[thing_id] = source
        self._did(Deed(stamp, done, who, Verb.TAKE, thing_id, source, None, why))
        return done

    def set_out(self, thing_id: int, spot: Spot) -> None:
        """Keep a spot for a thing in somebody's hands."""
        self.spots.keep(thing_id, spot)
        self._heading[thing_id] = spot.room_id
        if spot.support_id:
            self.awaited[spot.support_id] += 1

    def put(self, stamp: int, who: str, thing_id: int, spot: Spot, why: str) -> int:
        """Out of the hands; returns when the resident is done with it."""
        if thing_id in self._heading:
            self.spots.drop(thing_id)
            del self._heading[thing_id]
            if spot.support_id:
                self.awaited[spot.support_id] -= 1
        source, done = self._places.pop(thing_id), stamp + self.seconds(2.0, 5.0)
        self._moved(stamp, thing_id, spot)
        self._did(Deed(stamp, done, who, Verb.PUT, thing_id, source, place_of(self.truth.state(thing_id)), why))
        return done

    def move(self, stamp: int, who: str, thing_id: int, spot: Spot, why: str) -> int:
        """Furniture, at once; the truth has it taken already. Returns when the resident is done with it."""
        source = self._places.pop(thing_id)
        done = stamp + self.walk_ns(source.world_from_thing[:3, 3], spot.pose[:3, 3])
        self._moved(stamp, thing_id, spot)
        self._did(Deed(stamp, done, who, Verb.MOVE, thing_id, source, place_of(self.truth.state(thing_id)), why))
        return done

    def lift(self, stamp: int, thing_id: int) -> None:
        """Furniture off the floor, so that a free spot can be looked for; `move` must follow at the same stamp."""
        self._places[thing_id] = place_of(self.truth.state(thing_id))
        self.spots.follow(self.truth.take(thing_id, stamp))

    def set_down(self, stamp: int, thing_id: int) -> None:
        """Furniture back where `lift` took it: nothing has happened."""
        at = self._places.pop(thing_id)
        moved = self.truth.move(thing_id, at.world_from_thing, stamp, support_id=at.support_id, relation=at.relation)
        self.spots.follow(moved)

    def turn(self, stamp: int, who: str, door: Door, why: str, *, shut: bool) -> None:
        """Open or close a door."""
        if (door.thing_id in self._shut) == shut:
            return
        (self._shut.add if shut else self._shut.discard)(door.thing_id)
        self.shut = shut_rooms(self.house, self.doors, self._shut)
        pose = door.shut_pose if shut else door.open_pose
        source = self._leaves[door.thing_id]
        target = Place(self.truth.room_at(pose[:3, 3]), 0, "", tuple(float(v) for v in pose.ravel()))
        self._leaves[door.thing_id] = target
        verb, done = Verb.CLOSE if shut else Verb.OPEN, stamp + self.seconds(1.5, 3.0)
        self._did(Deed(stamp, done, who, verb, door.thing_id, source, target, why))

    def would_shut(self, doors: list[Door]) -> frozenset[int]:
        """Rooms that would be shut, beside those that are, if these doors were closed."""
        return shut_rooms(self.house, self.doors, self._shut | {d.thing_id for d in doors}) - self.shut

    def awaits(self, rooms: frozenset[int]) -> bool:
        """Whether somebody is carrying something to one of these rooms."""
        return bool(rooms & set(self._heading.values()))

    def _moved(self, stamp: int, thing_id: int, spot: Spot) -> None:
        self.spots.follow(
            self.truth.move(thing_id, spot.pose, stamp, support_id=spot.support_id, relation=spot.relation)
        )

    def _did(self, deed: Deed) -> None:
        self.deeds.append(deed)
        self.busy_until[deed.who] = max(self.busy_until[deed.who], deed.until_ns)
