"""Episodes drawn for any world: the same for everyone, with ways worth going and words that fit one thing only."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from grid_world import HOUR_NS, KINDS, GridScene, GridWorld

from sim.errors import InvalidSetting, UnknownName
from sim.scene import SceneConfig, SceneObject
from sim.tasks.episode import Episode, Goal
from sim.tasks.goat import GoatTask
from sim.tasks.goat_goals import Draft, extend
from sim.tasks.objectnav import ObjectNavTask
from sim.tasks.phrases import Describer, is_a
from sim.tasks.places import FURTHEST_M, NEAREST_M, Stock, kept_share
from sim.tasks.views import image_view
from sim.tasks.walk_task import WalkTask
from sim.tasks.walking import STAMP_KEY, targets
from spatialmem.types import Camera

SMALL = SceneConfig(32, 24)
WORLD = GridWorld()


@functools.lru_cache
def drawn(kind: type[WalkTask], count: int, seed: int = 0, **settings: float) -> tuple[Episode, ...]:
    task = kind(**{"width": 32, "height": 24, **settings})
    return tuple(task.episodes(GridWorld(), "train", seed, count))


def goat(count: int = 5, **settings: float) -> tuple[Episode, ...]:
    return drawn(GoatTask, count, **settings)


def opened(episode: Episode) -> GridScene:
    return WORLD.open(episode.scene_id, SMALL)


# the same for everyone


@pytest.mark.parametrize(("kind", "count"), [(ObjectNavTask, 12), (GoatTask, 3)])
def test_every_prefix_is_a_prefix_and_every_draw_the_same(kind, count):
    for fewer in (0, 1, count - 1):
        again = kind(width=32, height=24).episodes(GridWorld(), "train", 0, fewer)
        assert tuple(again) == drawn(kind, count)[:fewer]


def test_prefixes_hold_when_time_goes_on():
    assert goat(3, away_h=2.0)[:1] == goat(1, away_h=2.0)


@pytest.mark.parametrize("settings", [{"turn_deg": 10.0}, {"width": 64}, {"hfov_deg": 60.0}, {"success_m": 1.0}])
def test_the_camera_and_the_steps_change_no_episode(settings):
    assert drawn(ObjectNavTask, 6, **settings) == drawn(ObjectNavTask, 6)


def test_seeds_and_splits_give_others():
    assert drawn(ObjectNavTask, 6, 1) != drawn(ObjectNavTask, 6)
    scenes = {s: {e.scene_id for e in ObjectNavTask().episodes(WORLD, s, 0, 6)} for s in ("train", "val", "test")}
    assert len(set.union(*scenes.values())) == sum(map(len, scenes.values()))
    with pytest.raises(UnknownName, match="did you mean 'train'"):
        ObjectNavTask().episodes(WORLD, "trian", 0, 1)


def test_a_world_of_few_scenes_is_gone_through_again():
    episodes = ObjectNavTask(per_scene=2).episodes(WORLD, "val", 0, 7)
    assert [e.episode_id for e in episodes] == [
        "val-0-0", "val-0-1", "val-1-0", "val-1-1", "val-0-2", "val-0-3", "val-1-2"
    ]  # fmt: skip


@pytest.mark.parametrize(("seed", "count"), [(-1, 1), (0, -1), (True, 1), (0.5, 1)])
def test_odd_seeds_and_counts_are_refused(seed, count):
    with pytest.raises(InvalidSetting, match="not negative"):
        ObjectNavTask().episodes(WORLD, "train", seed, count)


def test_a_world_without_what_is_asked_for_is_said_to_have_none():
    with pytest.raises(InvalidSetting, match="offer no episode of objectnav-v1"):
        ObjectNavTask(categories=("piano",)).episodes(WORLD, "test", 0, 1)


# ObjectNav


def test_starts_lie_off_their_goals_and_on_the_ground():
    for episode in drawn(ObjectNavTask, 12):
        scene, (goal,) = opened(episode), episode.goals
        scene.place(np.array(episode.start_m), episode.start_yaw_rad)
        far = scene.distance_m(scene.stand.ground_m, targets(scene, goal))
        assert NEAREST_M <= far <= FURTHEST_M and far == pytest.approx(episode.extra["geodesic_distance"])
        assert goal.text == goal.category and goal.category in KINDS


def test_a_category_counts_all_its_things_and_those_whose_names_end_with_it():
    for episode in drawn(ObjectNavTask, 12):
        scene, (goal,) = opened(episode), episode.goals
        things = [t for t in scene.objects() if is_a(t, goal.category) and len(scene.viewpoints_m(t.object_id))]
        assert goal.object_ids == tuple(t.object_id for t in things)


@pytest.mark.parametrize(("ratio", "share"), [(1.0, 0.008), (1.03, 0.05), (1.05, 1.0), (3.0, 1.0)])
def test_straight_ways_are_mostly_passed_over(ratio, share):
    assert kept_share(ratio) == pytest.approx(share)


# GOAT


def test_five_to_ten_goals_of_three_kinds():
    goals = [g for e in goat() for g in e.goals]
    assert all(5 <= len(e.goals) <= 10 for e in goat())
    assert {g.kind for g in goals} == {"category", "description", "image"}
    assert all(not g.text for g in goals if g.kind == "image") and all(g.text for g in goals if g.kind != "image")


def test_the_right_one_of_several_is_asked_for():
    goals = [g for e in goat() for g in e.goals if g.kind != "category"]
    assert all(len(g.object_ids) == 1 for g in goals)
    assert sum(g.extra["instances"] > 1 for g in goals) > len(goals) / 2


def test_there_is_always_a_way_to_go():
    for episode in goat():
        scene = opened(episode)
        far = scene.distances_to(targets(scene, episode.goals[0]))
        assert far(np.array(episode.start_m)) >= NEAREST_M
        for before, goal in zip(episode.goals, episode.goals[1:], strict=False):
            assert goal.object_ids != before.object_ids and len(targets(scene, goal))


def test_goals_come_back_so_that_memory_helps():
    again = [len({i for g in e.goals for i in g.object_ids}) < sum(len(g.object_ids) for g in e.goals) for e in goat()]
    assert any(again)


def test_later_goals_ask_for_what_has_been_moved():
    episodes = goat(away_h=2.0)
    for episode in episodes:
        stamps = [g.extra.get(STAMP_KEY) for g in episode.goals]
        half = -(-len(stamps) // 2)
        assert stamps == [None] * half + [2 * HOUR_NS] * (len(stamps) - half)
        assert not any(g.extra["moved"] for g in episode.goals[:half])
    moved = [(e, g) for e in episodes for g in e.goals if g.extra["moved"]]
    assert moved
    for episode, goal in moved:
        scene = opened(episode)
        was = {t.object_id: t.support for t in scene.objects()}
        scene.advance(2 * HOUR_NS)
        assert any(was[t.object_id] != t.support for t in scene.objects() if t.object_id in goal.object_ids)


def test_what_is_put_where_the_body_may_be_stops_no_draw():
    scene = WORLD.open("train-0", SMALL)
    table = next(t for t in scene.objects() if t.group == "furniture")
    draft = Draft(0, np.random.default_rng(0), 5, at_m=table.middle_m * (1.0, 1.0, 0.0))
    extend(draft, Stock(scene, ("furniture",), ()), 5, 32, frozenset(), {})
    assert len(draft.goals) == 5 and not draft.failed


def test_pictures_show_the_thing():
    shown = [(e, g) for e in goat() for g in e.goals if g.image is not None]
    assert shown
    for episode, goal in shown:
        view, scene = goal.image, opened(episode)
        assert view is not None
        pose = np.array(view.world_from_camera).reshape(4, 4)
        sight = scene.sight_from(pose, Camera.from_hfov(view.hfov_deg, 32, 32))
        thing = next(t for t in scene.objects() if t.object_id == goal.object_ids[0])
        assert (sight.instance_ids == thing.instance_id).mean() >= 0.01


def test_what_no_place_shows_has_no_picture():
    scene = WORLD.open("train-0", SMALL)
    mug = next(t for t in scene.objects() if t.category == "mug")
    rng = np.random.default_rng(0)
    assert image_view(scene, mug, np.array([[9.5, 0.1, 0.0]]), rng, 64) is None
    assert image_view(scene, mug, np.empty((0, 3)), rng, 64) is None


# words


def thing(number: int, category: str, phrase: str, room: str = "", on: int = 0, **attributes: str) -> SceneObject:
    return SceneObject(
        str(number), number, category, "object", phrase, attributes, np.zeros(3), np.ones(3), 0, room,
        str(on) if on else "", "on" if on else "",
    )  # fmt: skip


def described(*things: SceneObject) -> list[str]:
    describer = Describer(things)
    return [describer.describe(t) for t in things]


def test_the_shortest_words_that_fit_one_thing_alone():
    assert described(
        thing(1, "table", "red table", "kitchen", colour="red"),
        thing(2, "mug", "blue mug", "kitchen", on=1, colour="blue"),
        thing(3, "mug", "blue mug", "kitchen", colour="blue"),
        thing(4, "mug", "green mug", "office", colour="green"),
    ) == ["red table", "blue mug on the table", "", "green mug"]


def test_words_that_leave_something_out_fit_what_has_it():
    """A medium mug's phrase tells no size, so it fits a small one of the same colour as well."""
    words = described(
        thing(1, "mug", "blue mug", "kitchen", colour="blue", size="medium"),
        thing(2, "mug", "small blue mug", "kitchen", colour="blue", size="small"),
        thing(3, "mug", "blue mug", "office", colour="blue", size="medium"),
    )
    assert words == ["", "small blue mug", "blue mug in the office"]


