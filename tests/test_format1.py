"""A memory written by the first release opens, and holds what it held (tests/data/make_format1.py)."""

from __future__ import annotations

import dataclasses
import gzip
import importlib.util
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from spatialmem.config import MemoryConfig
from spatialmem.store import block_codec, codec
from spatialmem.store.file import MemoryFile

_DATA = Path(__file__).resolve().parent / "data"
_SPEC = importlib.util.spec_from_file_location("make_format1", _DATA / "make_format1.py")
golden = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(golden)


@pytest.fixture(params=["in the repository", "written now"])
def path(request, tmp_path):
    """The file in the repository; and what today's code makes of the same content."""
    path = tmp_path / "format1.mem"
    if request.param == "written now":
        golden.write(path)
    else:
        path.write_bytes(gzip.decompress(golden.GOLDEN.read_bytes()))
    return path


@pytest.fixture(params=["r", "a"])
def file(request, path):
    with MemoryFile.open(path, request.param) as file:
        yield file


def assert_equal_values(found, expected):
    for field in dataclasses.fields(expected):
        before, after = getattr(expected, field.name), getattr(found, field.name)
        assert np.array_equal(after, before) if isinstance(before, np.ndarray) else after == before, field.name


def test_rows(file):
    meta, config = file.meta(), MemoryConfig.from_json(golden.META["config"])
    assert file.integrity() == [] and {**meta, "config": ""} == {**golden.META, "config": ""}
    assert MemoryConfig.from_json(meta["config"]) == config, "what an earlier release did not know has its default"
    assert config.workspace_m == (-5.0, -5.0, -1.0, 5.0, 5.0, 3.0)
    assert file.sessions() == golden.SESSIONS and file.departed() == golden.DEPARTED
    assert (file.last_lsn, file.base_lsn, file.checkpoints()) == (golden.FRAMES, 2, [golden.CHECKPOINT])
    for found, expected in zip(file.anchors(), golden.anchors(), strict=True):
        assert_equal_values(found, expected)
    for lsn, found in enumerate(file.keyframes(), start=1):
        assert_equal_values(found, golden.keyframe(lsn))


def test_recordings_are_none_until_a_frame_names_one(path):
    with MemoryFile.open(path, "a") as file:
        assert file.recordings() == {}
        row = dataclasses.replace(golden.keyframe(golden.FRAMES), lsn=golden.FRAMES + 1, seq=100)
        file.append_frame(row, file.blobs(golden.FRAMES), recording_id="7-0a")
    with MemoryFile.open(path) as file:
        assert file.recordings() == {"évening": "7-0a"} and file.keyframes()[-1].lsn == row.lsn


@pytest.mark.parametrize("lsn", range(1, golden.FRAMES + 1))
def test_frames(file, lsn):
    expected, blobs, camera = golden.frame(lsn), file.blobs(lsn), golden.keyframe(lsn).camera
    rgb = codec.decode_colour(blobs.colour)
    assert rgb.shape == expected["rgb"].shape and np.abs(rgb.astype(int) - expected["rgb"]).mean() < 4
    valid = codec.decode_mask(blobs.mask, camera.height, camera.width)
    assert (valid is None) == (expected["valid"] is None) and np.array_equal(valid, expected["valid"])
    if lsn == 3:
        assert blobs.depth is None and blobs.features is None
    else:
        tolerance_m = 0.000126 if lsn == 4 else 1e-6
        np.testing.assert_allclose(codec.decode_depth(blobs.depth), expected["depth_m"], rtol=0, atol=tolerance_m)
        largest = np.abs(expected["features"]).max()
        difference = np.abs(codec.decode_features(blobs.features) - expected["features"])
        assert difference.max() <= 0.51 * largest / 127
    assert np.array_equal(codec.decode_examined(blobs.examined), np.sort(expected["examined"]))
    assert np.array_equal(codec.decode_vector(file.vector(lsn)), expected["vector"])
    for found, before in zip(codec.decode_cells(file.cells(lsn)), golden.cells(lsn), strict=True):
        assert np.array_equal(found, before)


def test_blocks(file):
    for rows, expected, unpack in (
        (file.surface_blocks(), golden.SURFACE, block_codec.unpack_surface_block),
        (file.free_blocks(), golden.FREE, block_codec.unpack_free_block),
    ):
        found = {row.key: row for row in rows}
        assert list(found) == sorted(expected)
        for key, row in found.items():
            assert (row.lsn, row.codec) == (2, 1)
            assert_equal_values(unpack(row.data), expected[key])


def test_columns_keep_their_names(path):
    """Columns may be added at no place but the end; docs/format.md section 11."""
    connection = sqlite3.connect(path)
    columns = {
        table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    }
    connection.close()
    assert columns["keyframes"] == (
        "lsn session_id camera_id seq stamp_ns camera_ref world_from_camera pose_revision pose_sigma_m pose_sigma_rad "
        "reason pose_suspect encoded agrees seen_through occluded no_return residual_m crc"
    ).split()  # fmt: skip
    assert columns["frames"] == "lsn colour depth mask features examined crc".split()
    assert columns["surface_blocks"] == columns["free_blocks"] == "key lsn codec data crc".split()
    assert sorted(columns) == sorted(
        "meta sessions anchors cameras keyframes frames vectors sightings departed surface_blocks free_blocks "
        "checkpoints row_counts pose_revisions evictions tombstones".split()
    )
