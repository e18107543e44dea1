"""What a memory of the synthetic room looks like: rendered, as a mesh, as points, as free space."""

from __future__ import annotations

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room

from spatialmem import geometry as g
from spatialmem.errors import InvalidFrame
from spatialmem.memory import SpatialMemory

LAP = 16
VOXEL_M = 0.03
VGA = (640, 480)  # rays for free space are cast on every 8th pixel, so that small images leave gaps
UNKNOWN, FREE, OCCUPIED = 0, 1, 2


@pytest.fixture(scope="module")
def memory():
    """One lap around the room."""
    with mh.create(None, [room.room_frame(i, LAP) for i in range(LAP)], voxel_size_m=VOXEL_M) as memory:
        yield memory


# --- rendering


@pytest.mark.parametrize("i", [0, 5, 11])
def test_a_stored_view_is_rendered_as_the_camera_saw_it(memory, i):
    frame = room.room_frame(i, LAP)
    view = memory.render(frame.world_from_camera, frame.camera)
    assert view.depth_m.shape == (120, 160) and view.rgb.dtype == np.uint8 and view.feature is None
    seen = np.isfinite(view.depth_m)
    assert seen.mean() > 0.9
    error = np.abs(view.depth_m - frame.depth_m)[seen]
    assert np.median(error) < VOXEL_M / 3 and np.mean(error < VOXEL_M) > 0.95
    assert np.median(np.abs(view.rgb.astype(int) - frame.rgb)[seen]) < 6
    assert not view.rgb[~seen].any() and np.isnan(view.normal[~seen]).all()


def test_rendered_normals_face_the_camera_and_stand_on_the_walls(memory):
    frame = room.room_frame(2, LAP)
    view = memory.render(frame.world_from_camera, frame.camera)
    seen = np.isfinite(view.depth_m) & np.isfinite(view.normal).all(-1)
    np.testing.assert_allclose(np.linalg.norm(view.normal[seen], axis=-1), 1, atol=1e-4)
    rays = g.back_project(view.depth_m, frame.camera) @ frame.world_from_camera[:3, :3].T
    assert np.mean((rays[seen] * view.normal[seen]).sum(-1) < 0) > 0.98
    assert np.mean(np.abs(view.normal[seen]).max(-1) > 0.95) > 0.9  # everything in the room is axis-aligned


def test_features_are_rendered_when_asked_for(memory):
    frame = room.room_frame(0, LAP)
    view = memory.render(frame.world_from_camera, frame.camera, features=True)
    scores = memory.encoder.score(
        view.feature.reshape(-1, memory.encoder.dim), memory.encoder.encode_text("red").vector
    )
    found = scores.reshape(120, 160) > 0.5
    red = np.all(np.abs(frame.rgb / np.array(room.RED_BOX.rgb) - 0.94) < 0.1, axis=-1)
    assert found[red].mean() > 0.8 and found[~red].mean() < 0.05


def test_nothing_is_rendered_where_nothing_is(memory):
    view = memory.render(room.look((0, 0, 50), (1, 0, 0.1)), room.room_camera(40, 30))
    assert np.isnan(view.depth_m).all() and not view.rgb.any()
    with pytest.raises(InvalidFrame, match="4x4"):
        memory.render(np.eye(3), room.room_camera(40, 30))


# --- mesh and points


def test_the_mesh_lies_on_the_surface_and_faces_the_observed_side(memory):
    mesh = memory.mesh()
    v, triangles = mesh.vertices_m, mesh.triangles
    assert len(triangles) > 10_000 and triangles.min() == 0 and triangles.max() < len(v)
    assert np.mean(room.distance_to_surface_m(v) < VOXEL_M) > 0.97
    a, b, c = (v[triangles[:, k]].astype(float) for k in range(3))
    across = np.cross(b - a, c - a)
    area = np.linalg.norm(across, axis=1)
    flat = area > 1e-7
    inward = (across * mesh.normals[triangles].mean(1)).sum(1)
    assert np.mean(inward[flat] > 0) > 0.99  # counter-clockwise from where the normals point
    known = np.linalg.norm(mesh.normals, axis=1) > 0
    assert known.mean() > 0.95
    np.testing.assert_allclose(np.linalg.norm(mesh.normals[known], axis=1), 1, atol=1e-4)
    eye = np.array([0.0, 0.0, 1.5])
    outer = np.any(np.abs(v - np.array([0, 0, 1.25])) > np.array([2.4, 1.9, 1.15]), axis=1) & known
    assert outer.sum() > 1000 and np.mean(((eye - v[outer]) * mesh.normals[outer]).sum(1) > 0) > 0.99


