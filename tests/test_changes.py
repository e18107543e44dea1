"""What has changed: things taken away, put there and moved are told, a still room is told to be still."""

from __future__ import annotations

import shutil

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from cli_helpers import run, run_json
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialmem.correction import cell_keys
from spatialmem.errors import InvalidValue
from spatialmem.memory import SpatialMemory
from spatialmem.retrieval.changes import Appeared, Change, Departed, NewlySeen

LAP = 16
SIZE = (160, 120)
CRATE = room.Box("crate", (0.7, 0.9, 0.0), (1.2, 1.4, 0.6), (160, 90, 200))
SHIFTED = "blue", (0.0, 1.0, 0.0)


def lap(boxes, number: int = 0, lap_size: int = LAP, noise: bool = False, size=SIZE):
    """A walk around the room, the `number`-th; what is left out of view in the first is so in the others."""
    return [room.room_frame(i, lap_size, *size, boxes=boxes, noise=noise, seed=number)
            for i in range(number * lap_size, (number + 1) * lap_size)]  # fmt: skip


def remember(path, *laps) -> SpatialMemory:
    memory = mh.create(path, voxel_size_m=0.03, ram_bytes=128 << 20)
    for frames in laps:
        mh.observe_all(memory, frames)
    return memory


@pytest.fixture(scope="module")
def first_lap(tmp_path_factory):
    """A closed memory of a lap around the room as it was; not to be changed."""
    path = tmp_path_factory.mktemp("first") / "a.mem"
    remember(path, lap(room.BOXES)).close()
    return path


def remember_after(first_lap, path, *laps) -> SpatialMemory:
    """The first lap and what came after it."""
    memory = SpatialMemory.open(shutil.copyfile(first_lap, path), "a")
    for frames in laps:
        mh.observe_all(memory, frames)
    return memory


END_OF_FIRST = room.FIRST_STAMP_NS + (LAP - 1) * room.FRAME_STEP_NS


def things(changes) -> list[Change]:
    return [change for change in changes if not isinstance(change, NewlySeen)]


def assert_of(change, box: room.Box) -> None:
    """The change lies where the box stands, has its colour, and most of its size."""
    low, high = np.array(box.min_m), np.array(box.max_m)
    assert room.distance_to_surface_m(change.position_m[None], [box])[0] < 0.08
    assert (change.box_min_m > low - 0.1).all() and (change.box_max_m < high + 0.1).all()
    seen = np.sort(change.extent_m / (high - low))[1:]
    assert (seen > 0.6).all()
    assert np.abs(np.array(change.rgb) / np.array(box.rgb) - 0.94).max() < 0.3


def assert_evidence(memory, change) -> None:
    frames = {k.lsn: k for k in memory.trajectory()}
    assert change.evidence
    for evidence in change.evidence:
        frame = frames[evidence.lsn]
        assert (evidence.stamp_ns, evidence.seq) == (frame.stamp_ns, frame.seq)
        left, top, right, bottom = evidence.box_xyxy
        assert 0 <= left <= right < SIZE[0] and 0 <= top <= bottom < SIZE[1]


def test_things_that_were_taken_away(tmp_path, first_lap):
    """All at once, as they stand far apart: each is one change."""
    with remember_after(first_lap, tmp_path / "a.mem", lap([], 1), lap([], 2)) as memory:
        changes = things(memory.changes(END_OF_FIRST))
        assert len(changes) == len(room.BOXES)
        for box in room.BOXES:
            (change,) = [c for c in changes if np.linalg.norm(c.position_m - box.centre_m) < 0.6]
            assert isinstance(change, Departed)
            assert_of(change, box)
            assert_evidence(memory, change)
            assert change.first_seen_ns <= change.last_seen_ns <= END_OF_FIRST < change.stamp_ns
            assert change.evidence[-1].stamp_ns == change.stamp_ns
            assert all(evidence.stamp_ns <= END_OF_FIRST for evidence in change.evidence[:-1])


def test_a_thing_that_was_put_there(tmp_path, first_lap):
    more = [*room.BOXES, CRATE]
    with remember_after(first_lap, tmp_path / "a.mem", lap(more, 1), lap(more, 2)) as memory:
        (change,) = things(memory.changes(END_OF_FIRST))
        assert isinstance(change, Appeared)
        assert_of(change, CRATE)
        assert_evidence(memory, change)
        assert END_OF_FIRST < change.stamp_ns <= change.last_seen_ns
        assert all(evidence.stamp_ns > END_OF_FIRST for evidence in change.evidence)


