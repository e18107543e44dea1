"""Packed depth readings against the float64 reference."""

from __future__ import annotations

import numpy as np
import pytest
from reference.readings import pack
from synthetic import room_frame
from voxel_scenes import camera, plane_depth

from spatialmem.config import MemoryConfig
from spatialmem.errors import InvalidValue
from spatialmem.types import Camera
from spatialmem.voxels.weights import packed_readings

LOW, HIGH = 0.1, 5.0


def both(depth, mask=None, cam=None, low=LOW, high=HIGH):
    cam = cam or camera(depth.shape[1], depth.shape[0])
    depth = np.ascontiguousarray(depth, np.float32)
    return packed_readings(depth, mask, cam, low, high), pack(depth, mask, cam, low, high)


def assert_equal(fast, reference, least_sure=0.99):
    assert reference.sure.mean() >= least_sure
    np.testing.assert_array_equal(fast[reference.sure], reference.packed[reference.sure])


@pytest.mark.parametrize("step", range(6))
def test_room_with_noise(step):
    frame = room_frame(step, 6, width=96, height=72, noise=True)
    millimetres = (np.rint(frame.depth_m * 1000) / 1000).astype(np.float32)
    fast, reference = both(millimetres, cam=frame.camera)
    assert_equal(fast, reference)
    assert 0.5 < (fast > 0).mean() < 1.0


def test_depth_of_any_value_is_rounded_to_ten_micrometres():
    depth = plane_depth(camera(), 2.34567, (0.3, -0.2, -1.0))
    fast, reference = both(depth)
    assert_equal(fast, reference, least_sure=0.8)
    assert np.abs((fast >> 8) * 1e-5 - depth)[fast > 0].max() < 6e-6


@pytest.mark.parametrize("normal", [(0, 0, -1), (1, 0, -1), (0, -1, -1), (2.0, 1.0, -1), (-4, 0, -1), (0.5, 3.5, -1)])
def test_planes_of_any_slope(normal):
    cam = Camera(90.0, 70.0, 35.5, 31.25, 80, 60)
    depth = plane_depth(cam, 1.3, normal)
    depth = np.where((depth > 0.2) & (depth < 4.9), np.rint(depth * 5000) / 5000, np.nan)
    fast, reference = both(depth, cam=cam)
    assert_equal(fast, reference)


def test_weight_falls_with_the_square_of_depth_and_the_cosine():
    cam = camera()
    middle = (slice(28, 32), slice(38, 42))
    weights = {z: packed_readings(plane_depth(cam, z), None, cam, LOW, HIGH)[middle] & 255 for z in (1.0, 3.0, 4.9)}
    assert (weights[1.0] == 8).all() and (weights[3.0] == 2).all() and (weights[4.9] == 1).all()
    cam = camera(81, 61, 20.0)  # narrow, so that a pixel is no depth edge, with a pixel on the axis
    tilted = packed_readings(plane_depth(cam, 1.0, (np.sqrt(3.0), 0, -1)), None, cam, LOW, HIGH)
    assert (tilted[30, 40] & 255) == 4  # 60 degrees


def test_grazing_views_are_refused():
    cam = camera(160, 120)
    depth = np.full((120, 160), np.nan, np.float32)
    depth[60:62, 70:90] = plane_depth(cam, 1.0, (0, -1, -0.05))[60:62, 70:90]
    steep = packed_readings(depth, None, cam, LOW, HIGH)
    mild = packed_readings(plane_depth(cam, 1.0, (0, -1, -1)), None, cam, LOW, HIGH)
    assert (steep == 0).all() and (mild[60:62, 70:90] > 0).all()


def test_both_sides_of_a_depth_edge_are_refused():
    depth = np.full((60, 80), 2.0, np.float32)
    depth[:, 40:] = 2.2
    fast, reference = both(depth)
    assert_equal(fast, reference)
    assert (fast[:, 39:41] == 0).all() and (fast[:, :39] > 0).all() and (fast[:, 41:] > 0).all()
    depth[:, 40:] = 2.05  # 2.5 %: one surface
    assert (both(depth)[0][:, 39:41] > 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0, -1.0, 0.05, 5.5])
def test_what_is_no_reading_is_zero_and_no_neighbour(bad):
    depth = np.full((60, 80), 1.2, np.float32)
    depth[20, 30], depth[0, 0], depth[59, 79] = bad, bad, bad
    fast, reference = both(depth)
    assert_equal(fast, reference)
    assert fast[20, 30] == fast[0, 0] == fast[59, 79] == 0
    assert fast[20, 31] == fast[20, 35]  # the hole makes its neighbour neither an edge nor a slope


def test_range_is_inclusive():
    depth = np.full((4, 6), LOW, np.float32)
    assert (both(depth)[0] >> 8 == 10_000).all()
    depth[:] = HIGH
    assert (both(depth)[0] >> 8 == 500_000).all()


def test_mask_removes_pixels_and_nothing_else():
    depth = plane_depth(camera(), 1.7, (0.4, 0.1, -1))
    mask = np.random.default_rng(5).random(depth.shape) < 0.7
    fast, reference = both(depth, mask)
    assert (fast[~mask] == 0).all()
    np.testing.assert_array_equal(fast[mask], both(depth)[0][mask])
    np.testing.assert_array_equal(fast[reference.sure], reference.packed[reference.sure])


@pytest.mark.parametrize("normal", [(2.5, 0, -1), (0, 2.5, -1), (-2.5, 0, -1), (0, -2.5, -1)])
def test_slope_is_measured_at_the_border_too(normal):
    cam = camera(120, 90, 30.0)
    depth = plane_depth(cam, 1.2, normal)
    fast, reference = both(depth, cam=cam)
    rim = np.ones(depth.shape, bool)
    rim[1:-1, 1:-1] = False
    rim &= reference.sure
    assert (fast[rim] > 0).sum() > 100
    np.testing.assert_array_equal(fast[rim], reference.packed[rim])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_tiny_images(shape):
    fast, reference = both(np.full(shape, 1.0, np.float32), cam=Camera(50.0, 50.0, 0.0, 0.0, shape[1], shape[0]))
    assert_equal(fast, reference)


def test_readings_stay_positive_up_to_the_largest_depth_a_memory_may_ask_for():
    far = [z for z in (20.0, 60.0, 79.0, 83.0, 99.0) if _accepted(z)]
    assert 60.0 in far
    for z in far:
        packed = packed_readings(np.full((4, 4), z, np.float32), None, camera(4, 4), LOW, z)
        assert (np.abs((packed >> 8) * 1e-5 - z) < 1e-4).all(), f"{z} m became {packed[0, 0] >> 8}"


def _accepted(z):
    try:
        MemoryConfig(max_depth_m=z)
    except InvalidValue:
        return False
    return True
