"""Merging a memory again, and not taking another of its name for it."""

from __future__ import annotations

import memory_helpers as mh
import numpy as np
import pytest
from test_merging import OPTIONS, THERE, both, folder, memories, second_frames  # noqa: F401

from spatialmem import geometry as g
from spatialmem.errors import AnotherRecording, InvalidValue, UnplacedSession
from spatialmem.keeper import Keeper
from spatialmem.localise.consensus import APART_DEG, APART_M
from spatialmem.memory import SpatialMemory
from spatialmem.merging import Source


def test_a_namesake_that_nothing_contradicts_is_told_apart(folder, tmp_path):  # noqa: F811
    """Its frames are of another camera, so that none of them has the number of one that is here."""
    memory, other = both(folder)
    far = g.make_transform(g.exp_so3((0.0, 0.0, 2.5)), (3.0, 2.0, 0.0))
    namesake = tmp_path / "elsewhere" / "two.mem"
    namesake.parent.mkdir()
    frames = [mh.at(f, f.seq, camera_id="serial 77") for f in second_frames(2, 6, world=far)]
    with memory, other, mh.create(namesake, frames, **OPTIONS) as third:
        memory.merge(other, map_from_other=THERE)
        before = mh.tables(memory)
        with pytest.raises(AnotherRecording, match="holds none of the frames .* Merge under another name: name="):
            memory.merge(third)
        assert mh.tables(memory) == before
        assert memory.merge(third, map_from_other=far, name="third").stored == 6


def test_nothing_is_left_of_how_a_memory_was_told_apart(folder):  # noqa: F811
    memory, other = both(folder)
    with memory, other:
        before = memory.sql("SELECT * FROM meta")
        memory.merge(other, map_from_other=THERE)
        assert memory.sql("SELECT * FROM meta") == before


def test_merging_goes_on_where_a_session_was_moved_here(folder):  # noqa: F811
    moved = g.make_transform(np.eye(3), (0.05, 0.0, 0.0)) @ THERE
    with SpatialMemory.open(folder / "two.mem", "a") as other, SpatialMemory.open(folder / "one.mem", "a") as memory:
        other.add_session("evening", np.eye(4))
        mh.observe_all(other, [mh.at(f, f.seq, session_id="evening") for f in second_frames(18, 2)])
        memory.merge(other, map_from_other=THERE)
        memory.correct_poses(anchor=("two/evening", moved))
        mh.observe_all(other, [mh.at(f, 12 + f.seq, session_id="evening") for f in second_frames(20, 2)])
        assert memory.merge(other).stored == 2
        last = other.trajectory()[-1]
        np.testing.assert_allclose(memory.trajectory()[-1].map_from_camera, moved @ last.map_from_camera, atol=1e-12)
        with pytest.raises(InvalidValue, match="'two/evening' has another place in this map already"):
            memory.merge(other, map_from_other=THERE)


@pytest.fixture
def moved_apart(folder, tmp_path):  # noqa: F811
    """A memory that took over sessions a and b of another one and moved a, and that other one."""

    def session(name, start):
        return [mh.at(f, f.seq, session_id=name) for f in second_frames(start, 2)]

    with mh.create(tmp_path / "o.mem", session("a", 6), **OPTIONS) as other:
        other.add_session("b", np.eye(4))
        mh.observe_all(other, session("b", 9))
        with SpatialMemory.open(folder / "one.mem", "a") as memory:
            memory.merge(other, map_from_other=THERE)
            memory.correct_poses(anchor=("o/a", MOVED @ THERE))
            yield memory, other, lambda: (other.add_session("c", np.eye(4)), mh.observe_all(other, session("c", 12)))


MOVED = g.make_transform(np.eye(3), (0.5, 0.0, 0.0))


def test_a_new_session_has_no_place_where_those_that_are_here_disagree(moved_apart):
    memory, other, go_on = moved_apart
    mh.observe_all(other, [mh.at(f, 9, session_id="a") for f in second_frames(8, 1)])
    assert memory.merge(other).stored == 1, "none is new"
    np.testing.assert_allclose(
        memory.trajectory()[-1].map_from_camera, MOVED @ THERE @ other.trajectory()[-1].map_from_camera, atol=1e-12
    )
    go_on()
    before = mh.tables(memory)
    with pytest.raises(UnplacedSession, match="'o/a' and 'o/b' .* 'o/c' lies. Give map_from_other="):
        memory.merge(other)
    assert mh.tables(memory) == before


@pytest.mark.parametrize(
    "place", [THERE, MOVED @ THERE, MOVED @ MOVED @ THERE], ids=["that of b", "of a", "of neither"]
)
def test_then_its_place_is_that_which_is_given(moved_apart, place):
    memory, other, go_on = moved_apart
    with pytest.raises(InvalidValue, match="has another place in this map already"):
        memory.merge(other, map_from_other=place)  # nothing is new that could lie there
    go_on()
    assert memory.merge(other, map_from_other=place).stored == 2
    kept = {name: memory._keeper.places.map_from_session(f"o/{name}") for name in "abc"}
    for name, lies in {"a": MOVED @ THERE, "b": THERE, "c": place}.items():
        np.testing.assert_allclose(kept[name], lies, atol=1e-12)
    assert memory.merge(other).skipped == {"duplicate": 6}


def test_the_last_frames_come_back_when_only_this_memory_forgot_them(folder):  # noqa: F811
    """It holds no later one of the same camera, by which it would know them; forgotten in both they stay away."""
    memory, other = both(folder)
    with memory, other:
        memory.merge(other, map_from_other=THERE)
        memory.forget(frames=[21, 22])
        again = memory.merge(other)
        assert again.stored == 2 and again.skipped == {"duplicate": 10}
        assert [k.seq for k in memory.trajectory()[-2:]] == [10, 11]
        memory.forget(frames=[23, 24])
    with SpatialMemory.open(folder / "two.mem", "a") as other:
        other.forget(frames=[11, 12])
    memory, other = both(folder)
    with memory, other:
        assert memory.merge(other).skipped == {"duplicate": 10}


def test_only_frames_of_new_views_are_decoded_to_find_the_place(folder, monkeypatch):  # noqa: F811
    memory, other = both(folder)
    with memory, other:
        source, read = Source(memory._keeper, other._keeper, "two"), []
        frame = Keeper.frame
        monkeypatch.setattr(Keeper, "frame", lambda keeper, lsn: read.append(lsn) or frame(keeper, lsn))
        given = list(source.frames())
        assert 2 <= len(given) == len(read) < len(source.rows)
        for n, one in enumerate(given):
            for before in given[:n]:
                distance_m, angle = g.pose_difference(before.pose, one.pose)
                assert distance_m >= APART_M or np.rad2deg(angle) >= APART_DEG


def test_a_merge_says_how_far_it_is(folder):  # noqa: F811
    memory, other = both(folder)
    with memory, other:
        told: list[tuple[int, int]] = []
        memory.merge(other, map_from_other=THERE, progress=lambda *numbers: told.append(numbers))
        assert told == [(n, n) for n in range(1, 13)]
        memory.merge(other, progress=lambda *numbers: told.append(numbers))
        assert told[12:] == [(n, 0) for n in range(1, 13)]
