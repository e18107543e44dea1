"""The map as it was: equal, bit for bit, to that of a memory which was shown those frames and no others."""

from __future__ import annotations

import shutil
import threading

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from hypothesis import given, settings
from hypothesis import strategies as st
from test_correction import corrections
from test_equality import NEVER, walk

from spatialmem import travelling
from spatialmem.errors import BeforeHorizon, InvalidValue, ReadOnlyMemory, SpatialMemError
from spatialmem.geometry import make_transform
from spatialmem.keeper import Keeper
from spatialmem.memory import SpatialMemory
from spatialmem.past import Horizon, Past
from spatialmem.store.file import MemoryFile

COUNT = 20
STAMPS = [room.FIRST_STAMP_NS + i * room.FRAME_STEP_NS for i in range(COUNT)]


@pytest.fixture(scope="module")
def reference(walk_hashes) -> list[str]:
    """Hash after 0, 1, 2 ... frames of `walk`."""
    return walk_hashes


@pytest.fixture
def path(walked, tmp_path):
    return shutil.copyfile(walked, tmp_path / "a.mem")


@pytest.mark.parametrize("mode", ["r", "a"])
def test_every_frame_of_a_file_can_be_gone_back_to(path, reference, mode):
    with SpatialMemory.open(path, mode) as memory:
        for lsn in [*range(COUNT, -1, -1), *range(COUNT + 1), 11, 3, 17]:
            with memory.at(lsn=lsn) as then:
                assert (then.lsn, then.exact) == (lsn, True)
                assert then.canonical_hash() == reference[lsn]
        assert memory.canonical_hash() == reference[COUNT]


@pytest.mark.parametrize("every", [2, 5, NEVER])
def test_every_frame_of_a_growing_memory_can_be_gone_back_to(tmp_path, reference, every):
    rng = np.random.default_rng(every)
    with mh.create(tmp_path / "a.mem", checkpoint_frames=every) as memory:
        for n, frame in enumerate(walk(COUNT), start=1):
            mh.observe_all(memory, [frame])
            lsn = int(rng.integers(0, n + 1))
            assert memory.at(lsn=lsn).canonical_hash() == reference[lsn]
            assert memory.canonical_hash() == reference[n]


def only(way: str, monkeypatch) -> None:
    """Let only this way of making earlier layers be taken."""
    prices = {"back": (0.0, 0.0), "on": (1e9, 1e9)}[way]
    monkeypatch.setattr(travelling, "_LOOK_UP", prices[0])
    monkeypatch.setattr(travelling, "_SHARE", prices[1])


@pytest.mark.parametrize("way", ["back", "on"])
def test_every_way_leads_to_the_same_map(path, reference, monkeypatch, way):
    only(way, monkeypatch)
    with SpatialMemory.open(path) as memory:
        for lsn in (19, 12, 13, 13, 4, 9, 1, 20, 0, 6):
            assert memory.at(lsn=lsn).canonical_hash() == reference[lsn]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, COUNT), min_size=2, max_size=5), st.booleans(), st.sampled_from([0.0, 0.6, 1e9]))
def test_any_order_of_questions(walked, reference, lsns, keep_open, look_up):
    with pytest.MonkeyPatch.context() as patch, SpatialMemory.open(walked) as memory:
        patch.setattr(travelling, "_LOOK_UP", look_up)
        pasts = []
        for lsn in lsns:
            then = memory.at(lsn=lsn)
            assert then.canonical_hash() == reference[lsn]
            if keep_open:
                pasts.append(then)
            else:
                then.close()
        assert [then.canonical_hash() for then in pasts] == [reference[lsn] for lsn in lsns[: len(pasts)]]


def test_everything_can_be_asked_as_it_could_be_then(path, tmp_path):
    camera, pose = room.room_camera(80, 60), walk(1)[0].pose
    points = np.random.default_rng(1).uniform(-2.0, 2.0, (200, 3))
    with SpatialMemory.open(path) as memory, mh.create(tmp_path / "b.mem", walk(9), ram_bytes=96 << 20) as other:
        then = memory.at(STAMPS[8])
        for mine, true in (
            (then.render(pose, camera), other.render(pose, camera)), (then.mesh(), other.mesh()),
            (then.points(), other.points()), (then.free_space(), other.free_space()),
        ):  # fmt: skip
            for name, value in vars(true).items():
                np.testing.assert_array_equal(getattr(mine, name), value, err_msg=name)
        np.testing.assert_array_equal(then.occupancy(points), other.occupancy(points))
        for text in ("red", "blue box", "green", "giraffe"):
            mine, true = then.query(text), other.query(text)
            assert [(*h.position_m, h.score, h.presence, h.evidence) for h in mine] == [
                (*h.position_m, h.score, h.presence, h.evidence) for h in true
            ]
        assert [(k.lsn, k.stamp_ns) for k in then.trajectory()] == [(k.lsn, k.stamp_ns) for k in other.trajectory()]
        np.testing.assert_array_equal(then.keyframe(8).rgb, other.keyframe(8).rgb)
        assert then.config == memory.config and then.encoder is memory.encoder and then.up_in_map is None
        info = then.info()
        assert (info["frames"], info["lsn"], info["last_stamp_ns"]) == (9, 9, STAMPS[8])
        assert info["surface_blocks"] > 0 and info["departed_regions"] == other.info()["departed_regions"]


