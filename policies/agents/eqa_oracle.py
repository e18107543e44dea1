"""The ceiling of question answering: says the answer that it was told. Shows that every question can be scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, final

from sim.agent import Agent, Brief, Observation
from sim.body import Action
from sim.scene import Scene
from sim.tasks.episode import Episode


@final
class EqaOracle(Agent):
    """Goes nowhere and answers at once."""

    privileged: ClassVar[bool] = True

    def __init__(self) -> None:
        self._answer = ""

    def reset(self, brief: Brief) -> None:
        self._answer = ""

    def allow(self, scene: Scene, episode: Episode) -> None:
        self._answer = next((answer for goal in episode.goals for answer in goal.answers), "")

    def act(self, observation: Observation) -> int | Mapping[str, Any]:
        return {"action": int(Action.STOP), "answer": self._answer}
