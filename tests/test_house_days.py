"""Scripted days: the log, the truth and the pictures agree; what people do can be done; ways stay open."""

from __future__ import annotations

import functools
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from house_cases import camera, renderer, small_house, tall_house
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.house import (
    HouseConfig,
    InvalidHouse,
    RasterRenderer,
    RaycastRenderer,
    Truth,
    look_at,
    make_house,
    visible,
)
from sim.house.checks import unreachable_room
from sim.house.days import (
    DaysConfig,
    Deed,
    Play,
    Script,
    Verb,
    changes,
    deed_in_words,
    doors_of,
    faults,
    make_script,
    place_in_words,
    read_script,
    said,
    shut_now,
    stamp_of,
    truth_at,
    write_script,
)
from sim.house.days.clock import DAY_NS
from sim.house.days.deed import place_of
from sim.house.navigation import Navigation
from sim.house.standpoints import standpoints

HOUSES = {"small": small_house, "tall": tall_house}
MONDAY, THURSDAY = stamp_of("Monday 08:00"), stamp_of("Thursday 20:00")


@functools.lru_cache
def script(which: str = "small", seed: int = 3, days: int = 4, **more: object) -> Script:
    return make_script(HOUSES[which](), seed, DaysConfig(days=days, **more))  # type: ignore[arg-type]


def one(verb: Verb, which: str = "small") -> Deed:
    return next(d for d in script(which).deeds if d.verb is verb)


def altered(deeds: tuple[Deed, ...], which: str = "small") -> Script:
    return replace(script(which), deeds=deeds)


# the clock


def test_times_are_said_and_understood():
    assert stamp_of("Monday 00:00") == 0
    assert stamp_of("thursday 14:05:30") == 3 * DAY_NS + (14 * 3600 + 5 * 60 + 30) * 10**9
    assert said(stamp_of("Sunday 23:59:59", week=2)) == "Sunday 23:59:59 of week 3"


@given(st.integers(0, 7 * 86400 - 1))
def test_what_is_said_is_understood(second):
    assert stamp_of(said(second * 10**9)) == second * 10**9


@pytest.mark.parametrize(
    "words", ["Thursday", "Thirsday 14:05", "Thursday 24:00", "Thursday 14:60", "14:05", "", 7, None]
)
def test_words_that_are_no_time_are_refused(words):
    with pytest.raises(InvalidHouse, match="Thursday 14:05"):
        stamp_of(words)


# scripts


def test_a_seed_gives_one_script_and_another_seed_another():
    house, config = small_house(), DaysConfig(days=1)
    assert make_script(house, 3, config) == make_script(house, 3, config)
    assert make_script(house, 4, config).deeds != make_script(house, 3, config).deeds
    assert script().house_digest == house.digest


@settings(max_examples=4, derandomize=True, deadline=None)
@given(
    which=st.sampled_from(("small", "tall")), seed=st.integers(0, 1000), residents=st.integers(1, 4),
    busy=st.floats(0.3, 2.0), shut_rooms=st.booleans(),
)  # fmt: skip
def test_scripts_have_no_faults(which, seed, residents, busy, shut_rooms):
    house = HOUSES[which]()
    made = make_script(house, seed, DaysConfig(residents, 1, busy=busy, shut_rooms=shut_rooms))
    assert faults(house, made) == ()
    assert {d.who for d in made.deeds} <= set(made.residents)
    assert len(made.residents) == residents


def test_residents_do_all_there_is_to_do():
    verbs = Counter(d.verb for d in (*script("small").deeds, *script("tall").deeds))
    assert set(verbs) == set(Verb)
    assert verbs[Verb.TAKE] > 100
    assert verbs[Verb.OPEN] == verbs[Verb.CLOSE]
    why = {d.why for d in script("small").deeds}
    assert len(why) > 12


def test_nobody_has_more_than_two_hands_at_once():
    """One thing is done after another; only what goes out of the house is carried together."""
    for who in script().residents:
        mine = [d for d in script().deeds if d.who == who]
        assert all(a.until_ns <= b.stamp_ns for a, b in zip(mine, mine[1:], strict=False) if b.verb is Verb.TAKE)


