"""A disk without room where the memory does not expect one."""

from __future__ import annotations

import errno

import pytest

from spatialmem.errors import MemoryFileError
from spatialmem.memory import SpatialMemory
from spatialmem.store import lock


def test_a_lock_that_cannot_be_written_is_an_error_of_the_library(tmp_path, monkeypatch):
    path = tmp_path / "a.mem"

    def full(*_) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(lock.os, "pwrite", full)
        with pytest.raises(MemoryFileError, match="No space left on device.*free space"):
            SpatialMemory.create(path, encoder="colours")
        assert not list(tmp_path.iterdir())
    SpatialMemory.create(path, encoder="colours").close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mem"]
