"""The ceiling: an agent that is told where everything is, and searches the lattice of step actions for the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, final

from policies.agents.lattice import Search
from sim import observation as keys
from sim.agent import Agent, Brief, Observation
from sim.body import Action, Stand
from sim.errors import InvalidSetting
from sim.scene import Scene
from sim.tasks.episode import Episode, Goal
from sim.tasks.walking import targets

_MOST_PLANS = 8
"""of one goal; where none of them leads there, it stops"""


@final
class OracleAgent(Agent):
    """Goes the shortest way that step actions allow to where a goal counts as reached, stops there, and answers right.

    The way is searched anew when the body is not where it should be, and at its end when the goal has moved since.
    """

    privileged = True

    def __init__(self, within_m: float = 0.1, impatience: float = 0.06) -> None:
        """`within_m`: how near to a view point the task wants it, metres; `impatience`: see lattice.Search."""
        if not (within_m > 0.0 and impatience >= 0.0):
            raise InvalidSetting(f"within_m must be positive, impatience from 0; given {within_m}, {impatience}")
        self._within_m, self._impatience = within_m, impatience
        self._forget()

    def _forget(self) -> None:
        self._scene: Scene | None = None
        self._goals: tuple[Goal, ...] = ()
        self._goal, self._plans = -1, 0
        self._way: deque[Action] = deque()
        self._expected: Stand | None = None

    def reset(self, brief: Brief) -> None:
        self._forget()

    def allow(self, scene: Scene, episode: Episode) -> None:
        self._scene, self._goals = scene, episode.goals

    def act(self, observation: Observation) -> int | Mapping[str, Any]:
        index = int(observation[keys.GOAL_INDEX])
        goal = self._goals[index]
        if goal.kind == "question":
            return {"action": int(Action.STOP), "answer": goal.answers[0] if goal.answers else ""}
        if index != self._goal:
            self._goal, self._plans = index, 0
            self._way.clear()
        return int(self._next(goal))

    def _next(self, goal: Goal) -> Action:
        scene = self._scene
        assert scene is not None, "allow was not called"
        lost = self._expected is not None and self._expected != scene.stand
        if not self._way or lost:
            self._way = deque(self._planned(scene, goal))
        action = self._way.popleft() if self._way else Action.STOP
        self._expected = scene.after(scene.stand, action).stand
        return action

    def _planned(self, scene: Scene, goal: Goal) -> list[Action]:
        """The way to the goal where it is now; empty where one stands there, or where nothing leads nearer."""
        targets_m = targets(scene, goal)
        self._plans += 1
        if not len(targets_m) or self._plans > _MOST_PLANS:
            return []
        distance = scene.distances_to(targets_m)
        if distance(scene.stand.ground_m) < self._within_m:
            return []
        search = Search(
            scene.after, distance, scene.motion.turn_deg, self._within_m, impatience=self._impatience
        )  # fmt: skip
        return search.way(scene.stand) or []
