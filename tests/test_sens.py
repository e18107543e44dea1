"""ScanNet's .sens: every way its frames and its header can be bad, on files written to the letter of the format."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from reader_checks import assert_one_bad
from recordings import encoded, walk, write_scannet, write_sens

from spatialmem.errors import ReadError
from spatialmem.io import BadReason, find_reader, read
from spatialmem.io.check_reader import check_reader
from spatialmem.io.scannet import ScanNetReader
from spatialmem.io.sens import SensReader
from spatialmem.types import Frame

COUNT = 5
_HEAD = 4 + 8 + len("StructureSensor") + 64 * 4
_FRAMES = _HEAD + struct.calcsize("<2i4IfQ")
_FRAME_HEAD = 16 * 4 + 4 * 8


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return walk(COUNT)


@pytest.fixture(scope="module")
def original(tmp_path_factory, frames) -> Path:
    return write_sens(tmp_path_factory.mktemp("sens"), frames)


@pytest.fixture
def path(original, tmp_path) -> Path:
    return Path(shutil.copy(original, tmp_path / original.name))


def heads(data: bytes) -> list[int]:
    """Where the head of each frame begins."""
    at, found = _FRAMES, []
    for _ in range(COUNT):
        found.append(at)
        at += _FRAME_HEAD + sum(struct.unpack_from("<2Q", data, at + _FRAME_HEAD - 16))
    return found


def replace_frame(path: Path, index: int, colour: bytes | None = None, depth: bytes | None = None) -> None:
    """Frame `index` with other images, their lengths told right."""
    data = path.read_bytes()
    at = heads(data)[index]
    n_colour, n_depth = struct.unpack_from("<2Q", data, at + _FRAME_HEAD - 16)
    start = at + _FRAME_HEAD
    colour = data[start : start + n_colour] if colour is None else colour
    depth = data[start + n_colour : start + n_colour + n_depth] if depth is None else depth
    lengths = struct.pack("<2Q", len(colour), len(depth))
    path.write_bytes(data[: start - 16] + lengths + colour + depth + data[start + n_colour + n_depth :])


@pytest.mark.parametrize("colour_kind", [0, 1, 2])
@pytest.mark.parametrize("depth_kind", [0, 1])
def test_every_compression_gives_the_same_room(tmp_path, frames, colour_kind, depth_kind):
    reader = read(write_sens(tmp_path, frames, colour_kind, depth_kind))
    assert check_reader(reader) == []
    for read_back, frame in zip(reader, frames, strict=True):
        np.testing.assert_allclose(read_back.depth_m, frame.depth_m, atol=6e-4)
        assert read_back.valid is not None
        assert np.median(np.abs(read_back.rgb.astype(int) - frame.rgb)[read_back.valid]) <= 2
        assert read_back.stamp_ns == frame.stamp_ns


def test_it_reads_what_the_exported_folder_reads(tmp_path, frames):
    exported = read(write_scannet(tmp_path / "exported", frames))
    for ours, theirs in zip(read(write_sens(tmp_path / "own", frames)), exported, strict=True):
        np.testing.assert_array_equal(ours.depth_m, theirs.depth_m)
        np.testing.assert_array_equal(ours.rgb, theirs.rgb)
        np.testing.assert_array_equal(ours.valid, theirs.valid)
        np.testing.assert_allclose(ours.world_from_camera, theirs.world_from_camera, atol=1e-6)


def test_a_scene_folder_is_read_by_its_export_or_else_by_its_sens(tmp_path, frames):
    scene = tmp_path / "scene0000_00"
    write_sens(scene, frames)
    (scene / "scene0000_00.txt").write_text("axisAlignment = 1\n")
    assert find_reader(scene) is SensReader
    assert {frame.session_id for frame in read(scene)} == {"scene0000_00"}
    write_scannet(scene, frames)
    assert find_reader(scene) is ScanNetReader
    shutil.copy(scene / "scene0000_00.sens", scene / "other.sens")
    with pytest.raises(ReadError, match="or several"):
        read(scene, format="sens")


@pytest.mark.parametrize("damage", ["truncated colour", "no colour", "text for colour", "truncated depth", "no depth"])
def test_a_damaged_image_costs_one_frame(path, frames, damage):
    data = path.read_bytes()
    at = heads(data)[2]
    n_colour, n_depth = struct.unpack_from("<2Q", data, at + _FRAME_HEAD - 16)
    start = at + _FRAME_HEAD
    colour, depth = data[start : start + n_colour], data[start + n_colour : start + n_colour + n_depth]
    if damage.endswith("colour"):
        part = {"truncated colour": colour[:-300], "no colour": b"", "text for colour": b"no image\n" * 50}[damage]
        replace_frame(path, 2, colour=part)
    else:
        replace_frame(path, 2, depth=depth[:-30] if damage == "truncated depth" else b"")
    assert_one_bad(path, BadReason.UNREADABLE, "frame 2", frames)


@pytest.mark.parametrize("part", ["colour", "depth"])
def test_an_image_of_another_size_costs_one_frame(path, tmp_path, frames, part):
    if part == "colour":
        replace_frame(path, 2, colour=encoded(".jpg", frames[2].rgb[:60, :80]))
    else:
        small = write_sens(tmp_path / "small", walk(COUNT, 80, 60))
        data = small.read_bytes()
        at = heads(data)[2]
        n_colour, n_depth = struct.unpack_from("<2Q", data, at + _FRAME_HEAD - 16)
        replace_frame(path, 2, depth=data[at + _FRAME_HEAD + n_colour :][:n_depth])
    assert_one_bad(path, BadReason.SIZE_MISMATCH, "frame 2", frames)


@pytest.mark.parametrize("value", [float("-inf"), float("nan")])
def test_a_lost_pose_costs_one_frame(path, frames, value):
    data = bytearray(path.read_bytes())
    struct.pack_into("<16f", data, heads(data)[2], *[value] * 16)
    path.write_bytes(data)
    assert_one_bad(path, BadReason.LOST_POSE, "frame 2", frames)


def test_time_going_backwards_is_counted(path):
    data = bytearray(path.read_bytes())
    at = heads(data)
    data[at[3] + 64 : at[3] + 72] = data[at[2] + 64 : at[2] + 72]
    path.write_bytes(data)
    reader = read(path)
    assert len(list(reader)) == COUNT - 1
    assert reader.report.skipped == {BadReason.TIME_BACKWARDS: 1}


def test_stamps_that_are_all_zero_give_way_to_a_frame_rate(path):
    data = bytearray(path.read_bytes())
    for at in heads(data):
        struct.pack_into("<2Q", data, at + 64, 0, 0)
    path.write_bytes(data)
    reader = read(path, fps=10)
    assert [frame.stamp_ns for frame in reader] == [i * 100_000_000 for i in range(COUNT)]
    assert "every stamp is zero" in str(reader.report)


@pytest.mark.parametrize("cut", ["in a head", "in an image", "between frames"])
def test_frames_beyond_a_break_are_counted(path, frames, cut):
    data = path.read_bytes()
    third = heads(data)[2]
    path.write_bytes(data[: third + {"in a head": 40, "in an image": 500, "between frames": 0}[cut]])
    reader = read(path)
    assert len(reader) == COUNT
    assert len(list(reader)) == 2
    assert reader.report.skipped == {BadReason.UNREADABLE: 3}
    assert "breaks off after 2 frames" in str(reader.report)


@pytest.mark.parametrize(
    ("at", "form", "value", "message"),
    [
        (0, "<I", 3, "version 3"),
        (4, "<Q", 1 << 40, "sensor's name"),
        (_HEAD, "<i", 7, "compressed in a way"),
        (_HEAD + 4, "<i", 2, "export the scan"),
        (_HEAD + 8, "<I", 0, "damaged: images"),
        (_HEAD + 24, "<f", float("nan"), "damaged: images"),
        (_HEAD + 28, "<Q", 1 << 50, "says that it holds"),
        (_HEAD + 28, "<Q", 0, "says that it holds 0 frames"),
        (4 + 8 + 15, "<f", -1.0, "focal lengths"),
        (4 + 8 + 15 + 64, "<f", 9.0, "no rigid transforms"),
    ],
)
def test_a_header_that_cannot_be_true_is_refused(path, at, form, value, message):
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, at, value)
    path.write_bytes(data)
    with pytest.raises(ReadError, match=message):
        read(path)


def test_a_file_that_ends_in_its_header_is_refused(path):
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ReadError, match="ends within its header"):
        read(path)
