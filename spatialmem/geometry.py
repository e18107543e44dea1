"""SE(3), quaternions, axes and projection: the only place where conventions are converted.

Inside: right-handed metres; camera axes OpenCV (x right, y down, z forward); integer pixel
coordinates at pixel centres; depth along the optical axis; quaternions w, x, y, z; `a_from_b` maps
coordinates in frame b to coordinates in frame a. See docs/conventions.md.

Every function takes leading batch axes, which broadcast as in numpy, computes in float64 and raises
`InvalidValue` when the trailing axes have another length than stated.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatialmem.errors import InvalidValue, unknown_name
from spatialmem.types import Camera

Array = NDArray[np.float64]
CameraAxes = Literal["opencv", "opengl", "ros_body"]
"""opencv: x right, y down, z forward; opengl: x right, y up, z backward; ros_body: x forward, y left, z up"""

_SERIES_BELOW_RAD = 0.03  # the three-term series below is exact to rounding up to here


def _frozen(rows: ArrayLike) -> Array:
    matrix = np.asarray(rows, dtype=np.float64)
    matrix.setflags(write=False)
    return matrix


Z_UP_FROM_Y_UP: Final = _frozen([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
"""(4, 4): a y-up world (Habitat, glTF) turned about x into a z-up world; x stays, y becomes z"""
Y_UP_FROM_Z_UP: Final = _frozen(Z_UP_FROM_Y_UP.T)
"""(4, 4): the inverse of `Z_UP_FROM_Y_UP`"""

_AXES_FROM_OPENCV: Final[dict[str, Array]] = {
    "opencv": _frozen(np.eye(4)),
    "opengl": _frozen(np.diag([1.0, -1.0, -1.0, 1.0])),
    "ros_body": _frozen([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]),
}


def wxyz_from_xyzw(quat_xyzw: ArrayLike) -> Array:
    """(..., 4) scalar-last (ROS, TUM, scipy) to scalar-first."""
    return np.roll(_shaped(quat_xyzw, (4,), "quat_xyzw"), 1, axis=-1)


def xyzw_from_wxyz(quat_wxyz: ArrayLike) -> Array:
    """(..., 4) scalar-first to scalar-last (ROS, TUM, scipy)."""
    return np.roll(_shaped(quat_wxyz, (4,), "quat_wxyz"), -1, axis=-1)


def matrix_from_quat_wxyz(quat_wxyz: ArrayLike) -> Array:
    """(..., 3, 3) rotation of a quaternion (..., 4) of any non-zero length; q and -q give the same.

    Source: Diebel, "Representing Attitude" (2006), eq. 125.
    """
    q = _shaped(quat_wxyz, (4,), "quat_wxyz")
    length = np.linalg.norm(q, axis=-1, keepdims=True)
    if not (np.isfinite(length).all() and (length > 1e-12).all()):
        raise InvalidValue("a quaternion must be finite and not zero; skip the pose when tracking was lost")
    w, v = q[..., :1, None] / length[..., None], (q / length)[..., 1:]
    outer = v[..., :, None] * v[..., None, :]
    squared = np.sum(v * v, axis=-1)[..., None, None]
    return (w * w - squared) * np.eye(3) + 2.0 * (outer + w * skew(v))


def matrix_from_quat_xyzw(quat_xyzw: ArrayLike) -> Array:
    """(..., 3, 3) rotation of a scalar-last quaternion (..., 4); see `matrix_from_quat_wxyz`."""
    return matrix_from_quat_wxyz(wxyz_from_xyzw(quat_xyzw))


def quat_wxyz_from_matrix(rotation: ArrayLike) -> Array:
    """(..., 4) unit quaternion, w >= 0, of a rotation (..., 3, 3).

    4 q q^T is linear in the rotation; its row with the largest diagonal entry, normalised, is q, which is
    accurate at every angle. Source: Shepperd (1978), "Quaternion from rotation matrix".
    """
    m = _shaped(rotation, (3, 3), "rotation")
    products = np.empty((*m.shape[:-2], 4, 4))
    products[..., 1:, 1:] = m + np.swapaxes(m, -1, -2)
    trace = np.trace(m, axis1=-2, axis2=-1)
    for k in range(3):
        products[..., k + 1, k + 1] += 1.0 - trace
        i, j = (k + 1) % 3, (k + 2) % 3
        products[..., 0, k + 1] = products[..., k + 1, 0] = m[..., j, i] - m[..., i, j]
    products[..., 0, 0] = 1.0 + trace
    largest = np.argmax(np.diagonal(products, axis1=-2, axis2=-1), axis=-1)
    q = np.take_along_axis(products, largest[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0.0, -q, q)


def quat_xyzw_from_matrix(rotation: ArrayLike) -> Array:
    """(..., 4) scalar-last unit quaternion, w >= 0, of a rotation (..., 3, 3)."""
    return xyzw_from_wxyz(quat_wxyz_from_matrix(rotation))


def skew(vector: ArrayLike) -> Array:
    """(..., 3, 3) matrix whose product with u is the cross product of `vector` (..., 3) and u."""
    x, y, z = np.moveaxis(_shaped(vector, (3,), "vector"), -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def exp_so3(rotvec_rad: ArrayLike) -> Array:
    """(..., 3, 3) rotation by |rotvec| radians about `rotvec_rad` (..., 3), through the unit quaternion.

    Source: Grassia (1998), "Practical parameterization of rotations using the exponential map".
    """
    phi = _shaped(rotvec_rad, (3,), "rotvec_rad")
    half = np.linalg.norm(phi, axis=-1, keepdims=True) / 2.0
    return matrix_from_quat_wxyz(np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * phi], axis=-1))


def log_so3(rotation: ArrayLike) -> Array:
    """(..., 3) rotation vector, length in [0, pi] radians, of a rotation (..., 3, 3); inverse of `exp_so3`.

    At exactly pi both signs are right; one of them is returned. Source: as `exp_so3`.
    """
    q = quat_wxyz_from_matrix(rotation)
    w, v = q[..., :1], q[..., 1:]
    sine = np.linalg.norm(v, axis=-1, keepdims=True)
    tiny = sine < 1e-150
    return np.where(tiny, 2.0, 2.0 * np.arctan2(sine, w) / np.where(tiny, 1.0, sine)) * v


def orthonormalise(rotation: ArrayLike, limit: float = 0.05) -> Array:
    """(..., 3, 3) the nearest rotation (Frobenius norm) to a nearly orthonormal matrix (..., 3, 3).

    `limit` is the largest allowed entry of |R R^T - 1|; beyond it, and for a reflection, `InvalidValue`:
    such a matrix holds a scale, a shear or swapped axes, not rounding. Source: Higham (1986), polar factor.
    """
    m = _shaped(rotation, (3, 3), "rotation")
    error = np.abs(m @ np.swapaxes(m, -1, -2) - np.eye(3)).max(initial=0.0)
    if not error <= limit:
        raise InvalidValue(f"rotation is not orthonormal (error {error:.3g}, limit {limit:g}); remove scale and shear")
    if (np.linalg.det(m) < 0.0).any():
        raise InvalidValue("rotation is a reflection (determinant -1); convert the axes by a rotation")
    u, _, vt = np.linalg.svd(m)
    return u @ vt


def rotation_to_z_up(up: ArrayLike) -> Array:
    """(..., 3, 3) smallest rotation that takes the direction `up` (..., 3, any length) to +z.

    It turns about the horizontal axis up x z; opposite to +z, where that is free, about x.
    """
    n = _shaped(up, (3,), "up")
    flat = np.linalg.norm(n[..., :2], axis=-1, keepdims=True)
    if not np.isfinite(n).all() or (np.linalg.norm(n, axis=-1) < 1e-12).any():
        raise InvalidValue("up must be finite and not zero; give a vector that points against gravity")
    across = np.stack([n[..., 1], -n[..., 0], np.zeros_like(n[..., 0])], axis=-1)
    axis = np.where(flat > 0.0, across / np.where(flat > 0.0, flat, 1.0), (1.0, 0.0, 0.0))
    return exp_so3(np.arctan2(flat, n[..., 2:]) * axis)


def make_transform(rotation: ArrayLike, translation_m: ArrayLike) -> Array:
    """(..., 4, 4) a_from_b of the rotation (..., 3, 3) and the origin of b in a (..., 3), metres."""
    r, t = _shaped(rotation, (3, 3), "rotation"), _shaped(translation_m, (3,), "translation_m")
    out = np.zeros((*np.broadcast_shapes(r.shape[:-2], t.shape[:-1]), 4, 4))
    out[..., :3, :3], out[..., :3, 3], out[..., 3, 3] = r, t, 1.0
    return out


def inverse(a_from_b: ArrayLike) -> Array:
    """(..., 4, 4) b_from_a of a rigid transform (..., 4, 4), without a general matrix inverse."""
    t = _shaped(a_from_b, (4, 4), "a_from_b")
    back = np.swapaxes(t[..., :3, :3], -1, -2)
    return make_transform(back, -(back @ t[..., :3, 3:])[..., 0])


def apply(a_from_b: ArrayLike, points_b_m: ArrayLike) -> Array:
    """(..., N, 3) points in a, of points (..., N, 3) in b; one transform (..., 4, 4) for all N."""
    t, p = _shaped(a_from_b, (4, 4), "a_from_b"), _shaped(points_b_m, (3,), "points_b_m")
    if p.ndim == 1:
        raise InvalidValue("points_b_m must have shape (..., N, 3); give a single point as (1, 3)")
    return p @ np.swapaxes(t[..., :3, :3], -1, -2) + t[..., None, :3, 3]


def exp_se3(twist: ArrayLike) -> Array:
    """(..., 4, 4) transform of a twist (..., 6): translation part (metres) first, then rotation vector (radians).

    Source: Barfoot, "State Estimation for Robotics" (2017), section 7.1.3.
    """
    xi = _shaped(twist, (6,), "twist")
    translation = _left_jacobian(xi[..., 3:]) @ xi[..., :3, None]
    return make_transform(exp_so3(xi[..., 3:]), translation[..., 0])


def log_se3(a_from_b: ArrayLike) -> Array:
    """(..., 6) twist of a transform (..., 4, 4); inverse of `exp_se3`, rotation angle in [0, pi]."""
    t = _shaped(a_from_b, (4, 4), "a_from_b")
    phi = log_so3(t[..., :3, :3])
    rho = np.linalg.solve(_left_jacobian(phi), t[..., :3, 3:])
    return np.concatenate([rho[..., 0], phi], axis=-1, dtype=np.float64)


def _left_jacobian(phi: Array) -> Array:
    """(..., 3, 3) left Jacobian of SO(3) at a rotation vector; Barfoot (2017), eq. 7.37."""
    angle = np.linalg.norm(phi, axis=-1)[..., None, None]
    squared, large = angle * angle, np.maximum(angle, _SERIES_BELOW_RAD)
    series = 1.0 / 6.0 - squared * (1.0 / 120.0 - squared / 5040.0)
    cubic = np.where(angle < _SERIES_BELOW_RAD, series, (large - np.sin(large)) / large**3)
    k = skew(phi)
    return np.eye(3) + 0.5 * np.sinc(angle / (2.0 * np.pi)) ** 2 * k + cubic * (k @ k)


def pose_difference(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    """Distance of the origins (...), metres, and angle between the axes (...), radians, of two poses (..., 4, 4)."""
    first, second = _shaped(a, (4, 4), "a"), _shaped(b, (4, 4), "b")
    relative = np.swapaxes(first[..., :3, :3], -1, -2) @ second[..., :3, :3]
    distance = np.linalg.norm(second[..., :3, 3] - first[..., :3, 3], axis=-1)
    return distance, np.linalg.norm(log_so3(relative), axis=-1)


def interpolate(a: ArrayLike, b: ArrayLike, share: ArrayLike) -> Array:
    """(..., 4, 4) the pose `share` (...) of the way from a to b: 0 gives a, 1 gives b.

    Translation runs straight, rotation about one axis at constant speed along the shorter arc.
    Source: Shoemake (1985), slerp.
    """
    first, second = _shaped(a, (4, 4), "a"), _shaped(b, (4, 4), "b")
    s = np.asarray(share, dtype=np.float64)[..., None]
    turn = log_so3(np.swapaxes(first[..., :3, :3], -1, -2) @ second[..., :3, :3])
    between = (1.0 - s) * first[..., :3, 3] + s * second[..., :3, 3]
    return make_transform(first[..., :3, :3] @ exp_so3(s * turn), between)


def interpolate_poses(
    stamp_ns: ArrayLike, world_from_body: ArrayLike, at_ns: ArrayLike, max_gap_ns: int | None = None
) -> Array:
    """(..., 4, 4) poses of a trajectory at the stamps `at_ns` (...), integer nanoseconds.

    Args:
        stamp_ns: (N,) integers, strictly rising, N >= 1.
        world_from_body: (N, 4, 4) poses at those stamps.
        at_ns: stamps within the first and last of `stamp_ns`; nothing is extrapolated.
        max_gap_ns: refuse to bridge two poses farther apart than this; None: bridge any gap.

    Raises:
        InvalidValue: a stamp outside the trajectory or in too long a gap, or stamps that do not rise.
    """
    stamps, at = np.asarray(stamp_ns), np.asarray(at_ns)
    poses = _shaped(world_from_body, (4, 4), "world_from_body")
    before, after = bracket(stamps, at)
    gap = stamps[after] - stamps[before]
    if max_gap_ns is not None and (gap > max_gap_ns).any():
        raise InvalidValue(
            f"the trajectory has no pose for {gap.max() / 1e9:.3f} s around a stamp asked for; limit is "
            f"{max_gap_ns / 1e9:.3f} s; skip that frame or raise max_gap_ns"
        )
    share = (at - stamps[before]) / np.maximum(gap, 1)
    return interpolate(poses[before], poses[after], share)


def bracket(stamp_ns: ArrayLike, at_ns: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices (...) of the stamps before and after each of `at_ns`; equal where the stamp itself is there.

    `stamp_ns` (N,) and `at_ns` (...) are integer nanoseconds; raises as `interpolate_poses`.
    """
    stamps, at = np.asarray(stamp_ns), np.asarray(at_ns)
    if stamps.dtype.kind not in "iu" or at.dtype.kind not in "iu":
        raise InvalidValue(f"stamps must be integer nanoseconds; given {stamps.dtype} and {at.dtype}")
    if stamps.ndim != 1 or stamps.size == 0 or (stamps[1:] <= stamps[:-1]).any():
        raise InvalidValue("stamps of a trajectory must be one axis, not empty and strictly rising; sort them first")
    if at.size and (at.min() < stamps[0] or at.max() > stamps[-1]):
        raise InvalidValue(
            f"stamps {at.min()} to {at.max()} ns leave the trajectory, {stamps[0]} to {stamps[-1]} ns; "
            "skip frames without a pose (nothing is extrapolated)"
        )
    return np.searchsorted(stamps, at, side="right") - 1, np.searchsorted(stamps, at, side="left")


