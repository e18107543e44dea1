"""Moving a frame onto a surface: exact fields, degenerate ones, a fused map, and the limits."""

from __future__ import annotations

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from hypothesis import given, settings
from hypothesis import strategies as st
from voxel_scenes import WIDTH, fuse, plane_depth, small_config, threads, view_of

from spatialmem import geometry as g
from spatialmem.config import MemoryConfig
from spatialmem.errors import InvalidFrame, UnplacedSession
from spatialmem.localise.readings import readings_of
from spatialmem.localise.refine import LIMIT_DEG, LIMIT_M, refine
from spatialmem.types import Camera, Frame
from spatialmem.voxels.surface import SurfaceGrid
from spatialmem.voxels.views import DepthView

LAP, VOXEL_M = 16, 0.03
SIZE = (160, 120)
LOW, HIGH = np.array(room.ROOM_MIN_M), np.array(room.ROOM_MAX_M)
directions = st.tuples(*[st.floats(-1.0, 1.0)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)


def empty_room(points):
    """Exact field of the room without boxes: distance from the nearest of its six faces, and the way off it."""
    to_faces = np.concatenate([points - LOW, HIGH - points], axis=1)
    nearest = np.argmin(to_faces, axis=1)
    return to_faces[np.arange(len(points)), nearest], np.concatenate([np.eye(3), -np.eye(3)])[nearest]


def floor(points):
    """Exact field of an endless floor."""
    return points[:, 2].copy(), np.broadcast_to((0.0, 0.0, 1.0), points.shape).copy()


def corridor(points):
    """Exact field of an endless corridor along x: floor and two walls."""
    to_faces = np.stack([points[:, 2], points[:, 1] - LOW[1], HIGH[1] - points[:, 1]], axis=1)
    nearest = np.argmin(to_faces, axis=1)
    normals = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])[nearest]
    return to_faces[np.arange(len(points)), nearest], normals


def readings(depth_m, camera: Camera):
    view = DepthView.of(np.ascontiguousarray(depth_m, np.float32), None, camera, np.eye(4), MemoryConfig())
    return readings_of(view, VOXEL_M)


def drift(axis, angle_deg, direction, distance_m):
    """(4, 4) motion of the camera in its own axes."""
    turn = g.exp_so3(np.deg2rad(angle_deg) * axis / np.linalg.norm(axis))
    return g.make_transform(turn, distance_m * direction / np.linalg.norm(direction))


def apart(a, b):
    """Metres and degrees."""
    distance, angle = g.pose_difference(a, b)
    return float(distance), float(np.rad2deg(angle))


def off_along_held(found, pose):
    """Metres and degrees from a pose, without what lies along a direction that the surface leaves open."""
    turn = g.log_so3(found.map_from_camera[:3, :3] @ pose[:3, :3].T)
    error = np.concatenate([found.map_from_camera[:3, 3] - pose[:3, 3], turn])
    for direction in found.open_directions:
        error = error - direction * (direction @ error)
    return float(np.linalg.norm(error[:3])), float(np.rad2deg(np.linalg.norm(error[3:])))


# --- exact fields


@settings(max_examples=25)
@given(st.integers(0, LAP - 1), directions, st.floats(0.0, 1.9), directions, st.floats(0.0, 0.049))
def test_drift_within_the_limits_is_taken_back(i, axis, angle_deg, direction, distance_m):
    camera, pose = room.room_camera(*SIZE), room.room_pose(i, LAP)
    _, depth = room.render_room(pose, camera, boxes=())
    given_pose = pose @ drift(axis, angle_deg, direction, distance_m)
    found = refine(readings(depth, camera), given_pose, empty_room, VOXEL_M)
    before_m, before_deg = apart(given_pose, pose)
    if not found.moved:
        assert found.verdict == "not better" and before_m < 0.002 and before_deg < 0.1
        return
    after_m, after_deg = off_along_held(found, pose)
    assert after_m < 1e-3 and after_deg < 0.03
    assert apart(found.map_from_camera, pose)[0] < before_m + 1e-3, "where nothing holds it, it stays where it was"
    assert found.residual_after_m < 1e-3 and found.residual_after_m <= found.residual_before_m
    assert (found.shift_m, found.turn_deg) == pytest.approx(apart(found.map_from_camera, given_pose))
    assert len(found.open_directions) == (1 if i in (4, 12) else 0), "those two see a wall, floor and ceiling alone"