def test_a_thing_that_was_moved(tmp_path, first_lap):
    boxes = mh.moved(*SHIFTED)
    with remember_after(first_lap, tmp_path / "a.mem", lap(boxes, 1), lap(boxes, 2)) as memory:
        found = things(memory.changes(END_OF_FIRST))
        assert sorted(change.kind for change in found) == ["appeared", "departed"]
        for change in found:
            standing = boxes if isinstance(change, Appeared) else room.BOXES
            assert_of(change, next(b for b in standing if b.name == "blue"))


def test_frames_may_arrive_while_changes_are_looked_for(tmp_path, first_lap, monkeypatch):
    """A frame is stored between any two that are asked what they saw."""
    with remember_after(first_lap, tmp_path / "a.mem") as memory:
        middle, frames = room.FIRST_STAMP_NS + 7 * room.FRAME_STEP_NS, iter(lap(room.BOXES, 1))
        expected, asked = [kind_and_stamp(change) for change in memory.changes(middle)], []

        def cells_of(blob):
            asked.append(mh.observe_all(memory, [next(frames)]))
            return cell_keys(blob)

        monkeypatch.setattr("spatialmem.travelling.cell_keys", cells_of)
        assert [kind_and_stamp(change) for change in memory.changes(middle)] == expected
        assert len(asked) == 8 and len(memory.trajectory()) == LAP + 8


def kind_and_stamp(change) -> tuple[str, int]:
    return change.kind, change.stamp_ns


def test_what_came_and_went_is_no_change(tmp_path, first_lap):
    more = [*room.BOXES, CRATE]
    later = lap(more, 1), lap(room.BOXES, 2), lap(room.BOXES, 3)
    with remember_after(first_lap, tmp_path / "a.mem", *later) as memory:
        assert things(memory.changes(END_OF_FIRST)) == []
        second, third = (room.FIRST_STAMP_NS + (n * LAP - 1) * room.FRAME_STEP_NS for n in (2, 3))
        (came,) = things(memory.changes(END_OF_FIRST, second))
        (went,) = things(memory.changes(second))
        assert isinstance(came, Appeared) and isinstance(went, Departed)
        assert_of(came, CRATE)
        assert_of(went, CRATE)
        assert things(memory.changes(third)) == []


@pytest.mark.parametrize(("noise", "step"), [(False, 10), (True, 5)])
def test_in_a_still_room_nothing_changes(tmp_path, noise, step):
    laps = [lap(room.BOXES, n, noise=noise) for n in range(3)]
    with remember(tmp_path / "a.mem", *laps) as memory:
        for n in range(0, 2 * LAP, step):
            assert things(memory.changes(room.FIRST_STAMP_NS + n * room.FRAME_STEP_NS)) == []
        assert memory.changes(END_OF_FIRST) == ()


def test_a_place_that_is_seen_for_the_first_time(tmp_path):
    """Half a lap, then the other half: what is behind is new, and only that."""
    frames = lap(room.BOXES)
    with remember(tmp_path / "a.mem", frames[:3], frames[3:12]) as memory:
        found = memory.changes(frames[2].stamp_ns)
        assert things(found) == []
        assert found and all(isinstance(change, NewlySeen) for change in found)
        before = memory.at(frames[2].stamp_ns)
        for change in found:
            assert change.volume_m3 >= 0.1 and 0 <= change.free_m3 <= change.volume_m3
            assert before.occupancy(change.position_m[None])[0] == 0 != memory.occupancy(change.position_m[None])[0]
            assert frames[2].stamp_ns < change.stamp_ns <= frames[11].stamp_ns
            assert_evidence(memory, change)
        total = sum(change.volume_m3 for change in found)
        gained = (memory.free_space().state > 0).sum() - (before.free_space().state > 0).sum()
        assert total <= gained * memory.config.free_voxel_m**3 * (1 + 1e-9)
        assert total > 0.5 * gained * memory.config.free_voxel_m**3


