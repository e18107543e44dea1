"""What forgetting must not leave behind, whatever happens to it, and whom it must not miss."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time

import memory_helpers as mh
import numpy as np
import pytest
from test_correction import COUNT, assert_equals_its_rebuild, corrections
from test_equality import walk
from test_forgetting import assert_nowhere, pieces

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.in_view import could_show, may_show
from spatialmem.memory import SpatialMemory
from spatialmem.store import codec
from spatialmem.types import Camera


@pytest.fixture
def path(walked, tmp_path):
    return shutil.copyfile(walked, tmp_path / "a.mem")


def keys_of(memory, table):
    return {key for (key,) in memory.sql(f"SELECT key FROM {table}")}


def examined_of(memory):
    found = [codec.decode_examined(blob) for (blob,) in memory.sql("SELECT examined FROM frames")]
    return set(np.concatenate(found).tolist())


@pytest.mark.parametrize("corrected", [False, True])
def test_no_key_tells_where_an_erased_thing_stood(tmp_path, corrected):
    """The red box is in the first five frames, and the others see through where it was."""
    path, frames = tmp_path / "a.mem", walk(14)
    memory = mh.create(path, frames, checkpoint_frames=6, ram_bytes=96 << 20)
    assert memory.info()["departed_regions"] > 0
    if corrected:
        memory.correct_poses(corrections(memory, [2, 4], seed=3))
    before, examined = keys_of(memory, "surface_blocks"), examined_of(memory)
    memory.forget(frames=range(1, 6))
    assert memory.info()["departed_regions"] == 0
    memory.close()
    mh.create(tmp_path / "b.mem", frames[5:]).close()
    with SpatialMemory.open(path) as memory, SpatialMemory.open(tmp_path / "b.mem") as never:
        for table in ("surface_blocks", "free_blocks"):
            assert keys_of(memory, table) == keys_of(never, table)
        assert before - keys_of(memory, "surface_blocks"), "some stood alone"
        assert examined - keys_of(never, "surface_blocks"), "and were examined"
        assert examined_of(memory) <= keys_of(never, "surface_blocks")
    memory = SpatialMemory.open(path, "a")
    mh.observe_all(memory, [mh.at(f, f.seq) for f in walk(18)[14:]])
    assert_equals_its_rebuild(path, memory)


def test_a_round_of_checkpoints_that_is_under_way_brings_no_key_back(tmp_path):
    path, frames = tmp_path / "a.mem", walk(16)
    memory = mh.create(path, frames[:14], checkpoint_frames=13, ram_bytes=96 << 20)
    assert memory._keeper._round._start == 13
    memory.forget(frames=range(1, 6))
    left = keys_of(memory, "surface_blocks")
    mh.observe_all(memory, frames[14:])
    memory.close()
    mh.create(tmp_path / "b.mem", frames[5:]).close()
    with SpatialMemory.open(path) as memory, SpatialMemory.open(tmp_path / "b.mem") as never:
        assert left < keys_of(memory, "surface_blocks") == keys_of(never, "surface_blocks")


def test_a_camera_that_only_erased_frames_had_is_gone(tmp_path):
    frames = [*walk(2), *walk(4, (120, 90))[2:]]
    with mh.create(tmp_path / "a.mem", frames) as memory:
        assert memory.sql("SELECT count(*) FROM cameras") == [(2,)]
        memory.forget(frames=[3, 4])
        assert memory.sql("SELECT width, height FROM cameras") == [(160, 120)]
        assert memory.check() == []
        mh.observe_all(memory, [mh.at(f, f.seq) for f in walk(6, (120, 90))[4:]])


def far_frame(seq, size=(160, 120)):
    """Everything lies beyond the reach of the map: it carves free space and has no surface."""
    frame = mh.frame_at((-0.6, -0.6, 1.2), (1.0, 0.4, -0.1), seq, size=size)
    return mh.at(frame, seq, depth_m=np.full(frame.rgb.shape[:2], 7.0, np.float32))


def test_a_frame_that_only_saw_free_space_is_corrected_and_forgotten(tmp_path):
    path = tmp_path / "a.mem"
    frames = [*walk(3), far_frame(3), *(mh.at(f, f.seq + 1) for f in walk(6)[4:])]
    memory = mh.create(path, frames, ram_bytes=96 << 20)
    assert memory.sql("SELECT agrees FROM keyframes WHERE lsn = 4") == [(None,)]
    memory.correct_poses(corrections(memory, [1, 4], seed=6))
    hashed = memory.canonical_hash()
    memory.rebuild()
    assert memory.canonical_hash() == hashed
    with mh.create(tmp_path / "b.mem", frames[:3]) as other:
        memory.correct_poses({k.lsn: f.world_from_camera for k, f in zip(memory.trajectory(), frames, strict=True)})
        memory.forget(frames=[4, 5, 6])
        assert memory.canonical_hash() == other.canonical_hash()
    assert_equals_its_rebuild(path, memory)


CAMERA = Camera(100.0, 100.0, 79.5, 59.5, 160, 120)
BOX = np.array([(-0.3, -0.3, 2.0), (0.3, 0.3, 2.5)])
EVERYWHERE = np.array([(-np.inf,) * 3, (np.inf,) * 3])


def flat(depth_m, hole=None):
    depth = np.full((120, 160), depth_m, np.float32)
    if hole is not None:
        depth[60 - hole : 60 + hole, 80 - hole : 80 + hole] = np.nan
    return depth


@pytest.mark.parametrize(("depth_m", "shows"), [
    (None, True), (flat(5.0), True), (flat(1.0), False), (flat(np.nan), True),
    (flat(1.0, hole=3), False),  # a speck without readings in a wall that hides the box
    (flat(1.0, hole=40), True),  # nothing was measured there, and nothing is near that hides the box
    (flat(2.3), True), (flat(2.1, hole=3), True),
])  # fmt: skip
def test_what_an_image_may_show(depth_m, shows):
    assert may_show(BOX, np.eye(4), CAMERA, depth_m, 0.01) is shows
    assert could_show(BOX, np.eye(4), CAMERA)


def test_what_an_image_cannot_show():
    for box in (BOX - (0, 0, 5.0), BOX + (9.0, 0, 0), BOX - (0, 9.0, 0)):
        assert not could_show(box, np.eye(4), CAMERA) and not may_show(box, np.eye(4), CAMERA, None, 0.01)
    assert may_show(EVERYWHERE, np.eye(4), CAMERA, flat(1.0), 0.01) and could_show(EVERYWHERE, np.eye(4), CAMERA)
    behind = np.array([(-np.inf, -np.inf, -np.inf), (np.inf, np.inf, -1.0)])
    assert not may_show(behind, np.eye(4), CAMERA, None, 0.01)
    ahead = -behind[::-1]
    assert could_show(ahead, np.eye(4), CAMERA) and may_show(ahead, np.eye(4), CAMERA, None, 0.01)
    around = np.array([(-5.0, -5.0, -5.0), (5.0, 5.0, 5.0)])  # the camera is in it
    assert could_show(around, np.eye(4), CAMERA) and may_show(around, np.eye(4), CAMERA, flat(0.5), 0.01)


def test_a_box_takes_frames_that_show_it_without_having_measured_there(tmp_path):
    """A person in black, or beyond the sensor's reach, is in the image alone."""
    frames = walk(2)
    towards = mh.frame_at((-1.0, 0.0, 1.2), (1.0, 0.0, 0.0), 2)
    column, nothing = np.indices((120, 160))[1], np.float32(np.nan)
    black = mh.at(towards, 2, depth_m=np.where(abs(column - 80) < 30, nothing, towards.depth_m))
    beyond = mh.at(towards, 3, depth_m=np.where(column < 20, towards.depth_m, nothing))
    colour = mh.at(towards, 4, depth_m=None)
    away = mh.at(mh.frame_at((-1.0, 0.0, 1.2), (-1.0, 0.0, 0.0), 5), 5, depth_m=None)
    box = np.array([(0.5, -0.3, 1.0), (0.7, 0.3, 1.5)])
    with mh.create(tmp_path / "a.mem", [black, mh.at(beyond, 3), colour, away]) as memory:
        assert memory.forget(box_m=box).frames == 3
        assert [k.seq for k in memory.trajectory()] == [5]
    with mh.create(tmp_path / "b.mem", [*frames, mh.at(colour, 4)]) as memory:
        assert memory.forget(box_m=EVERYWHERE).frames == 3


