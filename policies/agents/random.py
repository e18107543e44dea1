"""The floor: an agent that looks at nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np

from sim import observation as keys
from sim.agent import Agent, Brief, Observation
from sim.body import Action
from sim.errors import InvalidSetting

_MOVES = (Action.FORWARD, Action.LEFT, Action.RIGHT)


@final
class RandomAgent(Agent):
    """Goes ahead, left or right, each as likely as the others (as the random agent of Habitat's baselines), and stops
    now and then. Answers a question by one of its choices, at once.
    """

    def __init__(self, stop: float = 0.01, weights: Sequence[float] = (1.0, 1.0, 1.0)) -> None:
        """Give how likely it is to stop in a step, and the weights of forward, left and right in the others."""
        w = np.asarray(weights, np.float64)
        if not 0.0 <= stop <= 1.0 or w.shape != (3,) or not np.isfinite(w).all() or w.min() < 0.0 or w.sum() <= 0.0:
            raise InvalidSetting(f"stop lies within 0 to 1, weights are 3 numbers from 0; given {stop}, {weights}")
        self._stop, self._weights = stop, w / w.sum()
        self._rng = np.random.default_rng(0)

    def reset(self, brief: Brief) -> None:
        self._rng = np.random.default_rng(brief.seed)

    def act(self, observation: Observation) -> int | Mapping[str, Any]:
        if observation[keys.GOAL_KIND] == "question":
            choices = observation[keys.GOAL_CHOICES]
            return {"action": int(Action.STOP), "answer": str(self._rng.choice(choices)) if len(choices) else ""}
        if self._rng.random() < self._stop:
            return int(Action.STOP)
        return int(self._rng.choice(_MOVES, p=self._weights))
