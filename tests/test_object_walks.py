"""How memories of things are judged: which object is which thing, what became of things; and the peer that only
accumulates."""

from __future__ import annotations

from dataclasses import replace

import memory_helpers as mh
import numpy as np
import object_cases as cases
import pytest
import synthetic as room

from benchmarks import object_walks as walks
from benchmarks.accumulating import Accumulating, masks_of
from benchmarks.object_walks import DOUBTED, ELSEWHERE, GONE, LOST, MOVED, NOT_LOOKED, THERE, Followed, Known, Visit
from sim.scene import SceneObject, Sight
from spatialmem.objects.lifting import observations_of
from spatialmem.types import Frame, Presence

RNG = np.random.default_rng(3)


def thing(number: int, low, high, category: str = "mug") -> SceneObject:
    low, high = np.array(low, float), np.array(high, float)
    return SceneObject(str(number), number, category, "object", category, {}, low, high, 0, "kitchen", "", "")


def told(number: int, low, high, **more) -> Known:
    """An object whose points fill its box."""
    low, high = np.array(low, float), np.array(high, float)
    return Known(number, "mug", RNG.uniform(low, high, (200, 3)), low, high, **{"last_seen_ns": 0, **more})


def test_each_thing_has_one_object_and_the_best_one():
    things = [thing(7, (0, 0, 0), (1, 1, 1)), thing(8, (3, 0, 0), (4, 1, 1))]
    found = [told(1, (0, 0, 0), (1, 1, 0.5)), told(2, (0, 0, 0), (1, 1, 0.98)), told(3, (6, 0, 0), (7, 1, 1))]
    fits = walks.fits(found, things)
    assert {i for i, _ in fits} == {0, 1}, "both fit, and the third fits nothing"
    assert walks.paired(fits) == {1: 0}


def test_a_part_and_a_heap_are_not_the_thing():
    things = [thing(7, (0, 0, 0), (1, 1, 1))]
    assert walks.fits([told(1, (0.2, 0.2, 0.2), (0.35, 0.35, 0.35))], things) == {}
    assert walks.fits([told(1, (-2, -2, -2), (3, 3, 3))], things) == {}
    assert walks.fits([], things) == {} == walks.fits([told(1, (0, 0, 0), (1, 1, 1))], [])


def test_switches_are_counted_and_lapses_are_not():
    followed = Followed()
    for now in ({1: 10, 2: 20}, {1: 10}, {1: 11, 2: 20}, {}, {1: 11}):
        followed.note(now)
    assert (followed.switches, followed.kept) == (1, 3)


BEFORE = told(1, (0, 0, 0), (0.2, 0.2, 0.2), last_seen_ns=5)
SHIFT = np.array([2.0, 0.0, 0.0])


def elsewhere(shift: np.ndarray = SHIFT, **more) -> Known:
    return replace(BEFORE, box_min_m=BEFORE.box_min_m + shift, box_max_m=BEFORE.box_max_m + shift, **more)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (None, LOST),
        (replace(BEFORE, presence=Presence.GONE), GONE),
        (replace(BEFORE, presence=Presence.DOUBTED), DOUBTED),
        (replace(BEFORE, presence=Presence.PRESENT), THERE),
        (replace(BEFORE, last_seen_ns=100), THERE),
        (BEFORE, NOT_LOOKED),
        (elsewhere(last_seen_ns=120), MOVED),
        (elsewhere(moves=1), MOVED),
        (elsewhere(0.1 * SHIFT, moves=1), ELSEWHERE),
        (elsewhere(2 * SHIFT), ELSEWHERE),
    ],
)
def test_what_a_memory_says_became_of_a_thing(now, said):
    assert walks.said_state(BEFORE, now, BEFORE.middle_m + SHIFT, since_ns=100) == said


def test_a_move_of_what_is_nowhere_is_wrong():
    assert walks.said_state(BEFORE, elsewhere(), None, since_ns=100) == ELSEWHERE


@pytest.mark.parametrize(
    ("pixels", "away", "present", "looked", "state"),
    [
        (80, False, True, False, THERE),
        (80, True, True, False, MOVED),
        (80, True, True, True, MOVED),
        (0, True, True, True, GONE),
        (0, True, False, True, GONE),
        (0, True, False, False, NOT_LOOKED),
        (0, False, True, False, NOT_LOOKED),
        (1, False, True, False, None),
        (79, True, True, True, None),
    ],
)
def test_what_became_of_a_thing_in_truth(pixels, away, present, looked, state):
    visit = Visit(pixels={7: pixels}, looked={7} if looked else set())
    low = SHIFT if away else np.array([0.1, 0.0, 0.0])
    now = {7: thing(7, low, low + 0.2)} if present else {}
    assert walks.true_state(7, np.full(3, 0.1), now, visit) == state


def test_precision_and_recall_of_states():
    answers = {(THERE, THERE): 6, (THERE, GONE): 2, (GONE, GONE): 1, (MOVED, ELSEWHERE): 1, (MOVED, MOVED): 3}
    found = walks.by_state(answers)
    assert found[THERE][:2] == (1.0, 0.75)
    assert found[GONE][:2] == (1 / 3, 1.0)
    assert found[MOVED] == (0.75, 0.75, 0.75)
    assert np.isnan(found[NOT_LOOKED]).all()
    assert walks.macro_f1(answers) == pytest.approx(np.mean([12 / 14, 0.5, 0.75]))
    assert walks.added([answers, answers])[THERE, GONE] == 4


def test_a_place_is_looked_at_when_readings_reach_it():
    frame = room.room_frame(0, cases.LAP, 320, 240)
    sight = Sight(frame.rgb, frame.depth_m, np.zeros((240, 320), np.int32), frame.rgb, frame.pose, frame.camera)
    ahead = frame.pose[:3, 3] + frame.pose[:3, 2] * float(frame.depth_m[120, 160])  # on what is in the middle

    def seen(depth_m: float, size_m: float = 0.3) -> bool:
        middle = ahead + frame.pose[:3, 2] * depth_m
        return walks.shows(sight, middle - size_m / 2, middle + size_m / 2)

    assert seen(-0.5) and not seen(1.0), "in front of it, and behind it"
    assert not seen(-0.5, 0.01), "too small for anything to be said"
    assert not walks.shows(sight, *(frame.pose[:3, 3] - frame.pose[:3, 2] + d for d in (-0.2, 0.2))), (
        "behind the camera"
    )


# the peer


def accumulate(peer: Accumulating, boxes, lap: int) -> None:
    for frame in cases.lap(lap, boxes):
        found = cases.detections(frame, boxes)
        seen = observations_of(found, frame.depth_m, None, frame.camera, np.ones((4, 4, 8), np.float32), (0.1, 6.0))
        masks = masks_of(seen, found)
        assert [int(m.sum()) for m in masks] == seen.pixels.tolist()
        peer.take(Frame(frame.rgb, frame.depth_m, frame.camera, frame.pose, lap, depth_unit="m"), masks, seen)
    peer.tidy()


def test_the_peer_finds_each_box_once_and_keeps_what_is_away():
    peer = Accumulating()
    accumulate(peer, room.BOXES, 0)
    accumulate(peer, mh.without("red"), 1)
    found = {cloud.label: cloud for cloud in peer.objects()}
    assert len(found) == len(peer.objects()) == len(room.BOXES)
    for box in room.BOXES:
        middle = (found[box.name].low_m + found[box.name].high_m) / 2
        assert (np.abs(middle - box.centre_m) < 0.2).all()
    assert {name for name, cloud in found.items() if cloud.last_ns == 0} == {"red"}
