"""The body in a house: step actions and velocities, collisions, stairs, and the camera it carries.

Actions are numbered as Habitat numbers them. A move ends where the body first touches something; it does not slide
along. Moves are over the plan: on stairs the body goes as far horizontally, and up or down with the flight.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.body import Action, Motion, Moved, Stand
from sim.house.errors import InvalidHouse
from sim.house.house import House
from sim.house.navigation import CELL_M, Navigation

_STRIDE_M = 0.01
"""moves are tried in pieces of this length"""


@final
class Agent:
    """A body that acts in a house whose things are where they first stood."""

    def __init__(self, house: House, motion: Motion | None = None) -> None:
        self.house, self.motion = house, motion or Motion()
        self._navigation = house.navigation
        self.stand = Stand(0.0, 0.0, 0.0, 0.0)
        self.place(first_place(self._navigation), 0.0)

    def place(self, ground_m: NDArray[np.floating], yaw_rad: float, pitch_rad: float = 0.0) -> Stand:
        """Put the body on a point of the ground (3,); `InvalidHouse` where it cannot stand."""
        if not self._navigation.is_free(ground_m):
            raise InvalidHouse(f"the agent cannot stand at {np.round(ground_m, 3)}; take house.navigation.snap of it")
        layer, _, _ = self._navigation.cell_of(ground_m)
        x, y = float(ground_m[0]), float(ground_m[1])
        self.stand = self._stand(x, y, layer, yaw_rad, pitch_rad)
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
        try:
            chosen = Action(action)
        except ValueError as error:
            known = ", ".join(f"{a.value} {a.name}" for a in Action)
            raise InvalidHouse(f"unknown action {action!r}; known: {known}") from error
        turn, look = math.radians(self.motion.turn_deg), math.radians(self.motion.look_deg)
        if chosen is Action.FORWARD:
            return self._go(self.motion.forward_m, self.stand.yaw_rad)
        if chosen in (Action.LEFT, Action.RIGHT):
            return self._turned(turn if chosen is Action.LEFT else -turn, 0.0)
        if chosen in (Action.LOOK_UP, Action.LOOK_DOWN):
            return self._turned(0.0, look if chosen is Action.LOOK_UP else -look)
        return Moved(self.stand, False, 0.0)

    def drive(self, forward_mps: float, turn_radps: float, seconds: float) -> Moved:
        """Go and turn at once, at constant speeds, for a time; backwards when `forward_mps` is negative."""
        if not all(math.isfinite(v) for v in (forward_mps, turn_radps, seconds)) or seconds < 0.0:
            raise InvalidHouse(
                f"speeds and time must be finite, time from 0; given {(forward_mps, turn_radps, seconds)}"
            )
        pieces = max(1, math.ceil(abs(turn_radps) * seconds / 0.05), math.ceil(abs(forward_mps) * seconds / 0.05))
        total, collided = 0.0, False
        for _ in range(pieces):
            self._turned(0.5 * turn_radps * seconds / pieces, 0.0)
            heading = self.stand.yaw_rad if forward_mps >= 0.0 else self.stand.yaw_rad + math.pi
            moved = self._go(abs(forward_mps) * seconds / pieces, heading)
            self._turned(0.5 * turn_radps * seconds / pieces, 0.0)
            total, collided = total + moved.length_m, collided or moved.collided
        return Moved(self.stand, collided, total)

    def _turned(self, yaw_rad: float, pitch_rad: float) -> Moved:
        s, most = self.stand, math.radians(self.motion.furthest_look_deg)
        yaw = (s.yaw_rad + yaw_rad + math.pi) % (2.0 * math.pi) - math.pi
        self.stand = Stand(s.x_m, s.y_m, s.z_m, yaw, min(max(s.pitch_rad + pitch_rad, -most), most), s.layer)
        return Moved(self.stand, False, 0.0)

    def _go(self, length_m: float, heading_rad: float) -> Moved:
        """Straight on until the body would touch something."""
        s = self.stand
        x, y, layer, gone, climbed = s.x_m, s.y_m, s.layer, 0.0, 0.0
        height = s.z_m
        while gone < length_m - 1e-9:
            piece = min(_STRIDE_M, length_m - gone)
            nx, ny = x + piece * math.cos(heading_rad), y + piece * math.sin(heading_rad)
            onto = _layer_at(self._navigation, layer, (x, y), (nx, ny))
            if onto < 0:
                break
            x, y, layer, gone = nx, ny, onto, gone + piece
            ground = self._navigation.ground_m(layer, x, y)
            climbed += math.hypot(piece, ground - height)
            height = ground
        self.stand = self._stand(x, y, layer, s.yaw_rad, s.pitch_rad)
        return Moved(self.stand, gone < length_m - 1e-9, climbed)

    def _stand(self, x: float, y: float, layer: int, yaw: float, pitch: float) -> Stand:
        return Stand(x, y, self._navigation.ground_m(layer, x, y), yaw, pitch, layer)


def first_place(navigation: Navigation) -> NDArray[np.float64]:
    """(3,) the reachable point of the ground that lies furthest from everything; `InvalidHouse` without any."""
    clear = np.where(navigation.reachable, navigation.clearance_m, -1.0)
    best = np.unravel_index(int(np.argmax(clear)), clear.shape)
    if clear[best] < 0.0:
        raise InvalidHouse("the agent can stand nowhere in this house; make one with another seed")
    return navigation.point_of((int(best[0]), int(best[1]), int(best[2])))


def _layer_at(navigation: Navigation, layer: int, here: tuple[float, float], there: tuple[float, float]) -> int:
    """The layer on which a body that was on `layer` stands after a small move, or -1 where it cannot."""
    (r0, c0), (r1, c1) = (_cell(navigation, p) for p in (here, there))
    rows, columns = navigation.free.shape[1:]
    if not (0 <= r1 < rows and 0 <= c1 < columns):
        return -1
    if navigation.free[layer, r1, c1]:
        return layer
    other = int(navigation.links[layer, r0, c0])
    return other if other >= 0 and navigation.free[other, r1, c1] else -1


def _cell(navigation: Navigation, point: tuple[float, float]) -> tuple[int, int]:
    x0, y0 = navigation.origin_m
    return math.floor((point[1] - y0) / CELL_M), math.floor((point[0] - x0) / CELL_M)
