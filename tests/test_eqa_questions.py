"""Questions about a scene: their truth, that they mean one thing, that guessing is weak, that words are frozen."""

from __future__ import annotations

import hashlib
import string
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from eqa_cases import HandScene, furnished, furniture, on, thing

from sim.errors import InvalidSetting
from sim.tasks.eqa import CATEGORIES, KINDS, Asking, ask, frozen
from sim.tasks.eqa.asking import TWO_VALUED, offered, worded
from sim.tasks.eqa.draft import Draft, number
from sim.tasks.eqa.frozen import SPLIT_SHA256
from sim.tasks.eqa.inventory import ANY, PLACED, PLAIN, Inventory
from sim.tasks.eqa.knowledge import knowledge
from sim.tasks.eqa.matching import matches

OPENEQA = {"object recognition", "attribute recognition", "spatial understanding", "object state recognition",
           "functional reasoning", "world knowledge", "object localization"}  # fmt: skip
DRAFTERS = {d.__name__: d for group in CATEGORIES.values() for d in group}


def drafts(kind: str, things=None) -> list[Draft]:
    return list(DRAFTERS[kind](Inventory(HandScene(furnished() if things is None else things))))


def answers(kind: str, things=None) -> dict[tuple[str, ...], str]:
    """slots -> first answer."""
    return {tuple(d.slots[k] for k in sorted(d.slots)): d.answers[0] for d in drafts(kind, things)}


def slots_of(wording: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(wording) if name}


# what is frozen


def test_categories_are_those_of_openeqa():
    assert set(CATEGORIES) == OPENEQA


def test_the_split_is_the_one_whose_hash_is_recorded():
    file = Path(frozen.__file__).parent / "split.json"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == frozen.SPLIT_SHA256
    assert {name: frozen.sha256_of(name) for name in frozen.split()["sha256"]} == frozen.split()["sha256"]


def test_a_changed_wording_is_noticed(monkeypatch):
    monkeypatch.setattr(frozen, "sha256_of", lambda name: SPLIT_SHA256 if name == "split.json" else "0" * 64)
    frozen.split.cache_clear()
    with pytest.raises(InvalidSetting, match=r"wordings\.json has SHA-256 0000"):
        frozen.split()
    monkeypatch.undo()
    frozen.split.cache_clear()


def test_every_kind_has_wordings_and_none_is_shared_between_sets():
    assert set(frozen.wordings()) == set(KINDS)
    every = {name: [line for sets in frozen.wordings().values() for line in sets[name]] for name in ("train", "test")}
    assert all(len(lines) == len(set(lines)) for lines in every.values())
    assert not set(every["train"]) & set(every["test"])
    assert all(len(sets[name]) >= 4 for sets in frozen.wordings().values() for name in sets)


def test_ways_to_speak_of_a_use_are_not_shared_either():
    for use in knowledge().uses.values():
        assert use.phrases["train"] and use.phrases["test"]
        assert not set(use.phrases["train"]) & set(use.phrases["test"])


@pytest.mark.parametrize("kind", KINDS)
def test_wordings_use_all_that_a_question_says(kind):
    sets = frozen.wordings()[kind]
    used = [slots_of(line) for line in (*sets["train"], *sets["test"])]
    expected = {slot for line in used for slot in line}
    for line in used:
        assert line >= expected - {"relation"}  # "Is the desk empty?"
    for draft in drafts(kind):
        assert set(draft.slots) - {"scope"} == expected


def test_kinds_that_are_known_have_names():
    for kind in knowledge().kinds.values():
        assert kind.said and kind.many and kind.said not in kind.also
        assert not [c for c in kind.like if c not in knowledge().kinds]
    for entry in (*knowledge().uses.values(), *knowledge().sorts.values()):
        members = (*entry.perhaps, *getattr(entry, "tools", ()), *getattr(entry, "members", ()))
        assert not [c for c in members if c not in knowledge().kinds] and len(members) == len(set(members))


# the truth


def test_what_is_on_things():
    assert answers("what_held")[("on", "the stove")] == "kettle"
    assert answers("what_colour_held")[("red", "on", "the desk")] == "mug"
    held = furniture(1, "desk", 1, (6, 3), colour="brown", material="wood")
    things = (held, on(2, "mug", held, material="ceramic"), on(3, "basket", held, 0.2, material="wicker"))
    assert answers("what_made_of", things) == {
        ("ceramic", "on", "the desk"): "mug",
        ("wicker", "on", "the desk"): "basket",
    }


