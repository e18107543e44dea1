"""Blocks that leave RAM beside a bound on the file, earlier times of such a map, and corrections that fail in it."""

from __future__ import annotations

import dataclasses
import shutil

import budget_helpers as bh
import memory_helpers as mh
import numpy as np
import pytest
import rooms

from spatialmem.correction import Correction
from spatialmem.errors import OutOfRoom
from spatialmem.memory import SpatialMemory
from spatialmem.residence import Residence
from spatialmem.store.queries import disk_sizes

ROOMS = 5
SMALL, LARGE = {"ram_bytes": 17 << 20, "voxel_size_m": 0.05}, {"ram_bytes": 512 << 20, "voxel_size_m": 0.05}


@pytest.fixture(scope="module")
def frames():
    """Noisy ones, so that the log takes more than the map."""
    return [bh.noisy(frame, seq) for seq, frame in enumerate(rooms.walk(ROOMS, 5, (400, 300)))]


@pytest.fixture(scope="module")
def large(tmp_path_factory, frames):
    """The stream in a memory with room for all of it."""
    path = tmp_path_factory.mktemp("large") / "a.mem"
    with mh.create(path, frames, **LARGE, checkpoint_frames=9) as memory:
        yield memory


@pytest.fixture(scope="module")
def hashed(large):
    """What it holds."""
    return large.canonical_hash()


@pytest.fixture(scope="module")
def built(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp("small") / "a.mem"
    mh.create(path, frames, **SMALL, checkpoint_frames=9).close()
    return path


@pytest.fixture
def path(built, tmp_path):
    return shutil.copyfile(built, tmp_path / "a.mem")


def on_file_alone(memory):
    info = memory.info()
    return min(info["surface_blocks_on_file_alone"], info["free_space_blocks_on_file_alone"])


def limit_for(path) -> int:
    """A bound that leaves room for the map and for about half of the log."""
    with SpatialMemory.open(path) as memory:
        sizes = memory.info()["file_bytes"]
    blocks = sizes["surface_blocks"] + sizes["free_blocks"]
    return int(1.2 * blocks + 0.4 * sizes["frames"]) + (4 << 20)


def test_both_bounds_are_held_and_change_nothing(tmp_path, built, frames, hashed):
    path, limit = tmp_path / "a.mem", limit_for(built)
    with mh.create(path, **SMALL, file_bytes=limit, checkpoint_frames=9) as memory:
        with bh.watched(memory, limit):
            for frame in frames:
                mh.observe_all(memory, [frame])
                assert disk_sizes(path)["total"] <= limit
        assert bh.evicted(memory) == bh.recorded(memory) != set()
        assert on_file_alone(memory) > 0
        assert memory.canonical_hash() == hashed
        assert memory.check() == []
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == hashed
        memory.rebuild()
        assert on_file_alone(memory) > 0
        assert memory.canonical_hash() == hashed
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == hashed


@pytest.mark.parametrize("lsns", [(ROOMS * 5 - 2, 12, 20), (3, ROOMS * 5)])
def test_earlier_times_of_a_map_that_does_not_fit_are_as_they_were(path, large, lsns):
    with SpatialMemory.open(path) as memory:
        assert on_file_alone(memory) > 0
        for lsn in lsns:
            with memory.at(lsn=lsn) as then, large.at(lsn=lsn) as wanted:
                assert then.canonical_hash() == wanted.canonical_hash()
                assert then.info()["surface_blocks"] == wanted.info()["surface_blocks"]


def test_changes_of_a_map_that_does_not_fit_are_refused(path, frames):
    with SpatialMemory.open(path) as memory, pytest.raises(OutOfRoom, match="changes are told from the whole map"):
        memory.changes(frames[-4].stamp_ns)


def test_points_know_their_first_frame_wherever_their_blocks_are(path, large):
    with SpatialMemory.open(path) as memory:
        one, two = memory.points(), large.points()
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name))


def test_a_correction_that_fails_after_blocks_left_ram_is_undone(path, frames, monkeypatch):
    make_room = Residence.room_to_start_over

    def give_up_too(residence, surface, free):
        make_room(residence, surface, free)
        residence.give_up_all()
        assert len(residence.surface.among(surface)) > 0  # which `start_over` takes off the shelf

    def struck(*given):
        raise error("struck")

    with SpatialMemory.open(path, "a") as memory:
        hashed, last = memory.canonical_hash(), memory.trajectory()[-1]
        wanted = np.array(frames[-1].pose)
        wanted[0, 3] += 0.1
        for error in (RuntimeError, KeyboardInterrupt):
            with monkeypatch.context() as patch:
                patch.setattr(Residence, "room_to_start_over", give_up_too)
                patch.setattr(Correction, "_replay", struck)
                with pytest.raises(error, match="struck"):
                    memory.correct_poses({last.lsn: wanted})
            assert memory.canonical_hash() == hashed
            np.testing.assert_array_equal(memory.trajectory()[-1].map_from_camera, last.map_from_camera)
        wanted = np.array(frames[0].pose)  # of another room: what the failed ones took off the shelf must be on it
        wanted[0, 3] += 0.1
        memory.correct_poses({1: wanted})
        changed = memory.canonical_hash()
        assert changed != hashed
        memory.rebuild()
        assert memory.canonical_hash() == changed
