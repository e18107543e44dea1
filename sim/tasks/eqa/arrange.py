"""Questions of how things are arranged and in what state they are: spatial understanding, object state recognition."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from sim.scene import SceneObject
from sim.tasks.eqa.draft import NO, YES, Draft, draft, either, number
from sim.tasks.eqa.inventory import PLAIN, Inventory
from sim.tasks.eqa.knowledge import knowledge
from sim.tasks.eqa.recognise import supports

_MOST = 8
"""counts higher than this are not asked for"""
_NEARER, _NEARER_M = 1.5, 0.7
"""how much further away the other thing must be: times, and metres"""
_TALLER, _TALLER_M = 1.7, 0.15
"""heights differ by at most this factor and at least that much: else it is no question, or none that can be answered"""


def same_room(inventory: Inventory) -> Iterator[Draft]:
    """Are the piano and the sofa in the same room?"""
    named = [(o, name) for o in inventory.things if (name := inventory.name(o, PLAIN)) is not None]
    for (a, one), (b, two) in itertools.combinations(named, 2):
        if b.object_id == a.support or a.object_id == b.support or "door" in a.category:
            continue
        right, wrong = YES if a.room_id == b.room_id else NO
        needs = (a.object_id, b.object_id)
        yield from draft("same_room", {"a": one, "b": two}, (right,), wrong, needs, _pair(a, b))


def nearer(inventory: Inventory) -> Iterator[Draft]:
    """What is closer to the bed: the desk or the wardrobe? Measured between boxes, on the plan."""
    for room_id, room in inventory.lone_rooms.items():
        named = list(_standing(inventory, room_id))
        for (a, one), (b, two), (at, where) in itertools.permutations(named, 3):
            near, far = gap_m(at, a), gap_m(at, b)
            if far - near < _NEARER_M or far < _NEARER * near:
                continue
            right, wrong = either(one, two)
            needs = (a.object_id, b.object_id, at.object_id)
            for first, second in ((one, two), (two, one)):
                slots = {"scope": room, "a": first, "b": second, "thing": where}
                yield from draft("nearer", slots, right, wrong, needs, _pair(a, b), a.category)


def taller(inventory: Inventory) -> Iterator[Draft]:
    """Which is taller, the cabinet or the desk?"""
    for room_id, room in inventory.lone_rooms.items():
        for (a, one), (b, two) in itertools.permutations(_standing(inventory, room_id), 2):
            high, low = (float(o.box_max_m[2] - o.box_min_m[2]) for o in (a, b))
            if high - low < _TALLER_M or high > _TALLER * low:
                continue
            right, wrong = either(one, two)
            for first, second in ((one, two), (two, one)):
                needs = (a.object_id, b.object_id)
                slots = {"scope": room, "a": first, "b": second}
                yield from draft("taller", slots, right, wrong, needs, _pair(a, b), a.category)


def _pair(a: SceneObject, b: SceneObject) -> str:
    return "/".join(sorted((a.category, b.category)))


def _standing(inventory: Inventory, room_id: int) -> Iterator[tuple[SceneObject, str]]:
    """Furniture that stands on the floor of a room, with its name there."""
    floor = inventory.floor_m(room_id)
    for thing in inventory.in_room(room_id):
        upright = thing.group == "furniture" and thing.category not in knowledge().fixed and not thing.support
        if upright and thing.box_min_m[2] - floor < 0.1 and (name := inventory.local_name(thing)) is not None:
            yield thing, name


def gap_m(a: SceneObject, b: SceneObject) -> float:
    """Between two boxes on the plan."""
    apart = np.maximum(a.box_min_m[:2] - b.box_max_m[:2], b.box_min_m[:2] - a.box_max_m[:2])
    return float(np.hypot(*np.maximum(apart, 0.0)))


def storey(inventory: Inventory) -> Iterator[Draft]:
    """Is the piano upstairs or downstairs? In scenes of two storeys."""
    if set(inventory.storeys.values()) != {0, 1}:
        return
    up = ("upstairs", "on the upper floor", "upper floor", "top floor", "up")
    down = ("downstairs", "ground floor", "lower floor", "down")
    for thing in inventory.things:
        right, wrong = (up, down) if inventory.storeys[thing.room_id] else (down, up)
        yield from draft(
            "storey", {"thing": inventory.name(thing, PLAIN)}, right, wrong[:1], (thing.object_id,),
            thing.category,
        )  # fmt: skip


def count_room(inventory: Inventory) -> Iterator[Draft]:
    """How many chairs are there in the kitchen?"""
    for room_id, room in inventory.lone_rooms.items():
        yield from _counts(inventory, inventory.in_room(room_id), "count_room", {"room": room})


def count_house(inventory: Inventory) -> Iterator[Draft]:
    """How many chairs are there in the house?"""
    yield from _counts(inventory, list(inventory.things), "count_house", {})


def _counts(inventory: Inventory, things: list[SceneObject], kind: str, slots: dict[str, str]) -> Iterator[Draft]:
    there = {o.category for o in things}
    for category in sorted(there):
        counted = [o for o in things if o.category == category]
        known = inventory.kind(counted[0])
        if known.vague or there & set(known.like) or not 1 <= len(counted) <= _MOST:
            continue
        right, wrong = number(len(counted))
        yield from draft(kind, {**slots, "many": known.many}, right, wrong, [o.object_id for o in counted], category)


def count_held(inventory: Inventory) -> Iterator[Draft]:
    """How many things are on the desk?"""
    for support, relation in supports(inventory):
        held = [o for o in inventory.held(support) if o.relation == relation]
        if not 1 <= len(held) <= _MOST or any(inventory.held(o) or inventory.kind(o).vague for o in held):
            continue
        right, wrong = number(len(held))
        yield from draft(
            "count_held", {"relation": relation, "support": inventory.name(support)}, right, wrong,
            [o.object_id for o in held], support.category,
        )  # fmt: skip


# states


def occupied(inventory: Inventory) -> Iterator[Draft]:
    """Is there anything on the desk?"""
    for support, relation, held in _clear_cases(inventory):
        right, wrong = YES if held else NO
        yield from draft(
            "occupied", {"relation": relation, "support": inventory.name(support)}, (right,), wrong,
            (support.object_id,), support.category,
        )  # fmt: skip


def empty(inventory: Inventory) -> Iterator[Draft]:
    """Is the crate empty?"""
    for support, relation, held in _clear_cases(inventory):
        if relation == "in" or (relation == "on" and support.category in knowledge().holds["on"]):
            right, wrong = NO if held else YES
            yield from draft(
                "empty", {"relation": relation, "support": inventory.name(support)}, (right,), wrong,
                (support.object_id,), support.category,
            )  # fmt: skip


def seat_free(inventory: Inventory) -> Iterator[Draft]:
    """Is the chair free to sit on?"""
    for support, relation, held in _clear_cases(inventory):
        if relation == "on" and support.category in knowledge().seats:
            right, wrong = NO if held else YES
            yield from draft(
                "seat_free", {"support": inventory.name(support)}, (right,), wrong, (support.object_id,),
                support.category,
            )  # fmt: skip


def _clear_cases(inventory: Inventory) -> Iterator[tuple[SceneObject, str, bool]]:
    """Supports, relations, and whether there is anything: where nobody could see it otherwise."""
    for support, relation in supports(inventory):
        held = [o for o in inventory.held(support) if o.relation == relation]
        soft = any(inventory.kind(o).vague for o in held)
        if not soft and not (relation == "under" and _crowded(inventory, support)):
            yield support, relation, bool(held)


def _crowded(inventory: Inventory, support: SceneObject) -> bool:
    """Whether something that it does not hold, such as a rug, reaches below it."""
    low, high = support.box_min_m, support.box_max_m
    return any(
        o.object_id != support.object_id and o.support != support.object_id and o.box_min_m[2] < high[2] - 0.3
        and bool(np.all(o.box_min_m[:2] < high[:2]) and np.all(o.box_max_m[:2] > low[:2]))
        for o in inventory.in_room(support.room_id)
    )  # fmt: skip


def door_state(inventory: Inventory) -> Iterator[Draft]:
    """Is the door between the kitchen and the hallway open or closed? Of worlds that say so of their doors."""
    inner = [d for d in inventory.doors if d.attributes.get("joins")]
    pairs = [_pair_of_rooms(d) for d in inner]
    for door in inner:
        state, joins = door.attributes.get("state", ""), door.attributes["joins"]
        if state in ("open", "closed") and pairs.count(_pair_of_rooms(door)) == 1:
            right = ("open", "opened", "ajar") if state == "open" else ("closed", "shut")
            yield from draft(
                "door_state", {"thing": f"the door between {joins}"}, right,
                ("closed" if state == "open" else "open",), (door.object_id,), door.category,
            )  # fmt: skip


def _pair_of_rooms(door: SceneObject) -> frozenset[str]:
    """The kinds of rooms that a door joins, whichever is named first."""
    return frozenset(door.attributes["joins"].split(" and "))
