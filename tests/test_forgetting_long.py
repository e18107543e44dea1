"""Where a long run of frames was forgotten, the memory goes on: layers made anew never had room for what is gone."""

from __future__ import annotations

import memory_helpers as mh
import pytest

from spatialmem.errors import InvalidValue
from spatialmem.memory import SpatialMemory

OPTIONS = {"voxel_size_m": 0.1, "free_voxel_m": 0.2}


def frames(count, first=0):
    """Small frames of one view; it is their number that matters."""
    small = mh.frame_at((0, 0, 1.2), (1, 0, -0.2), 0, size=(32, 24))
    return (mh.at(small, seq) for seq in range(first, first + count))


@pytest.mark.parametrize("gone", [range(60, 136), range(1, 136), range(2, 140)], ids=str)
def test_a_long_run_of_forgotten_frames_is_passed_over(tmp_path, gone):
    path, left = tmp_path / "a.mem", sorted(set(range(1, 141)) - set(gone))
    with mh.create(path, frames(140), **OPTIONS) as memory:
        memory.forget(frames=gone)
        whole = memory.canonical_hash()
        with memory.at(lsn=left[-1]) as past:
            assert past.exact and past.canonical_hash() == whole
        memory.rebuild()
        assert memory.canonical_hash() == whole
    for mode in ("r", "a"):
        with SpatialMemory.open(path, mode) as memory:
            assert memory.canonical_hash() == whole and memory.check() == []
            assert [row.lsn for row in memory.trajectory()] == left
            with memory.at(lsn=left[0]) as past:
                first = past.canonical_hash()
                assert past.info()["frames"] == 1
            with pytest.raises(InvalidValue, match="no stored frame 100"):
                memory.at(lsn=100)
    SpatialMemory.repair(path)
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == whole
        mh.observe_all(memory, frames(1, first=200))
        assert memory.trajectory()[-1].lsn == 141
        with memory.at(lsn=left[0]) as past:
            assert past.canonical_hash() == first


def test_a_memory_goes_on_after_everything_was_forgotten(tmp_path):
    path = tmp_path / "a.mem"
    with mh.create(path, frames(130), **OPTIONS) as memory:
        memory.forget(since_ns=0)
    with SpatialMemory.open(path, "a") as memory:
        mh.observe_all(memory, frames(3, first=200))
        whole = memory.canonical_hash()
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == whole and [row.lsn for row in memory.trajectory()] == [131, 132, 133]
