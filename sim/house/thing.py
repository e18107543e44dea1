"""One thing of a house, the kinds there are, and the body that a house is made for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.house.category import Look
from sim.house.shape import Shape
from sim.house.shapes.furniture_table import KINDS
from sim.house.shapes.object_table import THINGS

STRUCTURE = ("wall", "floor", "ceiling", "door frame", "door", "front door", "window", "stairs", "railing")
CATEGORIES: tuple[str, ...] = ("", *STRUCTURE, *(c.name for c in KINDS), *(c.name for c in THINGS))
"""category id -> name; 0 is nothing. Ids never change their meaning: new names are added at the end of a release"""
CATEGORY_IDS: dict[str, int] = {name: i for i, name in enumerate(CATEGORIES)}
GROUPS: dict[str, str] = {
    **dict.fromkeys(STRUCTURE, "structure"),
    **{c.name: c.group for c in (*KINDS, *THINGS)},
}
"""category -> structure, furniture or object"""


@dataclass(frozen=True)
class Body:
    """The agent that a house is made for: an upright cylinder with a camera."""

    radius_m: float = 0.18
    height_m: float = 1.5
    eye_m: float = 1.25
    """height of the camera above the floor"""


@dataclass(frozen=True, eq=False)
class Thing:
    """One instance: a piece of furniture, a small object, or a part of the house itself."""

    thing_id: int
    """from 1; what instance images show"""
    category: str
    look: Look
    shape: Shape
    world_from_thing: NDArray[np.float64]
    """(4, 4) where it is when the house is new"""
    room_id: int
    support_id: int = 0
    """thing that it is on, in or under; 0: floor, wall or ceiling"""
    relation: str = ""
    """on, in or under; empty without a support"""

    @property
    def category_id(self) -> int:
        """What category images show."""
        return CATEGORY_IDS[self.category]

    @property
    def group(self) -> str:
        """structure, furniture or object."""
        return GROUPS[self.category]

    def corners_m(self, world_from_thing: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """(8, 3) world corners of its box, at its first pose or at another."""
        pose = self.world_from_thing if world_from_thing is None else world_from_thing
        low, high = self.shape.box_m
        local = np.array([[(low, high)[i >> k & 1][k] for k in range(3)] for i in range(8)])
        return local @ pose[:3, :3].T + pose[:3, 3]
