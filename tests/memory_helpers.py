"""Small memories of the synthetic room, for the tests of SpatialMemory."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import synthetic as room

from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.memory import SpatialMemory
from spatialmem.types import Frame, Stored

TESTS = Path(__file__).resolve().parent
PRELUDE = f"""
import os, sys
sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]
import memory_helpers as mh
import synthetic as room
from spatialmem.errors import SpatialMemError
from spatialmem.memory import SpatialMemory
"""
"""what every script of a child process starts with"""


def config(**options) -> MemoryConfig:
    """Voxels of 4 cm, a small reserve, every frame kept, unless told otherwise; `gate` as a dict or a GateConfig."""
    gate = options.pop("gate", {})
    if isinstance(gate, dict):
        gate = GateConfig(**{"store_all": True, **gate})
    return MemoryConfig(**{"voxel_size_m": 0.04, "ram_bytes": 48 << 20, "gate": gate, **options})


def create(path: Path | None, frames: Iterable[Frame] = (), **options) -> SpatialMemory:
    """A memory that has observed `frames`; each of them must have been stored."""
    memory = SpatialMemory.create(path, encoder="colours", config=config(**options))
    observe_all(memory, frames)
    return memory


def observe_all(memory: SpatialMemory, frames: Iterable[Frame]) -> None:
    """Observe frames that must all be stored."""
    for frame in frames:
        result = memory.observe(frame)
        assert isinstance(result, Stored), result


def without(*names: str) -> list[room.Box]:
    """The boxes of the room but for these."""
    return [box for box in room.BOXES if box.name not in names]


def moved(name: str, by_m: Sequence[float]) -> list[room.Box]:
    """The boxes of the room, one of them elsewhere."""
    shift = np.array(by_m)
    boxes = []
    for box in room.BOXES:
        if box.name == name:
            box = box._replace(min_m=tuple(box.min_m + shift), max_m=tuple(box.max_m + shift))
        boxes.append(box)
    return boxes


def frame_at(
    position_m: Sequence[float], forward: Sequence[float], seq: int, boxes=room.BOXES, size=(160, 120)
) -> Frame:
    """A frame from any place in the room; stamps rise with `seq`, on the same clock as `room.room_frame`."""
    camera, pose = room.room_camera(*size), room.look(position_m, forward)
    rgb, depth = room.render_room(pose, camera, boxes)
    return Frame(rgb, depth, camera, pose, room.FIRST_STAMP_NS + seq * room.FRAME_STEP_NS, seq=seq)


def at(frame: Frame, seq: int, stamp_ns: int | None = None, **changes) -> Frame:
    """The same frame under another number and stamp."""
    stamp = room.FIRST_STAMP_NS + seq * room.FRAME_STEP_NS if stamp_ns is None else stamp_ns
    return dataclasses.replace(frame, seq=seq, stamp_ns=stamp, **changes)


def tables(memory: SpatialMemory) -> dict[str, list[tuple]]:
    """All rows of all tables of the memory's file."""
    names = [name for (name,) in memory.sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return {name: memory.sql(f"SELECT * FROM {name} ORDER BY 1") for name in names}


def as_a_crash_leaves_it(path: Path, target: Path) -> Path:
    """Copy the file and wal of a memory that is open: what is on disk at this instant, without its writer."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copyfile(source, target.with_name(target.name + suffix))
    return target


def names(path: Path) -> set[str]:
    """What the file's name is continued with in its folder."""
    return {entry.name.removeprefix(path.name) for entry in path.parent.iterdir()}


def child_environment(**variables: str) -> dict[str, str]:
    """The environment of this process with other variables."""
    return {**os.environ, **variables}


def python(code: str) -> list[str]:
    """Command that runs `code` after `PRELUDE`."""
    return [sys.executable, "-c", PRELUDE + code]
