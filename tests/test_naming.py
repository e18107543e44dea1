"""Which phrases are true of which things of a house: what calibrations are fitted on."""

from __future__ import annotations

import pytest

from sim.errors import InvalidSetting, UnknownName
from sim.house import make_house
from sim.house.materials import COLOURS
from sim.tasks.naming import colours_of, frozen, houses, named_things, unclear_colours_of
from sim.tasks.naming.phrases import SEEN_PIXELS


@pytest.fixture(scope="module")
def house():
    return make_house(100_100, frozen.house_config())


@pytest.fixture(scope="module")
def named(house):
    """Every second thing was seen well, every seventh hardly, the others not at all."""
    some = [t.thing_id for t in house.things if t.thing_id % 7 in (0, 1, 3, 5)]
    seen = {i: 5 * SEEN_PIXELS if i % 2 else 3 for i in some}
    return seen, named_things(house, seen, seed=0)


def test_the_houses_are_frozen_and_apart(monkeypatch):
    fit, test = houses("fit", 200), houses("test", 500)
    assert not set(fit) & set(test) and all(int(scene) >= 100_000 for scene in fit + test)
    assert houses("fit", 3) == fit[:3]
    with pytest.raises(InvalidSetting, match="200 houses"):
        houses("fit", 201)
    with pytest.raises(UnknownName, match="fit"):
        houses("fitt", 1)
    frozen._split.cache_clear()
    monkeypatch.setattr(frozen, "SPLIT_SHA256", "0" * 64)
    with pytest.raises(InvalidSetting, match=r"split\.json has SHA-256"):
        houses("fit", 1)
    frozen._split.cache_clear()


def test_words_of_a_thing_are_those_of_its_look(house):
    for thing in house.things:
        true, unclear = colours_of(thing), unclear_colours_of(thing)
        assert not true & unclear and "" not in true | unclear
        if thing.group != "structure":
            assert thing.look.colour in true and (not thing.look.decor or thing.look.second_colour in true)
        if "brown" in thing.look.colour and thing.group != "structure":
            assert "brown" in true
    windows = [t for t in house.things if t.category == "window"]
    assert windows and all("blue" in unclear_colours_of(t) for t in windows)  # they show the sky


def test_present_phrases_name_what_was_seen_well(house, named):
    seen, phrases = named
    present = [n for n in phrases if n.present]
    assert {n.kind for n in present} == {"colour", "category", "colour and category"}
    for n in present:
        assert n.true_ids <= set(seen) and max(seen[i] for i in n.true_ids) >= SEEN_PIXELS
        for i in n.true_ids:
            thing = house.thing(i)
            assert n.kind == "colour" or n.text.endswith(thing.category)
            assert n.kind == "category" or n.text.split()[0] in colours_of(thing)


def test_absent_phrases_name_nothing_that_was_seen(house, named):
    seen, phrases = named
    absent = [n for n in phrases if not n.present]
    assert len(absent) > 10
    for n in absent:
        assert not n.true_ids and not n.unclear_ids
        for i in seen if n.box_m is None else ():
            thing = house.thing(i)
            words = colours_of(thing) | unclear_colours_of(thing)
            colour = n.text.split()[0] if n.text.split()[0] in COLOURS else ""
            kind = n.text.removeprefix(colour).strip()
            assert (colour and colour not in words) or (kind and kind != thing.category)


def test_pairs_are_absent_while_their_kind_is_there(house, named):
    seen, phrases = named
    pairs = [n for n in phrases if n.kind == "colour and category" and not n.present]
    kinds = {house.thing(i).category for i in seen}
    assert pairs and all(n.text.split(" ", 1)[1] in kinds for n in pairs)


def test_a_kind_of_a_kind_is_neither_right_nor_wrong(house):
    chairs = [t for t in house.things if t.category.endswith("chair")]
    assert {t.category for t in chairs} > {"chair"}
    phrases = {n.text: n for n in named_things(house, {t.thing_id: 999 for t in chairs}, seed=0, each=200, each_room=0)}
    others = {t.thing_id for t in chairs if t.category != "chair"}
    assert phrases["chair"].unclear_ids == others
    only = dict.fromkeys(others, 999)
    assert "chair" not in {n.text for n in named_things(house, only, seed=0, each=200, each_room=0)}


def test_the_same_seed_asks_the_same(house, named):
    seen, phrases = named
    assert named_things(house, seen, seed=0) == phrases != named_things(house, seen, seed=1)
    few = named_things(house, seen, seed=0, each=2, each_room=0)
    kinds = [(n.kind, n.present) for n in few if n.kind != "colour"]
    assert max(kinds.count(kind) for kind in kinds) == 2 and all(n.box_m is None for n in few)


def test_rooms_are_asked_about_what_is_in_them(house, named):
    seen, phrases = named
    by_box: dict = {}
    for n in phrases:
        by_box.setdefault(n.box_m, []).append(n)
    assert len(by_box) == 1 + len(house.rooms)
    for room in house.rooms:
        (x, y), mine = room.inside.centre, []
        for box, asked in by_box.items():
            if box is not None and box[0][0] < x < box[1][0] and box[0][1] < y < box[1][1]:
                mine = asked
        assert any(not n.present for n in mine)
        for n in mine:
            well = [house.thing(i) for i in n.true_ids if seen[i] >= SEEN_PIXELS]
            assert not n.present or any(thing.room_id == room.room_id for thing in well)
        inside = [house.thing(i) for i in seen if house.thing(i).room_id == room.room_id]
        absent = {n.text for n in mine if not n.present}
        assert not absent & {thing.category for thing in inside if thing.group != "structure"}
