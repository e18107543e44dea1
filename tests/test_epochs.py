"""Readers keep the map of one instant while frames arrive, and neither waits for the other."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import memory_helpers as mh
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_equality import walk
from voxel_watch import assert_pages_are_sound

from spatialmem.canonical import canonical_hash
from spatialmem.epochs import Epochs
from spatialmem.errors import MemoryFileError, OutOfRoom, SpatialMemError
from spatialmem.memory import SpatialMemory
from spatialmem.voxels.pools import PAGES_FREE, capacity
from spatialmem.voxels.search import Filter
from spatialmem.voxels.versions import Versions

COUNT = 14


def elsewhere(function, *args):
    """What a function gives when another thread calls it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args).result()


def look_in(epochs: Epochs) -> None:
    with epochs.read():
        pass


# --- epochs


def test_a_reader_keeps_its_value():
    epochs = Epochs("a")
    with epochs.read() as first:
        epochs.publish("b")
        with epochs.read() as second:
            assert (first, second, epochs.number, epochs.in_use()) == ("a", "b", 1, [0, 1])
        assert epochs.in_use() == [0]
    assert epochs.in_use() == []


def test_the_current_value_can_be_taken_only_while_nobody_reads():
    epochs = Epochs("a")
    with epochs.read():
        assert not epochs.take()
        epochs.publish("b")
        assert not epochs.take(), "blocks of an older value may be those of the current one"
    assert epochs.take()
    epochs.give_back()


def test_the_writer_stays_aside_for_a_while_after_another_thread_has_read():
    epochs = Epochs("a")
    epochs.take()
    epochs.give_back()
    look_in(epochs)
    assert epochs.take(), "the writer's own looks are in nobody's way"
    epochs.give_back()
    elsewhere(look_in, epochs)
    tries = 0
    while not epochs.take():
        tries += 1
    assert 10 < tries < 100


def test_who_comes_while_the_value_is_taken_waits_for_the_next():
    epochs, seen = Epochs("a"), []

    def read() -> None:
        with epochs.read() as value:
            seen.append(value)

    assert epochs.take()
    reader = threading.Thread(target=read)
    reader.start()
    epochs.publish("b")
    assert seen == []
    epochs.give_back()
    reader.join()
    assert seen == ["b"]


def test_waiting_for_readers_lets_them_finish():
    epochs, inside, leave = Epochs("a"), threading.Event(), threading.Event()

    def read() -> None:
        with epochs.read():
            inside.set()
            leave.wait()

    reader = threading.Thread(target=read)
    reader.start()
    inside.wait()
    waiting = threading.Thread(target=epochs.take, args=(True,))
    waiting.start()
    assert waiting.is_alive()
    leave.set()
    waiting.join()
    reader.join()
    assert epochs.in_use() == []
    epochs.give_back()


def test_who_reads_already_and_whom_a_long_reader_keeps_from_reading_get_in():
    epochs, taking = Epochs("a"), threading.Event()

    def take() -> None:
        taking.set()
        epochs.take(wait=True)
        epochs.give_back()

    with epochs.read():
        writer = threading.Thread(target=take)
        writer.start()
        taking.wait()
        while epochs._waiting_since is None:
            pass
        with epochs.read() as again:  # would wait for a writer that waits for it
            assert again == "a"
        elsewhere(look_in, epochs)
        assert writer.is_alive()
    writer.join()


def test_readers_that_overlap_do_not_keep_a_writer_out():
    """Each goes in before the one before it leaves, over and over; each stays for longer than the courtesy."""
    epochs, inside, stop = Epochs("a"), threading.Semaphore(0), threading.Event()

    def read(first_wait_s: float) -> None:
        stop.wait(first_wait_s)
        while not stop.is_set():
            with epochs.read():
                inside.release()
                stop.wait(0.15)

    readers = [threading.Thread(target=read, args=(0.05 * n,)) for n in range(3)]
    for reader in readers:
        reader.start()
    for _ in readers:
        inside.acquire()
    writer = threading.Thread(target=lambda: (epochs.take(wait=True), epochs.give_back()))
    writer.start()
    writer.join(10)
    got_in = not writer.is_alive()
    stop.set()
    for thread in (*readers, writer):
        thread.join()
    assert got_in


