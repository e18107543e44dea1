"""One memory file in place of another: what readers see of it, and what is left of the log beside the old one."""

from __future__ import annotations

import os
import sqlite3

import memory_helpers as mh
import pytest
import synthetic as room

from spatialmem.errors import MemoryFileError
from spatialmem.memory import SpatialMemory
from spatialmem.store import access
from spatialmem.store.replacing import Replacement

HOUR_NS = 3600 * 10**9


def frames(count, later_ns=0):
    return [mh.at(room.room_frame(i, 8), i, room.FIRST_STAMP_NS + i * 10**9 + later_ns) for i in range(count)]


@pytest.fixture
def path(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "a.mem"


@pytest.fixture
def old(path):
    mh.create(path, frames(2)).close()
    return path


def assert_told(reader):
    """Whatever is read of the file, once and again, is refused instead of being the new memory's."""
    for read in (lambda: reader.sql("SELECT count(*) FROM keyframes"), lambda: reader.keyframe(1)) * 2:
        with pytest.raises(MemoryFileError, match="was replaced by another file.*open it again"):
            read()
    assert len(reader.trajectory()) == 2


def test_readers_never_mix_the_old_memory_with_the_new_one(old):
    early = SpatialMemory.open(old)
    with Replacement(old) as replacement:
        late = SpatialMemory.open(old)
        assert late.info()["frames"] == 2 and late.sql("SELECT count(*) FROM keyframes") == [(2,)]
        mh.create(replacement.path, frames(3, HOUR_NS)).close()
        assert late.keyframe(2).stamp_ns == frames(2)[1].stamp_ns
        replacement.complete()
        assert_told(late)  # the lock is held still
    for reader in (early, late):
        assert_told(reader)
        reader.close()
    with SpatialMemory.open(old) as new:
        assert new.sql("SELECT count(*) FROM keyframes") == [(3,)] and len(new.trajectory()) == 3


def test_a_reader_that_looks_again_only_when_nobody_writes_is_told(old):
    with Replacement(old) as replacement:
        late = SpatialMemory.open(old)
        mh.create(replacement.path, frames(1)).close()
        replacement.complete()
    with late:
        assert_told(late)


@pytest.mark.parametrize("completed", [False, True])
def test_readers_of_a_locked_memory_leave_nothing_beside_it(old, completed):
    with Replacement(old) as replacement:
        if completed:
            mh.create(replacement.path, frames(1)).close()
            replacement.complete()
        with SpatialMemory.open(old) as reader:
            assert len(reader.sql("SELECT lsn FROM keyframes")) == (1 if completed else 2)
        assert {"-wal", "-shm"} < mh.names(old)
    assert mh.names(old) == {""}


@pytest.fixture
def killed(path, tmp_path):
    """A memory of three frames, the last of them only in the log that its killed writer left."""
    mh.create(path, frames(2)).close()
    with SpatialMemory.open(path, "a") as memory:
        memory.observe(frames(3)[2])
        copy = mh.as_a_crash_leaves_it(path, tmp_path / "crashed" / "a.mem")
    assert copy.with_name("a.mem-wal").stat().st_size > 0
    return copy


def test_a_killed_writers_frames_outlast_a_crash_just_before_the_end(killed, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt), Replacement(killed) as replacement:
        mh.create(replacement.path, frames(1)).close()
        replacement.complete()
    with SpatialMemory.open(killed) as memory:
        assert len(memory.trajectory()) == 3 and memory.check() == []
    assert mh.names(killed) == {""}


def test_a_log_that_somebody_holds_is_not_thrown_away(killed, monkeypatch):
    monkeypatch.setattr(access, "_BUSY_S", 0.05)
    log = killed.with_name("a.mem-wal")
    holder = sqlite3.connect(killed, isolation_level=None)
    holder.execute("BEGIN")
    assert holder.execute("SELECT count(*) FROM keyframes").fetchone() == (3,)
    with pytest.raises(MemoryFileError, match="a.mem-wal, and somebody reads them.*end what reads it"):
        Replacement(killed).__enter__()
    assert log.stat().st_size > 0 and "-lock" not in mh.names(killed)
    holder.execute("COMMIT")
    holder.close()
    with SpatialMemory.open(killed) as memory:
        assert len(memory.trajectory()) == 3