def test_the_mesh_holds_together(memory):
    """An edge belongs to two triangles, or to one at the border of what was seen; orientations agree."""
    triangles = memory.mesh().triangles
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    directed, counts = np.unique(edges, axis=0, return_counts=True)
    assert np.mean(counts == 1) > 0.999  # no edge is run along twice in the same direction
    _, uses = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)
    assert np.mean(uses == 2) > 0.9 and np.mean(uses > 2) < 0.002
    assert len({tuple(t) for t in np.sort(triangles, axis=1)}) == len(triangles)
    assert np.all(triangles[:, 0] != triangles[:, 1]) and np.all(triangles[:, 1] != triangles[:, 2])
    assert len(directed) > 1000


def test_colours_of_the_mesh_are_those_of_the_room(memory):
    mesh = memory.mesh()
    v = mesh.vertices_m
    for box in room.BOXES:
        low, high = np.array(box.min_m), np.array(box.max_m)
        of_the_box = np.all((v > low - 0.02) & (v < high + 0.02), axis=1)
        in_a_face = np.sum((v > low + 0.1) & (v < high - 0.1), axis=1) >= 2  # not at an edge
        chosen = of_the_box & in_a_face & (v[:, 2] > 0.15)
        assert chosen.sum() > 50
        ratio = np.median(mesh.rgb[chosen] / np.array(box.rgb), axis=0)
        assert np.all((ratio > 0.75) & (ratio < 1.2))


def test_points_lie_on_the_surface_with_normal_colour_and_time(memory):
    points = memory.points()
    assert len(points.position_m) == len(points.normal) == len(points.rgb) == len(points.last_seen_ns) > 10_000
    distance = room.distance_to_surface_m(points.position_m)
    assert np.median(distance) < VOXEL_M / 6 and np.mean(distance < VOXEL_M / 2) > 0.95
    stamps = {k.stamp_ns for k in memory.trajectory()}
    assert set(points.last_seen_ns.tolist()) <= stamps and len(set(points.last_seen_ns.tolist())) == LAP
    stamp_of = {k.lsn: k.stamp_ns for k in memory.trajectory()}
    assert [stamp_of[lsn] for lsn in points.first_lsn.tolist()] == points.first_seen_ns.tolist()
    assert (points.first_seen_ns <= points.last_seen_ns).all() and len(set(points.first_lsn.tolist())) > LAP // 2
    floor = (np.abs(points.position_m[:, 2]) < 0.02) & (np.abs(points.position_m[:, :2]).max(1) < 1.2)
    assert np.mean(points.normal[floor][:, 2] > 0.95) > 0.95


def test_an_empty_memory_has_an_empty_surface():
    with SpatialMemory.create(None, encoder="colours", config=mh.config()) as memory:
        assert memory.mesh().vertices_m.shape == (0, 3) and memory.mesh().triangles.shape == (0, 3)
        assert memory.points().position_m.shape == (0, 3)
        assert memory.free_space().state.size == 0
        assert memory.occupancy(np.zeros((2, 3))).tolist() == [UNKNOWN, UNKNOWN]
        assert np.isnan(memory.render(np.eye(4), room.room_camera(16, 12)).depth_m).all()


# --- free space


