"""Episodes: what is asked of whom, where. Values that files hold and every world understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

GoalKind = Literal["category", "description", "image", "question"]


@dataclass(frozen=True)
class ImageView:
    """From where the picture of an image goal is taken."""

    world_from_camera: tuple[float, ...]
    """16 numbers, row by row"""
    width: int
    height: int
    hfov_deg: float


@dataclass(frozen=True)
class Goal:
    """One thing to be found, or one question to be answered."""

    kind: GoalKind
    text: str
    """category, description or question; empty for an image"""
    category: str = ""
    object_ids: tuple[str, ...] = ()
    """any of these will do"""
    image: ImageView | None = None
    choices: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    """every answer that is right; the first is the one to print"""
    viewpoints_m: tuple[tuple[float, float, float], ...] = ()
    """ground points that count as being there, where a file lists them; else they are found from the scene"""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """whatever else a file says of it"""


@dataclass(frozen=True)
class Episode:
    """One run of one agent in one scene."""

    episode_id: str
    """as its file names it"""
    scene_id: str
    start_m: tuple[float, float, float]
    """ground point, world frame (z up)"""
    start_yaw_rad: float
    goals: tuple[Goal, ...]
    stamp_ns: int = 0
    """what time it is in the scene when it begins"""
    seed: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
