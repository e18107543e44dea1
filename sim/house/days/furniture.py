"""How residents move light furniture and close doors behind them."""

from __future__ import annotations

from typing import final

import numpy as np

from sim.house.days.clock import HOUR_NS
from sim.house.days.household import Event, Household
from sim.house.days.routines import DESK_SEATS, FURNITURE_ROOMS, MOVED_ABOUT, TABLE_SEATS, WORK
from sim.house.days.spots import Spot
from sim.house.doors import Door
from sim.house.shape import placed
from sim.house.truth import ThingState

_MOST_SHUT = 2
"""rooms that closing one room's doors may shut"""


@final
class Furniture:
    """Chairs, bins and doors of one household."""

    def __init__(self, home: Household, *, may_shut: bool) -> None:
        self.home, self.may_shut = home, may_shut

    # light furniture

    def pull_out(self, stamp: int, who: str, why: str) -> None:
        """Move a seat back from what it is tucked into, and leave it so."""
        s = self._one_of(DESK_SEATS if why == WORK else TABLE_SEATS, stamp, who)
        if s is None:
            return
        rng = self.home.rng
        for _ in range(6):
            back = placed(
                (float(rng.normal(0.0, 0.06)), -float(rng.uniform(0.12, 0.5)), 0.0),
                yaw_deg=float(rng.normal(0.0, 25.0)),
            )
            if self._moved(stamp, who, s, s.world_from_thing @ back, why):
                return

    def push_in(self, stamp: int, who: str, why: str) -> None:
        """Bring a piece that was moved back to where it first stood."""
        s = self._one_of((*DESK_SEATS, *MOVED_ABOUT), stamp, who, away=True)
        if s is not None:
            self._moved(stamp, who, s, s.thing.world_from_thing, why)

    def carry(self, stamp: int, who: str, why: str) -> None:
        """Take a light piece to another spot, often in another room."""
        s = self._one_of(MOVED_ABOUT, stamp, who)
        if s is None:
            return
        home = self.home
        rooms = [r for r in home.house.rooms if r.kind in FURNITURE_ROOMS and r.room_id not in home.shut]
        home.rng.shuffle(rooms)  # type: ignore[arg-type]
        home.lift(stamp, s.thing.thing_id)
        for room in rooms[:3]:
            spot = home.spots.on_floor(s.thing.thing_id, room, at_walls=False)
            if spot is not None:
                home.move(stamp, who, s.thing.thing_id, spot, why)
                return
        home.set_down(stamp, s.thing.thing_id)

    def _one_of(self, kinds: tuple[str, ...], stamp: int, who: str, *, away: bool = False) -> ThingState | None:
        home = self.home
        if home.busy_until[who] > stamp:
            return None
        found = [
            s
            for s in home.truth.states(group="furniture")
            if s.thing.category in kinds and not s.support_id and home.at_hand(s.thing.thing_id)
            and not (away and np.allclose(s.world_from_thing, s.thing.world_from_thing, atol=0.02))
        ]  # fmt: skip
        return found[int(home.rng.integers(len(found)))] if found else None

    def _moved(self, stamp: int, who: str, s: ThingState, pose: np.ndarray, why: str) -> bool:
        """Whether the piece could be moved there: nothing is in the way, and no way is blocked."""
        home, thing_id = self.home, s.thing.thing_id
        if home.truth.room_at(pose[:3, 3]) in home.shut:
            return False
        home.lift(stamp, thing_id)
        spot = home.spots.at(thing_id, pose, 0, "")
        if spot is not None and self._fits(spot):
            home.move(stamp, who, thing_id, spot, why)
            return True
        home.set_down(stamp, thing_id)
        return False

    def _fits(self, spot: Spot) -> bool:
        room = self.home.house.rooms[spot.room_id]
        r = room.inside
        inside = spot.box[0][0] > r.x0 and spot.box[0][1] > r.y0 and spot.box[1][0] < r.x1 and spot.box[1][1] < r.y1
        return bool(inside) and self.home.spots.leaves_ways(room.floor, spot.box)

    # doors

    def behind_doors(self, stamp: int, who: str, kinds: tuple[str, ...], why: str, until: int) -> None:
        """Close the doors of a room of some kind from inside, and open them at a stamp."""
        home = self.home
        if home.busy_until[who] > stamp:
            return
        rooms = [r for r in home.house.rooms if r.kind in kinds and r.room_id not in home.shut]
        home.rng.shuffle(rooms)  # type: ignore[arg-type]
        for room in rooms:
            doors = [d for d in home.doors if room.room_id in d.opening.rooms and not d.front]
            ways = [o for o in home.house.plan.openings_of(room.room_id) if len(o.rooms) == 2]
            if doors and len(doors) == len(ways) and self._may_close(doors):
                self._close(stamp, who, doors, why, until)
                return

    def _may_close(self, doors: list[Door]) -> bool:
        shut = self.home.would_shut(doors)
        few = len(shut) <= (_MOST_SHUT if self.may_shut else 0)
        return few and not self.home.awaits(shut)

    def _close(self, stamp: int, who: str, doors: list[Door], why: str, until: int) -> None:
        home = self.home
        for door in doors:
            home.turn(stamp, who, door, why, shut=True)
        home.busy_until[who] = max(home.busy_until[who], until - HOUR_NS // 360)
        for door in doors:
            home.later(until, self._opening(who, door, why))

    def _opening(self, who: str, door: Door, why: str) -> Event:
        return lambda t: self.home.turn(t, who, door, why, shut=False)
