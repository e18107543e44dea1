"""Fusion of several frames against the float64 reference."""

from __future__ import annotations

import numpy as np
import pytest
from reference.fusion import ReferenceGrid, bilinear
from synthetic import look, room_frame
from voxel_scenes import (
    FORWARD,
    WIDTH,
    assert_same_map,
    camera,
    contents,
    fuse,
    patch_features,
    plane_depth,
    small_config,
    smooth_rgb,
    threads,
    touched_blocks,
    view_of,
)

from spatialmem.errors import OutOfRoom
from spatialmem.voxels import pools
from spatialmem.voxels.integrate import merge_blocks
from spatialmem.voxels.surface import SurfaceGrid

VOXEL = float(np.float32(0.04))


class Pair:
    """The grid under test and the reference, fed with the same frames."""

    def __init__(self, **options) -> None:
        self.grid = SurfaceGrid(small_config(**options), WIDTH)
        self.reference = ReferenceGrid(float(self.grid.grid.voxel), float(self.grid.grid.truncation), WIDTH)

    def add(self, depth, pose, cam, lsn, rgb, features=None) -> None:
        view = view_of(self.grid, depth, pose, cam)
        plan = self.grid.plan(view, lsn)
        touched = touched_blocks(self.grid, plan.count)
        self.grid.apply(plan, rgb, features)
        self.reference.fuse(touched, view.packed.astype(np.int64), cam, pose, lsn, rgb, features)

    def blocks(self):
        """Pairs of (fields of `contents`, reference block), observed blocks only."""
        held = contents(self.grid)
        observed = {key: b for key, b in self.reference.blocks.items() if b.weight.any()}
        assert held.keys() == observed.keys()
        return [(held[key], observed[key]) for key in held]


def assert_pair(pair: Pair, least_sure: float = 0.98) -> None:
    sure, voxels, rows, off = 0, 0, 0, []
    for (dist, weight, row_voxels, feature, colour, colour_n, feature_n, first, last, doubt), block in pair.blocks():
        ok = block.sure
        sure, voxels = sure + ok.sum(), voxels + ok.size
        np.testing.assert_array_equal(weight[ok], block.weight[ok])
        assert np.abs(dist[ok] - block.dist[ok]).max(initial=0) <= 1
        has_row = np.zeros(512, bool)
        has_row[row_voxels] = True
        np.testing.assert_array_equal(has_row[ok], block.has_row[ok])
        kept = ok[row_voxels]
        at = row_voxels[kept]
        rows += len(at)
        np.testing.assert_array_equal(colour_n[kept], block.colour_count[at])
        np.testing.assert_array_equal(feature_n[kept], block.feature_count[at])
        np.testing.assert_array_equal(first[kept], block.first[at])
        np.testing.assert_array_equal(last[kept], block.last[at])
        assert (doubt[kept] == 0).all()
        assert np.abs(colour[kept].astype(int) - block.colour[at]).max(initial=0) <= 1
        off.append(np.abs(feature[kept].view(np.float16) - block.feature[at]))
    off = np.concatenate(off)
    assert (off > 0).mean() < 0.001 and off.max() <= 2.0**-8  # a mean so near a half that float32 rounds it elsewhere
    assert sure > least_sure * voxels and rows > 300


@pytest.mark.parametrize("truncation_voxels", [3.0, 4.5])
def test_a_walk_through_the_room(truncation_voxels):
    pair = Pair(truncation_voxels=truncation_voxels)
    for lsn in range(1, 7):
        frame = room_frame(lsn, 24, 80, 60, noise=True)
        features = patch_features(lsn) if lsn % 2 else None
        pair.add(frame.depth_m, frame.world_from_camera, frame.camera, lsn, smooth_rgb(frame.camera, lsn), features)
    assert_pair(pair)


def test_a_long_look_reaches_every_cap():
    cam = camera(48, 36)
    pair = Pair()
    for lsn in range(1, 41):
        pose = look((0.0, 0.01 * (lsn % 5), 1.0), (1.0, 0.02 * (lsn % 3), 0.0))
        features = patch_features(lsn)
        pair.add(plane_depth(cam, 1.0 + 0.002 * (lsn % 7)), pose, cam, lsn, smooth_rgb(cam, lsn), features)
    assert_pair(pair, least_sure=0.95)
    held = list(contents(pair.grid).values())
    assert max(f[1].max() for f in held) == 255
    assert max(f[5].max(initial=0) for f in held) == max(f[6].max(initial=0) for f in held) == 32


