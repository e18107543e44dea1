"""The memory file: what is written is there, whatever happens to the process, the folder or the bytes."""

from __future__ import annotations

import dataclasses
import sqlite3
import struct
import threading
import zlib

import numpy as np
import pytest
import store_helpers as sh

from spatialmem.errors import InvalidValue, MemoryFileError, ReadOnlyMemory
from spatialmem.store import codec, schema
from spatialmem.store.file import MemoryFile
from spatialmem.store.rows import AnchorRow, BlockRow, CheckpointRow, SessionRow, block_coordinates, block_key


@pytest.fixture
def path(tmp_path):
    (tmp_path / "memory folder").mkdir()
    return tmp_path / "memory folder" / "kitchen #1?.mem"


def assert_frame(file: MemoryFile, lsn: int) -> None:
    (row,) = [row for row in file.keyframes(lsn - 1) if row.lsn == lsn]
    expected = sh.frame_row(lsn)
    for field in dataclasses.fields(row):
        before, after = getattr(expected, field.name), getattr(row, field.name)
        assert np.array_equal(before, after) if isinstance(before, np.ndarray) else before == after, field.name
    assert file.blobs(lsn) == sh.frame_blobs(lsn)
    assert file.vector(lsn) == sh.frame_vector(lsn)
    assert file.cells(lsn) == sh.frame_cells(lsn)


def test_what_is_appended_is_read_back(path):
    with sh.new_memory(path, frames=3) as file:
        sh.append(file, 4, departed=[sh.departed(4)], surface=sh.surface_rows(4), free=sh.free_rows(4),
                  checkpoint=CheckpointRow(3, 5, 99))  # fmt: skip
        assert (file.last_lsn, file.base_lsn, file.mode_detail) == (4, 3, "writer")
    for mode in ("r", "a"):
        with MemoryFile.open(path, mode) as file:
            assert [row.lsn for row in file.keyframes()] == [1, 2, 3, 4]
            for lsn in range(1, 5):
                assert_frame(file, lsn)
            assert list(file.surface_blocks()) == sorted(sh.surface_rows(4), key=lambda row: row.key)
            assert list(file.free_blocks()) == sorted(sh.free_rows(4), key=lambda row: row.key)
            assert file.departed() == [dataclasses.replace(sh.departed(4), id=1)]
            assert file.sessions() == [SessionRow("main", 0, "world")]
            assert file.checkpoints() == [CheckpointRow(3, 5, 99)]
            assert file.meta() == sh.meta() and file.get_meta("no such key") is None
            assert [lsn for lsn, _ in file.vectors()] == [lsn for lsn, _ in file.all_cells()] == [1, 2, 3, 4]
            assert [lsn for lsn, _ in file.all_cells(after_lsn=2)] == [3, 4]
            assert (file.last_lsn, file.base_lsn) == (4, 3)
            assert file.integrity() == []


def test_blobs_decode_to_what_was_seen(path):
    with sh.new_memory(path, frames=1) as file:
        blobs = file.blobs(1)
    rgb, depth_m, valid, features = sh.frame_arrays(1)
    assert np.abs(codec.decode_colour(blobs.colour).astype(int) - rgb).mean() < 8
    np.testing.assert_allclose(codec.decode_depth(blobs.depth), np.where(depth_m > 0, depth_m, np.nan), rtol=3e-7)
    assert np.array_equal(codec.decode_mask(blobs.mask, 24, 32), valid)
    assert np.abs(codec.decode_features(blobs.features) - features).max() < 0.005


def test_rgb_only_frame(path):
    with sh.new_memory(path) as file:
        blobs = dataclasses.replace(sh.frame_blobs(1), depth=None, mask=None, features=None, examined=None)
        file.append_frame(dataclasses.replace(sh.frame_row(1), encoded=False), blobs)
        assert file.blobs(1) == blobs and file.vector(1) is None and file.cells(1) is None
        assert file.integrity() == []


