"""The house: everything that stands in it, numbered, with its place. A value; what moves later is kept elsewhere."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.house.errors import InvalidHouse
from sim.house.layout.plan import Plan, Room
from sim.house.navigation import Navigation
from sim.house.thing import CATEGORY_IDS, Body, Thing


@dataclass(frozen=True)
class HouseConfig:
    """What a house may be like."""

    floors: int | None = None
    """1 or 2; None: drawn from the seed"""
    rooms_per_floor: tuple[int, int] = (4, 8)
    """fewest and most rooms of a floor, the hallway counted; within 3 to 10"""
    density: float = 1.0
    """how many small things there are: 0 none, 1 lived in, 2 crowded"""
    attempts: int = 30
    """how many layouts of a seed are tried before it is given up"""
    body: Body = field(default_factory=Body)

    def __post_init__(self) -> None:
        low, high = self.rooms_per_floor
        if self.floors not in (None, 1, 2):
            raise InvalidHouse(f"floors must be 1, 2 or None; given {self.floors!r}")
        if not 3 <= low <= high <= 10:
            raise InvalidHouse(f"rooms_per_floor must lie within 3 to 10, fewest first; given {self.rooms_per_floor!r}")
        if not 0.0 <= self.density <= 2.0:
            raise InvalidHouse(f"density must lie within 0 to 2; given {self.density!r}")
        if self.attempts < 1:
            raise InvalidHouse(f"attempts must be at least 1; given {self.attempts!r}")
        object.__setattr__(self, "rooms_per_floor", (low, high))  # a list would make it unhashable


@dataclass(frozen=True, eq=False)
class House:
    """A house of a seed, as it is when nobody has moved anything."""

    seed: int
    attempt: int
    """which layout of the seed passed the checks, from 0"""
    config: HouseConfig
    plan: Plan
    things: tuple[Thing, ...]
    """ordered by thing_id, which is the index plus one; supports come before what they hold"""
    viewpoints: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    """thing_id -> (3,) ground point from which it is seen well; of all but walls, floors and ceilings"""

    @functools.cached_property
    def navigation(self) -> Navigation:
        """Where its agent can be, with everything where it first stood."""
        return Navigation(self.plan, self.things, self.config.body)

    @property
    def rooms(self) -> tuple[Room, ...]:
        """All rooms, by room_id."""
        return self.plan.rooms

    def thing(self, thing_id: int) -> Thing:
        """The thing of an id; `InvalidHouse` when there is none."""
        if not 1 <= thing_id <= len(self.things):
            raise InvalidHouse(f"no thing has id {thing_id}; this house has 1 to {len(self.things)}")
        return self.things[thing_id - 1]

    def of(self, category: str) -> tuple[Thing, ...]:
        """All instances of a category; `InvalidHouse` when there is no such category."""
        if category not in CATEGORY_IDS or not category:
            raise InvalidHouse(f"unknown category {category!r}; sim.house.thing.CATEGORIES lists them")
        return tuple(t for t in self.things if t.category == category)

    @property
    def triangles(self) -> int:
        """How many there are to render."""
        return sum(len(t.shape.faces) for t in self.things)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over plan, poses, looks and meshes: equal for equal houses."""
        h = hashlib.sha256(repr((self.seed, self.attempt, self.plan)).encode())
        for t in self.things:
            h.update(repr((t.thing_id, t.category, t.look, t.room_id, t.support_id, t.relation)).encode())
            h.update(_rounded(t.world_from_thing))
            h.update(_rounded(t.shape.vertices_m))
            h.update(np.ascontiguousarray(t.shape.faces).tobytes())
            h.update(repr(t.shape.materials).encode())
        return h.hexdigest()


def _rounded(values: NDArray[np.floating]) -> bytes:
    return np.round(values.astype(np.float64) * 1e5).astype(np.int64).tobytes()
