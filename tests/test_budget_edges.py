"""A map that does not fit into RAM at its edges: replays, interrupts, and readers that stay."""

from __future__ import annotations

import dataclasses
import os
import threading

import memory_helpers as mh
import numpy as np
import pytest
import rooms

from spatialmem import far_reading, revisions
from spatialmem.blocks_read import free_block_of
from spatialmem.errors import MemoryFileError, OutOfRoom, SpatialMemError
from spatialmem.far_reading import whole_epoch
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.memory import SpatialMemory
from spatialmem.residence import Residence
from spatialmem.store.block_codec import FreeBlock, pack_free_block
from spatialmem.store.block_store import Spilled
from spatialmem.store.rows import BlockRow
from spatialmem.voxels.freespace import FreeSpaceGrid
from spatialmem.voxels.keys import VOXELS
from spatialmem.voxels.mesh import joined_meshes
from spatialmem.voxels.shelved_surface import ShelvedSurface
from spatialmem.voxels.views import DepthView

SMALL = 26 << 20
NONE = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def frames():
    return rooms.walk(4, 5)


def on_file_alone(memory):
    return memory.info()["surface_blocks_on_file_alone"]


def test_a_round_within_a_replay_leaves_the_tags_of_later_frames(tmp_path, frames, monkeypatch):
    """Blocks that had left RAM before the crash contain frames that the replay has yet to come to."""
    path, keepers, replayed = tmp_path / "live" / "a.mem", [], []
    path.parent.mkdir()
    with mh.create(path, frames[:14], ram_bytes=SMALL, checkpoint_frames=1000) as memory:
        assert on_file_alone(memory) > 0
        hashed, copy = memory.canonical_hash(), mh.as_a_crash_leaves_it(path, tmp_path / "crashed" / "a.mem")
    new_layers, apply = Keeper.new_layers, Layers.apply

    def remembered(keeper):
        keepers.append(keeper)
        return new_layers(keeper)

    def applied(layers, prepared, replay=False):
        apply(layers, prepared, replay)
        replayed.append(prepared.frame.lsn)
        if len(replayed) == 4:
            keepers[-1].complete_round(layers)  # as a file without room for a block that leaves RAM has it

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "new_layers", remembered)
        patch.setattr(Layers, "apply", applied)
        with SpatialMemory.open(copy, "a") as memory:
            assert len(replayed) == 14 and memory.canonical_hash() == hashed
    with SpatialMemory.open(copy, "a") as memory:
        assert memory.canonical_hash() == hashed
        memory.rebuild()
        assert memory.canonical_hash() == hashed


@pytest.mark.parametrize("correcting", [True, False])
def test_an_interrupt_while_blocks_leave_ram_loses_none(tmp_path, frames, monkeypatch, correcting):
    def give_up(residence, *given):
        residence._layers.epochs._aside = 0  # nobody reads: in place
        assert residence.give_up_more(NONE, NONE)

    def struck(*given):
        raise KeyboardInterrupt

    path = tmp_path / "a.mem"
    with mh.create(path, frames[:6], ram_bytes=SMALL) as memory:
        hashed, last = memory.canonical_hash(), memory.trajectory()[-1]
        moved = np.array(last.map_from_camera)
        moved[0, 3] += 0.1
        with monkeypatch.context() as patch:
            patch.setattr(Residence, "room_to_start_over" if correcting else "ready", give_up)
            patch.setattr(FreeSpaceGrid, "give_up", struck)
            with pytest.raises(KeyboardInterrupt):
                memory.correct_poses({last.lsn: moved}) if correcting else memory.observe(frames[6])
        with pytest.raises(SpatialMemError, match="interrupted"):
            memory.canonical_hash()
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == hashed


def test_an_epoch_and_a_file_that_has_gone_on_are_taken_again(tmp_path, frames, monkeypatch):
    """The writer publishes between the two questions whether file and epoch are of one instant."""
    with mh.create(tmp_path / "a.mem", frames[:6], ram_bytes=SMALL) as memory:
        layers, asked = memory._layers, []
        assert layers.residence.give_up_more(NONE, NONE)

        def settled(residence):
            asked.append(layers.epochs.number)
            if len(asked) == 1:
                layers.publish()
            return True

        monkeypatch.setattr(Residence, "settled", property(settled, lambda residence, value: None), raising=False)
        with whole_epoch(lambda: layers) as epoch:
            assert epoch.surface is not None and len(asked) > 1


