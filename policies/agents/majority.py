"""A floor for question answering: the commonest answer to the kind of question, without a look at the scene."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, final

from policies.agents.eqa_training import KindOfQuestion, train_questions, train_questions_sha256
from sim.agent import Agent, Brief, Observation
from sim.body import Action
from sim.observation import GOAL_CHOICES, GOAL_KIND, GOAL_TEXT


@final
class Majority(Agent):
    """Answers at once. It judges by words which kind a question is of; what is common it knows from train houses."""

    def __init__(self) -> None:
        questions = train_questions()
        self._kinds = KindOfQuestion(questions)
        self._answers: dict[str, Counter[str]] = defaultdict(Counter)
        for q in questions:
            self._answers[q.kind][q.answer] += 1

    def reset(self, brief: Brief) -> None:
        """Nothing is kept from one episode to the next."""

    def act(self, observation: Observation) -> int | Mapping[str, Any]:
        if observation[GOAL_KIND] != "question":
            return int(Action.STOP)
        choices = tuple(observation[GOAL_CHOICES])
        return {"action": int(Action.STOP), "answer": self.answer(str(observation[GOAL_TEXT]), choices)}

    def identity(self) -> Mapping[str, str]:
        """The questions that it was fitted on, for the manifest of a run."""
        return {"questions": train_questions_sha256()}

    def answer(self, question: str, choices: tuple[str, ...] = ()) -> str:
        """The commonest answer, among the choices where there are any; of equally common ones the first."""
        common = self._answers[self._kinds.of(question)]
        if choices:
            return max(choices, key=lambda c: common[c])
        return max(sorted(common), key=lambda a: common[a])
