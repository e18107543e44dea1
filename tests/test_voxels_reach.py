"""Which blocks a camera may come upon: never too few, and none far beside it, however large the map is."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialmem.geometry import exp_so3, make_transform
from spatialmem.types import Camera
from spatialmem.voxels.keys import keys_of
from spatialmem.voxels.reach import nearer_than

EDGE_M = 0.32
CAMERA = Camera(50.0, 50.0, 31.5, 23.5, 64, 48)
ALL = np.array([(x, y, z) for x in range(-12, 13) for y in range(-12, 13) for z in range(-12, 13)], np.int64)


def near(pose, limits_m):
    return nearer_than(keys_of(ALL), EDGE_M, pose, CAMERA, 1, limits_m)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 3.4))
def test_a_block_that_a_ray_passes_is_never_left_out(seed, limit_m):
    """Looked for along the rays, up to where they end, with what a sample takes from beside them."""
    rng = np.random.default_rng(seed)
    pose = make_transform(exp_so3(rng.uniform(-3, 3, 3)), rng.uniform(-0.3, 0.3, 3))
    v, u = np.mgrid[0:48, 0:64]
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(u.shape)], axis=-1)
    depths_m = np.linspace(0.05, limit_m, 40)
    points = (rays[None] * depths_m[:, None, None, None]).reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3]
    beside = rng.uniform(-1, 1, points.shape) * 3 * EDGE_M / 8 / np.sqrt(3)
    met = np.unique(keys_of(np.floor((points + beside) / EDGE_M).astype(np.int64)))
    found = keys_of(ALL)[near(pose, np.full((48, 64), limit_m))]
    assert np.isin(met[np.isin(met, keys_of(ALL))], found).all()


def test_blocks_far_beside_the_camera_are_not_counted():
    """They lie in the plane of the camera, where what is projected has no bounds on one side, but on the other."""
    found = ALL[near(np.eye(4), np.full((48, 64), 3.0))]
    beside = found[np.abs(found[:, 2]) <= 1]
    assert len(beside) and (np.abs(beside[:, :2]) <= 4).all()


def test_a_ray_that_has_no_limit_meets_nothing():
    assert not near(np.eye(4), np.zeros((48, 64))).any()
