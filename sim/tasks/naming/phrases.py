"""Phrases about what was seen of a house, with the things they are true of: present ones, and absent ones near them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.layout.plan import CEILING_M, Room
from sim.house.materials import COLOURS
from sim.house.thing import GROUPS, Thing
from sim.tasks.naming.words import colours_of, unclear_colours_of

Kind = Literal["colour", "category", "colour and category"]
Corner = tuple[float, float, float]
SEEN_PIXELS = 300
"""in one frame of 320 x 240: a thing that was seen so large can be found"""
EACH, EACH_ROOM = 15, 4
"""phrases of a kind and presence about one house and about one of its rooms, at most; of colours any number"""
_INSET_M = 0.1
"""between the box of a room and its walls, which look into other rooms too"""
_STRUCTURE = ("door", "window")
"""parts of a house that people look for"""
_DRAWN = 4
"""pairs of colour and category that are drawn, for each that is there"""


@dataclass(frozen=True)
class Named:
    """A phrase, and what it is true of."""

    text: str
    kind: Kind
    true_ids: frozenset[int]
    """thing_id of what it names"""
    unclear_ids: frozenset[int]
    """of what it may or may not name: neither right nor wrong"""
    present: bool
    """True: something it names was seen well. False: nothing that it names, or may name, was seen at all"""
    box_m: tuple[Corner, Corner] | None = None
    """lower and upper corner of the room it is asked about; None: the whole house"""


def named_things(
    house: House, largest_px: Mapping[int, int], seed: int, each: int = EACH, each_room: int = EACH_ROOM
) -> tuple[Named, ...]:
    """Phrases about a house of which some things were seen, and about each of its rooms.

    Phrases that name only what was seen too little to be found, or what is unclear, are left out.

    Args:
        house: the house.
        largest_px: thing_id -> pixels in the frame that shows most of it, of everything that was seen.
        seed: of the choice.
        each, each_room: phrases of a kind and presence about the house and about a room, at most; 0: none.
    """
    rng = np.random.default_rng(seed)
    seen = {thing_id: house.thing(thing_id) for thing_id in sorted(largest_px)}
    found = _about(seen, largest_px, each, rng)
    for room in house.rooms if each_room else ():
        box = _box_of(room)
        inside = {i: thing for i, thing in seen.items() if _reaches(thing, box)}
        well = {i: largest_px[i] if thing.room_id == room.room_id else 0 for i, thing in inside.items()}
        found += [replace(named, box_m=box) for named in _about(inside, well, each_room, rng)]
    return tuple(found)


def _about(
    seen: Mapping[int, Thing], largest_px: Mapping[int, int], each: int, rng: np.random.Generator
) -> list[Named]:
    groups: dict[tuple[str, bool], list[Named]] = {}
    for colour, category in [*((c, "") for c in COLOURS), *(("", c) for c in _categories()), *_pairs(seen, rng)]:
        named = _named(colour, category, seen, largest_px)
        if named is not None:
            groups.setdefault((named.kind, named.present), []).append(named)
    return [named for group in groups.values() for named in _some(group, each, rng)]


def _box_of(room: Room) -> tuple[Corner, Corner]:
    r, low = room.inside, room.base_m
    return (r.x0 + _INSET_M, r.y0 + _INSET_M, low - _INSET_M), (r.x1 - _INSET_M, r.y1 - _INSET_M, low + CEILING_M)


def _reaches(thing: Thing, box: tuple[Corner, Corner]) -> bool:
    corners = thing.corners_m()
    return bool((corners.max(axis=0) >= box[0]).all() and (corners.min(axis=0) <= box[1]).all())


def _categories() -> list[str]:
    """Kinds of things by names that are not those of colours too."""
    wanted = [name for name, group in GROUPS.items() if group != "structure" or name in _STRUCTURE]
    return [name for name in wanted if name not in COLOURS]


def _pairs(seen: Mapping[int, Thing], rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Pairs of a colour and a category that are there, and drawn ones whose category is there, in any colour."""
    things = [t for t in seen.values() if t.group != "structure" and t.category not in COLOURS]
    there = sorted({(colour, t.category) for t in things for colour in colours_of(t) if colour in COLOURS})
    yield from there
    colours, kinds = list(COLOURS), sorted({t.category for t in things})
    for _ in range(_DRAWN * len(there)):
        pair = colours[rng.integers(len(colours))], kinds[rng.integers(len(kinds))]
        if pair not in there:
            there.append(pair)
            yield pair


def _named(colour: str, category: str, seen: Mapping[int, Thing], largest_px: Mapping[int, int]) -> Named | None:
    true, unclear = set[int](), set[int]()
    for thing_id, thing in seen.items():
        right_kind, right_colour = category in ("", thing.category), not colour or colour in colours_of(thing)
        near_kind = right_kind or _alike(category, thing.category)
        near_colour = right_colour or colour in unclear_colours_of(thing)
        if right_kind and right_colour:
            true.add(thing_id)
        elif near_kind and near_colour:
            unclear.add(thing_id)
    found = any(largest_px[i] >= SEEN_PIXELS and (not colour or seen[i].group != "structure") for i in true)
    if not found and (true or unclear):
        return None
    kind: Kind = "colour and category" if colour and category else "colour" if colour else "category"
    return Named(f"{colour} {category}".strip(), kind, frozenset(true), frozenset(unclear), found)


def _alike(one: str, other: str) -> bool:
    """Whether one name is a kind of the other, as "office chair" and "armchair" are of "chair"."""
    return one.endswith(other) or other.endswith(one)


def _some(group: list[Named], each: int, rng: np.random.Generator) -> list[Named]:
    if group[0].kind == "colour":
        return group
    chosen: NDArray[np.int64] = np.sort(rng.permutation(len(group))[:each])
    return [group[int(i)] for i in chosen]
