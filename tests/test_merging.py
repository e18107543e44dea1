"""Another robot's memory taken over: its frames as they are, where its map lies, each whole and none twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from test_correction import assert_equals_its_rebuild, corrections
from test_equality import walk
from test_localise import LAP, OTHER_ROOM, VOXEL_M

from spatialmem import geometry as g
from spatialmem.errors import (
    AnotherRecording,
    EncoderMismatch,
    InvalidValue,
    MemoryFileError,
    ReadOnlyMemory,
    SpatialMemError,
    UnplacedSession,
)
from spatialmem.memory import SpatialMemory
from spatialmem.store import codec
from spatialmem.types import Frame

THERE = g.make_transform(g.exp_so3((0.02, -0.03, 0.9)), (0.6, -0.8, 0.05))
"""where the other robot's world lies in this one's"""
OPTIONS = {"ram_bytes": 96 << 20, "checkpoint_frames": 5}


def as_stored(frame: Frame, **changes) -> Frame:
    """The frame with its depth rounded as a log does, as most cameras deliver it."""
    depth = None if frame.depth_m is None else codec.decode_depth(codec.encode_depth(frame.depth_m))
    return mh.at(frame, frame.seq, depth_m=depth, **changes)


def first_frames(count: int = 10) -> list[Frame]:
    return [as_stored(f) for f in walk(count)]


def second_frames(start: int = 6, count: int = 12, world=THERE) -> list[Frame]:
    """What the other robot saw, in its own world, numbered from 0."""
    away = g.inverse(world)
    return [as_stored(mh.at(f, n), world_from_camera=away @ f.pose) for n, f in enumerate(walk(start + count)[start:])]


@pytest.fixture(scope="module")
def memories(tmp_path_factory):
    """Two memories of two robots, and the hash of one that observed what both did."""
    folder = tmp_path_factory.mktemp("memories")
    mh.create(folder / "one.mem", first_frames(), **OPTIONS).close()
    mh.create(folder / "two.mem", second_frames(), **OPTIONS).close()
    hashes = []
    with mh.create(folder / "both.mem", first_frames(), **OPTIONS) as both:
        both.add_session("two/main", THERE)
        hashes.append(both.canonical_hash())
        for frame in second_frames():
            mh.observe_all(both, [mh.at(frame, frame.seq, session_id="two/main")])
            hashes.append(both.canonical_hash())
    return folder, hashes


@pytest.fixture
def folder(memories, tmp_path):
    for name in ("one.mem", "two.mem"):
        shutil.copyfile(memories[0] / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def hashes(memories):
    return memories[1]


def both(folder, mode="a"):
    return SpatialMemory.open(folder / "one.mem", mode), SpatialMemory.open(folder / "two.mem")


# --- what becomes of the two


def test_merging_equals_having_observed_both(folder, hashes):
    memory, other = both(folder)
    with other:
        done = memory.merge(other, map_from_other=THERE)
    assert (done.stored, done.skipped, done.sessions, done.place) == (12, {}, ("two/main",), None)
    assert memory.canonical_hash() == hashes[-1]
    assert [k.seq for k in memory.trajectory()] == [*range(10), *range(12)]
    assert_equals_its_rebuild(folder / "one.mem", memory)


def test_images_and_features_are_the_same_bytes(folder):
    memory, other = both(folder)
    columns = "colour, depth, mask, features, vector, reason, stamp_ns, encoded, world_from_camera"
    query = f"SELECT {columns} FROM frames JOIN keyframes USING (lsn) LEFT JOIN vectors USING (lsn) "
    with memory, other:
        memory.merge(other, map_from_other=THERE)
        assert memory.sql(query + "WHERE lsn > 10 ORDER BY lsn") == other.sql(query + "ORDER BY lsn")
        anchors = memory.sql("SELECT session_id, revision, valid_from, reason FROM anchors ORDER BY valid_from")
        assert anchors == [("main", 0, 1, "first session"), ("two/main", 0, 11, "given")]


def test_into_an_empty_memory_it_is_the_other_memory(folder):
    with SpatialMemory.open(folder / "two.mem") as other, mh.create(folder / "new.mem", **OPTIONS) as memory:
        done = memory.merge(other)
        np.testing.assert_array_equal(done.map_from_other, np.eye(4))
        assert done.stored == 12 and memory.canonical_hash() == other.canonical_hash()


def test_voxels_may_have_another_size(folder):
    fine = {**OPTIONS, "voxel_size_m": 0.03}
    frames = [mh.at(f, f.seq, session_id="two/main") for f in second_frames()]
    with mh.create(folder / "a.mem", first_frames(), **fine) as seen:
        seen.add_session("two/main", THERE)
        mh.observe_all(seen, frames)
        with mh.create(folder / "b.mem", first_frames(), **fine) as memory:
            with SpatialMemory.open(folder / "two.mem") as other:
                memory.merge(other, map_from_other=THERE)
            assert memory.canonical_hash() == seen.canonical_hash()


def test_sessions_that_the_other_has_placed_keep_their_places(folder):
    more = g.make_transform(g.exp_so3((0.0, 0.0, -0.4)), (0.3, 0.2, 0.0))
    with SpatialMemory.open(folder / "two.mem", "a") as other:
        other.add_session("evening", more)
        away = g.inverse(more)
        mh.observe_all(other, [mh.at(f, f.seq, session_id="evening", world_from_camera=away @ f.pose)
                               for f in second_frames(18, 3)])  # fmt: skip
        poses = [k.map_from_camera for k in other.trajectory()]
        with SpatialMemory.open(folder / "one.mem", "a") as memory:
            done = memory.merge(other, map_from_other=THERE, name="robot 2")
            assert done.sessions == ("robot 2/main", "robot 2/evening") and done.stored == 15
            for keyframe, pose in zip(memory.trajectory()[10:], poses, strict=True):
                np.testing.assert_allclose(keyframe.map_from_camera, THERE @ pose, atol=1e-12)


def test_poses_that_the_other_has_corrected_are_taken_with_what_was_observed(folder):
    with SpatialMemory.open(folder / "two.mem", "a") as other:
        wanted = corrections(other, [2, 5, 9], seed=2)
        other.correct_poses(wanted)
    memory, other = both(folder)
    with other:
        assert memory.merge(other, map_from_other=THERE).stored == 12
    frames = [f.with_pose(wanted[n]) if n in wanted else f for n, f in enumerate(second_frames(), 1)]
    for lsn, frame, observed in zip(range(11, 23), frames, second_frames(), strict=True):
        np.testing.assert_array_equal(memory.keyframe(lsn).pose, observed.pose)
        np.testing.assert_array_equal(memory.trajectory()[lsn - 1].map_from_camera, THERE @ frame.pose)
    with mh.create(folder / "b.mem", first_frames(), **OPTIONS) as seen:
        seen.add_session("two/main", THERE)
        mh.observe_all(seen, [mh.at(f, f.seq, session_id="two/main") for f in frames])
        assert memory.canonical_hash() == seen.canonical_hash()
    memory.correct_poses(corrections(memory, [3, 12, 14], seed=5))
    assert_equals_its_rebuild(folder / "one.mem", memory)


# --- again, cut short, forgotten


def test_merging_again_takes_only_what_is_new(folder, hashes):
    memory, other = both(folder)
    with memory, other:
        memory.merge(other, map_from_other=THERE)
        before = mh.tables(memory)
        again = memory.merge(other)
        assert (again.stored, again.skipped) == (0, {"duplicate": 12}) and mh.tables(memory) == before
        np.testing.assert_allclose(again.map_from_other, THERE, atol=1e-12)
    with SpatialMemory.open(folder / "two.mem", "a") as other:
        mh.observe_all(other, [mh.at(f, f.seq + 12) for f in second_frames(18, 2)])
        with SpatialMemory.open(folder / "one.mem", "a") as memory:
            done = memory.merge(other)
            assert (done.stored, done.skipped) == (2, {"duplicate": 12})


@pytest.mark.parametrize("error", [MemoryFileError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", [0, 1, 7])
def test_a_merge_that_stopped_is_ended_by_the_next(folder, hashes, monkeypatch, error, at):
    memory, other = both(folder)
    from spatialmem.store import maintenance

    whole, calls = maintenance.insert_frame, []

    def stopping(*given):
        calls.append(given)
        if len(calls) > at:
            raise error
        whole(*given)

    with monkeypatch.context() as patch:
        patch.setattr("spatialmem.store.maintenance.insert_frame", stopping)
        with pytest.raises(type(error)):
            memory.merge(other, map_from_other=THERE)
    if isinstance(error, SpatialMemError):
        assert memory.canonical_hash() == hashes[at], "the file refused it: the memory goes on"
    memory.close()
    with SpatialMemory.open(folder / "one.mem", "a") as memory:
        assert memory.canonical_hash() == hashes[at] and memory.check() == []
        done = memory.merge(other)
        assert (done.stored, done.skipped.get("duplicate", 0)) == (12 - at, at)
        assert memory.canonical_hash() == hashes[-1]
    other.close()


MERGE = """
import numpy as np
with SpatialMemory.open(sys.argv[2]) as other, SpatialMemory.open(sys.argv[1], "a") as memory:
    take = memory._take_over
    def told(*given):
        done = take(*given)
        print("taken", flush=True)
        return done
    memory._take_over = told
    memory.merge(other, map_from_other=np.array(eval(sys.argv[3])))
