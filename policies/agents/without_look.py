"""Who answers a question at once, from its words alone, as train houses taught it."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, final

from policies.agents.eqa_training import train_questions_sha256
from sim.agent import Agent, Brief, Observation
from sim.body import Action
from sim.observation import GOAL_CHOICES, GOAL_KIND, GOAL_TEXT


class WithoutLook(Agent):
    """Stops with its answer in the first step; in tasks that ask nothing it just stops."""

    @abc.abstractmethod
    def answer(self, question: str, choices: tuple[str, ...] = ()) -> str:
        """The answer, one of the choices where there are any."""

    @final
    def reset(self, brief: Brief) -> None:
        """Nothing is kept from one episode to the next."""

    @final
    def act(self, observation: Observation) -> int | Mapping[str, Any]:
        if observation[GOAL_KIND] != "question":
            return int(Action.STOP)
        choices = tuple(observation[GOAL_CHOICES])
        return {"action": int(Action.STOP), "answer": self.answer(str(observation[GOAL_TEXT]), choices)}

    @final
    def identity(self) -> Mapping[str, str]:
        """The questions that it was fitted on, for the manifest of a run."""
        return {"questions": train_questions_sha256()}
