"""Things through all that happens to a memory: reopened, earlier, corrected, forgotten, merged, thinned, damaged."""

from __future__ import annotations

import dataclasses
import sqlite3

import memory_helpers as mh
import numpy as np
import object_cases as cases
import pytest
import synthetic as room
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialmem import SpatialMemory
from spatialmem.errors import MemoryFileError
from spatialmem.geometry import inverse
from spatialmem.objects.lifting import observations_of
from spatialmem.store.observed_codec import decode_observations, encode_observations
from spatialmem.types import Frame, Presence

SECRET = "a-label-nobody-may-find"


def test_reopened_read_and_rebuilt_they_are_the_same(tmp_path):
    path = tmp_path / "a.mem"
    with cases.remembered(path, laps=2) as memory:
        live = cases.told(memory.objects())
        snapshots = memory.snapshots()
    with SpatialMemory.open(path) as memory:
        assert cases.told(memory.objects()) == live and memory.snapshots() == snapshots
        assert memory.check() == []
    with SpatialMemory.open(path, "a") as memory:
        memory.rebuild()
        assert cases.told(memory.objects()) == live
    assert live and [p.name for p in tmp_path.iterdir()] == ["a.mem"]


def test_asked_after_each_frame_they_are_what_they_are_asked_once(tmp_path):
    with mh.create(tmp_path / "often.mem") as often, mh.create(tmp_path / "once.mem") as once:
        for frame in [*cases.lap(0), *cases.lap(1)]:
            found = cases.detections(frame)
            often.observe(frame, found)
            once.observe(frame, found)
            often.objects()
        assert cases.told(often.objects()) == cases.told(once.objects())
        assert often.snapshots() == once.snapshots()


def test_a_file_without_detections_has_no_table_of_them(tmp_path):
    path = tmp_path / "a.mem"
    mh.create(path, cases.lap(0)).close()
    with sqlite3.connect(path) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert "observations" not in tables
    with SpatialMemory.open(path) as memory:
        assert memory.objects() == () and memory.check() == []


def test_an_earlier_time_knows_what_was_known_then(tmp_path):
    left = mh.without("red")
    with cases.remembered(tmp_path / "a.mem") as memory:
        then = cases.told(memory.objects())
        cases.observe(memory, cases.lap(1, left), left)
        assert cases.by_name(memory)["red"].presence is Presence.GONE
        with memory.at(lsn=cases.LAP) as past:
            assert cases.told(past.objects()) == then
        with memory.at(lsn=1) as past:
            assert past.objects() == ()


def test_corrected_poses_move_things_and_are_the_same_as_a_memory_made_with_them(tmp_path):
    shift = np.array([0.4, -0.2, 0.1])
    with cases.remembered(tmp_path / "a.mem") as memory, mh.create(tmp_path / "b.mem") as right:
        before = cases.by_name(memory)
        poses = {}
        for number, frame in enumerate(cases.lap(0), start=1):
            pose = frame.pose.copy()
            pose[:3, 3] += shift
            poses[number] = pose
            right.observe(frame.with_pose(pose), cases.detections(frame))
        memory.correct_poses(poses)
        after = cases.by_name(memory)
        for name, thing in after.items():
            np.testing.assert_allclose(thing.position_m - before[name].position_m, shift, atol=0.03)
        assert cases.told(memory.objects()) == cases.told(right.objects())


def test_what_is_forgotten_leaves_no_byte_and_no_thing(tmp_path):
    path = tmp_path / "a.mem"
    with mh.create(path) as memory:
        for frame in cases.lap(0):
            found = [dataclasses.replace(d, label=SECRET) if d.label == "red" else d for d in cases.detections(frame)]
            memory.observe(frame, found)
        shows = [k.lsn for k in memory.trajectory() if memory.boxes_in(k.lsn).keys() & numbers_of(memory, SECRET)]
        assert shows
        blobs = [
            data for (data,) in memory.sql(f"SELECT data FROM observations WHERE lsn IN ({shows[0]}, {shows[-1]})")
        ]
        parts = [data[60:100] for data in blobs]
    whole = path.read_bytes()
    assert parts and all(part in whole for part in parts)
    with SpatialMemory.open(path, "a") as memory:
        memory.forget(frames=shows)
        assert SECRET not in {thing.name for thing in memory.objects()}
        left = {lsn for (lsn,) in memory.sql("SELECT lsn FROM observations")}
        assert left.isdisjoint(shows) and left
        assert memory.check() == []
    whole = path.read_bytes()
    assert SECRET.encode() not in whole and not any(part in whole for part in parts)


def numbers_of(memory: SpatialMemory, name: str) -> set[int]:
    return {thing.object_id for thing in memory.objects() if thing.name == name}


def test_another_memory_brings_its_things(tmp_path):
    cases.remembered(tmp_path / "other.mem").close()
    with mh.create(tmp_path / "own.mem") as memory, SpatialMemory.open(tmp_path / "other.mem") as other:
        there = {name: thing.position_m for name, thing in cases.by_name(other).items()}
        memory.merge(other, map_from_other=np.eye(4))
        here = cases.by_name(memory)
        assert here.keys() == there.keys()
        for name, position in there.items():
            np.testing.assert_allclose(here[name].position_m, position, atol=1e-6)