"""
"""merges and says so after every frame"""


@pytest.mark.parametrize("after", [0, 4])
def test_killed_in_a_merge(folder, hashes, after):
    told = [str(folder / "one.mem"), str(folder / "two.mem"), repr(THERE.tolist())]
    child = subprocess.Popen([*mh.python(MERGE), *told], stdout=subprocess.PIPE, text=True)
    for _ in range(after + 1):
        assert child.stdout.readline() == "taken\n"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    memory, other = both(folder)
    with memory, other:
        count = len(memory.trajectory()) - 10
        assert count > after and memory.canonical_hash() == hashes[count] and memory.check() == []
        assert memory.merge(other).stored == 12 - count
        assert memory.canonical_hash() == hashes[-1]


def test_what_either_has_forgotten_before_later_frames_does_not_come_back(folder):
    with SpatialMemory.open(folder / "two.mem", "a") as other:
        other.forget(frames=[3, 12])
    memory, other = both(folder)
    with memory, other:
        assert memory.merge(other, map_from_other=THERE).stored == 10
        assert [k.seq for k in memory.trajectory()[10:]] == [0, 1, *range(3, 11)]
        memory.forget(frames=[12, 14])
        again = memory.merge(other)
        assert again.stored == 0 and again.skipped == {"duplicate": 8, "stamp not rising": 2}


# --- found by itself


def lap(count: int, seed: int, world=THERE, boxes=room.BOXES, height_m: float | None = None) -> list[Frame]:
    """A lap whose frames lie between those of the map, in a world of its own."""
    frames, away = [], g.inverse(world)
    for n in range(count):
        frame = room.room_frame(2 * n + 1, 2 * count, noise=True, seed=seed, boxes=boxes)
        if height_m is not None:
            pose = frame.pose.copy()
            pose[:3, 3] = (0.0, 0.0, height_m)
            rgb, depth = room.render_room(pose, frame.camera, boxes)
            frame = Frame(rgb, depth, frame.camera, pose, frame.stamp_ns)
        frames.append(mh.at(frame, n, world_from_camera=away @ frame.pose, session_id="evening"))
    return frames


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    path = tmp_path_factory.mktemp("mapped") / "one.mem"
    mh.create(path, [room.room_frame(i, LAP, noise=True, seed=1) for i in range(LAP)], voxel_size_m=VOXEL_M).close()
    return path


@pytest.fixture
def memory(mapped, tmp_path):
    with SpatialMemory.open(shutil.copyfile(mapped, tmp_path / "one.mem"), "a") as memory:
        yield memory


def assert_near(found, truth) -> None:
    distance, angle = g.pose_difference(found, truth)
    assert distance < 0.03 and np.rad2deg(angle) < 0.7


def test_a_new_session_is_placed_where_its_frames_agree(memory):
    frames = lap(LAP, seed=2)
    with pytest.raises(UnplacedSession):
        memory.observe(frames[0])
    found = memory.place_session(iter(frames))
    assert found.placed and found.agreed >= 3 and found.spread_m < 0.1 and "agree within" in found.why
    assert_near(found.map_from_world, THERE)
    assert memory.sql("SELECT reason FROM anchors WHERE session_id = 'evening'") == [("localised",)]
    mh.observe_all(memory, frames[:3])
    assert_near(memory.trajectory()[-1].map_from_camera, THERE @ frames[2].pose)
    with pytest.raises(InvalidValue, match="'evening' has a place in the map already"):
        memory.place_session(frames)


def test_a_session_of_another_room_is_not_placed(memory):
    before = memory.canonical_hash(), mh.tables(memory)
    found = memory.place_session(lap(8, seed=2, boxes=OTHER_ROOM, height_m=1.4))
    assert not found.placed and found.map_from_world is None and "frames were found in the map" in found.why
    assert (memory.canonical_hash(), mh.tables(memory)) == before
    with pytest.raises(UnplacedSession):
        memory.observe(lap(1, seed=2)[0])


def test_what_cannot_be_placed_is_refused_in_words(memory):
    frames = lap(4, seed=2)
    with pytest.raises(InvalidValue, match="'evening' and 'night'"):
        memory.place_session([frames[0], mh.at(frames[1], 1, session_id="night")])
    with pytest.raises(InvalidValue, match="frames must be frames of one session"):
        memory.place_session("evening")
    with pytest.raises(InvalidValue, match=r"place_session\(\) takes a Frame"):
        memory.place_session([frames[0].rgb])
    assert "only 0 frames" in memory.place_session([]).why
    with mh.create(None) as empty, pytest.raises(InvalidValue, match="is the first one"):
        empty.place_session(frames)


def test_another_robots_memory_is_merged_where_it_is_found(memory, tmp_path):
    frames = [mh.at(f, f.seq, session_id="main") for f in lap(LAP, seed=3)[::2]]
    with mh.create(tmp_path / "two.mem", frames, voxel_size_m=0.05) as other:
        done = memory.merge(other)
    assert done.place is not None and done.place.agreed >= 3 and done.stored == LAP // 2
    assert_near(done.map_from_other, THERE)
    assert memory.sql("SELECT reason FROM anchors WHERE session_id = 'two/main'") == [("localised",)]
    assert_equals_its_rebuild(memory.path, memory)


def test_a_memory_of_another_room_is_refused_and_nothing_is_stored(memory, tmp_path):
    before = mh.tables(memory)
    with (
        mh.create(tmp_path / "two.mem", lap(4, seed=2, boxes=OTHER_ROOM, height_m=1.4)) as other,
        pytest.raises(UnplacedSession, match=r"two.mem lies in this one is not known.*map_from_other="),
    ):
        memory.merge(other)
    assert mh.tables(memory) == before


# --- refused


def test_what_cannot_be_merged_is_refused(folder, tmp_path):
    memory, other = both(folder)
    with memory, other:
        before = mh.tables(memory)
        with pytest.raises(InvalidValue, match="cannot be merged into itself"):
            memory.merge(memory)
        with pytest.raises(InvalidValue, match="other must be a SpatialMemory"):
            memory.merge(folder / "two.mem")
        with pytest.raises(ReadOnlyMemory):
            other.merge(memory)
        with mh.create(None) as ephemeral:
            for one, two in ((ephemeral, other), (memory, ephemeral)):
                with pytest.raises(SpatialMemError, match="ephemeral memory"):
                    one.merge(two)
        with mh.create(tmp_path / "c.mem") as foreign:
            foreign._keeper.on_file().set_meta("encoder_fingerprint", "0" * 64)
            with pytest.raises(EncoderMismatch, match="cannot be compared"):
                memory.merge(foreign)
        with pytest.raises(InvalidValue, match="name must be a non-empty text"):
            memory.merge(other, name=" ")
        assert mh.tables(memory) == before


def test_another_memory_of_the_same_name_is_told_apart(folder, tmp_path):
    memory, other = both(folder)
    namesake = tmp_path / "elsewhere" / "two.mem"
    namesake.parent.mkdir()
    with memory, other, mh.create(namesake, second_frames(2, 12), **OPTIONS) as third:
        memory.merge(other, map_from_other=THERE)
        before = mh.tables(memory)
        with pytest.raises(AnotherRecording, match="Merge under another name: name="):
            memory.merge(third)
        with pytest.raises(InvalidValue, match="'two/main' has another place in this map already"):
            memory.merge(third, map_from_other=np.eye(4))
        assert mh.tables(memory) == before
        assert memory.merge(third, map_from_other=THERE, name="third").stored == 12


def test_a_recording_that_is_here_already_is_not_fused_twice(folder, tmp_path):
    shown = [mh.at(f, f.seq, recording_id="run 7", session_id="morning") for f in first_frames(3)]
    with mh.create(tmp_path / "a.mem", shown) as memory, mh.create(tmp_path / "b.mem", shown) as other:
        before = mh.tables(memory)
        with pytest.raises(InvalidValue, match="holds as session 'morning', and its frames would be fused twice"):
            memory.merge(other, map_from_other=np.eye(4))
        with pytest.raises(InvalidValue, match="session_id='morning'"):
            memory.place_session([mh.at(f, f.seq, session_id="renamed") for f in shown])
        assert mh.tables(memory) == before