def test_a_dining_table_is_a_table():
    words = described(thing(1, "table", "red table"), thing(2, "dining table", "red dining table"))
    assert words == ["", "red dining table"]


def test_on_a_tray_on_the_table_is_on_the_table():
    words = described(
        thing(1, "table", "table", "kitchen"), thing(2, "tray", "tray", "kitchen", on=1),
        thing(3, "cup", "cup", "kitchen", on=1), thing(4, "cup", "cup", "kitchen", on=2), thing(5, "shelf", "shelf"),
    )  # fmt: skip
    assert words == ["table", "tray", "", "cup on the tray", "shelf"]


def test_the_support_is_told_from_others_by_its_own_looks():
    words = described(
        thing(1, "table", "red table", colour="red"), thing(2, "table", "blue table", colour="blue"),
        thing(3, "cup", "cup", on=1), thing(4, "cup", "cup", on=2),
    )  # fmt: skip
    assert words[2:] == ["cup on the red table", "cup on the blue table"]


def test_descriptions_of_drawn_goals_fit_one_thing_alone():
    """Checked by reading the words again, not by the code that made them."""
    for episode in goat():
        scene = opened(episode)
        for goal in episode.goals:
            if goal.kind == "description":
                assert [t.object_id for t in scene.objects() if _reads(goal, t, scene)] == list(goal.object_ids)


def _reads(goal: Goal, thing: SceneObject, scene: GridScene) -> bool:
    what, _, room = goal.text.partition(" in the ")
    what, _, holder = what.partition(" on the ")
    colour, _, kind = what.partition(" ")
    held = next((t for t in scene.objects() if t.object_id == thing.support), None)
    fits = thing.phrase.startswith(f"{colour} ") and thing.category.endswith(kind) and (not room or thing.room == room)
    return fits and (not holder or (held is not None and held.phrase.endswith(holder)))