def test_a_writer_that_is_told_to_stop_waiting_does():
    epochs = Epochs("a")
    with epochs.read(), ThreadPoolExecutor(1) as pool:
        taken = pool.submit(epochs.take, True)
        while not epochs.waits_for_this_thread():
            pass
        assert not elsewhere(epochs.waits_for_this_thread)
        epochs.stop_waiting()
        with pytest.raises(OutOfRoom, match="is being closed"):
            taken.result()
        epochs.give_back()
    assert epochs.take()
    epochs.give_back()


def test_giving_back_what_was_not_taken_does_nothing():
    epochs = Epochs("a")
    epochs.give_back()
    with epochs.read() as value:
        assert value == "a" and epochs.in_use() == [0]
    assert epochs.in_use() == []


# --- versions


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=12), st.data())
def test_a_version_is_released_when_no_epoch_that_holds_it_is_read(steps, data):
    """Blocks 0 to 5 of the map; each step publishes after replacing one or more of them."""
    versions, place, holds, unused = Versions(200), dict(enumerate(range(6))), [set(range(6))], iter(range(6, 200))
    versions.add(np.arange(6))
    versions.publish(1)
    holds.append(set(range(6)))
    released: set[int] = set()
    in_use: list[int] = []
    for number, (count, first) in enumerate(steps, start=2):
        old = np.array([place[(first + n) % 6] for n in range(count)], np.int64)
        new = np.array([next(unused) for _ in range(count)], np.int64)
        place |= {(first + n) % 6: int(new[n]) for n in range(count)}
        versions.replace(old, new)
        versions.publish(number)
        holds.append(set(place.values()))
        in_use = sorted(data.draw(st.sets(st.sampled_from([*in_use, number - 1, number]))))  # none is entered late
        gone: list[int] = []
        versions.reclaim(in_use, lambda blocks, gone=gone: gone.extend(blocks.tolist()))
        released |= set(gone)
        needed = set().union(holds[number], *(holds[n] for n in in_use))
        everything = set().union(*holds[1:])
        assert released.isdisjoint(holds[number]) and set(gone).isdisjoint(needed)
        assert everything - released >= needed
        assert versions.retired == len(everything - released) - 6


# --- the memory


@pytest.fixture(scope="module")
def alone(walk_hashes) -> list[str]:
    """Canonical hashes after 0, 1, 2 ... frames, when nothing runs beside."""
    return walk_hashes[: COUNT + 1]


def in_use(memory: SpatialMemory) -> tuple[int, int]:
    return memory._layers.surface.blocks_in_use, memory._layers.free.blocks_in_use


def test_every_frame_that_somebody_reads_stays_as_it_was(tmp_path, alone):
    frames = walk(COUNT)
    with mh.create(tmp_path / "a.mem", checkpoint_frames=4, ram_bytes=400 << 20) as memory:
        epochs = memory._layers.epochs
        readers = [epochs.read()]
        held = [readers[0].__enter__()]
        for frame in frames:  # would wait for ever if it waited for readers
            mh.observe_all(memory, [frame])
            readers.append(epochs.read())
            held.append(readers[-1].__enter__())
        assert [canonical_hash(epoch) for epoch in held] == alone
        assert in_use(memory) > (len(memory._layers.surface), len(memory._layers.free))
        for reader in readers:
            reader.__exit__(None, None, None)
    with SpatialMemory.open(tmp_path / "a.mem") as memory:
        assert memory.canonical_hash() == alone[-1]


def test_old_versions_are_given_back(tmp_path, alone):
    with mh.create(tmp_path / "a.mem", walk(COUNT)[:-2], checkpoint_frames=4) as memory:
        with memory._layers.epochs.read():
            mh.observe_all(memory, walk(COUNT)[-2:-1])
        elsewhere(look_in, memory._layers.epochs)
        mh.observe_all(memory, walk(COUNT)[-1:])
        layers = memory._layers
        layers.reclaim()
        assert in_use(memory) == (len(layers.surface), len(layers.free))
        assert_pages_are_sound(layers.surface)
        assert memory.canonical_hash() == alone[-1]


