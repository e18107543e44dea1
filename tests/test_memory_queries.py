"""Asking a memory of the synthetic room: where things are, when they were seen, whether they are still there."""

from __future__ import annotations

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room

from spatialmem.errors import InvalidValue
from spatialmem.types import Presence

LAP = 16
SIZE = (320, 240)
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def memory():
    """One lap around the room."""
    with mh.create(None, [room.room_frame(i, LAP, *SIZE) for i in range(LAP)], voxel_size_m=0.03) as memory:
        yield memory


def distance_m(hit, box: room.Box) -> float:
    return float(room.distance_to_surface_m(hit.position_m[None], [box]).clip(max=99)[0])


def same_places(one, other) -> bool:
    return [tuple(h.position_m) for h in one] == [tuple(h.position_m) for h in other]


# --- where


@pytest.mark.parametrize("box", room.BOXES, ids=lambda box: box.name)
def test_a_coloured_box_is_found_where_it_stands(memory, box):
    answer = memory.query(f"the {box.name} box")
    assert answer.searched_voxels > 10_000 and answer.not_searched == ""
    hit = answer[0]
    assert all(h.voxels < 20 and h.score < hit.score and distance_m(h, box) < 0.1 for h in answer.hits[1:])  # specks
    assert distance_m(hit, box) < 0.05 and hit.presence is Presence.PRESENT and 0.5 < hit.score <= 1
    low, high = np.array(box.min_m), np.array(box.max_m)
    assert np.all(hit.box_min_m > low - 0.1) and np.all(hit.box_max_m < high + 0.1)
    seen = np.sort(hit.extent_m / (high - low))[1:]  # of two axes most was seen; of the third perhaps one face
    assert np.all(seen > 0.7) and np.all(seen < 1.3)
    np.testing.assert_array_equal(hit.extent_m, hit.box_max_m - hit.box_min_m)
    assert hit.calibrated and answer.calibrated


@pytest.mark.parametrize("box", room.BOXES, ids=lambda box: box.name)
def test_evidence_shows_the_thing_itself(memory, box):
    evidence = memory.query(box.name)[0].evidence
    assert 1 <= len(evidence) <= 3
    assert [e.voxels for e in evidence] == sorted((e.voxels for e in evidence), reverse=True)
    for e in evidence:
        frame = room.room_frame(e.lsn - 1, LAP, *SIZE)
        assert (e.session_id, e.camera_id, e.seq, e.stamp_ns) == (*frame.key, frame.stamp_ns)
        left, top, right, bottom = (round(v) for v in e.box_xyxy)
        assert 0 <= left <= right < SIZE[0] and 0 <= top <= bottom < SIZE[1]
        crop = frame.rgb[top : bottom + 1, left : right + 1].reshape(-1, 3)
        of_the_box = np.all(np.abs(crop / np.array(box.rgb) - 0.94) < 0.1, axis=-1)
        assert of_the_box.mean() > 0.6
    colours = frame.rgb.reshape(-1, 3)
    everywhere = np.all(np.abs(colours / np.array(box.rgb) - 0.94) < 0.1, axis=-1)
    assert everywhere.mean() < 0.4  # so that the figure above says something


def test_when_a_thing_was_seen(memory):
    for box in room.BOXES:
        stamps = []
        for i in range(LAP):
            rgb = room.room_frame(i, LAP, *SIZE).rgb.reshape(-1, 3)
            if np.all(np.abs(rgb / np.array(box.rgb) - 0.94) < 0.1, axis=-1).sum() > 20:
                stamps.append(room.FIRST_STAMP_NS + i * room.FRAME_STEP_NS)
        hit = memory.query(box.name)[0]
        assert abs(hit.first_seen_ns - stamps[0]) <= room.FRAME_STEP_NS
        assert abs(hit.last_seen_ns - stamps[-1]) <= room.FRAME_STEP_NS


def test_an_image_finds_what_it_shows(memory):
    crop = np.full((40, 30, 3), room.GREEN_BOX.rgb, np.uint8)
    answer = memory.query(image=crop)
    assert distance_m(answer[0], room.GREEN_BOX) < 0.05 and same_places(answer, memory.query("green"))


