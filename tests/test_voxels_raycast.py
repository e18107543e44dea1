"""Ray casting against analytic scenes and against a brute-force march through the same grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.march import DenseField, march, march_across
from synthetic import look, render_room, room_camera, room_frame, room_pose
from voxel_scenes import FORWARD, WIDTH, camera, fuse, patch_features, plane_depth, small_config, smooth_rgb

from spatialmem.types import Camera
from spatialmem.voxels import raycast
from spatialmem.voxels.allocate import add_block
from spatialmem.voxels.cast import GAP_VOXELS, cast_depth, depth_ranges, keys_at_hand
from spatialmem.voxels.integrate import DIST_ONE
from spatialmem.voxels.keys import pack_key
from spatialmem.voxels.surface import SurfaceGrid
from spatialmem.voxels.views import pinhole

VOXEL = float(np.float32(0.04))


@pytest.fixture(scope="module")
def room():
    grid = SurfaceGrid(small_config(ram_bytes=128 << 20), WIDTH)
    for lsn in range(1, 17):
        frame = room_frame(lsn, 16, 120, 90)
        fuse(grid, frame.depth_m, frame.world_from_camera, frame.camera, lsn, frame.rgb, patch_features(lsn))
    return grid


@pytest.fixture(scope="module")
def field(room):
    used = len(room)
    return DenseField(room.pools.keys[:used], room.pools.dist[:used], room.pools.weight[:used])


def rays(cam, pose, stride=1, offset=0):
    v, u = np.mgrid[offset : cam.height : stride, offset : cam.width : stride]
    ray = np.stack([(u - cam.cx) / cam.fx, (v - cam.cy) / cam.fy, np.ones(u.shape)], axis=-1)
    return ray @ pose[:3, :3].T


def cast(grid, pose, cam, stride=1, offset=0):
    return cast_depth(grid.pools, grid.grid, pose, cam, stride, offset)


def away_from_edges(depth, reach=3, share=0.02):
    """Pixels whose surroundings have no jump and no crease of depth."""
    smooth = np.ones(depth.shape, bool)
    for axis in (0, 1):
        inverse = 1.0 / depth
        bend = np.abs(np.diff(inverse, 2, axis=axis)) * np.take(depth, range(1, depth.shape[axis] - 1), axis)
        rough = np.pad(bend > share, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], constant_values=True)
        for shift in range(-reach, reach + 1):
            smooth &= ~np.roll(rough, shift, axis=0) & ~np.roll(rough, shift, axis=1)
    return smooth


@pytest.mark.parametrize("normal", [(0, 0, -1), (0.5, 0, -1), (0, -0.6, -1), (-0.3, 0.6, -1)])
def test_a_plane_is_where_it_was_measured(normal):
    cam = camera()
    grid = SurfaceGrid(small_config(), WIDTH)
    depth = plane_depth(cam, 1.5, normal)
    fuse(grid, depth, FORWARD, cam, 1)
    seen = cast(grid, FORWARD, cam)
    assert not np.isnan(seen[2:-2, 2:-2]).any()
    error = np.abs(seen - depth)[4:-4, 4:-4]  # at the rim some corners of the interpolation were never seen
    assert np.quantile(error, 0.995) < 0.5 * VOXEL and np.median(error) < 0.08 * VOXEL


@pytest.mark.parametrize("position", [(-0.7, 0.5, 1.2), (0.4, -0.3, 0.8), (0.0, 0.0, 1.3)])
def test_a_plane_from_elsewhere(position):
    cam = camera()
    grid = SurfaceGrid(small_config(), WIDTH)
    fuse(grid, np.full((60, 80), 1.8, np.float32), FORWARD, cam, 1)  # the plane x = 1.8
    pose = look(position, (1.8 - position[0], -position[1], 1.0 - position[2]))
    direction = rays(cam, pose)
    expected = (1.8 - position[0]) / direction[..., 0]
    seen = cast(grid, pose, cam)
    hit = ~np.isnan(seen)
    assert np.abs(seen - expected)[hit].max() < 0.5 * VOXEL
    point = np.array(position) + expected[..., None] * direction
    covered = (np.abs(point[..., 1]) < 1.1) & (np.abs(point[..., 2] - 1.0) < 0.8)
    assert covered.sum() > 500 and hit[covered].all()


@pytest.mark.parametrize("step", [0, 3, 6, 9, 13])
def test_the_room_from_where_it_was_seen(room, step):
    cam, pose = room_camera(80, 60), room_pose(step, 16)
    _, depth = render_room(pose, cam)
    seen, smooth = cast(room, pose, cam), away_from_edges(depth)
    assert smooth.mean() > 0.3
    assert not np.isnan(seen[smooth]).any(), "holes in a surface that was fully observed"
    error = np.abs(seen - depth)[smooth]
    assert error.max() < 0.5 * VOXEL and np.median(error) < 0.15 * VOXEL
    assert np.isnan(seen).mean() < 0.02


@pytest.mark.parametrize("step", [0.5, 4.5, 11.25])
def test_the_room_from_between(room, step):
    cam = room_camera(80, 60)
    pose = room_pose(step, 16)
    pose[:3, 3] += (0.1, -0.15, 0.1)
    _, depth = render_room(pose, cam)
    seen, smooth = cast(room, pose, cam), away_from_edges(depth)
    assert not np.isnan(seen[smooth]).any()
    assert np.abs(seen - depth)[smooth].max() < 0.5 * VOXEL


@pytest.mark.parametrize("step", [0.0, 2.3, 7.7, 12.6])
def test_equals_a_march_in_tiny_steps(room, field, step):
    cam, pose = camera(60, 45), room_pose(step, 16)
    pose[:3, 3] += (0.2, 0.1, -0.2)
    seen = cast_depth(room.pools, room.grid, pose, cam, gap_voxels=0.0)
    direction = rays(cam, pose).reshape(-1, 3) / VOXEL
    marched = march(field, pose[:3, 3] / VOXEL, direction, 0.05, 5.5, 0.1 * VOXEL).reshape(seen.shape)
    both = ~np.isnan(seen) & ~np.isnan(marched)
    assert both.mean() > 0.9
    assert (np.isnan(seen) == np.isnan(marched)).mean() > 0.985
    assert (np.isnan(seen) & ~np.isnan(marched)).mean() <= 0.001, "missed"
    error = (seen - marched)[both]
    assert (error > 0.5 * VOXEL).mean() <= 0.002, "surfaces that were stepped over"
    within_95, within_985 = np.quantile(np.abs(error), (0.95, 0.985))
    assert within_95 < 0.02 * VOXEL and within_985 < 0.05 * VOXEL


@pytest.mark.parametrize(("stride", "offset"), [(1, 0), (8, 4), (3, 1), (8, 0)])
@pytest.mark.parametrize("step", [0.3, 5.5, 10.0])
def test_tile_ranges_never_cut_a_hit(room, stride, offset, step):
    cam, pose = Camera(70.0, 55.0, 33.0, 21.5, 85, 61), room_pose(step, 16)
    pose[:3, 3] = (1.2, 0.4, 1.6)  # among the blocks, some of them behind
    seen = cast(room, pose, cam, stride, offset)
    rows, columns = seen.shape
    near, far = depth_ranges(keys_at_hand(room.pools), room.grid, pose, cam, stride, offset, (rows, columns))
    full = np.empty_like(seen)
    raycast.cast_rows(0, rows, room.pools, pose, pinhole(cam), VOXEL, float(room.grid.truncation), 1, GAP_VOXELS,
                      stride, offset, np.full(near.shape, 0.05), np.full(far.shape, 60.0), full)  # fmt: skip
    j, i = np.nonzero(~np.isnan(full))
    tile = (j // raycast.TILE, i // raycast.TILE)
    assert len(j) > 0.7 * full.size
    assert (near[tile] <= full[j, i]).all() and (full[j, i] <= far[tile]).all()
    agree = np.isnan(seen) == np.isnan(full)
    assert agree.mean() > 0.99 and np.nanquantile(np.abs(seen - full), 0.99) < 0.25 * VOXEL


def test_rays_of_a_strided_cast_are_those_pixels(room):
    cam, pose = room_camera(120, 90), room_pose(3, 16)
    whole = cast(room, pose, cam)
    for stride, offset in ((8, 4), (5, 2)):
        part = cast(room, pose, cam, stride, offset)
        picked = whole[offset::stride, offset::stride]
        assert part.shape == picked.shape
        assert (np.isnan(part) == np.isnan(picked)).mean() > 0.99
        assert np.nanquantile(np.abs(part - picked), 0.99) < 0.25 * VOXEL


def columns_of(distances):
    """A grid of one block at the origin whose voxels have the distance (voxels) of their x, or were not observed."""
    grid = SurfaceGrid(small_config(), WIDTH)
    block = add_block(grid.pools, pack_key(0, 0, 0))
    assert block == 0
    known = ~np.isnan(distances)
    grid.pools.dist[block] = np.tile(np.where(known, np.nan_to_num(distances) / 3.0 * DIST_ONE, 0).astype(np.int16), 64)
    grid.pools.weight[block] = np.tile(np.where(known, 8, 0).astype(np.uint8), 64)
    grid.pools.changed[block] = 1
    return grid


AT_THE_BLOCK = look((-0.5, 4 * VOXEL, 4 * VOXEL), (1.0, 0.0, 0.0))
NARROW = Camera(400.0, 400.0, 29.5, 29.5, 60, 60)
NONE = np.nan


def shares_hit(distances):
    """Share of rays with a surface, from eyes at several phases of the march; and their x in voxels."""
    grid, found = columns_of(np.array(distances)), []
    for phase in np.linspace(0, VOXEL, 9):
        pose = AT_THE_BLOCK.copy()
        pose[0, 3] -= phase
        found.append((cast(grid, pose, NARROW) + pose[0, 3]) / VOXEL)
    x = np.concatenate(found)
    return (~np.isnan(x)).mean(), x[~np.isnan(x)]


def test_a_surface_is_inferred_in_one_unobserved_voxel_and_not_in_four():
    share, x = shares_hit([3.0, 2.0, 1.0, NONE, -1.0, -2.0, -3.0, NONE])  # at 3.5
    assert share == 1 and np.abs(x - 3.5).max() < 0.75
    assert shares_hit([1.5, NONE, NONE, NONE, NONE, -2.5, -3.0, NONE])[0] == 0
    assert shares_hit([3.0, 2.0, NONE, NONE, NONE, NONE, NONE, NONE])[0] == 0
    assert shares_hit([NONE, NONE, NONE, NONE, -1.0, -2.0, -3.0, NONE])[0] == 0
    assert shares_hit([-2.0, -1.0, NONE, 1.0, 2.0, 3.0, NONE, NONE])[0] == 0, "not from behind"


def test_an_inferred_surface_does_not_hide_an_observed_one():
    share, x = shares_hit([1.0, NONE, -0.5, -1.0, 1.0, 0.25, -0.75, -1.0])
    assert share == 1 and np.abs(x - 5.75).max() < 0.5


@given(st.lists(st.one_of(st.just(NONE), st.floats(-3.0, 3.0)), min_size=8, max_size=8))
def test_gaps_only_add_surfaces(distances):
    grid = columns_of(np.array(distances))
    observed = cast_depth(grid.pools, grid.grid, AT_THE_BLOCK, NARROW, gap_voxels=0.0)
    seen = cast(grid, AT_THE_BLOCK, NARROW)
    hit = ~np.isnan(observed)
    np.testing.assert_array_equal(seen[hit], observed[hit])


@pytest.mark.parametrize("step", [0.4, 5.3, 9.7])
def test_inferred_surfaces_are_those_of_a_march_in_tiny_steps(step):
    grid, cam = SurfaceGrid(small_config(), WIDTH), room_camera(120, 90)
    for lsn, at in enumerate((step - 0.4, step + 0.4), 1):
        fuse(grid, render_room(room_pose(at, 16), cam)[1], room_pose(at, 16), cam, lsn)
    used, pose = len(grid), room_pose(step, 16)
    field = DenseField(grid.pools.keys[:used], grid.pools.dist[:used], grid.pools.weight[:used])
    observed = cast_depth(grid.pools, grid.grid, pose, cam, gap_voxels=0.0)
    seen = cast(grid, pose, cam)
    inferred = ~np.isnan(seen) & np.isnan(observed)
    assert np.median(np.abs(seen - render_room(pose, cam)[1])[inferred]) < 0.5 * VOXEL
    unknown = np.isnan(observed)
    direction = rays(cam, pose)[unknown]
    depth_of_voxel_m = VOXEL / np.linalg.norm(direction, axis=-1)

    def marched(gap_voxels):
        gap_m = gap_voxels * depth_of_voxel_m
        return march_across(field, pose[:3, 3] / VOXEL, direction / VOXEL, 0.05, 5.5, 0.05 * VOXEL, gap_m)

    # the kernel takes two steps of 0.8 voxels in a gap, and one of up to 2.4 into it
    narrow, wide = np.isnan(marched(0.0)) & ~np.isnan(marched(1.6)), marched(4.0)
    assert narrow.sum() > 30 and inferred[unknown][narrow].mean() > 0.9
    assert (np.abs(wide - seen[unknown]) < VOXEL)[inferred[unknown]].mean() > 0.9


def test_an_empty_grid_and_a_view_away_from_it_have_no_surface():
    grid = SurfaceGrid(small_config(), WIDTH)
    cam = camera()
    assert np.isnan(cast(grid, FORWARD, cam)).all()
    fuse(grid, np.full((60, 80), 1.5, np.float32), FORWARD, cam, 1)
    assert np.isnan(cast(grid, look((0, 0, 1), (-1, 0, 0)), cam)).all()
    assert np.isnan(cast(grid, look((3.0, 0, 1), (-1, 0, 0)), cam)).all(), "surfaces show from their observed side only"


def test_shading_of_the_room(room, field):
    cam, pose = room_camera(80, 60), room_pose(2, 16)
    view = room.reading().render(pose, cam, features=True)
    rgb, depth = render_room(pose, cam)
    hit = ~np.isnan(view.depth_m)
    np.testing.assert_array_equal(hit, ~np.isnan(cast(room, pose, cam)))
    length = np.linalg.norm(view.normal, axis=-1)
    known = ~np.isnan(length)
    smooth = away_from_edges(depth) & hit
    assert known[hit].mean() > 0.96 and known[smooth].all() and not known[~hit].any()
    assert np.abs(length[known] - 1).max() < 1e-5
    expected = room_normals(pose, cam, depth)
    cosine = (view.normal * expected).sum(-1)[smooth]
    assert np.median(cosine) > 0.999 and np.quantile(cosine, 0.02) > 0.97
    assert np.median(np.abs(view.rgb.astype(int) - rgb)[smooth]) <= 2
    assert (view.rgb[~hit] == 0).all() and (view.feature[~hit] == 0).all()
    assert (np.linalg.norm(view.feature[smooth], axis=-1) > 0.05).mean() > 0.95
    points = pose[:3, 3] + view.depth_m[..., None] * rays(cam, pose)
    gradient = np.full_like(points, np.nan)
    gradient[hit] = field.gradient(points[hit] / VOXEL)
    there = ~np.isnan(gradient).any(-1)
    assert there[smooth].mean() > 0.9 and known[there].all()
    assert np.abs(gradient - view.normal)[there & smooth].max() < 1e-3


def room_normals(pose, cam, depth):
    """Axis-aligned normals of the room, towards the camera, from the analytic depth."""
    points = pose[:3, 3] + depth[..., None] * rays(cam, pose)
    normal = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    axis = np.abs(normal).argmax(-1)
    out = np.eye(3)[axis]
    return out * np.where((out * (points - pose[:3, 3])).sum(-1) > 0, -1.0, 1.0)[..., None]


@pytest.mark.parametrize(("normal", "most_unknown"), [((0, 0, -1), 0), ((0.5, 0.2, -1), 0), ((-0.3, 0.6, -1), 8)])
def test_normals_of_a_plane(normal, most_unknown):
    cam = camera()
    grid = SurfaceGrid(small_config(), WIDTH)
    for lsn in range(1, 4):
        fuse(grid, plane_depth(cam, 1.4, normal), FORWARD, cam, lsn, smooth_rgb(cam))
    view = grid.reading().render(FORWARD, cam)
    assert view.feature is None
    expected = FORWARD[:3, :3] @ (np.array(normal) / np.linalg.norm(normal))
    cosine = (view.normal @ expected)[4:-4, 4:-4]
    assert np.isnan(cosine).sum() <= most_unknown  # where the plane runs away, a pixel is wider than a voxel
    assert np.degrees(np.arccos(np.nanquantile(cosine, 0.03))) < 8.0
    assert np.abs(view.rgb.astype(int) - smooth_rgb(cam))[4:-4, 4:-4].max() <= 40
    assert np.median(np.abs(view.rgb.astype(int) - smooth_rgb(cam))[4:-4, 4:-4]) <= 4


def test_a_colour_comes_from_the_nearest_row():
    cam = camera()
    grid = SurfaceGrid(small_config(), WIDTH)
    rgb = np.zeros((60, 80, 3), np.uint8)
    rgb[:, 40:] = (250, 100, 50)
    fuse(grid, np.full((60, 80), 1.5, np.float32), FORWARD, cam, 1, rgb)
    view = grid.reading().render(FORWARD, cam)
    assert (view.rgb[:, 5:38] == 0).all() and (view.rgb[5:-5, 42:75] == (250, 100, 50)).all()
