"""What every task offers to the runner and to environments."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from sim.scene import Scene, SceneConfig, World
from sim.tasks.episode import Episode

Status = Literal["success", "failure", "timeout", "crash", "invalid_action"]


@dataclass(frozen=True)
class TrialResult:
    """What came of an episode: the task's own part of a row of results."""

    status: Status
    steps: int
    metrics: Mapping[str, float]
    """by the names of the original task: success, spl, softspl, distance_to_goal, ..."""
    goals: tuple[Mapping[str, Any], ...] = field(default_factory=tuple)
    """the same for every goal of its own, where there are several"""


class Trial(abc.ABC):
    """One episode under way. `observation` is what the agent is shown next; `step` does what it says."""

    @property
    @abc.abstractmethod
    def over(self) -> bool:
        """Whether no further action is wanted."""

    @abc.abstractmethod
    def observation(self) -> dict[str, Any]:
        """By the keys of sim/observation.py."""

    @abc.abstractmethod
    def step(self, action: int | Mapping[str, Any]) -> None:
        """Do an action; `InvalidAction` when it is none, and then nothing has happened."""

    @abc.abstractmethod
    def result(self) -> TrialResult:
        """What has come of it so far; of an episode that is not over: as if the agent had given up."""


class Task(abc.ABC):
    """A kind of episode with its rules. Ids carry a version: rules of a version never change."""

    task_id: ClassVar[str]
    """such as objectnav-v1"""
    max_steps: int
    """of one goal"""

    def identity(self) -> Mapping[str, str]:
        """What its episodes depend on beside code and settings, for the manifest of a run: frozen files."""
        return {}

    @abc.abstractmethod
    def scene_config(self) -> SceneConfig:
        """The camera and the steps that the task prescribes."""

    @abc.abstractmethod
    def episodes(self, world: World, split: str, seed: int, count: int) -> Sequence[Episode]:
        """The first `count` episodes of a split and seed, always the same; every prefix is a prefix of the longer."""

    @abc.abstractmethod
    def begin(self, scene: Scene, episode: Episode) -> Trial:
        """Put the body where the episode starts."""