# --- conditions


def test_a_ball_and_a_box_narrow_the_answer(memory):
    red = memory.query("red")
    place = red[0].position_m
    assert same_places(memory.query("red", at=place, radius_m=2.0), red)
    assert len(memory.query("red", at=place + (0, 0, 1.5), radius_m=0.5)) == 0
    assert len(memory.query("green", at=place, radius_m=1.0)) == 0
    near = memory.query(at=place, radius_m=0.3)
    assert len(near) >= 1 and all(np.linalg.norm(h.position_m - place) < 0.3 for h in near)
    assert all(np.all(np.abs(c - place) < 0.35) for h in near for c in (h.box_min_m, h.box_max_m))
    around = np.array([place - 1.0, place + 1.0])
    assert same_places(memory.query("red", box_m=around), red)
    assert len(memory.query("red", box_m=around + (0, 2, 0))) == 0
    half = memory.query("red", box_m=np.array([[-9, -9, 0.4], [9, 9, 9]]))[0]
    assert half.box_min_m[2] > 0.35 and half.voxels < red[0].voxels
    inside = memory.query(box_m=np.array([room.RED_BOX.min_m, room.RED_BOX.max_m]))
    assert len(inside) >= 1 and all(distance_m(h, room.RED_BOX) < 0.1 for h in inside)
    assert len(memory.query("red", at=place, radius_m=1.0, box_m=around + (0, 2, 0))) == 0


def test_times_bound_when_the_surface_was_last_seen(memory):
    stamp = [room.FIRST_STAMP_NS + i * room.FRAME_STEP_NS for i in range(LAP)]
    hit = memory.query("green")[0]
    assert same_places(memory.query("green", since_ns=stamp[0], until_ns=stamp[-1], top=1), [hit])
    assert len(memory.query("green", since_ns=hit.last_seen_ns + 1)) == 0
    assert len(memory.query("green", until_ns=stamp[0])) == 0
    part = memory.query("green", since_ns=hit.last_seen_ns)[0]
    assert part.last_seen_ns == hit.last_seen_ns and part.voxels < hit.voxels
    assert len(memory.query(since_ns=stamp[-1])) >= 1 and len(memory.query(since_ns=stamp[-1] + 1)) == 0
    assert same_places(
        memory.query("green", since_ns=part.last_seen_ns, at=hit.position_m, radius_m=3.0, top=1), [part]
    )


def test_top_limits_and_never_reorders(memory):
    everything = memory.query(box_m=np.array([[-9, -9, 0.1], [9, 9, 2.4]]), top=50)
    assert [h.score for h in everything] == sorted((h.score for h in everything), reverse=True)
    for top in (1, 2, 3):
        assert same_places(memory.query(box_m=np.array([[-9, -9, 0.1], [9, 9, 2.4]]), top=top), everything[:top])


# --- nothing to answer


def test_words_the_encoder_cannot_know_are_named(memory):
    assert memory.query("the red giraffe").unknown_words == ("giraffe",)
    assert len(memory.query("the red giraffe")) == 1
    answer = memory.query("giraffe")
    assert len(answer) == 0 and answer.unknown_words == ("giraffe",) and not answer.hits


@pytest.mark.parametrize("colour", ["purple", "pink", "orange"])
def test_a_colour_that_is_nowhere_is_answered_with_nothing(memory, colour):
    answer = memory.query(colour)
    assert len(answer) == 0 and answer.searched_voxels > 10_000 and answer.unknown_words == ()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("a text, an image, a place", {}),
        ("not both", {"text": "red", "image": np.zeros((4, 4, 3), np.uint8)}),
        ("top", {"text": "red", "top": 0}),
        ("belong together", {"at": (0, 0, 0)}),
        ("belong together", {"text": "red", "radius_m": 1.0}),
        ("finite point", {"at": (0, np.nan, 0), "radius_m": 1.0}),
        ("positive number", {"at": (0, 0, 0), "radius_m": -1.0}),
        (r"\(2, 3\)", {"box_m": np.zeros((3, 2))}),
        (r"\(2, 3\)", {"box_m": np.array([[1, 0, 0], [0, 1, 1]])}),
        ("uint8", {"image": np.zeros((4, 4, 3))}),
    ],
)
def test_questions_that_make_no_sense_are_refused_in_words(memory, words, parts):
    with pytest.raises(InvalidValue, match=words):
        memory.query(**parts)