@settings(max_examples=25)
@given(st.integers(0, LAP - 1), directions, st.floats(0.0, 4.0), directions, st.floats(0.0, 0.12))
def test_no_frame_is_moved_beyond_the_limits(i, axis, angle_deg, direction, distance_m):
    camera, pose = room.room_camera(*SIZE), room.room_pose(i, LAP)
    _, depth = room.render_room(pose, camera, boxes=())
    given_pose = pose @ drift(axis, angle_deg, direction, distance_m)
    found = refine(readings(depth, camera), given_pose, empty_room, 0.06)
    moved_m, moved_deg = apart(found.map_from_camera, given_pose)
    assert moved_m <= LIMIT_M and moved_deg <= LIMIT_DEG
    if not found.moved:
        np.testing.assert_array_equal(found.map_from_camera, given_pose)


@pytest.mark.parametrize("far", [drift(np.ones(3), 0.0, np.ones(3), 0.08), drift(np.ones(3), 3.0, np.ones(3), 0.01)])
def test_a_frame_that_is_too_far_off_stays(far):
    camera, pose = room.room_camera(*SIZE), room.room_pose(3, LAP)
    _, depth = room.render_room(pose, camera, boxes=())
    found = refine(readings(depth, camera), pose @ far, empty_room, 0.06)
    assert found.verdict == "too far" and found.shift_m == 0.0 and found.turn_deg == 0.0


def test_a_plane_holds_height_and_tilt_and_nothing_else():
    camera = room.room_camera(*SIZE)
    pose = room.look((0.3, -0.2, 1.4), (0.7, 0.1, -1.0))
    depth = plane_of(pose, camera)
    aside = np.eye(4)
    aside[:3, :3] = g.exp_so3((0.0, 0.0, np.deg2rad(1.5)))  # about the plane's own normal
    aside[:2, 3] = 0.03, -0.02
    moved_aside = refine(readings(depth, camera), aside @ pose, floor, VOXEL_M)
    assert not moved_aside.moved and len(moved_aside.open_directions) == 3
    raised = aside @ pose
    raised[2, 3] += 0.03
    found = refine(readings(depth, camera), raised, floor, VOXEL_M)
    assert found.moved and len(found.open_directions) == 3
    np.testing.assert_allclose(found.map_from_camera, aside @ pose, atol=2e-3)
    np.testing.assert_allclose(found.open_directions[:, 2], 0.0, atol=1e-5)  # height is held
    lifted = np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    assert 0.0 < lifted @ found.covariance @ lifted < 0.01**2


def test_a_corridor_leaves_its_length_open():
    camera = Camera.from_hfov(110.0, *SIZE)
    pose = room.look((-0.5, 0.2, 1.3), (1.0, 0.1, -0.35))
    _, depth = room.render_room(pose, camera, boxes=())
    points = g.apply(pose, g.back_project(depth, camera).reshape(-1, 3))
    kept = (np.abs(points[:, 0]) < 2.4) & (points[:, 2] < 2.4)
    depth = np.where(kept.reshape(depth.shape), depth, np.float32(np.nan))
    off = np.eye(4)
    off[:3, 3] = 0.03, 0.03, 0.02
    found = refine(readings(depth, camera), off @ pose, corridor, VOXEL_M)
    assert found.moved and len(found.open_directions) == 1
    np.testing.assert_allclose(np.abs(found.open_directions[0]), (1, 0, 0, 0, 0, 0), atol=0.02)
    np.testing.assert_allclose(found.map_from_camera[:3, 3] - pose[:3, 3], (0.03, 0.0, 0.0), atol=2e-3)


def test_without_a_surface_nothing_is_moved():
    camera, pose = room.room_camera(*SIZE), room.room_pose(0, LAP)
    _, depth = room.render_room(pose, camera)
    unknown = refine(
        readings(depth, camera), pose, lambda p: (np.full(len(p), np.nan), np.full(p.shape, np.nan)), VOXEL_M
    )
    empty = refine(readings(np.full_like(depth, np.nan), camera), pose, empty_room, VOXEL_M)
    for found in (unknown, empty):
        assert found.verdict == "no overlap" and found.overlap == 0.0 and np.isnan(found.residual_after_m)
        assert len(found.open_directions) == 6 and not found.covariance.any()


def plane_of(pose, camera: Camera):
    rays = g.pixel_rays(camera) @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        depth = -pose[2, 3] / rays[..., 2]
    return np.where((depth > 0) & (depth < 4.5), depth, np.nan)


# --- a fused map


@pytest.fixture(scope="module")
def memory():
    frames = [room.room_frame(i, 2 * LAP, noise=True, seed=1) for i in range(0, 2 * LAP, 2)]
    with mh.create(None, frames, voxel_size_m=VOXEL_M) as memory:
        yield memory


def drifted(seed: int) -> tuple[Frame, np.ndarray]:
    """A frame that is not in the memory with 1 to 4.5 cm and 0.3 to 1.8 degrees of drift, and its true pose."""
    rng = np.random.default_rng(seed)
    frame = room.room_frame(2 * int(rng.integers(LAP)) + 1, 2 * LAP, noise=True, seed=2)
    off = drift(rng.normal(size=3), rng.uniform(0.3, 1.8), rng.normal(size=3), rng.uniform(0.01, 0.045))
    return frame.with_pose(frame.pose @ off), frame.pose


