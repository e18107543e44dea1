"""Who may open a memory file, what opening changes, and what a killed or failing process leaves."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import store_helpers as sh

from spatialmem.errors import InvalidValue, MemoryFileError, MemoryLocked
from spatialmem.store import access, header, lock, migrate, writer
from spatialmem.store.file import MemoryFile

_TESTS = Path(__file__).resolve().parent
_PRELUDE = f"""
import os, sys
sys.path[:0] = [{str(_TESTS)!r}, {str(_TESTS.parent)!r}]
import store_helpers as sh
from spatialmem.errors import SpatialMemError
from spatialmem.store.file import MemoryFile
path = sys.argv[1]
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "kitchen.mem"


def start(code: str, path: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", _PRELUDE + code, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def run(code: str, path: Path) -> str:
    process = start(code, path)
    output, _ = process.communicate()
    return output


def names(path: Path) -> set[str]:
    return {entry.name.removeprefix(path.name) for entry in path.parent.iterdir()}


def leave_orphan_wal(path: Path, frames: int = 3) -> None:
    """A memory with `frames` frames whose writer vanished without closing it."""
    run(f"file = sh.new_memory(path, frames={frames}, blocks=True)\nos._exit(0)", path)
    assert {"-wal", "-lock"} <= names(path) and path.with_name(path.name + "-wal").stat().st_size > 0


# --- one writer


def test_second_writer_in_the_same_process_is_refused(path):
    with sh.new_memory(path, frames=1) as file:
        with pytest.raises(MemoryLocked, match=rf"this process \({os.getpid()}\)"):
            MemoryFile.open(path, "a")
        sh.append(file, 2)
    MemoryFile.open(path, "a").close()
    assert names(path) == {""}


def test_second_writer_in_another_process_is_refused_by_the_holders_number(path):
    sh.new_memory(path, frames=1).close()
    code = "file = MemoryFile.open(path, 'a')\nprint(os.getpid(), flush=True)\nsys.stdin.readline()\nfile.close()"
    with start(code, path) as process:
        holder = process.stdout.readline().strip()
        with pytest.raises(MemoryLocked, match=f"process {holder}"):
            MemoryFile.open(path, "a")
        with pytest.raises(MemoryFileError, match="exists already"):
            MemoryFile.create(path, sh.meta())
        process.stdin.write("\n")
    MemoryFile.open(path, "a").close()


def test_a_killed_writer_holds_no_lock(path):
    leave_orphan_wal(path)
    assert not lock.is_locked(path)
    with MemoryFile.open(path, "a") as file:
        assert file.last_lsn == 3
        sh.append(file, 4)
        assert lock.is_locked(path)
    assert names(path) == {""}


def test_a_writer_that_was_dropped_holds_no_lock(path):
    file = sh.new_memory(path, frames=2)
    assert lock.is_locked(path)
    del file
    gc.collect()
    assert not lock.is_locked(path)
    with MemoryFile.open(path, "a") as file:
        assert file.last_lsn == 2
    assert names(path) == {""}


def test_a_reader_that_holds_the_log_is_named_on_close_and_nothing_is_lost(path, monkeypatch):
    monkeypatch.setattr(access, "_BUSY_S", 0.05)
    file = sh.new_memory(path, frames=2)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN")
    assert foreign.execute("SELECT count(*) FROM keyframes").fetchone() == (2,)
    sh.append(file, 3)
    with pytest.raises(MemoryFileError, match="nothing is lost"):
        file.close()
    assert not lock.is_locked(path)
    with MemoryFile.open(path) as reader:
        assert reader.mode_detail == "recovered copy" and reader.last_lsn == 3
    foreign.close()
    with MemoryFile.open(path, "a") as file:
        assert file.last_lsn == 3 and file.integrity() == []
    assert names(path) == {""}


def test_only_one_of_many_writers_gets_in(path):
    sh.new_memory(path).close()
    code = """
try:
    file = MemoryFile.open(path, 'a')
except SpatialMemError as error:
    print(type(error).__name__, flush=True)
    sys.exit()
print("got it", flush=True)
sys.stdin.readline()
file.close()
"""
    processes = [start(code, path) for _ in range(3)]
    answers = sorted(process.stdout.readline().strip() for process in processes)
    for process in processes:
        process.communicate("\n")
    assert answers == ["MemoryLocked", "MemoryLocked", "got it"]


# --- reading changes nothing


def test_reading_a_resting_memory_leaves_the_folder_as_it_was(path):
    sh.new_memory(path, frames=3, blocks=True).close()
    before = sh.folder_state(path.parent)
    with MemoryFile.open(path) as first, MemoryFile.open(path) as second:
        assert (first.mode_detail, second.mode_detail) == ("immutable", "immutable")
        assert first.integrity() == [] and len(second.keyframes()) == 3
        assert first.sql("SELECT count(*) FROM frames").rows == [(3,)]
        assert sh.folder_state(path.parent) == before
    assert sh.folder_state(path.parent) == before


def test_reading_beside_a_live_writer(path):
    with sh.new_memory(path, frames=2) as file:
        before = {name: state for name, state in sh.folder_state(path.parent).items() if not name.endswith("-shm")}
        with MemoryFile.open(path) as reader:
            assert reader.mode_detail == "attached"
            assert reader.last_lsn == 2 and reader.blobs(2) == sh.frame_blobs(2) and reader.integrity() == []
            after = {name: state for name, state in sh.folder_state(path.parent).items() if not name.endswith("-shm")}
            assert after == before
            sh.append(file, 3)
            assert reader.last_lsn == 3
            file.close()
            assert names(path) == {""}
            assert reader.last_lsn == 3 and reader.mode_detail == "immutable"
    assert names(path) == {""}


def test_reading_beside_a_writer_in_another_process(path):
    code = "file = sh.new_memory(path, frames=2)\nprint('ready', flush=True)\nsys.stdin.readline()\nfile.close()"
    with start(code, path) as process:
        assert process.stdout.readline().strip() == "ready"
        with MemoryFile.open(path) as reader:
            assert reader.mode_detail == "attached" and [row.lsn for row in reader.keyframes()] == [1, 2]
        process.stdin.write("\n")
    assert names(path) == {""}


def test_an_orphan_wal_is_recovered_in_private(path):
    leave_orphan_wal(path)
    before = sh.folder_state(path.parent)
    with MemoryFile.open(path) as file:
        assert file.mode_detail == "recovered copy"
        assert file.last_lsn == 3 and file.integrity() == [] and len(list(file.surface_blocks())) == 3
        private = Path(file._reading._access._folder.name)
        assert private.is_dir() and path.parent not in private.parents
        assert sh.folder_state(path.parent) == before
    assert sh.folder_state(path.parent) == before and not private.exists()
    MemoryFile.open(path, "a").close()
    assert names(path) == {""}
    with MemoryFile.open(path) as file:
        assert file.mode_detail == "immutable" and file.last_lsn == 3


def test_an_immutable_reader_notices_a_writer(path):
    sh.new_memory(path, frames=2).close()
    with MemoryFile.open(path) as reader:
        assert reader.mode_detail == "immutable"
        with MemoryFile.open(path, "a") as file:
            for lsn in range(3, 60):
                sh.append(file, lsn)
            assert reader.last_lsn == 59 and reader.mode_detail == "attached"
            assert reader.blobs(59) == sh.frame_blobs(59)
        assert reader.last_lsn == 59 and reader.mode_detail == "immutable" and reader.integrity() == []


def test_a_file_swapped_under_a_reader_is_noticed(path):
    sh.new_memory(path, frames=2).close()
    other = path.with_name("other.mem")
    sh.new_memory(other, frames=1).close()
    with MemoryFile.open(path) as reader:
        os.replace(other, path)
        with pytest.raises(MemoryFileError, match="replaced"):
            reader.keyframes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_permissions_that_are_missing(path):
    sh.new_memory(path, frames=1).close()
    path.parent.chmod(0o555)
    try:
        with MemoryFile.open(path) as file:
            assert file.last_lsn == 1
        with pytest.raises(MemoryFileError, match="written"):
            MemoryFile.open(path, "a")
        path.parent.chmod(0o755)
        path.chmod(0o444)
        with pytest.raises(MemoryFileError, match="cannot be written"):
            MemoryFile.open(path, "a")
        path.chmod(0)
        with pytest.raises(MemoryFileError, match="permissions"):
            MemoryFile.open(path)
    finally:
        path.parent.chmod(0o755)


def test_a_symbolic_link_is_the_file_it_points_to(path, tmp_path):
    sh.new_memory(path, frames=1).close()
    link = tmp_path / "link.mem"
    link.symlink_to(path)
    with MemoryFile.open(link, "a"), pytest.raises(MemoryLocked):
        MemoryFile.open(path, "a")


# --- killed writers

_ENDLESS = """
file = sh.new_memory(path)
for lsn in range(1, 100000):
    share = dict(surface=sh.surface_rows(lsn), free=sh.free_rows(lsn)) if lsn % 3 == 0 else {}
    sh.append(file, lsn, departed=[sh.departed(lsn)], **share)
    print(lsn, flush=True)
"""


@pytest.mark.parametrize("attempt", range(10))
def test_killed_at_any_instant_no_acknowledged_frame_is_lost(path, attempt):
    rng = np.random.default_rng(attempt)
    process = start(_ENDLESS, path)
    wanted = int(rng.integers(1, 25))
    acknowledged = 0
    while acknowledged < wanted:
        acknowledged = int(process.stdout.readline())
    for _ in range(int(rng.integers(0, 40_000))):  # a little into the next frames, without sleeping
        pass
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0].split("\n")[:-1]
    acknowledged = int(rest[-1]) if rest else acknowledged
    with MemoryFile.open(path) as file:
        assert file.mode_detail == "recovered copy"
        assert_whole(file, acknowledged)
    with MemoryFile.open(path, "a") as file:
        assert_whole(file, acknowledged)
        sh.append(file, file.last_lsn + 1)
    assert names(path) == {""}


