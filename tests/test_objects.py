"""Things of the map: found, told apart, gone, moved, not looked at; and what a frame says of points."""

from __future__ import annotations

import dataclasses

import memory_helpers as mh
import numpy as np
import object_cases as cases
import pytest
import synthetic as room

from spatialmem.errors import InvalidValue
from spatialmem.objects.lifting import observations_of
from spatialmem.objects.looking import AGREES, HIDDEN, OUTSIDE, THROUGH, SeenFrame, look, tolerance_m
from spatialmem.things import Detection
from spatialmem.types import Presence

NAMES = {box.name for box in room.BOXES}


@pytest.mark.parametrize("labelled", [True, False])
def test_each_box_is_one_thing_where_it_stands(labelled):
    with cases.remembered(None, laps=2, labelled=labelled) as memory:
        things = memory.objects()
    assert len(things) == len(room.BOXES)
    for box in room.BOXES:
        (thing,) = [o for o in things if (np.abs(o.position_m - box.centre_m) < 0.2).all()]
        assert thing.name == (box.name if labelled else "") and thing.views >= 2
        assert (thing.box_min_m > np.array(box.min_m) - 0.06).all()
        assert (thing.box_max_m < np.array(box.max_m) + 0.06).all()
        assert thing.evidence and all(e.lsn <= 24 for e in thing.evidence) and not thing.moves


def test_one_view_is_no_thing_and_a_second_one_from_the_same_place_is_none_either():
    frame = room.room_frame(0, cases.LAP)
    with mh.create(None) as memory:
        memory.observe(frame, cases.detections(frame))
        assert memory.objects() == ()
        memory.observe(mh.at(frame, 5), cases.detections(frame))
        assert memory.objects() == ()
        cases.observe(memory, [room.room_frame(13, cases.LAP)])
        assert [thing.name for thing in memory.objects()] == ["red"]


def test_a_frame_without_detections_says_nothing_of_things():
    with mh.create(None, cases.lap(0)) as memory:
        assert memory.objects() == () and memory.snapshots() == ()


def test_what_is_seen_through_twice_is_gone_and_the_rest_is_not():
    left = mh.without("red")
    with cases.remembered(None) as memory:
        cases.observe(memory, cases.lap(1, left), left)
        things = cases.by_name(memory)
    assert things["red"].presence is Presence.GONE
    assert all(things[name].presence is not Presence.GONE for name in NAMES - {"red"})


def test_what_nobody_looked_at_again_is_not_gone():
    left = mh.without("red")
    with cases.remembered(None) as memory:
        away = cases.lap(4, left, steps=range(5, 8))  # the blue box is ahead, the red one behind
        cases.observe(memory, away, left)
        things = cases.by_name(memory)
    assert things["red"].presence is Presence.NOT_SEEN_SINCE
    assert things["blue"].presence is Presence.PRESENT


def test_what_is_hidden_is_not_gone():
    screen = room.Box("screen", (0.9, -0.9, 0.0), (0.95, 0.9, 2.0), (120, 60, 120))
    with cases.remembered(None) as memory:
        boxes = [*room.BOXES, screen]
        cases.observe(memory, cases.lap(1, boxes), boxes)
        things = cases.by_name(memory)
    assert things["red"].presence is not Presence.GONE and "screen" in things


def test_a_thing_that_is_found_elsewhere_was_moved_and_keeps_its_number():
    moved = mh.moved("red", (0.0, 1.2, 0.0))
    there = next(box for box in moved if box.name == "red")
    with cases.remembered(None) as memory:
        before = cases.by_name(memory)["red"]
        cases.observe(memory, cases.lap(1, moved), moved)
        cases.observe(memory, cases.lap(2, moved), moved)
        things = cases.by_name(memory)
    after = things["red"]
    assert after.object_id == before.object_id and after.presence is not Presence.GONE
    np.testing.assert_allclose(after.position_m, there.centre_m, atol=0.2)
    (move,) = after.moves
    np.testing.assert_allclose(move.from_m, before.position_m, atol=0.1)
    np.testing.assert_allclose(move.to_m, there.centre_m, atol=0.25)
    assert before.last_seen_ns <= move.after_ns < move.before_ns <= after.last_seen_ns
    assert set(things) == NAMES and all(not things[name].moves for name in NAMES - {"red"})


