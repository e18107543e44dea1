"""The explorer and questions: it looks around until it can tell, and guesses where it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import planner_cases as cases
import pytest

from policies.agents.explorer import Explorer
from policies.agents.questioning import Questioning
from policies.planner.errors import PlannerDown
from policies.planner.planner import Decision, Planner
from sim import observation as keys
from sim.body import Action
from sim.errors import InvalidSetting

ASKED = {keys.GOAL_TEXT: "What colour is the sofa?", keys.GOAL_CHOICES: ("red", "blue"), keys.GOAL_KIND: "question"}


class Scripted(Planner):
    """Decides as it is told, the last for ever."""

    def __init__(self, decisions: Sequence[Decision | Exception]) -> None:
        self.decisions, self.asked = list(decisions), []

    def decide(self, context, *, choices: tuple[str, ...] = (), asks: bool) -> Decision:
        self.asked.append((choices, asks))
        decision = self.decisions.pop(0) if len(self.decisions) > 1 else self.decisions[0]
        if isinstance(decision, Exception):
            raise decision
        return decision

    def reset(self) -> None: ...

    def identity(self) -> Mapping[str, str]:
        return {}


def played(
    planner: Planner, looks: int = 60, walks: int = 1000, max_steps: int = 500
) -> tuple[int, dict[str, Any], Any]:
    """Actions before the answer, the answer, and who gave it; the walk stops after `walks` actions."""
    seen = []
    mind: Any = SimpleNamespace(memory=None, context=lambda *a, **given: seen.append(given) or cases.context())
    left = iter([Action.FORWARD] * walks)
    walk: Any = SimpleNamespace(next=lambda *a: next(left, Action.STOP))
    questioning = Questioning(planner, mind, looks)
    questioning.begin(max_steps)
    for n in range(1000):
        action = questioning.next(ASKED, walk, None, False)  # type: ignore[arg-type]
        if isinstance(action, Mapping):
            return n, dict(action), SimpleNamespace(decision=questioning.decision, seen=seen)
        assert action == Action.FORWARD
    raise AssertionError("it never answers")


def test_it_answers_once_it_is_sure():
    planner = Scripted([Decision("unknown"), Decision("answer", answer="red", confidence=0.5),
                        Decision("answer", answer="blue", confidence=0.7)])  # fmt: skip
    steps, action, _ = played(planner, looks=400)
    assert action == {"action": int(Action.STOP), "answer": "blue"} and steps < 100
    assert planner.asked == [(("red", "blue"), True)] * 3


def test_after_enough_looks_an_unsure_answer_has_to_do():
    steps, action, _ = played(Scripted([Decision("answer", answer="red", confidence=0.2)]))
    assert (steps, action["answer"]) == (60, "red")


def test_it_answers_before_the_task_ends():
    assert played(Scripted([Decision("unknown")]), looks=400, max_steps=30)[0] == 29
    assert played(Scripted([Decision("unknown")]), looks=0)[0] == 0


def test_when_all_was_looked_at_the_context_has_no_frontiers():
    steps, _, after = played(Scripted([Decision("unknown")]), looks=400, walks=7)
    assert steps == 7 and after.seen[-1]["explores"] is False
    assert all(given["explores"] for given in after.seen[:-1])


@pytest.mark.parametrize("decision", [Decision("unknown", reason="never seen: sofa"), PlannerDown("no server")])
def test_who_cannot_tell_guesses_and_says_so(decision):
    _, action, after = played(Scripted([decision]))
    assert action["answer"] in ("red", "blue")
    assert after.decision.confidence == 0.0 and after.decision.reason.startswith("a guess")
    assert after.decision.reason.endswith(("never seen: sofa", "no server"))


def test_settings_are_checked():
    with pytest.raises(InvalidSetting, match="looks_steps"):
        Explorer(looks_steps=-1)
