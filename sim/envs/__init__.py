"""Gymnasium environments over worlds and tasks; importing this registers them. See docs/environments.md."""

from sim.house.errors import require

require("gymnasium")

from sim.envs.frames import frame_of  # noqa: E402 - after the check above
from sim.envs.registered import register  # noqa: E402

register()

__all__ = ["frame_of", "register"]
