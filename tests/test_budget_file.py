"""A file budget is never exceeded, and what was given up for it is recorded and changes nothing in the map."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from types import SimpleNamespace

import budget_helpers as bh
import memory_helpers as mh
import numpy as np
import pytest

from spatialmem.errors import Evicted, InvalidValue, OutOfRoom
from spatialmem.memory import SpatialMemory
from spatialmem.store import evictions
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.queries import disk_sizes
from spatialmem.types import Stored

TIMES = 9
"""the budget: so much is given up for it"""
QUESTIONS = ({"text": "red"}, {"text": "green"}, {"text": "yellow"}, {"at": (1.75, 0.0, 0.8), "radius_m": 0.6})


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A stream ten times the budget into a memory with it, and copies as crashes would have left them."""
    folder = tmp_path_factory.mktemp("day")
    path, copies, given, count = folder / "live" / "a.mem", [], 0, 0
    path.parent.mkdir()
    with bh.create(path) as memory, bh.watched(memory) as most:
        while given < (TIMES + 0.5) * bh.LIMIT:  # the rest is stored
            for frame in bh.stream(count, 8):
                assert isinstance(memory.observe(frame), Stored)
                assert disk_sizes(path)["total"] <= bh.LIMIT
                count += 1
                if count % 27 == 0:  # checkpoints come every 16 frames: each copy is another way on to the next
                    copy = mh.as_a_crash_leaves_it(path, folder / f"{len(copies)}" / "a.mem")
                    copies.append((copy, count, memory.canonical_hash()))
            given = memory.sql("SELECT ifnull(sum(bytes), 0) FROM evictions")[0][0]
        hashed = memory.canonical_hash()
        hits = [bh.told(memory.query(**question)) for question in QUESTIONS]
        info, mesh = memory.info(), memory.mesh()
    return SimpleNamespace(
        path=path, count=count, copies=copies, hash=hashed, hits=hits, most=most[0], info=info, mesh=mesh
    )


@pytest.fixture
def path(day, tmp_path):
    return shutil.copyfile(day.path, tmp_path / "a.mem")


# --- the bound


def test_the_bound_holds_and_is_used(day):
    assert 0.85 * bh.LIMIT < day.most <= bh.LIMIT
    assert day.path.stat().st_size < day.most and mh.names(day.path) == {""}
    with SpatialMemory.open(day.path) as memory:
        assert memory.info()["file_bytes"]["free"] == 0, "what is not used was given back"
        assert len(memory.trajectory()) == day.count


