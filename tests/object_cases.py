"""The boxes of the synthetic room as detections, and memories of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import memory_helpers as mh
import numpy as np
import synthetic as room

from spatialmem import SpatialMemory
from spatialmem.things import Detection, MapObject
from spatialmem.types import Frame

LAP = 12
FURTHER_M = 1e-4


def masks(frame: Frame, boxes: Sequence[room.Box] = room.BOXES) -> dict[str, np.ndarray]:
    """(H, W) bool by name: where each box is in sight."""
    found = {}
    for box in boxes:
        others = [other for other in boxes if other is not box]
        _, without = room.render_room(frame.pose, frame.camera, others)
        _, depth = room.render_room(frame.pose, frame.camera, boxes)
        found[box.name] = without > depth + FURTHER_M
    return found


def detections(frame: Frame, boxes: Sequence[room.Box] = room.BOXES, labelled: bool = True) -> list[Detection]:
    """Of the boxes that are in sight."""
    return [Detection(mask, name if labelled else "") for name, mask in masks(frame, boxes).items() if mask.sum() >= 20]


def lap(number: int, boxes: Sequence[room.Box] = room.BOXES, steps: Iterable[int] | None = None) -> list[Frame]:
    """Frames of a walk around the room."""
    steps = range(LAP) if steps is None else steps
    return [room.room_frame(number * LAP + i, LAP, boxes=boxes) for i in steps]


def observe(
    memory: SpatialMemory, frames: Iterable[Frame], boxes: Sequence[room.Box] = room.BOXES, labelled: bool = True
) -> None:
    """With what the frames show."""
    for frame in frames:
        memory.observe(frame, detections(frame, boxes, labelled))


def remembered(path: Path | None, laps: int = 1, labelled: bool = True, **options) -> SpatialMemory:
    """Some laps."""
    memory = mh.create(path, **options)
    for number in range(laps):
        observe(memory, lap(number), labelled=labelled)
    return memory


def by_name(memory) -> dict[str, MapObject]:
    """Each name once, or the test fails."""
    things = memory.objects()
    names = [thing.name for thing in things]
    assert len(set(names)) == len(names), names
    return dict(zip(names, things, strict=True))


def told(things: Sequence[MapObject]) -> list[tuple]:
    """All that is said of things, to compare."""
    return [
        (
            o.object_id, o.name, o.position_m.tobytes(), o.box_min_m.tobytes(), o.box_max_m.tobytes(),
            o.points_m.tobytes(), None if o.feature is None else o.feature.tobytes(), o.presence, o.views, o.evidence,
            o.moves, o.first_seen_ns, o.last_seen_ns,
        )
        for o in things
    ]  # fmt: skip
