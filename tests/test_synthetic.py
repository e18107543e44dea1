"""The synthetic room is only a reference if it is right itself."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic as room

from spatialmem import geometry as g


def world_points(frame) -> np.ndarray:
    """(H, W, 3) points of a frame in the world, metres."""
    points = g.back_project(frame.depth_m, frame.camera)
    return g.apply(frame.world_from_camera, points.reshape(-1, 3)).reshape(points.shape)


@pytest.mark.parametrize("i", range(0, 24, 3))
def test_every_reading_lies_on_a_surface(i):
    points = world_points(room.room_frame(i, 24, 64, 48))
    assert room.distance_to_surface_m(points.reshape(-1, 3)).max() < 1e-6


@pytest.mark.parametrize("quarter", range(4))
def test_each_box_fills_its_own_pixels_a_quarter_turn_apart(quarter):
    box = room.BOXES[quarter]
    frame = room.room_frame(quarter * 6, 24, 160, 120)
    points = world_points(frame)
    inside = np.all((points > np.array(box.min_m) - 1e-5) & (points < np.array(box.max_m) + 1e-5), axis=-1)
    inside &= points[..., 2] > 1e-3  # its rim on the floor belongs to the floor
    assert inside.sum() > 300
    ratio = frame.rgb[inside] / np.array(box.rgb)
    assert np.all((ratio > 0.8) & (ratio < 1.05))  # its colour, shaded by face
    assert not np.any(np.all(np.abs(frame.rgb[~inside] - np.array(box.rgb, float)) < 8, axis=-1))


def test_frames_repeat_exactly_and_the_seed_steers_the_noise_alone():
    a, b = (room.room_frame(5, 24, 64, 48, seed=1, noise=True) for _ in range(2))
    other = room.room_frame(5, 24, 64, 48, seed=2, noise=True)
    np.testing.assert_array_equal(a.depth_m, b.depth_m)
    np.testing.assert_array_equal(a.rgb, b.rgb)
    assert not np.array_equal(a.depth_m, other.depth_m, equal_nan=True)
    np.testing.assert_array_equal(a.world_from_camera, other.world_from_camera)


def test_noise_is_small_and_leaves_gaps():
    clean, noisy = (room.room_frame(5, 24, 160, 120, noise=n) for n in (False, True))
    gaps = np.isnan(noisy.depth_m)
    assert 0.01 < gaps.mean() < 0.03
    assert 0.001 < np.std((noisy.depth_m - clean.depth_m)[~gaps]) < 0.03


def test_a_box_that_was_taken_away_shows_what_is_behind_it():
    with_box = room.room_frame(0, 24, 64, 48)
    without = room.room_frame(0, 24, 64, 48, boxes=room.BOXES[1:])
    changed = with_box.depth_m != without.depth_m
    assert changed.any()
    assert np.all(without.depth_m[changed] > with_box.depth_m[changed])


def test_stamps_rise_over_laps_and_the_walk_closes():
    frames = [room.room_frame(i, 4, 16, 12) for i in range(6)]
    assert np.all(np.diff([f.stamp_ns for f in frames]) == room.FRAME_STEP_NS)
    np.testing.assert_allclose(frames[4].world_from_camera, frames[0].world_from_camera, atol=1e-12)
