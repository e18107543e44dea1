"""Stray Scanner: confidence, the pairing of its video, and every way its frames can be bad."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from phones import ARKIT_FROM_ROOM, colour_image, write_grey, write_stray, write_video
from reader_checks import assert_one_bad
from recordings import walk

from spatialmem.errors import InvalidValue, MissingDependency, ReadError
from spatialmem.io import BadReason, read
from spatialmem.io.check_reader import same_frame
from spatialmem.types import Frame

COUNT = 6


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return walk(COUNT)


@pytest.fixture(scope="module")
def original(tmp_path_factory, frames) -> Path:
    return write_stray(tmp_path_factory.mktemp("stray") / "71de12f9", frames)


@pytest.fixture
def path(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / original.name))


def closest(rgb: np.ndarray, frames: list[Frame]) -> int:
    """Number of the frame whose colour this is."""
    return int(np.argmin([np.abs(rgb.astype(int) - frame.rgb).mean() for frame in frames]))


def test_frames_have_the_pixels_of_depth_and_the_times_of_the_file(original, frames):
    reader = read(original)
    assert [(frame.camera.width, frame.camera.height) for frame in reader] == [(160, 120)] * COUNT
    assert [frame.stamp_ns for frame in reader] == [frame.stamp_ns for frame in frames]
    assert "640 x 480, is averaged down to depth, 160 x 120" in str(reader.report)
    assert reader.up_in_world == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("first_tick", [-1, 0])
def test_the_frame_that_players_hide_is_read_as_well(tmp_path, frames, first_tick):
    reader = read(write_stray(tmp_path / "a", frames, first_tick))
    assert [closest(frame.rgb, frames) for frame in reader] == list(range(COUNT))


def test_a_frame_the_video_lacks_costs_itself_alone(path, frames):
    kept = [0, 1, 3, 4, 5]
    write_video(path / "rgb.mp4", [colour_image(frames[i]) for i in kept], [i - 1 for i in kept])
    reader = read(path)
    assert [closest(frame.rgb, frames) for frame in reader] == kept
    assert "rgb.mp4 holds 5 frames, odometry.csv lists 6: paired by time" in str(reader.report)
    assert_one_bad(path, BadReason.UNREADABLE, "rgb.mp4 has no frame 2", frames, ARKIT_FROM_ROOM)


@pytest.mark.parametrize(("minimum", "kept"), [(0, {0, 1, 2}), (1, {1, 2}), (2, {2})])
def test_readings_of_little_confidence_are_none(path, minimum, kept):
    confidence = np.zeros((120, 160), np.uint8)
    confidence[:, 50:100], confidence[:, 100:] = 1, 2
    for i in range(COUNT):
        write_grey(path / "confidence" / f"{i:06d}.png", confidence)
    for frame in read(path, min_confidence=minimum):
        np.testing.assert_array_equal(np.isfinite(frame.depth_m), np.isin(confidence, list(kept)))


def test_without_confidence_every_reading_counts(path, original, frames):
    shutil.rmtree(path / "confidence")
    reader = read(path)
    assert all(same_frame(a, b) for a, b in zip(reader, read(original), strict=True))
    assert "confidence: there is none" in str(reader.report)


def test_depth_of_early_versions_is_an_array(path, original):
    for file in (path / "depth").iterdir():
        np.save(file.with_suffix(".npy"), cv2.imread(str(file), cv2.IMREAD_UNCHANGED))
        file.unlink()
    assert all(same_frame(a, b) for a, b in zip(read(path), read(original), strict=True))


@pytest.mark.parametrize("file", ["depth/000002.png", "confidence/000002.png"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "text", "empty"])
def test_an_unreadable_image_costs_one_frame(path, frames, file, damage):
    target = path / file
    whole = target.read_bytes()
    target.unlink()
    if damage != "missing":
        target.write_bytes({"truncated": whole[:-20], "text": b"no image\n" * 20, "empty": b""}[damage])
    assert_one_bad(path, BadReason.UNREADABLE, "000002", frames, ARKIT_FROM_ROOM)


@pytest.mark.parametrize("file", ["depth/000002.png", "confidence/000002.png"])
def test_an_image_of_another_size_costs_one_frame(path, frames, file):
    write_grey(path / file, np.ones((60, 80), np.uint16 if "depth" in file else np.uint8))
    assert_one_bad(path, BadReason.SIZE_MISMATCH, "80 x 60", frames, ARKIT_FROM_ROOM)


@pytest.mark.parametrize("value", ["nan", "-inf"])
def test_a_lost_pose_costs_one_frame(path, frames, value):
    lines = (path / "odometry.csv").read_text().splitlines()
    lines[3] = ", ".join([*lines[3].split(", ")[:2], *[value] * 7])
    (path / "odometry.csv").write_text("\n".join(lines))
    assert_one_bad(path, BadReason.LOST_POSE, "frame 000002", frames, ARKIT_FROM_ROOM)


def test_time_going_backwards_is_counted(path):
    lines = (path / "odometry.csv").read_text().splitlines()
    lines[3] = ", ".join(["0.5", *lines[3].split(", ")[1:]])
    (path / "odometry.csv").write_text("\n".join(lines))
    reader = read(path)
    assert len(list(reader)) == COUNT - 1
    assert reader.report.skipped == {BadReason.TIME_BACKWARDS: 1}


def test_columns_are_found_by_name(path, original):
    lines = [line.split(", ") for line in (path / "odometry.csv").read_text().splitlines()]
    turned = [[*line[::-1], other] for line, other in zip(lines, ["later", *["1"] * COUNT], strict=True)]
    (path / "odometry.csv").write_text("\n".join(", ".join(line) for line in turned))
    assert (path / "odometry.csv").read_text().startswith("qw, qz")
    assert all(same_frame(a, b) for a, b in zip(read(path), read(original), strict=True))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("odometry.csv", "", "missing"),
        ("odometry.csv", "timestamp, frame, x, y, z, qx, qy, qz\n", "missing: .*qw"),
        ("odometry.csv", "timestamp, frame, x, y, z, qx, qy, qz, qw\n", "lists no frame"),
        ("odometry.csv", "timestamp, frame, x, y, z, qx, qy, qz, qw\n1, a, 0, 0, 0, 0, 0, 0, 1\n", "number of a frame"),
        ("odometry.csv", "timestamp, frame, x, y, z, qx, qy, qz, qw\n1, 0, 0, 0, 0, 0, 0, 1\n", "expected 9 values"),
        ("odometry.csv", "timestamp, frame, x, y, z, qx, qy, qz, qw\n1, 0, 0, 0, 0, 0, 0, 0, 2\n", "length 2"),
        ("camera_matrix.csv", "1, 0\n", "3x3 or 4x4"),
        ("rgb.mp4", "not a video", "is no video"),
        ("rgb.mp4", "", "is no video"),
    ],
)
def test_a_file_that_says_something_else_is_refused(path, file, text, message):
    (path / file).write_text(text)
    with pytest.raises(ReadError, match=message):
        read(path)


def test_a_video_cut_short_is_refused(path):
    whole = (path / "rgb.mp4").read_bytes()
    (path / "rgb.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match="is no video"):
        read(path)


def test_depth_of_other_proportions_is_refused(path):
    for file in (path / "depth").iterdir():
        write_grey(file, np.ones((160, 120), np.uint16))
    with pytest.raises(ReadError, match="equal proportions"):
        read(path)


@pytest.mark.parametrize("given", [-1, 3, True, 1.5])
def test_confidence_is_one_of_three(original, given):
    with pytest.raises(InvalidValue, match="min_confidence"):
        read(original, min_confidence=given)


def test_without_pyav_the_command_that_installs_it_is_given(original, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingDependency, match=r"pip install 'spatialmem\[phone\]'"):
        read(original)