def test_everything_can_be_forgotten(path):
    memory = SpatialMemory.open(path, "a")
    assert memory.forget(since_ns=0).frames == COUNT
    for table in ("keyframes", "frames", "surface_blocks", "free_blocks", "departed", "sightings", "cameras"):
        assert memory.sql(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert memory.trajectory() == [] and len(memory.query("red")) == 0 and memory.localize(walk(1)[0]) is None
    assert memory.forget(since_ns=0).frames == 0 and memory.check() == []
    mh.observe_all(memory, [mh.at(f, f.seq) for f in walk(COUNT + 2)[COUNT:]])
    assert_equals_its_rebuild(path, memory)


def test_forgetting_again_makes_good_what_was_cut_short(path, monkeypatch):
    memory = SpatialMemory.open(path, "a")

    def held(writer):
        raise MemoryFileError("a reader holds the log; close the reader")

    with monkeypatch.context() as patch:
        patch.setattr("spatialmem.store.writer.Writer.rewrite", held)
        with pytest.raises(MemoryFileError, match="the frames are erased, but bytes of them may be left"):
            memory.forget(frames=[8])
    pending = "SELECT count(*) FROM meta WHERE key = 'scrub_pending'"
    assert memory.sql(pending) == [(1,)] and len(memory.trajectory()) == COUNT - 1
    assert memory.forget(frames=[8]).frames == 0  # as the error advises
    assert memory.sql(pending) == [(0,)]
    with pytest.raises(InvalidValue, match="no stored frame 99"):
        memory.forget(frames=[8, 99])
    assert_equals_its_rebuild(path, memory)


WHERE = ["spatialmem.keeper.Keeper.forget_frames", "spatialmem.layers.Layers.take", "spatialmem.layers.Layers.erase"]


@pytest.mark.parametrize("where", WHERE)
def test_ctrl_c_after_the_file_was_told_is_not_taken_for_nothing(path, monkeypatch, where):
    memory = SpatialMemory.open(path, "a")

    def struck(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, struck)
        with pytest.raises(KeyboardInterrupt):
            memory.forget(frames=[8])
    with pytest.raises(Exception, match="interrupted; close it and open it again"):
        memory.query("red")
    memory.close()
    memory = SpatialMemory.open(path, "a")
    assert len(memory.trajectory()) == COUNT - 1
    assert memory.sql("SELECT count(*) FROM meta WHERE key = 'scrub_pending'") == [(0,)]
    assert_equals_its_rebuild(path, memory)


def test_who_reads_meanwhile_sees_all_frames_or_those_that_are_left(path):
    with SpatialMemory.open(path, "a") as memory:
        seen, stop = set(), threading.Event()

        def read():
            while not stop.is_set():
                seen.add(len(memory.trajectory()))

        reader = threading.Thread(target=read)
        reader.start()
        try:
            for lsn in (3, 9, 12):
                memory.forget(frames=[lsn])
        finally:
            stop.set()
            reader.join()
        assert seen <= {COUNT, COUNT - 1, COUNT - 2, COUNT - 3}


def test_who_has_it_open_is_told_that_a_frame_was_erased(path):
    with SpatialMemory.open(path, "a") as writer, SpatialMemory.open(path) as reader:
        writer.forget(frames=[8])
        with pytest.raises(InvalidValue, match="frame 8 .* has been erased; open the file again"):
            reader.keyframe(8)
        assert reader.keyframe(9).seq == 8


def test_opening_beside_a_writer_that_forgets(path, monkeypatch):
    """The reader is between blocks and rows when frames vanish; it reads again instead of calling the file damaged."""
    with SpatialMemory.open(path, "a") as writer:
        mh.observe_all(writer, [mh.at(f, f.seq) for f in walk(COUNT + 4)[COUNT:]])  # a tail to replay
        from spatialmem.keeper import Keeper

        original, once = Keeper.logged, []

        def meanwhile(self, row, pose=None):
            if self.read_only and not once:
                once.append(True)
                writer.forget(frames=[row.lsn])
            return original(self, row, pose)

        monkeypatch.setattr(Keeper, "logged", meanwhile)
        with SpatialMemory.open(path) as reader:
            assert once and len(reader.trajectory()) == COUNT + 3
            assert reader.canonical_hash() == writer.canonical_hash()


FORGET = """
path = sys.argv[1]
with SpatialMemory.open(path, "a") as memory:
    print("ready", flush=True)
    memory.forget(frames=[7, 8, 9])
    print("done", flush=True)
    sys.stdin.read()
"""


def started(path):
    child = subprocess.Popen([*mh.python(FORGET), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    return child, time.monotonic()


def test_killed_while_forgetting(walked, tmp_path):
    """All is there, or nothing of what was erased is once the memory has been opened for appending."""
    path, rng = shutil.copyfile(walked, tmp_path / "whole.mem"), np.random.default_rng(5)
    with SpatialMemory.open(path) as memory:
        told, hashes = pieces(memory, [7, 8, 9]), [memory.canonical_hash()]
    child, begun = started(path)
    assert child.stdout.readline() == "done\n"
    needed_s = time.monotonic() - begun
    child.communicate("")
    with SpatialMemory.open(path) as memory:
        hashes.append(memory.canonical_hash())
    seen = set()
    for number in range(4):
        path = shutil.copyfile(walked, tmp_path / f"{number}.mem")
        child, begun = started(path)
        until = begun + needed_s * (number + rng.uniform(0.0, 1.0)) / 4.0
        while time.monotonic() < until:
            pass
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        with SpatialMemory.open(path, "a") as memory:
            assert memory.check() == []
            seen.add(hashes.index(memory.canonical_hash()))
            erased = len(memory.trajectory()) < COUNT
        if erased:
            assert_nowhere(path, told)
    assert 0 in seen
