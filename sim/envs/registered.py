"""The names under which gymnasium finds the environments."""

from __future__ import annotations

from typing import Any, Final

import gymnasium

_ENVS: Final[dict[str, tuple[str, int | None, dict[str, Any]]]] = {
    "spatialmem/House-v0": ("sim.envs.house:HouseEnv", 500, {}),
    "spatialmem/ObjectNav-v1": ("sim.envs.tasks:TaskEnv", None, {"task": "objectnav-v1"}),
    "spatialmem/Goat-v1": ("sim.envs.tasks:TaskEnv", None, {"task": "goat-v1"}),
}
"""id -> entry point, time limit (None: the task has its own), settings"""


def register() -> None:
    """Make the environments known to gymnasium; may be called again."""
    for name, (entry, steps, settings) in _ENVS.items():
        if name not in gymnasium.registry:
            gymnasium.register(id=name, entry_point=entry, max_episode_steps=steps, kwargs=settings)
