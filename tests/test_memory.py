"""SpatialMemory: making, observing, refusing, closing, opening; sessions, the log, what it says of itself."""

from __future__ import annotations

import dataclasses
import json

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room

from spatialmem import geometry as g
from spatialmem import report
from spatialmem.config import MemoryConfig
from spatialmem.errors import InvalidValue, MemoryFileError, ReadOnlyMemory, SpatialMemError, UnplacedSession
from spatialmem.memory import SpatialMemory
from spatialmem.perception import load_encoder
from spatialmem.types import Skipped, Stored

LAP = 8


def frames(count: int = LAP, start: int = 0, **options) -> list:
    return [room.room_frame(i, LAP, **options) for i in range(start, start + count)]


@pytest.fixture
def path(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "room.mem"


def brief(answer) -> list[tuple]:
    """An answer in comparable form."""
    return [
        (tuple(h.position_m), tuple(h.box_min_m), tuple(h.box_max_m), h.score, h.presence, h.voxels, h.evidence,
         h.first_seen_ns, h.last_seen_ns)
        for h in answer
    ]  # fmt: skip


# --- round trip


def test_what_was_observed_is_there_after_closing_and_opening(path):
    with mh.create(path, frames()) as memory:
        assert (memory.path, memory.read_only) == (path, False)
        told, points, hashed = brief(memory.query("red")), memory.points(), memory.canonical_hash()
        assert len(told) == 1
    assert mh.names(path) == {""}
    for mode in ("r", "a", "r"):
        with SpatialMemory.open(path, mode) as memory:
            assert memory.read_only == (mode == "r")
            assert memory.config == mh.config() and memory.encoder.name == "colours"
            assert memory.canonical_hash() == hashed and brief(memory.query("red")) == told
            np.testing.assert_array_equal(np.sort(memory.points().position_m, 0), np.sort(points.position_m, 0))
            assert memory.check() == []
    assert mh.names(path) == {""}


def test_observing_goes_on_after_opening_as_if_it_had_never_stopped(path):
    with mh.create(path, frames(5)):
        pass
    with SpatialMemory.open(path, "a") as memory:
        assert isinstance(memory.observe(frames(1)[0]), Skipped)
        mh.observe_all(memory, frames(3, start=5))
        assert [k.lsn for k in memory.trajectory()] == list(range(1, 9))
        interrupted = memory.canonical_hash()
    with mh.create(path.with_name("at-once.mem"), frames()) as memory:
        assert memory.canonical_hash() == interrupted


def test_a_closed_memory_says_so_and_closes_twice(path):
    memory = mh.create(path, frames(2))
    memory.close()
    memory.close()
    for use in (
        lambda: memory.observe(frames(1)[0]), lambda: memory.query("red"), memory.mesh, memory.points,
        memory.canonical_hash, memory.rebuild, memory.free_space, lambda: memory.occupancy(np.zeros((1, 3))),
        lambda: memory.keyframe(1), lambda: memory.sql("SELECT 1"), memory.check,
    ):  # fmt: skip
        with pytest.raises(SpatialMemError, match="closed"):
            use()


def test_create_refuses_an_existing_file_and_open_a_missing_one(path):
    mh.create(path).close()
    with pytest.raises(MemoryFileError, match="exists already"):
        SpatialMemory.create(path, encoder="colours")
    with pytest.raises(MemoryFileError, match="no file"):
        SpatialMemory.open(path.with_name("other.mem"))
    with pytest.raises(InvalidValue, match="mode"):
        SpatialMemory.open(path, "w")
    with SpatialMemory.open(path) as memory:
        assert (
            memory.trajectory() == [] and len(memory.query("red")) == 0 and memory.points().position_m.shape == (0, 3)
        )


def test_a_memory_that_is_open_for_reading_refuses_changes(path):
    mh.create(path, frames(2)).close()
    with SpatialMemory.open(path) as memory:
        before = memory.canonical_hash()
        for change in (
            lambda: memory.observe(frames(1, start=3)[0]), memory.rebuild, lambda: memory.declare_up((0, 0, 1)),
            lambda: memory.add_session("other", np.eye(4)),
        ):  # fmt: skip
            with pytest.raises(ReadOnlyMemory, match="mode 'a'"):
                change()
        assert memory.canonical_hash() == before


# --- what is skipped


def skipped_frames() -> dict[str, object]:
    first = room.room_frame(0, LAP)
    nothing = np.full_like(first.depth_m, np.nan)
    return {
        "no pose": mh.at(first, 9, world_from_camera=None),
        "no usable depth reading": mh.at(first, 9, depth_m=nothing),
        "duplicate": first,
        "stamp not rising": mh.at(first, 9, stamp_ns=room.FIRST_STAMP_NS + 3 * room.FRAME_STEP_NS),
        "redundant": mh.at(room.room_frame(3, LAP), 9, stamp_ns=room.FIRST_STAMP_NS + 3 * room.FRAME_STEP_NS + 1),
    }


@pytest.mark.parametrize("reason", skipped_frames())
def test_a_skipped_frame_says_why_and_changes_nothing(path, reason):
    mh.create(path, frames(4), gate={"store_all": False}, checkpoint_frames=2).close()
    with SpatialMemory.open(path, "a") as memory:
        before, rows = memory.canonical_hash(), mh.tables(memory)
        files = {p.name: p.read_bytes() for p in path.parent.iterdir() if not p.name.endswith("-shm")}
        trajectory, told = len(memory.trajectory()), brief(memory.query("red"))
        for _ in range(2):
            assert memory.observe(skipped_frames()[reason]) == Skipped(reason)
        assert memory.canonical_hash() == before and mh.tables(memory) == rows
        assert {p.name: p.read_bytes() for p in path.parent.iterdir() if not p.name.endswith("-shm")} == files
        assert len(memory.trajectory()) == trajectory and brief(memory.query("red")) == told
        assert isinstance(memory.observe(room.room_frame(4, LAP)), Stored)
        assert memory.trajectory()[-1].lsn == trajectory + 1


def test_pixels_that_are_masked_or_too_near_are_no_usable_reading():
    first = room.room_frame(0, LAP)
    with mh.create(None, frames(1)) as memory:
        near = mh.at(first, 1, depth_m=np.full_like(first.depth_m, 0.05), depth_unit="m")
        assert memory.observe(near) == Skipped("no usable depth reading")
        nothing_valid = mh.at(first, 1, valid=np.zeros(first.depth_m.shape, bool))
        assert memory.observe(nothing_valid) == Skipped("no usable depth reading")


def test_stamps_rise_for_each_camera_of_each_session_by_itself():
    first = room.room_frame(0, LAP)
    with mh.create(None, [first]) as memory:
        memory.add_session("evening", np.eye(4))
        assert isinstance(memory.observe(dataclasses.replace(first, camera_id="left")), Stored)
        assert isinstance(memory.observe(dataclasses.replace(first, session_id="evening")), Stored)
        assert memory.observe(dataclasses.replace(first, camera_id="left", seq=1)) == Skipped("stamp not rising")


def test_an_equal_view_is_stored_again_only_after_the_longest_gap():
    first = room.room_frame(0, LAP)
    with SpatialMemory.create(
        None, encoder="colours", config=mh.config(gate={"store_all": False, "novelty": 0.3, "max_gap_s": 2.0})
    ) as memory:
        assert memory.observe(first).reason == "first"
        assert memory.observe(mh.at(first, 1, stamp_ns=first.stamp_ns + 1_999_999_999)) == Skipped("redundant")
        assert memory.observe(mh.at(first, 2, stamp_ns=first.stamp_ns + 2_000_000_000)).reason == "time"
        assert memory.observe(mh.at(room.room_frame(4, LAP), 3, first.stamp_ns + 2_100_000_000)).reason == "novelty"
        changed = mh.at(room.room_frame(0, LAP, boxes=mh.without("red")), 4, first.stamp_ns + 2_200_000_000)
        assert memory.observe(changed).reason == "disagreement"


# --- sessions


def test_a_session_without_a_place_is_refused_and_takes_its_place_once_it_is_told(path):
    map_from_session = g.exp_se3(np.array([0.4, -0.3, 0.2, 0.1, -0.2, 1.1]))
    session_from_map = np.linalg.inv(map_from_session)

    def later(i):
        frame = room.room_frame(i, LAP)
        return dataclasses.replace(
            frame, session_id="later", world_from_camera=session_from_map @ frame.world_from_camera
        )

    with mh.create(path, frames(2)) as memory:
        before, rows = memory.canonical_hash(), mh.tables(memory)
        with pytest.raises(UnplacedSession, match="add_session"):
            memory.observe(later(4))
        assert memory.canonical_hash() == before and mh.tables(memory) == rows
        assert len(memory.query("blue")) == 0
        memory.add_session("later", map_from_session)
        mh.observe_all(memory, [later(3), later(4), later(5)])
        hit = memory.query("blue")[0]
        assert room.distance_to_surface_m(hit.position_m[None], [room.BLUE_BOX])[0] < 0.05
        assert hit.evidence[0].session_id == "later"
        np.testing.assert_allclose(memory.trajectory()[-1].map_from_camera, room.room_pose(5, LAP), atol=1e-9)
        np.testing.assert_allclose(memory.trajectory()[3].map_from_camera, room.room_pose(4, LAP), atol=1e-9)
        np.testing.assert_array_equal(memory.keyframe(4).world_from_camera, later(4).world_from_camera)
        hashed = memory.canonical_hash()
        with pytest.raises(InvalidValue, match="already"):
            memory.add_session("later", np.eye(4))
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == hashed and brief(memory.query("blue"))[0] == brief([hit])[0]
        mh.observe_all(memory, [later(6)])
        assert memory.info()["sessions"] == 2


def test_stored_frames_of_a_session_placed_elsewhere_can_be_observed_again(path):
    """The pose of a stored frame is in the world of its session, so another memory puts it where it belongs."""
    there = synthetic_place()
    with mh.create(path, frames(2)) as memory, mh.create(path.with_name("again.mem")) as again:
        memory.add_session("later", there)
        for frame in frames(2, start=3):
            pose = np.linalg.inv(there) @ frame.world_from_camera
            mh.observe_all(memory, [mh.at(frame, frame.seq, session_id="later", world_from_camera=pose)])
        stored = [memory.keyframe(lsn) for lsn in range(1, 5)]
        mh.observe_all(again, stored[:2])
        again.add_session("later", there)
        mh.observe_all(again, stored[2:])
        for mine, its in zip(memory.trajectory(), again.trajectory(), strict=True):
            np.testing.assert_allclose(mine.map_from_camera, its.map_from_camera, atol=1e-12)
        assert np.linalg.norm(stored[3].pose[:3, 3] - memory.trajectory()[3].map_from_camera[:3, 3]) > 1.0


def synthetic_place() -> np.ndarray:
    """A quarter turn about z and a shift: (4, 4)"""
    place = np.eye(4)
    place[:2, :2] = [[0, -1], [1, 0]]
    place[:3, 3] = (2.0, -3.0, 0.5)
    return place


def test_the_first_session_is_the_map_whatever_its_name():
    with SpatialMemory.create(None, encoder="colours", config=mh.config()) as memory:
        mh.observe_all(memory, [dataclasses.replace(room.room_frame(0, LAP), session_id="tuesday")])
        with pytest.raises(UnplacedSession):
            memory.observe(room.room_frame(1, LAP))


# --- without a file


def test_an_ephemeral_memory_answers_like_one_on_file_and_keeps_no_images(path):
    whole = [mh.at(f, f.seq, depth_m=np.round(f.depth_m * 4096) / np.float32(4096)) for f in frames()]
    with mh.create(None, whole) as memory, mh.create(path, whole) as on_file:
        assert memory.path is None and not memory.read_only
        mine, its = memory.query("green")[0], on_file.query("green")[0]
        np.testing.assert_allclose(mine.position_m, its.position_m, atol=0.081)
        np.testing.assert_allclose(mine.extent_m, its.extent_m, atol=0.081)
        assert len(memory.trajectory()) == LAP and memory.check() == []
        for use in (lambda: memory.keyframe(1), lambda: memory.sql("SELECT 1"), memory.rebuild):
            with pytest.raises(SpatialMemError, match="ephemeral|no file"):
                use()


def test_reset_forgets_everything_and_the_next_episode_is_as_the_first():
    with mh.create(None, frames()) as memory:
        first = memory.canonical_hash()
        for _ in range(2):
            memory.reset()
            assert memory.trajectory() == [] and len(memory.query("red")) == 0 and len(memory.mesh().triangles) == 0
            assert not memory.free_space().state.any() and memory.info()["frames"] == 0
            assert (
                memory.canonical_hash()
                == SpatialMemory.create(None, encoder="colours", config=mh.config()).canonical_hash()
            )
            mh.observe_all(memory, frames())
            assert memory.canonical_hash() == first


def test_reset_is_refused_for_a_memory_on_file(path):
    with mh.create(path, frames(1)) as memory:
        with pytest.raises(InvalidValue, match="ephemeral"):
            memory.reset()
        assert len(memory.trajectory()) == 1


# --- the log


def test_a_stored_frame_comes_back_to_the_quantum(path):
    noisy = frames(3, noise=True)
    masked = mh.at(noisy[1], 1, valid=np.arange(160)[None, :].repeat(120, 0) > 20)
    whole = mh.at(noisy[2], 2, depth_m=np.round(noisy[2].depth_m, 3).astype(np.float32))
    with mh.create(path, [noisy[0], masked, whole]) as memory:
        for lsn, frame in enumerate([noisy[0], masked, whole], start=1):
            stored = memory.keyframe(lsn)
            assert stored.key == frame.key and stored.stamp_ns == frame.stamp_ns and stored.camera == frame.camera
            np.testing.assert_array_equal(stored.world_from_camera, frame.world_from_camera)
            np.testing.assert_array_equal(np.isnan(stored.depth_m), np.isnan(frame.depth_m))
            np.testing.assert_allclose(stored.depth_m, frame.depth_m, atol=0.00025 / 2 + 1e-6)
            assert np.abs(stored.rgb.astype(int) - frame.rgb).mean() < 6
        np.testing.assert_allclose(stored.depth_m, whole.depth_m, atol=1e-6)  # whole millimetres are exact
        assert memory.keyframe(1).valid is None
        np.testing.assert_array_equal(memory.keyframe(2).valid, masked.valid)
        with pytest.raises(InvalidValue, match="1 to 3"):
            memory.keyframe(4)


def test_rgb_only_frames_are_kept_and_touch_no_voxel(path):
    with mh.create(path, frames(2)) as memory:
        before = memory.canonical_hash()
        plain = mh.at(room.room_frame(4, LAP), 7, depth_m=None)
        assert memory.observe(plain) == Stored(3, "every", False)
        assert memory.canonical_hash() == before and len(memory.query("blue")) == 0
        stored = memory.keyframe(3)
        assert stored.depth_m is None and stored.rgb.shape == plain.rgb.shape
        assert memory.sql("SELECT count(*) FROM vectors") == [(3,)]
        mh.observe_all(memory, [mh.at(room.room_frame(4, LAP), 8)])
        assert len(memory.query("blue")) == 1
        hashed = memory.canonical_hash()
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == hashed and memory.check() == []
        memory.rebuild()
        assert memory.canonical_hash() == hashed


def test_trajectory_and_sql_tell_the_same_story(path):
    with mh.create(path, frames(4)) as memory:
        trajectory = memory.trajectory()
        assert [(k.lsn, k.seq, k.stamp_ns, k.reason) for k in trajectory] == memory.sql(
            "SELECT lsn, seq, stamp_ns, reason FROM keyframes ORDER BY lsn"
        )
        assert memory.sql("SELECT seq FROM keyframes WHERE lsn > ?", [2]) == [(2,), (3,)]
        for i, keyframe in enumerate(trajectory):
            np.testing.assert_array_equal(keyframe.map_from_camera, room.room_pose(i, LAP))
            assert keyframe.camera == room.room_camera(160, 120) and not keyframe.pose_suspect
        with pytest.raises(InvalidValue):
            memory.sql("DELETE FROM keyframes")
        assert len(memory.sql("SELECT * FROM keyframes")) == 4


def test_a_pose_is_suspected_when_the_residual_stays_large():
    def observe(memory, shift_m):
        pose = room.room_pose(0, LAP)
        wrong = pose.copy()
        wrong[:3, 3] += shift_m * pose[:3, 2]  # the camera backs away, but its image stays
        seq = len(memory.trajectory())
        return memory.observe(mh.at(room.room_frame(0, LAP), seq, world_from_camera=wrong))

    with SpatialMemory.create(None, encoder="colours", config=mh.config()) as memory:
        assert [observe(memory, 0.0).pose_suspect for _ in range(6)] == [False] * 6
        assert [observe(memory, -0.15 * k).pose_suspect for k in (1, 2, 3)] == [False, False, True]
        assert memory.info()["suspect_poses"] == 1


# --- what it says of itself


def test_up_is_unknown_until_declared_and_then_kept(path):
    with mh.create(path, frames(1)) as memory:
        assert memory.up_in_map is None and memory.info()["up_in_map"] is None
        memory.declare_up((0, 0, 2.0))
        np.testing.assert_array_equal(memory.up_in_map, (0, 0, 1))
        for wrong in ((0, 0, 0), (1, 2), (0, np.nan, 1)):
            with pytest.raises(InvalidValue, match="up"):
                memory.declare_up(wrong)
    with SpatialMemory.open(path) as memory:
        np.testing.assert_array_equal(memory.up_in_map, (0, 0, 1))


@pytest.mark.parametrize("on_file", [True, False])
def test_info_is_ready_for_json_and_counts_right(path, on_file):
    with mh.create(path if on_file else None, frames()) as memory:
        info = json.loads(json.dumps(memory.info(), allow_nan=False))
        assert (info["frames"], info["sessions"], info["encoder"]) == (LAP, 1, "colours")
        assert (info["first_stamp_ns"], info["last_stamp_ns"]) == (frames(1)[0].stamp_ns, frames()[-1].stamp_ns)
        assert info["surface_rows"] >= len(memory.points().position_m) > 1000
        assert 0 < info["ram_bytes"] < memory.config.ram_bytes
        assert bool(info["file_bytes"]) == on_file


def test_a_frame_that_comes_while_info_counts_is_not_taken_for_a_forgotten_one(monkeypatch):
    count = report.block_counts

    def beside_a_writer(layers):
        mh.observe_all(memory, frames()[2:3])
        return count(layers)

    monkeypatch.setattr(report, "block_counts", beside_a_writer)
    with mh.create(None, frames(2), voxel_size_m=0.08) as memory:
        assert memory.info()["forgotten_frames"] == 0


def test_another_encoder_is_refused(path):
    class Other(type(load_encoder("colours"))):
        @property
        def fingerprint(self):
            return "0" * 64

    mh.create(path, frames(1)).close()
    with pytest.raises(SpatialMemError, match="fingerprint"):
        SpatialMemory.open(path, "a", encoder=Other())
    with SpatialMemory.open(path, "a", encoder=load_encoder("colours")) as memory:
        assert len(memory.trajectory()) == 1


def test_frames_without_a_number_are_numbered_on():
    unnumbered = [dataclasses.replace(frame, seq=None) for frame in frames(3)]
    with mh.create(None, unnumbered) as memory:
        assert [keyframe.seq for keyframe in memory.trajectory()] == [0, 1, 2]
        later = dataclasses.replace(unnumbered[-1], seq=7, stamp_ns=unnumbered[-1].stamp_ns + 1)
        last = dataclasses.replace(unnumbered[-1], stamp_ns=unnumbered[-1].stamp_ns + 2)
        mh.observe_all(memory, [later, last])
        assert [keyframe.seq for keyframe in memory.trajectory()] == [0, 1, 2, 7, 8]


def test_numbers_given_and_not_given_never_meet():
    first = frames(1)[0]
    given = [3, 5, None, None, None]
    shots = [dataclasses.replace(first, seq=seq, stamp_ns=first.stamp_ns + n + 1) for n, seq in enumerate(given)]
    with mh.create(None, shots) as memory:
        assert [keyframe.seq for keyframe in memory.trajectory()] == [3, 5, 6, 7, 8]


def test_cameras_are_counted_apart_in_the_cadence_of_encoding():
    """An RGB-only camera in between must not take every turn of the depth camera."""
    depth = frames(6)
    rgb_only = [
        dataclasses.replace(frame, camera_id="rgb", depth_m=None, stamp_ns=frame.stamp_ns + 1) for frame in depth
    ]
    with mh.create(None, encode_every=2) as memory:
        mh.observe_all(memory, [frame for pair in zip(rgb_only, depth, strict=True) for frame in pair])
        assert len(memory.query("red")) > 0


@pytest.mark.parametrize("offset_m", [3e4, 1e6])
def test_a_pose_beyond_the_reach_of_the_keys_is_refused(offset_m):
    frame = frames(1)[0]
    far = frame.pose.copy()
    far[0, 3] += offset_m
    with mh.create(None, [frame]) as memory:
        before = memory.canonical_hash()
        with pytest.raises(InvalidValue, match="offset"):
            memory.observe(dataclasses.replace(frame, world_from_camera=far, stamp_ns=frame.stamp_ns + 1, seq=None))
        assert memory.canonical_hash() == before


@pytest.mark.parametrize("shape", [(2, 2, 15), (2, 2, 17), (0, 2, 16), (2, 16)])
def test_features_of_another_width_are_refused_and_change_nothing(shape, monkeypatch):
    with SpatialMemory.create(None, encoder="colours", config=MemoryConfig(voxel_size_m=0.05)) as memory:
        encoding = dataclasses.replace(
            memory._keeper.encoder.encode(np.zeros((8, 8, 3), np.uint8)), dense=np.zeros(shape, np.float32)
        )
        monkeypatch.setattr(type(memory._keeper.encoder), "encode", lambda self, rgb: encoding)
        with pytest.raises(InvalidValue, match="features of shape"):
            memory.observe(room.room_frame(0, 10))
        assert memory.info()["frames"] == 0