@pytest.mark.parametrize("moment", ["commit", "apply"])
def test_a_reader_that_comes_between_planning_and_applying_sees_no_half_frame(tmp_path, alone, monkeypatch, moment):
    """Blocks have been added in place by then, and the reader's table leads to them."""
    frames, readers = walk(COUNT), []
    with mh.create(tmp_path / "a.mem", frames[:2], checkpoint_frames=4, ram_bytes=400 << 20) as memory:
        owner, name = (memory._keeper, "commit") if moment == "commit" else (memory._layers, "apply")
        original = getattr(owner, name)

        def entered(*args, **options):
            reader = memory._layers.epochs.read()
            readers.append((reader, elsewhere(reader.__enter__)))
            return original(*args, **options)

        monkeypatch.setattr(owner, name, entered)
        for count, frame in enumerate(frames[2:8], start=2):
            mh.observe_all(memory, [frame])
            assert canonical_hash(readers[-1][1]) == alone[count]
            assert memory.canonical_hash() == alone[count + 1]
        for reader, epoch in readers:
            stamps = len(epoch.stamps_ns)
            found = epoch.surface.search(None, 0.0, Filter())
            assert found.seen(found.rows(found.places()))[1].max() < stamps
            reader.__exit__(None, None, None)


def test_a_refused_frame_takes_nothing_from_under_a_reader(tmp_path, alone, monkeypatch):
    frames = walk(COUNT)
    with mh.create(tmp_path / "a.mem", frames[:2], checkpoint_frames=4) as memory:
        held = []

        def full(*args, **options):
            held.append(memory._layers.epochs.read())
            held.append(elsewhere(held[0].__enter__))
            raise MemoryFileError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(memory._keeper.file, "append_frame", full)
            with pytest.raises(MemoryFileError, match="disk full"):
                memory.observe(frames[6])
        mh.observe_all(memory, frames[2:4])  # would use the refused frame's blocks for others
        assert canonical_hash(held[1]) == alone[2] and memory.canonical_hash() == alone[4]
        held[0].__exit__(None, None, None)
        mh.observe_all(memory, frames[4:])
        assert memory.canonical_hash() == alone[-1]


def test_a_pool_too_full_for_copies_lets_readers_finish_first(tmp_path, alone, monkeypatch):
    frames = walk(COUNT)
    with mh.create(tmp_path / "a.mem", frames[:-1], checkpoint_frames=4) as memory:
        monkeypatch.setattr("spatialmem.voxels.surface.room_for_copies", lambda *given: False)
        with memory._layers.epochs.read() as epoch:
            writer = threading.Thread(target=mh.observe_all, args=(memory, frames[-1:]))
            writer.start()
            assert canonical_hash(epoch) == alone[-2] and writer.is_alive()
        writer.join()
        assert memory.canonical_hash() == alone[-1]


def test_a_frame_that_would_wait_for_its_own_thread_is_refused_before_it_is_stored(tmp_path, alone, monkeypatch):
    frames = walk(COUNT)
    with mh.create(tmp_path / "a.mem", frames[:-1], checkpoint_frames=4) as memory:
        with monkeypatch.context() as patch, memory._layers.epochs.read():
            patch.setattr("spatialmem.voxels.surface.room_for_copies", lambda *given: False)
            with pytest.raises(OutOfRoom, match="this thread is still reading"):
                memory.observe(frames[-1])
        assert memory.canonical_hash() == alone[-2] and len(memory.trajectory()) == COUNT - 1
        mh.observe_all(memory, frames[-1:])
        assert memory.canonical_hash() == alone[-1]


@pytest.mark.parametrize("beside", [False, True])
def test_a_frame_the_file_refuses_leaves_nothing_behind(tmp_path, alone, monkeypatch, beside):
    frames = walk(COUNT)
    with mh.create(tmp_path / "a.mem", frames[:1], checkpoint_frames=4) as memory:
        if beside:
            elsewhere(look_in, memory._layers.epochs)
        before = in_use(memory)

        def full(*args, **options):
            raise MemoryFileError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(memory._keeper.file, "append_frame", full)
            for frame in frames[6:9:2]:
                with pytest.raises(MemoryFileError, match="disk full"):
                    memory.observe(frame)
        memory._layers.reclaim()
        assert in_use(memory) == before and memory.canonical_hash() == alone[1]
        mh.observe_all(memory, frames[1:])
        assert memory.canonical_hash() == alone[-1]


