"""The contract of every reader, on recordings written to the letter of their formats."""

from __future__ import annotations

import dataclasses
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reader_checks import assert_one_bad
from recordings import DEPTH_TOLERANCE_M, WRITERS, walk, world_from_room

from spatialmem.errors import SpatialMemError
from spatialmem.io import READERS, BadFrame, BadReason, read
from spatialmem.io.agreement import depth_agreement
from spatialmem.io.check_reader import check_reader, same_frame
from spatialmem.types import Frame

COUNT = 6
FORMATS = sorted(WRITERS)
WORDS = ["nan", "-inf", "1e400", "0", "-1", "1e30", "{}", "[", "\n", "99999999999999999999", "rgb/0.png", "-0.5"]
PACKED = ("rosbag", "sens", "stray", "record3d", "lerobot")
"""formats that do not keep each image in an image file; their bad frames are tested beside their other traits"""
OF_IMAGES = [name for name in FORMATS if name.split("-")[0] not in PACKED]


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return walk(COUNT)


@pytest.fixture(scope="module")
def originals(tmp_path_factory, frames) -> dict[str, Path]:
    """One recording of each format, shared by all tests: never written to."""
    root = tmp_path_factory.mktemp("recordings")
    return {name: WRITERS[name](root / name, frames) for name in FORMATS}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> dict[str, Path]:
    """The same with fewer and smaller images, to be damaged many times over."""
    root = tmp_path_factory.mktemp("small")
    return {name: WRITERS[name](root / name, walk(4, 96, 72)) for name in FORMATS}


@pytest.fixture
def copy(originals, tmp_path):
    """A copy of a recording that a test may damage."""

    def make(name: str) -> Path:
        return Path(shutil.copytree(originals[name], tmp_path / originals[name].name))

    return make


@pytest.mark.parametrize("name", FORMATS)
def test_a_recording_is_recognised_and_sound(originals, name):
    reader = read(originals[name])
    kind = name.split("-")[0]
    assert READERS[kind].endswith(f":{type(reader).__name__}")
    assert check_reader(reader) == []
    delivered = list(reader)
    assert reader.report.delivered == len(delivered) == COUNT
    assert reader.report.skipped_total == 0


@pytest.mark.parametrize("name", FORMATS)
def test_frames_are_what_was_recorded(originals, frames, name):
    moved = world_from_room(name, frames)
    for read_back, frame in zip(read(originals[name]), frames, strict=True):
        np.testing.assert_allclose(read_back.world_from_camera, moved @ frame.world_from_camera, atol=2e-6)
        assert pytest.approx(frame.camera.K, abs=1e-5) == read_back.camera.K
        np.testing.assert_allclose(read_back.depth_m, frame.depth_m, atol=DEPTH_TOLERANCE_M.get(name, 6e-4))
        usable = np.ones(frame.rgb.shape[:2], bool) if read_back.valid is None else read_back.valid
        off = np.abs(read_back.rgb.astype(int) - frame.rgb)[usable]
        assert usable.mean() > 0.5
        assert np.median(off) <= 3
        assert (off.max(axis=1) > 40).mean() < 0.03  # edges, where colour is resampled or compressed


@pytest.mark.parametrize("name", FORMATS)
def test_poses_and_depth_of_neighbours_agree(originals, name):
    delivered = list(read(originals[name]))
    for a, b in zip(delivered, delivered[1:], strict=False):
        found = depth_agreement(a, b)
        assert found.overlap > 0.5
        assert found.median_m < 0.02
        assert found.within_5cm > 0.9


@pytest.mark.parametrize("name", FORMATS)
def test_up_is_up_where_it_is_declared(originals, frames, name):
    up = read(originals[name]).up_in_world
    if up is not None:
        np.testing.assert_allclose(up, world_from_room(name, frames)[:3, 2], atol=1e-9)


@pytest.mark.parametrize("name", FORMATS)
def test_random_access_repeats_exactly_in_any_order(originals, name):
    reader = read(originals[name])
    if reader.is_stream:
        with pytest.raises(TypeError, match="stream"):
            reader[0]
        return
    first = [reader[i] for i in range(len(reader))]
    order = [*range(len(reader)), *range(len(reader))]
    random.Random(3).shuffle(order)
    assert all(same_frame(reader[i], first[i]) for i in order)
    assert all(same_frame(a, b) for a, b in zip(reader, first, strict=True))
    assert same_frame(reader[-1], first[-1])
    assert all(same_frame(a, b) for a, b in zip(read(originals[name]), first, strict=True))


