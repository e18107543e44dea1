"""Contexts that planners are shown in tests."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.retrieval.context import Context, FrontierView, ShownObject, SnapshotView
from spatialmem.types import Presence

PLACE = np.zeros(3)


def picture(shade: int = 0, height: int = 60, width: int = 80) -> NDArray[np.uint8]:
    """(height, width, 3), the same for the same shade."""
    rows, columns = np.indices((height, width))
    return np.stack([rows % 256, columns % 256, np.full_like(rows, shade % 256)], axis=2).astype(np.uint8)


def thing(object_id: int, name: str = "cup", presence: Presence = Presence.PRESENT) -> ShownObject:
    return ShownObject(object_id, name, 0.5, presence, PLACE, PLACE, None)


def snapshot(mark: int, *things: ShownObject, shade: int = 0) -> SnapshotView:
    return SnapshotView(mark, 10 + mark, 0, picture(shade or mark), np.eye(4), things)


def frontier(mark: int, *, shown: bool = True) -> FrontierView:
    rgb = picture(100 + mark) if shown else None
    return FrontierView(mark, PLACE, 0.0, 0.8, 0, rgb, "seen" if shown else "none")


def context(question: str = "where is the cup?", **given: Any) -> Context:
    """Two snapshots (things 4 and 7; thing 5), three frontiers, the last without a picture, a thing 9 without a
    snapshot, a view and a map."""
    usual: dict[str, Any] = {
        "goal_rgb": None,
        "snapshots": (snapshot(1, thing(4), thing(7, "table")), snapshot(2, thing(5, "red lamp", Presence.GONE))),
        "frontiers": (frontier(1), frontier(2), frontier(3, shown=False)),
        "view_rgb": picture(200),
        "map_rgb": picture(201),
        "left_out": "",
        "tokens": 0,
    }
    usual |= given
    inside = tuple(shown for view in usual["snapshots"] for shown in view.objects)
    usual.setdefault("objects", (*inside, thing(9, "sofa")))
    return Context(question=question, **usual)


def empty(question: str = "where is the cup?") -> Context:
    """Nothing is known yet."""
    return context(question, snapshots=(), frontiers=(), objects=(), view_rgb=None, map_rgb=None)


def reply(**members: Any) -> str:
    """What a model that keeps to the form answers."""
    usual = {
        "reason": "seen there",
        "object_id": None,
        "snapshot": None,
        "frontier": None,
        "answer": "",
        "confidence": 0.9,
    }
    return json.dumps(usual | members)
