"""A stream that is too much for a small file, and a watch over what the file takes on disk."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import memory_helpers as mh
import numpy as np
from test_equality import AFTER, BEFORE

from spatialmem.memory import SpatialMemory
from spatialmem.store.queries import disk_sizes
from spatialmem.types import Frame

LIMIT, LARGE = 8 << 20, 64 << 20
OPTIONS = {"voxel_size_m": 0.08, "free_voxel_m": 0.16, "checkpoint_frames": 16, "ram_bytes": 64 << 20}
VIEWS, SIZE = 24, (400, 300)


def create(path: Path, limit: int | None = LIMIT, **options) -> SpatialMemory:
    """A memory with coarse voxels and this file budget."""
    return mh.create(path, **{**OPTIONS, "file_bytes": limit, **options})


@cache
def view(i: int, with_box: bool) -> Frame:
    """A view from a place of its own, of a wall where a red box floats, or does not, or across the room."""
    position = np.array([-0.6 + 0.1 * (i % 5), -0.6 + 0.3 * (i % 4), 1.2 + 0.1 * (i % 3)])
    angle = 2 * np.pi * i / VIEWS
    target = np.array([1.75, 0.0, 0.8]) if i % 3 else position + (np.cos(angle), np.sin(angle), -0.3)
    return mh.frame_at(position, target - position, 0, BEFORE if with_box else AFTER, SIZE)


def noisy(frame: Frame, seq: int) -> Frame:
    """The frame as a cheap sensor in bad light gives it: hard to compress."""
    rng = np.random.default_rng(seq)
    grain = rng.integers(-45, 46, (*frame.rgb.shape[:2], 1))  # brightness alone: colours stay what they are
    depth = frame.depth_m + rng.normal(0.0, 0.004, frame.depth_m.shape).astype(np.float32)
    return mh.at(frame, seq, rgb=np.clip(frame.rgb + grain, 0, 255).astype(np.uint8), depth_m=depth)


def stream(first: int, count: int) -> Iterator[Frame]:
    """Frames of a day in which the box comes and goes every twenty frames."""
    for seq in range(first, first + count):
        frame = view(seq % VIEWS, seq // 20 % 2 == 0)
        if seq % 37 == 5:
            frame = dataclasses.replace(frame, depth_m=None)
            yield mh.at(frame, seq)
        else:
            yield noisy(frame, seq)


@contextmanager
def watched(memory: SpatialMemory, limit: int = LIMIT) -> Iterator[list[int]]:
    """Looks at file, wal and shm whenever SQLite begins a statement; none may find more than `limit`. Yields the
    largest sum so far."""
    most, path = [0], memory.path

    def look(*_: object) -> None:
        most[0] = max(most[0], disk_sizes(path)["total"])

    connection = memory._keeper.file._writer._connection
    connection.set_trace_callback(look)
    try:
        yield most
    finally:
        connection.set_trace_callback(None)
        look()
    assert most[0] <= limit


def evicted(memory: SpatialMemory) -> set[int]:
    """Frames whose images are not stored any more."""
    return {lsn for (lsn,) in memory.sql("SELECT lsn FROM frames WHERE colour IS NULL")}


def recorded(memory: SpatialMemory) -> set[int]:
    """Frames that `evictions` says were given up."""
    ranges = [r for (what,) in memory.sql("SELECT what FROM evictions WHERE kind = 'frames'") for r in _ranges(what)]
    return {lsn for first, last in ranges for lsn in range(first, last + 1)}


def _ranges(what: str) -> list[list[int]]:
    return json.loads(what)["lsn"]


def told(answer) -> list[tuple]:
    """Everything that hits say, in comparable form."""
    return [
        (h.position_m.tolist(), h.box_min_m.tolist(), h.box_max_m.tolist(), h.score, h.first_seen_ns, h.last_seen_ns,
         h.presence, [dataclasses.astuple(e) for e in h.evidence], h.voxels)
        for h in answer
    ]  # fmt: skip


def two_places(path: Path) -> None:
    """A memory of two corners, of which no frame sees both. Of the first, seen by frames 1 to 6,
    only the last frame still has its images; in the second, frames 11 to 14 saw that the red box had gone."""
    there = [((-1.0, 0.0, 1.2), (-1.0, 0.05 * i, -0.2)) for i in range(6)]
    here = [((1.2, 0.0, 1.2), (1.0, 0.1 - 0.05 * i, -0.3)) for i in range(8)]
    with create(path, LARGE, max_depth_m=1.6) as memory:
        memory.declare_up((0.0, 0.0, 1.0))
        for seq, (position, forward) in enumerate([*there, *here]):
            boxes = AFTER if seq >= 10 else BEFORE
            mh.observe_all(memory, [noisy(mh.frame_at(position, forward, 0, boxes), seq)])
        memory._keeper.complete_round(memory._layers)
        memory._keeper.thinning._evict([1, 2, 3, 4, 5])
        assert evicted(memory) == {1, 2, 3, 4, 5} and memory.info()["departed_regions"] > 0
