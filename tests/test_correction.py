"""Corrected poses: the map is that of a rebuild, bit for bit; all of it or nothing."""

from __future__ import annotations

import shutil

import memory_helpers as mh
import numpy as np
import pytest
from test_equality import walk
from voxel_watch import assert_pages_are_sound

from spatialmem.canonical import canonical_hash
from spatialmem.errors import InvalidValue, MemoryFileError, OutOfRoom
from spatialmem.geometry import exp_so3, make_transform
from spatialmem.memory import SpatialMemory

COUNT = 20


@pytest.fixture
def path(walked, tmp_path):
    return shutil.copyfile(walked, tmp_path / "a.mem")


def shifted(pose, rng, metres, degrees):
    axis = rng.normal(size=3)
    turn = exp_so3(axis / np.linalg.norm(axis) * np.radians(degrees))
    step = rng.normal(size=3)
    return make_transform(turn, step / np.linalg.norm(step) * metres) @ pose


def corrections(memory, lsns, seed, metres=0.15, degrees=3.0):
    rng = np.random.default_rng(seed)
    log = {k.lsn: k.map_from_camera for k in memory.trajectory()}
    return {lsn: shifted(log[lsn], rng, metres, degrees) for lsn in lsns}


def assert_equals_its_rebuild(path, memory):
    hashed = memory.canonical_hash()
    assert memory.check() == []
    memory.close()
    with SpatialMemory.open(path, "a") as reopened:
        assert reopened.canonical_hash() == hashed, "reopened"
        reopened.rebuild()
        assert reopened.canonical_hash() == hashed, "rebuilt"


@pytest.mark.parametrize("lsns", [[1], [8], [4, 10], [20], [2, 3, 5, 17], range(1, COUNT + 1)])
def test_a_correction_equals_a_rebuild(path, lsns):
    memory = SpatialMemory.open(path, "a")
    before = memory.canonical_hash()
    done = memory.correct_poses(corrections(memory, lsns, seed=len(lsns)))
    assert done.recorded == done.applied == len(lsns) and done.replayed >= len(set(lsns) - {4})
    assert memory.canonical_hash() != before or lsns == [4]
    memory._layers.reclaim()
    assert_pages_are_sound(memory._layers.surface)
    assert_equals_its_rebuild(path, memory)


@pytest.mark.parametrize("seed", range(6))
def test_corrections_and_frames_in_turn_equal_a_rebuild(tmp_path, seed):
    rng, frames = np.random.default_rng(seed), walk(COUNT)
    path = tmp_path / "a.mem"
    memory = mh.create(path, frames[:6], checkpoint_frames=int(rng.integers(2, 9)), ram_bytes=96 << 20)
    for at in range(6, COUNT, 4):
        lsns = rng.choice(at, int(rng.integers(1, 4)), replace=False) + 1
        memory.correct_poses(corrections(memory, lsns, seed, metres=rng.uniform(0.05, 0.5)))
        mh.observe_all(memory, frames[at : at + 4])
    assert_equals_its_rebuild(path, memory)


def test_a_session_that_moves_equals_a_rebuild(tmp_path):
    path, there = tmp_path / "a.mem", make_transform(exp_so3((0.0, 0.0, 0.7)), (0.4, -0.2, 0.05))
    memory = mh.create(path, walk(8), checkpoint_frames=5, ram_bytes=96 << 20)
    memory.add_session("evening", there)
    away = np.linalg.inv(there)
    mh.observe_all(memory, [mh.at(f, f.seq, session_id="evening", world_from_camera=away @ f.world_from_camera)
                            for f in walk(14)[8:]])  # fmt: skip
    straight = np.eye(4)
    straight[:3, 3] = (0.1, 0.0, 0.0)
    done = memory.correct_poses(anchor=("evening", straight @ there))
    assert (done.recorded, done.applied) == (0, 6)
    assert memory.sql("SELECT count(*) FROM anchors WHERE session_id = 'evening'") == [(2,)]
    moved = [k for k in memory.trajectory() if k.session_id == "evening"]
    np.testing.assert_allclose(moved[0].map_from_camera, straight @ walk(14)[8].world_from_camera, atol=1e-9)
    assert_equals_its_rebuild(path, memory)


@pytest.mark.parametrize("forget", [False, True])
def test_a_frame_whose_readings_no_ray_meets_is_corrected_too(tmp_path, forget):
    """Rays that look for change go through some of the rows; this frame has readings in the others alone."""
    path, frames = tmp_path / "a.mem", walk(3)
    frames[1].depth_m[1::3] = np.nan
    with mh.create(path, frames) as memory:
        assert memory.sql("SELECT lsn FROM keyframes WHERE agrees IS NULL") == [(2,)]
        before = memory.canonical_hash()
        memory.forget(frames=[2]) if forget else memory.correct_poses(corrections(memory, [2], seed=2))
        assert memory.canonical_hash() != before
        assert_equals_its_rebuild(path, memory)


