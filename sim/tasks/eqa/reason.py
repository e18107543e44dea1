"""Questions that take knowledge of the world and a look at the scene: functional reasoning, world knowledge."""

from __future__ import annotations

from collections.abc import Iterator

from sim.scene import SceneObject
from sim.tasks.eqa.draft import NO, YES, Draft, colours_of, draft, number
from sim.tasks.eqa.inventory import Inventory, rooms_named
from sim.tasks.eqa.knowledge import Sort, knowledge
from sim.tasks.eqa.localise import other_rooms, other_supports, support_names

_MOST = 8


def use_room(inventory: Inventory) -> Iterator[Draft]:
    """I want to boil water. Which room should I go to? Asked where all that would do is in one room."""
    for use, tools, perhaps in _uses(inventory):
        if len({o.room_id for o in (*tools, *perhaps)}) == 1:
            room = tools[0].room
            yield from draft(
                "use_room", {"use": use}, rooms_named(room), other_rooms(inventory, room),
                [o.object_id for o in tools], use,
            )  # fmt: skip


def use_support(inventory: Inventory) -> Iterator[Draft]:
    """I need the thing to boil water. What is it on? Asked where there is one such thing."""
    for use, tools, perhaps in _uses(inventory):
        if len(tools) == 1 and not perhaps and tools[0].relation == "on":
            right = support_names(inventory, tools[0])
            yield from draft(
                "use_support", {"use": use}, right, other_supports(inventory, tools[0]),
                (tools[0].object_id,), use,
            )  # fmt: skip


def use_colour(inventory: Inventory) -> Iterator[Draft]:
    """What colour is the thing with which I can boil water?"""
    for use, tools, perhaps in _uses(inventory):
        if len(tools) == 1 and not perhaps and (word := inventory.plain_colour(tools[0])):
            right, wrong = colours_of(word)
            yield from draft("use_colour", {"use": use}, right, wrong, (tools[0].object_id,), use)


def use_any(inventory: Inventory) -> Iterator[Draft]:
    """Is there anything here with which I can boil water? No: only where nothing would do, even if need be."""
    for use, entry in knowledge().uses.items():
        tools = inventory.of(*entry.tools)
        if tools or not inventory.of(*entry.perhaps):
            right, wrong = YES if tools else NO
            needs = [tools[0].object_id] if tools else inventory.anchors()
            yield from draft("use_any", {"use": use}, (right,), wrong, needs, use)


def _uses(inventory: Inventory) -> Iterator[tuple[str, list[SceneObject], list[SceneObject]]]:
    for use, entry in knowledge().uses.items():
        if tools := inventory.of(*entry.tools):
            yield use, tools, inventory.of(*entry.perhaps)


# words for things of several categories


def group_any(inventory: Inventory) -> Iterator[Draft]:
    """Is there a musical instrument in the living room?"""
    for sort, room_id, room, there, perhaps in _sorts(inventory):
        if there or not perhaps:
            right, wrong = YES if there else NO
            needs = [there[0].object_id] if there else [inventory.anchor(room_id)]
            yield from draft("group_any", {"one": sort.one, "room": room}, (right,), wrong, needs, sort.one)


def group_which(inventory: Inventory) -> Iterator[Draft]:
    """Which musical instrument is there in the living room?"""
    for sort, _, room, there, perhaps in _sorts(inventory):
        if len(there) == 1 and not perhaps and not set(inventory.kind(there[0]).like) & set(sort.members):
            wrong = [knowledge().kind(c).said for c in sort.members if c != there[0].category]
            known = knowledge().kind(there[0].category)
            general = tuple(a for a in known.also if a in sort.one.split())  # "bed" is no answer to which bed it is
            telling = [n for n in inventory.names_of(there[0]) if known.said in n or not n.endswith(general)]
            yield from draft(
                "group_which", {"one": sort.one, "room": room}, telling, wrong, (there[0].object_id,), sort.one
            )


def group_count(inventory: Inventory) -> Iterator[Draft]:
    """How many musical instruments are there in the living room?"""
    for sort, _, room, there, perhaps in _sorts(inventory):
        if 1 <= len(there) <= _MOST and not perhaps:
            right, wrong = number(len(there))
            yield from draft(
                "group_count", {"plenty": sort.plenty, "room": room}, right, wrong,
                [o.object_id for o in there], sort.one,
            )  # fmt: skip


def group_room(inventory: Inventory) -> Iterator[Draft]:
    """Which room has a musical instrument? Asked where one room has all of them."""
    for sort in knowledge().sorts.values():
        there, perhaps = inventory.of(*sort.members), inventory.of(*sort.perhaps)
        if there and not perhaps and len({o.room_id for o in there}) == 1:
            room = there[0].room
            yield from draft(
                "group_room", {"one": sort.one}, rooms_named(room), other_rooms(inventory, room),
                [there[0].object_id], sort.one,
            )  # fmt: skip


def _sorts(inventory: Inventory) -> Iterator[tuple[Sort, int, str, list[SceneObject], list[SceneObject]]]:
    for room_id, room in inventory.lone_rooms.items():
        things = inventory.in_room(room_id)
        for sort in knowledge().sorts.values():
            there = [o for o in things if o.category in sort.members]
            yield sort, room_id, room, there, [o for o in things if o.category in sort.perhaps]


def sleepers(inventory: Inventory) -> Iterator[Draft]:
    """How many people can sleep in the beds of this house?"""
    beds = inventory.of(*knowledge().beds)
    if beds:
        right, wrong = number(sum(knowledge().beds[o.category] for o in beds))
        yield from draft("sleepers", {}, right, wrong, [o.object_id for o in beds], "bed")


def storeys(inventory: Inventory) -> Iterator[Draft]:
    """How many floors does the house have?"""
    right, wrong = number(len(set(inventory.storeys.values())))
    yield from draft("storeys", {}, right, wrong[:3], inventory.anchors(), "house")
