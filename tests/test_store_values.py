"""Values that no release writes, in rows whose checksum was made anew: refused by name, and named by the check."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import memory_helpers as mh
import numpy as np
import pytest
from test_equality import walk

from spatialmem.errors import MemoryFileError
from spatialmem.memory import SpatialMemory
from spatialmem.store.records import pose_bytes
from spatialmem.store.schema import TABLES, row_crc


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """A memory in which every table but evictions has rows."""
    path = tmp_path_factory.mktemp("sound") / "a.mem"
    with mh.create(path, walk(12), checkpoint_frames=5) as memory:
        memory.declare_up((0, 0, 1))
        pose = memory.trajectory()[1].map_from_camera.copy()
        pose[0, 3] += 0.2
        memory.correct_poses({2: pose})
        memory.forget(frames=[3])
    return path


def write(path: Path, table: str, column: str, value, where: str = "1") -> None:
    """Put a value into the last row of a table, and make its checksum anew."""
    (known,) = (t for t in TABLES if t.name == table)
    connection = sqlite3.connect(path)
    (rowid,) = connection.execute(f"SELECT max(rowid) FROM {table} WHERE {where}").fetchone()
    connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, rowid))
    row = connection.execute(f"SELECT {', '.join(known.names)} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
    connection.execute(f"UPDATE {table} SET crc = ? WHERE rowid = ?", (row_crc(row), rowid))
    connection.commit()
    connection.close()


def pose(scale: float = 1.0, **entries: float) -> bytes:
    matrix = np.eye(4)
    matrix[:3, :3] *= scale
    for name, value in entries.items():
        matrix[int(name[1]), int(name[2])] = value
    return pose_bytes(matrix)


@pytest.mark.parametrize(
    ("table", "column", "value", "words"),
    [
        ("keyframes", "stamp_ns", "noon", "stamp_ns is str, not int"),
        ("keyframes", "stamp_ns", -1, "stamp_ns is -1"),
        ("keyframes", "residual_m", float("inf"), "residual_m is inf"),
        ("free_blocks", "lsn", 2**63 - 1, "lsn is 9223372036854775807"),
        ("surface_blocks", "lsn", 2**32, "lsn is 4294967296"),
        ("keyframes", "reason", b"x", "reason is bytes, not str"),
        ("keyframes", "world_from_camera", pose(m03=float("nan")), "pose of frame 12 .* no rigid transform"),
        ("keyframes", "world_from_camera", pose(scale=1.1), "no rigid transform"),
        ("keyframes", "world_from_camera", pose(m00=-1.0), "no rigid transform"),
        ("keyframes", "world_from_camera", pose(m30=0.5), "no rigid transform"),
        ("pose_revisions", "world_from_camera", bytes(128), "revised pose of frame 2 .* no rigid transform"),
        ("anchors", "map_from_session", pose(m13=float("inf")), "anchor of main .* no rigid transform"),
        ("anchors", "revision", 0.5, "revision is float, not int"),
        ("cameras", "fx", "wide", "fx is str, not float"),
        ("cameras", "width", 2**63 - 1, "given 9223372036854775807 x .* 65500 at most"),
        ("surface_blocks", "data", "text", "data is str, not bytes"),
        ("surface_blocks", "lsn", -1, "lsn is -1"),
        ("sightings", "cells", "text", "cells is str, not bytes"),
        ("departed", "x", None, "x is NULL"),
        ("departed", "red", "red", "red is str, not int"),
        ("tombstones", "what", "[]", "tombstones is damaged"),
        ("tombstones", "what", '{"asked": {}, "erased": [[1, 99999999999]]}', "tombstones is damaged"),
        ("row_counts", "rows", -3, "rows is -3"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_is_refused_on_opening(sound, tmp_path, table, column, value, words):
    path = Path(shutil.copyfile(sound, tmp_path / "a.mem"))
    write(path, table, column, value)
    for mode in ("r", "a"):
        with pytest.raises(MemoryFileError, match=words):
            SpatialMemory.open(path, mode)
    assert mh.names(path) == {""}


@pytest.mark.parametrize(
    ("key", "value"),
    [("encoder_dim", "-5"), ("encoder_dim", "1e9"), ("encoder_dim", "99999999999999999999"), ("up_in_map", "[]"),
     ("up_in_map", '{"up": [0, 0, 0]}'), ("up_in_map", "not JSON"), ("encoder_dim", None)],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_refused_on_opening(sound, tmp_path, key, value):
    path = Path(shutil.copyfile(sound, tmp_path / "a.mem"))
    write(path, "meta", "value", value, f"key = '{key}'")
    with pytest.raises(MemoryFileError, match=key):
        SpatialMemory.open(path)


@pytest.mark.parametrize(("column", "value", "words"), [("colour", None, "is missing"), ("depth", "text", "not bytes")])
def test_a_frame_that_cannot_be_is_named(sound, tmp_path, column, value, words):
    path = Path(shutil.copyfile(sound, tmp_path / "a.mem"))
    write(path, "frames", column, value)
    with SpatialMemory.open(path) as memory:
        assert any(column in line and words in line for line in memory.check())
        with pytest.raises(MemoryFileError, match=words):
            memory.keyframe(12)


def test_images_are_as_large_as_their_camera(sound, tmp_path):
    """Kernels go by the camera's size: images of another would be read beyond their end."""
    path = Path(shutil.copyfile(sound, tmp_path / "a.mem"))
    write(path, "cameras", "width", 4096)
    with SpatialMemory.open(path) as memory, pytest.raises(MemoryFileError, match="not as large as its camera says"):
        memory.keyframe(12)
    with pytest.raises(MemoryFileError, match="not as large as its camera says, 4096 x"):
        SpatialMemory.repair(path)


@pytest.mark.parametrize("tag", ["late", b"", 2**40])
def test_a_rebuild_within_a_budget_replaces_tags_that_cannot_be(tmp_path, tag):
    path = tmp_path / "a.mem"
    with mh.create(path, walk(6), file_bytes=64 << 20) as memory:
        hashed = memory.canonical_hash()
    write(path, "surface_blocks", "lsn", tag)
    with pytest.raises(MemoryFileError, match="lsn is"):
        SpatialMemory.open(path)
    SpatialMemory.repair(path)
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == hashed and memory.check() == []


def test_what_opening_does_not_need_is_named_by_the_check(sound, tmp_path):
    path = Path(shutil.copyfile(sound, tmp_path / "a.mem"))
    write(path, "sessions", "ordinal", "first")
    with SpatialMemory.open(path) as memory:
        assert memory.check() == ["row 'main' of sessions: ordinal is str, not int"]