def test_occupancy_tells_never_looked_free_and_occupied_apart():
    with mh.create(None, [room.room_frame(i, 8, *VGA) for i in (0, 1, 7)]) as memory:
        inside_the_wall, behind_the_robot = (2.7, 0.0, 1.2), (-2.0, 0.0, 1.0)
        in_the_air, on_the_box = (0.6, 0.0, 1.2), (1.7 + 0.01, 0.0, 0.5)
        states = memory.occupancy([inside_the_wall, behind_the_robot, in_the_air, on_the_box])
        assert states.dtype == np.uint8 and states.tolist() == [UNKNOWN, UNKNOWN, FREE, OCCUPIED]
        assert memory.occupancy(np.zeros((0, 3))).shape == (0,)
        mh.observe_all(memory, [mh.at(room.room_frame(4, 8, *VGA), 50)])
        assert memory.occupancy(np.array([behind_the_robot])).tolist() == [FREE]


def test_free_space_becomes_free_where_a_thing_was():
    box = room.Box("red", (1.4, -0.3, 0.5), (2.0, 0.3, 1.1), (200, 25, 30))
    inside = np.array([[1.41, 0.02, 0.82]])
    with mh.create(None, [room.room_frame(0, 8, *VGA, boxes=[box])]) as memory:
        assert memory.occupancy(inside).tolist() == [OCCUPIED]
        mh.observe_all(memory, [mh.at(room.room_frame(i % 2, 8, *VGA, boxes=[]), 10 + i) for i in range(4)])
        assert memory.occupancy(inside).tolist() == [FREE]


def test_the_dense_box_agrees_with_single_points(memory):
    free = memory.free_space()
    assert free.state.ndim == 3 and set(np.unique(free.state)) == {UNKNOWN, FREE, OCCUPIED}
    index = np.argwhere(free.state >= 0)[:: free.state.size // 5000]
    centres = free.origin_m + (index + 0.5) * free.voxel_size_m
    np.testing.assert_array_equal(memory.occupancy(centres), free.state[tuple(index.T)])
    occupied = np.argwhere(free.state == OCCUPIED)
    distance = room.distance_to_surface_m(free.origin_m + (occupied + 0.5) * free.voxel_size_m)
    assert np.mean(distance < 1.2 * free.voxel_size_m) > 0.97
    air = free.origin_m + (np.argwhere(free.state == FREE) + 0.5) * free.voxel_size_m
    outside = np.any((air < np.array(room.ROOM_MIN_M) - 0.12) | (air > np.array(room.ROOM_MAX_M) + 0.12), axis=1)
    assert outside.mean() < 0.001
    volume = (free.state == FREE).sum() * free.voxel_size_m**3
    assert 0.4 * 50 < volume < 50  # of the 50 m3 of the room most were seen


# --- masks


def test_masked_pixels_do_not_enter_the_map():
    """The robot's own arm: a bright thing in front of the camera that is masked in every frame."""
    frames = []
    for i in range(4):
        frame = room.room_frame(i, 64)
        rgb, depth, valid = frame.rgb.copy(), frame.depth_m.copy(), np.ones(frame.depth_m.shape, bool)
        rgb[60:, 50:110], depth[60:, 50:110], valid[60:, 50:110] = (230, 30, 220), 0.5, False
        frames.append(mh.at(frame, i, rgb=rgb, depth_m=depth, valid=valid))
    with mh.create(None, frames) as masked, mh.create(None, [mh.at(f, f.seq, valid=None) for f in frames]) as plain:
        arm = g.apply(frames[0].world_from_camera, g.back_project(frames[0].depth_m, frames[0].camera)[70:110, 60:100])
        arm = arm.reshape(-1, 3)
        assert (plain.occupancy(arm) == OCCUPIED).mean() > 0.9 and (masked.occupancy(arm) == OCCUPIED).mean() == 0
        for memory, expected in ((plain, True), (masked, False)):
            points = memory.points()
            near = np.linalg.norm(points.position_m - frames[0].world_from_camera[:3, 3], axis=1) < 0.8
            assert near.any() == expected
            crop = np.full((16, 16, 3), (230, 30, 220), np.uint8)
            assert (len(memory.query(image=crop)) > 0) == expected
        view = masked.render(frames[0].world_from_camera, frames[0].camera)
        assert np.isnan(view.depth_m[80:, 70:90]).all()
