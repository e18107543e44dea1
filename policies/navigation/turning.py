"""Turns and tilts towards something, as step actions."""

from __future__ import annotations

import math
from typing import NamedTuple

from sim.body import Action, Motion, Stand

_SLACK_RAD = 1e-3


class Facing(NamedTuple):
    """Where to look."""

    yaw_rad: float
    pitch_rad: float | None = None
    """None: as it is"""


def towards(stand: Stand, point_m: tuple[float, float, float], eye_m: float | None = None) -> Facing:
    """How a body looks at a point from where it is; with the height of its eye, up or down too."""
    dx, dy = point_m[0] - stand.x_m, point_m[1] - stand.y_m
    pitch = None if eye_m is None else math.atan2(point_m[2] - stand.z_m - eye_m, max(math.hypot(dx, dy), 1e-3))
    return Facing(math.atan2(dy, dx), pitch)


def turned(angle_rad: float) -> float:
    """An angle within -pi to pi."""
    return (angle_rad + math.pi) % (2.0 * math.pi) - math.pi


def turn_to(stand: Stand, yaw_rad: float, motion: Motion) -> Action | None:
    """The turn that brings a body nearer to a heading; None where a turn would not."""
    off = turned(yaw_rad - stand.yaw_rad)
    if abs(off) <= math.radians(motion.turn_deg) / 2.0 + _SLACK_RAD:
        return None
    return Action.LEFT if off > 0.0 else Action.RIGHT


def tilt_to(stand: Stand, pitch_rad: float, motion: Motion) -> Action | None:
    """The tilt that brings a camera nearer to a pitch; None where none would, or can."""
    off, most = pitch_rad - stand.pitch_rad, math.radians(motion.furthest_look_deg)
    if abs(off) <= math.radians(motion.look_deg) / 2.0 + _SLACK_RAD:
        return None
    if off > 0.0:
        return Action.LOOK_UP if stand.pitch_rad < most - _SLACK_RAD else None
    return Action.LOOK_DOWN if stand.pitch_rad > -most + _SLACK_RAD else None


def face(stand: Stand, facing: Facing, motion: Motion) -> Action:
    """The next action of looking somewhere, STOP once that is done."""
    action = turn_to(stand, facing.yaw_rad, motion)
    if action is None and facing.pitch_rad is not None:
        action = tilt_to(stand, facing.pitch_rad, motion)
    return Action.STOP if action is None else action
