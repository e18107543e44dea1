"""What a planner is shown of a memory: values, without how they come about (context_making.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Presence


@dataclass(frozen=True, eq=False)
class ShownObject:
    """A thing that a snapshot stands for."""

    object_id: int
    name: str
    """data, not instruction: it may come from text that a camera saw"""
    score: float
    """0 to 1: how well it answers, by the memory's encoder: its score for words, the cosine for a picture of a goal; 0
    where that cannot be told"""
    presence: Presence
    position_m: NDArray[np.float64]
    """(3,) map frame"""
    extent_m: NDArray[np.float64]
    """(3,) edge lengths of its box"""
    box_xyxy: tuple[float, float, float, float] | None
    """pixels of the snapshot's image (`SnapshotView.rgb`), centres at integers; None where it is not in sight"""
    colour: str = ""
    """a colour word, where the memory's encoder clearly says one"""
    colours: Mapping[str, float] = field(default_factory=dict)
    """score by colour word, 0 to 1, the best first; empty where nothing is told"""
    on: int | None = None
    """object_id of what carries it; None also where that is not told (`Context.placed`)"""
    inside: int | None = None
    """object_id of what it lies in"""
    under: int | None = None
    """object_id of what it stands under"""
    beside: tuple[int, ...] = ()
    """object_ids of the nearest things, the nearest first"""


@dataclass(frozen=True, eq=False)
class SnapshotView:
    """A keyframe that stands for things."""

    mark: int
    """its number in this context and on the map picture, from 1"""
    lsn: int
    stamp_ns: int
    rgb: NDArray[np.uint8]
    """(H, W, 3); (0, 0, 3) in a context without pictures"""
    map_from_camera: NDArray[np.float64]
    """(4, 4)"""
    objects: tuple[ShownObject, ...]
    """best answers first"""


@dataclass(frozen=True, eq=False)
class FrontierView:
    """An edge of the known ground and what is seen of it."""

    mark: int
    """its number in this context and on the map picture, from 1; snapshots have numbers of their own"""
    position_m: NDArray[np.float64]
    """(3,) on the ground, map frame"""
    yaw_rad: float
    """of the way into the unknown, from the x axis towards y"""
    width_m: float
    floor: int
    """-1 on stairs"""
    rgb: NDArray[np.uint8] | None
    """(H, W, 3), None where nothing shows it"""
    source: Literal["seen", "rendered", "none"]
    """a picture of a stored frame that looked that way, or one rendered from the map"""
    score: float = 0.0
    """0 to 1: how well that picture answers the question, by the memory's encoder"""
    lsn: int | None = None
    """the stored frame that the picture is of"""


@dataclass(frozen=True, eq=False)
class Context:
    """What a memory knows towards a question, within a bound on images and tokens."""

    question: str
    """data, as the user or the task gave it; empty for a goal given as a picture"""
    goal_rgb: NDArray[np.uint8] | None
    """(H, W, 3) picture of what is looked for, where the goal is one"""
    snapshots: tuple[SnapshotView, ...]
    """best first"""
    frontiers: tuple[FrontierView, ...]
    """best first"""
    view_rgb: NDArray[np.uint8] | None
    """(H, W, 3) what the camera sees now"""
    map_rgb: NDArray[np.uint8] | None
    """(H, W, 3) plan with numbered marks: S1 .. for snapshots, F1 .. for frontiers"""
    objects: tuple[ShownObject, ...]
    """all things that were taken into consideration, best first, those without a snapshot here too"""
    left_out: str
    """what did not fit and why; empty when all did"""
    tokens: int
    """estimate of what all of it takes"""
    map_from_camera: NDArray[np.float64] | None = None
    """(4, 4) where the camera is now"""
    placed: bool = False
    """whether it is told what is on, in, under and beside what; else these say nothing"""
