"""Which blocks a frame allocates, against the exact crossings of its truncation band."""

from __future__ import annotations

import numpy as np
import pytest
from reference.segments import band_blocks, crossed_cells
from synthetic import room_frame
from voxel_scenes import FORWARD, WIDTH, camera, plane_depth, small_config, touched_blocks, view_of

from spatialmem.geometry import exp_se3
from spatialmem.voxels.surface import SurfaceGrid


def kernel_and_exact(frame_depth, pose, cam, **options):
    grid = SurfaceGrid(small_config(**options), WIDTH)
    view = view_of(grid, frame_depth, pose, cam)
    touched = touched_blocks(grid, grid.plan(view, 1).count)
    found = {tuple(int(c) for c in block) for block in touched}
    assert len(found) == len(touched), "no block is listed twice"
    stride = view.touch_stride(grid.config)
    return found, band_blocks(view.packed, cam, pose, float(grid.grid.voxel), float(grid.grid.truncation), stride)


def assert_covers(found, exact):
    """Nothing outside the band, and every block in it (but for a corner grazed within rounding)."""
    assert {block for block, length in exact.items() if length > 1e-6} <= found <= exact.keys()
    assert len(found) > 10


@pytest.mark.parametrize("step", range(8))
@pytest.mark.parametrize(("width", "voxel_m"), [(80, 0.04), (240, 0.02)])
def test_room(step, width, voxel_m):
    frame = room_frame(step, 8, width, width * 3 // 4)
    assert_covers(*kernel_and_exact(frame.depth_m, frame.world_from_camera, frame.camera, voxel_size_m=voxel_m))


@pytest.mark.parametrize("seed", range(6))
def test_any_pose_and_negative_coordinates(seed):
    rng = np.random.default_rng(seed)
    pose = exp_se3(np.concatenate([rng.normal(size=3) * 5, rng.normal(size=3)]))
    depth = plane_depth(camera(), rng.uniform(0.5, 3.0), (*rng.uniform(-0.7, 0.7, 2), -1.0))
    assert_covers(*kernel_and_exact(depth, pose, camera()))


def test_workspace_keeps_blocks_out():
    frame = room_frame(0, 8, 80, 60)
    box = (0.0, -1.0, 0.0, 2.6, 1.0, 1.0)
    found, exact = kernel_and_exact(frame.depth_m, frame.world_from_camera, frame.camera, workspace_m=box)
    edge = 8 * 0.04
    low, high = np.floor(np.array(box[:3]) / edge), np.floor(np.array(box[3:]) / edge)
    inside = {b: length for b, length in exact.items() if (low <= b).all() and (b <= high).all()}
    assert 10 < len(inside) < len(exact)
    assert_covers(found, inside)


def test_no_reading_no_block():
    grid = SurfaceGrid(small_config(), WIDTH)
    view = view_of(grid, np.full((60, 80), np.nan), FORWARD, camera())
    assert grid.plan(view, 1).count == 0 and len(grid) == 0


def test_list_of_blocks_grows():
    frame = room_frame(0, 8, 160, 120)
    found, exact = kernel_and_exact(frame.depth_m, frame.world_from_camera, frame.camera, voxel_size_m=0.015)
    assert len(found) > 512  # longer than the list starts out
    assert_covers(found, exact)


def test_reference_crossings_of_a_diagonal():
    cells = [cell for cell, _, _ in crossed_cells((0.5, 0.25, -0.5), (2.5, 1.5, -0.5))]
    assert cells == [(0, 0, -1), (1, 0, -1), (1, 1, -1), (2, 1, -1)]
    lengths = [high - low for _, low, high in crossed_cells((0.2, 0.3, 0.4), (-3.1, 2.2, 0.9))]
    assert abs(sum(lengths) - 1.0) < 1e-12