def test_what_came_later_is_not_known(path):
    with SpatialMemory.open(path) as memory:
        then = memory.at(STAMPS[4])
        assert then.stamp_ns == STAMPS[4] and [k.lsn for k in then.trajectory()] == [1, 2, 3, 4, 5]
        with pytest.raises(InvalidValue, match="frame 6 was not stored yet; this is the memory after frame 5"):
            then.keyframe(6)


def test_a_stamp_means_the_last_frame_at_or_before_it(path):
    with SpatialMemory.open(path) as memory:
        for stamp, lsn in (
            (STAMPS[7], 8), (STAMPS[7] + 1, 8), (STAMPS[8] - 1, 8), (0, 0), (STAMPS[0] - 1, 0), (2**62, COUNT),
        ):  # fmt: skip
            assert memory.at(stamp).lsn == lsn
        before = memory.at(0)
        assert before.stamp_ns is None and before.exact and before.trajectory() == []
        assert len(before.points().position_m) == 0 and len(before.query("red")) == 0


def test_the_order_of_the_log_counts_not_that_of_the_stamps(tmp_path):
    """A second session whose clock is behind: its frames come after those of the first."""
    frames = walk(8)
    with mh.create(tmp_path / "a.mem", frames[:4]) as memory:
        memory.add_session("evening", np.eye(4))
        late = [mh.at(f, f.seq, stamp_ns=10 + f.seq, session_id="evening") for f in frames[4:]]
        hashes = [memory.canonical_hash()]
        for frame in late:
            mh.observe_all(memory, [frame])
            hashes.append(memory.canonical_hash())
        assert memory.at(late[1].stamp_ns).lsn == 6
        assert memory.at(late[1].stamp_ns).canonical_hash() == hashes[2]
        assert memory.at(frames[0].stamp_ns).lsn == 8  # the evening's clock says it was earlier still
        assert memory.at(9).lsn == 0


def test_blocks_on_file_that_are_early_enough_go_on_from_there(tmp_path, reference, monkeypatch):
    """Frames that a block on file contains are not read again for it: going back a little reads a few frames."""
    only("back", monkeypatch)
    with mh.create(tmp_path / "a.mem", walk(COUNT), checkpoint_frames=4) as memory:
        assert memory.info()["base_lsn"] >= 12
        read: list[int] = []
        logged = Keeper.logged
        monkeypatch.setattr(Keeper, "logged", lambda log, row, *more: read.append(row.lsn) or logged(log, row, *more))
        assert memory.at(lsn=COUNT - 1).canonical_hash() == reference[COUNT - 1]
        assert COUNT in read and min(read) > 1


def test_a_reader_beside_a_writer(tmp_path, reference):
    path = tmp_path / "a.mem"
    with (
        mh.create(path, walk(12), checkpoint_frames=3, ram_bytes=96 << 20) as writer,
        SpatialMemory.open(path) as reader,
    ):
        assert [reader.at(lsn=n).canonical_hash() for n in (11, 4, 8)] == [reference[n] for n in (11, 4, 8)]
        mh.observe_all(writer, walk(COUNT)[12:])
        assert [reader.at(lsn=n).canonical_hash() for n in (12, 10)] == [reference[n] for n in (12, 10)]
        assert reader.at(2**62).lsn == 12
        writer.correct_poses(corrections(writer, [5], seed=1))
        with pytest.raises(SpatialMemError, match="corrected poses or erased frames since it was opened here"):
            reader.at(lsn=10)
        with SpatialMemory.open(path) as again:
            hashed = again.at(lsn=10).canonical_hash()
            assert hashed == writer.at(lsn=10).canonical_hash() != reference[10]
            writer.forget(frames=[7])
            with pytest.raises(SpatialMemError, match="open it again"):
                again.at(lsn=10)


