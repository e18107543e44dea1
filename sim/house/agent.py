"""The body in a house: step actions and velocities, collisions, stairs, and the camera it carries.

Actions are numbered as Habitat numbers them. A move ends where the body first touches something; it does not slide
along. Moves are over the plan: on stairs the body goes as far horizontally, and up or down with the flight.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.body import Action, Motion, Moved, Stand
from sim.house.errors import InvalidHouse
from sim.house.house import House
from sim.house.navigation import CELL_M, Navigation
from sim.house.walking import walk


@final
class Agent:
    """A body that acts in a house, as `navigation` says it is: at first with all things where they first stood."""

    def __init__(self, house: House, motion: Motion | None = None) -> None:
        self.house, self.motion = house, motion or Motion()
        self.navigation: Navigation = house.navigation
        """where it can be; to be given anew when furniture or doors have moved"""
        self.stand = Stand(0.0, 0.0, 0.0, 0.0)
        self.place(first_place(self.navigation), 0.0)

    def place(self, ground_m: NDArray[np.floating], yaw_rad: float, pitch_rad: float = 0.0) -> Stand:
        """Put the body on a point of the ground (3,); `InvalidHouse` where it cannot stand."""
        if not np.isfinite([*np.asarray(ground_m, np.float64).ravel(), yaw_rad, pitch_rad]).all():
            raise InvalidHouse(f"a place must be finite; given {ground_m}, {yaw_rad}, {pitch_rad}")
        if not self.navigation.is_free(ground_m):
            raise InvalidHouse(f"the agent cannot stand at {np.round(ground_m, 3)}; take house.navigation.snap of it")
        layer, _, _ = self.navigation.cell_of(ground_m)
        x, y = float(ground_m[0]), float(ground_m[1])
        self.stand = Stand(x, y, self.navigation.ground_m(layer, x, y), yaw_rad, pitch_rad, layer)
        return self.stand

    @property
    def world_from_camera(self) -> NDArray[np.float64]:
        """(4, 4) pose of its camera, OpenCV axes."""
        s = self.stand
        cy, sy, cp, sp = math.cos(s.yaw_rad), math.sin(s.yaw_rad), math.cos(s.pitch_rad), math.sin(s.pitch_rad)
        forward, right = np.array([cy * cp, sy * cp, sp]), np.array([sy, -cy, 0.0])
        pose = np.eye(4)
        pose[:3, 0], pose[:3, 1], pose[:3, 2] = right, np.cross(forward, right), forward
        pose[:3, 3] = (s.x_m, s.y_m, s.z_m + self.house.config.body.eye_m)
        return pose

    def act(self, action: Action | int) -> Moved:
        """Do one step action; STOP changes nothing. `InvalidHouse` for a number that is no action."""
        moved = self.after(self.stand, action)
        self.stand = moved.stand
        return moved

    def after(self, stand: Stand, action: Action | int) -> Moved:
        """What `act` would do from a stand; changes nothing."""
        try:
            chosen = Action(action)
        except ValueError as error:
            known = ", ".join(f"{a.value} {a.name}" for a in Action)
            raise InvalidHouse(f"unknown action {action!r}; known: {known}") from error
        turn, look = math.radians(self.motion.turn_deg), math.radians(self.motion.look_deg)
        if chosen is Action.FORWARD:
            return self._gone(stand, self.motion.forward_m, stand.yaw_rad)
        if chosen in (Action.LEFT, Action.RIGHT):
            return Moved(self._turned(stand, turn if chosen is Action.LEFT else -turn, 0.0), False, 0.0)
        if chosen in (Action.LOOK_UP, Action.LOOK_DOWN):
            return Moved(self._turned(stand, 0.0, look if chosen is Action.LOOK_UP else -look), False, 0.0)
        return Moved(stand, False, 0.0)

    def drive(self, forward_mps: float, turn_radps: float, seconds: float) -> Moved:
        """Go and turn at once, at constant speeds, for a time; backwards when `forward_mps` is negative."""
        if not all(math.isfinite(v) for v in (forward_mps, turn_radps, seconds)) or seconds < 0.0:
            raise InvalidHouse(
                f"speeds and time must be finite, time from 0; given {(forward_mps, turn_radps, seconds)}"
            )
        pieces = max(1, math.ceil(abs(turn_radps) * seconds / 0.05), math.ceil(abs(forward_mps) * seconds / 0.05))
        stand, total, collided = self.stand, 0.0, False
        for _ in range(pieces):
            stand = self._turned(stand, 0.5 * turn_radps * seconds / pieces, 0.0)
            heading = stand.yaw_rad if forward_mps >= 0.0 else stand.yaw_rad + math.pi
            moved = self._gone(stand, abs(forward_mps) * seconds / pieces, heading)
            stand = self._turned(moved.stand, 0.5 * turn_radps * seconds / pieces, 0.0)
            total, collided = total + moved.length_m, collided or moved.collided
        self.stand = stand
        return Moved(stand, collided, total)

    def _turned(self, stand: Stand, yaw_rad: float, pitch_rad: float) -> Stand:
        most = math.radians(self.motion.furthest_look_deg)
        yaw = (stand.yaw_rad + yaw_rad + math.pi) % (2.0 * math.pi) - math.pi
        return replace(stand, yaw_rad=yaw, pitch_rad=min(max(stand.pitch_rad + pitch_rad, -most), most))

    def _gone(self, stand: Stand, length_m: float, heading_rad: float) -> Moved:
        """Straight on until the body would touch something."""
        n = self.navigation
        x, y, layer, gone = walk(
            n.free, n.links, *n.origin_m, CELL_M, stand.x_m, stand.y_m, stand.layer, heading_rad, length_m
        )
        z = n.ground_m(layer, x, y)
        ends = Stand(x, y, z, stand.yaw_rad, stand.pitch_rad, layer)
        return Moved(ends, gone < length_m - 1e-9, math.hypot(gone, z - stand.z_m))


def first_place(navigation: Navigation) -> NDArray[np.float64]:
    """(3,) the reachable point of the ground that lies furthest from everything; `InvalidHouse` without any."""
    clear = np.where(navigation.reachable, navigation.clearance_m, -1.0)
    best = np.unravel_index(int(np.argmax(clear)), clear.shape)
    if clear[best] < 0.0:
        raise InvalidHouse("the agent can stand nowhere in this house; make one with another seed")
    return navigation.point_of((int(best[0]), int(best[1]), int(best[2])))
