"""Questions of where things are: object localisation."""

from __future__ import annotations

from collections.abc import Iterator

from sim.scene import SceneObject
from sim.tasks.eqa.draft import Draft, draft
from sim.tasks.eqa.inventory import PLAIN, Inventory, rooms_named, said_room


def room(inventory: Inventory) -> Iterator[Draft]:
    """In which room is the piano?"""
    for thing in inventory.things:
        yield from draft(
            "room", {"thing": inventory.name(thing, PLAIN)}, rooms_named(thing.room),
            other_rooms(inventory, thing.room), (thing.object_id,), thing.category,
        )  # fmt: skip


def support(inventory: Inventory) -> Iterator[Draft]:
    """What is the mug on?"""
    for thing in inventory.things:
        if thing.relation == "on":
            yield from draft(
                "support", {"thing": inventory.name(thing, ("plain", "colour", "room", "colour room"))},
                support_names(inventory, thing), other_supports(inventory, thing), (thing.object_id,), thing.category,
            )  # fmt: skip


def where(inventory: Inventory) -> Iterator[Draft]:
    """Where is the mug? The room, what it is on, or both."""
    for thing in inventory.things:
        if thing.group != "object" or not (thing.support or _on_floor(inventory, thing)):
            continue
        right = list(places_of(inventory, thing))
        wrong = [places_of(inventory, o)[0] for o in inventory.things if o.group == "object" and o.support]
        elsewhere = [w for w in dict.fromkeys(wrong) if not w.endswith(f"the {said_room(thing.room)}")]
        yield from draft(
            "where", {"thing": inventory.name(thing, PLAIN)}, right, sorted(elsewhere), (thing.object_id,),
            thing.category,
        )  # fmt: skip


def _on_floor(inventory: Inventory, thing: SceneObject) -> bool:
    return bool(thing.box_min_m[2] - inventory.floor_m(thing.room_id) < 0.08)


def places_of(inventory: Inventory, thing: SceneObject) -> tuple[str, ...]:
    """Every right answer to where a thing is; the first says all of it."""
    rooms = rooms_named(thing.room)
    held = inventory.by_id.get(thing.support)
    below = [held] if held is not None else _rugs_under(inventory, thing)
    holders = ["floor"] if held is None else []
    holders += [name for o in below for name in (inventory.kind(o).said, o.category, *inventory.kind(o).also)]
    relation = "on" if held is None else thing.relation
    alone = [f"{relation} the {holder}" for holder in dict.fromkeys(holders)]
    both = [f"{place} in the {r}" for r in rooms for place in alone]
    swapped = [f"in the {r} {place}" for r in rooms for place in alone]
    return (*both, *swapped, *rooms, *alone)


def _rugs_under(inventory: Inventory, thing: SceneObject) -> list[SceneObject]:
    """What lies flat below a thing on the floor."""
    x, y, _ = thing.middle_m
    flat = [o for o in inventory.in_room(thing.room_id) if o.category in ("rug", "round rug")]
    return [o for o in flat if o.box_min_m[0] < x < o.box_max_m[0] and o.box_min_m[1] < y < o.box_max_m[1]]


def support_names(inventory: Inventory, thing: SceneObject) -> tuple[str, ...]:
    """Every right answer to what a thing is on: its support, with and without its room, and what that is on in turn."""
    held = inventory.by_id[thing.support]
    names = inventory.names_of(held)
    plain = (inventory.kind(held).said, held.category, *inventory.kind(held).also)
    placed = [f"{name} in the {r}" for name in dict.fromkeys(plain) for r in rooms_named(held.room)]
    below = inventory.by_id.get(held.support)
    return (*names, *placed, *(inventory.names_of(below) if below is not None and held.group == "object" else ()))


def other_supports(inventory: Inventory, thing: SceneObject) -> list[str]:
    """Other furniture on which there is something."""
    said = {
        inventory.kind(holder).said
        for o in inventory.things
        if o.relation == "on" and (holder := inventory.by_id[o.support]).group == "furniture"
    }
    return sorted(said)


def other_rooms(inventory: Inventory, kind: str) -> list[str]:
    """The other kinds of rooms of the scene."""
    return sorted({said_room(r) for r in inventory.rooms.values() if r != kind})