def test_nothing_happens_when_nobody_does_anything_and_hours_are_kept():
    assert script(busy=0.0).deeds == ()
    begun = [d for d in script(hours=(9.0, 12.0), days=2).deeds if d.verb is Verb.TAKE and d.why == "work"]
    assert begun
    assert all(9 * 3600 <= d.stamp_ns % DAY_NS / 1e9 < 14 * 3600 for d in begun)  # errands wait up to two hours


def test_without_shut_rooms_every_room_can_be_reached_at_all_times():
    house, made = tall_house(), script("tall", shut_rooms=False, days=2)
    doors, truth = doors_of(house), Truth(house)
    play = Play(truth, made)
    for deed in made.deeds:
        play.advance(deed.stamp_ns)
        assert not shut_now(truth, doors)
    assert not unreachable_room(house, truth.navigation)


def test_shut_rooms_are_those_behind_closed_doors():
    house = tall_house()
    doors = doors_of(house)
    assert len(doors) == len(house.of("door")) + len(house.of("front door"))
    deed = next(d for d in script("tall").deeds if d.verb is Verb.CLOSE and d.why == "in the bathroom")
    truth = truth_at(house, script("tall"), deed.stamp_ns)
    shut = shut_now(truth, doors)
    assert "bathroom" in {house.rooms[r].kind for r in shut}
    for room in house.rooms:
        cells = truth.navigation.room_cells(room.room_id)
        reached = truth.navigation.reachable[tuple(cells.T)].any()
        assert reached == (room.room_id not in shut)


# the player


@pytest.mark.parametrize("which", ["small", "tall"])
def test_the_log_agrees_with_the_truth_at_every_deed(which):
    house, made = HOUSES[which](), script(which)
    truth, carried = Truth(house), set[int]()
    play = Play(truth, made)
    for deed in made.deeds:
        state = truth.state(deed.thing_id)
        assert (deed.thing_id in carried) == (deed.verb is Verb.PUT)
        if deed.verb is not Verb.PUT:
            assert place_of(state) == deed.source
        assert deed in play.advance(deed.stamp_ns)
        after = truth.state(deed.thing_id)
        assert after.present == (deed.target is not None)
        assert after.since_ns == deed.stamp_ns
        if deed.target is not None:
            assert place_of(after) == deed.target
        (carried.add if deed.verb is Verb.TAKE else carried.discard)(deed.thing_id)
    assert {house.thing(i).category for i in carried} <= {"apple", "banana", "orange", "pear"}