def test_what_holds_something_in_turn_is_not_the_only_thing():
    table, desk = furniture(1, "dining table", 0, (2, 2)), furniture(5, "desk", 1, (6, 3))
    things = (table, desk, bowl := on(2, "bowl", table), on(6, "mug", desk))
    assert answers("what_held", things)[("on", "the dining table")] == "bowl"
    assert ("on", "the dining table") not in answers("what_held", (*things, on(3, "apple", bowl)))


def test_looks():
    assert answers("colour")[("the stove",)] == "white"
    assert answers("colour")[("the top of the dining table",)] == "white"
    assert not [names for names in answers("colour") if "chair" in names[0]]  # there are three
    assert answers("material")[("the mug",)] == "ceramic"
    assert answers("material")[("the top of the dining table",)] == "wood"
    assert ("the laptop",) not in answers("material")  # its screen is of glass
    rug = thing(40, "blanket", 1, (6, 2, 0), (1, 1, 0.1), colour="red", decor="striped")
    assert answers("pattern", (*furnished(), rug)) == {("the blanket",): "striped"}
    assert ("the blanket",) not in answers("colour", (*furnished(), rug))


def test_colours_are_the_same_or_nothing_like():
    looks = {"sofa": "red", "armchair": "red", "stove": "brown", "curtain": "dark brown", "piano": "beige"}
    things = tuple(furniture(i, c, 0, (i, 1), colour=w) for i, (c, w) in enumerate(looks.items(), 1))
    found = answers("same_colour", things)
    assert found[("the sofa", "the armchair", "the kitchen")] == "yes"
    assert found[("the sofa", "the stove", "the kitchen")] == "no"
    assert ("the stove", "the curtain", "the kitchen") not in found  # brown and dark brown
    assert not [names for names in found if "the piano" in names]


def test_counts():
    assert answers("count_room")[("chairs", "the kitchen")] == "3"
    assert answers("count_house")[("chairs",)] == "3"
    assert answers("count_held")[("on", "the desk")] == "2"
    arm = furniture(50, "armchair", 0, (3, 3))
    assert ("chairs", "the kitchen") not in answers("count_room", (*furnished(), arm))  # is it a chair or not?
    assert answers("count_room", (*furnished(), arm))[("armchairs", "the kitchen")] == "1"


def test_arrangement():
    assert answers("same_room")[("the stove", "the dining table")] == "yes"
    assert answers("same_room")[("the stove", "the guitar")] == "no"
    near = {names: answer for names, answer in answers("nearer").items() if "the bedroom" in names}
    assert near[("the desk", "the single bed", "the bedroom", "the wardrobe")] == "the single bed"
    assert all(answer in names[:2] for names, answer in near.items())
    heights = {"desk": 0.75, "stove": 0.95, "sofa": 0.96, "wardrobe": 2.2}
    tall = answers("taller", tuple(furniture(i, c, 0, (i, 1), h) for i, (c, h) in enumerate(heights.items(), 1)))
    assert (
        tall[("the desk", "the stove", "the kitchen")] == tall[("the stove", "the desk", "the kitchen")] == "the stove"
    )
    assert ("the stove", "the sofa", "the kitchen") not in tall  # too close
    assert not [names for names in tall if "the wardrobe" in names]  # no question


def test_storeys_are_asked_of_where_there_are_two():
    assert not drafts("storey") and answers("storeys") == {(): "1"}
    above = replace(furniture(60, "piano", 2, (2, 2)), room="office")
    above = replace(above, box_min_m=above.box_min_m + (0, 0, 2.8), box_max_m=above.box_max_m + (0, 0, 2.8))
    found = answers("storey", (*furnished(), above))
    assert found[("the piano",)] == "upstairs" and found[("the stove",)] == "downstairs"
    assert answers("storeys", (*furnished(), above)) == {(): "2"}


def test_states():
    occupied = answers("occupied")
    assert occupied[("on", "the desk")] == "yes" and occupied[("under", "the single bed")] == "no"
    assert answers("empty")[("on", "the desk")] == "no"
    assert answers("door_state") == {("the door between the kitchen and the bedroom",): "open"}
    twice = replace(furnished()[-2], object_id="32")
    assert not answers("door_state", (*furnished(), twice))  # which of the two?
    turned = replace(twice, attributes={**twice.attributes, "joins": "the bedroom and the kitchen"})
    assert not answers("door_state", (*furnished(), turned))
    rug = thing(61, "rug", 1, (7.0, 0.8, 0.0), (1.5, 1.5, 0.01))
    assert ("under", "the single bed") not in answers("occupied", (*furnished(), rug))
    bench = furniture(62, "bench", 1, (5.5, 2.5), 0.45)
    assert answers("seat_free", (*furnished(), bench))[("the bench",)] == "yes"
    bag = on(63, "handbag", bench)
    assert answers("seat_free", (*furnished(), bench, bag))[("the bench",)] == "no"
    pillow = on(64, "cushion", bench)
    assert ("the bench",) not in answers("seat_free", (*furnished(), bench, pillow))


