"""ObjectNav and GOAT under way: rules, goals one after another, actions, time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grid_world import EYE_M, HOUR_NS, GridScene, GridWorld

from sim import observation as keys
from sim.body import Action
from sim.errors import InvalidAction, InvalidSetting
from sim.house.sensors import Drift
from sim.sensing import Sensed, SensingConfig
from sim.tasks.episode import Episode, Goal, ImageView
from sim.tasks.goat import GoatTask
from sim.tasks.objectnav import ObjectNavTask
from sim.tasks.sensed import STEP_NS
from sim.tasks.walking import STAMP_KEY, WalkTrial

STOP, FORWARD, LEFT, RIGHT = Action.STOP, Action.FORWARD, Action.LEFT, Action.RIGHT
SIZE = {"width": 24, "height": 16}
WORLD = GridWorld()


def entered(task: ObjectNavTask | GoatTask) -> GridScene:
    return WORLD.open("train-0", task.scene_config())


def runway(scene: GridScene) -> tuple[float, float, float]:
    """Where the body can go 1.5 m along +x."""
    for x, y, z in scene.standing_places_m():
        scene.place(np.array([x, y, z]), 0.0)
        if not any(scene.act(FORWARD).collided for _ in range(6)):
            return float(x), float(y), float(z)
    raise AssertionError("no free way of 1.5 m")


def goal_at(x: float, y: float, z: float, kind: str = "category", **extra: object) -> Goal:
    return Goal(kind, "mug", "mug", ("13",), viewpoints_m=((x, y, z),), extra=extra)


def begun(task: ObjectNavTask | GoatTask, *metres_ahead: float, **extra: object) -> WalkTrial:
    """A trial whose goals lie so far ahead of its start."""
    scene = entered(task)
    x, y, z = runway(scene)
    goals = tuple(goal_at(x + m, y, z) for m in metres_ahead)
    return task.begin(scene, Episode("e", "train-0", (x, y, z), 0.0, goals, **extra))


def done(trial: WalkTrial, *actions: int) -> WalkTrial:
    for action in actions:
        trial.step(action)
    return trial


def test_what_the_body_believes_of_itself_is_what_odometry_says():
    task = ObjectNavTask(**SIZE)
    scene = entered(task)
    x, y, z = runway(scene)
    adrift = Sensed(scene, SensingConfig(drift=Drift(along_m=0.1)), seed=3)
    trial = task.begin(adrift, Episode("e", "train-0", (x, y, z), 0.5, (goal_at(x, y, z),)))
    seen = [trial.observation(), done(trial, FORWARD, LEFT, FORWARD).observation()]
    assert seen[0][keys.STATE] == pytest.approx([x, y, z, 0.5, 0.0], abs=1e-6)
    assert 1e-3 < np.abs(seen[1][keys.STATE][:3] - scene.stand.ground_m).max() < 0.5
    for one in seen:  # the camera stands EYE_M above where the body believes it is, and looks where it believes to
        pose, state = one[keys.POSE], one[keys.STATE]
        assert pose[:3, 3] == pytest.approx(state[:3] + (0.0, 0.0, EYE_M), abs=1e-5)
        assert np.arctan2(pose[1, 2], pose[0, 2]) == pytest.approx(state[3], abs=1e-5)


# ObjectNav


def test_the_shortest_way_has_spl_1():
    result = done(begun(ObjectNavTask(**SIZE), 1.0), *[FORWARD] * 4, STOP).result()
    assert result.status == "success" and result.steps == 5
    assert result.metrics == pytest.approx(
        {"success": 1.0, "spl": 1.0, "softspl": 1.0, "distance_to_goal": 0.0, "num_steps": 5.0, "collisions": 0.0,
         "path_length_m": 1.0, "shortest_m": 1.0}
    )  # fmt: skip


def test_a_detour_costs_its_length_and_not_its_turns():
    back = [LEFT] * 6
    trial = done(begun(ObjectNavTask(**SIZE), 1.0), FORWARD, *back, FORWARD, *back, *[FORWARD] * 4, STOP)
    assert trial.result().metrics["spl"] == pytest.approx(1.0 / 1.5)


def test_ten_degree_turns_are_three_times_as_many():
    task = ObjectNavTask(turn_deg=10.0, **SIZE)
    assert task.scene_config().motion.turn_deg == 10.0 and task.task_id == "objectnav-v1"
    assert done(begun(task, 1.0), *[LEFT] * 36, *[FORWARD] * 4, STOP).result().status == "success"
    assert done(begun(task, 1.0), *[LEFT] * 12, *[FORWARD] * 4, STOP).result().status == "failure"


def test_stopping_too_far_fails_and_soft_spl_tells_how_near_it_was():
    result = done(begun(ObjectNavTask(**SIZE), 1.0), FORWARD, FORWARD, STOP).result()
    assert result.status == "failure" and result.metrics["spl"] == 0.0
    assert result.metrics["softspl"] == pytest.approx(0.5)


def test_without_a_stop_there_is_no_success():
    trial = done(begun(ObjectNavTask(max_steps=4, **SIZE), 1.0), *[FORWARD] * 4)
    assert trial.over and trial.result().status == "timeout"
    assert trial.result().metrics["success"] == 0.0 and trial.result().metrics["softspl"] == pytest.approx(1.0)


def test_a_stop_with_the_last_action_counts():
    trial = done(begun(ObjectNavTask(max_steps=5, **SIZE), 1.0), *[FORWARD] * 4, STOP)
    assert trial.over and trial.result().status == "success"


def test_an_episode_that_is_not_over_is_given_up():
    trial = done(begun(ObjectNavTask(**SIZE), 1.0), *[FORWARD] * 4)
    assert not trial.over and trial.result().metrics["success"] == 0.0
    done(trial, STOP)
    assert trial.result().metrics["success"] == 1.0


def test_collisions_are_counted_and_shown():
    trial = begun(ObjectNavTask(**SIZE), 1.0)
    done(trial, *[FORWARD] * 60)
    assert trial.observation()[keys.COLLIDED] == 1 and trial.result().metrics["collisions"] > 10
    done(trial, LEFT)
    assert trial.observation()[keys.COLLIDED] == 0


def test_a_thing_counts_from_where_it_is_seen():
    task = ObjectNavTask(**SIZE)
    scene = entered(task)
    mug = next(t for t in scene.objects() if t.category == "mug")
    place = scene.viewpoints_m(mug.object_id)[0]
    goal = Goal("category", "mug", "mug", (mug.object_id,))
    x, y, z = (float(v) for v in place)
    trial = done(task.begin(scene, Episode("e", "train-0", (x, y, z), 0.0, (goal,))), STOP)
    assert trial.result().metrics["success"] == 1.0 and trial.result().metrics["spl"] == 1.0


def test_a_goal_that_nobody_sees_is_infinitely_far():
    task = ObjectNavTask(**SIZE)
    scene = entered(task)
    x, y, z = runway(scene)
    trial = done(
        task.begin(scene, Episode("e", "train-0", (x, y, z), 0.0, (Goal("category", "unicorn"),))), FORWARD, STOP
    )
    metrics = trial.result().metrics
    assert metrics["success"] == metrics["spl"] == metrics["softspl"] == 0.0 and metrics["distance_to_goal"] == np.inf


# actions and observations


@pytest.mark.parametrize(
    "action", [6, -1, 1.0, "1", None, True, np.bool_(True), {}, {"action": None}, {"act": 1}, [1], np.array([1, 2])]
)
def test_nonsense_is_refused_and_nothing_has_happened(action):
    trial = begun(ObjectNavTask(**SIZE), 1.0)
    before, result = trial.observation(), trial.result()
    with pytest.raises(InvalidAction, match="1 FORWARD"):
        trial.step(action)
    after = trial.observation()
    assert all(np.array_equal(before[key], after[key]) for key in before) and trial.result() == result


@pytest.mark.parametrize(
    "action", [1, np.int64(1), np.uint8(1), Action.FORWARD, {"action": 1}, {"action": np.int32(1)}]
)
def test_numbers_of_any_kind_are_actions(action):
    trial = begun(ObjectNavTask(**SIZE), 1.0)
    trial.step(action)
    assert trial.result().metrics["path_length_m"] == pytest.approx(0.25)


def test_nothing_goes_on_after_the_end():
    trial = done(begun(ObjectNavTask(**SIZE), 1.0), STOP)
    assert trial.observation()[keys.GOAL_INDEX] == 0
    with pytest.raises(InvalidAction, match="is over"):
        trial.step(STOP)


def test_observations_have_their_names_and_types():
    seen = begun(GoatTask(shows_ids=True, **SIZE), 1.0).observation()
    kinds = {
        keys.RGB: (np.uint8, (16, 24, 3)), keys.DEPTH: (np.float32, (16, 24)), keys.IDS: (np.int32, (16, 24)),
        keys.POSE: (np.float64, (4, 4)), keys.STATE: (np.float32, (5,)), keys.STAMP: (np.int64, ()),
        keys.COLLIDED: (np.int8, ()), keys.GOAL_INDEX: (np.int64, ()), keys.GOAL_IMAGE: (np.uint8, (0, 0, 3)),
    }  # fmt: skip
    assert {k: (seen[k].dtype.type, seen[k].shape) for k in kinds} == kinds
    assert (seen[keys.GOAL_KIND], seen[keys.GOAL_TEXT], seen[keys.GOAL_CHOICES]) == ("category", "mug", ())
    assert set(seen) == {*kinds, keys.GOAL_KIND, keys.GOAL_TEXT, keys.GOAL_CHOICES}
    assert keys.IDS not in begun(GoatTask(**SIZE), 1.0).observation() and np.isfinite(seen[keys.DEPTH]).all()


# GOAT


def test_goals_follow_one_another_from_where_the_body_is():
    trial = begun(GoatTask(**SIZE), 0.5, 1.5, 0.5)
    assert trial.observation()[keys.GOAL_INDEX] == 0
    done(trial, FORWARD, FORWARD, STOP)
    assert trial.observation()[keys.GOAL_INDEX] == 1
    done(trial, *[FORWARD] * 4, STOP)
    result = done(trial, STOP).result()
    assert trial.over and [g["success"] for g in result.goals] == [1.0, 1.0, 0.0]
    assert [g["shortest_m"] for g in result.goals] == pytest.approx([0.5, 1.0, 1.0])
    assert [g["spl"] for g in result.goals] == pytest.approx([1.0, 1.0, 0.0])
    assert result.metrics["success"] == pytest.approx(2 / 3) and result.metrics["spl"] == pytest.approx(2 / 3)
    assert result.metrics["composite_success"] == 0.0 and result.status == "failure" and result.steps == 9
    assert result.metrics["path_length_m"] == pytest.approx(1.5)


def test_all_goals_reached_is_a_success():
    result = done(begun(GoatTask(**SIZE), 0.5, 1.0), FORWARD, FORWARD, STOP, FORWARD, FORWARD, STOP).result()
    assert result.status == "success" and result.metrics["composite_success"] == 1.0


def test_a_goal_of_too_many_actions_is_given_up_and_the_next_one_named():
    trial = done(begun(GoatTask(max_steps=3, **SIZE), 1.5, 0.5), FORWARD, FORWARD, FORWARD)
    assert trial.observation()[keys.GOAL_INDEX] == 1 and not trial.over
    result = done(trial, LEFT, LEFT, LEFT).result()
    assert result.status == "timeout" and [g["status"] for g in result.goals] == ["timeout", "timeout"]
    assert result.metrics["softspl"] == 0.0


def test_goals_never_named_count_as_failures():
    trial = done(begun(GoatTask(**SIZE), 0.5, 1.0, 1.0, 1.0), FORWARD, FORWARD, STOP)
    assert trial.result().metrics["success"] == 0.25 and len(trial.result().goals) == 2


def test_success_by_kind_of_goal():
    task = GoatTask(**SIZE)
    scene = entered(task)
    x, y, z = runway(scene)
    view = ImageView(tuple(scene.world_from_camera.ravel()), 20, 10, 60.0)
    goals = (
        goal_at(x, y, z), goal_at(x, y, z, "description"), goal_at(x + 9, y, z, "description"),
        replace(goal_at(x, y, z, "image", moved=True), image=view),
    )  # fmt: skip
    trial = done(task.begin(scene, Episode("e", "train-0", (x, y, z), 0.0, goals)), STOP, STOP, STOP)
    seen = trial.observation()
    assert seen[keys.GOAL_IMAGE].shape == (10, 20, 3) and seen[keys.GOAL_TEXT] == ""
    metrics = done(trial, STOP).result().metrics
    assert (metrics["object_success"], metrics["description_success"], metrics["image_success"]) == (1.0, 0.5, 1.0)
    assert metrics["moved_success"] == 1.0


def test_one_meter_is_the_variant_of_3d_mem():
    actions = (FORWARD, STOP)
    assert done(begun(GoatTask(**SIZE), 1.0), *actions).result().metrics["success"] == 0.0
    assert done(begun(GoatTask(success_m=1.0, **SIZE), 1.0), *actions).result().metrics["success"] == 1.0


def test_the_original_camera():
    camera, motion = GoatTask(width=360, height=640).scene_config(), GoatTask().scene_config().motion
    assert (camera.width, camera.height, camera.hfov_deg) == (360, 640, 42.0)
    assert (motion.forward_m, motion.turn_deg, motion.look_deg) == (0.25, 30.0, 30.0)
    assert ObjectNavTask().scene_config().hfov_deg == 79.0 and ObjectNavTask().max_steps == GoatTask().max_steps == 500


# time


def test_time_goes_on_between_goals_and_things_are_where_they_are_then():
    task = GoatTask(**SIZE)
    scene = entered(task)
    mug = next(t for t in scene.objects() if t.category == "mug")
    goals = tuple(
        Goal("description", "mug", "mug", (mug.object_id,), extra=extra) for extra in ({}, {STAMP_KEY: 2 * HOUR_NS})
    )
    place = tuple(float(v) for v in scene.viewpoints_m(mug.object_id)[0])
    x, y, z = place
    trial = done(task.begin(scene, Episode("e", "train-0", (x, y, z), 0.0, goals)), STOP)
    assert scene.stamp_ns == 2 * HOUR_NS and trial.observation()[keys.STAMP] == 2 * HOUR_NS + STEP_NS
    result = done(trial, STOP).result()
    assert [g["success"] for g in result.goals] == [1.0, 0.0] and result.goals[1]["shortest_m"] > 1.0


def test_what_is_put_where_the_body_stands_moves_it_aside():
    task = GoatTask(**SIZE)
    scene = entered(task)
    x, y, z = runway(scene)
    goals = (goal_at(x, y, z), goal_at(x, y, z, **{STAMP_KEY: HOUR_NS}))
    trial = task.begin(scene, Episode("e", "train-0", (x, y, z), 0.0, goals))
    scene._free[int(y // 0.1), int(x // 0.1)] = False
    scene._places_m = scene._lattice()
    done(trial, STOP)
    assert 0.0 < np.linalg.norm(scene.stand.ground_m - (x, y, z)) < 0.5
    assert trial.result().metrics["path_length_m"] == 0.0


def test_an_episode_of_the_past_is_refused():
    task = GoatTask(**SIZE)
    scene = entered(task)
    scene.advance(5)
    with pytest.raises(InvalidSetting, match="open the scene anew"):
        task.begin(scene, Episode("e", "train-0", runway(scene), 0.0, (goal_at(1, 1, 0),), stamp_ns=3))


# what a task cannot do


@pytest.mark.parametrize(
    ("task", "goals"),
    [(ObjectNavTask(), (goal_at(1, 1, 0), goal_at(1, 1, 0))), (ObjectNavTask(), (goal_at(1, 1, 0, "description"),)),
     (GoatTask(), ()), (GoatTask(), (Goal("question", "where?"),))],
)  # fmt: skip
def test_foreign_episodes_are_refused(task, goals):
    with pytest.raises(InvalidSetting, match="goals of kind"):
        task.begin(entered(task), Episode("e", "train-0", (1.0, 1.0, 0.0), 0.0, goals))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [(ObjectNavTask, {"max_steps": 0}), (ObjectNavTask, {"hfov_deg": 180.0}), (ObjectNavTask, {"success_m": 0.0}),
     (ObjectNavTask, {"turn_deg": -1.0}), (ObjectNavTask, {"groups": "furniture"}), (GoatTask, {"away_h": -1.0}),
     (GoatTask, {"image_size": 1.5}), (GoatTask, {"width": 0}), (GoatTask, {"success_m": float("nan")})],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(kind, settings):
    with pytest.raises(InvalidSetting, match=next(iter(settings))):
        kind(**settings)
