"""Rigid transforms and interpolation against scipy and against their own laws."""

from __future__ import annotations

import numpy as np
import pytest
from geometry_cases import SEEDS, axes, close, rotvecs, transforms
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.spatial.transform import Rotation, Slerp

from spatialmem import geometry as g
from spatialmem.errors import InvalidValue

# rigid transforms


@given(transforms(), transforms(), transforms())
def test_group_laws(a, b, c):
    close((a @ b) @ c, a @ (b @ c), atol=1e-13)
    close(a @ g.inverse(a), np.eye(4), atol=1e-13)
    close(g.inverse(a) @ a, np.eye(4), atol=1e-13)
    close(g.inverse(a @ b), g.inverse(b) @ g.inverse(a), atol=1e-13)
    np.testing.assert_array_equal(a @ np.eye(4), a)


@given(transforms(), SEEDS)
def test_apply_is_multiplication_of_homogeneous_points(a_from_b, seed):
    points = np.random.default_rng(seed).normal(size=(5, 3))
    homogeneous = np.concatenate([points, np.ones((5, 1))], axis=1)
    close(g.apply(a_from_b, points), (homogeneous @ a_from_b.T)[:, :3], atol=1e-14)


def test_one_point_without_its_axis_is_refused():
    with pytest.raises(InvalidValue, match=r"as \(1, 3\)"):
        g.apply(np.eye(4), [1.0, 2.0, 3.0])


@given(rotvecs(), SEEDS)
def test_exp_se3_is_the_matrix_exponential(rotvec, seed):
    rho = np.random.default_rng(seed).uniform(-3.0, 3.0, 3)
    generator = np.zeros((4, 4))
    generator[:3, :3], generator[:3, 3] = g.skew(rotvec), rho
    close(g.exp_se3(np.concatenate([rho, rotvec])), expm(generator), atol=1e-13)


@given(transforms())
def test_exp_inverts_log_se3(transform):
    close(g.exp_se3(g.log_se3(transform)), transform, atol=1e-13)


@given(axes(), st.floats(0.025, 0.035), SEEDS)
def test_left_jacobian_has_no_step_where_the_series_ends(axis, angle, seed):
    rho = np.random.default_rng(seed).uniform(-3.0, 3.0, 3)
    generator = np.zeros((4, 4))
    generator[:3, :3], generator[:3, 3] = g.skew(axis * angle), rho
    close(g.exp_se3(np.concatenate([rho, axis * angle])), expm(generator), atol=5e-15)


@given(transforms(), transforms())
def test_pose_difference_is_symmetric_and_agrees_with_scipy(a, b):
    distance, angle = g.pose_difference(a, b)
    close(g.pose_difference(b, a), (distance, angle), atol=1e-13)
    close(distance, np.linalg.norm(a[:3, 3] - b[:3, 3]), atol=1e-13)
    reference = (Rotation.from_matrix(a[:3, :3]).inv() * Rotation.from_matrix(b[:3, :3])).magnitude()
    close(angle, reference, atol=1e-12)


def test_batches_broadcast():
    rng = np.random.default_rng(1)
    twists = rng.normal(size=(4, 1, 6))
    poses = g.exp_se3(twists)
    assert poses.shape == (4, 1, 4, 4)
    close(g.log_se3(poses), twists, atol=1e-12)
    mixed = g.make_transform(poses[..., :3, :3], rng.normal(size=(3, 3)))
    assert mixed.shape == (4, 3, 4, 4)
    close(g.inverse(mixed)[2, 1], g.inverse(mixed[2, 1]))
    assert g.apply(mixed, rng.normal(size=(7, 3))).shape == (4, 3, 7, 3)
    quats = rng.normal(size=(2, 5, 4))
    each = np.array([[g.matrix_from_quat_wxyz(q) for q in row] for row in quats])
    close(g.matrix_from_quat_wxyz(quats), each)
    close(g.quat_wxyz_from_matrix(each)[1, 3], g.quat_wxyz_from_matrix(each[1, 3]))
    assert g.interpolate(poses[0], mixed, np.linspace(0.0, 1.0, 3)).shape == (4, 3, 4, 4)
    assert g.rotation_to_z_up(rng.normal(size=(6, 3))).shape == (6, 3, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: g.inverse(np.eye(3)),
        lambda: g.exp_se3(np.zeros(3)),
        lambda: g.wxyz_from_xyzw(np.zeros(3)),
        lambda: g.make_transform(np.eye(3), np.zeros(4)),
        lambda: g.skew(1.0),
    ],
)
def test_wrong_shapes_are_named(call):
    with pytest.raises(InvalidValue, match=r"must have shape \(\.\.\., .*given \("):
        call()


# interpolation


@given(transforms(), transforms())
def test_interpolation_meets_its_ends(a, b):
    close(g.interpolate(a, b, 0.0), a, atol=1e-13)
    close(g.interpolate(a, b, 1.0), b, atol=1e-13)


@given(SEEDS, st.floats(0.0, 1.0))
def test_interpolation_agrees_with_scipy_slerp(seed, share):
    rng = np.random.default_rng(seed)
    a, b = g.exp_se3(rng.uniform(-1.0, 1.0, (2, 6)))
    slerp = Slerp([0.0, 1.0], Rotation.from_matrix(np.stack([a[:3, :3], b[:3, :3]])))
    between = g.interpolate(a, b, share)
    close(between[:3, :3], slerp(share).as_matrix(), atol=1e-13)
    close(between[:3, 3], (1 - share) * a[:3, 3] + share * b[:3, 3], atol=1e-13)


def test_trajectory_at_its_own_stamps_and_between():
    stamps = np.array([0, 10, 40], dtype=np.int64) + 1_700_000_000_000_000_000  # float64 cannot count these
    poses = g.exp_se3(np.random.default_rng(3).uniform(-1.0, 1.0, (3, 6)))
    close(g.interpolate_poses(stamps, poses, stamps), poses, atol=1e-14)
    close(g.interpolate_poses(stamps, poses, stamps[0] + 13), g.interpolate(poses[1], poses[2], 0.1), atol=1e-14)
    np.testing.assert_array_equal(g.bracket(stamps, stamps[0] + np.array([0, 3, 10, 40])), [[0, 0, 1, 2], [0, 1, 1, 2]])


def test_a_single_pose_is_a_trajectory():
    np.testing.assert_array_equal(g.interpolate_poses([5], np.eye(4)[None], 5), np.eye(4))


@pytest.mark.parametrize(
    ("stamps", "at", "gap", "says"),
    [
        ([0, 10], 11, None, "nothing is extrapolated"),
        ([0, 10], -1, None, "nothing is extrapolated"),
        ([0, 10], 5, 9, "raise max_gap_ns"),
        ([10, 0], 5, None, "sort them"),
        ([0, 0], 0, None, "sort them"),
        ([], 0, None, "integer|not empty"),
        ([0.0, 10.0], 5, None, "integer nanoseconds"),
    ],
)
def test_trajectories_refuse_with_the_fix(stamps, at, gap, says):
    with pytest.raises(InvalidValue, match=says):
        g.interpolate_poses(stamps, np.broadcast_to(np.eye(4), (len(stamps), 4, 4)), at, max_gap_ns=gap)


def test_a_gap_does_not_matter_at_a_pose():
    poses = g.exp_se3(np.zeros((2, 6)))
    np.testing.assert_array_equal(g.interpolate_poses([0, 10], poses, 10, max_gap_ns=1), np.eye(4))
    np.testing.assert_array_equal(g.interpolate_poses([0, 10], poses, 5, max_gap_ns=10), np.eye(4))
