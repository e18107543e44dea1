"""What a body can be told to do in a world, and what comes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim.errors import InvalidSetting


class Action(IntEnum):
    """What the body can be told to do in a step, numbered as Habitat numbers it."""

    STOP = 0
    FORWARD = 1
    LEFT = 2
    RIGHT = 3
    LOOK_UP = 4
    LOOK_DOWN = 5


@dataclass(frozen=True)
class Motion:
    """How far an action goes. Habitat's tasks turn by 10 or by 30 degrees."""

    forward_m: float = 0.25
    turn_deg: float = 30.0
    look_deg: float = 30.0
    furthest_look_deg: float = 60.0
    """up or down from level"""

    def __post_init__(self) -> None:
        values = (self.forward_m, self.turn_deg, self.look_deg, self.furthest_look_deg)
        if not all(math.isfinite(v) and v > 0.0 for v in values) or self.furthest_look_deg > 90.0:
            raise InvalidSetting(f"motions must be positive, the furthest look at most 90 degrees; given {values}")


@dataclass(frozen=True)
class Stand:
    """Where a body is and where it looks."""

    x_m: float
    y_m: float
    z_m: float
    """of the ground"""
    yaw_rad: float
    """from +x, anticlockwise seen from above"""
    pitch_rad: float = 0.0
    """of the camera, upwards"""
    layer: int = 0
    """which of the grounds above one another: a floor, or a flight of stairs"""

    @property
    def ground_m(self) -> NDArray[np.float64]:
        """(3,) the point of the ground it stands on."""
        return np.array([self.x_m, self.y_m, self.z_m])


@dataclass(frozen=True)
class Moved:
    """What came of an action."""

    stand: Stand
    collided: bool
    """a move ended before its length"""
    length_m: float
    """gone over the ground, the climb included"""