def test_a_reader_of_a_memory_with_very_many_revisions(path):
    many = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000001) "
    with SpatialMemory.open(path, "a") as writer, SpatialMemory.open(path) as reader:
        connection = writer._keeper.file._writer._connection
        connection.execute(many + "INSERT INTO pose_revisions SELECT 3, n, x'', 21, NULL, '', 0 FROM n")
        with pytest.raises(SpatialMemError, match="open it again"):
            reader.at(lsn=COUNT)
        reader._keeper.places._revisions[3] = 1_000_001  # as one that is opened now would have it
        assert reader._keeper.places.revised == 1_000_001 and reader.at(lsn=COUNT).exact


def test_the_encoder_is_checked_once(path, monkeypatch):
    with SpatialMemory.open(path) as memory, memory.at(lsn=5) as then:
        first, read = then.encoder, []
        meta = MemoryFile.meta
        monkeypatch.setattr(MemoryFile, "meta", lambda file: read.append(1) or meta(file))
        assert then.encoder is first is memory.encoder and not read


def test_the_horizon_is_looked_up_while_frames_arrive(path, monkeypatch):
    """It reads through the blocks on file, and `observe` must not wait for that."""
    with SpatialMemory.open(path, "a") as memory:
        held: list[bool] = []
        looked_up = travelling.horizon_of
        monkeypatch.setattr(
            travelling, "horizon_of", lambda log: held.append(memory._observing.locked()) or looked_up(log)
        )
        assert memory.at(lsn=4).exact and held == [False]


def test_the_past_stays_while_the_memory_grows(tmp_path, reference):
    with mh.create(tmp_path / "a.mem", walk(10), checkpoint_frames=4) as memory:
        then = memory.at(lsn=7)
        for frame in walk(COUNT)[10:]:
            mh.observe_all(memory, [frame])
            assert then.canonical_hash() == reference[7]
        assert memory.at(lsn=15).canonical_hash() == reference[15] and then.canonical_hash() == reference[7]
        assert memory.canonical_hash() == reference[COUNT]


def test_going_back_while_frames_arrive(tmp_path, reference):
    wrong: list[str] = []
    with mh.create(tmp_path / "a.mem", walk(6), checkpoint_frames=4, ram_bytes=96 << 20) as memory:
        done = threading.Event()

        def ask(seed: int) -> None:
            rng = np.random.default_rng(seed)
            while not done.is_set():
                lsn = int(rng.integers(1, 7))
                if memory.at(lsn=lsn).canonical_hash() != reference[lsn]:
                    wrong.append(f"frame {lsn}")

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(2)]
        for thread in threads:
            thread.start()
        mh.observe_all(memory, walk(COUNT)[6:])
        done.set()
        for thread in threads:
            thread.join(60)
        assert not wrong and memory.canonical_hash() == reference[COUNT]


# --- a past that was changed


@pytest.mark.parametrize("way", ["back", "on"])
def test_frames_stand_where_they_are_known_to_stand_now(path, tmp_path, monkeypatch, way):
    """After a correction the map of frame 9 is that which the first nine frames make at their corrected poses."""
    only(way, monkeypatch)
    with SpatialMemory.open(path, "a") as memory:
        then = memory.at(lsn=9)
        as_it_stood = then.canonical_hash()
        memory.correct_poses(corrections(memory, [2, 6, 8, 15], seed=3))
        corrected = memory.at(lsn=9)
        assert then.canonical_hash() == as_it_stood != corrected.canonical_hash()
        place = corrected.trajectory()[5].map_from_camera
        np.testing.assert_array_equal(place, memory.trajectory()[5].map_from_camera)
        hashed = corrected.canonical_hash()
    with SpatialMemory.open(path, "a") as other:
        other.forget(frames=range(10, COUNT + 1))
        other.rebuild()
        assert other.canonical_hash() == hashed


def test_a_session_that_was_moved(tmp_path):
    there = make_transform(np.eye(3), (0.3, -0.2, 0.05))
    away = np.linalg.inv(there)
    path = tmp_path / "a.mem"
    with mh.create(path, walk(5), ram_bytes=96 << 20) as memory:
        memory.add_session("evening", there)
        mh.observe_all(memory, [mh.at(f, f.seq, session_id="evening", world_from_camera=away @ f.pose)
                                for f in walk(12)[5:]])  # fmt: skip
        memory.correct_poses(anchor=("evening", make_transform(np.eye(3), (0.1, 0, 0)) @ there))
        hashed = memory.at(lsn=9).canonical_hash()
        memory.forget(frames=[10, 11, 12])
        assert memory.canonical_hash() == hashed