def test_pragmas_are_the_documented_ones(path):
    sh.new_memory(path, frames=1).close()
    assert [name.name for name in path.parent.iterdir()] == [path.name]
    connection = sqlite3.connect(path)
    values = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version", "page_size", "auto_vacuum", "journal_mode")
    }
    connection.close()
    expected = {"application_id": 0x534D454D, "user_version": 1, "page_size": 16384, "auto_vacuum": 2}
    assert values == {**expected, "journal_mode": "wal"}


def test_documented_queries_run(path):
    with sh.new_memory(path, frames=2, blocks=True) as file:
        where = file.sql(
            "SELECT datetime(stamp_ns / 1000000000, 'unixepoch') AS t, camera_id, reason FROM keyframes ORDER BY lsn"
        )
        assert where.columns == ("t", "camera_id", "reason")
        assert where.rows[0] == ("1970-01-01 00:00:01", "camera", "novelty")
        blocks = file.sql(
            "SELECT (key >> 42) - 1048576 AS bx, ((key >> 21) & 2097151) - 1048576 AS by_, (key & 2097151) - 1048576 "
            "AS bz FROM surface_blocks ORDER BY key"
        )
        assert blocks.rows == [(i, -i, 7) for i in range(3)]


def test_block_keys_round_trip_and_order():
    low, high = -(1 << 20), (1 << 20) - 1
    corners = [(x, y, z) for x in (low, -1, 0, high) for y in (low, 0, high) for z in (low, 3, high)]
    keys = [block_key(*corner) for corner in corners]
    assert [block_coordinates(key) for key in keys] == corners
    assert keys == sorted(keys) and keys[0] == 0 and keys[-1] < 2**63


def test_sql_only_reads(path):
    with sh.new_memory(path, frames=1) as file:
        for query in ("DELETE FROM keyframes", "PRAGMA journal_mode = DELETE", "ATTACH ':memory:' AS other",
                      "SELECT 1; DROP TABLE frames", "SELEC 1", "SELECT * FROM nothing", "CREATE TABLE x(a)",
                      "SELECT load_extension('x')", "VACUUM", ""):  # fmt: skip
            with pytest.raises(InvalidValue):
                file.sql(query)
        assert file.sql("SELECT length(colour) > 0 FROM frames WHERE lsn = ?", (1,)).rows == [(1,)]
        assert file.sql("SELECT colour FROM frames").rows[0][0] == sh.frame_blobs(1).colour
        with pytest.raises(InvalidValue):
            file.sql("SELECT ?", ())


def test_sql_is_bounded_in_time(path):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with sh.new_memory(path) as file, pytest.raises(InvalidValue, match="longer than 0.05 s"):
        file.sql(endless, timeout_s=0.05)


def test_changes_are_refused_where_they_make_no_sense(path):
    with sh.new_memory(path, frames=2) as file:
        with pytest.raises(InvalidValue, match="lsn 3"):
            sh.append(file, 2)
        with pytest.raises(InvalidValue, match="stored once"):
            again = dataclasses.replace(sh.frame_row(3), seq=sh.frame_row(1).seq)
            file.append_frame(again, sh.frame_blobs(3))
        with pytest.raises(InvalidValue, match="add_session"):
            file.append_frame(dataclasses.replace(sh.frame_row(3), session_id="other"), sh.frame_blobs(3))
        with pytest.raises(InvalidValue, match="does not fit"):
            file.append_frame(dataclasses.replace(sh.frame_row(3), seq=2**70), sh.frame_blobs(3))
        with pytest.raises(InvalidValue, match="departed"):
            sh.append(file, 3, closed_departed=[7])
        with pytest.raises(InvalidValue, match="no row 9"):
            file.blobs(9)
        sh.append(file, 3)
        assert file.last_lsn == 3 and file.integrity() == []


def test_a_failing_part_takes_the_whole_frame_with_it(path):
    def broken():
        yield sh.surface_rows(2)[0]
        raise RuntimeError("packing failed")

    with sh.new_memory(path, frames=1) as file:
        with pytest.raises(RuntimeError):
            sh.append(file, 2, surface=broken())
        counts = file.sql("SELECT (SELECT count(*) FROM keyframes), (SELECT count(*) FROM surface_blocks)").rows
        assert counts == [(1, 0)] and file.last_lsn == 1
        sh.append(file, 2)
        assert file.integrity() == []