def assert_whole(file: MemoryFile, acknowledged: int) -> None:
    last = file.last_lsn
    assert acknowledged <= last <= acknowledged + 1
    assert [row.lsn for row in file.keyframes()] == list(range(1, last + 1))
    assert [row.valid_from for row in file.departed()] == list(range(1, last + 1))
    assert [lsn for lsn, _ in file.all_cells()] == [lsn for lsn, _ in file.vectors()] == list(range(1, last + 1))
    assert {row.lsn for row in file.surface_blocks()} == {last - last % 3} - {0}
    assert file.blobs(last) == sh.frame_blobs(last) and file.integrity() == []


def test_killed_while_creating_leaves_no_file_of_that_name(path):
    code = """
from spatialmem.store import writer
writer._rename = lambda new, path: os._exit(9)
MemoryFile.create(path, sh.meta())
"""
    run(code, path)
    assert names(path) == {"-new", "-lock"}
    sh.new_memory(path, frames=1).close()
    assert names(path) == {""}


def test_failing_create_cleans_up(path, monkeypatch):
    def fail(new, path):
        raise MemoryFileError("no")

    monkeypatch.setattr(writer, "_rename", fail)
    with pytest.raises(MemoryFileError):
        MemoryFile.create(path, sh.meta())
    assert names(path) == set()


# --- broken and foreign files


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