def test_everything_is_new_since_before_the_first_frame(first_lap):
    with SpatialMemory.open(first_lap) as memory:
        found = memory.changes(0)
        assert found and all(isinstance(change, NewlySeen) for change in found)
        assert memory.changes(END_OF_FIRST) == () == memory.changes(2**62)


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(["red", "green", "blue", "yellow"]), st.integers(0, LAP - 1), st.integers(1, 5))
def test_where_nobody_looked_nothing_is_claimed(tmp_path_factory, first_lap, name, start, count):
    """A box is taken away, and few frames come after: claims lie where one of them looked."""
    later = lap(mh.without(name), 1)
    chosen = [f for f in (later + later)[start : start + count] if f.seq is not None]
    chosen = sorted({f.seq: f for f in chosen}.values(), key=lambda f: f.seq)
    with remember_after(first_lap, tmp_path_factory.mktemp("a") / "a.mem", chosen) as memory:
        for change in memory.changes(END_OF_FIRST):
            looked = memory._layers.free.reading().last_looked(change.position_m[None])[0]
            assert looked > LAP
            if isinstance(change, Departed):
                assert any(e.lsn > LAP for e in change.evidence)


def test_changes_are_in_order_of_time(tmp_path):
    boxes = [*mh.without("red"), CRATE]
    with remember(tmp_path / "a.mem", lap(room.BOXES)[:10], lap(boxes, 1), lap(boxes, 2)) as memory:
        found = memory.changes(room.FIRST_STAMP_NS + 9 * room.FRAME_STEP_NS)
        stamps = [change.stamp_ns for change in found]
        assert stamps == sorted(stamps) and len({change.kind for change in found}) >= 2


def test_wrong_spans_are_refused(tmp_path):
    with remember(tmp_path / "a.mem", lap(room.BOXES)[:3]) as memory:
        with pytest.raises(InvalidValue, match="must not lie after"):
            memory.changes(10, 5)
        with pytest.raises(InvalidValue, match="since_ns must be a whole number"):
            memory.changes(1.5)


# --- the command


@pytest.fixture(scope="module")
def emptied(tmp_path_factory, first_lap):
    """A room from which the red box was taken after the first lap."""
    path = tmp_path_factory.mktemp("emptied") / "a.mem"
    remember_after(first_lap, path, lap(mh.without("red"), 1), lap(mh.without("red"), 2)).close()
    return path


def test_changes_on_the_command_line(emptied, capsys):
    since = f"{END_OF_FIRST / 1e9}"
    told = run_json(capsys, "changes", emptied, "--since", since)
    assert (told["since_ns"], told["until_ns"]) == (END_OF_FIRST, None)
    (change,) = [c for c in told["changes"] if c["kind"] != "newly seen"]
    assert change["kind"] == "departed" and change["rgb"][0] > 150 > change["rgb"][1]
    assert {"position_m", "extent_m", "box_min_m", "box_max_m", "stamp_ns", "voxels", "evidence"} <= set(change)
    relative = run_json(capsys, "changes", emptied, "--since", "3.2s", "--until", "100ms")
    assert [c["kind"] for c in relative["changes"]].count("departed") == 1
    run("changes", emptied, "--since", since)
    out = capsys.readouterr().out
    assert "departed" in out and "rgb" in out
    run("changes", emptied, "--since", "0s")
    assert "nothing has changed since 5.70 s" in capsys.readouterr().out


def test_asking_as_of_a_time(emptied, tmp_path, capsys):
    now = run_json(capsys, "query", emptied, "red")
    then = run_json(capsys, "query", emptied, "red", "--as-of", f"{END_OF_FIRST / 1e9}")
    assert now["hits"][0]["presence"] in ("gone", "doubted") and now["as_of"] is None
    assert then["hits"][0]["presence"] == "present" and then["as_of"] == f"{END_OF_FIRST / 1e9}"
    assert then["hits"][0]["last_seen_ns"] <= END_OF_FIRST
    run("query", emptied, "red", "--as-of", "3.2s", "--picture", tmp_path / "then.png")
    assert (tmp_path / "then.png").stat().st_size > 10_000 and "as of 3.2s" in capsys.readouterr().out
    told = run_json(capsys, "query", emptied, "red", "--as-of", "noon", code=1)
    assert "--as-of 'noon' is no time" in told["error"]