def test_sessions_and_anchors(path):
    with sh.new_memory(path, frames=2) as file:
        moved = np.eye(4)
        moved[0, 3] = 2.0
        file.add_session(SessionRow("second", 1, "odom"))
        assert {anchor.session_id for anchor in file.anchors()} == {"main"}
        file.add_anchor(AnchorRow("second", 0, moved, 3, "declared"))
        file.add_anchor(AnchorRow("second", 1, np.eye(4), 5, "loop closure"))
        first, second = [anchor for anchor in file.anchors() if anchor.session_id == "second"]
        assert (first.valid_from, first.valid_to, second.valid_to) == (3, 5, None)
        assert np.array_equal(first.map_from_session, moved)
        with pytest.raises(InvalidValue):
            file.add_anchor(AnchorRow("second", 1, moved, 6, "twice"))
        with pytest.raises(MemoryFileError):
            file.add_session(SessionRow("second", 2, "odom"))
        assert file.integrity() == []


def test_departed_rows_close(path):
    with sh.new_memory(path, frames=1) as file:
        sh.append(file, 2, departed=[sh.departed(2), sh.departed(2)])
        sh.append(file, 3, closed_departed=[1], departed=[sh.departed(3)])
        assert [(row.id, row.valid_from, row.valid_to) for row in file.departed()] == [(1, 2, 3), (2, 2, None),
                                                                                      (3, 3, None)]  # fmt: skip
        file.close_departed([2], 3)
        assert file.departed()[1].valid_to == 3 and file.integrity() == []


def test_replacing_layers_is_all_or_nothing(path):
    def failing():
        yield sh.surface_rows(2)[0]
        raise RuntimeError("rebuild interrupted")

    with sh.new_memory(path, frames=2, blocks=True) as file:
        before = list(file.surface_blocks())
        with pytest.raises(RuntimeError):
            file.replace_layers(surface=failing())
        assert list(file.surface_blocks()) == before and file.base_lsn == 2
        file.replace_layers(surface=[BlockRow(5, 1, 1, sh.surface_rows(1)[0].data)], cells=[(2, sh.frame_cells(1))],
                            departed=[sh.departed(1)], checkpoint=CheckpointRow(1, 1, 1))  # fmt: skip
        assert [row.key for row in file.surface_blocks()] == [5] and list(file.free_blocks()) == []
        assert list(file.all_cells()) == [(2, sh.frame_cells(1))] and file.base_lsn == 1
        file.replace_layers()
        assert list(file.surface_blocks()) == [] and file.departed() == [] and file.base_lsn == 0
        assert [row.lsn for row in file.keyframes()] == [1, 2]
        assert ["2 frames with depth have no row in sightings" in line for line in file.integrity()] == [True]


def test_many_blocks_are_listed_in_key_order(path):
    data = sh.surface_rows(1)[0].data
    keys = [block_key(x, y, 0) for x in range(-15, 15) for y in range(-12, 12)]
    with sh.new_memory(path, frames=1) as file:
        file.write_checkpoint([BlockRow(key, 1, 1, data) for key in reversed(keys)])
        assert [row.key for row in file.surface_blocks()] == keys
        file.write_checkpoint([BlockRow(keys[0], 2, 1, data)])
        assert [row.lsn for row in file.surface_blocks()][:2] == [2, 1]


def test_sizes_add_up(path):
    with sh.new_memory(path, frames=3, blocks=True) as file:
        sizes = file.sizes()
        blobs = [sh.frame_blobs(lsn) for lsn in (1, 2, 3)]
        content = sum(len(data) for frame in blobs for data in dataclasses.astuple(frame) if isinstance(data, bytes))
        assert content <= sizes["frames"] <= content + 3 * 20
        assert sizes["surface_blocks"] >= sum(len(row.data) for row in sh.surface_rows(3))
        assert sizes["total"] == sizes["file"] + sizes["wal"] + sizes["shm"] and sizes["wal"] > 0
    with MemoryFile.open(path) as file:
        assert file.sizes()["total"] == path.stat().st_size


