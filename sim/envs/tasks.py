"""Tasks as environments."""

from __future__ import annotations

import math
import string
from typing import Any, final

import numpy as np
from gymnasium import spaces

from sim.envs.base import WorldEnv, believed_state, checked_options, sensed_space
from sim.errors import InvalidSetting
from sim.house.house import HouseConfig
from sim.observation import GOAL_CHOICES, GOAL_IMAGE, GOAL_INDEX, GOAL_KIND, GOAL_TEXT, RGB, STATE
from sim.scene import World
from sim.sensing import SensingConfig
from sim.tasks.episode import Episode
from sim.tasks.registry import task as task_of
from sim.tasks.task import Task, Trial

_LONGEST_TEXT = 512


@final
class TaskEnv(WorldEnv):
    """Episodes of a walking task, `episodes` of them drawn from `split` and `episode_seed` and kept.

    Reward: change of geodesic distance to the goal, less `slack` a step, and `success_reward` for a goal that is
    found: the scheme of Habitat's RLTaskEnv. Terminated when the task is over by STOP, truncated when by its limit.
    """

    def __init__(  # noqa: PLR0913 - settings, all by name and with a default
        self, *, task: str | Task, settings: dict[str, Any] | None = None, world: World | None = None,
        house: HouseConfig | None = None, split: str = "train", episodes: int = 20, episode_seed: int = 0,
        success_reward: float = 2.5, slack: float = 0.001, sensing: SensingConfig | None = None,
        render_mode: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(world, house, sensing, render_mode)
        if isinstance(episodes, bool) or episodes < 1:
            raise InvalidSetting(f"episodes must be a whole number from 1; given {episodes!r}")
        given = dict(settings or {})
        self.task = task if isinstance(task, Task) else task_of(task, **given)
        self._drawn = (split, episode_seed, episodes)
        self._episodes: list[Episode] = []
        self._success_reward, self._slack = success_reward, slack
        self._trial: Trial | None = None
        size = given.get("image_size", 256)
        text = frozenset(string.printable)
        self.action_space = spaces.Discrete(6)
        self.observation_space = spaces.Dict({
            **sensed_space(self.task.scene_config(), bool(given.get("shows_ids", False))),
            GOAL_INDEX: spaces.Box(0, 1 << 31, (), np.int64),
            GOAL_KIND: spaces.Text(16, min_length=1, charset=text),
            GOAL_TEXT: spaces.Text(_LONGEST_TEXT, min_length=0, charset=text),
            GOAL_IMAGE: spaces.Box(0, 255, (size, size, 3), np.uint8),
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
        reward = (gained if math.isfinite(gained) else 0.0) - self._slack
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
        seen[STATE] = believed_state(self._entered())
        if seen[GOAL_IMAGE].size == 0:
            seen[GOAL_IMAGE] = np.zeros(self.observation_space[GOAL_IMAGE].shape, np.uint8)  # type: ignore[index]
        else:
            seen[GOAL_IMAGE] = seen[GOAL_IMAGE].copy()  # the trial shows the same one in every step
        return seen
