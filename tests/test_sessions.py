"""Two recordings of one name: told apart wherever that can be known, and never fused silently where it is."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
from pathlib import Path

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from cli_helpers import cut_recording
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialmem import SpatialMemory, read
from spatialmem.errors import AnotherRecording, UnplacedSession
from spatialmem.io import FramesReader, StreamReader
from spatialmem.io.recording_id import first_frame_id
from spatialmem.log_rows import LogRows
from spatialmem.sessions import CameraLog, require_same_recording
from spatialmem.store.rows import KeyframeRow
from spatialmem.types import Camera, Frame, Skipped, Stored

LAP = 24
CAMERA = Camera(5.0, 5.0, 1.5, 1.0, 4, 3)
RGB = np.zeros((3, 4, 3), np.uint8)
FIRST_NS = 10**15


def frames(count: int, start: int = 0) -> list[Frame]:
    return [room.room_frame(i, LAP) for i in range(start, start + count)]


def outcome(memory: SpatialMemory, frame: Frame, **changes) -> Stored | Skipped:
    return memory.observe(dataclasses.replace(frame, **changes))


def state(memory: SpatialMemory) -> tuple:
    return memory.canonical_hash(), mh.tables(memory)


# --- the log of one camera


def tiny(seq: int | None, stamp_ns: int, x_m: float = 0.0, recording_id: str | None = None) -> Frame:
    pose = np.eye(4)
    pose[0, 3] = x_m
    return Frame(RGB, None, CAMERA, pose, stamp_ns, seq=seq, recording_id=recording_id)


def keep(log: CameraLog, frame: Frame, rows: LogRows, **values) -> None:
    seq = log.next_seq if frame.seq is None else frame.seq
    row = KeyframeRow(len(rows) + 1, "main", "camera", seq, frame.stamp_ns, CAMERA, frame.pose, "every", **values)
    rows.add(row)
    log.add(row)


def log_of(*kept: Frame, rows: LogRows | None = None) -> CameraLog:
    rows = LogRows() if rows is None else rows
    log = CameraLog(rows)
    for frame in kept:
        keep(log, frame, rows)
    return log


def taken(log: CameraLog, frame: Frame, recording_id: str | None = None) -> bool:
    """Whether the frame would go on to the gate; raises as `observe` does."""
    require_same_recording(frame, log, recording_id)
    return not log.holds(frame.seq) and (log.stamp_ns is None or frame.stamp_ns > log.stamp_ns)


def recordings(shift_ns: int = 0) -> st.SearchStrategy[list[Frame]]:
    """Frames whose numbers and stamps rise together, some of them left out as bad ones are."""
    steps = st.tuples(st.integers(1, 3), st.integers(1, 50), st.floats(-2, 2))

    def made(listed: list[tuple[int, int, float]]) -> list[Frame]:
        seq, stamp_ns, result = -1, FIRST_NS + shift_ns, []
        for more, later_ns, x_m in listed:
            seq, stamp_ns = seq + more, stamp_ns + later_ns
            result.append(tiny(seq, stamp_ns, x_m))
        return result

    return st.lists(steps, min_size=1, max_size=12).map(made)


@given(recordings(), st.data())
def test_a_recording_read_again_is_never_taken_for_another(recording, data):
    """Whatever the gate kept of it: what it holds is a duplicate, and only what is newer is taken."""
    kept = data.draw(st.lists(st.sampled_from(recording), unique_by=id).map(lambda fs: sorted(fs, key=lambda f: f.seq)))
    log = log_of(*kept)
    for frame in recording:
        held = any(frame is other for other in kept)
        newer = not kept or frame.stamp_ns > kept[-1].stamp_ns
        assert (log.holds(frame.seq), taken(log, frame)) == (held, newer)


@given(recordings(), recordings(shift_ns=7))
@settings(max_examples=300)
def test_what_shows_that_a_recording_is_another_comes_before_any_of_its_frames_is_taken(one, other):
    rows, fused = LogRows(), 0
    log = log_of(*one, rows=rows)
    try:
        for frame in other:
            if taken(log, frame):
                keep(log, frame, rows)
                fused += 1
    except AnotherRecording:
        assert fused == 0


@given(recordings(), st.integers(1, 10**6))
def test_later_stamps_under_numbers_that_the_log_has_passed_are_another_recording(one, gap_ns):
    log = log_of(*one)
    for seq in range(log.next_seq):
        with pytest.raises(AnotherRecording):
            taken(log, tiny(seq, one[-1].stamp_ns + gap_ns))


@given(recordings(), st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=8))
def test_a_robot_that_goes_on_is_taken_whether_it_numbers_on_or_not_at_all(one, later):
    rows, stamp_ns = LogRows(), one[-1].stamp_ns
    log = log_of(*one, rows=rows)
    for numbered, step_ns in later:
        stamp_ns += step_ns
        frame = tiny(log.next_seq + step_ns if numbered else None, stamp_ns)
        assert taken(log, frame, "anything")
        keep(log, frame, rows)


def test_a_number_names_one_frame():
    log = log_of(tiny(3, FIRST_NS), tiny(7, FIRST_NS + 100, 1.0))
    assert not taken(log, tiny(7, FIRST_NS + 100, 1.0 + 1e-9)) and log.holds(7)
    with pytest.raises(AnotherRecording, match=f"frame 7 of camera has another stamp .{FIRST_NS + 100} ns there, 5 ns"):
        taken(log, tiny(7, 5, 1.0))
    with pytest.raises(AnotherRecording, match=r"frame 7 of camera has another pose \(0.25 m and 0 degrees away\)"):
        taken(log, tiny(7, FIRST_NS + 100, 1.25))


def test_a_stamp_lies_where_its_number_does():
    log = log_of(tiny(3, FIRST_NS), tiny(7, FIRST_NS + 100))
    assert not taken(log, tiny(5, FIRST_NS + 50)) and not taken(log, tiny(1, FIRST_NS - 50))
    for seq, stamp_ns in ((5, FIRST_NS), (5, FIRST_NS - 1), (5, FIRST_NS + 100), (5, FIRST_NS + 900), (1, FIRST_NS)):
        with pytest.raises(
            AnotherRecording, match=f"frame {seq} of camera has stamp {stamp_ns} ns, which does not fit frame"
        ):
            taken(log, tiny(seq, stamp_ns))


def test_a_clock_that_went_back_is_no_other_recording():
    log = log_of(tiny(3, FIRST_NS), tiny(7, FIRST_NS + 100))
    assert not taken(log, tiny(8, FIRST_NS + 50)) and not taken(log, tiny(None, FIRST_NS + 50))


def test_numbers_that_fell_in_a_log_of_an_earlier_release_show_nothing():
    log = log_of(tiny(7, FIRST_NS), tiny(3, FIRST_NS + 100))
    assert taken(log, tiny(5, FIRST_NS + 200))
    with pytest.raises(AnotherRecording):
        taken(log, tiny(3, FIRST_NS + 200))


def test_a_corrected_pose_is_not_compared_with_the_observed_one():
    rows = LogRows()
    log = CameraLog(rows)
    keep(log, tiny(0, FIRST_NS, 5.0), rows, pose_revision=1)
    assert not taken(log, tiny(0, FIRST_NS)) and log.holds(0)


def test_recordings_that_are_named_differ_by_their_names():
    log = log_of(tiny(None, FIRST_NS))
    for known, named in ((None, None), (None, "a"), ("a", None), ("a", "a")):
        assert taken(log, tiny(None, FIRST_NS + 1, recording_id=named), known)
    with pytest.raises(AnotherRecording, match="it is 'b', the session is 'a'.*session_id=.*add_session.*--same-world"):
        taken(log, tiny(None, FIRST_NS + 1, recording_id="b"), "a")


# --- the memory


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "room.mem"


def plain(folder: Path, numbers: tuple[int, ...]) -> Path:
    return cut_recording(folder / "room", numbers)


@pytest.mark.parametrize(
    "other", [(40, 45, 50, 55, 60, 65, 70), (0, 5, 10), (20, 5)], ids=["later", "earlier", "mixed"]
)
def test_a_second_recording_of_the_same_name_is_refused_and_changes_nothing(tmp_path, path, other):
    one, two = plain(tmp_path / "one", (15, 20, 25, 30)), plain(tmp_path / "two", tuple(sorted(other)))
    with SpatialMemory.create(path, encoder="colours") as memory:
        first = [memory.observe(frame) for frame in read(one)]
        before = state(memory)
        for frame in read(two):
            with pytest.raises(UnplacedSession, match="not the recording that the memory holds as session 'room'"):
                memory.observe(frame)
        assert state(memory) == before
        again = [memory.observe(frame) for frame in read(one)]
        assert all(isinstance(a, Stored) == (b == Skipped("duplicate")) for a, b in zip(first, again, strict=True))
        memory.add_session("room-2", np.eye(4))
        assert isinstance(memory.observe(read(two, session_id="room-2")[0]), Stored)


def test_a_recording_is_told_by_its_name_where_numbers_and_stamps_say_nothing(tmp_path, path):
    one, two = plain(tmp_path / "one", (0, 5, 10, 15)), plain(tmp_path / "two", (40, 45, 50, 55))
    reader = read(two)
    with SpatialMemory.create(path, encoder="colours") as memory:
        for frame in list(read(one))[:2]:
            memory.observe(frame)
        assert memory.sql("SELECT value FROM meta WHERE key = 'recording:room'") == [(read(one).recording_id,)]
    with SpatialMemory.open(path, "a") as memory:
        with pytest.raises(AnotherRecording, match=reader.recording_id):
            memory.observe(reader[3])
        moved = shutil.move(one, tmp_path / "elsewhere")
        results = [memory.observe(frame) for frame in read(moved, session_id="room")]
        assert results[0] == Skipped("duplicate") and isinstance(results[3], Stored)
        assert memory.keyframe(1).recording_id == read(moved).recording_id


def test_a_file_that_does_not_say_of_which_recording_it_is_goes_on_and_then_does(tmp_path, path):
    one, two = plain(tmp_path / "one", (0, 5, 10, 15)), plain(tmp_path / "two", (40, 45, 50, 55, 60, 65))
    with SpatialMemory.create(path, encoder="colours") as memory:
        for frame in list(read(one))[:2]:
            memory.observe(frame)
    connection = sqlite3.connect(path)
    assert connection.execute("DELETE FROM meta WHERE key LIKE 'recording:%'").rowcount == 1
    connection.commit()
    connection.close()
    with SpatialMemory.open(path, "a") as memory:
        assert memory.check() == []
        with pytest.raises(AnotherRecording, match="frame 0 of camera has another stamp"):
            memory.observe(read(two)[0])
        mine = list(read(one))
        assert memory.observe(mine[0]) == Skipped("duplicate")
        assert not memory.sql("SELECT * FROM meta WHERE key LIKE 'recording:%'")
        assert isinstance(memory.observe(mine[3]), Stored)
    with SpatialMemory.open(path, "a") as memory, pytest.raises(AnotherRecording, match=str(mine[0].recording_id)):
        memory.observe(read(two)[5])


def test_a_robot_goes_on_with_its_session_after_a_restart(path):
    with mh.create(path, [dataclasses.replace(frame, seq=None) for frame in frames(3)]):
        pass
    with SpatialMemory.open(path, "a") as memory:
        with pytest.raises(AnotherRecording, match="numbers its frames from 3 on, or leaves seq None"):
            outcome(memory, frames(1, start=3)[0], seq=0)
        assert isinstance(outcome(memory, frames(1, start=3)[0], seq=None), Stored)
        assert isinstance(outcome(memory, frames(1, start=4)[0], seq=17), Stored)
        assert outcome(memory, frames(1)[0], seq=None) == Skipped("stamp not rising")
        assert [k.seq for k in memory.trajectory()] == [0, 1, 2, 3, 17]


def test_cameras_are_numbered_apart_and_share_a_recording():
    first, second = frames(2)
    with mh.create(None, [dataclasses.replace(first, recording_id="run 7")]) as memory:
        assert isinstance(outcome(memory, first, camera_id="left", recording_id="run 7"), Stored)
        with pytest.raises(AnotherRecording, match="it is 'run 8', the session is 'run 7'"):
            outcome(memory, second, camera_id="right", recording_id="run 8")
        assert isinstance(outcome(memory, second, camera_id="right"), Stored)
        memory.reset()
        assert isinstance(outcome(memory, second, recording_id="run 8"), Stored)


def test_a_session_that_was_placed_takes_the_recording_of_its_first_frame(path):
    first, second, third = frames(3)
    with mh.create(path, [first]) as memory:
        memory.add_session("evening", np.eye(4))
        outcome(memory, second, session_id="evening", recording_id="a")
        with pytest.raises(AnotherRecording, match="'evening'"):
            outcome(memory, third, session_id="evening", recording_id="b")
        assert isinstance(outcome(memory, third, recording_id="b"), Stored)
        assert memory.sql("SELECT key, value FROM meta WHERE key LIKE 'recording:%' ORDER BY key") == [
            ("recording:evening", "a"), ("recording:main", "b"),
        ]  # fmt: skip
        assert memory.check() == []


# --- what readers call a recording


def test_the_name_of_a_recording_never_changes():
    """Memory files hold it."""
    pose = np.eye(4)
    pose[:3, 3] = (0.5, -1.25, 2.0)
    assert first_frame_id(1767261600000000000, pose) == "1767261600000000000-3e06b3ce"
    assert first_frame_id(0, np.eye(4), 1234, 99) == "0-745f4eea"
    assert first_frame_id(0, np.eye(4), 1234, 98) != "0-745f4eea"


@given(st.integers(0, 2**20), st.floats(-1e-10, 1e-10))
def test_rounding_of_another_machine_makes_no_other_recording(millimetres, noise_m):
    pose = np.eye(4)
    pose[:3, 3] = millimetres / 1000
    assert first_frame_id(0, pose) == first_frame_id(0, pose + noise_m * np.eye(4)[:, [3, 0, 1, 2]])
    pose[0, 3] = np.finfo(float).max
    assert first_frame_id(0, pose).startswith("0-")


class Listed(StreamReader):
    """A stream over frames that are at hand."""

    format_name = "listed"

    def __init__(self, listed: list[Frame], name: str | None = "") -> None:
        super().__init__("listed")
        self.begun = 0
        self.listed = listed
        if name != "":
            self.recording_id = name

    def outcomes(self):
        self.begun += 1
        yield from self.listed


def test_a_stream_is_named_by_its_first_frame_without_looking_ahead():
    listed = frames(3)
    reader = Listed(listed)
    assert reader.recording_id is None
    names = {frame.recording_id for _ in range(2) for frame in reader}
    assert names == {reader.recording_id} == {first_frame_id(listed[0].stamp_ns, listed[0].pose)} and reader.begun == 2
    assert {frame.recording_id for frame in Listed(listed, "mine")} == {"mine"}
    assert {frame.recording_id for frame in Listed(listed, None)} == {None}


def test_frames_without_a_reader_of_their_own_keep_what_they_say():
    mixed = [frames(1)[0], dataclasses.replace(frames(2)[1], recording_id="a")]
    assert [frame.recording_id for frame in FramesReader(mixed)] == [None, "a"]


def test_a_place_that_is_changed_after_it_was_given_changes_nothing(tmp_path):
    path, place = tmp_path / "a.mem", np.eye(4)
    with mh.create(path, frames(2)) as memory:
        memory.add_session("second", place)
        given = dataclasses.replace(
            frames(1, 2)[0], session_id="second", world_from_camera=np.array(frames(1, 2)[0].pose)
        )
        mh.observe_all(memory, [given])
        hashed, place[:3, 3] = memory.canonical_hash(), 1.0
        memory.forget(frames=[3])
        assert memory.canonical_hash() != hashed
        mh.observe_all(memory, [mh.at(given, 3)])
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == hashed and memory.check() == []
