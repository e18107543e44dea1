"""Record3D: both packings, intrinsics, stamps, confidence, and every way its frames can be bad."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import lzfse
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from phones import record3d_world, write_r3d, write_record3d
from reader_checks import assert_one_bad
from recordings import encoded, walk

from spatialmem.errors import InvalidValue, MissingDependency, ReadError
from spatialmem.io import BadReason, read
from spatialmem.io.check_reader import same_frame
from spatialmem.types import Frame

COUNT = 5


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return walk(COUNT)


@pytest.fixture(scope="module")
def original(tmp_path_factory, frames) -> Path:
    return write_record3d(tmp_path_factory.mktemp("record3d") / "capture", frames)


@pytest.fixture
def path(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / original.name))


def change(path: Path, **values: Any) -> None:
    """Set keys of the metadata; None takes one out."""
    metadata = json.loads((path / "metadata").read_text()) | values
    (path / "metadata").write_text(json.dumps({key: value for key, value in metadata.items() if value is not None}))


def test_the_file_and_its_folder_hold_the_same_frames(tmp_path, original, frames):
    packed = read(write_r3d(tmp_path, frames), session_id="same")
    for a, b in zip(packed, read(original, session_id="same"), strict=True):
        assert same_frame(a, b)


def test_the_world_begins_at_the_first_camera_and_up_is_not_known(original, frames):
    reader = read(original)
    first = reader[0].world_from_camera
    np.testing.assert_allclose(first, np.diag([1.0, -1.0, -1.0, 1.0]), atol=1e-9)
    assert reader.up_in_world is None
    assert [frame.stamp_ns for frame in reader] == [frame.stamp_ns for frame in frames]
    assert "640 x 480, is averaged down to depth, 160 x 120" in str(reader.report)


def test_depth_is_exact(original, frames):
    for read_back, frame in zip(read(original), frames, strict=True):
        np.testing.assert_array_equal(read_back.depth_m, frame.depth_m)


def test_values_of_any_bits_are_readings_or_none(path, frames):
    depth_m = np.array(frames[2].depth_m)
    depth_m.view(np.uint32)[:4, 0] = 0x7F800001, 0xFFC00000, 0x7F800000, 0xFF7FFFFF  # signalling NaN, NaN, inf, -max
    (path / "rgbd" / "2.depth").write_bytes(lzfse.compress(depth_m.tobytes()))
    read_back = read(path)[2].depth_m
    assert np.isnan(read_back[:4, 0]).all()
    np.testing.assert_array_equal(read_back[4:], depth_m[4:])


def test_every_frame_has_its_own_intrinsics_where_they_are_stored(path, original):
    lenses = [[430.0 + i, 431.0 + i, 320.0, 240.0] for i in range(COUNT)]
    change(path, perFrameIntrinsicCoeffs=lenses)
    assert [frame.camera.fx for frame in read(path)] == [lens[0] / 4 for lens in lenses]
    assert read(path)[0].camera.cx == (320.0 + 0.5) / 4 - 0.5  # pixel centres, not corners
    change(path, perFrameIntrinsicCoeffs=None)
    reader = read(path)
    assert all(same_frame(a, b) for a, b in zip(reader, read(original), strict=True))
    assert "of the first frame, for all" in str(reader.report)


def test_stamps_missing_from_the_metadata_follow_the_frame_rate(path):
    change(path, frameTimestamps=None, fps=10)
    reader = read(path)
    assert [frame.stamp_ns for frame in reader] == [i * 100_000_000 for i in range(COUNT)]
    assert "frame i is taken at i / 10 s" in str(reader.report)


def test_the_size_of_depth_is_found_where_the_metadata_leave_it_out(path, original):
    change(path, dw=None, dh=None)
    assert all(same_frame(a, b) for a, b in zip(read(path), read(original), strict=True))


@pytest.mark.parametrize(("minimum", "kept"), [(0, {0, 1, 2}), (1, {1, 2}), (2, {2})])
def test_readings_of_little_confidence_are_none(path, minimum, kept):
    confidence = np.zeros((120, 160), np.uint8)
    confidence[:, 50:100], confidence[:, 100:] = 1, 2
    for i in range(COUNT):
        (path / "rgbd" / f"{i}.conf").write_bytes(lzfse.compress(confidence.tobytes()))
    for frame in read(path, min_confidence=minimum):
        np.testing.assert_array_equal(np.isfinite(frame.depth_m), np.isin(confidence, list(kept)))


def test_without_confidence_every_reading_counts(path, original):
    for file in (path / "rgbd").glob("*.conf"):
        file.unlink()
    reader = read(path)
    assert all(same_frame(a, b) for a, b in zip(reader, read(original), strict=True))
    assert "confidence: there is none" in str(reader.report)


@pytest.mark.parametrize("file", ["2.jpg", "2.depth", "2.conf"])
@pytest.mark.parametrize("damage", ["missing", "text", "empty", "truncated"])
def test_an_unreadable_file_costs_one_frame(path, frames, file, damage):
    target = path / "rgbd" / file
    whole = target.read_bytes()
    target.unlink()
    if damage != "missing":
        target.write_bytes({"truncated": whole[:-20], "text": b"no image\n" * 20, "empty": b""}[damage])
    reason = BadReason.UNREADABLE
    reader = read(path)
    list(reader)
    if damage == "truncated" and reader.report.skipped == {BadReason.SIZE_MISMATCH: 1}:
        reason = BadReason.SIZE_MISMATCH  # LZFSE gives what it has when the end is missing
    assert_one_bad(path, reason, "frame 2", frames, record3d_world(frames))


@pytest.mark.parametrize("file", ["2.jpg", "2.depth", "2.conf"])
def test_an_image_of_another_size_costs_one_frame(path, frames, file):
    other = {
        "2.jpg": encoded(".jpg", frames[2].rgb),
        "2.depth": lzfse.compress(np.ones((60, 80), np.float32).tobytes()),
        "2.conf": lzfse.compress(np.ones((60, 80), np.uint8).tobytes()),
    }
    (path / "rgbd" / file).write_bytes(other[file])
    assert_one_bad(path, BadReason.SIZE_MISMATCH, "frame 2", frames, record3d_world(frames))


@pytest.mark.parametrize(
    "pose", [[float("nan")] * 7, [0, 0, 0, 1, 0, 0, float("-inf")], [0, 0, 0, 0, 0, 0, 0], [1, 2, 3], None, "lost"]
)
def test_a_lost_pose_costs_one_frame(path, frames, pose):
    poses = json.loads((path / "metadata").read_text())["poses"]
    change(path, poses=[*poses[:2], pose, *poses[3:]])
    assert_one_bad(path, BadReason.LOST_POSE, "frame 2", frames, record3d_world(frames))


def test_time_going_backwards_is_counted(path):
    change(path, frameTimestamps=[1.0, 1.1, 1.1, 1.3, 1.4])
    reader = read(path)
    assert len(list(reader)) == COUNT - 1
    assert reader.report.skipped == {BadReason.TIME_BACKWARDS: 1}


def test_a_recording_without_poses_says_what_recorded_it(path):
    change(path, poses=[])
    with pytest.raises(ReadError, match=r"no frame of .* can be used(.|\n)*not for the front camera"):
        list(read(path))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"K": None}, "'K' must be fx 0 0 0 fy 0 cx cy 1"),
        ({"K": [400.0, 0, 300, 0, 400, 200, 0, 0, 1]}, "column by column"),
        ({"K": ["a"] * 9}, "column by column"),
        ({"K": [-400.0, 0, 0, 0, 400, 0, 300, 200, 1]}, "focal lengths"),
        ({"w": None}, "'w' must be a finite number"),
        ({"dw": 0}, "cannot be"),
        ({"dw": 120, "dh": 160}, "equal proportions"),
        ({"fps": 0}, "'fps' must be positive"),
    ],
)
def test_metadata_that_cannot_be_true_are_refused(path, values, message):
    change(path, **values)
    with pytest.raises(ReadError, match=message):
        read(path)


@pytest.mark.parametrize("text", ["", "[]", "{", "nonsense", "[" * 100_000])
def test_metadata_that_are_no_object_are_refused(path, text):
    (path / "metadata").write_text(text)
    with pytest.raises(ReadError, match="metadata"):
        read(path)


def test_a_recording_without_frames_is_refused(path):
    shutil.rmtree(path / "rgbd")
    (path / "rgbd").mkdir()
    with pytest.raises(ReadError, match="holds no frame"):
        read(path)


def test_an_exr_export_is_answered_with_what_to_export(tmp_path):
    (tmp_path / "depth").mkdir()
    (tmp_path / "depth" / "0.exr").write_bytes(b"")
    (tmp_path / "metadata.json").write_text("{}")
    with pytest.raises(ReadError, match=r"export the recording as \.r3d"):
        read(tmp_path)


def test_what_is_no_zip_file_is_refused(tmp_path, frames):
    file = tmp_path / "a.r3d"
    file.write_text("no zip")
    with pytest.raises(ReadError, match="no whole ZIP file"):
        read(file)
    whole = write_r3d(tmp_path / "b", frames).read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match="no whole ZIP file"):
        read(file)


def test_a_checksum_that_fails_costs_one_frame(tmp_path, frames):
    file = write_r3d(tmp_path, frames)
    with zipfile.ZipFile(file) as archive:
        at = archive.getinfo("rgbd/2.depth").header_offset + 200
    data = bytearray(file.read_bytes())
    data[at] ^= 255
    file.write_bytes(bytes(data))
    assert_one_bad(file, BadReason.UNREADABLE, "2.depth", frames, record3d_world(frames))


def test_confidence_is_one_of_three(original):
    with pytest.raises(InvalidValue, match="min_confidence"):
        read(original, min_confidence=7)


def test_without_the_decoder_the_command_that_installs_it_is_given(original, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lzfse", None)
    with pytest.raises(MissingDependency, match=r"pip install 'spatialmem\[phone\]'"):
        read(original)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_lzfse_is_a_bad_frame_or_a_frame(path, original, data):
    content = bytearray((original / "rgbd" / "0.depth").read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[at] ^= data.draw(st.integers(1, 255))
    (path / "rgbd" / "0.depth").write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    reader = read(path)
    assert len(list(reader)) + reader.report.skipped_total == COUNT