def test_a_small_change_is_recorded_and_the_map_stays(path):
    with SpatialMemory.open(path, "a") as memory:
        before = memory.canonical_hash()
        for _ in range(3):  # each is small, and together they are not
            small = {5: shifted(memory.trajectory()[4].map_from_camera, np.random.default_rng(3), 0.009, 0.1)}
            done = memory.correct_poses(small)
            assert (done.recorded, done.applied) == (1, 0)
        assert memory.canonical_hash() == before
        assert memory.sql("SELECT count(*), sum(valid_to IS NULL) FROM pose_revisions") == [(3, 1)]
        far = {5: shifted(memory.trajectory()[4].map_from_camera, np.random.default_rng(3), 0.03, 0.1)}
        assert memory.correct_poses(far).applied == 1
        assert memory.canonical_hash() != before
        assert memory.sql("SELECT pose_revision FROM keyframes WHERE lsn = 5") == [(4,)]
    with SpatialMemory.open(path) as memory:
        np.testing.assert_array_equal(memory.trajectory()[4].map_from_camera, far[5])


def test_a_trajectory_corrects_the_frames_at_its_stamps(path):
    with SpatialMemory.open(path, "a") as memory:
        wanted = corrections(memory, [3, 9], seed=5)
        stamps = np.array([memory.trajectory()[n - 1].stamp_ns for n in wanted] + [17])
        done = memory.correct_poses((stamps, np.array([*wanted.values(), np.eye(4)])))
        assert done.recorded == 2
        for lsn, pose in wanted.items():
            np.testing.assert_array_equal(memory.trajectory()[lsn - 1].map_from_camera, pose)
            assert memory.keyframe(lsn).seq == memory.trajectory()[lsn - 1].seq


def test_readers_keep_the_old_map(path):
    with SpatialMemory.open(path, "a") as memory:
        before = memory.canonical_hash()
        with memory._layers.epochs.read() as epoch:
            memory.correct_poses(corrections(memory, [2, 6, 11], seed=1))
            assert canonical_hash(epoch) == before != memory.canonical_hash()


def test_a_correction_that_the_file_refuses_changes_nothing(path, monkeypatch):
    memory = SpatialMemory.open(path, "a")
    before, wanted = memory.canonical_hash(), corrections(memory, [2, 6, 11], seed=1)
    in_use = memory._layers._in_use()

    def full(*args):
        raise MemoryFileError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("spatialmem.store.maintenance.put_blocks", full)
        with pytest.raises(MemoryFileError, match="disk full"):
            memory.correct_poses(wanted)
    assert memory.canonical_hash() == before and memory._layers._in_use() == in_use
    assert memory.sql("SELECT count(*) FROM pose_revisions") == [(0,)]
    assert_pages_are_sound(memory._layers.surface)
    memory.correct_poses(wanted)
    mh.observe_all(memory, [mh.at(f, f.seq) for f in walk(COUNT + 3)[COUNT:]])
    assert_equals_its_rebuild(path, memory)


def test_without_room_for_both_nothing_changes(tmp_path):
    with mh.create(tmp_path / "a.mem", walk(COUNT), ram_bytes=17 << 20, file_bytes=1 << 34) as memory:
        before = memory.canonical_hash()
        try:
            memory.correct_poses(corrections(memory, range(1, COUNT + 1), seed=2))
        except OutOfRoom as error:
            assert "ram_bytes" in str(error)
            assert memory.canonical_hash() == before
        else:
            pytest.fail("there was room")
        mh.observe_all(memory, [mh.at(f, f.seq) for f in walk(COUNT + 2)[COUNT:]])


def test_wrong_corrections_are_refused_in_words(path):
    with SpatialMemory.open(path, "a") as memory:
        for given, words in (
            (({99: np.eye(4)},), "no stored frame 99"), (({1: np.zeros((4, 4))},), "last row"),
            ((None,), "needs poses"),
            (("poses.txt",), "a mapping of lsn"), (((np.array([1.5]), np.eye(4)[None]),), "integer stamps"),
            (((np.array([1]), np.eye(4)[None]),), "none of the 1 stamps"),
        ):  # fmt: skip
            with pytest.raises(InvalidValue, match=words):
                memory.correct_poses(*given)
        with pytest.raises(InvalidValue, match="no session 'other'"):
            memory.correct_poses(anchor=("other", np.eye(4)))