def test_noisy_frames_come_nearer_to_where_they_were(memory):
    errors = []
    for seed in range(12):
        frame, truth = drifted(seed)
        found = memory.refined(frame)
        errors.append((*apart(frame.pose, truth), *apart(found.map_from_camera, truth)))
        assert found.shift_m <= LIMIT_M and found.turn_deg <= LIMIT_DEG
    before_m, before_deg, after_m, after_deg = np.array(errors).T
    assert np.median(after_m) < 0.008 and np.median(after_deg) < 0.25
    assert (after_m < before_m + 0.005).all() and (after_deg < before_deg + 0.2).all()


def test_a_frame_that_is_right_is_left_about_where_it_is(memory):
    for i in range(1, 2 * LAP, 6):
        frame = room.room_frame(i, 2 * LAP, noise=True, seed=3)
        moved_m, moved_deg = apart(memory.refined(frame).map_from_camera, frame.pose)
        assert moved_m < 0.008 and moved_deg < 0.3


def test_the_noise_of_normals_holds_nothing():
    """Few noisy frames: normals of the map are 15 degrees off, and one direction is open all the same."""
    frames = [room.room_frame(i, 20, noise=True, seed=1) for i in range(6)]
    with mh.create(None, frames, voxel_size_m=0.02) as memory:
        rng = np.random.default_rng(3)
        for i in (6, 7) * 6:
            frame = room.room_frame(i, 20, noise=True, seed=2)
            off = drift(rng.normal(size=3), rng.uniform(0.2, 1.5), rng.normal(size=3), rng.uniform(0.01, 0.04))
            found = memory.refined(frame.with_pose(frame.pose @ off))
            if found.moved:
                assert len(found.open_directions) == 1 and abs(found.open_directions[0, 0]) > 0.95
                after_m, after_deg = apart(found.map_from_camera, frame.pose)
                assert after_m < apart(frame.pose @ off, frame.pose)[0] + 0.002 and after_deg < 0.1


def test_the_covariance_is_of_the_size_of_the_errors(memory):
    scaled = []
    for seed in range(12):
        frame, truth = drifted(seed)
        found = memory.refined(frame)
        if found.moved and len(found.open_directions) == 0:
            error = g.log_so3(found.map_from_camera[:3, :3] @ truth[:3, :3].T)
            error = np.concatenate([found.map_from_camera[:3, 3] - truth[:3, 3], error])
            scaled.append(error @ np.linalg.solve(found.covariance, error) / 6.0)
    assert len(scaled) > 6 and 0.05 < np.median(scaled) < 20.0


def test_threads_and_repetition_change_nothing(memory):
    frame, _ = drifted(5)
    found = []
    for count in (1, 2, 1):
        with threads(count):
            found.append(memory.refined(frame))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].map_from_camera, other.map_from_camera)
        assert found[0].residual_after_m == other.residual_after_m and found[0].verdict == other.verdict


def test_refining_changes_nothing_in_the_memory(memory):
    before = memory.canonical_hash()
    memory.refined(drifted(3)[0])
    assert memory.canonical_hash() == before


def test_what_cannot_be_refined_is_refused(memory):
    frame = room.room_frame(0, LAP)
    with pytest.raises(InvalidFrame, match="no pose"):
        memory.refined(mh.at(frame, 500, world_from_camera=None))
    with pytest.raises(UnplacedSession):
        memory.refined(mh.at(frame, 500, session_id="elsewhere"))
    with pytest.raises(InvalidFrame, match=r"refined\(\) takes a Frame"):
        memory.refined(frame.depth_m)
    assert memory.refined(mh.at(frame, 500, depth_m=None)).verdict == "no overlap"


def test_a_noisy_wall_is_seen_to_be_open():
    camera, rng = Camera.from_hfov(60.0, *SIZE), np.random.default_rng(6)
    grid = SurfaceGrid(small_config(voxel_size_m=0.02), WIDTH)
    for lsn in range(1, 6):
        noisy = plane_depth(camera, 1.5) + rng.normal(0.0, 0.004, SIZE[::-1])
        fuse(grid, noisy, np.eye(4), camera, lsn)
    view = view_of(grid, plane_depth(camera, 1.5) + rng.normal(0.0, 0.004, SIZE[::-1]), np.eye(4), camera)
    shifted = g.make_transform(np.eye(3), (0.02, 0.01, 0.03))
    found = refine(readings_of(view, 0.02), shifted, grid.reading().distances, 0.02)
    assert found.moved and len(found.open_directions) == 3
    np.testing.assert_allclose(found.map_from_camera[:3, 3], (0.02, 0.01, 0.0), atol=4e-3)
