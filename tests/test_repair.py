"""Damage to what is derived is noticed on opening, and repaired from the log alone."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import memory_helpers as mh
import pytest
from test_equality import walk

from spatialmem.errors import MemoryFileError
from spatialmem.memory import SpatialMemory

ADVICE = "spatialmem rebuild"
BLOBS = {"surface_blocks": "data", "free_blocks": "data", "sightings": "cells", "departed": "feature"}
NUMBERS = {
    "surface_blocks": ("key", "lsn"), "free_blocks": ("key", "lsn"), "sightings": ("lsn",), "departed": ("id", "red"),
    "checkpoints": ("lsn", "blocks"), "row_counts": ("rows",),
}  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> tuple[Path, str]:
    """A memory in which every derived table has rows, and its canonical hash."""
    path = tmp_path_factory.mktemp("sound") / "a.mem"
    mh.create(path, walk(), checkpoint_frames=7).close()
    with SpatialMemory.open(path) as memory:
        assert memory.check() == [] and memory.info()["base_lsn"] == 20
        for table in NUMBERS:
            assert memory.sql(f"SELECT count(*) FROM {table}")[0][0] > 0, table
        return path, memory.canonical_hash()


@pytest.fixture
def path(sound, tmp_path) -> Path:
    return Path(shutil.copyfile(sound[0], tmp_path / "a.mem"))


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement
    connection.close()


def test_a_log_that_ends_before_its_layers_is_refused(path):
    last = "WHERE lsn = (SELECT max(lsn) FROM {})"
    change(path, f"DELETE FROM frames {last.format('frames')}", f"DELETE FROM keyframes {last.format('keyframes')}")
    with pytest.raises(MemoryFileError, match="the log ends with frame 19, but its layers contain frame 20") as raised:
        SpatialMemory.open(path)
    assert ADVICE in str(raised.value)
    SpatialMemory.repair(path)
    with SpatialMemory.open(path) as memory:
        assert len(memory.trajectory()) == 19 and len(memory.points().position_m) > 1000


def assert_refused_then_repaired(path: Path, expected: str) -> None:
    for mode in ("r", "a"):
        with pytest.raises(MemoryFileError, match=ADVICE):
            SpatialMemory.open(path, mode)
    assert SpatialMemory.repair(path) is None
    assert mh.names(path) == {""}
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == expected and memory.check() == []


@pytest.mark.parametrize("table", BLOBS)
def test_a_bit_flipped_on_disk_in_a_derived_blob(path, sound, table):
    column = BLOBS[table]
    connection = sqlite3.connect(path)
    longest = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY length({column}) DESC"
    (data,) = connection.execute(longest).fetchone()
    connection.close()
    whole = bytearray(path.read_bytes())
    start = data[:1000]  # what is longer goes on in another page
    assert whole.count(start) == 1
    whole[whole.find(start) + len(start) // 2] ^= 4
    path.write_bytes(whole)
    assert_refused_then_repaired(path, sound[1])


@pytest.mark.parametrize(("table", "column"), [(table, name) for table, names in NUMBERS.items() for name in names])
def test_a_bit_flipped_in_a_number_of_a_derived_row(path, sound, table, column):
    largest = f"SELECT max({column}) FROM {table}"
    change(path, f"UPDATE {table} SET {column} = {column} | (1 << 30) WHERE {column} = ({largest})")
    assert_refused_then_repaired(path, sound[1])


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM surface_blocks WHERE key % 2",
        "DELETE FROM surface_blocks",
        "DELETE FROM free_blocks WHERE key = (SELECT max(key) FROM free_blocks)",
        "DELETE FROM departed WHERE id = (SELECT max(id) FROM departed)",
        "DELETE FROM row_counts",
    ],
)
def test_rows_that_went_missing(path, sound, statement):
    change(path, statement)
    assert_refused_then_repaired(path, sound[1])


def test_rows_that_went_missing_are_found_by_the_check_of_an_open_memory(path):
    with SpatialMemory.open(path, "a") as memory:
        change(path, "DELETE FROM surface_blocks WHERE key % 2", "DELETE FROM sightings WHERE lsn = 2")
        found = memory.check()
        assert len(found) == 2 and all(ADVICE in line for line in found)
        assert "surface_blocks has" in found[0] and "1 frames with depth have no row in sightings" in found[1]
        memory.rebuild()
        assert memory.check() == []


def test_missing_checkpoints_only_make_opening_slower(path, sound):
    change(path, "DELETE FROM checkpoints")
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == sound[1]


def test_what_is_left_in_the_middle_of_a_round_opens(tmp_path, sound):
    """Blocks of an unfinished round are counted as well."""
    source = tmp_path / "live" / "a.mem"
    source.parent.mkdir()
    with mh.create(source, walk(10), checkpoint_frames=6):
        copy = mh.as_a_crash_leaves_it(source, tmp_path / "crashed" / "a.mem")
    change(copy, "DELETE FROM surface_blocks WHERE key = (SELECT max(key) FROM surface_blocks)")
    with pytest.raises(MemoryFileError, match="were written.*" + ADVICE):
        SpatialMemory.open(copy)


def test_repair_of_a_sound_memory_changes_nothing_and_it_goes_on(path, sound):
    SpatialMemory.repair(path)
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == sound[1] and memory.info()["base_lsn"] == 20
        mh.observe_all(memory, walk(22)[20:])
        after = memory.canonical_hash()
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == after and memory.check() == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE frames SET depth = zeroblob(9) WHERE lsn = 6", "frame 6 of the log.*row 6 of table frames"),
        ("DELETE FROM frames WHERE lsn = 6", "frame 6 of the log.*row 6 of table frames is missing"),
        ("DELETE FROM keyframes WHERE lsn = 6", "no row for frame 6"),
        ("UPDATE keyframes SET reason = 'x' WHERE lsn = 6", "row 6 of table keyframes.*restore the file from a copy"),
    ],
)
def test_damage_to_the_log_is_named_and_nothing_is_changed(path, statement, words):
    change(path, statement)
    before = path.read_bytes()
    with pytest.raises(MemoryFileError, match=words) as caught:
        SpatialMemory.repair(path)
    assert ADVICE not in str(caught.value)
    assert path.read_bytes() == before and mh.names(path) == {""}


DYING = """
from spatialmem.checkpoint import WholeRound
whole = WholeRound._counted
def dying(self, rows):
    for number, row in enumerate(whole(self, rows)):
        if number == 30:
            os.kill(os.getpid(), 9)
        yield row
WholeRound._counted = dying
SpatialMemory.repair(sys.argv[1])
"""


def test_killed_in_the_middle_of_a_repair(path, sound):
    change(path, "UPDATE surface_blocks SET lsn = lsn + 1 WHERE key = (SELECT min(key) FROM surface_blocks)")
    done = subprocess.run([*mh.python(DYING), str(path)], env=dict(os.environ), check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert_refused_then_repaired(path, sound[1])
