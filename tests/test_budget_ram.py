"""A map many times as large as its RAM: what it holds and answers is that of one for which there is room."""

from __future__ import annotations

import dataclasses
import gc
import shutil
import sys
import threading
from functools import cache
from types import SimpleNamespace

import memory_helpers as mh
import numpy as np
import pytest
import rooms
import synthetic as room

from spatialmem.budget import ByteBudget
from spatialmem.errors import InvalidValue, MemoryFileError, OutOfRoom
from spatialmem.geometry import exp_so3, make_transform
from spatialmem.memory import SpatialMemory
from spatialmem.store.block_codec import unpack_surface_block
from spatialmem.voxels import shelved_surface
from spatialmem.voxels.far_view import FarView
from spatialmem.voxels.search import Filter
from spatialmem.voxels.surface_reading import near_surface

ROOMS = 6
SMALL = {"ram_bytes": 26 << 20, "file_bytes": 1 << 34}
"""no bound on the file, but one on all that is in RAM"""
COARSE = {**SMALL, "ram_bytes": 18 << 20, "voxel_size_m": 0.05}
"""the same share of a map with fewer blocks"""
LARGE = 512 << 20
WATCHED = ("search", "close", "_is_held")
CAMERA = room.room_camera(160, 120)


@pytest.fixture(scope="module")
def frames():
    return rooms.walk(ROOMS, 5)


@pytest.fixture(scope="module")
def large(tmp_path_factory, frames):
    """The same stream in a memory with room for it."""
    path = tmp_path_factory.mktemp("large") / "a.mem"
    with mh.create(path, frames, ram_bytes=LARGE, checkpoint_frames=9) as memory:
        assert on_file_alone(memory) == (0, 0)
        yield memory
    contents_of_large.cache_clear()
    answers_of_large.cache_clear()


@pytest.fixture(scope="module")
def live(tmp_path_factory, frames):
    """The stream in a memory that has room for a tenth of it, which is asked in between; what it told, and its file."""
    path, reserved = tmp_path_factory.mktemp("small") / "a.mem", set()
    with mh.create(path, **SMALL, checkpoint_frames=9) as memory:
        pools = memory._layers.surface.pools
        for n, frame in enumerate(frames):
            mh.observe_all(memory, [frame])
            reserved.add(memory._layers.surface.pools.dist is pools.dist)
            if n % 12 == 11:
                memory.query("red", at=middle(0), radius_m=2.0)
                memory.render(pose(0, n), CAMERA)
        return SimpleNamespace(
            path=path, reserved=reserved, departed=memory.info()["departed_regions"], problems=memory.check(),
            answers={number: answers(memory, number) for number in (0, ROOMS - 1)}, contents=contents(memory),
        )  # fmt: skip


@pytest.fixture(scope="module")
def built(live):
    """Its file, closed."""
    return live.path


