"""What a script says of a house at an instant, and of the difference between two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.house.days.clock import said
from sim.house.days.deed import Script
from sim.house.days.play import Play
from sim.house.doors import doors_of
from sim.house.errors import InvalidHouse
from sim.house.house import House
from sim.house.truth import ThingState, Truth


@dataclass(frozen=True, eq=False)
class Change:
    """One thing that is not as it was."""

    thing_id: int
    what: str
    """moved, gone, come, opened or closed"""
    before: ThingState
    after: ThingState


def truth_at(house: House, script: Script, stamp_ns: int) -> Truth:
    """The house as it is at an instant of the script: where everything is is `state(thing_id)`."""
    truth = Truth(house)
    Play(truth, script).advance(stamp_ns)
    return truth


def changes(house: House, script: Script, start_ns: int, end_ns: int, *, at_least_m: float = 0.0) -> tuple[Change, ...]:
    """What is different at a later instant, by thing_id: things moved, gone, come back, doors opened and closed.

    Only the difference counts: what was moved and is back has not changed. What went along with its support has.
    `at_least_m`: how far the origin of a thing must have moved to be named.
    """
    if start_ns > end_ns:
        raise InvalidHouse(f"changes are asked from an instant to a later one; given {said(start_ns)}, {said(end_ns)}")
    truth = Truth(house)
    play = Play(truth, script)
    play.advance(start_ns)
    before = [truth.state(t.thing_id) for t in house.things]
    play.advance(end_ns)
    after = [truth.state(t.thing_id) for t in house.things]
    shut = {d.thing_id: d.shut_pose for d in doors_of(house)}
    found = []
    for a, b in zip(before, after, strict=True):
        what = _difference(a, b, at_least_m)
        if what == "moved" and a.thing.thing_id in shut:
            what = "closed" if np.allclose(b.world_from_thing, shut[a.thing.thing_id], atol=1e-4) else "opened"
        if what:
            found.append(Change(a.thing.thing_id, what, a, b))
    return tuple(found)


def _difference(a: ThingState, b: ThingState, at_least_m: float) -> str:
    if a.present != b.present:
        return "gone" if a.present else "come"
    if not a.present or np.allclose(a.world_from_thing, b.world_from_thing, atol=1e-6):
        return ""
    far = float(np.linalg.norm(a.world_from_thing[:3, 3] - b.world_from_thing[:3, 3]))
    return "moved" if far >= at_least_m else ""