@pytest.mark.parametrize("gone", [[3], [8, 9], [1, 12]])
def test_erased_frames_do_not_come_back(path, gone):
    with SpatialMemory.open(path, "a") as memory:
        then, kept = memory.at(lsn=10), memory.at(lsn=13)
        memory.forget(frames=gone)
        for one in (then, kept):
            for question in (one.canonical_hash, one.trajectory, one.points, lambda p=one: p.keyframe(gone[0])):
                with pytest.raises(SpatialMemError, match="frames have been erased"):
                    question()
        again = memory.at(lsn=10)
        assert not {k.lsn for k in again.trajectory()} & set(gone)
        with pytest.raises(InvalidValue, match="no stored frame"):
            again.keyframe(gone[0])
        hashed = again.canonical_hash()
        memory.forget(frames=[n for n in range(11, COUNT + 1) if n not in gone])
        assert memory.canonical_hash() == hashed
        with pytest.raises(InvalidValue, match=f"no stored frame {gone[0]}"):
            memory.at(lsn=gone[0])


def test_few_readings_count_too(tmp_path):
    """A frame whose readings lie between the rays that look for change touches blocks all the same."""
    frames = walk(3)
    sparse = frames[1].depth_m.copy()
    sparse[1::3] = np.nan
    frames[1] = mh.at(frames[1], 1, depth_m=sparse)
    with mh.create(tmp_path / "a.mem", checkpoint_frames=NEVER) as memory:
        hashes = [memory.canonical_hash()]
        for frame in frames:
            mh.observe_all(memory, [frame])
            hashes.append(memory.canonical_hash())
        assert len(set(hashes)) == 4
        assert memory.sql("SELECT lsn FROM keyframes WHERE agrees IS NULL") == [(2,)]
        for _ in range(2):
            assert [memory.at(lsn=n).canonical_hash() for n in range(3, -1, -1)] == hashes[::-1]


# --- the horizon


def test_the_horizon_is_the_first_frame(path):
    with SpatialMemory.open(path, "a") as memory:
        assert memory.horizon == Horizon(1, STAMPS[0])
        memory.forget(frames=[1, 2])
        assert memory.horizon == Horizon(3, STAMPS[2])
    with SpatialMemory.create(None, encoder="colours", config=mh.config()) as empty:
        assert empty.horizon is None


def test_before_the_horizon_there_are_rows_alone(path, reference, monkeypatch):
    monkeypatch.setattr(Keeper, "horizon_lsn", property(lambda keeper: 12))
    with SpatialMemory.open(path) as memory:
        assert memory.horizon == Horizon(12, STAMPS[11])
        assert memory.at(lsn=12).canonical_hash() == reference[12]
        assert memory.at(lsn=0).canonical_hash() == reference[0]
        then = memory.at(STAMPS[9])
        assert (then.lsn, then.exact) == (10, False)
        assert len(then.trajectory()) == 10 and then.keyframe(4).seq == 3
        info = then.info()
        assert info["exact"] is False and info["horizon_ns"] == STAMPS[11] and info["surface_blocks"] is None
        assert info["departed_regions"] > 0
        for question in (then.canonical_hash, then.points, then.mesh, then.free_space, lambda: then.query("red"),
                         lambda: then.occupancy([(0, 0, 1)])):  # fmt: skip
            with pytest.raises(BeforeHorizon, match=f"after frame 10 .* from frame 12 .stamp {STAMPS[11]}.* horizon"):
                question()


# --- wrong questions


def test_wrong_instants_are_refused_in_words(path):
    with SpatialMemory.open(path) as memory:
        for given, words in (
            ({}, "give one of them"), ({"stamp_ns": 3, "lsn": 4}, "give one of them"),
            ({"lsn": 99}, "no stored frame 99"), ({"lsn": -1}, "counts stored frames from 1"),
            ({"lsn": "a"}, "lsn must be"), ({"stamp_ns": 1.5}, "stamp_ns must"),
        ):  # fmt: skip
            with pytest.raises(InvalidValue, match=words):
                memory.at(**given)


def test_without_a_file_there_is_no_past():
    with mh.create(None, walk(3)) as memory, pytest.raises(SpatialMemError, match="no file"):
        memory.at(lsn=2)


def test_what_is_closed_answers_nothing(path):
    memory = SpatialMemory.open(path)
    then, other = memory.at(lsn=5), memory.at(lsn=5)
    then.close()
    then.close()
    with pytest.raises(SpatialMemError, match="this past was closed"):
        then.points()
    assert len(other.points().position_m) > 0
    memory.close()
    for question in (other.points, other.trajectory, other.info, lambda: memory.at(lsn=5)):
        with pytest.raises(SpatialMemError, match="memory is closed"):
            question()


def test_the_past_cannot_be_changed(path):
    assert not any(hasattr(Past, name) for name in ("observe", "forget", "correct_poses", "declare_up", "rebuild"))
    with SpatialMemory.open(path) as memory:
        memory.at(lsn=5)
        with pytest.raises(ReadOnlyMemory):
            memory.forget(frames=[1])
