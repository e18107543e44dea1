"""A row of rooms, more than fits into the RAM of the memories that walk through it."""

from __future__ import annotations

import dataclasses

import memory_helpers as mh
import numpy as np
import synthetic as room

from spatialmem.types import Frame

PITCH_M = 6.0
"""from one room to the next, along x"""
_EYES = ((-0.8, -0.5, 1.3), (0.8, 0.5, 1.3), (0.5, -0.8, 1.1))


def boxes(number: int) -> list[room.Box]:
    """The boxes of a room: rooms differ in what stands in them, and one in three has the red box."""
    kept = [box for n, box in enumerate(room.BOXES) if n != 1 + number % 3]
    return kept if number % 3 == 0 else [box for box in kept if box.name != "red"]


def frame(number: int, step: int, seq: int, size: tuple[int, int] = (160, 120)) -> Frame:
    """View `step` of room `number`."""
    angle = 1.05 * step + 0.4 * number
    seen = mh.frame_at(_EYES[step % 3], (np.cos(angle), np.sin(angle), -0.25), seq, boxes(number), size)
    return dataclasses.replace(seen, world_from_camera=placed(number) @ seen.pose)


def placed(number: int) -> np.ndarray:
    """(4, 4) from the room's own coordinates to the map."""
    there = np.eye(4)
    there[0, 3] = PITCH_M * number
    return there


def walk(rooms: int, steps: int = 6, size: tuple[int, int] = (160, 120)) -> list[Frame]:
    """Through all rooms, a round in each, and a look into the first one again at the end."""
    places = [(number, step) for number in range(rooms) for step in range(steps)] + [(0, step) for step in range(2)]
    return [frame(number, step, seq, size) for seq, (number, step) in enumerate(places)]
