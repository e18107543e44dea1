"""What acts in a task. Other people's agents derive from `Agent` and are named in the entry-point group
`spatialmem.agents`, or by "module:Class".
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.body import Motion
from sim.scene import Scene
from sim.tasks.episode import Episode
from spatialmem.types import Camera

Observation = Mapping[str, Any]
"""What an agent is shown in a step; keys in sim/observation.py"""


@dataclass(frozen=True)
class Brief:
    """What an agent may know of an episode when it begins: nothing of where things are."""

    task_id: str
    world: str
    camera: Camera
    motion: Motion
    seed: int
    """for whatever the agent draws; the same for every agent"""
    max_steps: int


class Agent(abc.ABC):
    """Acts on observations. One instance lives through many episodes; nothing may pass from one to the next."""

    privileged: bool = False
    """it is told the truth (`allow`); said so in every row of results"""

    @abc.abstractmethod
    def reset(self, brief: Brief) -> None:
        """An episode begins."""

    @abc.abstractmethod
    def act(self, observation: Observation) -> int | Mapping[str, Any]:
        """A number of `sim.body.Action`, or {"action": number, "answer": text} where a question is asked."""

    def allow(self, scene: Scene, episode: Episode) -> None:  # noqa: B027 - most agents are told nothing
        """Called after `reset` of agents that are `privileged`: the scene itself, and the episode with its goals."""

    def usage(self) -> Mapping[str, float]:
        """What the episode has taken so far, for the row of results: any of "bytes", "images", "tokens"."""
        return {}

    def identity(self) -> Mapping[str, str]:
        """What its results depend on beside code and settings, for the manifest of a run: "encoder", "weights" ..."""
        return {}

    def close(self) -> None:  # noqa: B027 - most agents hold nothing
        """Give back what the agent holds."""


class AgentWrapper(Agent):
    """An agent around another, to be named as a wrapper: passes everything on. Derive, and change some of it."""

    def __init__(self, inner: Agent) -> None:
        self.inner = inner
        self.privileged = inner.privileged

    def reset(self, brief: Brief) -> None:
        self.inner.reset(brief)

    def act(self, observation: Observation) -> int | Mapping[str, Any]:
        return self.inner.act(observation)

    def allow(self, scene: Scene, episode: Episode) -> None:
        self.inner.allow(scene, episode)

    def usage(self) -> Mapping[str, float]:
        return self.inner.usage()

    def identity(self) -> Mapping[str, str]:
        return self.inner.identity()

    def close(self) -> None:
        self.inner.close()
