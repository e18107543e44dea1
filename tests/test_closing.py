"""A close that fails: what was stored is there, and nothing of this writer is left to meet the next one."""

from __future__ import annotations

import sqlite3

import budget_helpers as bh
import memory_helpers as mh
import pytest

from spatialmem.errors import MemoryFileError
from spatialmem.memory import SpatialMemory


def test_a_close_that_fails_lets_the_next_writer_in(tmp_path, monkeypatch):
    path, frames = tmp_path / "a.mem", list(bh.stream(0, 5))
    memory = bh.create(path)
    mh.observe_all(memory, frames[:3])
    whole = memory.canonical_hash()
    writer = memory._keeper.on_file()._writer
    assert writer is not None and writer.room is not None

    def fail():
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(writer.room, "give_back", fail)
    with pytest.raises(MemoryFileError, match="disk I/O error"):
        memory.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        writer._connection.execute("SELECT count(*) FROM keyframes")
    memory.close()  # a second call does nothing
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == whole and memory.check() == []
        mh.observe_all(memory, frames[3:])
        whole = memory.canonical_hash()
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == whole and len(memory.trajectory()) == 5
    assert mh.names(path) == {""}