def opencv_pose(world_from_camera: ArrayLike, camera_axes: CameraAxes) -> Array:
    """(..., 4, 4) the same pose with OpenCV camera axes, of one whose camera has `camera_axes`.

    Only the rotation's columns change; the camera stays where it is and the world is not touched.
    """
    return _shaped(world_from_camera, (4, 4), "world_from_camera") @ _axes_from_opencv(camera_axes)


def pose_in_axes(world_from_camera: ArrayLike, camera_axes: CameraAxes) -> Array:
    """(..., 4, 4) an OpenCV pose rewritten for a camera with `camera_axes`; inverse of `opencv_pose`."""
    return _shaped(world_from_camera, (4, 4), "world_from_camera") @ _axes_from_opencv(camera_axes).T


def _axes_from_opencv(camera_axes: str) -> Array:
    if camera_axes not in _AXES_FROM_OPENCV:
        raise unknown_name("camera axes", camera_axes, get_args(CameraAxes))
    return _AXES_FROM_OPENCV[camera_axes]


def project(points_camera_m: ArrayLike, camera: Camera) -> Array:
    """(..., 2) pixel coordinates x, y of points (..., 3) in camera axes; NaN where z <= 0.

    Integers are pixel centres: the image covers [-0.5, width - 0.5). The depth of a point is its z.
    """
    p = _shaped(points_camera_m, (3,), "points_camera_m")
    z = np.where(p[..., 2:] > 0.0, p[..., 2:], np.nan)
    return p[..., :2] / z * (camera.fx, camera.fy) + (camera.cx, camera.cy)


