"""Opening reads the log a few rows at a time: what it takes for a frame is what is kept of it."""

from __future__ import annotations

import dataclasses
import sqlite3
import tracemalloc
from pathlib import Path

import memory_helpers as mh
import pytest
import synthetic as room

from spatialmem.errors import MemoryFileError
from spatialmem.keeper import Keeper
from spatialmem.store import records as rec
from spatialmem.store import schema as sch

COUNT = 4000


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """A memory with one frame, and rows of as many more without their images."""
    path = tmp_path_factory.mktemp("log") / "a.mem"
    with mh.create(path, [room.room_frame(0, 10)], voxel_size_m=0.1, free_voxel_m=0.2) as memory:
        row = memory._keeper.rows[1]
    connection = sqlite3.connect(path)
    for lsn in range(2, COUNT + 1):
        more = dataclasses.replace(row, lsn=lsn, seq=lsn + 7, stamp_ns=row.stamp_ns + lsn * 10**8)
        connection.execute(sch.KEYFRAMES.insert, sch.with_crc(rec.keyframe_values(more, 1)))
    connection.commit()
    connection.close()
    return path


def test_opening_takes_little_more_ram_than_the_rows(path):
    keeper = Keeper.open(path, "r")
    try:
        tracemalloc.start()
        keeper.restore_rows(path)
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(keeper.rows) == keeper.last_lsn == COUNT
        assert kept < 450 * COUNT and peak < 600 * COUNT
    finally:
        keeper.finish(None)


def test_rows_read_a_few_at_a_time_are_those_read_at_once(path):
    keeper = Keeper.open(path, "r")
    try:
        file = keeper.on_file()
        each, listed = (rec.keyframe_row(*logged) for logged in file.logged()), file.keyframes()
        for one, other in zip(each, listed, strict=True):
            assert rec.keyframe_values(one, 1) == rec.keyframe_values(other, 1) and one.camera == other.camera
    finally:
        keeper.finish(None)


def test_a_camera_that_is_missing_is_named(path, tmp_path):
    copy = tmp_path / "a.mem"
    copy.write_bytes(path.read_bytes())
    connection = sqlite3.connect(copy)
    connection.execute("DELETE FROM cameras")
    connection.commit()
    connection.close()
    with pytest.raises(MemoryFileError, match="frame 1 names camera 1, which the file lacks"):
        Keeper.open(copy, "r").restore_rows(copy)
