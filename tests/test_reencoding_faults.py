"""Killed, interrupted or out of disk on its way to another encoder, a memory is the old one or the new one, whole."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import memory_helpers as mh
import numpy as np
import pytest
from patch_encoder import Patches
from test_crash import interrupted_after
from test_equality import walk

from spatialmem.errors import MemoryFileError
from spatialmem.memory import SpatialMemory
from spatialmem.store import replacing, writer
from spatialmem.store.schema import PAGE_SIZE

ENCODER = Patches()
FRAMES = 6
KILLED = """
import shutil
import cv2
from pathlib import Path
from patch_encoder import Patches
from spatialmem.store import access, replacing, writer

class Steps:
    '''Counts what SQLite and the folder are asked to do; kills the process at one of these steps.'''
    def __init__(self): self.seen, self.last = 0, None
    def __call__(self, *_):
        self.seen += 1
        if self.seen == self.last:
            os.kill(os.getpid(), 9)

steps, connect = Steps(), access.connect
def counted(*given):
    connection = connect(*given)
    connection.set_trace_callback(steps)
    return connection
access.connect = writer.connect = counted
def around(function):
    def counting(*given, **named):
        steps()
        result = function(*given, **named)
        steps()
        return result
    return counting
for module, name in ((os, "replace"), (os, "fsync"), (replacing, "_unlink")):
    setattr(module, name, around(getattr(module, name)))

cv2.setNumThreads(1)  # its own threads would not survive the fork
source, folder, points = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
def moved(path, last):
    path.parent.mkdir()
    shutil.copyfile(source, path)
    steps.seen, steps.last = 0, last
    SpatialMemory.reencode(path, Patches())
moved(folder / "whole" / "a.mem", None)
every = steps.seen
chosen = sorted({round(1 + (every - 1) * n / (points - 1)) for n in range(points)} | set(range(every - 6, every + 1)))
print(every, *chosen, flush=True)
for last in chosen:
    child = os.fork()
    if child == 0:
        moved(folder / str(last) / "a.mem", last)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 9, last
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "a.mem"
    mh.create(path, walk(FRAMES), checkpoint_frames=4).close()
    return path


@pytest.fixture(scope="module")
def new(plain, tmp_path_factory) -> Path:
    path = Path(shutil.copyfile(plain, tmp_path_factory.mktemp("new") / "a.mem"))
    SpatialMemory.reencode(path, ENCODER)
    return path


@pytest.fixture(scope="module")
def hashes(plain, new) -> dict[str, str]:
    """By the name of the encoder."""
    with SpatialMemory.open(plain) as memory, SpatialMemory.open(new) as other:
        return {"colours": memory.canonical_hash(), ENCODER.name: other.canonical_hash()}


@pytest.fixture
def path(plain, tmp_path) -> Path:
    return Path(shutil.copyfile(plain, tmp_path / "a.mem"))


def assert_whole(path: Path, hashes: dict[str, str]) -> str:
    """Old or new: it opens, is sound, and goes on; returns the name of its encoder."""
    with SpatialMemory.open(path) as memory:
        name = memory.info()["encoder"]
        assert memory.canonical_hash() == hashes[name] and memory.check() == []
        assert len(memory.trajectory()) == FRAMES
    return name


def test_killed_at_any_step(plain, hashes, tmp_path):
    child = subprocess.run(
        [*mh.python(KILLED), str(plain), str(tmp_path), "9"], env=mh.child_environment(), check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    every, *chosen = map(int, child.stdout.split())
    assert every > 100 and len(chosen) > 12
    found = [assert_whole(tmp_path / str(step) / "a.mem", hashes) for step in chosen]
    assert found == sorted(found) and set(found) == set(hashes)  # from one step on it is the new one
    left = set()
    for step in chosen[::4]:
        copy = tmp_path / str(step) / "a.mem"
        left |= mh.names(copy)
        SpatialMemory.reencode(copy, ENCODER)
        assert assert_whole(copy, hashes) == ENCODER.name and mh.names(copy) == {""}
    assert {"-lock", "-building"} <= left


@pytest.mark.parametrize("frame", [1, 3, FRAMES])
def test_ctrl_c_after_a_frame(path, plain, frame):
    def stop(looked_at, encoded):
        if looked_at == frame:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SpatialMemory.reencode(path, ENCODER, progress=stop)
    assert path.read_bytes() == plain.read_bytes() and mh.names(path) == {""}


@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_as_the_new_file_takes_the_name(path, hashes, monkeypatch, when):
    replace = os.replace

    def interrupted(*given):
        if when == "after":
            replace(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(replacing.os, "replace", interrupted)
        SpatialMemory.reencode(path, ENCODER)
    assert assert_whole(path, hashes) == ("colours" if when == "before" else ENCODER.name)
    assert mh.names(path) == {""}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # lost in a destructor, say
def test_ctrl_c_at_any_instant(path, plain, hashes):
    rng, stopped = np.random.default_rng(7), 0
    for _ in range(12):
        shutil.copyfile(plain, path)
        try:
            with interrupted_after(rng.uniform(0.001, 0.15)):
                SpatialMemory.reencode(path, ENCODER)
        except KeyboardInterrupt:
            stopped += 1
        assert_whole(path, hashes)
        assert "-lock" not in mh.names(path)
    assert stopped > 2


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_full_disk(path, plain, new, monkeypatch, share):
    opened, pages = writer._open, int(share * new.stat().st_size / PAGE_SIZE)

    def full(given):
        connection = opened(given)
        if given.name.endswith("-building"):
            connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with monkeypatch.context() as patched, pytest.raises(MemoryFileError, match="the disk is full"):
        patched.setattr(writer, "_open", full)
        SpatialMemory.reencode(path, ENCODER)
    assert path.read_bytes() == plain.read_bytes() and mh.names(path) == {""}


def test_no_room_to_take_the_name(path, plain, monkeypatch):
    def refused(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(MemoryFileError, match="No space left"):
        patched.setattr(replacing.os, "replace", refused)
        SpatialMemory.reencode(path, ENCODER)
    assert path.read_bytes() == plain.read_bytes() and mh.names(path) == {""}


def test_the_command_stopped_by_ctrl_c_leaves_the_old_memory(path, plain):
    code = """
from spatialmem.cli import main
from spatialmem import reencoding
take = reencoding._Move._take
def slow(self, row):
    if row.lsn == 3:
        os.kill(os.getpid(), 2)
    take(self, row)
reencoding._Move._take = slow
sys.exit(main(["rebuild", sys.argv[1], "--encoder", sys.argv[2]]))
"""
    # the memory's own is `colours`: another name that leads to an encoder is needed in the child
    register = "from spatialmem.perception import encoder; encoder.ENCODERS['patches'] = 'patch_encoder:Patches'\n"
    done = subprocess.run(
        [*mh.python(register + code), str(path), "patches"], env=mh.child_environment(), check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 130 and "stopped by Ctrl-C" in done.stderr, done.stderr
    assert path.read_bytes() == plain.read_bytes() and mh.names(path) == {""}
