"""A file budget holds for rows of megabytes, too: storing, erasing, scrubbing; and Ctrl-C reaches who pressed it."""

from __future__ import annotations

import _thread
import dataclasses
import gc
import importlib
import shutil
import sqlite3
import threading

import budget_helpers as bh
import memory_helpers as mh
import numpy as np
import pytest
import store_helpers as sh

from spatialmem.errors import MemoryFileError, OutOfRoom
from spatialmem.memory import SpatialMemory
from spatialmem.store import room as room_module
from spatialmem.store import schema as sch
from spatialmem.store.file import MemoryFile
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.queries import disk_sizes
from spatialmem.store.room import Room, wal_bytes_of
from spatialmem.store.rows import CorrectedLayers, TombstoneRow

LIMIT = 8 << 20
NOTHING = CorrectedLayers((), (), {}, frozenset(), (), (), (), {})
PENDING = "SELECT count(*) FROM meta WHERE key = 'scrub_pending'"


@pytest.fixture
def file(tmp_path):
    with sh.new_memory(tmp_path / "a.mem", frames=3) as file:
        file.keep_within(LIMIT)
        yield file


def noise(megabytes: float, seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(int(megabytes * (1 << 20)))


def store(file: MemoryFile, lsn: int, megabytes: float) -> None:
    """A frame whose colour alone takes so much."""
    blobs = dataclasses.replace(sh.frame_blobs(lsn), colour=noise(megabytes, lsn))
    with file._writer.room.expecting(wal_bytes_of([len(blobs.colour)])):
        file.append_frame(sh.frame_row(lsn), blobs, sh.frame_vector(lsn), sh.frame_cells(lsn))


def fill(file: MemoryFile, rows: int, megabytes: float) -> None:
    """Vectors of frames that are not there, as many transactions."""
    for n in range(1000, 1000 + rows):
        values = sch.with_crc((n, noise(megabytes, n)))
        file.change("testing", lambda connection, values=values: connection.execute(sch.VECTORS.insert, values))
    file._writer.room.fold()


def total(file: MemoryFile) -> int:
    """The wal of a transaction stays on disk when that has been rolled back: this is the most there was."""
    return disk_sizes(file.path)["total"]


# --- one statement that writes much


def test_erasing_a_long_row_is_refused_before_the_wal_holds_it(file):
    store(file, 4, 3.0)
    file._writer.room.fold()
    fill(file, 5, 0.4)
    with pytest.raises(OutOfRoom, match="nothing of it was written"):
        file.erase(TombstoneRow(4, "{}", LsnRanges.of((4,))), NOTHING)
    assert total(file) <= LIMIT
    assert len(file.blobs(4).colour) == 3 << 20 and file.tombstones() == []


def test_storing_a_long_row_that_was_not_told_is_refused_before_the_wal_holds_it(file):
    store(file, 4, 3.4)
    file._writer.room.fold()
    fill(file, 4, 0.4)
    file.change("testing", lambda connection: connection.execute("DELETE FROM frames WHERE lsn = 4"))
    file._writer.room.fold()
    blobs = dataclasses.replace(sh.frame_blobs(5), colour=noise(3.4, 5))  # free pages have room for it
    with pytest.raises(OutOfRoom):
        file.append_frame(sh.frame_row(5), blobs)
    assert total(file) <= LIMIT and file.last_lsn == 4
    sh.append(file, 5)


# --- writing anew


def erased(file: MemoryFile, first: int, count: int) -> None:
    """Delete vectors, overwriting them, as erasing does; scrubbing is pending then."""
    with file._writer.erasing("testing", wal_bytes_of([20_000] * count)) as connection:
        connection.execute("DELETE FROM vectors WHERE lsn >= ? AND lsn < ?", (first, first + count))
        connection.execute(sch.META.replace, sch.with_crc((sch.SCRUB_PENDING, "yes")))


def test_the_wal_that_erasing_left_counts_when_the_file_is_written_anew(file):
    fill(file, 180, 0.02)
    erased(file, 1000, 64)
    most = [0]
    file._writer._connection.set_trace_callback(lambda _: most.append(max(most.pop(), total(file))))
    assert disk_sizes(file.path)["wal"] > 1 << 20
    file.scrub()
    assert most[0] <= LIMIT and file.get_meta(sch.SCRUB_PENDING) is None


def test_long_rows_of_a_full_file_are_written_anew_one_by_one(file):
    fill(file, 11, 0.5)
    with file._writer.erasing("testing") as connection:
        connection.execute("DELETE FROM vectors WHERE lsn = 1003")
        connection.execute(sch.META.replace, sch.with_crc((sch.SCRUB_PENDING, "yes")))
    old = [noise(0.5, 1003)[at : at + 24] for at in range(20, 500_000, 17_000)]
    file.scrub()
    data = file.path.read_bytes()
    assert [piece for piece in old if piece in data] == []
    assert file.get_meta(sch.SCRUB_PENDING) is None and total(file) <= LIMIT


def test_what_has_no_room_to_be_written_anew_stays_pending(file, caplog):
    store(file, 4, 3.0)
    file._writer.room.fold()
    fill(file, 4, 0.4)
    file.set_meta(sch.SCRUB_PENDING, "yes")
    with pytest.raises(MemoryFileError, match="the frames are erased, but bytes of them may be left"):
        file.scrub()
    assert total(file) <= LIMIT and file.get_meta(sch.SCRUB_PENDING) == "yes"
    file.try_scrub()
    assert "call forget() again" in caplog.text


def test_a_file_that_cannot_be_scrubbed_now_is_opened_and_used_all_the_same(tmp_path, monkeypatch, caplog):
    path = tmp_path / "a.mem"
    with bh.create(path) as memory:
        mh.observe_all(memory, bh.stream(0, 3))
        memory._keeper.file.set_meta(sch.SCRUB_PENDING, "yes")

    def full(writer):
        raise OutOfRoom("no room")

    with monkeypatch.context() as patch:
        patch.setattr("spatialmem.store.writer.Writer.rewrite", full)
        with SpatialMemory.open(path, "a") as memory:
            assert "the frames are erased, but bytes of them may be left" in caplog.text
            mh.observe_all(memory, bh.stream(3, 1))
    with SpatialMemory.open(path, "a") as memory:
        assert memory.sql(PENDING) == [(0,)] and len(memory.trajectory()) == 4


def large(seq: int):
    """A frame of 640 x 480 pixels of noise, whose images take 0.65 MB."""
    rng = np.random.default_rng(seq)
    frame = mh.frame_at((-0.6, 0, 1.2), (1, 0, -0.2), 0, bh.BEFORE, (640, 480))
    depth_m = frame.depth_m + rng.normal(0, 0.004, frame.depth_m.shape).astype(np.float32)
    return mh.at(frame, seq, rgb=rng.integers(0, 256, frame.rgb.shape, np.uint8), depth_m=depth_m)


def test_forgetting_frames_with_large_images_in_a_full_file_stays_within_the_bound(tmp_path):
    path = tmp_path / "a.mem"
    with bh.create(path) as memory, bh.watched(memory):
        mh.observe_all(memory, map(large, range(12)))
        kept = sorted({k.lsn for k in memory.trajectory()} - bh.evicted(memory))
        lsns = kept[-3:]
        assert memory.sql("SELECT min(length(colour) + length(depth)) FROM frames")[0][0] > 600_000 and len(kept) >= 6
        where = f"WHERE lsn IN ({', '.join(map(str, lsns))})"
        blobs = [blob for row in memory.sql(f"SELECT colour, depth FROM frames {where}") for blob in row]
        pieces = [blob[at:][:24] for blob in blobs for at in (1000, 3000, 12_000, *range(20_000, len(blob), 40_000))]
        assert memory.forget(frames=lsns).frames == 3
        assert memory.sql(PENDING) == [(0,)] and memory.check() == []
        data = path.read_bytes() + path.with_name("a.mem-wal").read_bytes()
        assert [piece for piece in pieces if piece in data] == []
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The file of a memory that has given up frames for its budget."""
    path = tmp_path_factory.mktemp("made") / "a.mem"
    with bh.create(path) as memory:
        mh.observe_all(memory, bh.stream(0, 100))
        assert bh.evicted(memory)
    return path


def test_nothing_is_given_up_for_a_change_that_cannot_be_made(made, tmp_path):
    with SpatialMemory.open(shutil.copyfile(made, tmp_path / "a.mem"), "a") as memory:
        gone, thinning = bh.evicted(memory), memory._keeper.thinning
        lsns = sorted({k.lsn for k in memory.trajectory()} - gone)
        spared = set(lsns[len(lsns) // 4 :])
        with pytest.raises(OutOfRoom, match="The map was not changed"):
            thinning.rewrite(lambda: pytest.fail("was begun"), 0, memory._layers, spared.__contains__, [5 << 20])
        assert gone and bh.evicted(memory) == gone


# --- Ctrl-C


def test_ctrl_c_while_sqlite_works_is_not_dropped(file):
    """It asks for looks at the wal meanwhile, in which Ctrl-C strikes, and drops what is raised there."""
    connection = file._writer._connection
    connection.create_function("strike", 0, _thread.interrupt_main)
    long = "WITH RECURSIVE c(x) AS (SELECT strike() UNION ALL SELECT 1 FROM c LIMIT 199999) SELECT count(*) FROM c"

    def write(connection):
        connection.execute(sch.VECTORS.insert, sch.with_crc((1000, b"abcd")))
        connection.execute(long).fetchone()

    gc.collect()
    gc.disable()  # Python drops what is raised in a finaliser, and would call those of other tests meanwhile
    try:
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                file.change("testing", write)
    finally:
        gc.enable()
    assert file.read(lambda c: c.execute("SELECT count(*) FROM vectors").fetchone()) == (3,)
    sh.append(file, 4)


def test_an_error_of_looking_is_not_dropped(file, monkeypatch):
    def write(connection):
        def broken(path):
            raise PermissionError(path)

        monkeypatch.setattr("spatialmem.store.room._size", broken)
        try:
            connection.execute("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT 1 FROM c LIMIT 9999) "
                               "SELECT count(*) FROM c").fetchone()  # fmt: skip
        finally:
            monkeypatch.undo()

    with pytest.raises(PermissionError):
        file.change("testing", write)
    sh.append(file, 4)


# --- what a frame left that is given up while others are forgotten


def test_a_frame_given_up_while_others_are_forgotten_keeps_what_it_left(tmp_path, monkeypatch):
    with bh.create(tmp_path / "a.mem", bh.LARGE, voxel_size_m=0.04) as memory:
        for seq in range(10):
            position = np.array((-0.3 + 0.06 * seq, -0.1 * seq + 0.3, 1.2))
            boxes = bh.BEFORE if seq < 3 else bh.AFTER
            memory.observe(bh.noisy(mh.frame_at(position, (1.75, 0, 0.8) - position, 0, boxes), seq))
        memory._keeper.complete_round(memory._layers)
        thinning, forgetting = memory._keeper.thinning, "spatialmem.forgetting._examined_left"
        struck, examined_left = [], importlib.import_module("spatialmem.forgetting")._examined_left
        monkeypatch.setattr(forgetting, lambda *given: struck.append(examined_left(*given)) or struck[-1])

        def give_one_up(*given):
            thinning.make_room = make_room
            thinning._evict(sorted(struck[0])[:1])
            return make_room(*given)

        make_room, thinning.make_room = thinning.make_room, give_one_up
        memory.forget(frames=[1, 2, 3])
        assert len(struck[0]) > 0 and bh.evicted(memory) == set(sorted(struck[0])[:1])
        assert memory.check() == []
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed


# --- a reader beside the writer


@pytest.fixture
def full(made, tmp_path):
    """A memory whose file is full, and somebody who has begun to read it."""
    path = shutil.copyfile(made, tmp_path / "a.mem")
    with SpatialMemory.open(path, "a") as memory:
        reader = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM keyframes").fetchone()
        yield memory, reader
        reader.close()


def test_a_reader_that_holds_the_wal_is_named_and_no_frame_is_given_up_for_it(full):
    memory, reader = full
    memory._keeper.file._writer._connection.execute("PRAGMA busy_timeout = 0")
    gone, stored = len(bh.evicted(memory)), 0
    with pytest.raises(OutOfRoom, match="somebody who reads it .* wait until that has ended, then do this again"):
        for frame in bh.stream(100, 60):
            memory.observe(frame)
            stored += 1
    hashed = memory.canonical_hash()
    gone_when_refused = len(bh.evicted(memory))
    with pytest.raises(OutOfRoom, match="somebody who reads it"):
        memory.observe(next(bh.stream(100 + stored, 1)))
    assert len(bh.evicted(memory)) == gone_when_refused <= gone + 4 * (stored + 1)
    assert memory.canonical_hash() == hashed and disk_sizes(memory.path)["total"] <= bh.LIMIT
    reader.execute("ROLLBACK")
    mh.observe_all(memory, bh.stream(100 + stored, 3))
    assert memory.check() == []


def test_a_reader_that_stays_is_waited_for_briefly_once_a_second(full, monkeypatch):
    """Not at each frame that is refused; sooner only when the wal was folded meanwhile."""
    memory, reader = full
    waits, fold, refused, now_s = [], Room.fold, 0, 5.0
    monkeypatch.setattr(room_module, "monotonic", lambda: now_s)

    def noted(room, patience_ms=None):
        waits.append(patience_ms)
        fold(room, patience_ms)

    monkeypatch.setattr(Room, "fold", noted)
    frames = bh.stream(100, 90)
    for _ in range(2):
        for frame in frames:
            waits.clear()
            try:
                memory.observe(frame)
            except OutOfRoom:
                refused += 1
                assert None not in waits and sum(waits) == (room_module._PATIENCE_MS if refused in (1, 4) else 0)
                now_s += 0.3 if refused < 3 else 0.7
                if refused == 5:
                    break
            else:
                assert refused == 0
        assert refused == 5 and room_module._PATIENCE_MS < 500
        reader.execute("ROLLBACK")
        mh.observe_all(memory, [next(frames)])
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM keyframes").fetchone()
        refused = 0
    assert memory.check() == []


def test_a_reader_that_ends_soon_is_waited_for(full):
    memory, reader = full
    ended, waiting = threading.Event(), []

    def begins(statement: str) -> None:
        waiting.append("wal_checkpoint" in statement and reader.in_transaction)
        if sum(waiting) > 1:  # not at the first, impatient try
            ended.set()

    def end():
        ended.wait()
        reader.execute("ROLLBACK")

    thread = threading.Thread(target=end)
    thread.start()
    memory._keeper.file._writer._connection.set_trace_callback(begins)
    try:
        mh.observe_all(memory, bh.stream(100, 40))
    finally:
        ended.set()
        thread.join()
    assert sum(waiting) > 1 and memory.check() == []


def test_checking_holds_no_snapshot_while_it_looks_at_rows(file, monkeypatch):
    """So that a writer beside it can empty its wal in between."""
    fill(file, 40, 0.001)
    beside = sqlite3.connect(f"{file.path.as_uri()}?mode=rw", uri=True, isolation_level=None)
    wrong, busy = sch.Table.wrong, []

    def looked_at(table, row):
        if row[0] in (1001, 1025):
            beside.execute("PRAGMA busy_timeout = 0")
            beside.execute(f"INSERT INTO meta VALUES ('{row[0]}', NULL, 0)")
            busy.append(beside.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
        return wrong(table, row)

    monkeypatch.setattr(sch.Table, "wrong", looked_at)
    assert any("image vector but no row" in line for line in file.integrity())
    beside.close()
    assert busy == [0, 0]
