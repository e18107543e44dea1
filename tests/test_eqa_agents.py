"""Answers without a look: what blind answerers know, and that scoring lets right answers through."""

from __future__ import annotations

import ast
import json
import math
from collections import Counter
from pathlib import Path

import pytest
from eqa_cases import HandWorld

import policies.agents.eqa_training as training
from policies.agents.blind import Blind
from policies.agents.eqa_oracle import EqaOracle
from policies.agents.eqa_training import KindOfQuestion, train_questions
from policies.agents.majority import Majority
from sim.agent import Agent, Brief
from sim.body import Action
from sim.observation import GOAL_CHOICES, GOAL_KIND, GOAL_TEXT
from sim.tasks.eqa import KINDS, Asking, EqaChoiceTask, EqaTask, ask
from sim.tasks.eqa.asking import TWO_VALUED
from sim.tasks.eqa.frozen import SPLIT_SHA256, wordings

AGENTS = [Blind, Majority, EqaOracle]


@pytest.fixture(scope="module", params=AGENTS, ids=lambda kind: kind.__name__)
def agent(request) -> Agent:
    return request.param()


def played(agent: Agent, task, seed: int = 0, count: int = 21):
    """Results of an agent over the first episodes of the hand-made world's test split."""
    world, results = HandWorld(), []
    for episode in task.episodes(world, "test", seed, count):
        scene = world.open(episode.scene_id, task.scene_config())
        trial = task.begin(scene, episode)
        agent.reset(Brief(task.task_id, "hand", scene.camera, scene.motion, episode.seed, task.max_steps))
        if agent.privileged:
            agent.allow(scene, episode)
        while not trial.over:
            trial.step(agent.act(trial.observation()))
        results.append(trial.result())
        scene.close()
    return results


@pytest.mark.parametrize("task", [EqaTask(), EqaChoiceTask()], ids=lambda t: t.task_id)
def test_they_answer_at_once(agent, task):
    results = played(agent, task)
    assert all(r.steps == 1 and r.metrics["answered"] for r in results)
    if isinstance(agent, EqaOracle):
        assert all(r.status == "success" and r.metrics["efficiency"] == 1.0 for r in results)
    else:
        assert any(r.status == "failure" for r in results)


def test_answers_are_one_of_the_choices(agent):
    if isinstance(agent, EqaOracle):
        pytest.skip("it is told")
    options = ("chartreuse", "a submarine", "both")
    action = agent.act({GOAL_KIND: "question", GOAL_TEXT: "Where is the kettle?", GOAL_CHOICES: options})
    assert action["action"] == Action.STOP and action["answer"] in options


def test_nothing_passes_from_one_question_to_the_next(agent):
    if isinstance(agent, EqaOracle):
        agent.reset(Brief("eqa-v1", "hand", None, None, 0, 1))  # type: ignore[arg-type]
        assert agent.act({})["answer"] == ""
        return
    asked = [
        {GOAL_KIND: "question", GOAL_TEXT: text, GOAL_CHOICES: ()}
        for text in ("What colour is the sofa?", "Is the desk empty?")
    ]
    first = [agent.act(a) for a in asked]
    assert [agent.act(a) for a in reversed(asked)] == first[::-1]


def test_only_the_oracle_is_privileged():
    assert [kind.privileged for kind in AGENTS] == [False, False, True]


@pytest.mark.parametrize("kind", [Blind, Majority])
def test_where_nothing_is_asked_they_stop(kind):
    assert kind().act({GOAL_KIND: "category", GOAL_TEXT: "chair", GOAL_CHOICES: ()}) == Action.STOP
    assert len(kind().identity()["questions"]) == 64


# what they are fitted on


def test_they_know_train_questions_alone():
    file = Path(training.__file__).parent / "eqa_train.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    assert data["split"] == "train" and data["split_sha256"] == SPLIT_SHA256
    assert {q.kind for q in train_questions()} == set(KINDS) - {"door_state"}  # all doors of new houses are open
    said = {q.text for q in train_questions()}
    world = HandWorld()
    test = {
        g.text
        for s in world.scene_ids("test", 20)
        for g in ask(world.open(s, EqaTask().scene_config()), Asking("test"), 35)
    }
    assert len(said) > 1000 and not said & test


def test_no_answer_is_much_commoner_than_the_others():
    asked = train_questions()
    for kind in TWO_VALUED - {"door_state"}:
        counts = Counter(q.answer for q in asked if q.kind == kind)
        least = 0.5 * counts.total() - 3.0 * math.sqrt(0.25 * counts.total())  # three standard deviations
        assert len(counts) == 2 and min(counts.values()) > least, (kind, counts)
    for kind in ("colour", "use_colour", "room", "support", "use_room", "what_held", "what_colour_held", "where"):
        counts = Counter(q.answer for q in asked if q.kind == kind)
        assert max(counts.values()) < 0.25 * counts.total(), (kind, counts.most_common(3))


def test_they_do_not_read_the_wordings():
    for name in ("blind", "majority", "eqa_training"):
        source = (Path(training.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
        modules = {n.module or "" for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom)}
        assert not [m for m in modules if m.startswith("sim.tasks.eqa")]


def test_kinds_are_told_by_their_words():
    kinds = KindOfQuestion(train_questions())
    lines = [(kind, line) for kind, sets in wordings().items() for line in sets["train"]]
    slots = {"thing": "the mug", "a": "the sofa", "b": "the piano", "support": "the desk", "relation": "on",
             "one": "lamp", "room": "the kitchen", "many": "chairs", "use": "fry an egg", "colour": "red",
             "material": "wood", "plenty": "lamps"}  # fmt: skip
    right = [kinds.of(line.format(**slots)) == kind for kind, line in lines]
    assert sum(right) > 0.85 * len(right)
    held_out = [(kind, line) for kind, sets in wordings().items() for line in sets["test"]]
    right = [kinds.of(line.format(**slots)) == kind for kind, line in held_out]
    assert sum(right) > 0.3 * len(right)  # they have never seen these