def test_a_frontal_wall_by_hand():
    cam = camera()
    grid = SurfaceGrid(small_config(), WIDTH)
    fuse(grid, np.full((60, 80), 1.5, np.float32), FORWARD, cam, 7, np.full((60, 80, 3), (10, 20, 200), np.uint8))
    block, voxel = (1.5 / VOXEL) // 8, int(1.5 / VOXEL) % 8  # voxels along +x, straight ahead of the camera
    dist, weight, rows, _, colour, *_, first, last, doubt = contents(grid)[(int(block), 0, int(1.0 / VOXEL) // 8)]
    i = int(1.0 / VOXEL) % 8 * 64 + voxel
    centre = (block * 8 + voxel + 0.5) * VOXEL
    assert abs(dist[i] / 32767 * 3 * VOXEL - (1.5 - centre)) < 1e-5
    assert weight[i] == 8 and i in rows
    at = list(rows).index(i)
    assert tuple(colour[at]) == (2560, 5120, 51200) and first[at] == last[at] == 7 and doubt[at] == 0


def test_space_in_front_of_and_behind_the_band_is_untouched():
    grid = SurfaceGrid(small_config(), WIDTH)
    fuse(grid, np.full((60, 80), 1.5, np.float32), FORWARD, camera(), 1)
    for (bx, _, _), fields in contents(grid).items():
        x = (8 * bx + np.arange(512) % 8 + 0.5) * VOXEL
        assert (np.abs(x - 1.5)[fields[1] > 0] <= 3 * VOXEL + 1e-5).all()
        assert (np.abs(x - 1.5)[fields[2]] <= VOXEL + 1e-5).all()


def test_rows_read_the_patch_they_project_to():
    cam = camera()
    grid = SurfaceGrid(small_config(), WIDTH)
    features = np.zeros((2, 2, WIDTH), np.float32)
    features[0, 0, 0] = features[0, 1, 1] = features[1, 0, 2] = features[1, 1, 3] = 1.0
    fuse(grid, np.full((60, 80), 1.5, np.float32), FORWARD, cam, 1, features=features)
    seen = set()
    for (_, by, bz), fields in contents(grid).items():
        y = (8 * by + fields[2] // 8 % 8 + 0.5) * VOXEL
        z = (8 * bz + fields[2] // 64 + 0.5) * VOXEL - 1.0
        far = (np.abs(y) > 0.6) & (np.abs(z) > 0.5)  # beyond the patch centres, where one patch counts alone
        patch = (y < 0) + 2 * (z < 0)
        value = fields[3].view(np.float16).astype(float)
        assert (value[far].argmax(1) == patch[far]).all() and (value[far].max(1) > 0.99).all()
        seen |= set(patch[far])
    assert seen == {0, 1, 2, 3}


def test_bilinear_reference_is_exact_for_a_linear_field():
    cam = camera()
    j, i = np.indices((6, 8))
    field = np.stack([2.0 * i - j, i + 0.5 * j], axis=-1)
    value = bilinear(field, 33.0, 21.0, cam)
    gu, gv = 33.5 / 10 - 0.5, 21.5 / 10 - 0.5
    np.testing.assert_allclose(value, [2 * gu - gv, gu + 0.5 * gv])


def walk(grid, lsns):
    for lsn in lsns:
        frame = room_frame(lsn, 24, 80, 60)
        fuse(grid, frame.depth_m, frame.world_from_camera, frame.camera, lsn, frame.rgb, patch_features(lsn))


def test_planning_changes_nothing():
    grid = SurfaceGrid(small_config(), WIDTH)
    walk(grid, [1, 2])
    before = contents(grid)
    frame = room_frame(9, 24, 80, 60)
    grid.plan(view_of(grid, frame.depth_m, frame.world_from_camera, frame.camera), 3)
    assert_same_map(contents(grid), before)
    walk(grid, [3])
    fresh = SurfaceGrid(small_config(), WIDTH)
    walk(fresh, [1, 2, 3])
    assert_same_map(contents(grid), contents(fresh))


def test_reset_then_fusing_again_equals_a_fresh_grid():
    grid, fresh = (SurfaceGrid(small_config(), WIDTH) for _ in range(2))
    walk(grid, [9, 10, 11])
    grid.reset()
    assert len(grid) == 0 and contents(grid) == {}
    walk(grid, [1, 2, 3])
    walk(fresh, [1, 2, 3])
    assert_same_map(contents(grid), contents(fresh))
    assert (grid.pools.counters == fresh.pools.counters).all()


def test_a_block_that_contains_the_frame_is_left_alone():
    once, twice = (SurfaceGrid(small_config(), WIDTH) for _ in range(2))
    walk(once, [1, 2, 3])
    walk(twice, [1, 2, 3])
    twice.pools.contains[: len(twice)] = 3
    walk(twice, [2, 3])
    assert_same_map(contents(twice), contents(once))
    walk(once, [4])
    walk(twice, [4])
    assert_same_map(contents(twice), contents(once))


def test_changed_says_which_frame_changed_a_block_last():
    grid = SurfaceGrid(small_config(), WIDTH)
    walk(grid, [1])
    first = {tuple(k) for k in contents(grid)}
    cam = camera()
    fuse(grid, plane_depth(cam, 1.0), look((50.0, 0.0, 1.0), (1.0, 0.0, 0.0)), cam, 2)
    used = len(grid)
    held = [k for k in contents(grid) if k not in first]
    changed = grid.pools.changed[:used]
    observed = grid.pools.weight[:used].any(1)
    assert (changed == 2).sum() == len(held) > 0 and (changed == 1).sum() == len(first)
    assert (changed[observed] > 0).all() and (changed[~observed] == 0).all()


def test_out_of_blocks_leaves_the_map_unchanged():
    grid = SurfaceGrid(small_config(voxel_size_m=0.01, ram_bytes=16 << 20), WIDTH)
    cam = camera(40, 30)
    fuse(grid, plane_depth(cam, 0.5), FORWARD, cam, 1)
    before = contents(grid)
    frame = room_frame(0, 8, 160, 120)
    with pytest.raises(OutOfRoom, match="ram_bytes"):
        grid.plan(view_of(grid, frame.depth_m, frame.world_from_camera, frame.camera), 2)
    assert_same_map(contents(grid), before)
    fuse(grid, plane_depth(cam, 0.5), FORWARD, cam, 2)  # what is there can still be refined
    assert max(f[8].max(initial=0) for f in contents(grid).values()) == 2


def test_out_of_pages_leaves_the_map_unchanged():
    grid, untouched = (SurfaceGrid(small_config(), WIDTH) for _ in range(2))
    walk(grid, [1])
    walk(untouched, [1])
    before, free = contents(grid), grid.pools.counters[pools.PAGES_FREE]
    grid.pools.counters[pools.PAGES_FREE] = 3
    frame = room_frame(12, 24, 80, 60)
    with pytest.raises(OutOfRoom, match="pages"):
        grid.plan(view_of(grid, frame.depth_m, frame.world_from_camera, frame.camera), 2)
    assert_same_map(contents(grid), before)
    assert grid.pools.counters[pools.PAGES_FREE] == 3
    grid.pools.counters[pools.PAGES_FREE] = free
    for g in (grid, untouched):
        walk(g, [2, 3])
    assert_same_map(contents(grid), contents(untouched))


def test_the_last_page_is_used():
    frame = room_frame(1, 24, 80, 60)
    given = (frame.depth_m, frame.world_from_camera, frame.camera)
    probe = SurfaceGrid(small_config(), WIDTH)
    free = probe.pools.counters[pools.PAGES_FREE]
    fuse(probe, *given, 1)
    needed = free - probe.pools.counters[pools.PAGES_FREE]
    grid = SurfaceGrid(small_config(), WIDTH)
    grid.pools.counters[pools.PAGES_FREE] = needed
    fuse(grid, *given, 1)
    assert grid.pools.counters[pools.PAGES_FREE] == 0
    assert_same_map(contents(grid), contents(probe))


@pytest.mark.parametrize("count", [1, 3])
def test_pages_belong_to_one_block_each(count):
    grid = SurfaceGrid(small_config(), WIDTH)
    with threads(count):
        walk(grid, [1, 2, 3])
    p = grid.pools
    taken = [p.pages[b, : -(-p.n_rows[b] // pools.PAGE)] for b in range(len(grid))]
    rest = p.free_pages[: p.counters[pools.PAGES_FREE]]
    everything = np.concatenate([*taken, rest])
    np.testing.assert_array_equal(np.sort(everything), np.arange(len(p.free_pages)))
    for b in range(len(grid)):
        slots = p.slot[b][p.slot[b] > 0]
        np.testing.assert_array_equal(np.sort(slots), np.arange(1, p.n_rows[b] + 1))


def test_merging_is_a_compiled_range_kernel():
    assert merge_blocks.targetoptions["nogil"] and not merge_blocks.targetoptions.get("fastmath")


@pytest.mark.parametrize("view", [lambda rgb: rgb[..., ::-1], lambda rgb: rgb[:, ::-1], np.asfortranarray])
def test_colours_that_do_not_lie_in_one_piece_are_fused_alike(view):
    cam, grids = camera(), [SurfaceGrid(small_config(), WIDTH) for _ in range(2)]
    rgb = view(smooth_rgb(cam))
    for grid, given in zip(grids, (rgb, np.ascontiguousarray(rgb)), strict=True):
        fuse(grid, plane_depth(cam, 1.5), FORWARD, cam, 1, given)
    assert not rgb.flags.c_contiguous
    assert_same_map(contents(grids[0]), contents(grids[1]))
