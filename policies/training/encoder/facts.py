"""What is true of each thing of a house, in the words that captions use."""

from __future__ import annotations

from dataclasses import dataclass

from policies.training.encoder import held_out
from sim.house.house import House
from sim.house.thing import Thing


@dataclass(frozen=True)
class Facts:
    """One thing. Empty words: nothing can be said."""

    thing_id: int
    category: str
    group: str
    """furniture, object or structure"""
    colour: str
    second_colour: str
    decor: str
    """striped, checked or dotted"""
    material: str
    size: str
    room: str
    """kind of the room it is in"""
    support: str
    """category of what it is on, in or under"""
    support_colour: str
    relation: str
    """on, in, under"""
    held_out: bool
    """whether it is one of the combinations of colour and kind that training leaves out"""
    phrase: str
    """colour, material, size and category in words"""


def facts_of(house: House) -> tuple[Facts, ...]:
    """Of all things, by thing_id; that of thing_id is at index thing_id - 1."""
    return tuple(_facts(house, thing) for thing in house.things)


def _facts(house: House, thing: Thing) -> Facts:
    look, structure = thing.look, thing.group == "structure"
    support = house.thing(thing.support_id) if thing.support_id else None
    # Walls are painted in a colour mixed with much white: its word says little of what one sees.
    colour = "" if thing.category in ("wall", "ceiling", "window", "door frame") else look.colour
    pairs = {(look.colour, thing.category), (look.second_colour, thing.category)}
    return Facts(
        thing.thing_id, thing.category, thing.group, colour, look.second_colour, look.decor, look.material,
        "" if structure or look.size == "medium" else look.size, house.rooms[thing.room_id].kind,
        support.category if support else "", support.look.colour if support else "", thing.relation if support else "",
        not held_out.combinations().isdisjoint(pairs), look.phrase(thing.category),
    )  # fmt: skip