def back_project_pixels(pixels_xy: ArrayLike, depth_m: ArrayLike, camera: Camera) -> Array:
    """(..., 3) points in camera axes, metres, of pixels (..., 2) and z-depths (...); NaN where no reading."""
    uv, depth = _shaped(pixels_xy, (2,), "pixels_xy"), np.asarray(depth_m, dtype=np.float64)
    slope = (uv - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    ray = np.concatenate([slope, np.ones((*slope.shape[:-1], 1))], axis=-1)
    return ray * np.where(np.isfinite(depth) & (depth > 0.0), depth, np.nan)[..., None]


def back_project(depth_m: ArrayLike, camera: Camera) -> Array:
    """(..., H, W, 3) points in camera axes, metres, of a z-depth image (..., H, W); NaN where no reading."""
    depth = _shaped(depth_m, (camera.height, camera.width), "depth_m")
    return back_project_pixels(_pixel_grid(camera), depth, camera)


def pixel_rays(camera: Camera) -> Array:
    """(H, W, 3) direction through each pixel centre in camera axes, z = 1: times z-depth it is the point."""
    return back_project_pixels(_pixel_grid(camera), np.ones(()), camera)


def z_from_ray_depth(ray_depth_m: ArrayLike, camera: Camera) -> Array:
    """(..., H, W) depth along the optical axis of distances along each pixel's ray, both metres."""
    distance = _shaped(ray_depth_m, (camera.height, camera.width), "ray_depth_m")
    return distance / np.linalg.norm(pixel_rays(camera), axis=-1)


def _pixel_grid(camera: Camera) -> Array:
    """(H, W, 2) coordinates x, y of every pixel centre."""
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    return np.stack([x, y], axis=-1).astype(np.float64)


def _shaped(values: ArrayLike, tail: tuple[int, ...], name: str) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.shape[-len(tail) :] != tail:
        wanted = ", ".join(str(n) for n in tail)
        raise InvalidValue(f"{name} must have shape (..., {wanted}); given {array.shape}")
    return array