@pytest.mark.parametrize("name", FORMATS)
def test_session_is_the_name_of_the_recording(originals, name, monkeypatch):
    path = originals[name]
    assert {frame.session_id for frame in read(path)} == {path.name}
    monkeypatch.chdir(path.parent)
    assert read(path.name).session_id == read(f"./{path.name}/").session_id == path.name


@pytest.mark.parametrize("name", FORMATS)
def test_session_is_the_readers_option(originals, name):
    assert {frame.session_id for frame in read(originals[name], session_id="tuesday")} == {"tuesday"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_copy_is_the_same_recording_and_another_is_not(originals, tmp_path, name):
    path = originals[name]
    (shutil.copytree if path.is_dir() else shutil.copyfile)(path, tmp_path / f"copy{path.suffix}")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    known = read(path).recording_id
    assert known == read(tmp_path / f"copy{path.suffix}", format=name.split("-")[0]).recording_id
    assert {frame.recording_id for frame in read(path)} == {known}
    shorter = walk(5)
    assert read(WRITERS[name](tmp_path / "one" / path.name, shorter)).recording_id == known
    assert read(WRITERS[name](tmp_path / "two" / path.name, shorter[1:])).recording_id not in (known, None)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_recordings_that_begin_at_the_same_pose_and_time_differ(tmp_path, name):
    """As where the first camera makes the world and the format has no stamps."""
    names = set()
    for i, frame in enumerate((walk(1)[0], walk(30)[29])):
        moved = dataclasses.replace(frame, world_from_camera=np.eye(4), stamp_ns=10**9)
        names.add(read(WRITERS[name](tmp_path / str(i) / "room", [moved])).recording_id)
    assert len(names) == 2 and None not in names


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_damaged_first_image_makes_no_other_recording(copy, originals, name):
    path = copy(name)
    first = images(path, depth=False)[0]
    first.write_bytes(bytes(first.stat().st_size))
    assert len(list(read(path))) == COUNT - 1
    assert read(path).recording_id == read(originals[name]).recording_id


@pytest.mark.parametrize("name", OF_IMAGES)
@pytest.mark.parametrize("damage", ["truncated colour", "truncated depth", "missing depth", "text for colour", "empty"])
def test_an_unreadable_file_costs_one_frame(copy, frames, name, damage):
    path = copy(name)
    file = images(path, "depth" in damage)[2]
    if damage == "missing depth":
        file.unlink()
    elif damage == "text for colour":
        file.write_text("not an image\n" * 50)
    else:
        file.write_bytes(file.read_bytes()[: 0 if damage == "empty" else int(file.stat().st_size * 0.9)])
    if name == "7scenes" and damage == "missing depth":  # frames are listed by their depth images
        assert len(list(read(path))) == COUNT - 1
        return
    assert_one_bad(path, BadReason.UNREADABLE, file.name, frames)


@pytest.mark.parametrize("name", OF_IMAGES)
@pytest.mark.parametrize("depth", [False, True])
def test_an_image_of_another_size_costs_one_frame(copy, frames, tmp_path, name, depth):
    path = copy(name)
    other = WRITERS[name](tmp_path / "small", walk(COUNT, 80, 60))
    file = images(path, depth)[2]
    smaller = images(other, depth or name == "scannet")[2]  # colour of that one has a fixed size here
    file.write_bytes(smaller.read_bytes())
    assert_one_bad(path, BadReason.SIZE_MISMATCH, "80 x 60", frames)


@pytest.mark.parametrize("value", ["nan", "-inf"])
@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_lost_pose_costs_one_frame(copy, frames, name, value):
    path = copy(name)
    lose_pose(path, name, 2, value)
    if name == "tum":  # poses are interpolated: the neighbours in time bridge a short gap, not a long one
        assert len(list(read(path, max_pose_gap_s=1.0))) == COUNT
    assert_one_bad(path, BadReason.LOST_POSE, "", frames)


@pytest.mark.parametrize("name", ["folder", "tum"])
def test_time_going_backwards_is_counted(copy, name):
    path = copy(name)
    if name == "tum":
        first, *_ = list_lines(path / "rgb.txt")[1:]
        second = list_lines(path / "depth.txt")[1]
        (path / "rgb.txt").unlink()
        (path / "depth.txt").unlink()
        (path / "associations.txt").write_text(f"{first} {second}\n" * 2)
        reader = read(path)
    else:
        lines = list_lines(path / "poses.txt")
        lines[3] = lines[2].split()[0] + " " + lines[3].split(maxsplit=1)[1]
        (path / "poses.txt").write_text("\n".join(lines))
        reader = read(path)
    delivered = list(reader)
    assert reader.report.skipped == {BadReason.TIME_BACKWARDS: 1}
    assert len(delivered) == len(reader) - 1
    with pytest.raises(BadFrame, match="time going backwards"):
        list(read(path, strict=True))


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_recording_without_a_usable_frame_is_an_error(copy, name):
    path = copy(name)
    for file in images(path, True):
        file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(SpatialMemError, match="no frame of .* can be used(.|\n)*unreadable file: 6"):
        list(read(path))


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_never_does_more_than_an_error_or_a_skip(small, name, data):
    with tempfile.TemporaryDirectory() as folder:
        source = small[name]
        path = Path(folder) / source.name
        if source.is_dir():
            shutil.copytree(source, path)
        else:
            shutil.copy(source, path)
        files = sorted(p for p in path.rglob("*") if p.is_file()) or [path]
        for _ in range(data.draw(st.integers(1, 3))):
            file = data.draw(st.sampled_from(files))
            if file.exists():
                damage_file(file, data)
        assert_survives(path)


def damage_file(file: Path, data) -> None:
    content = bytearray(file.read_bytes())
    kind = data.draw(st.sampled_from(["cut", "flip", "delete", "garbage", "text", "words", "double"]))
    if kind == "cut":
        content = content[: data.draw(st.integers(0, len(content)))]
    elif kind == "flip" and content:
        for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
            content[at] ^= data.draw(st.integers(1, 255))
    elif kind == "garbage":
        content = bytearray(data.draw(st.binary(max_size=200)))
    elif kind == "text":
        content = bytearray(data.draw(st.text(max_size=100)).encode("utf-8", "surrogatepass"))
    elif kind == "words":
        content = bytearray(" ".join(data.draw(st.lists(st.sampled_from(WORDS), max_size=40))).encode())
    elif kind == "double":
        content = content + content
    if kind == "delete":
        file.unlink()
    else:
        file.write_bytes(bytes(content))


def assert_survives(path: Path) -> None:
    """Opening, iterating and indexing raise nothing but the library's own errors, and skips are counted."""
    try:
        reader = read(path)
    except SpatialMemError:
        return
    try:
        delivered = list(reader)
    except SpatialMemError:
        delivered = []
    assert reader.report.delivered == len(delivered)
    if reader.is_stream:
        return
    if delivered:
        assert len(delivered) + reader.report.skipped_total == len(reader)
    for i in range(len(reader)):
        try:
            assert isinstance(reader[i], Frame)
        except BadFrame as bad:
            assert str(bad)


def images(path: Path, depth: bool) -> list[Path]:
    """Colour or depth images of a recording, in order."""
    files = [p for p in path.rglob("*") if p.suffix in (".png", ".jpg")]
    return sorted(p for p in files if ("depth" in p.relative_to(path).as_posix()) == depth)


def list_lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def lose_pose(path: Path, name: str, index: int, value: str) -> None:
    """Replace the pose of one frame by `value`, as the format would have it."""
    row = " ".join([value] * 4)
    separate = {"7scenes": f"frame-{index:06d}.pose.txt", "scannet": f"pose/{index}.txt"}
    if name in separate:
        (path / separate[name]).write_text(f"{row}\n" * 4)
        return
    file = path / {"redwood": "trajectory.log", "replica": "traj.txt", "tum": "groundtruth.txt"}.get(name, "poses.txt")
    lines = list_lines(file)
    if name == "redwood":
        lines[5 * index + 1 : 5 * index + 5] = [row] * 4
    elif name in ("tum", "folder"):
        lines[index + 1] = lines[index + 1].split()[0] + f" {value}" * 7
    else:
        lines[index] = " ".join([row] * 4)
    file.write_text("\n".join(lines) + "\n")
