"""Rotations, axes and projection against scipy and against their own laws, near identity and half a turn included."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from geometry_cases import SEEDS, TINY, axes, cameras, close, rotvecs, transforms
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spatialmem import geometry as g
from spatialmem.errors import InvalidValue, UnknownName
from spatialmem.types import Camera

# quaternions and rotations


@given(rotvecs())
def test_rotations_agree_with_scipy(rotvec):
    reference = Rotation.from_rotvec(rotvec)
    rotation = g.exp_so3(rotvec)
    close(rotation, reference.as_matrix(), atol=3e-15)
    close(g.matrix_from_quat_xyzw(reference.as_quat()), reference.as_matrix(), atol=3e-15)
    ours, theirs = g.quat_xyzw_from_matrix(rotation), reference.as_quat()
    assert min(np.abs(ours - theirs).max(), np.abs(ours + theirs).max()) < 3e-15  # q and -q are one rotation


@given(rotvecs())
def test_log_inverts_exp_at_every_angle(rotvec):
    back = g.log_so3(g.exp_so3(rotvec))
    angle = np.linalg.norm(rotvec)
    error = np.linalg.norm(back - rotvec)
    if np.pi - angle < 1e-12:  # half a turn: both signs are right
        error = min(error, np.linalg.norm(back + rotvec))
    assert error <= 1e-15 + 1e-14 * angle


@given(axes(), TINY)
def test_log_keeps_relative_precision_near_identity(axis, angle):
    close(g.log_so3(g.exp_so3(axis * angle)), axis * angle, rtol=1e-12, atol=1e-12 * angle)


@given(axes(), TINY)
def test_log_keeps_axis_near_half_a_turn(axis, short_of_pi):
    rotvec = axis * (np.pi - short_of_pi)
    close(g.log_so3(g.exp_so3(rotvec)), rotvec, atol=1e-13)


@given(axes(), TINY)
def test_log_beyond_half_a_turn_takes_the_short_way(axis, beyond):
    close(g.log_so3(g.exp_so3(axis * (np.pi + beyond))), -axis * (np.pi - beyond), atol=1e-13)


def test_quaternion_orders_and_sign():
    quarter_about_z = [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]
    close(g.wxyz_from_xyzw(quarter_about_z), [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
    close(g.xyzw_from_wxyz(g.wxyz_from_xyzw([1.0, 2.0, 3.0, 4.0])), [1.0, 2.0, 3.0, 4.0])
    expected = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    close(g.matrix_from_quat_xyzw(quarter_about_z), expected, atol=1e-15)
    close(g.matrix_from_quat_wxyz([-5.0, 0.0, 0.0, -5.0]), expected, atol=1e-15)
    assert g.quat_wxyz_from_matrix(expected)[0] > 0.0


@pytest.mark.parametrize("quat", [[0.0, 0.0, 0.0, 0.0], [np.nan, 0.0, 0.0, 1.0], [np.inf, 0.0, 0.0, 1.0]])
def test_quaternions_of_lost_poses_are_refused(quat):
    with pytest.raises(InvalidValue, match="skip the pose"):
        g.matrix_from_quat_xyzw(quat)


@given(rotvecs(), SEEDS, st.floats(0.0, 1e-3))
def test_orthonormalise_finds_the_nearest_rotation(rotvec, seed, size):
    rotation = g.exp_so3(rotvec)
    noise = np.random.default_rng(seed).uniform(-size, size, (3, 3))
    clean = g.orthonormalise(rotation + noise)
    close(clean @ clean.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(clean) > 0.0
    assert np.linalg.norm(clean - rotation - noise) <= np.linalg.norm(noise) + 1e-14


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (np.diag([1.0, 1.0, -1.0]), "reflection"),
        (2.0 * np.eye(3), "remove scale"),
        (np.full((3, 3), np.nan), "remove scale"),
        (np.eye(4), r"must have shape \(..., 3, 3\)"),
    ],
)
def test_orthonormalise_refuses_what_is_not_rounding(matrix, says):
    with pytest.raises(InvalidValue, match=says):
        g.orthonormalise(matrix)


@given(axes(), st.floats(0.1, 20.0))
def test_up_goes_to_z_by_the_smallest_rotation(up, length):
    rotation = g.rotation_to_z_up(up * length)
    close(rotation @ up, [0.0, 0.0, 1.0], atol=1e-14)
    close(rotation @ rotation.T, np.eye(3), atol=1e-14)
    angle_needed = np.arctan2(np.hypot(up[0], up[1]), up[2])
    close(np.linalg.norm(g.log_so3(rotation)), angle_needed, atol=1e-13)


@given(SEEDS, TINY, st.sampled_from([1.0, -1.0]))
def test_up_near_plus_and_minus_z(seed, tilt, sign):
    direction = np.random.default_rng(seed).uniform(0.0, 2.0 * np.pi)
    up = np.array([np.sin(tilt) * np.cos(direction), np.sin(tilt) * np.sin(direction), sign * np.cos(tilt)])
    close(g.rotation_to_z_up(up) @ up, [0.0, 0.0, 1.0], atol=1e-14)


def test_up_that_is_already_up_or_straight_down():
    np.testing.assert_array_equal(g.rotation_to_z_up([0.0, 0.0, 3.0]), np.eye(3))
    close(g.rotation_to_z_up([0.0, 0.0, -1.0]), np.diag([1.0, -1.0, -1.0]), atol=1e-15)
    with pytest.raises(InvalidValue, match="against gravity"):
        g.rotation_to_z_up([0.0, 0.0, 0.0])


# axes


@pytest.mark.parametrize(
    ("camera_axes", "right", "down", "forward"),
    [
        ("opencv", (1, 0, 0), (0, 1, 0), (0, 0, 1)),
        ("opengl", (1, 0, 0), (0, -1, 0), (0, 0, -1)),
        ("ros_body", (0, -1, 0), (0, 0, -1), (1, 0, 0)),
    ],
)
def test_camera_axes_are_those_of_their_definition(camera_axes, right, down, forward):
    world_from_camera = g.exp_se3([1.0, 2.0, 3.0, 0.4, -0.3, 0.9])
    converted = g.opencv_pose(world_from_camera, camera_axes)
    for column, direction in enumerate((right, down, forward)):
        close(converted[:3, column], world_from_camera[:3, :3] @ direction, atol=1e-15)
    np.testing.assert_array_equal(converted[:3, 3], world_from_camera[:3, 3])
    close(np.linalg.det(converted[:3, :3]), 1.0)


@given(transforms(), st.sampled_from(["opencv", "opengl", "ros_body"]))
def test_camera_axes_round_trip(pose, camera_axes):
    np.testing.assert_array_equal(g.pose_in_axes(g.opencv_pose(pose, camera_axes), camera_axes), pose)


def test_unknown_camera_axes_suggest_a_name():
    with pytest.raises(UnknownName, match="'opengl'"):
        g.opencv_pose(np.eye(4), "openGL")  # pyright: ignore[reportArgumentType]


def test_world_axes():
    np.testing.assert_array_equal(g.Z_UP_FROM_Y_UP @ [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0])
    np.testing.assert_array_equal(g.Z_UP_FROM_Y_UP @ [1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0])
    np.testing.assert_array_equal(g.Z_UP_FROM_Y_UP @ g.Y_UP_FROM_Z_UP, np.eye(4))
    assert np.linalg.det(g.Z_UP_FROM_Y_UP) == 1.0
    close(g.rotation_to_z_up([0.0, 1.0, 0.0]), g.Z_UP_FROM_Y_UP[:3, :3], atol=1e-15)
    with pytest.raises(ValueError, match="read-only"):
        g.Z_UP_FROM_Y_UP[0, 0] = 2.0


def test_habitat_camera_at_rest_looks_along_minus_z_with_y_up():
    """An OpenGL camera with the identity pose in a y-up world: ahead is +y of the z-up world, down is -z."""
    pose = g.Z_UP_FROM_Y_UP @ g.opencv_pose(np.eye(4), "opengl")
    close(pose[:3, 2], [0.0, 1.0, 0.0], atol=1e-15)
    close(pose[:3, 1], [0.0, 0.0, -1.0], atol=1e-15)


# projection


@given(cameras, SEEDS)
def test_projection_inverts_back_projection(camera, seed):
    depth = np.random.default_rng(seed).uniform(0.2, 6.0, (camera.height, camera.width))
    points = g.back_project(depth, camera)
    close(points[..., 2], depth)
    pixels = g.project(points, camera)
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    close(pixels, np.stack([x, y], axis=-1), atol=1e-10)
    close(g.back_project_pixels(pixels, depth, camera), points, atol=1e-12)


@given(cameras, SEEDS)
def test_back_projection_inverts_projection(camera, seed):
    points = np.random.default_rng(seed).uniform((-1, -1, 0.1), (1, 1, 5), (7, 3))
    pixels = g.project(points, camera)
    close(g.back_project_pixels(pixels, points[:, 2], camera), points, atol=1e-12)
    homogeneous = points @ camera.K.T
    close(pixels, homogeneous[:, :2] / homogeneous[:, 2:], atol=1e-9)


def test_pixels_without_reading_and_points_behind_have_no_projection():
    camera = Camera(100.0, 100.0, 1.0, 0.5, 3, 2)
    depth = np.array([[np.nan, np.inf, 0.0], [-1.0, 2.0, -np.inf]], dtype=np.float32)
    known = np.isfinite(g.back_project(depth, camera)).all(axis=-1)
    np.testing.assert_array_equal(known, [[False, False, False], [False, True, False]])
    assert np.isnan(g.project([[0.0, 0.0, -1.0], [0.0, 0.0, 0.0], [0.0, 0.0, np.nan]], camera)).all()


def test_back_project_refuses_another_size():
    with pytest.raises(InvalidValue, match=r"depth_m must have shape \(..., 2, 3\); given \(3, 2\)"):
        g.back_project(np.ones((3, 2)), Camera(100.0, 100.0, 1.0, 0.5, 3, 2))


@given(cameras, SEEDS)
def test_ray_depth_becomes_z_depth(camera, seed):
    depth = np.random.default_rng(seed).uniform(0.2, 6.0, (camera.height, camera.width))
    ray_depth = np.linalg.norm(g.back_project(depth, camera), axis=-1)
    close(g.z_from_ray_depth(ray_depth, camera), depth)
    close(g.pixel_rays(camera) * depth[..., None], g.back_project(depth, camera))


# the pixel centre rule


@pytest.mark.parametrize("shape", [(20, 12), (80, 48), (60, 20), (10, 6)])
def test_scaled_camera_sees_the_same_rays_in_a_resized_image(shape):
    """An image whose values are its own viewing directions, resized, shows the directions of the scaled camera."""
    camera = Camera(45.0, 38.0, 18.7, 11.2, 40, 24)
    width, height = shape
    ramp = g.pixel_rays(camera).astype(np.float32)
    method = cv2.INTER_AREA if width <= camera.width else cv2.INTER_LINEAR
    if (width < camera.width) != (height < camera.height):
        method = cv2.INTER_LINEAR
    resized = cv2.resize(ramp, (width, height), interpolation=method)
    inside = (slice(4, -4), slice(4, -4)) if min(shape) > 10 else (slice(None), slice(None))  # borders are clamped
    expected = g.pixel_rays(camera.scaled_to(width, height))
    close(resized[inside], expected[inside], atol=1e-5)


@given(cameras, st.integers(1, 200), st.integers(1, 200))
def test_scaling_a_camera_keeps_corners_and_goes_back(camera, width, height):
    scaled = camera.scaled_to(width, height)
    for x, y, there in (
        (-0.5, -0.5, (-0.5, -0.5)),
        (camera.width - 0.5, camera.height - 0.5, (width - 0.5, height - 0.5)),
    ):
        point = g.back_project_pixels([x, y], 1.0, camera)
        close(g.project(point, scaled), there, atol=1e-9)
    back = scaled.scaled_to(camera.width, camera.height)
    close(back.K, camera.K, atol=1e-9)


def test_field_of_view_spans_the_outer_edges():
    camera = Camera.from_hfov(90.0, 64, 48)
    edges = g.back_project_pixels([[-0.5, 23.5], [63.5, 23.5]], [1.0, 1.0], camera)
    close(edges, [[-1.0, 0.0, 1.0], [1.0, 0.0, 1.0]], atol=1e-12)