@pytest.fixture(scope="module")
def built_coarse(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp("coarse") / "a.mem"
    with mh.create(path, frames, **COARSE, checkpoint_frames=9) as memory:
        info, pool = memory.info(), memory._layers.surface.pools.free_blocks.shape[0]
        assert info["surface_blocks_on_file_alone"] > 4 * pool and info["free_space_blocks_on_file_alone"] > 0
    return path


@pytest.fixture
def coarse(built_coarse, tmp_path):
    return shutil.copyfile(built_coarse, tmp_path / "a.mem")


@pytest.fixture
def path(built, tmp_path):
    return shutil.copyfile(built, tmp_path / "a.mem")


def on_file_alone(memory):
    info = memory.info()
    return info["surface_blocks_on_file_alone"], info["free_space_blocks_on_file_alone"]


def told(answer):
    """All that an answer says, as plain values."""
    hits = [[value.tolist() if isinstance(value, np.ndarray) else value for value in
             (getattr(hit, field.name) for field in dataclasses.fields(hit))] for hit in answer]  # fmt: skip
    return hits, answer.searched_voxels, answer.not_searched, answer.place


def middle(number):
    return (rooms.PITCH_M * number, 0.0, 0.8)


def pose(number, step):
    return rooms.placed(number) @ room.look((0.3, -0.2, 1.4), (np.cos(1.3 * step), np.sin(1.3 * step), -0.2))


def answers(memory, number):
    """In and about one room: what three questions tell, whether points are occupied, and a view."""
    place = {"at": (rooms.PITCH_M * number + 1.9, 0.0, 0.5), "radius_m": 0.7}
    hits = told(memory.query("red", **place)), told(memory.query(**place)), told(memory.query("yellow"))
    view = memory.render(pose(number, 0), CAMERA, features=True)
    points = np.random.default_rng(number).uniform((-3, -3, -1), (3, 3, 3), (500, 3)) + middle(number)
    return hits, memory.occupancy(points), view


def contents(memory):
    """Every array of the whole map's forms, and the hash."""
    forms = memory.mesh(), memory.points(), memory.free_space()
    arrays = [getattr(form, field.name) for form in forms for field in dataclasses.fields(form)]
    return arrays, memory.canonical_hash()


answers_of_large, contents_of_large = cache(answers), cache(contents)
"""of the memory that no test changes: asked once for all of them"""


def assert_equal_answers(given, wanted):
    (hits, occupied, seen), (wanted_hits, wanted_occupied, wanted_seen) = given, wanted
    assert hits == wanted_hits
    assert_equal_views(seen, wanted_seen)
    assert np.isfinite(seen.depth_m).any()
    np.testing.assert_array_equal(occupied, wanted_occupied)


def assert_equal_views(seen, wanted):
    """Pixel for pixel, as docs/long-runs.md states."""
    for name in ("depth_m", "normal", "rgb", "feature"):
        np.testing.assert_array_equal(getattr(seen, name), getattr(wanted, name), err_msg=name)


def assert_equal_wholes(given, wanted):
    arrays, hashed = given
    for one, two in zip(arrays, wanted[0], strict=True):
        np.testing.assert_array_equal(one, two)
    assert hashed == wanted[1]


def test_the_map_is_many_times_what_fits(path, large):
    with SpatialMemory.open(path) as memory:
        surface = memory._layers.surface
        assert large.info()["surface_blocks"] > 5 * surface.pools.free_blocks.shape[0]
        away, away_free = on_file_alone(memory)
        assert away + len(surface) >= large.info()["surface_blocks"] * 0.9 and away_free > 0


def test_live_answers_and_contents_are_those_of_a_memory_with_room(live, large):
    assert live.reserved == {True}, "RAM is reserved once"
    assert live.departed == large.info()["departed_regions"] and live.problems == []
    for number, given in live.answers.items():
        assert_equal_answers(given, answers_of_large(large, number))
    assert_equal_wholes(live.contents, contents_of_large(large))


@pytest.mark.parametrize("size", [(160, 120), (32, 24), (8, 6)])
def test_views_along_all_rooms_are_those_of_a_memory_with_room(path, large, size):
    camera = room.room_camera(*size)
    with SpatialMemory.open(path) as memory:
        for n in range(0, 12, 4):
            seen, wanted = (m.render(pose(n % ROOMS, n), camera) for m in (memory, large))
            assert_equal_views(seen, wanted)


def test_views_through_a_few_blocks_at_a_time_are_the_same(coarse, tmp_path, monkeypatch):
    """However many pieces a ray is cut into, none of its steps changes."""
    camera, other, marches = room.room_camera(80, 60), shutil.copyfile(coarse, tmp_path / "other.mem"), []
    march = FarView.march
    monkeypatch.setattr(FarView, "march", lambda view, pools: marches.append(view) or march(view, pools))
    for path, size in ((coarse, 16 << 20), (other, LARGE)):
        with SpatialMemory.open(path, "a") as memory:
            config = dataclasses.replace(memory.config, ram_bytes=size)
            memory._keeper.on_file().set_meta("config", config.to_json())
    with SpatialMemory.open(coarse) as memory, SpatialMemory.open(other) as wide:
        for n in range(0, 15, 5):
            assert_equal_views(*(m.render(pose(n % ROOMS, n), camera, features=True) for m in (memory, wide)))
    assert len(marches) > 2 * len(set(marches)) > 2, "through more than fit at once"


def test_views_of_a_wide_band_are_the_same(tmp_path, frames, monkeypatch):
    """Where what a ray meets hangs on more than three blocks along an axis, and sets of blocks come in parts."""
    monkeypatch.setattr(shelved_surface, "_SETS_AT_ONCE", 50)
    camera, around = room.room_camera(80, 60), []
    wide = {"voxel_size_m": 0.04, "truncation_voxels": 16.0, "ram_bytes": 38 << 20}
    given = FarView.around
    monkeypatch.setattr(FarView, "around", lambda view, a, b: around.append(given(view, a, b)) or around[-1])
    held = mh.create(tmp_path / "a.mem", frames[:15], **{**SMALL, **wide})
    with held, mh.create(tmp_path / "b.mem", frames[:15], **{**wide, "ram_bytes": LARGE}) as free:
        assert on_file_alone(held)[0] > 0
        for n in range(3):
            assert_equal_views(*(m.render(pose(n, n), camera, features=True) for m in (held, free)))
    assert max(keys.shape[1] for keys in around) > 27 and max(map(len, around)) == 50


def test_ctrl_c_at_any_line_of_a_search_leaves_what_is_set_aside_to_others(coarse):
    """Whatever line of taking and keeping the lock it strikes after, nobody has it when the question has gone."""
    lines, struck = 0, 0
    with SpatialMemory.open(coarse) as memory:
        table = memory._layers.residence.surface_table

        def strike(at):
            nonlocal lines

            def trace(frame, event, _):
                nonlocal lines
                if frame.f_code.co_filename != shelved_surface.__file__ or frame.f_code.co_name not in WATCHED:
                    return None
                lines += event == "line"
                if event == "line" and lines == at:
                    raise KeyboardInterrupt
                return trace

            lines = 0
            sys.settrace(trace)
            try:
                with memory._reading() as epoch:
                    epoch.surface.search(None, 0.0, Filter())
                    assert table.locked()
            finally:
                sys.settrace(None)

        strike(-1)
        every = lines
        for at in range(1, every + 1):
            try:
                strike(at)
            except KeyboardInterrupt:
                struck += 1
            gc.collect()  # of what held it where it struck while it was being given back
            assert not table.locked(), at
    assert struck == every > 20


def test_reopened_it_answers_the_same(path, large):
    for mode in ("r", "a"):
        with SpatialMemory.open(path, mode) as memory:
            assert min(on_file_alone(memory)) > 0
            assert_equal_answers(answers(memory, 1), answers_of_large(large, 1))
            if mode == "r":  # a writer makes whole forms above
                assert_equal_wholes(contents(memory), contents_of_large(large))
            else:
                assert memory.canonical_hash() == contents_of_large(large)[1]
        assert mh.names(path) == {""}


def test_what_a_crash_leaves_at_any_time_opens_as_it_was(tmp_path, frames):
    path = tmp_path / "live" / "a.mem"
    path.parent.mkdir()
    with mh.create(path, **COARSE, checkpoint_frames=4) as memory:
        for n, frame in enumerate(frames[:16]):
            mh.observe_all(memory, [frame])
            if n % 5 == 4:
                hashed = memory.canonical_hash()
                for mode in ("r", "a"):
                    copy = mh.as_a_crash_leaves_it(path, tmp_path / f"{n}{mode}" / "a.mem")
                    with SpatialMemory.open(copy, mode) as recovered:
                        assert recovered.canonical_hash() == hashed
        assert min(on_file_alone(memory)) > 0


def test_a_crash_between_writing_and_giving_up_loses_nothing(tmp_path, frames, monkeypatch):
    path, copies = tmp_path / "live" / "a.mem", []
    path.parent.mkdir()
    with mh.create(path, **COARSE, checkpoint_frames=1000) as memory:
        store = memory._layers.residence.store
        put, puts = store.put, 0

        def put_and_copy(surface, free):
            nonlocal puts
            put(surface, free)
            if puts % 7 == 2:
                hashed = memory.canonical_hash()
                copies.append((mh.as_a_crash_leaves_it(path, tmp_path / f"{puts}" / "a.mem"), hashed))
            puts += 1

        monkeypatch.setattr(store, "put", put_and_copy)
        mh.observe_all(memory, frames[:20])
    assert len(copies) >= 3
    for copy, hashed in copies:
        with SpatialMemory.open(copy, "a") as recovered:
            assert recovered.canonical_hash() == hashed and recovered.check() == []


def test_a_disk_that_takes_no_block_refuses_the_frame_and_changes_nothing(tmp_path, frames, monkeypatch):
    with mh.create(tmp_path / "a.mem", **COARSE, checkpoint_frames=1000) as memory:

        def full(surface, free):
            assert all(row.data for row in (*surface, *free))  # all are packed before the disk refuses them
            raise MemoryFileError("disk full")

        refused, summaries = 0, memory._layers.residence.summaries
        for frame in frames[:15]:
            before = memory.canonical_hash(), memory.info()["frames"], summaries.used
            with monkeypatch.context() as patch:
                patch.setattr(memory._layers.residence.store, "put", full)
                try:
                    memory.observe(frame)
                    continue
                except MemoryFileError:
                    refused += 1
            assert (memory.canonical_hash(), memory.info()["frames"], summaries.used) == before
            mh.observe_all(memory, [frame])
        assert refused >= 2
        assert memory.check() == []
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed


def test_rebuilding_and_repairing_give_the_same(path, large):
    with SpatialMemory.open(path, "a") as memory:
        memory.rebuild()
        assert min(on_file_alone(memory)) > 0 and memory.canonical_hash() == contents_of_large(large)[1]
        assert_equal_answers(answers(memory, 2), answers_of_large(large, 2))
    SpatialMemory.repair(path)
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == contents_of_large(large)[1] and memory.check() == []


def shifted(memory, lsns):
    turn = make_transform(exp_so3((0.0, 0.02, 0.05)), (0.08, -0.05, 0.03))
    return {lsn: memory.trajectory()[lsn - 1].map_from_camera @ turn for lsn in lsns}


def test_corrections_and_forgetting_reach_what_is_on_file_alone(coarse, tmp_path, frames):
    other = shutil.copyfile(coarse, tmp_path / "other.mem")
    with SpatialMemory.open(other, "a") as wide:
        config = dataclasses.replace(wide.config, ram_bytes=LARGE)
        wide._keeper.on_file().set_meta("config", config.to_json())
    with SpatialMemory.open(coarse, "a") as memory, SpatialMemory.open(other, "a") as wide:
        assert on_file_alone(wide) == (0, 0)
        before = memory.canonical_hash()
        for m in (memory, wide):
            m.correct_poses(shifted(m, [2, 3, 9]))
        assert memory.canonical_hash() == wide.canonical_hash() != before
        assert [m.forget(frames=[4, 10]).frames for m in (memory, wide)] == [2, 2]
        assert_equal_wholes(contents(memory), contents(wide))
        assert_equal_answers(answers(memory, 0), answers(wide, 0))
        more = [mh.at(f, len(frames) + f.seq) for f in frames[:3]]
        for m in (memory, wide):
            mh.observe_all(m, more)
        assert memory.canonical_hash() == wide.canonical_hash() and memory.check() == []
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed


def test_a_correction_that_the_file_refuses_changes_nothing(coarse, monkeypatch):
    def full(*given):
        raise MemoryFileError("disk full")

    with SpatialMemory.open(coarse, "a") as memory:
        before, away = memory.canonical_hash(), on_file_alone(memory)
        with monkeypatch.context() as patch:
            patch.setattr("spatialmem.store.maintenance.insert_poses", full)
            with pytest.raises(MemoryFileError, match="disk full"):
                memory.correct_poses(shifted(memory, [2, 3]))
        assert memory.canonical_hash() == before and on_file_alone(memory)[0] >= away[0]
        memory.correct_poses(shifted(memory, [2, 3]))
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed


def test_readers_keep_their_map_while_blocks_come_and_go(tmp_path, frames):
    options = {"ram_bytes": 80 << 20, "file_bytes": 1 << 34, "checkpoint_frames": 5}
    with mh.create(tmp_path / "a.mem", frames[:20], **options) as memory:
        assert on_file_alone(memory)[0] > 0
        with memory._reading() as epoch:
            before = memory_of(epoch)
            again = mh.at(frames[3], 20)  # brings back what the reader has read from the file, and changes it
            observer = threading.Thread(target=mh.observe_all, args=(memory, [again]))
            observer.start()
            observer.join(60)
            assert not observer.is_alive()
            assert memory_of(epoch) == before
        with memory._reading() as epoch:
            assert memory_of(epoch) != before


def memory_of(epoch):
    found = epoch.surface.search(None, 0.0, Filter(centre_m=np.array(middle(0)), radius_m=1.0))
    places = found.places()
    content = found.voxels(places).tobytes(), found.features(found.rows(places)).tobytes()
    return content, epoch.surface.render(pose(0, 1), CAMERA).depth_m.tobytes(), len(epoch.surface.mesh().triangles)


def test_questions_say_what_they_had_no_room_for(path):
    with SpatialMemory.open(path) as memory:
        answer = memory.query(box_m=np.array([(-99, -99, -99), (99, 99, 99)]))
        assert "on file may hold more" in answer.not_searched
        assert memory.query("red").not_searched == ""


def test_what_is_remembered_of_blocks_on_file_alone_is_what_they_hold(coarse):
    with SpatialMemory.open(coarse, "a") as memory:
        residence, query = memory._layers.residence, memory.encoder.encode_text("yellow").vector
        assert residence.give_up_all()  # beside those that were left on file when it was opened
        shelf, number, near = residence.surface, memory._layers.epochs.number, near_surface(memory.config)
        assert len(shelf) == len(shelf.keys) > 500 and len(np.unique(shelf.slot)) == len(shelf.slot)
        voxels = residence.summaries.voxels(shelf.slot)
        highest = residence.summaries.highest(shelf.slot, query, number)
        for n, block in enumerate(map(unpack_surface_block, datas(residence.store, shelf.keys))):
            told = block.feature_weight > 0
            at_surface = (np.abs(block.dist[block.has_row].astype(int)) <= near) & (block.weight[block.has_row] > 0)
            assert voxels[n].tolist() == [at_surface.sum(), (at_surface & ~told).sum()]
            unit = block.features[told].view(np.float16).astype(np.float64)
            unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
            assert highest[n] >= (unit @ query).max(initial=-1.0) - 1e-4
        assert 0 < (highest >= memory.encoder.min_similarity).sum() < 0.3 * len(highest)  # of others it need not look


def datas(store, keys):
    """What the file holds of surface blocks."""
    return [row.data for n in range(0, len(keys), 256) for row in store.read("surface", keys[n : n + 256].tolist())]


def test_a_view_that_needs_more_than_fits_is_refused_in_words(tmp_path):
    frame = rooms.frame(0, 0, 0)
    with mh.create(tmp_path / "a.mem", **{**SMALL, "ram_bytes": 24 << 20, "voxel_size_m": 0.015}) as memory:
        with pytest.raises(OutOfRoom, match="ram_bytes, 24 MiB"):
            memory.observe(frame)
        assert memory.info()["frames"] == 0


def test_a_budget_that_is_too_small_is_refused_with_the_figure():
    with pytest.raises(InvalidValue, match="at least 67108864"):
        ByteBudget("16 MiB", "1 GB")
    assert ByteBudget("64 MiB", "1 GB").ram == 64 << 20


def test_without_a_budget_nothing_leaves_ram_before_the_pools_are_full(tmp_path, frames):
    path, stored = tmp_path / "a.mem", 0
    with mh.create(None, ram_bytes=17 << 20) as alone, mh.create(path, ram_bytes=17 << 20) as memory:
        for layer in ("surface", "free"):
            one, two = (getattr(m._layers, layer).pools.free_blocks.shape for m in (alone, memory))
            assert one == two
        with pytest.raises(OutOfRoom):  # nothing can leave RAM
            for frame in frames:
                mh.observe_all(alone, [frame])
                stored += 1
        assert stored > 3
        mh.observe_all(memory, frames[:stored])
        assert on_file_alone(memory) == (0, 0)
        mh.observe_all(memory, frames[stored : stored + 4])
        assert max(on_file_alone(memory)) > 0
        hashed = memory.canonical_hash()
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == hashed
