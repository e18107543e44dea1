"""Broken, foreign and older files: refused or named in words, never silently wrong."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import store_helpers as sh
from store_helpers import names

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.store import header, migrate
from spatialmem.store.file import MemoryFile


@pytest.fixture
def path(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "kitchen.mem"


@pytest.mark.parametrize("mode", ["r", "a"])
def test_what_is_no_memory_is_refused_in_words(path, mode):
    cases = {"no file": lambda: None, "empty": lambda: path.write_bytes(b""), "folder": path.mkdir,
             "not an SQLite file": lambda: path.write_bytes(b"\x89PNG and so on" * 100),
             "cut short": lambda: path.write_bytes(b"SQLite format 3\x00" + bytes(20)),
             "another program": lambda: _foreign(path, 0, 0), "format version 2": lambda: _foreign(path, 0x534D454D, 2),
             "lacks the tables": lambda: _foreign(path, 0x534D454D, 1),
             "version 0": lambda: _foreign(path, 0x534D454D, 0)}  # fmt: skip
    for words, make in cases.items():
        make()
        before = {p.name for p in path.parent.iterdir()}
        with pytest.raises(MemoryFileError, match=words):
            MemoryFile.open(path, mode)
        assert {p.name for p in path.parent.iterdir()} == before, words
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    with pytest.raises(InvalidValue, match="mode"):
        MemoryFile.open(path, "w")


def _foreign(path: Path, application_id: int, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t(a)")
    connection.execute(f"PRAGMA application_id = {application_id}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_a_file_cut_short_anywhere_is_refused(path):
    sh.new_memory(path, frames=5, blocks=True).close()
    whole = path.read_bytes()
    for tenth in range(1, 10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        for mode in ("r", "a"):
            with pytest.raises(MemoryFileError, match="cut short"):
                MemoryFile.open(path, mode)
        assert names(path) == {""}
    path.write_bytes(whole[:-1])
    with pytest.raises(MemoryFileError, match="cut short"):
        MemoryFile.open(path)


def everything(file: MemoryFile) -> list:
    """All content of a memory in comparable form."""
    rows = [(row.lsn, row.world_from_camera.tobytes(), str(row)) for row in file.keyframes()]
    frames = [(file.blobs(lsn), file.vector(lsn), file.cells(lsn)) for lsn, *_ in rows]
    anchors = [(row.map_from_session.tobytes(), str(row)) for row in file.anchors()]
    blocks = [list(file.surface_blocks()), list(file.free_blocks()), file.departed(), file.checkpoints()]
    return [rows, frames, anchors, blocks, file.sessions(), sorted(file.meta().items(), key=str)]


def test_a_flipped_bit_is_never_silent(path):
    """Either reading says so, or integrity() does, or the bit lay where nothing is stored."""
    sh.new_memory(path, frames=4, blocks=True).close()
    whole = path.read_bytes()
    with MemoryFile.open(path) as file:
        expected = everything(file)
    rng = np.random.default_rng(0)
    noticed = 0
    filled = np.flatnonzero(np.frombuffer(whole, dtype=np.uint8))  # most of a small file is the unused end of pages
    positions = [*range(0, 100, 7), *rng.choice(filled, 150).tolist(), *rng.integers(0, len(whole), 20).tolist()]
    for position in positions:
        broken = bytearray(whole)
        broken[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        try:
            with MemoryFile.open(path) as file:
                found = file.integrity()
                same = everything(file) == expected
        except MemoryFileError:
            noticed += 1
            continue
        noticed += bool(found)
        assert same or found, f"bit flipped at byte {position}"
    assert noticed > 120


def test_integrity_names_what_is_missing(path):
    sh.new_memory(path, frames=4, blocks=True).close()
    damage = {
        "none in frames": "DELETE FROM frames WHERE lsn = 2",
        "last is number 4": "DELETE FROM keyframes WHERE lsn = 3",
        "after the last one": "UPDATE surface_blocks SET lsn = 99",
        "checksum does not match": "UPDATE departed SET voxels = 1; UPDATE sightings SET cells = x'00' WHERE lsn = 1",
        "configuration": "UPDATE meta SET value = '{}x' WHERE key = 'config'",
        "no row 'config'": "DELETE FROM meta WHERE key = 'config'",
        "name a camera": "DELETE FROM cameras",
        "name a session": "DELETE FROM sessions",
        "codec 9": "UPDATE free_blocks SET codec = 9",
    }
    whole = path.read_bytes()
    for words, script in damage.items():
        path.write_bytes(whole)
        connection = sqlite3.connect(path)
        connection.executescript(script)
        connection.close()
        with MemoryFile.open(path) as file:
            assert any(words in line for line in file.integrity()), words


def test_a_damaged_row_is_named_when_it_is_read(path):
    sh.new_memory(path, frames=3).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE frames SET depth = zeroblob(10) WHERE lsn = 2")
    connection.commit()
    connection.close()
    with MemoryFile.open(path) as file:
        assert file.blobs(1) == sh.frame_blobs(1)
        with pytest.raises(MemoryFileError, match="row 2 of table frames is damaged"):
            file.blobs(2)


def test_fingerprint_sees_a_log_appear(path):
    sh.new_memory(path, frames=1).close()
    resting = header.fingerprint(path)
    with MemoryFile.open(path, "a") as file:
        sh.append(file, 2)
        assert header.fingerprint(path) != resting


def test_a_file_of_an_earlier_version_is_migrated_into_a_new_one(path, monkeypatch):
    def from_version_0(source: Path, target: Path) -> None:
        shutil.copyfile(source, target)
        connection = sqlite3.connect(target)
        connection.execute("PRAGMA user_version = 1")
        connection.close()

    sh.new_memory(path, frames=2).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 0")
    connection.close()
    old = path.read_bytes()
    with pytest.raises(MemoryFileError, match="version 0"):
        MemoryFile.open(path)
    monkeypatch.setitem(migrate.MIGRATIONS, 0, from_version_0)
    with MemoryFile.open(path) as file:
        assert file.mode_detail == "migrated copy" and file.last_lsn == 2 and file.integrity() == []
    assert path.read_bytes() == old and names(path) == {""}
    with MemoryFile.open(path, "a") as file:
        sh.append(file, 3)
    assert names(path) == {"", ".v0"} and path.with_name(path.name + ".v0").read_bytes() == old
    with MemoryFile.open(path) as file:
        assert file.mode_detail == "immutable" and file.last_lsn == 3 and file.integrity() == []
