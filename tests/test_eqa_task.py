"""The task: where questions begin, what an agent may do, how it ends, and walks that are asked about."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from eqa_cases import HandScene, HandWorld, Marks, furnished

from policies.agents.blind import Blind
from sim import observation as keys
from sim.body import Action
from sim.errors import InvalidAction, InvalidSetting
from sim.runner.manifest import manifest
from sim.runner.names import AgentSpec
from sim.runner.plan import Plan
from sim.tasks.episode import Episode, Goal
from sim.tasks.eqa import CATEGORIES, Asking, EqaChoiceTask, EqaTask, frozen, history
from sim.tasks.eqa.frozen import SPLIT_SHA256
from sim.tasks.eqa.tour import shortest_m
from sim.tasks.task import Task

TASKS = [EqaTask, EqaChoiceTask]


def question(**changes) -> Episode:
    """Where is the kettle? It is seen from 1 m around (0.6, 3.5); the start is 3 m away from there."""
    goal = Goal("question", "Where is the kettle?", "object localization", ("22",), answers=("on the stove", "kitchen"))
    return Episode("1-0", "1", (4.5, 3.5, 0.0), math.pi, (replace(goal, **changes),))


def begun(task: Task | None = None, episode: Episode | None = None):
    scene = HandScene(furnished())
    return scene, (task or EqaTask()).begin(scene, episode or question())


# episodes


@pytest.mark.parametrize("task", TASKS)
def test_shorter_lists_are_the_beginnings_of_longer_ones(task):
    longer = task().episodes(HandWorld(), "train", 3, 20)
    assert len(longer) == 20 and task().episodes(HandWorld(), "train", 3, 9) == longer[:9]
    assert len({e.episode_id for e in longer}) == 20
    assert all(len({e.goals[0].category for e in longer if e.scene_id == s}) == len(CATEGORIES) for s in ("0", "1"))


@pytest.mark.parametrize("task", TASKS)
def test_every_question_begins_somewhere_one_can_stand(task):
    world = HandWorld()
    for episode in task().episodes(world, "val", 0, 21):
        scene = world.open(episode.scene_id, task().scene_config())
        assert np.isclose(scene.standing_places_m(), episode.start_m).all(axis=1).any()
        assert bool(episode.goals[0].choices) == task.choices and episode.goals[0].answers
    assert all(s.closed for s in world.opened[:3])


def test_other_seeds_ask_something_else():
    one, other = (EqaTask().episodes(HandWorld(), "train", seed, 14) for seed in (0, 1))
    assert [e.goals for e in one] != [e.goals for e in other]


def test_a_world_that_runs_out_says_so():
    with pytest.raises(InvalidSetting, match="gives 14 questions; asked for 15"):
        EqaTask().episodes(HandWorld(scenes=2), "train", 0, 15)
    with pytest.raises(InvalidSetting, match="offer no question"):
        EqaTask().episodes(HandWorld({str(n): () for n in range(100)}), "train", 0, 1)


def test_the_hash_of_what_is_frozen_goes_into_manifests():
    assert EqaTask.split_hash() == EqaChoiceTask.split_hash() == SPLIT_SHA256
    plan = Plan("eqa-v1", AgentSpec("policies.agents.blind:Blind"), "blind")
    assert manifest(plan, EqaTask(), HandWorld(), Blind())["task_identity"] == {"split_sha256": SPLIT_SHA256}


def test_another_split_file_is_refused(monkeypatch):
    frozen.split.cache_clear()
    monkeypatch.setattr(frozen, "SPLIT_SHA256", "0" * 64)
    with pytest.raises(InvalidSetting, match="put the frozen file back"):
        frozen.split()
    monkeypatch.undo()
    assert frozen.split()


def test_held_out_scenes_may_be_lived_in(monkeypatch):
    seeds, world = frozen.held_out("house"), HandWorld()
    assert seeds is not None
    enter = world.open
    monkeypatch.setattr(HandWorld, "name", "house")
    monkeypatch.setattr(world, "scene_ids", lambda split, count: [f"{n}+3" for n in seeds[:count]])
    monkeypatch.setattr(world, "open", lambda scene_id, config: enter("0", config))
    assert {e.scene_id for e in EqaTask().episodes(world, "test", 0, 8)} == {f"{n}+3" for n in seeds[:2]}
    monkeypatch.setattr(world, "scene_ids", lambda split, count: [str(n) for n in range(count)])
    with pytest.raises(InvalidSetting, match="gives 0 questions"):
        EqaTask().episodes(world, "test", 0, 1)


def test_questions_about_a_later_time_are_asked_then():
    (episode,) = EqaTask(stamp_ns=50).episodes(HandWorld(), "train", 0, 1)
    scene, _ = begun(episode=episode)
    assert episode.stamp_ns == 50 == scene.stamp_ns


# a trial


def test_what_an_agent_is_shown():
    scene, trial = begun(EqaChoiceTask(), question(choices=("kitchen", "bedroom"), answers=("kitchen",)))
    seen = trial.observation()
    assert seen[keys.GOAL_KIND] == "question" and seen[keys.GOAL_TEXT] == "Where is the kettle?"
    assert seen[keys.GOAL_CHOICES] == ("kitchen", "bedroom") and seen[keys.GOAL_IMAGE].shape == (0, 0, 3)
    assert seen[keys.RGB].shape == (24, 32, 3) and seen[keys.DEPTH].dtype == np.float32
    assert np.isfinite(seen[keys.DEPTH]).all() and keys.IDS not in seen
    np.testing.assert_allclose(seen[keys.STATE], [4.5, 3.5, 0.0, math.pi, 0.0], atol=1e-6)
    np.testing.assert_allclose(seen[keys.POSE], scene.world_from_camera)
    assert not [key for key in seen if key.startswith("goal.") and "answer" in key]
    trial.step(int(Action.LEFT))
    assert trial.observation()[keys.STAMP] > seen[keys.STAMP]  # a memory takes no two frames of one instant
    assert keys.IDS in begun(EqaTask(shows_ids=True))[1].observation()


def test_an_answer_ends_it():
    _, trial = begun()
    trial.step(int(Action.FORWARD))
    trial.step({"action": int(Action.STOP), "answer": "It is on the stove."})
    result = trial.result()
    assert trial.over and result.status == "success" and result.steps == 2
    assert result.metrics["correct"] == result.metrics["correct/object localization"] == 1.0
    assert result.metrics["path_length_m"] == pytest.approx(0.25)
    with pytest.raises(InvalidAction, match="is over"):
        trial.step(int(Action.FORWARD))


@pytest.mark.parametrize(("answer", "status"), [("bedroom", "failure"), ("", "failure")])
def test_wrong_and_missing_answers_fail(answer, status):
    _, trial = begun()
    trial.step({"action": int(Action.STOP), "answer": answer})
    result = trial.result()
    assert result.status == status and result.metrics["correct"] == result.metrics["efficiency"] == 0.0
    assert result.metrics["answered"] == float(bool(answer))


def test_stop_alone_is_no_answer():
    _, trial = begun()
    trial.step(int(Action.STOP))
    assert trial.over and trial.result().status == "failure"


def test_steps_run_out():
    _, trial = begun(EqaTask(max_steps=3))
    for _ in range(3):
        assert not trial.over
        trial.step(int(Action.LEFT))
    assert trial.over and trial.result().status == "timeout"


def test_efficiency_is_the_share_of_the_shortest_way():
    scene, trial = begun()
    shortest = shortest_m(scene, np.array(question().start_m), ("22",))
    for _ in range(40):
        trial.step(int(Action.LEFT))
    for _ in range(8):
        trial.step(int(Action.FORWARD))
    for _ in range(32):  # there and on: 10 m gone
        trial.step(int(Action.FORWARD))
    trial.step({"action": 0, "answer": "kitchen"})
    metrics = trial.result().metrics
    assert 2.5 < shortest < 3.5 and metrics["shortest_m"] == pytest.approx(shortest)
    assert metrics["efficiency"] == pytest.approx(shortest / 10.0)


def test_a_scorer_marks_beside_the_exact_match():
    scorer = Marks(3)
    _, trial = begun(EqaTask(scorer=scorer))
    trial.step({"action": 0, "answer": "somewhere near the cooker"})
    metrics = [trial.result().metrics for _ in range(2)][-1]
    assert metrics["correct"] == 0.0 and metrics["llm_match"] == metrics["llm_match_spl"] == 0.5
    assert scorer.asked == [("Where is the kettle?", "on the stove", "somewhere near the cooker", ("kitchen",))]


@pytest.mark.parametrize(
    "action", [9, -1, True, 1.0, None, "stop", {}, {"action": 9}, {"answer": "red"}, {"action": 0, "answer": 7},
               {"action": 1, "answer": "red"}],
)  # fmt: skip
def test_nonsense_is_refused_and_nothing_has_happened(action):
    scene, trial = begun()
    before = scene.stand
    with pytest.raises(InvalidAction):
        trial.step(action)
    assert scene.stand == before and not trial.over and trial.result().steps == 0


def test_numbers_of_numpy_are_actions():
    _, trial = begun()
    trial.step(np.int64(2))
    assert trial.result().steps == 1


def test_episodes_of_other_tasks_are_refused():
    goal = Goal("category", "chair")
    with pytest.raises(InvalidSetting, match="asks one question"):
        begun(episode=replace(question(), goals=(goal,)))
    with pytest.raises(InvalidSetting, match="asks one question"):
        begun(episode=replace(question(), goals=question().goals * 2))
    with pytest.raises(InvalidSetting, match="has no start"):
        begun(episode=replace(question(), start_m=(math.nan,) * 3))


def test_settings_are_checked():
    with pytest.raises(InvalidSetting, match="max_steps"):
        EqaTask(max_steps=0)
    for stamp_ns in (-1, 1.5, True, "x"):
        with pytest.raises(InvalidSetting, match="stamp_ns is a whole number"):
            EqaTask(stamp_ns=stamp_ns)  # type: ignore[arg-type]


# the shortest way


def test_several_things_are_passed_nearest_first():
    scene = HandScene(furnished())
    start = np.array([4.0, 2.0, 0.0])
    one, both = (shortest_m(scene, start, ids) for ids in (("22",), ("22", "4")))
    assert one < both < one + shortest_m(scene, start, ("4",)) + one + 3.0
    assert shortest_m(scene, start, ("22", "22")) == one
    scene.hidden = {"4"}
    assert shortest_m(scene, start, ("22", "4")) == math.inf


# episodic memory


def test_a_walk_passes_a_viewpoint_of_everything():
    scene = HandScene(furnished())
    walk = history(scene, Asking("train"), 14)
    assert len(walk.stamps_ns) == len(walk.world_from_camera) and (np.diff(walk.stamps_ns) > 0).all()
    at = walk.world_from_camera[:, :3, 3]
    assert np.linalg.norm(np.diff(at, axis=0), axis=1).max() < 0.45
    for thing in scene.objects():
        away = scene.viewpoints_m(thing.object_id)[:, :2]
        assert np.linalg.norm(at[:, None, :2] - away[None], axis=2).min() < 1e-6
    assert len(walk.goals) == 14 and walk.scene_id == scene.scene_id
    assert walk.episode.start_m == pytest.approx(tuple(at[0][:2]) + (0.0,))


def test_the_walk_does_not_depend_on_what_is_asked():
    walks = [
        history(HandScene(furnished()), Asking(split, seed=seed), n)
        for split, seed, n in (("train", 0, 3), ("test", 5, 9))
    ]
    np.testing.assert_array_equal(walks[0].world_from_camera, walks[1].world_from_camera)
