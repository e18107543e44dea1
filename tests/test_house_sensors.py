"""Models of sensors: as noisy as they say, silent when switched off, repeatable."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from house_cases import camera, pose_at, renderer

from sim.house import InvalidHouse, Picture, RasterRenderer
from sim.house.sensors import DepthNoise, Drift, Odometry, between, blurred, sensed_depth

QUIET = DepthNoise(
    scale=0.0, jagged_px=0.0, baseline_m=0.0, disparity_px=0.0, dropout=0.0, grazing_deg=90.0, near_m=1e-3, far_m=50.0
)


def wall(distance_m: float, hfov_deg: float = 40.0) -> Picture:
    """The far wall of the box room, seen straight on."""
    pose = pose_at(np.array([4.94 - distance_m, 2.0, 1.2]), 0.0)
    return renderer(RasterRenderer, "box").render(pose, camera(160, 120, hfov_deg), normals=True)


def test_without_noise_depth_is_exact():
    picture = wall(2.0)
    read = sensed_depth(picture, QUIET, np.random.default_rng(0))
    np.testing.assert_allclose(read, picture.depth_m, atol=1e-6)
    assert read.dtype == np.float32


@pytest.mark.parametrize("distance_m", [0.8, 2.0, 4.0])
def test_noise_grows_with_the_square_of_the_distance(distance_m):
    picture = wall(distance_m, 20.0)
    read = sensed_depth(picture, dataclasses.replace(QUIET, scale=1.0), np.random.default_rng(1))
    wanted = 0.0012 + 0.0019 * (distance_m - 0.4) ** 2
    assert np.nanstd(read - picture.depth_m) == pytest.approx(wanted, rel=0.05)
    assert abs(np.nanmean(read - picture.depth_m)) < 0.1 * wanted


def test_readings_come_in_steps_of_disparity():
    noise = dataclasses.replace(QUIET, scale=1.0, baseline_m=0.075, disparity_px=0.125)
    read = sensed_depth(wall(4.0, 20.0), noise, np.random.default_rng(2))
    values = np.unique(read[np.isfinite(read)])
    focal = camera(160, 120, 20.0).fx
    disparity = 0.075 * focal / values / (0.125 * 160 / 640)
    np.testing.assert_allclose(disparity, np.rint(disparity), atol=1e-3)
    assert len(values) < 200


def test_nothing_is_read_out_of_range_or_at_a_grazing_angle():
    far = dataclasses.replace(QUIET, near_m=0.4, far_m=1.5)
    assert np.isnan(sensed_depth(wall(2.0), far, np.random.default_rng(0))).all()
    flat = renderer(RasterRenderer, "box").render(pose_at(np.array([0.3, 2.0, 0.25]), 0.0), camera(), normals=True)
    floor = flat.normals[..., 2] > 0.5
    read = sensed_depth(flat, dataclasses.replace(QUIET, grazing_deg=70.0), np.random.default_rng(0))
    steep = floor & (flat.depth_m > 1.5)  # 0.25 m above the floor: beyond 80 degrees
    near = floor & (flat.depth_m < 0.4)
    assert np.isnan(read[steep]).all()
    assert np.isfinite(read[near]).all()


def test_the_share_of_gaps_is_as_asked():
    read = sensed_depth(wall(2.0), dataclasses.replace(QUIET, dropout=0.1), np.random.default_rng(3))
    assert np.isnan(read).mean() == pytest.approx(0.1, abs=0.01)


def test_things_throw_a_shadow_of_the_projector_on_one_side():
    picture = wall(3.0)
    depth = picture.depth_m.copy()
    depth[40:80, 60:100] = 1.0  # a board before the wall
    noise = dataclasses.replace(QUIET, baseline_m=0.075)
    board = dataclasses.replace(picture, depth_m=depth)
    gaps = np.isnan(sensed_depth(board, noise, np.random.default_rng(0)))
    wide = picture.camera.fx * 0.075 * (1.0 / 1.0 - 1.0 / 3.0)
    assert not gaps[:40].any()
    assert not gaps[40:80, 60:].any()
    assert gaps[60, :60].sum() == pytest.approx(wide, abs=1.5)
    assert gaps[60, 59]


def test_noise_is_repeatable_and_leaves_the_picture_alone():
    picture = wall(2.0)
    before = picture.depth_m.copy()
    a, b = (sensed_depth(picture, DepthNoise(), np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(picture.depth_m, before)
    assert 0.0 < np.isnan(a).mean() < 0.2


def test_depth_noise_needs_normals():
    picture = renderer(RasterRenderer, "box").render(pose_at(np.array([2.0, 2.0, 1.0]), 0.0), camera())
    with pytest.raises(InvalidHouse, match="normals=True"):
        sensed_depth(picture, QUIET, np.random.default_rng(0))


def walk(steps: int) -> list[np.ndarray]:
    return [pose_at(np.array([0.25 * i, 0.0, 1.25]), 0.1 * math.sin(i)) for i in range(steps)]


def test_odometry_without_drift_is_exact():
    odometry = Odometry(Drift(0.0, 0.0, 0.0), np.random.default_rng(0))
    for pose in walk(30):
        np.testing.assert_allclose(odometry.follow(pose), pose, atol=1e-12)


def test_drift_adds_up_with_the_way_and_keeps_height_and_level():
    ends, halves = [], []
    for seed in range(60):
        odometry = Odometry(Drift(0.02, 0.01, 0.0), np.random.default_rng(seed))
        found = [odometry.follow(pose) for pose in walk(81)]
        np.testing.assert_allclose(found[0], walk(1)[0])
        np.testing.assert_allclose([p[2, 3] for p in found], 1.25)
        np.testing.assert_allclose([p[:3, 1] for p in found], [(0.0, 0.0, -1.0)] * 81, atol=1e-9)
        halves.append(np.linalg.norm(found[40][:2, 3] - walk(81)[40][:2, 3]))
        ends.append(np.linalg.norm(found[80][:2, 3] - walk(81)[80][:2, 3]))
    assert np.mean(ends) > 1.5 * np.mean(halves) > 0.0
    assert 0.1 < np.mean(ends) < 1.5  # 20 m: slip of 0.09 m and a yaw of 0.045 rad


def test_a_camera_at_rest_is_not_blurred_and_a_turning_one_is():
    subject, lens = renderer(RasterRenderer, "small"), camera()
    pose = pose_at(np.array([*subject.house.navigation.snap(first_ground())[:2], 1.2]), 0.4)
    sharp = subject.render(pose, lens)
    still = blurred(subject, pose, pose, lens)
    assert np.abs(still.rgb.astype(int) - sharp.rgb).max() <= 1
    np.testing.assert_array_equal(still.thing_ids, sharp.thing_ids)
    turned = pose_at(pose[:3, 3], 0.4 + math.radians(6.0))
    moving = blurred(subject, pose, turned, lens)
    middle = subject.render(pose_at(pose[:3, 3], 0.4 + math.radians(3.0)), lens)

    def edges(rgb):
        return np.abs(np.diff(rgb.astype(float), axis=1)).mean()

    assert edges(moving.rgb) < 0.8 * edges(middle.rgb)
    np.testing.assert_allclose(moving.depth_m, middle.depth_m, atol=1e-5)


def first_ground() -> np.ndarray:
    from sim.house.agent import first_place

    return first_place(renderer(RasterRenderer, "small").house.navigation)


def test_a_pose_between_two_turns_evenly():
    a, b = pose_at(np.zeros(3), 0.0), pose_at(np.array([1.0, 2.0, 0.0]), 1.0)
    np.testing.assert_allclose(between(a, b, 0.25), pose_at(np.array([0.25, 0.5, 0.0]), 0.25), atol=1e-12)
    np.testing.assert_allclose(between(a, b, 1.0), b, atol=1e-12)
    with pytest.raises(InvalidHouse, match="opposite ways"):
        between(a, pose_at(np.zeros(3), math.pi), 0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DepthNoise(scale=-1.0),
        lambda: DepthNoise(near_m=3.0, far_m=2.0),
        lambda: DepthNoise(dropout=1.0),
        lambda: Drift(along_m=math.nan),
    ],
)
def test_bad_models_are_refused(make):
    with pytest.raises(InvalidHouse, match="given"):
        make()