def test_pieces_and_what_stays_on_file_make_up_the_whole(tmp_path, frames, monkeypatch):
    path = tmp_path / "a.mem"
    with mh.create(path, frames[:4]) as memory:
        mesh, hashed = memory.mesh(), memory.canonical_hash()
        assert memory._layers.residence.give_up_all()
        monkeypatch.setattr(ShelvedSurface, "_fits", lambda away, places: len(places) <= 90)
        pieces = list(memory.mesh_pieces())
        assert len(pieces) > 8 and memory.canonical_hash() == hashed
        whole = joined_meshes(pieces)
        for name in ("vertices_m", "normals", "rgb", "triangles"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(mesh, name))
    with monkeypatch.context() as patch:
        patch.setattr("spatialmem.loading._most", lambda capacity, share: capacity // 100)
        with SpatialMemory.open(path) as memory:
            assert memory.info()["surface_blocks"] > 0 and memory.canonical_hash() == hashed
            assert on_file_alone(memory) > 256


def test_a_reader_of_what_a_writer_has_erased_since_is_told_to_open_again(tmp_path, frames):
    path = tmp_path / "a.mem"
    mh.create(path, frames[:3]).close()
    with SpatialMemory.open(path, "a") as writer, SpatialMemory.open(path) as reader:
        assert reader._layers.residence.give_up_all()
        writer.forget(frames=[1, 2, 3])
        with pytest.raises(MemoryFileError, match="open it again"):
            reader.points()


def test_a_view_is_compared_part_by_part_where_it_is_more_than_fits(tmp_path, frames, monkeypatch):
    with mh.create(tmp_path / "a.mem", frames[:5]) as memory:
        frame, asked = frames[2], []
        view = DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.pose, memory.config)
        with memory._reading() as epoch:
            wanted = epoch.surface.compare(view)
        assert memory._layers.residence.give_up_all()

        def fits(away, places):
            asked.append(len(places))
            return len(places) <= most

        with memory._reading() as epoch:
            monkeypatch.setattr(ShelvedSurface, "_fits", fits)
            most = 10_000
            assert epoch.surface.compare(view) == wanted
            most = max(asked) // 2
            seen = epoch.surface.compare(view)
            assert len(asked) > 10 and seen.rays == wanted.rays
            for name in ("agrees", "seen_through", "occluded", "no_return"):
                assert getattr(seen, name) == pytest.approx(getattr(wanted, name), abs=0.01)
            most = 0
            with pytest.raises(OutOfRoom, match="can be looked at together"):
                epoch.surface.compare(view)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_a_temporary_folder_that_is_full_is_told_when_blocks_are_put(monkeypatch):
    def full(buffering=-1, **options):
        return open("/dev/full", "r+b", buffering)

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    store = Spilled()
    with pytest.raises(MemoryFileError, match="TMPDIR"):
        store.put([BlockRow(5, 1, 0, b"few bytes")], ())
    assert store.lacks("surface", np.array([5])).all()


def test_what_is_put_aside_again_takes_the_place_of_what_nobody_reads(tmp_path):
    store, rng = Spilled(folder=tmp_path), np.random.default_rng(3)

    def put(number):
        rows = [BlockRow(key, number, 0, rng.bytes(int(rng.integers(1000, 1200)))) for key in range(40)]
        store.put(rows[:20], rows[20:])
        return rows

    first = put(1)
    with store.snapshot() as read:
        second = put(2)
        assert read("surface", range(20)) == first[:20] and read("free", range(20, 40)) == first[20:]
        assert store.read("surface", range(20)) == second[:20]
    length = store._extents.end
    for number in range(3, 20):
        latest = put(number)
        assert store.read("surface", range(20)) == latest[:20] and store.read("free", range(20, 40)) == latest[20:]
    assert store._extents.end <= 1.3 * length and not any(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["correct", "rebuild"])
def test_who_reads_while_the_file_is_ahead_waits_for_what_it_holds(tmp_path, frames, monkeypatch, what):
    """Between the commit and the new map, blocks on file are not those of the map that readers see."""
    answers, asked_again = [], threading.Event()
    with mh.create(tmp_path / "a.mem", frames[:14], ram_bytes=SMALL) as memory:
        assert on_file_alone(memory) > 0
        before, reader = (
            memory.canonical_hash(),
            threading.Thread(target=lambda: answers.append(memory.canonical_hash())),
        )
        pause = far_reading.time.sleep

        def asks_again(seconds):
            asked_again.set()
            pause(seconds)

        def reads_in_between(*given):
            monkeypatch.setattr(far_reading.time, "sleep", asks_again)
            reader.start()
            assert asked_again.wait(60) and answers == []
            return late(*given)

        if what == "correct":
            late = revisions.take_over
            monkeypatch.setattr(revisions, "take_over", reads_in_between)
            pose = np.array(memory.trajectory()[1].map_from_camera)
            pose[:3, 3] += (0.08, -0.05, 0.03)
            memory.correct_poses({2: pose})
        else:
            late = Keeper.keep_on_file
            monkeypatch.setattr(Keeper, "keep_on_file", reads_in_between)
            memory.rebuild()
        reader.join(60)
        assert answers == [memory.canonical_hash()]
        assert (answers[0] != before) == (what == "correct")


def test_ctrl_c_after_the_file_was_made_anew_leaves_no_reader_waiting(tmp_path, frames, monkeypatch):
    def struck(*given):
        raise KeyboardInterrupt

    with mh.create(tmp_path / "a.mem", frames[:10], ram_bytes=SMALL) as memory:
        hashed = memory.canonical_hash()
        with monkeypatch.context() as patch:
            patch.setattr(Keeper, "_new_round", struck)
            with pytest.raises(KeyboardInterrupt):
                memory.rebuild()
        if memory._layers.residence.settled:
            assert memory.canonical_hash() == hashed
        else:
            with pytest.raises(SpatialMemError, match="interrupted"):
                memory.canonical_hash()
    with SpatialMemory.open(tmp_path / "a.mem") as reopened:
        assert reopened.canonical_hash() == hashed


def test_free_space_that_no_frame_can_have_seen_is_refused(tmp_path, frames):
    path = tmp_path / "a.mem"
    mh.create(path, frames[:3], ram_bytes=SMALL).close()
    with SpatialMemory.open(path) as memory:
        row = next(iter(memory._keeper.on_file().free_blocks()))
    assert free_block_of(row).last_occupied.max() > 0
    with pytest.raises(MemoryFileError, match="after its tag, 0"):
        free_block_of(dataclasses.replace(row, lsn=0))
    nothing = FreeBlock(np.zeros(VOXELS, np.int8), np.zeros(VOXELS, np.uint32), np.zeros(VOXELS, np.uint32))
    with pytest.raises(MemoryFileError, match="seen by no frame"):
        free_block_of(dataclasses.replace(row, data=pack_free_block(nothing)))
