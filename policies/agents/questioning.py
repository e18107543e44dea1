"""How the agent that remembers answers a question: it looks around until it can tell, or has looked enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, final

from policies.agents.blind import Blind
from policies.agents.remembering import Remembering
from policies.navigation.frontier_walk import FrontierWalk
from policies.planner.errors import PlannerDown
from policies.planner.planner import Decision, Planner
from sim import observation as keys
from sim.agent import Observation
from sim.body import Action, Stand

SURE = 0.6
"""confidence from which it answers before all was looked at"""
_ASK_EVERY, _ASK_A_MODEL_EVERY = 10, 25
"""actions between two tries to answer: by a planner that costs little, and by others"""


@final
class Questioning:
    """One question at a time. A guess from its words alone is given where the planner cannot tell."""

    def __init__(self, planner: Planner, mind: Remembering, looks_steps: int) -> None:
        """`looks_steps`: actions after which it answers, sure or not."""
        self._planner, self._mind, self._looks_steps = planner, mind, looks_steps
        self._blind: Blind | None = None
        self.decision: Decision | None = None
        """the last one, with its reason"""

    def begin(self, max_steps: int) -> None:
        """A question is asked; the task ends after so many actions."""
        self._left, self.decision = max(0, min(self._looks_steps, max_steps - 1)), None

    def next(
        self, observation: Observation, walk: FrontierWalk, stand: Stand, collided: bool
    ) -> int | Mapping[str, Any]:  # fmt: skip
        """The next step action, or the answer."""
        action = walk.next(self._mind.memory, stand, collided) if self._left > 0 else Action.STOP
        done = action is Action.STOP
        every = _ASK_A_MODEL_EVERY if self._planner.sees else _ASK_EVERY
        if done or self._left % every == 0:
            decision = self._decided(observation, all_seen=done and self._left > 0)
            if done or (decision.kind == "answer" and decision.confidence >= SURE):
                self.decision = self._said(decision, observation)
                return {"action": int(Action.STOP), "answer": self.decision.answer}
        self._left -= 1
        return int(action)

    def _decided(self, observation: Observation, all_seen: bool) -> Decision:
        context = self._mind.context(observation, (), explores=not all_seen)
        choices = tuple(str(choice) for choice in observation[keys.GOAL_CHOICES])
        try:
            return self._planner.decide(context, choices=choices, asks=True)
        except PlannerDown as error:  # it goes on exploring meanwhile
            return Decision("unknown", reason=str(error))

    def _said(self, decision: Decision, observation: Observation) -> Decision:
        """The decision, or a guess where it holds no answer."""
        if decision.kind == "answer":
            return decision
        self._blind = self._blind or Blind()
        choices = tuple(str(choice) for choice in observation[keys.GOAL_CHOICES])
        guess = decision.answer.strip() or self._blind.answer(str(observation[keys.GOAL_TEXT]), choices)
        why = f"a guess from the words of the question; {decision.reason}"
        return Decision("answer", answer=guess, reason=why) if guess else replace(decision, reason=why)