def test_another_encoder_keeps_places_and_gives_features_of_its_own(tmp_path):
    path = tmp_path / "a.mem"
    with cases.remembered(path) as memory:
        before = cases.by_name(memory)
    SpatialMemory.reencode(path, "tiny")
    with SpatialMemory.open(path) as memory:
        after = cases.by_name(memory)
        for name, thing in after.items():
            np.testing.assert_array_equal(thing.position_m, before[name].position_m)
            assert thing.feature is not None and thing.feature.shape == (64,)
            assert abs(float(np.linalg.norm(thing.feature)) - 1.0) < 1e-5


def test_frames_that_lost_their_images_keep_what_they_showed(tmp_path):
    path = tmp_path / "a.mem"
    with mh.create(path, file_bytes=8 << 20) as memory:
        number = 0
        while not memory.info()["evicted"] and number < 40:
            cases.observe(memory, cases.lap(number))
            number += 1
        assert memory.info()["evicted"], "the budget was never felt"
        assert {"red", "green", "blue", "yellow"} <= cases.by_name(memory).keys()
        lsns = {lsn for (lsn,) in memory.sql("SELECT lsn FROM frames WHERE colour IS NULL")}
        assert lsns <= {lsn for (lsn,) in memory.sql("SELECT lsn FROM observations")}
        live = cases.told(memory.objects())
    with SpatialMemory.open(path) as memory:
        assert cases.told(memory.objects()) == live and memory.check() == []


def test_reset_forgets_things():
    with cases.remembered(None) as memory:
        assert memory.objects()
        memory.reset()
        assert memory.objects() == () and memory.snapshots() == ()
        cases.observe(memory, cases.lap(0))
        assert len(memory.objects()) == 4
        memory.reset()
        for frame in cases.lap(0):  # as many as before, and nobody asks meanwhile
            memory.observe(frame, [])
        assert memory.objects() == ()


# the blob


def seen_of(frame: Frame, dense: np.ndarray | None = None):
    return observations_of(cases.detections(frame), frame.depth_m, None, frame.camera, dense, (0.1, 6.0))


@settings(max_examples=25, deadline=None)
@given(
    step=st.integers(0, 11), size=st.sampled_from([(16, 16), (33, 21), (160, 120), (300, 200)]), encoded=st.booleans()
)
def test_what_is_packed_comes_back_to_the_millimetre(step, size, encoded):
    frame = room.room_frame(step, 12, *size)
    dense = np.random.default_rng(step).standard_normal((4, 5, 16)).astype(np.float32) if encoded else None
    seen = seen_of(frame, dense)
    back = decode_observations(encode_observations(seen), frame.camera)
    np.testing.assert_allclose(back.depth_m, seen.depth_m, atol=6e-4)
    np.testing.assert_allclose(back.points_m, seen.points_m, atol=6e-4)
    for name in ("detection_of", "scores", "boxes_xyxy", "pixels", "starts"):
        np.testing.assert_array_equal(getattr(back, name), getattr(seen, name))
    assert back.labels == seen.labels and back.stride == seen.stride
    assert (back.features is None) == (seen.features is None)
    if back.features is not None and seen.features is not None:
        np.testing.assert_allclose(back.features, seen.features, atol=0.5 / 127)
    assert encode_observations(back) == encode_observations(seen)


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_blob_is_an_error_or_still_observations(at, value, cut):
    frame = room.room_frame(0, 12)
    data = bytearray(encode_observations(seen_of(frame)))
    where = int(at * (len(data) - 1))
    if cut:
        del data[where:]
    else:
        data[where] = value
    try:
        seen = decode_observations(bytes(data), frame.camera)
    except MemoryFileError:
        return
    assert seen.starts[-1] == len(seen.points_m) and seen.detection_of.max(initial=0) <= len(seen)


def test_a_damaged_row_is_named_by_check_and_by_the_question(tmp_path):
    path = tmp_path / "a.mem"
    cases.remembered(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE observations SET data = substr(data, 1, 40) WHERE lsn = 3")
    with SpatialMemory.open(path) as memory:
        assert any("observations" in line for line in memory.check())
        with pytest.raises(MemoryFileError, match="observations"):
            memory.objects()


def test_where_a_world_lies_in_the_map_counts(tmp_path):
    """Two sessions see the same room from worlds of their own; their things are the same ones."""
    map_from_other = np.eye(4)
    map_from_other[:3, 3] = (3.0, 1.0, 0.0)
    with cases.remembered(tmp_path / "a.mem") as memory:
        memory.add_session("second", map_from_other)
        for frame in cases.lap(1):
            moved = dataclasses.replace(frame, session_id="second",
                                        world_from_camera=inverse(map_from_other) @ frame.pose)  # fmt: skip
            memory.observe(moved, cases.detections(frame))
        things = cases.by_name(memory)
    assert len(things) == 4 and all(thing.last_lsn > cases.LAP for thing in things.values())
