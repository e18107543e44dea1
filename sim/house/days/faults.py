"""What is wrong with a script: deeds that cannot follow each other, things that do not fit, ways that are blocked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.checks import unreachable_room
from sim.house.days.clock import said
from sim.house.days.deed import Deed, Script, Verb
from sim.house.days.play import do
from sim.house.days.spots import RUGS, SLACK_M
from sim.house.doors import Door, doors_of, shut_now
from sim.house.errors import InvalidHouse
from sim.house.house import House
from sim.house.navigation import Navigation
from sim.house.truth import ThingState, Truth

_REST_M = 0.02
"""how far above or below the region that holds it something may stand"""


def faults(house: House, script: Script, *, ways: bool = True) -> tuple[str, ...]:
    """All faults of a script, in words; none for a script of `make_script`.

    Checked at every deed: stamps are in order; what is taken is there and what is put was taken; the truth agrees with
    the log; what is put or moved stands in a region of its support, or on the floor inside the walls, and its box
    overlaps no other's that it did not overlap in the new house; nothing is taken from, put into or moved into a room
    that is shut. With `ways`: the body can walk into every room that is not shut.
    """
    truth, doors = Truth(house), doors_of(house)
    found, last, seen, boxes = list[str](), 0, house.navigation, _Boxes()
    for deed in script.deeds:
        thing = f"{house.thing(deed.thing_id).category} {deed.thing_id}"
        name = f"{said(deed.stamp_ns)}, {deed.who}, {deed.verb.value} {thing}"
        if deed.stamp_ns < last or deed.until_ns < deed.stamp_ns:
            return (*found, f"{name}: stamps are not in order")
        last, shut = deed.stamp_ns, shut_now(truth, doors)
        try:
            do(truth, deed)
        except InvalidHouse as error:
            return (*found, f"{name}: {error}")
        found += [f"{name}: {fault}" for fault in _of_deed(truth, deed, doors, shut, boxes)]
        if ways and truth.navigation is not seen:
            seen = truth.navigation
            blocked = _blocked(house, seen, shut_now(truth, doors))
            found += [f"{name}: {blocked}"] if blocked else []
    return tuple(found)


@final
class _Boxes:
    """Axis-aligned boxes of things, kept while they stay as they are."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[ThingState, NDArray[np.float64], NDArray[np.float64]]] = {}

    def share(self, a: ThingState, b: ThingState) -> bool:
        """Whether the boxes of two things share room."""
        (_, low, high), (_, other_low, other_high) = self._of(a), self._of(b)
        return _share(low, high, other_low, other_high)

    def _of(self, s: ThingState) -> tuple[ThingState, NDArray[np.float64], NDArray[np.float64]]:
        kept = self._kept.get(s.thing.thing_id)
        if kept is None or kept[0] is not s:
            corners = s.corners_m
            kept = self._kept[s.thing.thing_id] = (s, corners.min(axis=0), corners.max(axis=0))
        return kept


def _of_deed(truth: Truth, deed: Deed, doors: tuple[Door, ...], shut: frozenset[int], boxes: _Boxes) -> Iterator[str]:
    state = truth.state(deed.thing_id)
    if deed.verb in (Verb.OPEN, Verb.CLOSE):
        door = next((d for d in doors if d.thing_id == deed.thing_id), None)
        if door is None or door.is_shut(truth) != (deed.verb is Verb.CLOSE):
            yield "it is no door, or hangs otherwise than it should"
        return
    for place in (deed.source if deed.verb is not Verb.PUT else None, deed.target):
        if place is not None and place.room_id in shut:
            yield f"room {place.room_id} is shut"
    if deed.target is not None:
        yield from _stands(truth, state)
        yield from _overlaps(truth, state, boxes)


def _stands(truth: Truth, s: ThingState) -> Iterator[str]:
    corners = s.corners_m
    if not s.support_id:
        room = truth.house.rooms[s.room_id]
        r, low, high = room.inside, corners.min(axis=0), corners.max(axis=0)
        if s.room_id < 0 or low[0] < r.x0 or low[1] < r.y0 or high[0] > r.x1 or high[1] > r.y1:
            yield "it does not stand inside the walls of a room"
        elif abs(low[2] - room.base_m) > _REST_M:
            yield f"it does not stand on the floor but {low[2] - room.base_m:.3f} m above"
        return
    support = truth.state(s.support_id)
    back = np.linalg.inv(support.world_from_thing)
    local = corners @ back[:3, :3].T + back[:3, 3]
    low, high = local.min(axis=0), local.max(axis=0)
    if not support.present or not any(
        abs(low[2] - r.z_m) < _REST_M and r.relation == s.relation and high[2] - low[2] <= r.height_m + 1e-6
        and max(abs(low[0] - r.x_m), abs(high[0] - r.x_m)) < r.width_m / 2 + _REST_M
        and max(abs(low[1] - r.y_m), abs(high[1] - r.y_m)) < r.depth_m / 2 + _REST_M
        for r in support.thing.shape.regions
    ):  # fmt: skip
        yield f"it does not fit {s.relation} {support.thing.category} {s.support_id}"


def _overlaps(truth: Truth, s: ThingState, boxes: _Boxes) -> Iterator[str]:
    own = {s.thing.thing_id, *truth.held_by(s.thing.thing_id)}
    below, at = set[int](), s.support_id
    while at and at not in below:
        below.add(at)
        at = truth.state(at).support_id
    for other in truth.states():
        if other.thing.thing_id in own | below or other.thing.group == "structure" or other.thing.category in RUGS:
            continue
        if boxes.share(s, other) and not _at_first(s, other):
            yield f"it overlaps {other.thing.category} {other.thing.thing_id}"


def _at_first(a: ThingState, b: ThingState) -> bool:
    """Whether the boxes of two things overlapped in the new house, as those of a chair and its table do."""
    one, two = a.thing.corners_m(), b.thing.corners_m()
    return _share(one.min(axis=0), one.max(axis=0), two.min(axis=0), two.max(axis=0))


def _share(low: np.ndarray, high: np.ndarray, other_low: np.ndarray, other_high: np.ndarray) -> bool:
    return bool((np.minimum(high, other_high) - np.maximum(low, other_low) > SLACK_M + 1e-6).all())


def _blocked(house: House, navigation: Navigation, shut: frozenset[int]) -> str:
    """What is wrong with the first room that has no way and is not shut."""
    fault = unreachable_room(house, navigation, but=shut)
    return f"no way: {fault}" if fault else ""
