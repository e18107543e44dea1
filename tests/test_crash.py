"""What is left when a memory's process is killed, interrupted or out of disk: every frame it had acknowledged."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import memory_helpers as mh
import numpy as np
import pytest
from crash_server import FRAMES
from test_equality import walk

from spatialmem.errors import MemoryFileError, OutOfRoom, SpatialMemError
from spatialmem.memory import SpatialMemory
from spatialmem.types import Stored

TESTS = Path(__file__).resolve().parent
FILES, KILLS_A_FILE = 11, 5


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> list[str]:
    """Hash after 0, 1, 2 ... frames of `walk`."""
    with mh.create(tmp_path_factory.mktemp("reference") / "a.mem", checkpoint_frames=1000) as memory:
        hashes = [memory.canonical_hash()]
        for frame in walk(FRAMES):
            mh.observe_all(memory, [frame])
            hashes.append(memory.canonical_hash())
    return hashes


class Server:
    """See crash_server.py."""

    def __init__(self) -> None:
        folders = os.pathsep.join([str(TESTS), str(TESTS.parent)])
        self.process = subprocess.Popen(
            [sys.executable, str(TESTS / "crash_server.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=mh.child_environment(PYTHONPATH=folders),
        )  # fmt: skip
        assert self.line() == "ready"

    def line(self) -> str:
        line = self.process.stdout.readline()
        assert line, "the server died"
        return line.strip()

    def kill_one(self, path: Path, every: int, after_lines: int, spins: int) -> int:
        """Let a child observe, kill it; returns the last lsn it acknowledged, 0 for none."""
        self.process.stdin.write(f"{path} {every}\n")
        self.process.stdin.flush()
        child = int(self.line().removeprefix("pid "))
        acknowledged = 0
        for _ in range(after_lines):
            line = self.line()
            if line == "dead":
                return acknowledged
            acknowledged = int(line)
        for _ in range(spins):  # a little into what comes next
            pass
        os.kill(child, signal.SIGKILL)
        while (line := self.line()) != "dead":
            acknowledged = int(line)
        return acknowledged

    def stop(self) -> None:
        self.process.communicate()


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()


@pytest.mark.parametrize("number", range(FILES))
def test_killed_at_any_instant_no_acknowledged_frame_is_lost(tmp_path, server, reference, number):
    rng = np.random.default_rng(number)
    path, every, known = tmp_path / "a.mem", int(rng.integers(1, 6)), 0
    for _ in range(KILLS_A_FILE):
        said = server.kill_one(path, every, int(rng.integers(0, 8)), int(rng.integers(0, 150_000)))
        known = max(known, said)
        if not path.exists():
            assert known == 0
            continue
        with SpatialMemory.open(path) as memory:
            count = len(memory.trajectory())
            assert known <= count <= known + 1
            assert memory.canonical_hash() == reference[count]
            assert memory.check() == []
        known = count
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == reference[count]
        mh.observe_all(memory, walk(FRAMES)[count : count + 2])
        count = len(memory.trajectory())
        assert memory.canonical_hash() == reference[count]
        memory.rebuild()
        assert memory.canonical_hash() == reference[count]
    assert mh.names(path) == {""}


# --- Ctrl-C


@contextmanager
def interrupted_after(cpu_s: float):
    """Raise KeyboardInterrupt, as Ctrl-C does, when this process has used so much more processor time."""
    before = signal.signal(signal.SIGVTALRM, signal.default_int_handler)
    gc.disable()  # an exception inside a callback of the collector is lost
    signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        gc.enable()
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # lost in a destructor, say
def test_ctrl_c_leaves_a_memory_that_is_intact_or_says_it_is_not(tmp_path, reference):
    path, frames, rng = tmp_path / "a.mem", walk(FRAMES), np.random.default_rng(5)
    memory, outcomes = mh.create(path, checkpoint_frames=3), []
    while (known := len(memory.trajectory())) < FRAMES - 8 and len(outcomes) < 120:
        try:
            with interrupted_after(rng.uniform(0.0005, 0.012)):
                for frame in frames[known : known + 4]:
                    assert isinstance(memory.observe(frame), Stored)
                    known += 1
        except KeyboardInterrupt:
            outcomes.append(intact(memory))
        if outcomes and not outcomes[-1]:
            memory.close()
            memory = SpatialMemory.open(path, "a")
        assert known <= len(memory.trajectory()) <= known + 1
        assert memory.canonical_hash() == reference[len(memory.trajectory())]
    assert len(outcomes) > 15
    memory.close()
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == reference[len(memory.trajectory())] and memory.check() == []


def intact(memory: SpatialMemory) -> bool:
    """Whether the memory still answers; if not, it must say why, whatever is asked."""
    try:
        memory.query("red")
    except SpatialMemError as error:
        assert "interrupted" in str(error)
        for use in (memory.points, memory.canonical_hash, lambda: memory.observe(walk(1)[0])):
            with pytest.raises(SpatialMemError, match="interrupted"):
                use()
        return False
    return True


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["BEGIN", "COMMIT"])
def test_ctrl_c_right_at_the_transaction(tmp_path, reference, monkeypatch, when, what):
    """The two instants that matter most, hit for certain."""

    class Interrupting:
        def __init__(self, connection) -> None:
            self.connection, self.armed = connection, False

        def __getattr__(self, name):
            return getattr(self.connection, name)

        def execute(self, query, *parameters):
            hit = self.armed and query.startswith(what)
            if hit and when == "before":
                raise KeyboardInterrupt
            result = self.connection.execute(query, *parameters)
            if hit:
                raise KeyboardInterrupt
            return result

    path, frames = tmp_path / "a.mem", walk(8)
    memory = mh.create(path, frames[:4], checkpoint_frames=3)
    writer = memory._keeper.file._writer
    writer._connection = Interrupting(writer._connection)
    writer._connection.armed = True
    with pytest.raises(KeyboardInterrupt):
        memory.observe(frames[4])
    writer._connection.armed = False
    assert not intact(memory)
    memory.close()
    stored = 5 if (what, when) == ("COMMIT", "after") else 4
    with SpatialMemory.open(path, "a") as memory:
        assert len(memory.trajectory()) == stored and memory.canonical_hash() == reference[stored]
        mh.observe_all(memory, frames[stored:])
        assert memory.canonical_hash() == reference[8]


# --- no room


def test_a_full_disk_refuses_the_frame_changes_nothing_and_goes_on_later(tmp_path, reference):
    path, failures = tmp_path / "a.mem", set()
    with mh.create(path, checkpoint_frames=3) as memory:
        connection = memory._keeper.file._writer._connection
        for n, frame in enumerate(walk(16), start=1):
            before = mh.tables(memory)
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
            try:
                memory.observe(frame)  # a small frame may find room in pages that are there
            except MemoryFileError as error:
                assert "disk is full" in str(error)
                failures.add(n)
                after = mh.tables(memory)
                assert {name for name in after if after[name] != before[name]} <= {"sessions", "anchors"}
                assert memory.canonical_hash() == reference[n - 1]
                assert len(memory.trajectory()) == memory.info()["frames"] == n - 1
                memory.query("red")
            connection.execute("PRAGMA max_page_count = 1000000")
            if n in failures:
                mh.observe_all(memory, [frame])
            assert memory.canonical_hash() == reference[n]
        assert len(failures) >= 6 and memory.check() == []
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == reference[16]


def test_a_disk_that_is_full_when_closing_loses_no_frame(tmp_path, reference):
    path = tmp_path / "a.mem"
    memory = mh.create(path, walk(8), checkpoint_frames=1000)
    connection = memory._keeper.file._writer._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(MemoryFileError, match="disk is full"):
        memory.close()
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == reference[8]
    assert mh.names(path) == {""}


def test_a_frame_that_is_more_than_fits_is_refused_and_changes_nothing(tmp_path):
    path = tmp_path / "a.mem"
    near = [mh.frame_at((np.cos(a), np.sin(a), 1.2), (np.cos(a), np.sin(a), 0.0), i) for i, a in enumerate((0.0, 1.57))]
    small = {"ram_bytes": 17 << 20, "file_bytes": 1 << 34}
    with mh.create(path, near, **small, voxel_size_m=0.02, free_voxel_m=0.32) as memory:
        before = memory.canonical_hash(), len(memory.trajectory()), memory.info()["frames"]
        with pytest.raises(OutOfRoom, match="ram_bytes"):
            memory.observe(mh.frame_at((-1.4, -1.4, 1.2), (1.0, 1.0, -0.1), 2))
        assert (memory.canonical_hash(), len(memory.trajectory()), memory.info()["frames"]) == before
        assert memory.check() == [] and len(memory.query("red")) >= 0
        held = memory.canonical_hash()
    shutil.copyfile(path, tmp_path / "copy.mem")
    with SpatialMemory.open(tmp_path / "copy.mem", "a") as memory:
        assert memory.canonical_hash() == held
