"""What frames that were localised one by one agree on: a place only when enough do, and hardly any says otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialmem import geometry as g
from spatialmem.localise.consensus import AGREE_DEG, AGREE_M, ENOUGH, LEAST, MOST, place_of_world, spread_order
from spatialmem.types import Camera, Frame

CAMERA = Camera(5.0, 5.0, 1.5, 1.0, 4, 3)
RGB, DEPTH = np.zeros((3, 4, 3), np.uint8), np.full((3, 4), 1.5, np.float32)


def frame(pose, stamp_ns: int = 1, depth_m=DEPTH) -> Frame:
    return Frame(RGB, depth_m, CAMERA, pose, stamp_ns)


def posed(rng: np.random.Generator, reach_m: float = 3.0) -> np.ndarray:
    """(4, 4) anywhere."""
    return g.make_transform(g.exp_so3(rng.normal(size=3)), rng.uniform(-reach_m, reach_m, 3))


def walk(count: int) -> list[np.ndarray]:
    """Poses half a metre apart on a spiral."""
    turns = [g.exp_so3((0.0, 0.3 * i, 0.0)) for i in range(count)]
    return [g.make_transform(turn, (0.5 * i, 0.1 * i * i, 0.0)) for i, turn in enumerate(turns)]


def nudged(pose: np.ndarray, rng: np.random.Generator, metres: float, degrees: float) -> np.ndarray:
    along, axis = rng.normal(size=(2, 3))
    turn = g.exp_so3(np.deg2rad(degrees) * axis / np.linalg.norm(axis))
    moved = pose.copy()
    moved[:3, :3] = pose[:3, :3] @ turn
    moved[:3, 3] += metres * along / np.linalg.norm(along)
    return moved


def placed(poses, answers, frames=None):
    """`place_of_world` of frames whose answers are given."""
    given = [frame(pose, n) for n, pose in enumerate(poses, 1)] if frames is None else frames
    return place_of_world(given, lambda f: answers[f.stamp_ns - 1])


@settings(max_examples=60)
@given(st.integers(0, 2**31), st.integers(LEAST, 12))
def test_the_place_that_all_agree_on_is_found(seed, count):
    rng, poses = np.random.default_rng(seed), walk(count)
    truth = posed(rng)
    found = placed(poses, [nudged(truth @ pose, rng, 0.01, 0.3) for pose in poses])
    assert found.placed and found.asked == found.answered == found.agreed == min(count, ENOUGH)
    assert found.spread_m < 0.04 and found.spread_deg < 1.0
    middle = np.mean([pose[:3, 3] for pose in poses[: found.asked]], axis=0)
    off = (found.map_from_world - truth) @ np.append(middle, 1.0)
    assert np.linalg.norm(off) < 0.012, "at the middle of its frames the errors are averaged"
    g.log_so3(found.map_from_world[:3, :3])  # a rotation


@settings(max_examples=60)
@given(st.integers(0, 2**31), st.integers(0, 9), st.integers(0, 9), st.integers(0, 5))
def test_wrong_answers_never_make_a_place_and_few_of_them_do_not_hinder_one(seed, right, wrong, silent):
    rng = np.random.default_rng(seed)
    truth, poses = posed(rng), walk(right + wrong + silent)
    kinds = rng.permutation([0] * right + [1] * wrong + [2] * silent)
    made = (lambda pose: nudged(truth @ pose, rng, 0.01, 0.3), lambda pose: posed(rng), lambda pose: None)
    answers = [made[kind](pose) for pose, kind in zip(poses, kinds, strict=True)]
    found = placed(poses, answers)
    asked = kinds[: found.asked]
    assert found.answered == (asked != 2).sum() and found.asked <= MOST
    if found.placed:
        distance, angle = g.pose_difference(found.map_from_world @ poses[0], truth @ poses[0])
        assert distance < 0.5 and np.rad2deg(angle) < AGREE_DEG
        assert (asked == 0).sum() >= LEAST and (asked == 1).sum() <= found.agreed / 3
    else:
        assert (asked == 0).sum() < LEAST or (asked == 1).sum() > (asked == 0).sum() / 3
        assert found.map_from_world is None and np.isnan(found.spread_m) and str(found.answered) in found.why


@given(st.integers(0, 2**31))
def test_two_places_that_have_as_much_for_them_are_none(seed):
    rng, poses = np.random.default_rng(seed), walk(8)
    one, other = posed(rng), posed(rng)
    found = placed(poses, [(one, other)[n % 2] @ pose for n, pose in enumerate(poses)])
    assert not found.placed and "only 4 agree" in found.why


def test_poses_that_drift_apart_do_not_agree():
    poses = walk(6)
    drift = [g.make_transform(np.eye(3), (0.0, 0.0, 2.2 * AGREE_M * n)) for n in range(6)]
    assert not placed(poses, [d @ pose for d, pose in zip(drift, poses, strict=True)]).placed


def test_one_view_seen_often_is_one_frame():
    rng = np.random.default_rng(0)
    poses = [nudged(np.eye(4), rng, 0.05, 3.0) for _ in range(30)]
    found = placed(poses, poses)
    assert not found.placed and found.asked == 1
    assert "only 1 frames with pose and depth lie 0.3 m or 15 degrees apart" in found.why
    turned = [g.make_transform(g.exp_so3((0.0, np.deg2rad(16.0 * n), 0.0)), np.zeros(3)) for n in range(4)]
    assert placed(turned, turned).placed, "turning on the spot shows other views"


def test_frames_without_pose_or_depth_are_passed_over():
    poses = walk(5)
    frames = [frame(None, 1), frame(poses[1], 2, None), *(frame(poses[n], n + 1) for n in (2, 3, 4))]
    found = placed(poses, poses, frames)
    assert found.placed and found.asked == 3
    np.testing.assert_allclose(found.map_from_world, np.eye(4), atol=1e-12)
    assert placed(poses, poses, []).asked == 0


def test_no_more_frames_are_asked_than_needed():
    poses, asked = walk(50), []

    def answer(given):
        asked.append(given.stamp_ns)

    assert place_of_world((frame(pose, n) for n, pose in enumerate(poses)), answer).answered == 0
    assert len(asked) == MOST
    endless = (frame(poses[n % 50], n + 1) for n in range(10**9))
    assert place_of_world(endless, lambda f: f.pose).asked == ENOUGH


@given(st.integers(0, 300))
def test_the_first_of_an_order_lie_all_over(count):
    order = spread_order(count)
    assert sorted(order) == list(range(count))
    for first in (2, 4, 8):
        if count >= 4 * first:
            gaps = np.diff([-1, *sorted(order[:first]), count])
            assert gaps.max() <= 2.5 * count / first


@pytest.mark.parametrize("share", [3, 4])
def test_three_of_four_are_enough_and_three_of_five_are_not(share):
    rng, poses = np.random.default_rng(share), walk(share + 1 if share == 3 else 5)
    answers = [pose if n < 3 else posed(rng) for n, pose in enumerate(poses)]
    assert placed(poses, answers).placed == (share == 3)
