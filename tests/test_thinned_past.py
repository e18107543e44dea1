"""Going back, and merging, in memories whose log was thinned."""

from __future__ import annotations

import budget_helpers as bh
import memory_helpers as mh
import pytest
from test_equality import AFTER

from spatialmem.errors import BeforeHorizon
from spatialmem.memory import SpatialMemory


def later(count: int, first: int = 14):
    """Further views of the second place."""
    for i in range(count):
        frame = mh.frame_at((1.2, 0.0, 1.2), (1.0, 0.1 - 0.05 * (i % 8), -0.3), 0, AFTER)
        yield bh.noisy(frame, first + i)


def test_going_back_leaves_the_file_budget_alone(half):
    with SpatialMemory.open(half, "a") as memory:
        file, keeper = memory._keeper.on_file(), memory._keeper
        assert memory.at(lsn=14).exact
        assert keeper.thinning is not None and file._writer is not None
        assert keeper.thinning._room is file._writer.room, "what is written is counted by another budget now"
        memory.forget(frames=[13])
        assert memory.check() == [] and bh.evicted(memory) == {1, 2, 3, 4, 5}


def test_from_the_horizon_on_every_map_is_exact(half):
    """More frames come than there were before, so that replaying all of them would seem to be less work."""
    with SpatialMemory.open(half, "a") as memory:
        hashes = {14: memory.canonical_hash()}
        for lsn, frame in enumerate(later(10), 15):
            mh.observe_all(memory, [frame])
            hashes[lsn] = memory.canonical_hash()
        assert memory.horizon.lsn == 14
        for lsn in (14, 15, 19, 24, 16):  # from nothing, on from one before, back from one after
            assert memory.at(lsn=lsn).canonical_hash() == hashes[lsn]
        with pytest.raises(BeforeHorizon, match="from frame 14"):
            memory.at(lsn=13).canonical_hash()
        assert memory.changes(memory.horizon.stamp_ns) == (), "nothing was moved since"
        with pytest.raises(BeforeHorizon, match="from frame 14"):
            memory.changes(memory.horizon.stamp_ns - 1)


def test_an_evicted_frame_that_touched_no_block_is_behind_the_horizon(half):
    """Blocks on file contain frame 14 at the latest; frame 15 has no depth, and is needed to go back from 16."""
    with SpatialMemory.open(half, "a") as memory:
        blind, seeing = later(2)
        mh.observe_all(memory, [mh.at(blind, 14, depth_m=None)])
        memory._keeper.complete_round(memory._layers)
        memory._keeper.thinning._evict([15])
        mh.observe_all(memory, [seeing])
        assert memory.horizon.lsn == 15
        assert memory.at(lsn=15).exact and not memory.at(lsn=14).exact


def test_the_frame_that_names_the_horizon_may_be_forgotten(half):
    with SpatialMemory.open(half, "a") as memory:
        memory.forget(frames=[14])
        hashed = memory.canonical_hash()
        assert memory.horizon.lsn == memory.info()["horizon_lsn"] == 13
        assert memory.at(lsn=13).canonical_hash() == hashed and not memory.at(lsn=12).exact
        mh.observe_all(memory, later(8))
        assert memory.at(lsn=13).canonical_hash() == hashed, "blocks with the number of the forgotten frame hold it not"
    with SpatialMemory.open(half) as memory:
        assert memory.horizon.lsn == 22 and memory.at(lsn=22).exact


def test_a_reader_goes_back_while_the_writer_checkpoints(half):
    with SpatialMemory.open(half, "a") as writer, SpatialMemory.open(half) as reader:
        hashed = reader.canonical_hash()
        mh.observe_all(writer, later(4))
        writer._keeper.complete_round(writer._layers)
        assert writer._keeper.on_file().newest_tag > 14
        assert reader.horizon.lsn == 14 and reader.at(lsn=14).canonical_hash() == hashed
        assert reader.changes(reader.horizon.stamp_ns) == ()


def test_a_memory_without_the_frame_at_its_base_is_sound(half):
    """Frames were given up at base 14; without frame 14 the log ends, and so does a rebuild, with 13."""
    with SpatialMemory.open(half, "a") as memory:
        memory.forget(frames=[14])
        assert memory.check() == []
        memory.rebuild()
        assert memory.info()["base_lsn"] == 13 and memory.check() == []
        connection = memory._keeper.file._writer._connection
        connection.execute("DELETE FROM checkpoints")
        assert any("but the last checkpoint is 0" in line for line in memory.check())


# --- merging


def test_frames_that_the_other_has_given_up_are_passed_over(half, tmp_path):
    with mh.create(tmp_path / "b.mem", **bh.OPTIONS) as memory, SpatialMemory.open(half) as other:
        done = memory.merge(other)
        assert (done.stored, done.skipped) == (9, {"evicted": 5})
        assert [k.seq for k in memory.trajectory()] == list(range(5, 14)) and memory.check() == []
        assert memory.merge(other).skipped == {"evicted": 5, "duplicate": 9}


def test_the_place_is_looked_for_with_frames_that_are_whole(half, tmp_path):
    from spatialmem.merging import Source

    with mh.create(tmp_path / "b.mem", **bh.OPTIONS) as memory, SpatialMemory.open(half) as other:
        seqs = {frame.seq for frame in Source(memory._keeper, other._keeper, "two").frames()}
        assert seqs and seqs <= set(range(5, 14))