def test_what_things_are_for():
    assert answers("use_room")[("boil water",)] == "kitchen"
    assert ("boil water",) not in answers("use_support")  # the stove would do as well
    desk = furnished()[0]
    assert answers("use_support", (*furnished(), on(70, "hammer", desk)))[("nail",)] == "desk"
    assert ("nail",) not in answers("use_support", (*furnished(), on(70, "hammer", desk), on(71, "hammer", desk)))
    assert answers("use_any")[("tune",)] == "yes" and answers("use_any")[("rain",)] == "no"
    assert ("dark",) not in answers("use_any", (*furnished(), on(65, "candle", furnished()[0])))
    assert answers("use_colour")[("tune",)] == "blue"


def test_what_everybody_knows():
    assert answers("group_any")[("musical instrument", "the bedroom")] == "yes"
    assert answers("group_any")[("musical instrument", "the kitchen")] == "no"
    assert answers("group_which")[("piece of fruit", "the kitchen")] == "apple"
    assert answers("group_count")[("pieces of fruit", "the kitchen") if ("pieces of fruit", "the kitchen") in
                                  answers("group_count") else ("the kitchen", "pieces of fruit")] == "1"  # fmt: skip
    assert answers("group_room")[("musical instrument",)] == "bedroom"
    assert answers("sleepers") == {(): "1"}
    double = furniture(66, "double bed", 1, (5, 3))
    assert answers("sleepers", (*furnished(), double)) == {(): "3"}


def test_places():
    assert answers("room")[("the guitar",)] == "bedroom"
    assert answers("support")[("the kettle",)] == "stove"
    (where,) = (d for d in drafts("where") if d.slots["thing"] == "the mug")
    assert matches("on the desk in the bedroom", where.answers) and matches("bedroom", where.answers)
    assert not matches("in the kitchen", where.answers) and not matches("under the desk", where.answers)
    (where,) = (d for d in drafts("where") if d.slots["thing"] == "the guitar")
    assert where.answers[0] == "on the floor in the bedroom"


# one meaning


@pytest.mark.parametrize("ways", [ANY, PLAIN, PLACED])
def test_no_two_things_share_a_name(ways):
    inventory = Inventory(HandScene((*furnished(), on(70, "mug", furnished()[1], colour="blue"))))
    names = [name for o in inventory.things if (name := inventory.name(o, ways)) is not None]
    assert len(names) == len(set(names)) and names


def test_a_second_one_of_a_kind_needs_a_fuller_name():
    table, desk = furnished()[2], furnished()[0]
    one, other = on(70, "kettle", table, colour="red"), on(71, "kettle", desk, colour="red")
    things = (table, desk, one, other)
    inventory = Inventory(HandScene(things))
    assert inventory.name(one, PLAIN) is None and inventory.name(one) == "the kettle in the kitchen"
    twin = on(72, "kettle", table, 0.2, colour="red")
    inventory = Inventory(HandScene((*things, twin)))
    assert inventory.name(one) is None and inventory.name(twin) is None
    inventory = Inventory(HandScene((*things, replace(twin, attributes={"colour": "blue"}))))
    assert inventory.name(one) == "the red kettle in the kitchen"


def test_what_others_may_call_by_the_same_name_is_a_rival():
    cup = on(70, "teacup", furnished()[1], colour="white")
    assert Inventory(HandScene(furnished())).name(furnished()[8], ("plain",)) == "the mug"
    assert Inventory(HandScene((*furnished(), cup))).name(furnished()[8], ("plain",)) is None


def test_brown_is_no_way_to_tell_a_dark_brown_thing():
    table = furnished()[2]
    one, other = on(70, "book", table, colour="brown"), on(71, "book", table, 0.2, colour="dark brown")
    assert Inventory(HandScene((table, one, other))).name(one) is None