def test_versions_for_readers_never_make_a_frame_find_no_room(monkeypatch):
    """The pools have room for the map, not for what readers still hold of it: the writer waits for them."""
    frames, least = walk(COUNT), 16 << 20
    with mh.create(None, frames) as memory:
        width, hashed = memory._keeper.feature_width, memory.canonical_hash()
        blocks, pages = len(memory._layers.surface), memory._layers.surface.pools.free_pages.shape[0]
        used = pages - int(memory._layers.surface.pools.counters[PAGES_FREE])
    while min(np.array(capacity(least * 7 // 8, width)) / (blocks, used)) < 1.2:
        least += 1 << 20
    with mh.create(None, frames[:2], ram_bytes=least) as memory:
        leave, asked, waited, take = threading.Event(), threading.Event(), [], memory._layers.epochs.take

        def taking(wait: bool = False) -> bool:
            waited.append(wait)
            if wait:
                asked.set()
            try:
                return take(wait)
            finally:
                if not leave.is_set():
                    asked.clear()

        monkeypatch.setattr(memory._layers.epochs, "take", taking)

        def read() -> None:
            while not leave.is_set():
                with memory._layers.epochs.read() as epoch:
                    canonical_hash(epoch)
                    asked.wait()  # older epochs are held until the writer needs their room

        readers = [threading.Thread(target=read) for _ in range(3)]
        for thread in readers:
            thread.start()
        try:
            mh.observe_all(memory, frames[2:])
        finally:
            leave.set()
            asked.set()
            for thread in readers:
                thread.join()
        assert any(waited), "there was room for every version"
        assert memory.canonical_hash() == hashed


def test_a_frame_without_room_leaves_nothing_behind_beside_readers():
    frames = walk(COUNT)
    with mh.create(None, frames[:1], ram_bytes=40 << 20, voxel_size_m=0.01) as memory:
        elsewhere(look_in, memory._layers.epochs)
        for frame in frames[1:]:
            before, hashed = len(memory._layers.surface), memory.canonical_hash()
            try:
                memory.observe(frame)
            except OutOfRoom:
                break
        else:
            pytest.fail("there was room for everything")
        assert memory.canonical_hash() == hashed and len(memory._layers.surface) == before


def test_nobody_goes_on_after_a_change_that_failed_while_they_waited(tmp_path, monkeypatch):
    frames, path = walk(COUNT), tmp_path / "a.mem"
    memory = mh.create(path, frames[:6], checkpoint_frames=4)
    started, fail, results = threading.Event(), threading.Event(), []

    def dying(*args) -> None:
        started.set()
        fail.wait()
        raise MemoryError("no memory")

    def observe(frame) -> None:
        try:
            results.append(memory.observe(frame))
        except (SpatialMemError, MemoryError) as error:
            results.append(error)

    monkeypatch.setattr(memory._layers, "_change", dying)
    first = threading.Thread(target=observe, args=(frames[6],))
    first.start()
    started.wait()
    others = [threading.Thread(target=observe, args=(frame,)) for frame in frames[7:11]]
    for thread in others:
        thread.start()
    fail.set()
    for thread in (first, *others):
        thread.join()
    assert [type(r) for r in results].count(MemoryError) == 1
    assert all("interrupted" in str(r) for r in results if not isinstance(r, MemoryError)), results
    memory.close()
    with SpatialMemory.open(path) as reopened:
        hashed = reopened.canonical_hash()
        assert len(reopened.trajectory()) == 7
    SpatialMemory.repair(path)
    with SpatialMemory.open(path) as repaired:
        assert repaired.canonical_hash() == hashed


def test_who_reads_is_told_when_the_writer_waits_for_it_and_can_close(tmp_path):
    memory = mh.create(tmp_path / "a.mem", walk(3))
    pieces = memory.mesh_pieces()
    next(pieces)

    def wait_for_readers():
        with memory._observing:
            memory._layers.let_readers_finish()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_for_readers)
        while not memory._layers.epochs.waits_for_this_thread():
            pass
        with pytest.raises(OutOfRoom, match="waits until this one has finished"):
            memory.forget(frames=[1])
        memory.close()
        with pytest.raises(OutOfRoom, match="is being closed"):
            waiting.result()
    pieces.close()
    with SpatialMemory.open(tmp_path / "a.mem") as reopened:
        assert reopened.info()["frames"] == 3