def test_a_jump_and_many_steps_come_to_the_same():
    house, made = small_house(), script()
    jumped, stepped = Truth(house), Truth(house)
    deeds = Play(jumped, made).advance(THURSDAY)
    play, found = Play(stepped, made), []
    for stamp in range(0, THURSDAY + 1, THURSDAY // 40):
        found += play.advance(stamp)
    found += play.advance(THURSDAY)
    assert tuple(found) == deeds == made.between(-1, THURSDAY)
    assert jumped.stamp_ns == stepped.stamp_ns == THURSDAY
    for t in house.things:
        a, b = jumped.state(t.thing_id), stepped.state(t.thing_id)
        np.testing.assert_array_equal(a.world_from_thing, b.world_from_thing)
        assert (a.present, a.support_id, a.relation, a.room_id, a.since_ns) == (
            b.present, b.support_id, b.relation, b.room_id, b.since_ns,
        )  # fmt: skip


def test_ways_kept_over_changes_are_those_found_anew():
    """Truth.navigation is made anew seldom and in part; it must be the one that a new Navigation would be."""
    house, truth = tall_house(), Truth(tall_house())
    play, last, kept = Play(truth, script("tall")), truth.navigation, 0
    for deed in script("tall").deeds[:110]:
        play.advance(deed.stamp_ns)
        kept += truth.navigation is last
        last = truth.navigation
        if deed.verb is not Verb.TAKE and deed.stamp_ns % 3 == 0:
            there = [s for s in truth.states() if s.room_id >= 0]
            things = (replace(s.thing, world_from_thing=s.world_from_thing, room_id=s.room_id) for s in there)
            fresh = Navigation(house.plan, tuple(things), house.config.body)
            np.testing.assert_array_equal(fresh.free, last.free)
            np.testing.assert_array_equal(fresh.links, last.links)
    assert kept > 50  # what stands on tables is in nobody's way


def test_time_does_not_go_back():
    truth = Truth(small_house())
    play = Play(truth, script())
    play.advance(THURSDAY)
    before = [truth.state(t.thing_id) for t in small_house().things]
    for stamp in (MONDAY, THURSDAY - 1, 1.5, None, True):
        with pytest.raises(InvalidHouse, match="new Truth and a new Play"):
            play.advance(stamp)  # type: ignore[arg-type]
    assert before == [truth.state(t.thing_id) for t in small_house().things]
    assert Play(Truth(small_house()), script()).advance(MONDAY)


def test_pictures_show_things_where_the_log_says():
    house = small_house()
    moved = [c for c in changes(house, script(), 0, THURSDAY, at_least_m=0.5) if c.after.thing.group == "object"]
    eye, caster = renderer(RasterRenderer, "small"), renderer(RaycastRenderer, "small")
    try:
        truth = Truth(house)
        Play(truth, script(), [eye, caster]).advance(THURSDAY)
        seen = asked = 0
        for change in [c for c in moved if c.what == "moved"][:8]:
            spots = standpoints(caster, truth.navigation, change.thing_id, within_m=1.5)
            asked += 1
            if not len(spots):
                continue
            view = look_at(spots[len(spots) // 2] + (0.0, 0.0, 1.25), change.after.corners_m.mean(axis=0))
            picture = eye.render(view, camera(320, 240), colour=False)
            pixels = np.argwhere(picture.thing_ids == change.thing_id)
            if len(pixels):
                row, column = pixels[len(pixels) // 2]
                c, z = picture.camera, float(picture.depth_m[row, column])
                point = view @ np.array([(column - c.cx) / c.fx * z, (row - c.cy) / c.fy * z, z, 1.0])
                seen += 1
                assert np.all(point[:3] > change.after.box_min_m - 0.02)
                assert np.all(point[:3] < change.after.box_max_m + 0.02)
        assert asked >= 5
        assert seen >= asked - 1
        gone = [i for i in (d.thing_id for d in script().deeds) if not truth.state(i).present]
        assert all(eye.pose_of(i) is None for i in gone)
    finally:
        for t in house.things:
            if t.group != "structure" or "door" in t.category:
                eye.place(t.thing_id, t.world_from_thing)
                caster.place(t.thing_id, t.world_from_thing)


def test_what_is_taken_is_in_no_picture_until_it_is_put():
    house, take = small_house(), one(Verb.TAKE)
    put = next(d for d in script().of(take.thing_id) if d.verb is Verb.PUT)
    shown = renderer(RasterRenderer, "small")
    view = look_at(house.viewpoints[take.thing_id] + (0, 0, 1.25), house.thing(take.thing_id).corners_m().mean(axis=0))
    assert take.thing_id in visible(shown.render(view, camera(), colour=False))
    truth, calls = Truth(house), []
    play = Play(truth, script(), [shown], show=lambda i, pose: calls.append((i, pose is None)))
    try:
        play.advance(take.stamp_ns)
        assert calls[-1] == (take.thing_id, True)
        assert take.thing_id not in visible(shown.render(view, camera(), colour=False))
        play.advance(put.stamp_ns)
        np.testing.assert_allclose(shown.pose_of(take.thing_id), put.target.world_from_thing)  # type: ignore[union-attr]
    finally:
        for i in {i for i, _ in calls}:
            shown.place(i, house.thing(i).world_from_thing)


def test_who_plays_it_must_have_the_house_to_itself():
    house, take = small_house(), one(Verb.TAKE)
    truth = Truth(house)
    play = Play(truth, script())
    pose = house.thing(take.thing_id).world_from_thing.copy()
    pose[2, 3] += 0.3
    truth.move(take.thing_id, pose, 5)
    with pytest.raises(InvalidHouse, match="somebody else has moved it"):
        play.advance(take.stamp_ns)
    with pytest.raises(InvalidHouse, match="made for a house of digest"):
        Play(Truth(tall_house()), script())
    with pytest.raises(InvalidHouse, match="begin with a new Truth"):
        Play(Truth(house, THURSDAY), script())


# questions


@pytest.mark.parametrize("which", ["small", "tall"])
def test_thursday_is_not_monday(which):
    house = HOUSES[which]()
    found = changes(house, script(which), MONDAY, THURSDAY, at_least_m=0.1)
    objects = [t for t in house.things if t.group == "object"]
    moved = [c for c in found if c.what == "moved" and c.after.thing.group == "object"]
    assert 0.15 * len(objects) < len(moved) < len(objects)
    monday, thursday = truth_at(house, script(which), MONDAY), truth_at(house, script(which), THURSDAY)
    named = {c.thing_id for c in changes(house, script(which), MONDAY, THURSDAY)}
    for t in house.things:
        a, b = monday.state(t.thing_id), thursday.state(t.thing_id)
        same = a.present == b.present and (not a.present or np.allclose(a.world_from_thing, b.world_from_thing))
        assert same == (t.thing_id not in named)


def test_changes_name_doors_and_what_has_gone():
    house, made = tall_house(), script("tall")
    closed = next(d for d in made.deeds if d.verb is Verb.CLOSE and d.why == "in the bathroom")
    found = {c.thing_id: c.what for c in changes(house, made, 0, closed.stamp_ns)}
    assert found[closed.thing_id] == "closed"
    opened = next(d for d in made.of(closed.thing_id) if d.verb is Verb.OPEN)
    assert {c.thing_id: c.what for c in changes(house, made, closed.stamp_ns, opened.stamp_ns)}[
        closed.thing_id
    ] == "opened"
    take = one(Verb.TAKE, "tall")
    put = next(d for d in made.of(take.thing_id) if d.verb is Verb.PUT)
    assert {c.thing_id: c.what for c in changes(house, made, 0, take.stamp_ns)}[take.thing_id] == "gone"
    assert {c.thing_id: c.what for c in changes(house, made, take.stamp_ns, put.stamp_ns)}[take.thing_id] == "come"
    with pytest.raises(InvalidHouse, match="to a later one"):
        changes(house, made, THURSDAY, MONDAY)


def test_deeds_are_said_in_words():
    house, take = small_house(), one(Verb.TAKE)
    thing = house.thing(take.thing_id)
    words = deed_in_words(house, take)
    assert words.startswith(f"{said(take.stamp_ns)}: {take.who} took the {thing.look.phrase(thing.category)} from the ")
    assert words.endswith(f"({take.why})")
    put = next(d for d in script().of(take.thing_id) if d.verb is Verb.PUT)
    assert put.target is not None
    assert place_in_words(house, put.target) in deed_in_words(house, put)
    assert "the front door to outside" in deed_in_words(
        house, next(d for d in script().deeds if d.why == "coming home")
    )


# files


def test_scripts_are_written_and_read_again(tmp_path):
    house, made = small_house(), script()
    path = write_script(made, house, tmp_path / "days.jsonl")
    assert read_script(path, house) == made
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 1 + len(made.deeds)
    for row, deed in zip(rows[1:], made.deeds, strict=True):
        assert row["text"] == deed_in_words(house, deed)
        assert row["when"] == said(row["stamp_ns"])
        assert (row["from"] is None) == (deed.source is None)


@pytest.mark.parametrize(
    ("line", "text", "match"),
    [
        (0, "", "line 1"),
        (0, "{}", "version"),
        (0, '{"version": 2}', "expected 1"),
        (3, "{", "line 4"),
        (3, '{"stamp_ns": 1.5}', "line 4"),
        (3, '{"thing_id": 1}', "line 4: KeyError"),
    ],
)
def test_files_that_are_broken_are_refused_by_their_line(tmp_path, line, text, match):
    path = write_script(script(), small_house(), tmp_path / "days.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[line] = text
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InvalidHouse, match=match):
        read_script(path, small_house())


def test_files_are_refused_where_they_cannot_be_or_belong_to_another_house(tmp_path):
    with pytest.raises(InvalidHouse, match=r"must end in \.jsonl"):
        write_script(script(), small_house(), tmp_path / "days.json")
    with pytest.raises(InvalidHouse, match="does not exist"):
        write_script(script(), small_house(), tmp_path / "no" / "days.jsonl")
    with pytest.raises(InvalidHouse, match="give the house that it was made for"):
        write_script(script(), tall_house(), tmp_path / "days.jsonl")
    path = write_script(script(), small_house(), tmp_path / "days.jsonl")
    with pytest.raises(InvalidHouse, match="give the house that it was made for"):
        read_script(path, tall_house())
    with pytest.raises(InvalidHouse, match="cannot be read"):
        read_script(tmp_path / "nothing.jsonl", small_house())


# faults and bad input


def test_faults_are_found():
    house, deeds = small_house(), script().deeds
    at = next(i for i, d in enumerate(deeds) if d.verb is Verb.PUT and d.target is not None and d.target.support_id)
    put, upto = deeds[at], deeds[:at]
    assert put.target is not None
    assert faults(house, altered(deeds[: at + 1]), ways=False) == ()

    def moved(dx: float, dz: float) -> Deed:
        pose = list(put.target.pose)  # type: ignore[union-attr]
        pose[3], pose[11] = pose[3] + dx, pose[11] + dz
        return replace(put, target=replace(put.target, pose=tuple(pose)))  # type: ignore[type-var]

    again = replace(put, stamp_ns=put.stamp_ns + 1, until_ns=put.until_ns + 1)
    for wrong, text in (
        ((*upto, put, again), "not where the script has it"),
        ((*upto, moved(0.0, 0.2)), "does not fit"),
        ((*upto, moved(3.0, 0.0)), "does not fit"),
        ((*upto, replace(put, stamp_ns=0)), "stamps are not in order"),
        ((*upto, replace(put, thing_id=1)), "not where the script has it"),
    ):
        assert any(text in fault for fault in faults(house, altered(wrong), ways=False)), text


def test_a_thing_put_into_another_is_a_fault():
    house, deeds = small_house(), script().deeds
    at, put = next(
        (i, d) for i, d in enumerate(deeds)
        if d.verb is Verb.PUT and d.target is not None and d.target.support_id
        and any(t.support_id == d.target.support_id and t.thing_id != d.thing_id for t in house.things)
    )  # fmt: skip
    assert put.target is not None
    truth = truth_at(house, script(), put.stamp_ns - 1)
    other = next(s for s in truth.states() if s.support_id == put.target.support_id)
    pose = put.target.world_from_thing
    pose[:3, 3] = other.world_from_thing[:3, 3]
    target = replace(put.target, pose=tuple(float(v) for v in pose.ravel()))
    found = faults(house, altered((*deeds[:at], replace(put, target=target))), ways=False)
    assert any(f"overlaps {other.thing.category} {other.thing.thing_id}" in fault for fault in found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"residents": 0}, {"residents": 7}, {"residents": True}, {"days": 0}, {"days": 1.5}, {"hours": (9.0, 9.0)},
        {"hours": (-1.0, 9.0)}, {"busy": -0.1}, {"busy": float("nan")}, {"busy": 4.0},
    ],
)  # fmt: skip
def test_days_that_cannot_be_are_refused(wrong):
    with pytest.raises(InvalidHouse, match=f"{next(iter(wrong))} must"):
        DaysConfig(**wrong)


@pytest.mark.parametrize("seed", [-1, 1.5, None, True, "3"])
def test_seeds_that_are_none_are_refused(seed):
    with pytest.raises(InvalidHouse, match="whole number from 0"):
        make_script(small_house(), seed)


def test_a_house_without_small_things_has_quiet_days():
    bare = make_house(3, HouseConfig(floors=1, rooms_per_floor=(3, 3), density=0.0))
    made = make_script(bare, 1, DaysConfig(days=1))
    assert faults(bare, made) == ()
    assert Verb.OPEN in {d.verb for d in made.deeds}
    assert all(bare.thing(d.thing_id).group != "object" for d in made.deeds)
