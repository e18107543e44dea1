"""The trial of tasks in which a body walks from goal to goal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim.body import Action
from sim.errors import InvalidAction, InvalidSetting, SimError
from sim.observation import GOAL_CHOICES, GOAL_IMAGE, GOAL_INDEX, GOAL_KIND, GOAL_TEXT
from sim.scene import Scene
from sim.tasks.episode import Episode, Goal
from sim.tasks.measures import Leg
from sim.tasks.sensed import sensed
from sim.tasks.task import Trial, TrialResult
from spatialmem.types import Camera

STAMP_KEY = "stamp_ns"
"""of Goal.extra: until when time has gone on in the scene when the goal is named"""

_NUMBERS = frozenset(a.value for a in Action)
Distances = Callable[[NDArray[np.floating]], float]
Summary = Callable[[Episode, list[dict[str, Any]], int], TrialResult]
"""what a task makes of its episode, the measures of the goals begun so far, and the number of all steps"""


@dataclass(frozen=True)
class Rules:
    """What a task asks of a walk."""

    max_steps: int
    """of one goal"""
    success_m: float
    """the body must stop nearer than this to a viewpoint"""
    soft_needs_stop: bool
    """SoftSPL is 0 for a goal at which it did not stop"""
    shows_ids: bool


@final
class WalkTrial(Trial):
    """Goals one after another. STOP ends a goal, and so do its `max_steps` actions; the next begins where the body is.

    Where a goal's things are, and from where they count as found, is read from the scene when the goal begins.
    """

    def __init__(self, scene: Scene, episode: Episode, rules: Rules, summary: Summary) -> None:
        if episode.stamp_ns < scene.stamp_ns:
            raise InvalidSetting(
                f"the episode {episode.episode_id!r} begins at {episode.stamp_ns} ns, but in the scene it is already "
                f"{scene.stamp_ns} ns; open the scene anew for every episode"
            )
        self._scene, self._episode, self._rules, self._summary = scene, episode, rules, summary
        scene.advance(episode.stamp_ns)
        scene.place(np.array(episode.start_m, np.float64), episode.start_yaw_rad)
        self._collided, self._steps, self._done = False, 0, []
        self._goal_index = 0
        self._begin_goal()

    @property
    def over(self) -> bool:
        return self._goal_index == len(self._episode.goals)

    @property
    def goal(self) -> Goal:
        """The one that is looked for; the last when all is over."""
        return self._episode.goals[min(self._goal_index, len(self._episode.goals) - 1)]

    def observation(self) -> dict[str, Any]:
        """What is sensed, and the goal that is looked for; of all goals the last when the episode is over."""
        goal, shown = self.goal, min(self._goal_index, len(self._episode.goals) - 1)
        return {
            **sensed(self._scene, self._steps, self._collided, self._rules.shows_ids),
            GOAL_INDEX: np.array(shown, np.int64),
            GOAL_KIND: goal.kind,
            GOAL_TEXT: "" if goal.kind == "image" else goal.text,
            GOAL_CHOICES: (),
            GOAL_IMAGE: self._picture,
        }

    def step(self, action: int | Mapping[str, Any]) -> None:
        """Carry out an action; a goal ends with STOP or after the steps it may take, and the next one begins.

        Raises `InvalidAction` when it is none, or the episode is over.
        """
        if self.over:
            raise InvalidAction(f"the episode {self._episode.episode_id!r} is over; begin another")
        chosen = chosen_action(action)
        self._steps, self._leg.steps, self._collided = self._steps + 1, self._leg.steps + 1, False
        if chosen is Action.STOP:
            self._leg.stopped = True
        else:
            moved = self._scene.act(chosen)
            self._collided = moved.collided
            at_m = self._scene.stand.ground_m
            same = chosen is not Action.FORWARD or np.array_equal(at_m, self._leg.at_m)
            self._leg.moved(at_m, self._leg.distance_m if same else self._distance(at_m), moved.collided)
        if self._leg.stopped or self._leg.steps >= self._rules.max_steps:
            self._done.append(self._measured())
            self._goal_index += 1
            if not self.over:
                self._begin_goal()

    def result(self) -> TrialResult:
        begun = self._done if self.over else [*self._done, self._measured()]
        return self._summary(self._episode, begun, self._steps)

    def _measured(self) -> dict[str, Any]:
        goal = self.goal
        status = "timeout"
        if self._leg.stopped:
            status = "success" if self._leg.reached(self._rules.success_m) else "failure"
        known = {"kind": goal.kind, "text": goal.text, "category": goal.category, "status": status}
        marks = {k: v for k, v in goal.extra.items() if k in ("instances", "moved")}
        return {**known, **marks, **self._leg.measured(self._rules.success_m, self._rules.soft_needs_stop)}

    def _begin_goal(self) -> None:
        goal = self.goal
        stamp_ns = int(goal.extra.get(STAMP_KEY, 0))
        if stamp_ns > self._scene.stamp_ns:
            self._scene.advance(stamp_ns)
            _settle(self._scene)
        targets_m = targets(self._scene, goal)
        self._distance: Distances = self._scene.distances_to(targets_m) if len(targets_m) else _nowhere
        at_m = self._scene.stand.ground_m
        far_m = self._distance(at_m)
        self._leg = Leg(at_m, far_m, far_m)
        self._picture = _picture(self._scene, goal)


def chosen_action(action: int | Mapping[str, Any]) -> Action:
    """The step action that an agent means; `InvalidAction` for what is none."""
    number = action.get("action") if isinstance(action, Mapping) else action
    if isinstance(number, (int, np.integer)) and not isinstance(number, bool) and int(number) in _NUMBERS:
        return Action(int(number))
    known = ", ".join(f"{a.value} {a.name}" for a in Action)
    shown = repr(action)
    raise InvalidAction(f"no action {shown[:80]}; return a whole number, {known}, or {{'action': number}}")


def targets(scene: Scene, goal: Goal) -> NDArray[np.float64]:
    """(N, 3) ground points that count as being at a goal: those that its file lists, else the scene's, now."""
    if goal.viewpoints_m:
        return np.array(goal.viewpoints_m, np.float64)
    found = [scene.viewpoints_m(i) for i in goal.object_ids]
    return np.concatenate(found) if found else np.empty((0, 3))


def _nowhere(_: NDArray[np.floating]) -> float:
    return math.inf


def _picture(scene: Scene, goal: Goal) -> NDArray[np.uint8]:
    """(H, W, 3) what an image goal shows, taken now; (0, 0, 3) for other goals."""
    if goal.image is None:
        return np.zeros((0, 0, 3), np.uint8)
    view = goal.image
    pose = np.array(view.world_from_camera, np.float64).reshape(4, 4)
    return scene.sight_from(pose, Camera.from_hfov(view.hfov_deg, view.width, view.height)).rgb


def _settle(scene: Scene) -> None:
    """Stand where the body stood, or, where something has been put there meanwhile, at the nearest place beside it."""
    stand = scene.stand
    try:
        scene.place(stand.ground_m, stand.yaw_rad, stand.pitch_rad)
    except SimError:
        scene.place(nearest_place_m(scene, stand.ground_m), stand.yaw_rad, stand.pitch_rad)


def nearest_place_m(scene: Scene, point_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) the standing place nearest to a point, on its own floor if there is one."""
    places_m = scene.standing_places_m()
    away_m = np.linalg.norm((places_m - point_m) * (1.0, 1.0, 10.0), axis=1)
    return places_m[int(np.argmin(away_m))]
