"""Decisions, planners by scripted models, and going on while one is down."""

from __future__ import annotations

import planner_cases as cases
import pytest

from policies.planner.errors import CapReached, NotInContext, PlannerDown, PlannerError, ReplayMiss, VlmDown
from policies.planner.fallback import WithFallback
from policies.planner.planner import Decision, Planner, checked, object_ids
from policies.planner.scripted import ScriptedVlm
from policies.planner.vlm_planner import VlmPlanner
from spatialmem.errors import InvalidValue

GO = cases.reply(kind="frontier", frontier=2)
DOWN = VlmDown("http://robot:8000/v1 did not answer")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "dance"}, "kind of a decision is one of object, answer, frontier, unknown; given 'dance'"),
        ({"kind": "object"}, "needs object_id"), ({"kind": "frontier"}, "needs frontier"),
        ({"kind": "answer", "answer": " "}, "needs answer"),
        ({"kind": "object", "object_id": 1, "frontier": 1}, "has no frontier"),
        ({"kind": "unknown", "snapshot": 1}, "has no snapshot"),
        ({"kind": "object", "object_id": 0}, "object_id of a decision is a whole number from 1"),
        ({"kind": "object", "object_id": True}, "whole number"),
        ({"kind": "frontier", "frontier": 1.5}, "whole number"),
        ({"kind": "unknown", "confidence": 1.01}, "confidence of a decision lies within 0 to 1"),
        ({"kind": "unknown", "confidence": float("nan")}, "confidence"),
        ({"kind": "unknown", "reason": None}, "reason"),
    ],
)  # fmt: skip
def test_a_decision_is_whole_or_refused(given, said):
    with pytest.raises(InvalidValue, match=said):
        Decision(**given)


def test_a_decision_names_what_is_shown():
    shown = cases.context()
    assert object_ids(shown) == (4, 7, 5, 9)
    for decision in (
        Decision("object", 9),
        Decision("object", 5, 2),
        Decision("frontier", frontier=3),
        Decision("unknown"),
    ):
        assert checked(decision, shown) is decision
    with pytest.raises(NotInContext, match="frontier 4 was not shown; there are 1, 2, 3"):
        checked(Decision("frontier", frontier=4), shown)
    with pytest.raises(NotInContext, match="object 5 is not in snapshot 1; there are 4, 7"):
        checked(Decision("object", 5, 1), shown)
    with pytest.raises(NotInContext, match="there are none"):
        checked(Decision("object", 5), cases.empty())


def test_a_planner_counts_an_episode():
    planner = VlmPlanner(ScriptedVlm(["what?", GO, GO]))
    assert planner.decide(cases.context(), asks=False).frontier == 2
    used = planner.usage()
    assert used["calls"] == 2 and used["parse_failures"] == 1 and used["images"] == 12 and used["tokens"] > 100
    planner.reset()
    assert not any(planner.usage().values())
    planner.decide(cases.context(), asks=False)
    assert planner.usage()["calls"] == 1


def test_an_identity_names_model_and_prompt():
    identity = VlmPlanner(ScriptedVlm([])).identity()
    assert identity["model"] == "scripted" and len(identity["prompt_sha256"]) == 64
    assert all(isinstance(value, str) for value in identity.values())


@pytest.mark.parametrize("choices", ["yes", ("yes", " "), ("yes", 3)])
def test_choices_that_cannot_be_chosen_are_refused(choices):
    with pytest.raises(InvalidValue, match="choices are texts"):
        VlmPlanner(ScriptedVlm([GO])).decide(cases.context(), choices=choices, asks=True)


def test_a_planner_closes_its_model():
    vlm = ScriptedVlm([GO])
    with VlmPlanner(vlm) as planner:
        planner.close()
    with pytest.raises(PlannerError, match="this ScriptedVlm was closed"):
        planner.decide(cases.context(), asks=False)


def both(first, other, **settings) -> tuple[Planner, ScriptedVlm]:
    asked = ScriptedVlm(first)
    return WithFallback(VlmPlanner(asked), VlmPlanner(ScriptedVlm(other)), **settings), asked


def test_while_a_planner_is_down_the_other_one_decides(caplog):
    other = cases.reply(kind="frontier", frontier=3)
    planner, asked = both([GO, DOWN, DOWN, GO], [other] * 6, retry_after=3)
    marks = [planner.decide(cases.context(), asks=False).frontier for _ in range(8)]
    assert marks == [2, 3, 3, 3, 3, 3, 3, 2] and len(asked.requests) == 4
    used = planner.usage()
    assert used["fallbacks"] == 6 and used["downs"] == 2 and used["calls"] == 8
    assert "did not answer" in caplog.text
    planner.reset()
    assert not any(planner.usage().values())
    identity = planner.identity()
    assert identity["fallback_model"] == "scripted" and identity["retry_after"] == "3"


def test_an_episode_begins_with_the_first_planner():
    planner, asked = both([DOWN, GO], [GO])
    planner.decide(cases.context(), asks=False)
    planner.reset()
    planner.decide(cases.context(), asks=False)
    assert len(asked.requests) == 2


@pytest.mark.parametrize("error", [CapReached("spent"), ReplayMiss("no kept answer")])
def test_caps_and_missing_answers_are_not_papered_over(error):
    planner, _ = both([error], [GO])
    with pytest.raises(type(error)):
        planner.decide(cases.context(), asks=False)


def test_both_down_is_down():
    planner, _ = both([DOWN], [DOWN])
    with pytest.raises(PlannerDown):
        planner.decide(cases.context(), asks=False)
    with pytest.raises(InvalidValue, match="retry_after is a number of decisions from 1; given 0"):
        both([], [], retry_after=0)
    planner.close()
    planner.close()
