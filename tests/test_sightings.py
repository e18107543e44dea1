"""Sightings stand in the file, and who reads a map finds those it was made of all the same."""

from __future__ import annotations

import gc
import tracemalloc
from contextlib import ExitStack
from pathlib import Path

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room

from spatialmem.canonical import canonical_hash
from spatialmem.log_rows import LogRows
from spatialmem.memory import SpatialMemory
from spatialmem.sessions import CameraLog
from spatialmem.sightings import FileSightings
from spatialmem.store.file import MemoryFile
from spatialmem.store.rows import KeyframeRow
from spatialmem.types import Camera

COUNT, LAP = 8, 24


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "room.mem"


def walk(count: int = COUNT) -> list:
    return [room.room_frame(i, LAP) for i in range(count)]


def on_file(path: Path) -> dict[int, bytes]:
    with MemoryFile.open(path) as file:
        return dict(file.all_cells())


@pytest.mark.parametrize("reopened", [False, True])
def test_they_are_those_of_the_file_one_by_one_and_all_at_once(path, reopened):
    memory = mh.create(path, walk())
    if reopened:
        memory.close()
        memory = SpatialMemory.open(path, "a")
    with memory, memory._reading() as epoch:
        assert isinstance(memory._layers.cells, FileSightings)
        known = on_file(path)
        assert list(epoch.cells) == sorted(known) == list(range(1, COUNT + 1)) and len(epoch.cells) == COUNT
        assert dict(epoch.cells.items()) == {lsn: epoch.cells[lsn] for lsn in epoch.cells} == known
        assert epoch.cells.get(COUNT + 1) is None and 0 not in epoch.cells


def test_a_map_that_is_read_does_not_learn_of_later_frames(path):
    with mh.create(path, walk()) as memory, memory._reading() as epoch:
        before = dict(epoch.cells.items())
        memory.observe(room.room_frame(COUNT, LAP))
        assert dict(epoch.cells.items()) == before and len(epoch.cells) == COUNT and COUNT + 1 not in epoch.cells
        assert COUNT + 1 in memory._layers.cells


@pytest.mark.parametrize("forget", [False, True])
def test_a_map_that_is_read_keeps_what_is_replaced_or_erased(path, forget):
    with mh.create(path, walk()) as memory:
        with memory._reading() as epoch:
            before = dict(epoch.cells.items())
            if forget:
                memory.forget(frames=[3, 5])
            else:
                pose = memory.trajectory()[2].map_from_camera.copy()
                pose[:2, 3] += 0.4
                memory.correct_poses({3: pose})
            assert dict(epoch.cells.items()) == before == {lsn: epoch.cells[lsn] for lsn in epoch.cells}
        with memory._reading() as now:
            assert dict(now.cells.items()) == on_file(path) != before
            assert (3 in now.cells) != forget
            memory.observe(room.room_frame(COUNT, LAP))
            left = [lsn for lsn in before if not forget or lsn not in (3, 5)]
            assert list(memory._layers.cells) == [*left, COUNT + 1]


def moved(memory, lsn):
    pose = memory.keyframe(lsn).pose.copy()
    pose[:2, 3] += 0.4
    memory.correct_poses({lsn: pose})


CHANGES = {
    "moved": moved,
    "forgotten": lambda memory, lsn: memory.forget(frames=[lsn]),
    "made anew": lambda memory, lsn: memory.rebuild(),
}


@pytest.mark.parametrize(
    "changes",
    [
        ("moved", "moved", "moved"), ("moved", "forgotten"), ("forgotten", "moved", "moved"),
        ("moved", "made anew", "moved"),
    ],
    ids=", ".join,
)  # fmt: skip
def test_so_does_one_that_is_read_through_several_changes(path, changes):
    with mh.create(path, walk()) as memory, ExitStack() as reading:
        read = []
        for lsn, what in enumerate(changes, 3):
            epoch = reading.enter_context(memory._reading())
            read.append((epoch, dict(epoch.cells.items()), canonical_hash(epoch)))
            CHANGES[what](memory, lsn)
            for then, cells, hashed in read:
                assert dict(then.cells.items()) == cells == {n: then.cells[n] for n in then.cells}
                assert canonical_hash(then) == hashed
        with memory._reading() as now:
            assert dict(now.cells.items()) == on_file(path) != read[-1][1]


def test_nothing_is_kept_for_those_who_have_left(path):
    with mh.create(path, walk()) as memory:
        with memory._reading() as epoch:
            cells = epoch.cells  # which may outlive the reading
            before = dict(cells.items())
        for lsn in (3, 4, 5):
            moved(memory, lsn)
        assert dict(cells.items()) == before
        del cells, epoch
        moved(memory, 6)
        gc.collect()
        assert memory._layers.cells._read_earlier() == []


def test_a_stored_frame_takes_a_quarter_of_a_kib_of_ram(path):
    """Rows, the log of a camera, and which frames have sightings; objects of their own would take seven times that."""
    count, camera = 3000, Camera(5.0, 5.0, 1.5, 1.0, 4, 3)
    with mh.create(path) as memory:
        tracemalloc.start()
        rows, sightings = LogRows(), FileSightings(memory._keeper.on_file())
        log = CameraLog(rows)
        for lsn in range(1, count + 1):
            numbers = np.random.default_rng(lsn).random(21)
            pose, shares = numbers[:16].reshape(4, 4), numbers[16:].tolist()
            pose[3] = (0.0, 0.0, 0.0, 1.0)
            row = KeyframeRow(lsn, "main", "camera", lsn + 1000, 10**15 + lsn, camera, pose, "time", False, True, 0,
                              None, None, *shares)  # fmt: skip
            rows.add(row)
            log.add(row)
            sightings.add(lsn)
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(rows) == len(sightings) == count and log.holds(count + 1000) and taken < 256 * count
