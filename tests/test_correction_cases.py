"""Corrections that go wrong, come in the way of others, or ask for too much."""

from __future__ import annotations

import shutil

import memory_helpers as mh
import numpy as np
import pytest
from test_correction import COUNT, assert_equals_its_rebuild, corrections
from test_equality import walk

from spatialmem.errors import InvalidValue
from spatialmem.geometry import make_transform
from spatialmem.memory import SpatialMemory


@pytest.fixture
def path(walked, tmp_path):
    return shutil.copyfile(walked, tmp_path / "a.mem")


def far(metres):
    return make_transform(np.eye(3), (metres, 0.0, 0.0))


@pytest.mark.parametrize("metres", [1e6, 1e12, 1e300])
def test_poses_beyond_the_reach_of_the_map_are_refused(path, metres):
    with SpatialMemory.open(path, "a") as memory:
        before, session = memory.canonical_hash(), memory.trajectory()[0].session_id
        for given in ({"poses": {3: far(metres)}}, {"anchor": (session, far(metres))}):
            with pytest.raises(InvalidValue, match="from the map's origin"):
                memory.correct_poses(**given)
        assert memory.canonical_hash() == before and memory.sql("SELECT * FROM pose_revisions") == []
        assert memory.sql("SELECT count(*) FROM anchors") == [(1,)]


def two_cameras():
    """A left and a right camera that take their frames at the same instants."""
    frames = []
    for i, frame in enumerate(walk(3)):
        frames.append(mh.at(frame, i, camera_id="left"))
        beside = make_transform(np.eye(3), (0.2, 0.0, 0.0))
        frames.append(mh.at(frame, i, camera_id="right", world_from_camera=frame.world_from_camera @ beside))
    return frames


def test_a_trajectory_is_that_of_one_camera(tmp_path):
    """Equal stamps across cameras are legal; the poses of one are not those of the other."""
    with mh.create(tmp_path / "a.mem", two_cameras(), ram_bytes=96 << 20) as memory:
        log = memory.trajectory()
        stamps = np.array([k.stamp_ns for k in log if k.camera_id == "left"])
        poses = np.array([far(0.1) @ k.map_from_camera for k in log if k.camera_id == "left"])
        with pytest.raises(InvalidValue, match="one camera.*'left', 'right'.*camera_id="):
            memory.correct_poses((stamps, poses))
        assert memory.correct_poses((stamps, poses), camera_id="left").recorded == 3
        for before, after in zip(log, memory.trajectory(), strict=True):
            moved = 0.1 if before.camera_id == "left" else 0.0
            np.testing.assert_allclose(after.map_from_camera, far(moved) @ before.map_from_camera, atol=1e-12)


def test_two_poses_for_one_stamp_are_refused(path):
    with SpatialMemory.open(path, "a") as memory:
        stamp = memory.trajectory()[2].stamp_ns
        with pytest.raises(InvalidValue, match="several poses for one stamp"):
            memory.correct_poses((np.array([stamp, stamp]), np.array([far(0.1), far(0.2)])))


WHERE = ["spatialmem.keeper.Keeper.revise", "spatialmem.layers.Layers.take", "spatialmem.layers.Layers.publish"]


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("where", WHERE)
def test_ctrl_c_after_the_file_was_told_is_not_taken_for_nothing(path, monkeypatch, where, small):
    memory = SpatialMemory.open(path, "a")
    wanted = corrections(memory, [2, 6, 11], seed=1, **({"metres": 0.001, "degrees": 0.01} if small else {}))

    def struck(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, struck)
        if small and where != WHERE[0]:
            memory.correct_poses(wanted)  # the map stays
        else:
            with pytest.raises(KeyboardInterrupt):
                memory.correct_poses(wanted)
            with pytest.raises(Exception, match="interrupted; close it and open it again"):
                memory.query("red")
    memory.close()
    memory = SpatialMemory.open(path, "a")
    assert memory.sql("SELECT count(*) FROM pose_revisions") == [(3,)]
    if not small:
        np.testing.assert_array_equal(memory.trajectory()[5].map_from_camera, wanted[6])
    assert_equals_its_rebuild(path, memory)


def test_ctrl_c_while_it_is_worked_out_changes_nothing(path, monkeypatch):
    memory = SpatialMemory.open(path, "a")
    before, wanted, calls = memory.canonical_hash(), corrections(memory, [2, 6], seed=1), []
    original = memory._layers.surface.apply

    def struck(*args):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(memory._layers.surface, "apply", struck)
        with pytest.raises(KeyboardInterrupt):
            memory.correct_poses(wanted)
    assert memory.canonical_hash() == before and memory.sql("SELECT * FROM pose_revisions") == []
    memory.correct_poses(wanted)
    assert_equals_its_rebuild(path, memory)


def test_correcting_forgetting_and_observing_in_turn(tmp_path):
    path, frames = tmp_path / "a.mem", walk(COUNT)
    memory = mh.create(path, frames[:10], checkpoint_frames=4, ram_bytes=96 << 20)
    memory.correct_poses(corrections(memory, [2, 7], seed=1, metres=0.4))
    memory.forget(frames=[2, 10])
    with pytest.raises(InvalidValue, match="no stored frame 2 "):
        memory.correct_poses({2: np.eye(4)})
    memory.correct_poses(anchor=(memory.trajectory()[0].session_id, far(0.3)))
    mh.observe_all(memory, frames[10:14])
    memory.correct_poses({k.lsn: far(-0.25) @ k.map_from_camera for k in memory.trajectory() if k.lsn in (1, 12)})
    memory.forget(frames=[7, 11])
    memory.close()
    memory = SpatialMemory.open(path, "a")
    mh.observe_all(memory, [mh.at(f, f.seq) for f in frames[14:]])
    assert [k.lsn for k in memory.trajectory()] == [1, 3, 4, 5, 6, 8, 9, *range(12, 21)]
    assert_equals_its_rebuild(path, memory)


def test_a_frame_without_depth_alone(path):
    with SpatialMemory.open(path, "a") as memory:  # the fourth has no depth
        assert memory.correct_poses({4: far(0.5)}).applied == 1
        np.testing.assert_array_equal(memory.trajectory()[3].map_from_camera, far(0.5))
        assert memory.forget(frames=[4]).frames == 1


def test_a_memory_of_one_frame_and_one_of_none(tmp_path):
    memory = mh.create(tmp_path / "a.mem", walk(1))
    assert memory.correct_poses({1: far(0.5) @ walk(1)[0].world_from_camera}).applied == 1
    assert_equals_its_rebuild(tmp_path / "a.mem", memory)
    with SpatialMemory.open(tmp_path / "a.mem", "a") as memory:
        assert memory.forget(frames=[1]).frames == 1 and memory.trajectory() == []
        with pytest.raises(InvalidValue, match="no stored frame 1"):
            memory.correct_poses({1: np.eye(4)})
        assert memory.correct_poses({}).recorded == 0
        memory.correct_poses(anchor=(walk(1)[0].session_id, far(0.1)))  # of a session without frames
        memory.rebuild()
        assert memory.check() == [] and memory.points().position_m.shape == (0, 3)
