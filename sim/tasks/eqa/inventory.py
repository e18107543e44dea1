"""The things of a scene by category, room and support, and names by which one of them, and no other, is meant."""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import final

import numpy as np

from sim.scene import Scene, SceneObject
from sim.tasks.eqa.knowledge import Kind, knowledge

_TONES = {"light brown": "brown", "dark brown": "brown", "beige": "brown"}
"""colours that people may call by one word"""
_CEILING_M = 2.7
"""height of rooms: what one sees from further below is on another storey"""
_STOREY_M = 1.5
"""floors further apart than this are different storeys"""
PLAIN = ("plain", "colour")
"""names that say nothing of the place"""
PLACED = ("plain", "room", "support", "placed")
"""names that say nothing of the colour"""
ANY = ("plain", "room", "colour", "support", "placed", "colour room")


@final
class Inventory:
    """A scene as it is now, looked through once."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        everything = scene.objects()
        self.doors = tuple(o for o in everything if o.group == "structure")
        self.things = tuple(o for o in everything if o.group != "structure" and o.room_id >= 0)
        self.by_id = {o.object_id: o for o in everything}
        self._held: dict[str, list[SceneObject]] = defaultdict(list)
        self._of: dict[str, list[SceneObject]] = defaultdict(list)
        self._in: dict[int, list[SceneObject]] = defaultdict(list)
        for thing in self.things:
            self._of[thing.category].append(thing)
            self._in[thing.room_id].append(thing)
            if thing.support:
                self._held[thing.support].append(thing)
        self.rooms = {room_id: things[0].room for room_id, things in sorted(self._in.items())}
        """room_id -> kind"""

    # what there is

    def of(self, *categories: str) -> list[SceneObject]:
        """All things of some categories."""
        return [o for c in categories for o in self._of.get(c, ())]

    def in_room(self, room_id: int) -> list[SceneObject]:
        """All things in a room."""
        return self._in[room_id]

    def held(self, thing: SceneObject) -> list[SceneObject]:
        """What is on, in or under a thing itself, not on what it holds."""
        return self._held.get(thing.object_id, [])

    def kind(self, thing: SceneObject) -> Kind:
        """What is known of its category."""
        return knowledge().kind(thing.category)

    # rooms

    @functools.cached_property
    def lone_rooms(self) -> dict[int, str]:
        """room_id -> "the kitchen", of rooms that are the only ones of their kind."""
        names = list(self.rooms.values())
        return {i: f"the {said_room(name)}" for i, name in self.rooms.items() if names.count(name) == 1}

    @functools.cached_property
    def storeys(self) -> dict[int, int]:
        """room_id -> storey, from 0 below."""
        floors = {i: self.floor_m(i) for i in self._in}
        found, storey, last = {}, 0, min(floors.values(), default=0.0)
        for room_id, height in sorted(floors.items(), key=lambda item: item[1]):
            storey, last = (storey + 1, height) if height - last > _STOREY_M else (storey, last)
            found[room_id] = storey
        return found

    def floor_m(self, room_id: int) -> float:
        """Height of the ground of a room: where one stands to see its largest thing; else of its lowest thing, which
        in a room with nothing but a lamp would be a storey up."""
        if room_id not in self._floors:
            ground = self.scene.viewpoints_m(self.anchor(room_id))
            lowest = min(float(o.box_min_m[2]) for o in self._in[room_id])
            stood = float(np.median(ground[:, 2])) if len(ground) else lowest
            self._floors[room_id] = stood if 0.0 < lowest - stood < _CEILING_M else lowest
        return self._floors[room_id]

    @functools.cached_property
    def _floors(self) -> dict[int, float]:
        return {}

    def anchors(self) -> tuple[str, ...]:
        """One thing of every room: whoever has seen them has been everywhere."""
        return tuple(self.anchor(room_id) for room_id in self.rooms)

    def anchor(self, room_id: int) -> str:
        """A thing for which one goes into the room: the largest one that can be looked at."""
        by_size = sorted(self._in[room_id], key=lambda o: -float(np.prod(o.box_max_m - o.box_min_m)))
        return next((o.object_id for o in by_size if self.viewable(o)), by_size[0].object_id)

    @functools.cached_property
    def _seen(self) -> dict[str, bool]:
        return {}

    def viewable(self, thing: SceneObject) -> bool:
        """Whether there is a place from which it is seen."""
        if thing.object_id not in self._seen:
            self._seen[thing.object_id] = len(self.scene.viewpoints_m(thing.object_id)) > 0
        return self._seen[thing.object_id]

    # names

    def name(self, thing: SceneObject, ways: tuple[str, ...] = ANY) -> str | None:
        """The first of some ways of naming by which this thing alone can be meant; None when none does."""
        if self.kind(thing).vague:
            return None
        for way in ways:
            if (found := self._named(thing, way)) is not None:
                return found
        return None

    def local_name(self, thing: SceneObject) -> str | None:
        """A name by which this thing alone can be meant once the room has been named."""
        known = self.kind(thing)
        rivals = [
            o
            for o in self._in[thing.room_id]
            if o.object_id != thing.object_id and o.category in (thing.category, *known.like)
        ]
        return None if rivals or known.vague else f"the {known.said}"

    def _named(self, thing: SceneObject, way: str) -> str | None:
        rivals = [o for o in self.of(thing.category, *self.kind(thing).like) if o.object_id != thing.object_id]
        noun, where = self.kind(thing).said, ""
        if "colour" in way:
            if not (colour := self.plain_colour(thing)):
                return None
            rivals = [o for o in rivals if tone(colour) in self.tones(o)]
            noun = f"{colour} {noun}"
        if way in ("support", "placed"):
            support = self.by_id.get(thing.support)
            holder = self.name(support, ("plain",) if way == "support" else ("room",)) if support is not None else None
            if holder is None:
                return None
            rivals = [o for o in rivals if self._beside(o, thing)]
            where = f" {thing.relation} {holder}"
        if "room" in way or way == "placed":
            if thing.room_id not in self.lone_rooms:
                return None
            rivals = [o for o in rivals if o.room_id == thing.room_id]
            where = where or f" in {self.lone_rooms[thing.room_id]}"
        return None if rivals else f"the {noun}{where}"

    def _beside(self, other: SceneObject, thing: SceneObject) -> bool:
        """Whether it is held in the same way by what may be called by the same name."""
        if other.relation != thing.relation or not other.support:
            return False
        mine, its = self.by_id[thing.support], self.by_id[other.support]
        return its.category in (mine.category, *self.kind(mine).like)

    # looks

    def plain_colour(self, thing: SceneObject) -> str:
        """The one colour that it has all over; empty when that cannot be said."""
        single = self.kind(thing).colour_of == "" and "decor" not in thing.attributes
        return thing.attributes.get("colour", "") if single else ""

    def tones(self, thing: SceneObject) -> set[str]:
        """Every colour that somebody may see in it: any, when the one that is told is not all of it."""
        sure = {tone(thing.attributes.get(key, "")) for key in ("colour", "second colour")}
        return sure if self.kind(thing).colour_of == "" else {*sure, *COLOURFUL}

    def names_of(self, thing: SceneObject) -> tuple[str, ...]:
        """Every right answer to what it is; the first one is the usual name."""
        kind, looks = self.kind(thing), thing.attributes
        bases = dict.fromkeys((kind.said, thing.category, *kind.also))
        told = [looks.get("colour", ""), looks.get("material", "")]
        if "decor" in looks:
            told.append(f"{told[0]} and {looks.get('second colour', '')}")
        full = [f"{word} {base}" for base in bases for word in (*told, " ".join(told[:2])) if word.strip()]
        return tuple(dict.fromkeys([*bases, thing.phrase, *full]))


COLOURFUL = frozenset("red orange yellow green turquoise blue purple pink brown white grey black".split())
"""what may be seen in a thing of many colours"""


def tone(colour: str) -> str:
    """The colour by which others may call it."""
    return _TONES.get(colour, colour)


def said_room(kind: str) -> str:
    """How a kind of room is called in a question."""
    return "kids' room" if kind == "kids room" else kind


def rooms_named(kind: str) -> tuple[str, ...]:
    """Every right answer to what room it is."""
    return tuple(dict.fromkeys((said_room(kind), kind, *knowledge().rooms.get(kind, ()))))
