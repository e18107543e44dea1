"""How residents carry small things about: what they take, where they put it, and how it comes back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import final

import numpy as np

from sim.house.days.clock import HOUR_NS, SECOND_NS
from sim.house.days.household import Event, Household
from sim.house.days.routines import EATEN, OUT_BACK, OUT_WITH, TIDIED_UP, Errand, Kinds, Return
from sim.house.days.spots import Spot, kind_of_place, regions_of
from sim.house.shapes.object_table import THINGS
from sim.house.truth import ThingState

_LATEST_NS = 2 * HOUR_NS
"""an errand that has to wait longer is dropped"""
_CHOICES = 5
"""things tried for one errand"""
_SUPPORTS = 14
"""tried for one thing"""
_FAVOURITE = 0.5
"""how much nearer the top of the list a resident's own rooms are"""
USUAL = {c.name: (c.places, c.rooms) for c in THINGS}
"""kind -> kinds of places and rooms where the layout puts it"""


@final
class Errands:
    """Errands of the residents of one household."""

    def __init__(self, home: Household, end_ns: int) -> None:
        self.home, self.end_ns = home, end_ns
        who = list(home.busy_until)
        objects = [t.thing_id for t in home.house.things if t.group == "object"]
        self._owner = {i: str(home.rng.choice([*who, ""])) for i in objects}  # nobody's are everybody's
        self._supports = [t.thing_id for t in home.house.things if t.shape.regions]
        rooms = [r.room_id for r in home.house.rooms if r.kind in ("bedroom", "kids room", "office", "library")]
        self._own_rooms = {w: {int(v) for v in home.rng.permutation(rooms)[:2]} for w in who}

    # errands at home

    def run(self, stamp: int, who: str, errand: Errand, planned: int) -> None:
        """Begin an errand now, or when the resident has time for it."""
        if self._waits(stamp, who, planned, lambda t: self.run(t, who, errand, planned)):
            return
        wanted = [s for s in self._objects(errand.things) if self._may(s, who) and not self._is_done(s, errand)]
        self.home.rng.shuffle(wanted)  # type: ignore[arg-type]
        for s in wanted[:_CHOICES]:
            spot = self._spot(s.thing.thing_id, who, errand.to, errand.rooms)
            if spot is not None:
                free = self._carry(stamp, who, s.thing.thing_id, spot, errand.why, errand.back)
                if errand.count > 1:
                    rest = replace(errand, count=errand.count - 1)
                    self.home.later(free, partial(self.run, who=who, errand=rest, planned=planned))
                return

    def tidy(self, stamp: int, who: str, planned: int) -> None:
        """Bring something back to where it first stood."""
        if self._waits(stamp, who, planned, lambda t: self.tidy(t, who, planned)):
            return
        away = [s for s in self.home.truth.states(group="object") if self._is_away(s) and self._may(s, who)]
        if away:
            s = away[int(self.home.rng.integers(len(away)))]
            self._bring_back(stamp, who, s, (), TIDIED_UP)

    def eat(self, stamp: int, who: str, planned: int) -> None:
        """Take a fruit, for good."""
        if self._waits(stamp, who, planned, lambda t: self.eat(t, who, planned)):
            return
        food = [s for s in self._objects(EATEN) if self.home.at_hand(s.thing.thing_id)]
        if food:
            s = food[int(self.home.rng.integers(len(food)))]
            self.home.take(stamp, who, s.thing.thing_id, f"eating the {s.thing.category}")

    # out of the house

    def go_out(self, stamp: int, who: str, planned: int, until: int, why: str) -> None:
        """Take what one takes along, leave, come home at a stamp and put it down."""
        if self._waits(stamp, who, planned, lambda t: self.go_out(t, who, planned, until, why)):
            return
        kinds = [k for k, share in OUT_WITH if self.home.rng.uniform() < share]
        self.home.busy_until[who] = until
        self._gather(stamp, who, kinds, [], until, why)

    def _gather(self, stamp: int, who: str, kinds: list[Kinds], taken: list[int], until: int, why: str) -> None:
        """One thing after another into the pockets, then out."""
        home = self.home
        while kinds:
            wanted = kinds.pop(0)
            options = [s for s in self._objects(wanted) if self._may(s, who)]
            if options:
                s = options[int(home.rng.integers(len(options)))]
                taken.append(s.thing.thing_id)
                free = home.take(stamp, who, s.thing.thing_id, why) + home.seconds(4.0, 15.0)
                home.later(free, lambda t: self._gather(t, who, kinds, taken, until, why))
                return
        self._through_front(stamp, who, why)
        home.later(max(until, stamp + HOUR_NS // 6), lambda t: self._come_home(t, who, taken))

    def _through_front(self, stamp: int, who: str, why: str) -> None:
        front = self.home.front
        if front is not None:
            self.home.turn(stamp, who, front, why, shut=False)
            self.home.later(stamp + self.home.seconds(4.0, 9.0), lambda t: self._shut_front(t, who, why))

    def _shut_front(self, stamp: int, who: str, why: str) -> None:
        assert self.home.front is not None
        self.home.turn(stamp, who, self.home.front, why, shut=True)

    def _come_home(self, stamp: int, who: str, taken: list[int]) -> None:
        self._through_front(stamp, who, "coming home")
        self.home.busy_until[who] = stamp + (15 + 15 * len(taken)) * SECOND_NS
        for n, thing_id in enumerate(taken):
            self.home.later(
                stamp + (12 + 14 * n) * SECOND_NS, lambda t, i=thing_id: self._put_down(t, who, i, "coming home")
            )

    def _put_down(self, stamp: int, who: str, thing_id: int, why: str) -> None:
        """Somewhere near where its kind is usually put; what finds no place stays in the pockets."""
        places, rooms = USUAL[self.home.house.thing(thing_id).category]
        usual = tuple(k for k in OUT_BACK if k in places)
        spot = self._spot(thing_id, who, usual or places, ("hallway",)) or self._spot(thing_id, who, places, rooms)
        spot = spot or self._spot(thing_id, who, (*places, "floor"), ())
        if spot is not None:
            self.home.put(stamp, who, thing_id, spot, why)

    # carrying

    def _carry(self, stamp: int, who: str, thing_id: int, spot: Spot, why: str, back: Return | None) -> int:
        """Take now, put when there; returns when the resident is free again."""
        home = self.home
        start = home.truth.state(thing_id).world_from_thing[:3, 3]
        home.take(stamp, who, thing_id, why)
        home.set_out(thing_id, spot)
        there = stamp + home.seconds(3.0, 8.0) + home.walk_ns(start, spot.pose[:3, 3])
        home.busy_until[who] = there + 6 * SECOND_NS
        home.later(there, lambda t: self._arrive(t, who, thing_id, spot, why, back))
        return there + home.seconds(7.0, 25.0)

    def _arrive(self, stamp: int, who: str, thing_id: int, spot: Spot, why: str, back: Return | None) -> None:
        home = self.home
        home.put(stamp, who, thing_id, spot, why)
        if back is None or home.rng.uniform() > back.chance:
            return
        when = stamp + int(home.rng.uniform(*back.after_h) * HOUR_NS)
        if when % (24 * HOUR_NS) > 23 * HOUR_NS or when % (24 * HOUR_NS) < 7 * HOUR_NS:
            when += 8 * HOUR_NS  # people sleep
        if when < self.end_ns:
            home.later(when, lambda t: self._return(t, who, thing_id, back, stamp, when))

    def _return(self, stamp: int, who: str, thing_id: int, back: Return, since: int, planned: int) -> None:
        if self._waits(stamp, who, planned, lambda t: self._return(t, who, thing_id, back, since, planned)):
            return
        s = self.home.truth.state(thing_id)
        if s.since_ns == since and self.home.at_hand(thing_id):
            self._bring_back(stamp, who, s, back.to, back.why)

    def _bring_back(self, stamp: int, who: str, s: ThingState, to: Kinds, why: str) -> None:
        """To kinds of places; without any, to where it first stood, or else where its kind usually is."""
        thing = s.thing
        places, rooms = USUAL[thing.category]
        spot = self._spot(thing.thing_id, who, to, ()) if to else self._first_spot(s)
        spot = spot or self._spot(thing.thing_id, who, places, rooms)
        if spot is not None:
            self._carry(stamp, who, thing.thing_id, spot, why, None)

    def _first_spot(self, s: ThingState) -> Spot | None:
        thing = s.thing
        if thing.support_id:
            below = self.home.truth.state(thing.support_id)
            still = np.allclose(below.world_from_thing, below.thing.world_from_thing, atol=1e-6)
            if not (self.home.stands(below) and still):
                return None
        elif thing.room_id in self.home.shut:
            return None
        spot = self.home.spots.at(thing.thing_id, thing.world_from_thing, thing.support_id, thing.relation)
        if spot is None or thing.support_id:
            return spot
        return spot if self.home.spots.leaves_ways(self.home.house.rooms[spot.room_id].floor, spot.box) else None

    # choices

    def _spot(self, thing_id: int, who: str, to: Kinds, rooms: Collection[str]) -> Spot | None:
        """A free spot in one of the kinds of places, the ones liked best first, the resident's own rooms before."""
        home, truth = self.home, self.home.truth
        no = {thing_id, *truth.held_by(thing_id)}
        options = []
        for support in (truth.state(i) for i in self._supports):
            kind = home.house.rooms[support.room_id].kind if support.room_id >= 0 else ""
            if support.thing.thing_id in no or (rooms and kind not in rooms) or not home.stands(support):
                continue
            for region in regions_of(support.thing, to):
                liked = to.index(region.kind) - _FAVOURITE * (support.room_id in self._own_rooms[who])
                options.append((0.5 * liked + float(home.rng.uniform(0.0, 1.5)), support, region))
        for _, support, region in sorted(options, key=lambda o: o[0])[:_SUPPORTS]:
            spot = home.spots.on(thing_id, support, region)
            if spot is not None:
                return spot
        return self._floor_spot(thing_id, rooms) if "floor" in to else None

    def _floor_spot(self, thing_id: int, rooms: Collection[str]) -> Spot | None:
        house, shut = self.home.house, self.home.shut
        usual = rooms or USUAL[house.thing(thing_id).category][1]
        fit = [r for r in house.rooms if r.room_id not in shut and (not usual or r.kind in usual)]
        self.home.rng.shuffle(fit)  # type: ignore[arg-type]
        return next((s for r in fit[:3] if (s := self.home.spots.on_floor(thing_id, r)) is not None), None)

    def _objects(self, kinds: Kinds) -> list[ThingState]:
        return [s for s in self.home.truth.states(group="object") if s.thing.category in kinds]

    def _may(self, s: ThingState, who: str) -> bool:
        """Whether a resident may take a thing now: nobody else's."""
        own = self._owner[s.thing.thing_id] in ("", who)
        return own and self.home.at_hand(s.thing.thing_id)

    def _is_done(self, s: ThingState, errand: Errand) -> bool:
        """Whether it is already in the place that would be chosen first."""
        right = not errand.rooms or self.home.house.rooms[s.room_id].kind in errand.rooms
        return right and kind_of_place(self.home.truth, s) == errand.to[0]

    def _is_away(self, s: ThingState) -> bool:
        return not np.allclose(s.world_from_thing[:2, 3], s.thing.world_from_thing[:2, 3], atol=0.3)

    def _waits(self, stamp: int, who: str, planned: int, again: Event) -> bool:
        """Whether the resident is busy: the errand comes later, or never when it has waited too long."""
        free = self.home.busy_until[who]
        if stamp >= free:
            return False
        when = free + self.home.seconds(2.0, 40.0)
        if when - planned < _LATEST_NS:
            self.home.later(when, again)
        return True