def test_mode_r_refuses_changes_and_a_closed_file_everything(path):
    sh.new_memory(path, frames=1).close()
    file = MemoryFile.open(path)
    assert file.read_only and file.path == path
    changes = (lambda: sh.append(file, 2), lambda: file.set_meta("a", "b"), file.replace_layers, file.write_checkpoint,
               lambda: file.add_session(SessionRow("x", 1, "w")), lambda: file.close_departed([1], 2))  # fmt: skip
    for change in changes:
        with pytest.raises(ReadOnlyMemory, match="mode='a'"):
            change()
    file.close()
    file.close()
    with pytest.raises(MemoryFileError, match="closed"):
        file.keyframes()


def test_create_refuses_what_is_there(path):
    sh.new_memory(path, frames=1).close()
    before = sh.folder_state(path.parent)
    with pytest.raises(MemoryFileError, match="exists already"):
        MemoryFile.create(path, sh.meta())
    assert sh.folder_state(path.parent) == before
    with pytest.raises(MemoryFileError, match="no folder"):
        MemoryFile.create(path.parent / "missing" / "x.mem", sh.meta())
    stray = path.with_name("other.mem-wal")
    stray.write_bytes(b"left over")
    with pytest.raises(MemoryFileError, match="without it"):
        MemoryFile.create(path.with_name("other.mem"), sh.meta())
    assert stray.read_bytes() == b"left over"


def test_full_disk_leaves_whole_frames_only(path):
    with sh.new_memory(path, frames=2) as file:
        connection = file._writer._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")
        huge = dataclasses.replace(sh.frame_blobs(3), colour=b"\xff\xd8" + bytes(200_000) + b"\xff\xd9")
        with pytest.raises(MemoryFileError, match="disk is full"):
            file.append_frame(sh.frame_row(3), huge, sh.frame_vector(3), sh.frame_cells(3))
        assert file.last_lsn == 2 and [row.lsn for row in file.keyframes()] == [1, 2]
        assert file.sql("SELECT max(lsn) FROM frames").rows == [(2,)] and file.integrity() == []
        connection.execute("PRAGMA max_page_count = 1000000")
        file.append_frame(sh.frame_row(3), huge, sh.frame_vector(3), sh.frame_cells(3))
    with MemoryFile.open(path) as file:
        assert file.last_lsn == 3 and file.integrity() == []


def test_threads_read_while_one_writes(path):
    failures, stop = [], threading.Event()

    def read(file):
        while not stop.is_set():
            rows = file.keyframes()
            if rows and file.blobs(rows[-1].lsn) != sh.frame_blobs(rows[-1].lsn):
                failures.append(rows[-1].lsn)
            if [row.lsn for row in rows] != list(range(1, len(rows) + 1)):
                failures.append(rows)
            file.sql("SELECT count(*) FROM frames")

    with sh.new_memory(path, frames=1) as file:
        threads = [threading.Thread(target=read, args=(file,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for lsn in range(2, 40):
            sh.append(file, lsn)
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures and file.last_lsn == 39
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_every_row_carries_the_documented_checksum(path):
    sh.new_memory(path, frames=1, blocks=True).close()
    connection = sqlite3.connect(path)
    counted = 0
    for table in schema.TABLES:
        for row in connection.execute(f"SELECT * FROM {table.name}"):
            assert schema.row_crc(row[:-1]) == row[-1]
            counted += 1
    connection.close()
    assert counted > 10
    spelled_out = (
        b"n" + b"i" + (-2).to_bytes(8, "little", signed=True) + b"f" + struct.pack("<d", 1.5)
        + b"t" + (2).to_bytes(4, "little") + "é".encode() + b"b" + (1).to_bytes(4, "little") + b"\0"
    )  # fmt: skip
    assert schema.row_crc((None, -2, 1.5, "é", b"\0")) == zlib.crc32(spelled_out)
