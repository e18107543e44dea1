"""Clocks that jump: the stamps of frames, and the clock of the machine, which must not matter."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from faults.disks import Row
from faults.scene import made, store, walk
from spatialmem.errors import InvalidFrame
from spatialmem.memory import SpatialMemory
from spatialmem.store.schema import TABLES
from spatialmem.types import Frame, Skipped, Stored

FRAMES = 12
YEAR_NS = 365 * 86_400 * 10**9
_HALF = 6


def jumps(folder: Path) -> Iterator[Row]:
    """Every jump, on a memory of its own."""
    cases: tuple[Callable[[Path, list[Frame]], Row], ...] = (
        _back, _standing, _forward, _glitch, _ends_of_time, _beyond_time, _wall_clock
    )  # fmt: skip
    for number, case in enumerate(cases):
        yield case(folder / f"{number}.mem", walk(FRAMES))


def _moved(frame: Frame, by_ns: int) -> Frame:
    return dataclasses.replace(frame, stamp_ns=frame.stamp_ns + by_ns)


def _same_when_opened(path: Path, memory: SpatialMemory) -> bool:
    """Close; the file opens, is sound, holds the same layers, and a rebuild makes the same again."""
    live = memory.canonical_hash()
    memory.close()
    with SpatialMemory.open(path, "a") as again:
        same = again.canonical_hash() == live and again.check() == []
        again.rebuild()
        return same and again.canonical_hash() == live


def _unnumbered(frames: list[Frame]) -> list[Frame]:
    """As a live robot gives them: the memory numbers them on."""
    return [dataclasses.replace(frame, seq=None) for frame in frames]


def _back(path: Path, frames: list[Frame]) -> Row:
    frames = [_moved(frame, 50 * YEAR_NS) for frame in _unnumbered(frames)]
    memory = made(path, frames[:_HALF])
    before = memory.canonical_hash()
    refused = [memory.observe(_moved(frames[_HALF], -by)) for by in (10**9, 3600 * 10**9, 40 * YEAR_NS)]
    good = all(r == Skipped("stamp not rising") for r in refused) and memory.canonical_hash() == before
    for frame in frames[_HALF:]:
        store(memory, frame)
    said = "skipped as 'stamp not rising', nothing changed; later frames are stored"
    return "stamps jump back by 1 s, 1 h, 40 years", said, good and _same_when_opened(path, memory)


def _standing(path: Path, frames: list[Frame]) -> Row:
    frames = _unnumbered(frames)
    memory = made(path, frames[:_HALF])
    again = dataclasses.replace(frames[_HALF], stamp_ns=frames[_HALF - 1].stamp_ns)
    good = memory.observe(again) == Skipped("stamp not rising")
    return "a stamp comes twice", "skipped as 'stamp not rising'", good and _same_when_opened(path, memory)


def _forward(path: Path, frames: list[Frame]) -> Row:
    later = [*frames[:_HALF], *(_moved(frame, 10 * YEAR_NS) for frame in frames[_HALF:])]
    memory = made(path, later)
    with made(None, frames) as plain:
        same = len(memory.query("grey")) == len(plain.query("grey"))
    last = max(k.stamp_ns for k in memory.trajectory())
    good = len(memory.query("grey", since_ns=last - YEAR_NS)) > 0 and same
    said = "stored; the same hits; times count from the last stamp"
    return "stamps jump forward by 10 years and go on from there", said, good and _same_when_opened(path, memory)


def _glitch(path: Path, frames: list[Frame]) -> Row:
    frames = _unnumbered(frames)
    memory = made(path, frames[:_HALF])
    store(memory, _moved(frames[_HALF], 10 * YEAR_NS))
    refused = all(memory.observe(frame) == Skipped("stamp not rising") for frame in frames[_HALF + 1 :])
    memory.add_session("after the jump", np.eye(4))
    for frame in frames[_HALF + 1 :]:
        store(memory, dataclasses.replace(frame, session_id="after the jump"))
    said = "that frame is stored, later ones of its session are skipped, each counted; a new session goes on"
    good = refused and len(memory.trajectory()) == len(frames)
    return (
        "one stamp jumps forward by 10 years, the next are right again",
        said,
        good and _same_when_opened(path, memory),
    )


def _ends_of_time(path: Path, frames: list[Frame]) -> Row:
    first = dataclasses.replace(frames[0], stamp_ns=0)
    last = dataclasses.replace(frames[_HALF], stamp_ns=2**63 - 1)
    memory = made(path, [first, *frames[1:_HALF], last])
    good = isinstance(memory.observe(frames[_HALF + 1]), Skipped)
    return (
        "stamps 0 and 2^63 - 1",
        "stored; nothing can come after the latter",
        good and _same_when_opened(path, memory),
    )


def _beyond_time(path: Path, frames: list[Frame]) -> Row:
    memory, refused = made(path, frames[:_HALF]), 0
    for stamp in (-1, 2**63, 1.5, None):
        try:
            memory.observe(dataclasses.replace(frames[_HALF], stamp_ns=stamp))
        except InvalidFrame:
            refused += 1
    good = refused == 4 and isinstance(memory.observe(frames[_HALF]), Stored)
    return "stamps -1, 2^63, 1.5 and None", "InvalidFrame, nothing changed", good and _same_when_opened(path, memory)


def _wall_clock(path: Path, frames: list[Frame]) -> Row:
    rows = []
    for number in range(2):
        file = path.with_name(f"{path.stem}-{number}.mem")
        with _jumping_clock() if number else _usual_clock():
            memory = made(file, frames, checkpoint_frames=4)
            poses = {2: memory.trajectory()[1].map_from_camera}
            memory.correct_poses(poses)
            memory.forget(frames=[5])
            memory.close()
        with SpatialMemory.open(file) as memory:
            tables = [memory.sql(f"SELECT * FROM {table.name} ORDER BY 1, 2") for table in TABLES]
            rows.append((memory.canonical_hash(), tables))
    said = "every row of every table is the same as with a steady clock"
    return "the machine's clock jumps by years, back and forth, at every look", said, rows[0] == rows[1]


@contextmanager
def _usual_clock() -> Iterator[None]:
    yield


@contextmanager
def _jumping_clock() -> Iterator[None]:
    """`time.time` and `time.time_ns` that jump by years at every call."""
    usual, usual_ns = time.time, time.time_ns
    years = itertools.cycle((0, 40, -20, 7, -9))
    time.time = lambda: usual() + next(years) * YEAR_NS / 1e9
    time.time_ns = lambda: usual_ns() + next(years) * YEAR_NS
    try:
        yield
    finally:
        time.time, time.time_ns = usual, usual_ns
