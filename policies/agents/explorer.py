"""The agent that remembers: a spatial memory, a planner that reads it, and ways over the ground that it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from policies.agents.eqa_training import train_questions_sha256
from policies.agents.questioning import Questioning
from policies.agents.remembering import Remembering
from policies.navigation.errors import Unreachable
from policies.navigation.follower import Follower
from policies.navigation.frontier_walk import FrontierWalk
from policies.navigation.goals import ToFrontier
from policies.navigation.near_thing import NearThing
from policies.planner.errors import PlannerDown
from policies.planner.making import planner_of
from policies.planner.planner import Decision
from sim import observation as keys
from sim.agent import Agent, Brief, Observation
from sim.body import Action, Stand
from sim.errors import InvalidSetting
from sim.scene import Scene
from sim.tasks.episode import Episode
from spatialmem.ground.frontiers import Frontier
from spatialmem.retrieval.context import Context, FrontierView
from spatialmem.things import MapObject
from spatialmem.types import Presence

_DECIDE_EVERY = 4
"""actions after which the planner is asked again while it explores"""
_APPROACHES, _NEARLY_M = 3, 0.4
"""how often it goes on from where it had come to, when the thing is further off than it should be by so much"""
_SAME_EDGE_M = 0.6
_REFUSED = 25
"""actions for which a thing that no known ground leads to is left, or a frontier that was gone to: more of the ground
is seen meanwhile"""
_MOST_TARGETS = 12
"""things gone to for one goal, before it stops where it is"""


@final
class Explorer(Agent):
    """Looks around, goes to what its planner takes for the goal, and explores while nothing is. A question it answers.

    Memory is kept over the goals of an episode unless it `forgets`: then it begins anew with each, which is the same
    agent without memory.
    """

    def __init__(
        self, segmenter: str = "regions", encoder: str = "tiny", planner: str = "embedding", forgets: bool = False,
        near_m: float = 0.7, planner_settings: Mapping[str, Any] | None = None, looks_steps: int = 250,
    ) -> None:  # fmt: skip
        """
        Args:
            segmenter: what finds things in frames; "ids": the simulator's own masks, where the task shows them.
            encoder: of the memory.
            planner: "embedding", "vlm", or "module:Class".
            near_m: how near to a thing it stops, over the plan.
            looks_steps: actions that it looks around for the answer to a question.
        """
        if not 0.2 <= near_m <= 2.0:
            raise InvalidSetting(f"near_m lies within 0.2 to 2 m; given {near_m}")
        if looks_steps < 0:
            raise InvalidSetting(f"looks_steps is at least 0; given {looks_steps}")
        self._planner = planner_of(planner, planner_settings or {})
        self._mind = Remembering(encoder, segmenter, self._planner.sees)
        self._questioning = Questioning(self._planner, self._mind, looks_steps)
        self.privileged = self._mind.privileged
        self._forgets, self._near_m = forgets, near_m

    def reset(self, brief: Brief) -> None:
        self._brief = brief
        self._planner.reset()
        self._mind.reset(brief)
        self._goal = -1
        self._begin_walk()

    def allow(self, scene: Scene, episode: Episode) -> None:
        self._mind.allow(scene)

    def _begin_walk(self) -> None:
        self._walk = FrontierWalk(self._brief.motion)
        self._follower = Follower(self._mind.memory, self._brief.motion)
        self._begin_goal()

    def _begin_goal(self) -> None:
        self._target: MapObject | None = None
        self._refused: dict[int, int] = {}
        """things that could not be come to, and the action of this goal from which they are tried again"""
        self._ticks = 0
        self._edge, self._edge_m, self._asked_at = False, np.zeros(3), -1
        self._left: list[tuple[int, NDArray[np.float64]]] = []
        """frontiers that were gone to: until which action they are left, and where they are"""
        self._age, self._done, self._approaches = _DECIDE_EVERY, False, 0
        self._follower.drop()
        self._questioning.begin(self._brief.max_steps)

    def act(self, observation: Observation) -> int | Mapping[str, Any]:
        """Remember what is seen, then do the next step action, or answer."""
        index = int(observation[keys.GOAL_INDEX])
        if index != self._goal:
            if self._forgets and self._goal >= 0:
                self._mind.forget()
                self._begin_walk()
            self._goal = index
            self._begin_goal()
        self._mind.see(observation)
        self._ticks += 1
        if observation[keys.GOAL_KIND] == "question":
            return self._questioning.next(
                observation, self._walk, stand_of(observation), bool(observation[keys.COLLIDED])
            )
        return int(self._next(observation))

    def _next(self, observation: Observation) -> Action:
        stand, collided = stand_of(observation), bool(observation[keys.COLLIDED])
        for _ in range(_MOST_TARGETS):
            self._choose(observation)
            if self._target is not None:
                action = self._followed(stand, collided)
            else:
                action = self._looked(stand, collided) if self._edge else self._explored(stand, collided)
            if action is not None:
                return action
        return Action.STOP

    def _explored(self, stand: Stand, collided: bool) -> Action | None:
        """The next action to where something new can be seen; None once, when all was looked at: then the best thing
        that is known has to do."""
        action = self._walk.next(self._mind.memory, stand, collided)
        self._age += 1
        if action is not Action.STOP or self._done:
            return action
        self._done = True
        return None

    def _looked(self, stand: Stand, collided: bool) -> Action | None:
        """The next action to the frontier that the planner chose; None when it is there, or cannot be come to."""
        try:
            action = self._follower.next(stand, collided)
        except Unreachable:
            action = Action.STOP
        if action is not Action.STOP:
            return action
        self._left.append((self._ticks + _REFUSED, self._edge_m))  # it was looked into, or cannot be come to
        self._edge, self._age = False, _DECIDE_EVERY
        return None

    def _followed(self, stand: Stand, collided: bool) -> Action | None:
        """The next action to the thing; None when it is given up, or can be come nearer to from here."""
        assert self._target is not None
        try:
            action = self._follower.next(stand, collided)
        except Unreachable:
            self._refused[self._target.object_id] = self._ticks + _REFUSED
            self._target = None
            return None
        if action is Action.STOP and self._approaches < _APPROACHES and self._off_m(stand) > self._near_m + _NEARLY_M:
            self._approaches += 1
            self._go()
            return None
        return action

    def _go_to_edge(self, edge: FrontierView) -> None:
        x, y, z = (float(v) for v in edge.position_m)
        self._follower.go(ToFrontier(Frontier((x, y, z), edge.yaw_rad, edge.width_m, edge.floor)))
        self._edge, self._edge_m = True, edge.position_m

    def _was_left(self, edge: FrontierView) -> bool:
        """Whether it was gone to not long ago."""
        near = (until for until, at_m in self._left if np.linalg.norm(at_m - edge.position_m) < _SAME_EDGE_M)
        return any(until > self._ticks for until in near)

    def _off_m(self, stand: Stand) -> float:
        assert self._target is not None
        return NearThing(self._target.points_m, self._near_m).off_m(stand)

    def _go(self) -> None:
        """Go to the thing as it is known now, over the ground as it is known now."""
        assert self._target is not None
        self._follower.go(NearThing(self._target.points_m, self._near_m))
        self._follower.read()

    def _choose(self, observation: Observation) -> None:
        """A thing to go to, where the planner names one; it stays until it is gone or cannot be come to."""
        if self._target is not None:
            now = self._mind.thing(self._target.object_id)
            if now is not None and now.presence is not Presence.GONE:
                self._target = now
                return
            self._target = None
        waits = self._age < _DECIDE_EVERY and not self._done
        if self._edge or waits or (self._planner.sees and self._asked_at == self._ticks):
            return  # a model is asked once an action at most
        self._asked_at = self._ticks
        self._age = 0
        refused = {number for number, until in self._refused.items() if until > self._ticks}
        context = self._mind.context(observation, refused, explores=not self._done)
        context = replace(context, frontiers=tuple(f for f in context.frontiers if not self._was_left(f)))
        decision = self._decided(context)
        if decision.kind == "object" and decision.object_id is not None:
            self._target = self._mind.thing(decision.object_id)
        elif decision.kind == "frontier" and self._planner.sees:  # without pictures the nearest one is as good a choice
            self._go_to_edge(next(f for f in context.frontiers if f.mark == decision.frontier))
        if self._target is not None:
            self._approaches = 0
            self._go()

    def _decided(self, context: Context) -> Decision:
        try:
            return self._planner.decide(context, asks=False)
        except PlannerDown as error:  # it goes on exploring meanwhile
            return Decision("unknown", reason=str(error))

    def usage(self) -> Mapping[str, float]:
        used = self._planner.usage()
        return {**{name: used[name] for name in ("images", "tokens") if name in used}, "bytes": self._mind.n_bytes}

    def identity(self) -> Mapping[str, str]:
        return {**self._planner.identity(), **self._mind.identity(), "questions": train_questions_sha256()}

    def close(self) -> None:
        self._planner.close()
        self._mind.close()


def stand_of(observation: Observation) -> Stand:
    """Where the odometry says that the body is."""
    x, y, z, yaw, pitch = (float(v) for v in observation[keys.STATE])
    return Stand(x, y, z, yaw, pitch)
