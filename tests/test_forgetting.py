"""What was forgotten is nowhere in the file, and the map is as if it had never been seen."""

from __future__ import annotations

import json
import shutil

import memory_helpers as mh
import numpy as np
import pytest
from test_correction import COUNT, assert_equals_its_rebuild, corrections
from test_equality import walk

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.memory import SpatialMemory

PIECE = 20
"""bytes: long enough that none of them is there by chance"""


@pytest.fixture
def path(walked, tmp_path):
    return shutil.copyfile(walked, tmp_path / "a.mem")


def pieces(memory, lsns):
    """Bytes that tell of these frames: samples of every blob of theirs, and of blocks that hold them."""
    found = []
    for lsn in lsns:
        for query in (
            "SELECT colour, depth, features, mask FROM frames WHERE lsn = ?",
            "SELECT vector FROM vectors WHERE lsn = ?",
            "SELECT world_from_camera FROM keyframes WHERE lsn = ?", "SELECT cells FROM sightings WHERE lsn = ?",
        ):  # fmt: skip
            for row in memory.sql(query, (lsn,)):
                for blob in row:
                    if blob is not None and len(blob) > 3 * PIECE:
                        middle = len(blob) // 2
                        found += [blob[-PIECE - 4 : -4], blob[middle : middle + PIECE]]
    return [piece for piece in found if len(set(piece)) > 6]


def bytes_on_disk(path):
    return b"".join(p.read_bytes() for p in sorted(path.parent.glob(path.name + "*")))


def assert_nowhere(path, told):
    data = bytes_on_disk(path)
    assert [piece for piece in told if piece in data] == []


@pytest.mark.parametrize("lsns", [[1], [7, 8, 9], [20], [19, 20], [2, 11, 17]])
def test_forgotten_frames_are_nowhere_and_the_map_never_saw_them(path, tmp_path, lsns):
    memory = SpatialMemory.open(path, "a")
    told = pieces(memory, lsns)
    data = bytes_on_disk(path)
    assert len(told) > 4 * len(lsns) and all(piece in data for piece in told)
    blocks = dict(memory.sql("SELECT key, data FROM surface_blocks"))
    done = memory.forget(frames=lsns)
    assert done.frames == len(lsns) and memory.check() == []
    assert_nowhere(path, told)
    left = dict(memory.sql("SELECT key, data FROM surface_blocks"))
    rewritten = [blob for key, blob in blocks.items() if left.get(key) != blob and len(blob) > 3 * PIECE]
    assert len(rewritten) > 5
    now = b"".join(left.values())  # what other frames saw of the same block may well be packed alike
    was = [blob[len(blob) // 2 :][:PIECE] for blob in rewritten]
    assert len([piece for piece in was if piece not in now]) > 5
    assert_nowhere(path, [piece for piece in was if piece not in now])
    assert [k.lsn for k in memory.trajectory()] == [n for n in range(1, COUNT + 1) if n not in lsns]
    ((what,),) = memory.sql("SELECT what FROM tombstones")
    assert json.loads(what)["asked"] == {"frames": lsns}
    with pytest.raises(InvalidValue, match="no stored frame"):
        memory.keyframe(lsns[0])
    mh.observe_all(memory, [mh.at(f, f.seq) for f in walk(COUNT + 2)[COUNT:]])
    assert memory.trajectory()[-1].lsn == COUNT + 2, "numbers are not given twice"
    assert_equals_its_rebuild(path, memory)
    assert_nowhere(path, told)


def test_the_map_is_that_of_the_other_frames(tmp_path):
    """Where nothing was examined, numbers apart, the surface is what the other frames alone make."""
    frames = walk(5, (120, 90))
    with mh.create(tmp_path / "a.mem", frames) as memory, mh.create(tmp_path / "b.mem", frames[:4]) as other:
        memory.forget(frames=[5])
        assert memory.canonical_hash() == other.canonical_hash()


def test_a_box(path):
    box = np.array([(1.4, -0.4, 0.4), (2.1, 0.4, 1.2)])
    with SpatialMemory.open(path, "a") as memory:
        before = len(memory.trajectory())
        assert memory.query(box_m=box).searched_voxels > 0
        done = memory.forget(box_m=box)
        assert 3 < done.frames < before
        answer = memory.query(box_m=box)
        assert len(answer) == 0 and answer.place.value == "never looked"
        assert (memory.occupancy(box) == 0).all()


def test_a_span_of_time(path):
    with SpatialMemory.open(path, "a") as memory:
        stamps = [k.stamp_ns for k in memory.trajectory()]
        assert memory.forget(since_ns=stamps[4], until_ns=stamps[6]).frames == 3
        assert memory.forget(since_ns=stamps[4], until_ns=stamps[6]).frames == 0
        assert [k.stamp_ns for k in memory.trajectory()] == stamps[:4] + stamps[7:]


def test_corrected_frames_can_be_forgotten_too(path):
    memory = SpatialMemory.open(path, "a")
    wanted = corrections(memory, [6, 12], seed=4)
    memory.correct_poses(wanted)
    told = [wanted[6].tobytes()[:PIECE]]
    memory.forget(frames=[6])
    assert memory.sql("SELECT lsn FROM pose_revisions") == [(12,)]
    assert_nowhere(path, told)
    assert_equals_its_rebuild(path, memory)


def test_what_the_file_refuses_is_not_forgotten(path, monkeypatch):
    memory = SpatialMemory.open(path, "a")
    before = memory.canonical_hash()

    def full(*args):
        raise MemoryFileError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("spatialmem.store.maintenance.put_blocks", full)
        with pytest.raises(MemoryFileError, match="disk full"):
            memory.forget(frames=[3])
    assert memory.canonical_hash() == before and len(memory.trajectory()) == COUNT
    assert memory.keyframe(3).seq == 2
    assert_equals_its_rebuild(path, memory)


def test_scrubbing_that_was_cut_short_is_made_good_on_opening(path, monkeypatch):
    memory = SpatialMemory.open(path, "a")
    told = pieces(memory, [8])
    with monkeypatch.context() as patch:
        patch.setattr("spatialmem.store.file.MemoryFile.scrub", lambda file: None)
        memory.forget(frames=[8])
    memory.close()
    with SpatialMemory.open(path, "a") as memory:
        assert memory.sql("SELECT count(*) FROM meta WHERE key = 'scrub_pending'") == [(0,)]
    assert_nowhere(path, told)


def test_forgetting_what_is_not_there_is_refused(path):
    with SpatialMemory.open(path, "a") as memory:
        for given, words in (({}, "forget what"), ({"frames": [99]}, "no stored frame 99"), ({"frames": ["a"]}, "lsn")):
            with pytest.raises(InvalidValue, match=words):
                memory.forget(**given)
        assert len(memory.trajectory()) == COUNT