# --- still there?

FLOATING = room.Box("red", (1.5, -0.3, 0.5), (2.0, 0.3, 1.1), (200, 25, 30))
"""a box with air all around it"""


def looks_at_red(boxes, count: int, first_seq: int) -> list:
    """Views of the place of the red box from `count` different poses."""
    frames = []
    for i in range(count):
        position = np.array([-0.6 + 0.15 * i, -0.6 + 0.3 * i, 1.2 + 0.1 * (i % 2)])
        target = np.array([1.75, 0.0, 0.8])
        frames.append(mh.frame_at(position, target - position, first_seq + i, boxes, SIZE))
    return frames


def presences(memory, text: str) -> set[Presence]:
    return {hit.presence for hit in memory.query(text)}


def test_a_thing_taken_away_is_doubted_and_then_gone_with_its_place_and_time():
    before = [*mh.without("red"), FLOATING]
    with mh.create(None, looks_at_red(before, 5, 0), voxel_size_m=0.03) as memory:
        seen = memory.query("red")[0]
        assert seen.presence is Presence.PRESENT
        after = looks_at_red(mh.without("red"), 5, 20)
        mh.observe_all(memory, after[:1])
        assert presences(memory, "red") == {Presence.DOUBTED}
        mh.observe_all(memory, after[1:])
        answer = memory.query("red")
        assert {hit.presence for hit in answer} == {Presence.GONE}
        gone = answer[0]
        assert np.linalg.norm(gone.position_m - seen.position_m) < 0.3
        assert np.all(gone.box_min_m >= seen.box_min_m - 0.1) and np.all(gone.box_max_m <= seen.box_max_m + 0.1)
        assert gone.voxels > 0.5 * seen.voxels
        assert gone.first_seen_ns == seen.first_seen_ns and gone.last_seen_ns <= after[0].stamp_ns - SECOND
        assert gone.evidence[0].lsn <= 5 and gone.evidence[0].stamp_ns == gone.last_seen_ns
        place = {"at": FLOATING.centre_m, "radius_m": 0.6}
        assert {h.presence for h in memory.query(**place)} == {Presence.GONE}
        assert presences(memory, "blue") == set() == presences(memory, "purple")
        assert len(memory.query("red", since_ns=after[0].stamp_ns)) == 0
        assert len(memory.query("red", box_m=np.array([[-2, -2, 0], [0, 2, 2.5]]))) == 0
        assert memory.info()["departed_regions"] >= 1


def test_a_thing_that_comes_back_is_present_and_no_longer_gone():
    before = [*mh.without("red"), FLOATING]
    with mh.create(None, looks_at_red(before, 5, 0), voxel_size_m=0.03) as memory:
        mh.observe_all(memory, looks_at_red(mh.without("red"), 5, 20))
        assert presences(memory, "red") == {Presence.GONE}
        mh.observe_all(memory, looks_at_red(before, 5, 40))
        answer = memory.query("red")
        assert answer[0].presence is Presence.PRESENT and distance_m(answer[0], FLOATING) < 0.05
        assert {h.presence for h in answer if h.voxels > 100} == {Presence.PRESENT}


def test_a_box_taken_from_the_floor_leaves_nothing_present():
    with mh.create(None, looks_at_red(room.BOXES, 5, 0), voxel_size_m=0.03) as memory:
        assert presences(memory, "red") == {Presence.PRESENT}
        before = sum(hit.voxels for hit in memory.query("red", top=100))
        mh.observe_all(memory, looks_at_red(mh.without("red"), 5, 20))
        left = memory.query("red", top=100)
        gone = [hit for hit in left if hit.presence is Presence.GONE]
        rim = [hit for hit in left if hit.presence is not Presence.GONE]
        assert sum(hit.voxels for hit in gone) > 0.85 * before
        assert all(
            hit.presence is not Presence.PRESENT and hit.box_max_m[2] <= 3 * 0.03 for hit in rim
        )  # the floor right behind it cannot be seen through
        assert sum(hit.voxels for hit in rim) < 0.1 * before