def test_a_thing_that_came_back_is_the_same_and_was_not_moved():
    left = mh.without("red")
    with cases.remembered(None) as memory:
        before = cases.by_name(memory)["red"]
        cases.observe(memory, cases.lap(1, left), left)
        cases.observe(memory, cases.lap(2))
        after = cases.by_name(memory)["red"]
    assert (after.object_id, after.moves) == (before.object_id, ())
    assert after.presence is not Presence.GONE


def test_a_thing_that_is_cut_in_two_now_and_then_is_one():
    with mh.create(None) as memory:
        for number, frame in enumerate([f for n in range(3) for f in cases.lap(n)]):
            found = cases.detections(frame, labelled=False)
            if number % 3 == 1:
                found = [half for d in found for half in halves(d)]
            memory.observe(frame, found)
        assert len(memory.objects()) == len(room.BOXES)


def halves(detection: Detection) -> list[Detection]:
    columns = np.flatnonzero(detection.mask.any(axis=0))
    left = detection.mask.copy()
    left[:, (columns[0] + columns[-1]) // 2 :] = False
    return [Detection(mask, detection.label) for mask in (left, detection.mask & ~left) if mask.sum() >= 12]


def test_two_things_that_were_taken_for_one_are_told_apart():
    """Two boxes side by side are one mask on the first lap, two from then on."""
    pair = (
        room.Box("low", (1.5, -0.7, 0.0), (2.1, -0.02, 0.7), (200, 25, 30)),
        room.Box("high", (1.5, 0.02, 0.0), (2.1, 0.7, 1.1), (30, 60, 200)),
    )
    with mh.create(None) as memory:
        for frame in cases.lap(0, pair):
            found = cases.masks(frame, pair)
            both = found["low"] | found["high"]
            memory.observe(frame, [Detection(both)] if both.sum() > 20 else [])
        assert len(memory.objects()) == 1
        for number in (1, 2, 3):
            cases.observe(memory, cases.lap(number, pair), pair, labelled=False)
        things = memory.objects()
    for box in pair:
        assert sum((np.abs(o.position_m - box.centre_m) < 0.25).all() for o in things) == 1, box
    assert len(things) == 2


def test_every_thing_there_is_stands_in_one_snapshot_that_shows_it():
    left = mh.without("yellow")
    with cases.remembered(None) as memory:
        cases.observe(memory, cases.lap(1, left), left)
        things = {o.object_id: o for o in memory.objects()}
        snapshots = memory.snapshots()
        represented = [n for s in snapshots for n in s.object_ids]
        assert sorted(represented) == sorted(n for n, o in things.items() if o.presence is not Presence.GONE)
        assert all(set(s.object_ids) <= memory.boxes_in(s.lsn).keys() for s in snapshots)
        assert [len(memory.snapshots(most)) for most in (0, 1)] == [0, 1]


def test_detections_that_do_not_fit_are_refused_and_nothing_is_stored(tmp_path):
    frame = room.room_frame(0, cases.LAP)
    with mh.create(tmp_path / "a.mem") as memory:
        for bad in ([np.ones((120, 160), bool)], "red", [Detection(np.ones((3, 3), bool))]):
            with pytest.raises(InvalidValue, match="detection"):
                memory.observe(frame, bad)  # type: ignore[arg-type]
        assert memory.info()["frames"] == 0
    for mask, label, score in (
        (np.ones((4, 4)), "", 1.0),
        (np.ones((4, 4), bool), 3, 1.0),
        (np.ones((4, 4), bool), "", 2),
    ):
        with pytest.raises(InvalidValue):
            Detection(mask, label, score)  # type: ignore[arg-type]


# what a frame says of points


def full_look(points: np.ndarray, frame) -> np.ndarray:
    """`look` by the reading of the nearest pixel alone; -1 where that pixel lies on an edge of depth."""
    local = (points - frame.pose[:3, 3]) @ frame.pose[:3, :3]
    camera, verdicts = frame.camera, np.full(len(points), OUTSIDE, int)
    for n, (x, y, z) in enumerate(local):
        if z <= 0.0:
            continue
        u, v = round(x / z * camera.fx + camera.cx), round(y / z * camera.fy + camera.cy)
        if not (0 <= u < camera.width and 0 <= v < camera.height):
            continue
        around = frame.depth_m[max(v - 4, 0) : v + 5, max(u - 4, 0) : u + 5]
        reading, allowed = float(frame.depth_m[v, u]), float(tolerance_m(np.array(z)))
        if np.ptp(around) > 0.25:
            verdicts[n] = -1
        elif abs(abs(reading - z) - allowed) < 0.02:
            verdicts[n] = -1  # too near to call
        else:
            verdicts[n] = AGREES if abs(reading - z) <= allowed else THROUGH if reading > z else HIDDEN
    return verdicts


def test_what_a_frame_says_of_points_is_what_its_pixels_say():
    rng = np.random.default_rng(5)
    for i in range(6):
        frame = room.room_frame(i, 6, 320, 240)
        seen = observations_of(cases.detections(frame), frame.depth_m, None, frame.camera, None, (0.1, 6.0))
        v, u = rng.integers(0, 240, 400), rng.integers(0, 320, 400)
        z = frame.depth_m[v, u] + rng.choice([0.0, 0.3, -0.3], 400)
        local = np.stack(
            [(u - frame.camera.cx) / frame.camera.fx * z, (v - frame.camera.cy) / frame.camera.fy * z, z], 1
        )
        points = local @ frame.pose[:3, :3].T + frame.pose[:3, 3]
        points = np.concatenate([points, rng.uniform(-3, 3, (100, 3))])
        wanted, found = full_look(points, frame), look(points, SeenFrame(1, 0, frame.pose, seen)).verdict
        clear = wanted >= 0
        assert clear.mean() > 0.6
        assert (wanted == found)[clear].mean() > 0.99


def test_points_in_a_mask_are_of_its_detection_and_masks_in_front_win():
    frame = room.room_frame(0, cases.LAP)
    (red,) = [mask for name, mask in cases.masks(frame).items() if name == "red"]
    whole = np.ones_like(red)
    seen = observations_of([Detection(red, "red"), Detection(whole, "all")], frame.depth_m, None, frame.camera, None,
                           (0.1, 6.0))  # fmt: skip
    assert seen.labels == ("all", "red")
    rows, columns = np.nonzero(red[2:-2, 2:-2] & red[:-4, 2:-2] & red[4:, 2:-2] & red[2:-2, :-4] & red[2:-2, 4:])
    z = frame.depth_m[rows + 2, columns + 2]
    local = np.stack([(columns + 2 - frame.camera.cx) / frame.camera.fx * z,
                      (rows + 2 - frame.camera.cy) / frame.camera.fy * z, z], 1)  # fmt: skip
    points = local @ frame.pose[:3, :3].T + frame.pose[:3, 3]
    assert (look(points, SeenFrame(1, 0, frame.pose, seen)).detection_of == 2).all()


def test_masks_that_run_over_an_edge_give_points_of_one_thing():
    camera = room.room_camera(160, 120)
    depth = np.full((120, 160), 3.0, np.float32)
    depth[40:80, 60:100] = 1.5
    wide = np.zeros((120, 160), bool)
    wide[34:86, 54:106] = True
    seen = observations_of([Detection(wide)], depth, None, camera, None, (0.1, 6.0))
    np.testing.assert_allclose(seen.points_of(0)[:, 2], 1.5)


def test_what_has_no_reading_any_more_is_not_gone():
    """A thing that the depth camera cannot see, as dark ones, is no hole."""
    with cases.remembered(None) as memory:
        for frame in cases.lap(1):
            blind = np.where(cases.masks(frame)["red"], np.float32(np.nan), frame.depth_m)
            found = [d for d in cases.detections(frame) if d.label != "red"]
            memory.observe(dataclasses.replace(frame, depth_m=blind), found)
        assert cases.by_name(memory)["red"].presence is not Presence.GONE
