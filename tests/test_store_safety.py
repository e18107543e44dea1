"""Who may open a memory file, what opening changes, and what a killed or failing process leaves."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import store_helpers as sh
from store_helpers import names

from spatialmem.errors import MemoryFileError, MemoryLocked
from spatialmem.store import access, lock, writer
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


def test_a_lock_on_a_file_that_was_removed_meanwhile_counts_for_nothing(path, monkeypatch):
    """Its last holder unlinks the lock file; who had opened it just before must not believe to hold anything."""
    real_open, lost = os.open, []

    def open_and_lose(target, *rest):
        descriptor = real_open(target, *rest)
        if not lost:
            lost.append(target)
            os.unlink(target)
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    held = lock.WriterLock(path)
    assert lost and lock.is_locked(path)
    with pytest.raises(MemoryLocked):
        lock.WriterLock(path)
    held.release()
    assert names(path) == set()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
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


def test_a_forked_child_leaves_the_memory_alone(path):
    code = """
file = sh.new_memory(path, frames=1)
child = os.fork()
if child == 0:
    try:
        file.close()
        file.keyframes()
    except SpatialMemError as error:
        os._exit(7 if "forked" in str(error) else 2)
    os._exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
sh.append(file, 2)
file.close()
"""
    assert run(code, path) == "7\n" and names(path) == {""}
    with MemoryFile.open(path) as file:
        assert file.last_lsn == 2 and file.integrity() == []


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
    rest = process.stdout.read().split("\n")[:-1]  # communicate() would pass by what readline() has buffered
    process.communicate()
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
