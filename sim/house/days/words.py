"""Deeds and places as sentences."""

from __future__ import annotations

from sim.house.days.clock import said
from sim.house.days.deed import Deed, Place, Verb
from sim.house.doors import doors_of
from sim.house.house import House
from sim.house.thing import Thing


def thing_in_words(thing: Thing) -> str:
    """Such as "small red ceramic mug"."""
    return thing.look.phrase(thing.category)


def room_in_words(house: House, room_id: int) -> str:
    """Such as "the kitchen", or "the second bedroom upstairs" where there are several."""
    if room_id < 0:
        return "the outside"
    room = house.rooms[room_id]
    alike = [r.room_id for r in house.rooms if r.kind == room.kind and r.floor == room.floor]
    ordinal = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    number = f"{ordinal[alike.index(room_id)]} " if len(alike) > 1 else ""
    both = len({r.floor for r in house.rooms if r.kind == room.kind}) > 1
    level = (" upstairs" if room.floor else " downstairs") if both else ""
    return f"the {number}{room.kind}{level}"


def place_in_words(house: House, place: Place) -> str:
    """Such as "on the kitchen counter in the kitchen"."""
    room = room_in_words(house, place.room_id)
    if not place.support_id:
        return f"on the floor of {room}"
    return f"{place.relation} the {house.thing(place.support_id).category} in {room}"


def deed_in_words(house: House, deed: Deed) -> str:
    """Such as "Monday 08:12:40: Ana took the red ceramic mug from the kitchen counter in the kitchen (breakfast)"."""
    thing = house.thing(deed.thing_id)
    return f"{said(deed.stamp_ns)}: {deed.who} {_done(house, deed, thing)} ({deed.why})"


def _done(house: House, deed: Deed, thing: Thing) -> str:
    name = thing_in_words(thing)
    if deed.verb in (Verb.OPEN, Verb.CLOSE):
        rooms = [room_in_words(house, r) for r in _joined(house, thing)]
        past = "opened" if deed.verb is Verb.OPEN else "closed"
        return f"{past} the {thing.category} " + (f"between {' and '.join(rooms)}" if len(rooms) > 1 else "to outside")
    assert deed.source is not None
    source = place_in_words(house, deed.source).removeprefix("on ").removeprefix("in ")
    if deed.target is None:
        return f"took the {name} from {source}"
    target = place_in_words(house, deed.target)
    if deed.verb is Verb.MOVE:
        return f"moved the {name} within {room_in_words(house, deed.source.room_id)}" if (
            deed.source.room_id == deed.target.room_id
        ) else f"moved the {name} from {source} to {target.removeprefix('on ')}"  # fmt: skip
    return f"put the {name} {target}"


def _joined(house: House, leaf: Thing) -> tuple[int, ...]:
    return next(d.opening.rooms for d in doors_of(house) if d.thing_id == leaf.thing_id)
