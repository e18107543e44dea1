"""What every world offers: scenes to be in, and the truth about them. Tasks, runs and environments know only this.

World frame of a scene: right-handed metres, z up. Camera axes are OpenCV's.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sim.body import Action, Motion, Moved, Stand
from sim.errors import InvalidSetting
from spatialmem.types import Camera


@dataclass(frozen=True, eq=False)
class Sight:
    """What the body's camera shows."""

    rgb: NDArray[np.uint8]
    """(H, W, 3)"""
    depth_m: NDArray[np.float32]
    """(H, W) along the optical axis; NaN: no reading"""
    instance_ids: NDArray[np.int32]
    """(H, W) `SceneObject.instance_id`, 0: nothing"""
    normals: NDArray[np.float32]
    """(H, W, 3) of surfaces, world frame; (0, 0, 3) unless asked for"""
    world_from_camera: NDArray[np.float64]
    """(4, 4) where the camera is in truth"""
    camera: Camera


@dataclass(frozen=True, eq=False)
class SceneObject:
    """One thing of a scene as it is now."""

    object_id: str
    """as its data set names it"""
    instance_id: int
    """what instance images show"""
    category: str
    group: str
    """furniture, object or structure"""
    phrase: str
    """colour, material, size and category in words"""
    attributes: Mapping[str, str]
    """colour, second colour, decor, material, size: those that language can tell; of doors also state (open, closed)
    and joins ("the kitchen and the hallway")"""
    box_min_m: NDArray[np.float64]
    """(3,) lower corner of its axis-aligned box, world frame"""
    box_max_m: NDArray[np.float64]
    """(3,)"""
    room_id: int
    """-1: in no room"""
    room: str
    """name of the kind of room; empty: in none"""
    support: str
    """object_id of what it is on, in or under; empty: floor, wall or ceiling"""
    relation: str
    """on, in, under, or empty"""

    @property
    def middle_m(self) -> NDArray[np.float64]:
        """(3,) middle of its box."""
        return (self.box_min_m + self.box_max_m) / 2


@dataclass(frozen=True)
class SceneConfig:
    """How a scene is entered: the camera and the steps of its body."""

    width: int = 256
    height: int = 256
    hfov_deg: float = 90.0
    motion: Motion = Motion()


class Scene(abc.ABC):
    """A place with one body in it. Not safe for use by several threads at once."""

    scene_id: str
    camera: Camera
    motion: Motion

    # the body

    @property
    @abc.abstractmethod
    def stand(self) -> Stand:
        """Where the body is."""

    @property
    @abc.abstractmethod
    def world_from_camera(self) -> NDArray[np.float64]:
        """(4, 4) where its camera is."""

    @abc.abstractmethod
    def place(self, ground_m: NDArray[np.floating], yaw_rad: float, pitch_rad: float = 0.0) -> Stand:
        """Put the body on a point of the ground (3,); `SimError` where it cannot stand."""

    @abc.abstractmethod
    def act(self, action: Action) -> Moved:
        """Do one step action; STOP changes nothing."""

    def drive(self, forward_mps: float, turn_radps: float, seconds: float) -> Moved:
        """Go and turn at once, at constant speeds, for a time; `InvalidSetting` in a world that knows only steps."""
        given = (forward_mps, turn_radps, seconds)
        raise InvalidSetting(f"{type(self).__name__} knows only step actions; given speeds and time {given}")

    @abc.abstractmethod
    def after(self, stand: Stand, action: Action) -> Moved:
        """What `act` would do from a stand; changes nothing."""

    @abc.abstractmethod
    def look(self, normals: bool = False) -> Sight:
        """What the body's camera shows now."""

    @abc.abstractmethod
    def sight_from(self, world_from_camera: NDArray[np.floating], camera: Camera) -> Sight:
        """What any camera (4, 4), OpenCV axes, would show now."""

    # time

    @property
    @abc.abstractmethod
    def stamp_ns(self) -> int:
        """What time it is in the scene."""

    @abc.abstractmethod
    def advance(self, stamp_ns: int) -> None:
        """Let time go on until a stamp, and whatever happens in the scene until then happen; never backwards."""

    # the truth

    @abc.abstractmethod
    def objects(self) -> tuple[SceneObject, ...]:
        """Every thing that can be named and is there now; of the building itself only its doors."""

    @abc.abstractmethod
    def viewpoints_m(self, object_id: str) -> NDArray[np.float64]:
        """(N, 3) ground points near a thing from which it is seen where it is now, within 1 m of it; N may be 0."""

    @abc.abstractmethod
    def distance_m(self, start_m: NDArray[np.floating], targets_m: NDArray[np.floating]) -> float:
        """Length of the body's shortest way from (3,) to the nearest of (N, 3), over all floors; inf without one."""

    @abc.abstractmethod
    def distances_to(self, targets_m: NDArray[np.floating]) -> Callable[[NDArray[np.floating]], float]:
        """A function of ground points (3,) that gives `distance_m` to (N, 3), quick to ask again and again."""

    @abc.abstractmethod
    def standing_places_m(self) -> NDArray[np.float64]:
        """(N, 3) ground points on a lattice, all within reach of each other."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give back what the scene holds; may be called again."""


class World(abc.ABC):
    """A simulator that opens scenes by name: `house`, later `habitat`."""

    name: ClassVar[str]

    @abc.abstractmethod
    def scene_ids(self, split: str, count: int) -> list[str]:
        """The first `count` scenes of a split ("train", "val", "test"), always the same ones."""

    @abc.abstractmethod
    def open(self, scene_id: str, config: SceneConfig) -> Scene:
        """Enter a scene; `MissingScene` or `SimError` where there is none of that name."""
