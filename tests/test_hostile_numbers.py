"""Numbers that no release writes, in rows whose checksum was made anew: refused by name before anything is read by
them, and without the RAM that they would take."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from hypothesis import given
from hypothesis import strategies as st
from test_store_values import sound, write  # noqa: F401

from spatialmem.errors import MemoryFileError
from spatialmem.memory import SpatialMemory
from spatialmem.store import block_codec
from spatialmem.store import schema as sch
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.voxels import change

LAST = sch.LAST_LSN


@pytest.fixture
def path(sound, tmp_path) -> Path:  # noqa: F811
    return Path(shutil.copyfile(sound, tmp_path / "a.mem"))


def insert(path: Path, table: sch.Table, *values) -> None:
    connection = sqlite3.connect(path)
    connection.execute(table.replace, sch.with_crc(values))
    connection.commit()
    connection.close()


def renumber(path: Path) -> None:
    """Give the last frame the largest number there is."""
    for table in (sch.KEYFRAMES, sch.FRAMES, sch.VECTORS, sch.SIGHTINGS):
        connection = sqlite3.connect(path)
        (row,) = connection.execute(table.select("WHERE lsn = 12")).fetchall()
        connection.execute(f"DELETE FROM {table.name} WHERE lsn = 12")
        connection.commit()
        connection.close()
        insert(path, table, LAST, *row[1:-1])


def erased(*ranges):
    return json.dumps({"asked": {}, "erased": ranges})


BILLIONS = {
    "erased, as the log says": (
        lambda path: insert(path, sch.TOMBSTONES, 9, LAST, erased([13, LAST])), "and says that 4294967283 were erased"
    ),
    "after what was erased": (
        lambda path: insert(path, sch.TOMBSTONES, 9, LAST, erased()), "no row for frame 13 (4294967282 missing"
    ),
    "before the last frame": (renumber, "no row for frame 12 (4294967282 missing"),
    "evicted": (
        lambda path: insert(path, sch.EVICTIONS, 9, LAST, "frames", json.dumps({"lsn": [[1, LAST]]}), 1, 1, "x"),
        "row 9 of table evictions is damaged",
    ),
}  # fmt: skip
ASK = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
for path in sys.argv[1:]:
    for mode in ("r", "a"):
        try:
            with SpatialMemory.open(path, mode) as memory:
                print("opened", memory.horizon)
        except Exception as error:
            print(type(error).__name__, str(error).replace(chr(10), " "))
"""


def test_billions_of_frames_that_are_not_there_take_no_ram(path, tmp_path):
    paths = []
    for number, (change_file, _) in enumerate(BILLIONS.values()):
        paths.append(str(shutil.copyfile(path, tmp_path / f"{number}.mem")))
        change_file(Path(paths[-1]))
    done = subprocess.run([*mh.python(ASK), *paths], capture_output=True, text=True, timeout=100)
    lines = done.stdout.splitlines()
    assert len(lines) == 2 * len(BILLIONS), done.stdout[-500:] + done.stderr[-500:]
    for (name, (_, words)), answers in zip(BILLIONS.items(), zip(lines[::2], lines[1::2], strict=True), strict=True):
        for line in answers:
            assert line.startswith("MemoryFileError") and words in line, name


def test_revisions_beyond_counting_are_refused(path):
    write(path, "keyframes", "pose_revision", 2**40)
    for mode in ("r", "a"):
        with pytest.raises(
            MemoryFileError, match="row 12 of table keyframes is damaged: pose_revision is 1099511627776"
        ):
            SpatialMemory.open(path, mode)


def numbers(name, value):
    return lambda block: {name: np.full_like(getattr(block, name), value)}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda block: {"features": np.ascontiguousarray(block.features[:, :8])}, "has features 8 wide, .* are 16"),
        (numbers("last", 13), "contains frames after its tag, 12"),
        (numbers("first", 10**6), "has voxels that no frame saw first"),
        (numbers("first", 0), "has voxels that no frame saw first"),
        (lambda block: {"first": block.last + 1}, "has voxels that no frame saw first"),
        (numbers("doubt", 60000), "is doubted by frames after its tag, 12"),
        (numbers("doubt", 14), "is doubted by frames after its tag, 12"),
        (numbers("doubt", 1), "is doubted by frames after its tag, 12"),
    ],
)  # fmt: skip
def test_a_block_that_cannot_be_is_refused_by_name_and_made_anew(path, changed, words):
    with SpatialMemory.open(path) as memory:
        whole = memory.canonical_hash()
    connection = sqlite3.connect(path)
    key, data = connection.execute("SELECT key, data FROM surface_blocks WHERE lsn = 12 ORDER BY key DESC").fetchone()
    connection.close()
    block = block_codec.unpack_surface_block(data)
    write(path, "surface_blocks", "data",
          block_codec.pack_surface_block(dataclasses.replace(block, **changed(block))), f"key = {key}")  # fmt: skip
    for mode in ("r", "a"):
        with pytest.raises(MemoryFileError, match=f"surface block {key} {words}.*; the layers can be made anew"):
            SpatialMemory.open(path, mode)
    SpatialMemory.repair(path)
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == whole and memory.check() == []


def test_doubt_is_told_alike_where_it_is_written_and_read():
    assert block_codec.DOUBT_CYCLE == change.DOUBT_CYCLE


@pytest.mark.parametrize("which", ["lsn = 5", "1"], ids=["one", "all"])
def test_an_image_vector_of_another_length_is_named(path, which):
    with SpatialMemory.open(path) as memory:
        (length,) = {n for (n,) in memory.sql("SELECT length(vector) FROM vectors")}
        lsns = [lsn for (lsn,) in memory.sql(f"SELECT lsn FROM vectors WHERE {which}")]
    for lsn in lsns:
        write(path, "vectors", "vector", np.ones(length // 4, "<f2").tobytes(), f"lsn = {lsn}")
    with (
        SpatialMemory.open(path) as memory,
        pytest.raises(MemoryFileError, match=f"frame {lsns[0]} has {length // 4} "),
    ):
        memory.localize(room.room_frame(1, 10))


PAIRS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(PAIRS, PAIRS, st.integers(0, 80))
def test_ranges_are_sets(first, second, last):
    listed, other = ({n for low, high in pairs for n in range(low, high + 1)} for pairs in (first, second))
    ranges = LsnRanges(first)
    assert list(ranges) == sorted(listed) and len(ranges) == len(listed) and ranges == LsnRanges.of(listed)
    assert LsnRanges(ranges.pairs) == ranges and bool(ranges) == bool(listed)
    assert list(LsnRanges.joined((ranges, LsnRanges(second)))) == sorted(listed | other)
    assert ranges & other == listed & other and [n in ranges for n in range(70)] == [n in listed for n in range(70)]
    assert list(ranges.gaps(last)) == sorted(set(range(1, last + 1)) - listed)
