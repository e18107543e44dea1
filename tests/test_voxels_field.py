"""The surface as a field of distances, against a dense copy of the grid and against the exact room."""

from __future__ import annotations

import numpy as np
import pytest
from reference.march import DenseField
from synthetic import distance_to_surface_m, room_frame
from voxel_scenes import WIDTH, fuse, small_config, threads

from spatialmem import geometry as g
from spatialmem.voxels.surface import SurfaceGrid

VOXEL = float(np.float32(0.04))
TRUNCATION = 3.0 * VOXEL


@pytest.fixture(scope="module")
def grid():
    grid = SurfaceGrid(small_config(ram_bytes=128 << 20), WIDTH)
    for lsn in range(1, 13):
        frame = room_frame(lsn, 12, 120, 90)
        fuse(grid, frame.depth_m, frame.world_from_camera, frame.camera, lsn, frame.rgb)
    return grid


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(4)
    frame = room_frame(3, 12, 120, 90)
    surface = g.apply(frame.pose, g.back_project(frame.depth_m, frame.camera).reshape(-1, 3))
    return np.concatenate([surface + rng.normal(0.0, 0.05, surface.shape), rng.uniform(-2.0, 2.0, (2000, 3))])


def test_distance_and_slope_are_those_of_the_trilinear_field(grid, points):
    distance, normal = grid.reading().distances(points)
    used = len(grid)
    dense = DenseField(grid.pools.keys[:used], grid.pools.dist[:used], grid.pools.weight[:used])
    scaled, h = points / VOXEL, 1e-5
    slope = np.stack([(dense.at(scaled + h * e) - dense.at(scaled - h * e)) / (2 * h) for e in np.eye(3)], axis=-1)
    length = np.linalg.norm(slope, axis=1) * TRUNCATION / VOXEL  # of a distance in voxels: 1 in a perfect field
    known = np.isfinite(length) & (length > 0.21)
    assert known.sum() > 5000 and not np.isnan(distance[known]).any()
    assert np.isnan(distance[np.isnan(dense.at(scaled)) | (length < 0.19)]).all()
    np.testing.assert_allclose(distance[known], (dense.at(scaled) * TRUNCATION / length)[known], atol=1e-6)
    np.testing.assert_allclose(normal[known], (slope / np.linalg.norm(slope, axis=1, keepdims=True))[known], atol=1e-4)


def test_distance_is_that_of_the_room(grid, points):
    distance, normal = grid.reading().distances(points)
    near = np.abs(distance) < VOXEL
    assert near.sum() > 3000
    error = np.abs(np.abs(distance[near]) - distance_to_surface_m(points[near]))
    assert np.median(error) < VOXEL / 4
    np.testing.assert_allclose(np.linalg.norm(normal[near], axis=1), 1.0, atol=1e-9)
    assert np.isnan(normal[np.isnan(distance)]).all()


def test_nothing_is_known_far_from_the_surface(grid):
    distance, normal = grid.reading().distances(np.array([[0.0, 0.0, 1.2], [100.0, 0.0, 0.0]]))
    assert np.isnan(distance).all() and np.isnan(normal).all()
    assert grid.reading().distances(np.zeros((0, 3)))[0].shape == (0,)


def test_threads_change_nothing(grid, points):
    with threads(1):
        alone = grid.reading().distances(points)
    with threads(2):
        shared = grid.reading().distances(points)
    for one, two in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one, two)
