"""Tasks as environments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, final

import numpy as np
from gymnasium import spaces

from sim.envs.base import GoalText, WorldEnv, checked_options, sensed_space
from sim.errors import InvalidSetting
from sim.house.house import HouseConfig
from sim.observation import GOAL_CHOICES, GOAL_IMAGE, GOAL_INDEX, GOAL_KIND, GOAL_TEXT, RGB
from sim.scene import World
from sim.sensing import SensingConfig
from sim.tasks.episode import Episode
from sim.tasks.registry import task as task_of
from sim.tasks.task import Task, Trial
from sim.tasks.walk_task import WalkTask

_LONGEST_TEXT = 512


@final
class TaskEnv(WorldEnv):
    """Episodes of a walking task.

    Reward of a step: the metres by which the geodesic distance to the goal has shrunk, plus `slack_reward`, plus
    `success_reward` where the step is the STOP that finds a goal: RLTaskEnv.get_reward of Habitat-Lab at 0fb6f43
    (core/environments.py) with its task.reward_measure distance_to_goal_reward, names and amounts as in its
    ddppo_objectnav.yaml. Unlike there, a way that opens or closes (an infinite distance) gives 0, and of several
    goals each is rewarded by itself: the step after the end of one counts from where the next was named.
    Terminated when the last goal ends by STOP, truncated when it ends by its limit of steps.
    """

    def __init__(  # noqa: PLR0913 - settings, all by name and with a default
        self, *, task: str | Task, settings: dict[str, Any] | None = None, world: World | None = None,
        house: HouseConfig | None = None, split: str = "train",
        episodes: int | Sequence[Episode] = 20, episode_seed: int = 0, success_reward: float = 2.5,
        slack_reward: float = -0.001, sensing: SensingConfig | None = None, render_mode: str | None = None,
    ) -> None:  # fmt: skip
        """
        Args:
            task, settings: a name of sim.tasks.registry and its settings, or a task
            episodes: how many are drawn from `split` and `episode_seed` and kept, or the episodes, as from a file
        """
        super().__init__(world, house, sensing, render_mode)
        self._episodes, count = ([], episodes) if isinstance(episodes, int) else (list(episodes), len(episodes))
        if isinstance(episodes, bool) or count < 1:
            raise InvalidSetting(f"episodes must be a whole number from 1, or episodes; given {episodes!r}")
        if not (math.isfinite(success_reward) and math.isfinite(slack_reward)):
            raise InvalidSetting(f"rewards must be finite; given {(success_reward, slack_reward)}")
        found = task if isinstance(task, Task) else task_of(task, **(settings or {}))
        if not isinstance(found, WalkTask):
            raise InvalidSetting(f"an environment needs a walking task; given {found.task_id!r}")
        if isinstance(task, Task) and settings:
            raise InvalidSetting(f"settings go with the name of a task; given {settings!r} beside a task")
        self.task = found
        self._drawn = (split, episode_seed, count)
        self._success_reward, self._slack_reward = success_reward, slack_reward
        self._trial: Trial | None = None
        picture = _picture_size(self._episodes, found.image_size)
        self.action_space = spaces.Discrete(6)
        self.observation_space = spaces.Dict({
            **sensed_space(self.task.scene_config(), self.task.rules.shows_ids),
            GOAL_INDEX: spaces.Box(0, 1 << 31, (), np.int64),
            GOAL_KIND: GoalText(16, shortest=1),
            GOAL_TEXT: GoalText(_LONGEST_TEXT),
            GOAL_IMAGE: spaces.Box(0, 255, (*picture, 3), np.uint8),
        })  # fmt: skip

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode, drawn by the seed; option "episode" gives its number, "scene" restricts the draw."""
        super().reset(seed=seed)
        chosen = checked_options(options, ("episode", "scene"))
        if not self._episodes:
            split, episode_seed, count = self._drawn
            self.close()
            self._episodes = list(self.task.episodes(self.world, split, episode_seed, count))
        episode = self._chosen(chosen)
        scene = self._enter(episode.scene_id, self.task.scene_config())
        self._trial = self.task.begin(scene, episode)
        self._goals = len(episode.goals)
        self._far_m, self._begun = self._distance()
        return self._observed(), {"scene": episode.scene_id, "episode": episode.episode_id}

    def _chosen(self, options: dict[str, Any]) -> Episode:
        if "episode" in options:
            number = options["episode"]
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(self._episodes):
                raise InvalidSetting(f"option 'episode' must be 0 to {len(self._episodes) - 1}; given {number!r}")
            return self._episodes[number]
        known = [e for e in self._episodes if e.scene_id == str(options.get("scene", e.scene_id))]
        if not known:
            scenes = sorted({e.scene_id for e in self._episodes})
            raise InvalidSetting(f"no episode in the scene {options['scene']!r}; there are some in {scenes}")
        return known[int(self.np_random.integers(len(known)))]

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Do an action; `InvalidAction` for one that is none, and then nothing has happened."""
        if self._trial is None:
            raise InvalidSetting("no episode is under way; call reset first")
        self._trial.step(action)
        result = self._trial.result()
        ended = self._trial.over or len(result.goals) > self._begun
        goal = result.goals[self._begun - 1]
        gained = self._far_m - goal["distance_to_goal"]
        reward = (gained if math.isfinite(gained) else 0.0) + self._slack_reward
        reward += self._success_reward if ended and goal["status"] == "success" else 0.0
        self._far_m, self._begun = self._distance()
        late = self._trial.over and goal["status"] == "timeout"
        info: dict[str, Any] = {}
        if self._trial.over:
            info = {"status": result.status, "metrics": dict(result.metrics)}
        return self._observed(), reward, self._trial.over and not late, late, info

    def _distance(self) -> tuple[float, int]:
        """How far the goal is, and how many goals have begun."""
        assert self._trial is not None
        goals = self._trial.result().goals
        return float(goals[-1]["distance_to_goal"]), len(goals)

    def _observed(self) -> dict[str, Any]:
        assert self._trial is not None
        seen = self._trial.observation()
        self._shown = seen[RGB]
        del seen[GOAL_CHOICES]  # walking tasks have none, and a batch cannot hold it
        if seen[GOAL_IMAGE].size == 0:
            seen[GOAL_IMAGE] = np.zeros(self.observation_space[GOAL_IMAGE].shape, np.uint8)  # type: ignore[index]
        else:
            seen[GOAL_IMAGE] = seen[GOAL_IMAGE].copy()  # the trial shows the same one in every step
        return seen


def _picture_size(episodes: Sequence[Episode], drawn: int) -> tuple[int, int]:
    """Height and width of the pictures of image goals; `InvalidSetting` when those of the episodes differ."""
    views = [goal.image for episode in episodes for goal in episode.goals if goal.image is not None]
    sizes = {(view.height, view.width) for view in views}
    if len(sizes) > 1:
        raise InvalidSetting(f"pictures of goals must be of one size; these episodes have {sorted(sizes)}")
    return sizes.pop() if sizes else (drawn, drawn)
