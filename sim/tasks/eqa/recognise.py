"""Questions of what things are and how they look: object recognition, attribute recognition."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from sim.scene import SceneObject
from sim.tasks.eqa.draft import NO, YES, Draft, colours_of, draft, materials_of, others_like
from sim.tasks.eqa.inventory import PLACED, Inventory, tone
from sim.tasks.eqa.knowledge import knowledge

_PATTERNS = {
    "striped": ("striped", "stripes", "with stripes", "stripy"),
    "checked": ("checked", "checks", "checkered", "chequered"),
    "dotted": ("dotted", "dots", "polka dots", "spotted"),
}


def supports(inventory: Inventory, *, also: frozenset[str] = frozenset()) -> Iterator[tuple[SceneObject, str]]:
    """Things on, in or under which one can see what there is, with that word."""
    for relation, categories in knowledge().holds.items():
        wanted = categories | also if relation == "on" else categories
        for thing in inventory.things:
            if thing.category in wanted:
                yield thing, relation


def what_held(inventory: Inventory) -> Iterator[Draft]:
    """What is on the desk? The one thing that is, with nothing on it in turn."""
    for support, relation in supports(inventory, also=knowledge().shows):
        held = [o for o in inventory.held(support) if o.relation == relation]
        if len(held) == 1 and not inventory.held(held[0]) and not inventory.kind(held[0]).vague:
            yield from draft(
                "what_held", {"relation": relation, "support": inventory.name(support)},
                inventory.names_of(held[0]), others_like(inventory, held[0]), (held[0].object_id,), support.category,
            )  # fmt: skip


def what_colour_held(inventory: Inventory) -> Iterator[Draft]:
    """What is the red thing on the desk? One of several, and the only one that has anything of that colour."""
    for support, relation in supports(inventory, also=knowledge().shows):
        held = [o for o in inventory.held(support) if o.relation == relation]
        around = [*held, *(o for h in held for o in inventory.held(h))]
        for thing in held if len(held) > 1 else ():
            colour = inventory.plain_colour(thing)
            rivals = [o for o in around if o.object_id != thing.object_id and tone(colour) in inventory.tones(o)]
            if not colour or rivals or inventory.kind(thing).vague:
                continue
            others = [inventory.kind(o).said for o in held if o.object_id != thing.object_id] + others_like(
                inventory, thing
            )
            yield from draft(
                "what_colour_held",
                {"colour": colour, "relation": relation, "support": inventory.name(support)},
                inventory.names_of(thing), others, (thing.object_id,), support.category,
            )  # fmt: skip


def what_made_of(inventory: Inventory) -> Iterator[Draft]:
    """What is the thing of glass on the desk? Asked where the material of everything there is known."""
    for support, relation in supports(inventory):
        held = [o for o in inventory.held(support) if o.relation == relation]
        around = [*held, *(o for h in held for o in inventory.held(h))]
        if len(held) < 2 or any(not _whole(inventory, o) for o in around):
            continue
        for thing in held:
            material = thing.attributes["material"]
            if inventory.kind(thing).vague or [o.attributes["material"] for o in around].count(material) > 1:
                continue
            others = [inventory.kind(o).said for o in held if o.object_id != thing.object_id] + others_like(
                inventory, thing
            )
            yield from draft(
                "what_made_of",
                {"material": material, "relation": relation, "support": inventory.name(support)},
                inventory.names_of(thing), others, (thing.object_id,), support.category,
            )  # fmt: skip


def _whole(inventory: Inventory, thing: SceneObject) -> bool:
    return inventory.kind(thing).material_of == "" and thing.attributes.get("material", "") in knowledge().materials


def colour(inventory: Inventory) -> Iterator[Draft]:
    """What colour is the sofa? Of things that have one colour, or of the part that gives them theirs."""
    for thing in inventory.things:
        part, word = inventory.kind(thing).colour_of, thing.attributes.get("colour", "")
        if part is None or not word or "decor" in thing.attributes:
            continue
        right, wrong = colours_of(word)
        yield from draft(
            "colour", {"thing": _of(part, inventory.name(thing, PLACED))}, right, wrong,
            (thing.object_id,), thing.category,
        )  # fmt: skip


def material(inventory: Inventory) -> Iterator[Draft]:
    """What is the bowl made of?"""
    for thing in inventory.things:
        part, word = inventory.kind(thing).material_of, thing.attributes.get("material", "")
        if part is None or word not in knowledge().materials:
            continue
        right, wrong = materials_of(word)
        yield from draft(
            "material", {"thing": _of(part, inventory.name(thing))}, right, wrong, (thing.object_id,),
            thing.category,
        )  # fmt: skip


def pattern(inventory: Inventory) -> Iterator[Draft]:
    """Is the blanket striped, checked or dotted?"""
    for thing in inventory.things:
        word = thing.attributes.get("decor", "")
        if word in _PATTERNS:
            wrong = [p for p in _PATTERNS if p != word]
            yield from draft(
                "pattern", {"thing": inventory.name(thing, PLACED)}, _PATTERNS[word], wrong,
                (thing.object_id,), thing.category,
            )  # fmt: skip


def same_colour(inventory: Inventory) -> Iterator[Draft]:
    """Are the sofa and the armchair the same colour? Either exactly the same word, or colours nobody mixes up."""
    for room_id, room in inventory.lone_rooms.items():
        things = [o for o in inventory.in_room(room_id) if inventory.plain_colour(o)]
        named = [(o, name) for o in things if (name := inventory.local_name(o)) is not None]
        for (a, one), (b, two) in itertools.combinations(named, 2):
            first, second = a.attributes["colour"], b.attributes["colour"]
            if (tone(first) == tone(second) and first != second) or "beige" in (first, second):
                continue
            right, wrong = YES if first == second else NO
            slots = {"scope": room, "a": one, "b": two}
            yield from draft("same_colour", slots, (right,), wrong, (a.object_id, b.object_id), a.category)


def _of(part: str, name: str | None) -> str | None:
    return None if name is None else f"{part} {name}".strip()
