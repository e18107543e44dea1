"""What is left when a correction is killed or interrupted: the map of before or that of after, nothing between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time

import memory_helpers as mh
import numpy as np
import pytest
from test_correction import corrections
from test_crash import interrupted_after

from spatialmem.errors import SpatialMemError
from spatialmem.memory import SpatialMemory

SWITCH = """
import json
import numpy as np
path, sides = sys.argv[1], json.loads(sys.argv[2])
sides = [{int(lsn): np.array(pose) for lsn, pose in side.items()} for side in sides]
with SpatialMemory.open(path, "a") as memory:
    print("ready", flush=True)
    while True:
        for side in sides:
            memory.correct_poses(side)
            print("done", flush=True)
"""
"""corrects a memory to and fro until it is killed"""


@pytest.fixture(scope="module")
def sides(walked, tmp_path_factory):
    """Two sets of poses, and the hashes of the memory with each; the second set is that of the recording."""
    path = shutil.copyfile(walked, tmp_path_factory.mktemp("sides") / "a.mem")
    with SpatialMemory.open(path, "a") as memory:
        there = corrections(memory, [2, 7, 13], seed=3)
        back = {lsn: memory.trajectory()[lsn - 1].map_from_camera for lsn in there}
        hashes = [memory.canonical_hash()]
        memory.correct_poses(there)
        hashes.append(memory.canonical_hash())
        memory.correct_poses(back)
        assert memory.canonical_hash() == hashes[0], "there and back again"
    return there, back, hashes


def assert_whole(path, hashes):
    with SpatialMemory.open(path) as memory:
        found = memory.canonical_hash()
        assert found in hashes and memory.check() == []
    SpatialMemory.repair(path)
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == found


@pytest.mark.parametrize("seed", range(3))
def test_killed_in_a_correction(walked, sides, tmp_path, seed):
    path, rng = shutil.copyfile(walked, tmp_path / "a.mem"), np.random.default_rng(seed)
    there, back, hashes = sides
    told = json.dumps([{str(lsn): pose.tolist() for lsn, pose in side.items()} for side in (there, back)])
    child = subprocess.Popen([*mh.python(SWITCH), str(path), told], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    started, times = time.monotonic(), []
    for _ in range(2):
        assert child.stdout.readline() == "done\n"
        times.append(time.monotonic() - started)
    until = time.monotonic() + rng.uniform(0.0, times[1] - times[0])
    while time.monotonic() < until:
        pass
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert_whole(path, hashes)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # lost in a destructor, say
def test_ctrl_c_in_a_correction(walked, sides, tmp_path):
    there, back, hashes = sides
    rng, whole, broken = np.random.default_rng(2), 0, 0
    for number in range(5):
        path = shutil.copyfile(walked, tmp_path / f"{number}.mem")
        memory = SpatialMemory.open(path, "a")
        try:
            with interrupted_after(rng.uniform(0.01, 0.8)):
                memory.correct_poses(there)
        except KeyboardInterrupt:
            pass
        try:
            assert memory.canonical_hash() in hashes
            memory.correct_poses(back)
            assert memory.canonical_hash() == hashes[0]
            whole += 1
        except SpatialMemError as error:
            assert "interrupted" in str(error)
            broken += 1
        memory.close()
        assert_whole(path, hashes)
    assert whole > 0