def test_rooms_of_a_kind_are_not_told_apart():
    things = (*furnished(), replace(furniture(80, "piano", 2, (3, 3)), room="kitchen"))
    inventory = Inventory(HandScene(things))
    assert inventory.lone_rooms == {1: "the bedroom"}
    assert not [d for d in drafts("count_room", things) if d.slots["room"] == "the kitchen"]


def test_what_cannot_be_looked_at_is_not_asked_about():
    scene = HandScene(furnished())
    scene.hidden = {o.object_id for o in scene.things if o.room == "kitchen"}
    goals = ask(scene, Asking("train"), 60)
    assert goals and not [i for g in goals for i in g.object_ids if i in scene.hidden]


# drawing


def many(split: str = "train", choices: bool = False, scenes: int = 60, count: int = 14):
    return [g for n in range(scenes) for g in ask(HandScene(furnished(), str(n)), Asking(split, choices), count)]


def test_every_category_is_asked_about_and_the_same_again():
    goals = ask(HandScene(furnished()), Asking("train"), 7)
    assert {g.category for g in goals} == OPENEQA
    assert goals == ask(HandScene(furnished()), Asking("train"), 7)
    longer = ask(HandScene(furnished()), Asking("train"), 30)
    assert longer[:7] == goals and len({(g.extra["kind"], g.object_ids, g.answers) for g in longer}) == len(longer)
    assert goals != ask(HandScene(furnished()), Asking("train", seed=1), 7)


def test_train_and_test_speak_differently():
    said = {split: {g.text for g in many(split, scenes=20)} for split in ("train", "val", "test")}
    assert not said["train"] & said["test"]
    assert said["val"] == said["train"]


def test_yes_and_no_are_even():
    counts = Counter(g.answers[0] for g in many(count=21) if g.extra["kind"] in TWO_VALUED - {"door_state", "storey"})
    assert set(counts) == {"yes", "no"} and 0.42 < counts["yes"] / counts.total() < 0.58


def test_choices_hold_one_right_answer_anywhere():
    goals = many(choices=True)
    for goal in goals:
        assert 2 <= len(goal.choices) <= 4 and len(set(goal.choices)) == len(goal.choices)
        assert sum(matches(c, goal.answers) for c in goal.choices) == 1 == len(goal.answers)
    places = Counter(g.choices.index(g.answers[0]) for g in goals if len(g.choices) == 4 and not g.choices[0].isdigit())
    assert len(places) == 4 and max(places.values()) < 1.5 * min(places.values())


def test_numbers_are_offered_so_that_their_place_tells_nothing():
    places = Counter()
    for count in range(1, 25):
        right, others = number(count)
        among = sorted(int(n) for n in (right[0], *others))
        assert len(among) == 4 and among[-1] - among[0] == 3
        places[among.index(count)] += 1
    assert set(places.values()) == {6}


def test_free_and_choice_ask_the_same():
    pair = [ask(HandScene(furnished()), Asking("test", choices), 21) for choices in (False, True)]
    assert [g.text for g in pair[0]] == [g.text for g in pair[1]]
    assert all(matches(c.answers[0], f.answers) for f, c in zip(*pair, strict=True))


def test_articles_fit():
    draft = Draft("group_room", {"one": "appliance that heats food or water"}, ("kitchen",), ("bedroom",), ("1",))
    texts = {worded(draft, "train", np.random.default_rng(n))[0] for n in range(20)}
    assert all(" an appliance" in t for t in texts) and len(texts) > 2


def test_wrong_answers_are_never_offered_twice():
    draft = Draft("room", {"thing": "the mug"}, ("kitchen",), ("Kitchen", "bedroom", "the bedroom", "gym"), ("1",))
    for n in range(20):
        options = offered(draft, np.random.default_rng(n))
        assert sorted(o.removeprefix("the ") for o in options) == ["bedroom", "gym", "kitchen"]


def test_no_question_is_asked_of_an_empty_scene():
    assert ask(HandScene(()), Asking("train"), 5) == ()
    with pytest.raises(InvalidSetting, match="at least 1"):
        ask(HandScene(furnished()), Asking("train"), 0)


def test_things_of_an_unknown_world_are_asked_about_by_name_alone():
    """Another world may say no colours and have kinds that nobody wrote down."""
    things = tuple(replace(o, attributes={}) for o in furnished()) + (furniture(90, "samovar", 1, (5, 3)),)
    goals = ask(HandScene(things), Asking("train"), 200)
    assert [g for g in goals if "samovar" in g.text]
    assert not [g for g in goals if g.category == "attribute recognition"]