def test_every_frame_is_stored_or_recorded_as_evicted(day):
    with SpatialMemory.open(day.path) as memory:
        gone = bh.evicted(memory)
        assert gone == bh.recorded(memory) and 0.5 * day.count < len(gone) < day.count
        assert memory.check() == []
        assert {k.lsn for k in memory.trajectory()} == set(range(1, day.count + 1))
        for keyframe in memory.trajectory()[:: day.count // 40]:
            if keyframe.lsn in gone:
                with pytest.raises(Evicted, match=f"frame {keyframe.lsn} were given up after frame .*file budget"):
                    memory.keyframe(keyframe.lsn)
            else:
                assert memory.keyframe(keyframe.lsn).seq == keyframe.seq


def test_crashes_lose_nothing_that_was_acknowledged(day):
    full = 0
    for number, (copy, count, hashed) in enumerate(day.copies):
        assert disk_sizes(copy)["total"] <= bh.LIMIT
        with SpatialMemory.open(copy) as memory:
            assert memory.canonical_hash() == hashed and memory.check() == []
            assert [k.lsn for k in memory.trajectory()] == list(range(1, count + 1))
            assert bh.evicted(memory) == bh.recorded(memory)
            full += bh.evicted(memory) != set()
            left = [k.lsn for k in memory.trajectory() if k.lsn not in bh.evicted(memory)]
            assert all(memory.keyframe(lsn).seq == lsn - 1 for lsn in left[:: max(1, len(left) // 3)])
        if number % 4 == 3:
            with SpatialMemory.open(copy, "a") as memory, bh.watched(memory):
                assert memory.canonical_hash() == hashed
                mh.observe_all(memory, bh.stream(count, 4))
            assert disk_sizes(copy)["total"] <= bh.LIMIT and mh.names(copy) == {""}
    assert full >= 8


def test_kill_9_loses_nothing_that_was_acknowledged(day, tmp_path):
    """From where the file is full, so that every frame has others give way."""
    path, rng = tmp_path / "a.mem", np.random.default_rng(2)
    copy, first, _ = day.copies[4]  # which no test writes to
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{copy}{suffix}", f"{path}{suffix}")
    with SpatialMemory.open(path) as memory:
        known, gone = first, len(bh.recorded(memory))
    assert gone > 30
    code = """
import budget_helpers as bh
path = bh.Path(sys.argv[1])
memory = SpatialMemory.open(path, "a")
print("ready", flush=True)
for frame in bh.stream(len(memory.trajectory()), 400):
    print(memory.observe(frame).lsn, flush=True)
"""
    for lines in rng.integers(12, 24, 3):
        child = subprocess.Popen([*mh.python(code), str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(1 + lines):
            line = child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        known = max([int(line), *(int(more) for more in child.stdout.read().split())])
        child.wait()
        child.stdout.close()
        assert disk_sizes(path)["total"] <= bh.LIMIT
        with SpatialMemory.open(path) as memory:
            count = len(memory.trajectory())
            assert known <= count <= known + 1 and memory.check() == []
            assert bh.evicted(memory) == bh.recorded(memory)
    with SpatialMemory.open(path) as memory:
        assert known > first + 30 and len(bh.recorded(memory)) > gone + 15


# --- the map


@pytest.fixture(scope="module")
def unbounded(day, tmp_path_factory):
    """The same stream into a memory without a budget."""
    path = tmp_path_factory.mktemp("unbounded") / "a.mem"
    with bh.create(path, None) as memory:
        mh.observe_all(memory, bh.stream(0, day.count))
        assert path.stat().st_size + disk_sizes(path)["wal"] > TIMES * bh.LIMIT
    return path


def test_the_map_is_that_of_a_memory_without_a_budget(day, unbounded):
    with SpatialMemory.open(unbounded) as other:
        assert other.canonical_hash() == day.hash
        assert [bh.told(other.query(**question)) for question in QUESTIONS] == day.hits
        assert len(day.hits[0]) > 0 and day.info["departed_regions"] > 0
        np.testing.assert_array_equal(other.mesh().vertices_m, day.mesh.vertices_m)


def test_live_reopened_rebuilt_and_repaired_are_equal(day, path):
    SpatialMemory.repair(path)
    with SpatialMemory.open(path, "a") as memory, bh.watched(memory):
        assert memory.canonical_hash() == day.hash
        tables = mh.tables(memory)
        memory.rebuild()
        assert memory.canonical_hash() == day.hash and memory.check() == []
        after = mh.tables(memory)
        assert {name for name in tables if tables[name] != after[name]} <= {"checkpoints"}
        mh.observe_all(memory, bh.stream(day.count, 12))
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == hashed and memory.check() == []


def test_localising_needs_no_images(day, path):
    with SpatialMemory.open(path) as memory:
        views = [bh.view(i, True) for i in (1, 3, 5)]
        found = [memory.localize(bh.noisy(view, 10_000)) for view in views]
        off_m = [
            np.linalg.norm(place.map_from_camera[:3, 3] - view.world_from_camera[:3, 3])
            for place, view in zip(found, views, strict=True)
            if place is not None
        ]
        assert len(off_m) >= 1 and max(off_m) < 0.1


# --- forgetting


def test_forgetting_in_a_full_file_stays_within_the_bound_and_leaves_no_byte(day, path):
    with SpatialMemory.open(path, "a") as memory, bh.watched(memory):
        kept = sorted(set(range(1, day.count + 1)) - bh.evicted(memory))
        lsns = [*kept[:2], *sorted(bh.evicted(memory))[:30]]
        rows = [memory.sql("SELECT colour, depth FROM frames WHERE lsn = ?", (lsn,))[0] for lsn in kept[:2]]
        blobs = [blob for row in rows for blob in row if blob is not None]
        cells = [blob for (blob,) in memory.sql("SELECT cells FROM sightings WHERE lsn IN (?, ?)", tuple(lsns[2:4]))]
        pieces = [blob[len(blob) * n // 8 :][:20] for blob in (*blobs, *cells) for n in (3, 4, 7)]
        data = path.read_bytes() + path.with_name("a.mem-wal").read_bytes()
        assert len(pieces) > 6 and all(piece in data for piece in pieces)
        memory.forget(frames=lsns)
        assert memory.check() == [] and memory.sql("SELECT count(*) FROM meta WHERE key = 'scrub_pending'") == [(0,)]
        others = b"".join(
            blob for (blob,) in memory.sql("SELECT cells FROM sightings")
        )  # of the same view, may be alike
        pieces = [piece for piece in pieces if piece not in others]
        data = path.read_bytes() + path.with_name("a.mem-wal").read_bytes()
        assert len(pieces) >= 12 and [piece for piece in pieces if piece in data] == []
        hashed = memory.canonical_hash()
        mh.observe_all(memory, bh.stream(day.count, 5))
    with SpatialMemory.open(path) as memory:
        assert memory.check() == [] and memory.canonical_hash() != hashed


# --- what is refused


def test_a_budget_that_is_too_small_is_refused_by_figure(tmp_path):
    with pytest.raises(InvalidValue, match="file_bytes must lie between 8388608"):
        mh.create(tmp_path / "a.mem", file_bytes=(8 << 20) - 1)
    assert mh.names(tmp_path / "a.mem") == set()


def test_layers_that_alone_are_too_large_refuse_the_frame_and_harm_nothing(tmp_path):
    path, stored, refused = tmp_path / "a.mem", 0, None
    with bh.create(path, voxel_size_m=0.015, free_voxel_m=0.1, ram_bytes=72 << 20) as memory, bh.watched(memory):
        for seq in range(60):
            angle = 2 * np.pi * seq / 24
            frame = bh.noisy(mh.frame_at((0.0, 0.0, 0.8 + 0.02 * seq), (np.cos(angle), np.sin(angle), 0.3), 0), seq)
            before = memory.canonical_hash()
            try:
                memory.observe(frame)
                stored += 1
            except OutOfRoom as error:
                refused = str(error)
                assert memory.canonical_hash() == before
                break
        assert refused is not None and stored > 5
        assert "file budget of 8,388,608 bytes" in refused and "larger budget" in refused
        assert len(memory.trajectory()) == stored and memory.check() == []
        hits, points = memory.query("red"), len(memory.points().position_m)
        assert points > 1000
        hashed = memory.canonical_hash()
    assert path.stat().st_size <= bh.LIMIT and mh.names(path) == {""}
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == hashed and memory.check() == []
        assert bh.told(memory.query("red")) == bh.told(hits) and len(memory.points().position_m) == points


def test_a_missing_image_without_a_record_is_found(path):
    with SpatialMemory.open(path, "a") as memory:
        kept = min({k.lsn for k in memory.trajectory()} - bh.evicted(memory))
        row = evictions.EvictionRow(kept, "frames", LsnRanges.of((kept,)), 1, "nothing")
        memory._keeper.file.change("testing", lambda c: (c.execute("DELETE FROM evictions"), evictions.insert(c, row)))
        problems = "\n".join(memory.check())
        assert "no eviction is recorded" in problems and f"but have their images, frame {kept} among" in problems


def test_info_says_what_was_given_up(day):
    (frames,) = [total for total in day.info["evicted"] if total["what"] == "frames"]
    assert frames["frames"] > 0.5 * day.count and frames["bytes"] > (TIMES - 1) * bh.LIMIT
    assert "8388608" in frames["reason"] and day.info["budget"]["file_bytes"] == bh.LIMIT
    assert day.info["horizon_lsn"] >= day.info["base_lsn"] > 0
