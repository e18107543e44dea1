"""Values of scripted days: what residents do, where, when and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from sim.house.errors import InvalidHouse
from sim.house.truth import ThingState

NAMES = ("Ana", "Ben", "Chloe", "Daniel", "Emma", "Farid")


class Verb(Enum):
    """What a resident does with one thing."""

    TAKE = "take"
    """into the hands: the thing is absent until it is put; for good when it is eaten"""
    PUT = "put"
    MOVE = "move"
    """furniture, moved at once"""
    OPEN = "open"
    """a door"""
    CLOSE = "close"


@dataclass(frozen=True)
class Place:
    """Where a thing is."""

    room_id: int
    support_id: int
    """what it is on, in or under; 0: the floor, or a door frame"""
    relation: str
    """on, in, under; empty without a support"""
    pose: tuple[float, ...]
    """16 numbers: world_from_thing row by row"""

    @property
    def world_from_thing(self) -> NDArray[np.float64]:
        """(4, 4)."""
        return np.array(self.pose).reshape(4, 4)


@dataclass(frozen=True)
class Deed:
    """One thing that a resident does."""

    stamp_ns: int
    """when it takes effect: the thing is gone, or is there"""
    until_ns: int
    """when the resident is done with it"""
    who: str
    verb: Verb
    thing_id: int
    source: Place | None
    """where the thing was; for PUT: where it had been taken"""
    target: Place | None
    """where it is afterwards; None for TAKE"""
    why: str
    """the routine, in words"""


@dataclass(frozen=True)
class DaysConfig:
    """What days may be like."""

    residents: int = 2
    """1 to 6"""
    days: int = 7
    """from Monday on; 1 to 28"""
    hours: tuple[float, float] = (6.5, 23.0)
    """of the day, between which residents begin something"""
    busy: float = 1.0
    """how much they do: 0 nothing, 1 as people do, up to 3"""
    shut_rooms: bool = True
    """doors are closed for a while (bathroom, work, night) though no other way leads into the room; False: never"""

    def __post_init__(self) -> None:
        for name, most in (("residents", len(NAMES)), ("days", 28)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise InvalidHouse(f"{name} must be a whole number within 1 to {most}; given {value!r}")
        low, high = self.hours
        if not 0.0 <= low < high <= 24.0:
            raise InvalidHouse(f"hours must lie within 0 to 24, the first before the last; given {self.hours!r}")
        if not (math.isfinite(self.busy) and 0.0 <= self.busy <= 3.0):
            raise InvalidHouse(f"busy must lie within 0 to 3; given {self.busy!r}")


@dataclass(frozen=True)
class Script:
    """All that happens in a house over some days. A value; nothing has happened yet."""

    house_digest: str
    """of the house that it was made for"""
    seed: int
    config: DaysConfig
    residents: tuple[str, ...]
    deeds: tuple[Deed, ...]
    """by stamp_ns"""

    def of(self, thing_id: int) -> tuple[Deed, ...]:
        """The deeds done with a thing itself, in order."""
        return tuple(d for d in self.deeds if d.thing_id == thing_id)

    def between(self, start_ns: int, end_ns: int) -> tuple[Deed, ...]:
        """The deeds that take effect after `start_ns` and up to `end_ns`."""
        return tuple(d for d in self.deeds if start_ns < d.stamp_ns <= end_ns)


def place_of(state: ThingState) -> Place:
    """Where a thing is, as a value."""
    pose = tuple(float(v) for v in state.world_from_thing.ravel())
    return Place(state.room_id, state.support_id, state.relation, pose)
