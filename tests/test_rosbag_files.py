"""ROS recordings as files: every storage variant, and files that are damaged in every way."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from bags import DEPTH, KINDS, RGB, BagWriter, write_bag
from rosbags.rosbag2 import CompressionFormat, CompressionMode
from synthetic import room_frames

from spatialmem.errors import MissingDependency, ReadError, SpatialMemError, UnknownName
from spatialmem.io import find_reader, read
from spatialmem.io.ros_bagfile import BagFile
from spatialmem.io.ros_mcap import UnchunkedMcap
from spatialmem.io.rosbag import RosbagReader

FRAMES = room_frames(4, 40, 30)
REPAIR = {"ros1": "rosbag reindex", "sqlite3": "ros2 bag reindex", "mcap": "mcap recover"}


def assert_reads(path, frames=FRAMES, **options) -> RosbagReader:
    reader = read(path, **options)
    assert isinstance(reader, RosbagReader)
    assert len(reader) == len(frames)
    for index in (*range(len(frames)), 1, 0):
        np.testing.assert_array_equal(reader[index].rgb, frames[index].rgb)
        np.testing.assert_allclose(reader[index].depth_m, frames[index].depth_m, atol=6e-4)
        np.testing.assert_allclose(reader[index].world_from_camera, frames[index].world_from_camera, atol=1e-9)
    return reader


def storage_file(path: Path) -> Path:
    """The file that holds the messages."""
    return path if path.is_file() else next(f for f in path.iterdir() if f.suffix in (".db3", ".mcap"))


@pytest.mark.parametrize("kind", KINDS)
def test_found_by_looking(tmp_path, kind):
    path = write_bag(tmp_path / "room", FRAMES, kind)
    assert find_reader(path) is RosbagReader
    assert RosbagReader.recognises(storage_file(path))
    assert not RosbagReader.recognises(tmp_path / "nothing.bag")
    (tmp_path / "empty").mkdir()
    assert not RosbagReader.recognises(tmp_path / "empty")


@pytest.mark.parametrize("kind", ["sqlite3", "mcap"])
def test_storage_without_metadata(tmp_path, kind):
    """A recorder that was killed leaves no metadata.yaml."""
    path = write_bag(tmp_path / "room", FRAMES, kind)
    assert_reads(storage_file(path))
    (path / "metadata.yaml").unlink()
    assert_reads(path)


@pytest.mark.parametrize("mode", ["MESSAGE", "FILE", "STORAGE"])
@pytest.mark.parametrize("kind", ["sqlite3", "mcap"])
def test_compressed_storage(tmp_path, kind, mode):
    if (kind, mode) == ("sqlite3", "STORAGE"):
        pytest.skip("sqlite3 storage has no compression of its own")
    writer_of = BagWriter.__init__

    class Packed(BagWriter):
        def __init__(self, path, kind):
            writer_of(self, path, kind)
            self.writer.set_compression(CompressionMode[mode], CompressionFormat.ZSTD)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bags.BagWriter", Packed)
        path = write_bag(tmp_path / "room", FRAMES, kind)
    assert_reads(path)


def test_consecutive_ros1_bags(tmp_path):
    folder = tmp_path / "split"
    folder.mkdir()
    write_bag(folder / "run_2", FRAMES[:2], "ros1")
    write_bag(folder / "run_10", FRAMES[2:], "ros1")
    assert_reads(folder)


def test_old_sqlite_without_definitions(tmp_path):
    path = write_bag(tmp_path / "room", FRAMES, "sqlite3")
    with sqlite3.connect(storage_file(path)) as base:
        base.execute("update schema set schema_version = 3")
        base.execute("drop table message_definitions")
    base.close()
    assert "no message definitions; those of ROS humble" in str(assert_reads(path, ros_distro="humble").report)
    assert_reads(path)
    with pytest.raises(UnknownName, match="did you mean 'humble'"):
        read(path, ros_distro="humbel")


def _record(opcode: int, content: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(content)) + content


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text.encode())) + text.encode()


def unchunked_copy(bag: Path, target: Path) -> Path:
    """The messages of a bag as an MCAP file without chunks, summary and index, written after the specification."""
    from rosbags.highlevel import AnyReader

    magic = b"\x89MCAP0\r\n"
    with AnyReader([bag]) as source, target.open("wb") as out:
        out.write(magic + _record(0x01, _text("ros2") + _text("test")))
        for number, c in enumerate(source.connections, start=1):
            out.write(
                _record(0x03, struct.pack("<H", number) + _text(c.msgtype) + _text("ros2msg") + _text(c.msgdef.data))
            )
            out.write(_record(0x04, struct.pack("<HH", number, number) + _text(c.topic) + _text("cdr") + _text("")))
        channels = {c.topic: number for number, c in enumerate(source.connections, start=1)}
        for connection, stamp, raw in source.messages():
            head = struct.pack("<HIQQ", channels[connection.topic], 0, stamp, stamp)
            out.write(_record(0x05, head + bytes(raw)))
        out.write(_record(0x0F, b"\0\0\0\0") + _record(0x02, b"\0" * 20) + magic)
    return target


def test_mcap_without_chunks_is_indexed_once(tmp_path):
    path = unchunked_copy(write_bag(tmp_path / "room", FRAMES), tmp_path / "flat.mcap")
    assert UnchunkedMcap.of([path]) is not None
    assert UnchunkedMcap.of([storage_file(tmp_path / "room")]) is None
    assert_reads(path)


def test_messages_still_in_the_write_ahead_log_are_not_left_out_silently(tmp_path):
    path = write_bag(tmp_path / "room", FRAMES, "sqlite3")
    file = storage_file(path)
    file.with_name(file.name + "-wal").write_bytes(b"pending")
    with pytest.raises(ReadError, match="wal_checkpoint"):
        read(path)


def test_a_missing_storage_file_is_named(tmp_path):
    path = write_bag(tmp_path / "room", FRAMES, "mcap")
    shutil.move(storage_file(path), path / "other.mcap")
    with pytest.raises(ReadError, match=r"room\.mcap.*mcap recover"):
        read(path)


def test_rosbags_missing(tmp_path, monkeypatch):
    path = write_bag(tmp_path / "room", FRAMES[:1])
    monkeypatch.setitem(sys.modules, "rosbags.highlevel", None)
    with pytest.raises(MissingDependency, match=r"spatialmem\[ros\]"):
        read(path)


def test_messages_that_do_not_decode_are_counted(tmp_path):
    """One transform and one image are nonsense; the rest is read."""
    with BagWriter(tmp_path / "noise", "mcap") as bag:
        bag.tf(1, ("a", "b", np.eye(4)))
        bag.image(RGB, 2, FRAMES[0].rgb, "rgb8")
        for topic in ("/tf", RGB):
            bag.writer.write(bag.connections[topic], 3, b"\0\1\0\0\xff\xff\xff\xff")
    source = BagFile(bag.path)
    outcomes = []
    for ref, raw in source.scan({"/tf", RGB}):
        try:
            outcomes.append(type(source.decode(ref, raw)).__name__)
        except ReadError as error:
            outcomes.append(str(error).split(" (")[0].rpartition(" ")[2])
    source.close()
    assert outcomes.count("decode") == 2
    assert len(outcomes) == 4


def test_undecodable_transforms_appear_in_the_report(tmp_path):
    path = write_bag(tmp_path / "room", FRAMES)
    with BagWriter(tmp_path / "noise", "mcap") as bag:
        bag.tf(FRAMES[0].stamp_ns, ("odom", "elsewhere", np.eye(4)))
        bag.writer.write(bag.connections["/tf"], 3, b"\0\1\0\0\xff\xff\xff\xff")
    folder = tmp_path / "both"
    folder.mkdir()
    for number, source in enumerate((path, bag.path)):
        shutil.copy(storage_file(source), folder / f"{number}.mcap")
    assert "1 messages of /tf do not decode" in str(assert_reads(folder).report)


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_files(tmp_path, kind):
    """Cut anywhere: an error that names the file and the tool to use, or fewer frames."""
    path = write_bag(tmp_path / "room", FRAMES[:2], kind)
    file = storage_file(path)
    whole = file.read_bytes()
    refused = 0
    for share in (0.0, 0.001, 0.01, 0.2, 0.5, 0.8, 0.95, 0.99, 0.9999):
        file.write_bytes(whole[: int(len(whole) * share)])
        try:
            frames = list(read(path))
            assert len(frames) <= 2
        except ReadError as error:
            refused += 1
            assert file.name in str(error) or path.name in str(error)
            assert REPAIR[kind] in str(error) or "no frame of" in str(error)
    assert refused >= 8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_flipped_bits(tmp_path, kind, seed):
    """Whatever is flipped: our own errors, or frames that keep the contract; never another exception."""
    path = write_bag(tmp_path / "room", FRAMES[:2], kind)
    file = storage_file(path)
    whole = np.frombuffer(file.read_bytes(), np.uint8)
    rng = np.random.default_rng(seed)
    for trial in range(12):
        damaged = whole.copy()
        # near the ends, where headers and indexes lie, in every second trial
        places = rng.integers(0, len(whole), 1 + trial)
        if trial % 2:
            places = np.where(rng.random(places.size) < 0.5, places % 4096, len(whole) - 1 - places % 4096)
        damaged[places % len(whole)] ^= rng.integers(1, 256, places.size).astype(np.uint8)
        file.write_bytes(damaged.tobytes())
        try:
            reader = read(path)
            delivered = len(list(reader))
            assert delivered + reader.report.skipped_total == len(reader)
        except SpatialMemError as error:
            assert str(error)


@pytest.mark.parametrize("name", ["bad.bag", "bad.mcap", "bad.db3"])
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"#ROSBAG V1.2\n", b"\x89MCAP0\r\n", b"SQLite format 3\0"])
def test_files_that_are_no_bags(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ReadError, match=name):
        read(path)


def test_definitions_that_lack_a_field(tmp_path):
    """A definition is part of the file and may be damaged like the rest of it."""
    file = storage_file(write_bag(tmp_path / "room", FRAMES[:1]))
    file.write_bytes(file.read_bytes().replace(b"uint32 height", b"uint32 weight"))
    with pytest.raises(ReadError, match="defines sensor_msgs/msg/.* without height"):
        read(file)


def test_folder_with_broken_metadata(tmp_path):
    path = write_bag(tmp_path / "room", FRAMES[:1], "mcap")
    for text in ("", "rosbag2_bagfile_information: 3", "a: [", "rosbag2_bagfile_information: {version: 99}"):
        (path / "metadata.yaml").write_text(text)
        with pytest.raises(ReadError, match="room"):
            read(path)


def test_depth_topic_of_the_wrong_kind_is_refused_by_its_frames(tmp_path):
    path = write_bag(tmp_path / "room", FRAMES[:2])
    with pytest.raises(ReadError, match="is no depth; expected 16UC1"):
        list(read(path, depth_topic=RGB))
    with pytest.raises(ReadError, match="is no colour"):
        list(read(path, rgb_topic=DEPTH, depth_topic=DEPTH))