def test_a_thing_that_moved_is_present_in_one_place_and_gone_from_the_other():
    before = [*mh.without("red"), FLOATING]
    elsewhere = FLOATING._replace(min_m=(-0.9, 1.0, 0.4), max_m=(-0.3, 1.5, 1.0))
    with mh.create(None, looks_at_red(before, 5, 0), voxel_size_m=0.03) as memory:
        boxes = [*mh.without("red"), elsewhere]
        mh.observe_all(memory, looks_at_red(boxes, 5, 20))
        mh.observe_all(memory, [mh.frame_at((0, -1, 1.3), np.array([-0.6, 2.2, -0.5]), 30, boxes, SIZE)])
        answer = memory.query("red")
        assert [h.presence for h in answer][0] is Presence.PRESENT
        assert distance_m(answer[0], elsewhere) < 0.05
        assert {h.presence for h in answer[1:]} == {Presence.GONE}
        assert np.linalg.norm(answer[1].position_m - FLOATING.centre_m) < 0.5


def test_a_thing_nobody_looked_at_again_is_not_seen_since():
    with mh.create(None, [room.room_frame(0, LAP, *SIZE)], voxel_size_m=0.03) as memory:
        away = room.room_frame(8, LAP, *SIZE)
        mh.observe_all(memory, [mh.at(away, 5)])
        assert presences(memory, "red") == {Presence.PRESENT}  # half a second ago: as good as now
        mh.observe_all(memory, [mh.at(away, 60)])
        assert presences(memory, "red") == {Presence.NOT_SEEN_SINCE}
        assert presences(memory, "blue") == {Presence.PRESENT}
        mh.observe_all(memory, [mh.at(room.room_frame(0, LAP, *SIZE), 100)])
        assert presences(memory, "red") == {Presence.PRESENT}


def test_a_thing_hidden_behind_another_is_neither_doubted_nor_gone():
    screen = room.Box("screen", (0.8, -1.0, 0.0), (0.9, 1.0, 2.2), (120, 120, 120))
    with mh.create(None, looks_at_red(room.BOXES, 4, 0), voxel_size_m=0.03) as memory:
        mh.observe_all(memory, looks_at_red([*room.BOXES, screen], 3, 30))
        assert presences(memory, "red") == {Presence.NOT_SEEN_SINCE}


def test_missing_readings_are_no_evidence():
    with mh.create(None, looks_at_red(room.BOXES, 4, 0), voxel_size_m=0.03) as memory:
        for frame in looks_at_red(mh.without("red"), 5, 20):
            depth = frame.depth_m.copy()
            depth[frame.rgb.shape[0] // 4 :, :] = np.nan
            mh.observe_all(memory, [mh.at(frame, frame.seq, depth_m=depth)])
        assert Presence.GONE not in presences(memory, "red") and Presence.DOUBTED not in presences(memory, "red")


def test_an_empty_answer_about_a_place_says_whether_it_was_looked_at(memory):
    behind_a_wall = memory.query("red", at=(40.0, 0.0, 1.0), radius_m=0.5)
    assert len(behind_a_wall) == 0 and behind_a_wall.place is Presence.NEVER_LOOKED
    camera = memory.trajectory()[0].map_from_camera
    in_the_air = memory.query("red", at=camera[:3, 3] + 0.8 * camera[:3, 2], radius_m=0.1)
    assert len(in_the_air) == 0 and in_the_air.place is Presence.FREE
    blue = memory.query("blue", top=1)[0]
    elsewhere = memory.query("yellow", at=blue.position_m, radius_m=0.15)
    assert len(elsewhere) == 0 and elsewhere.place is Presence.SOMETHING_ELSE
    assert memory.query("red").place is None and memory.query("purple").place is None
