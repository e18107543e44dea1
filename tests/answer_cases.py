"""Contexts with furniture and small things, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import planner_cases as cases

from spatialmem.retrieval.context import Context, ShownObject
from spatialmem.types import Presence

RED, WHITE = {"red": 0.9, "orange": 0.2, "white": 0.1}, {"white": 0.9, "grey": 0.2, "red": 0.05}


def thing(
    object_id: int, name: str, at: tuple[float, float, float], size: tuple[float, float, float], **more: Any
) -> ShownObject:
    """With its middle at a point; of a colour where `colours` are given."""
    colours = more.pop("colours", {})
    presence, score = more.pop("presence", Presence.PRESENT), more.pop("score", 0.1)
    return ShownObject(
        object_id, name, score, presence, np.array(at), np.array(size), None, colour=next(iter(colours), ""),
        colours=colours, **more,
    )  # fmt: skip


THINGS = (
    thing(1, "dining table", (1.0, 1.0, 0.4), (1.6, 0.9, 0.8), colours=WHITE, beside=(3,)),
    thing(2, "mug", (1.2, 1.0, 0.85), (0.1, 0.1, 0.1), colours=RED, on=1),
    thing(3, "refrigerator", (2.6, 1.0, 0.9), (0.6, 0.6, 1.8), colours=WHITE, beside=(1,)),
    thing(4, "stove", (3.4, 1.0, 0.45), (0.6, 0.6, 0.9), colours=WHITE),
    thing(5, "chair", (1.0, 2.0, 0.45), (0.5, 0.5, 0.9), colours=RED),
    thing(6, "chair", (1.6, 2.0, 0.45), (0.5, 0.5, 0.9), colours=RED),
    thing(7, "double bed", (9.0, 1.0, 0.3), (2.0, 1.6, 0.6), colours=WHITE),
    thing(8, "waste bin", (1.0, 1.0, 0.15), (0.2, 0.2, 0.3), under=1),
    thing(9, "basket", (9.0, 3.0, 0.2), (0.4, 0.4, 0.4)),
    thing(10, "ball", (9.0, 3.0, 0.2), (0.2, 0.2, 0.2), inside=9),
    thing(11, "vase", (2.6, 1.0, 1.9), (0.1, 0.1, 0.2), presence=Presence.GONE),
)
"""a kitchen, and a bedroom eight metres off"""


def context(question: str, *things: ShownObject, complete: bool = False, **given: Any) -> Context:
    """Of the things above, or of others; `complete`: without frontiers."""
    usual: dict[str, Any] = {"snapshots": (), "objects": things or THINGS, "placed": True}
    usual |= {"frontiers": ()} if complete else {}
    return cases.context(question, **{**usual, **given})
