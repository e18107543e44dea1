"""A body in a scene, without a goal."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
from gymnasium import spaces

from sim.body import Action, Motion
from sim.envs.base import WorldEnv, checked_options, sensed_space
from sim.errors import InvalidAction, InvalidSetting
from sim.house.house import HouseConfig
from sim.observation import COLLIDED, DEPTH, IDS, POSE, RGB, STAMP, STATE
from sim.scene import SceneConfig, World
from sim.sensing import SensingConfig
from sim.tasks.sensed import believed_state

_STEP_NS = 1_000_000_000
"""by how much the clock goes on with a step action"""


@final
class HouseEnv(WorldEnv):
    """`spatialmem/House-v0`: reward 0, never terminated; STOP stands still."""

    def __init__(  # noqa: PLR0913 - settings, all by name and with a default
        self, *, world: World | None = None, house: HouseConfig | None = None, split: str = "train", scenes: int = 8,
        width: int = 128, height: int = 128, hfov_deg: float = 90.0, motion: Motion | None = None,
        control: str = "steps", period_s: float = 0.1, fastest_mps: float = 1.0, fastest_radps: float = 1.5,
        ids: bool = False, sensing: SensingConfig | None = None, render_mode: str | None = None,
    ) -> None:  # fmt: skip
        """
        Args:
            split, scenes: `reset` draws from the first `scenes` of the split, unless its option "scene" names one
            control: "steps", Discrete(6) as sim.body.Action, or "velocity", Box(2): m/s forward and rad/s to the left
            period_s: how long a pair of speeds is held
            ids: instance ids are shown
        """
        super().__init__(world, house, sensing, render_mode)
        if control not in ("steps", "velocity"):
            raise InvalidSetting(f"control must be 'steps' or 'velocity'; given {control!r}")
        if not all(math.isfinite(v) and v > 0.0 for v in (period_s, fastest_mps, fastest_radps)):
            raise InvalidSetting(f"period and speeds must be positive; given {(period_s, fastest_mps, fastest_radps)}")
        if isinstance(scenes, bool) or scenes < 1:
            raise InvalidSetting(f"scenes must be a whole number from 1; given {scenes!r}")
        self._config = SceneConfig(width, height, hfov_deg, motion or Motion())
        self._names = self.world.scene_ids(split, scenes)
        self._velocity, self._period_s, self._ids = control == "velocity", period_s, ids
        self._step_ns = round(period_s * 1e9) if self._velocity else _STEP_NS
        most = np.array([fastest_mps, fastest_radps], np.float32)
        self.action_space = spaces.Box(-most, most, dtype=np.float32) if self._velocity else spaces.Discrete(6)
        self.observation_space = spaces.Dict(sensed_space(self._config, ids))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Put the body on a place drawn from the scene; option "scene" names the scene."""
        super().reset(seed=seed)
        chosen = checked_options(options, ("scene",))
        drawn = self._names[int(self.np_random.integers(len(self._names)))]
        scene = self._enter(str(chosen.get("scene", drawn)), self._config)
        places_m = scene.standing_places_m()
        scene.place(places_m[int(self.np_random.integers(len(places_m)))], float(self.np_random.uniform(-np.pi, np.pi)))
        self._collided = False
        return self._observed(), {"scene": scene.scene_id}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Do an action; `InvalidAction` for one outside the action space, and then nothing has happened."""
        scene = self._entered()
        if self._velocity and isinstance(action, np.ndarray):
            action = action.astype(np.float32)
        if not self.action_space.contains(action):
            raise InvalidAction(f"{action!r} is not in the action space {self.action_space}")
        if self._velocity:
            moved = scene.drive(float(action[0]), float(action[1]), self._period_s)
        else:
            moved = scene.act(Action(int(action)))
        self._collided = moved.collided
        scene.advance(scene.stamp_ns + self._step_ns)
        return self._observed(), 0.0, False, False, {"length_m": moved.length_m}

    def _observed(self) -> dict[str, Any]:
        scene = self._entered()
        sight = scene.look()
        self._shown = sight.rgb
        seen = {
            RGB: sight.rgb,
            DEPTH: np.nan_to_num(sight.depth_m, nan=0.0),
            POSE: sight.world_from_camera,
            STATE: believed_state(scene, sight.world_from_camera),
            STAMP: np.array(scene.stamp_ns, np.int64),
            COLLIDED: np.array(self._collided, np.int8),
        }
        return {**seen, IDS: sight.instance_ids} if self._ids else seen
