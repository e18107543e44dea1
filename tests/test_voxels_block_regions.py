"""Regions and summaries of candidates against the plain flood fill and against numpy over every voxel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import look
from voxel_scenes import WIDTH, camera, small_config

from spatialmem.voxels.block_regions import candidate_regions
from spatialmem.voxels.blocks import BlockArrays, write_block
from spatialmem.voxels.keys import pack_key
from spatialmem.voxels.region_times import pixel_boxes, times_of
from spatialmem.voxels.regions import connected_regions
from spatialmem.voxels.search import Filter
from spatialmem.voxels.surface import SurfaceGrid

VOXEL_M = 0.04
LAST_LSN = 40
CAMERA = camera()
NEAR = st.lists(st.tuples(*[st.integers(-20, 20)] * 3), max_size=80, unique=True)
FAR = st.lists(st.tuples(*[st.sampled_from((-900_001, -900_000, -9, -8, -1, 0, 7, 8, 900_000))] * 3), unique=True)
DENSE = st.integers(0, 2**31).map(
    lambda seed: np.argwhere(np.random.default_rng(seed).random((20, 18, 17)) < 0.05 + 0.1 * (seed % 3)) - 9
)


def candidates(voxels):
    """Every voxel of a map that holds exactly these, entered in any order of blocks."""
    voxels = np.array(voxels, np.int64).reshape(-1, 3)
    grid = SurfaceGrid(small_config(ram_bytes=16 << 20), WIDTH)
    number = np.random.default_rng(len(voxels))
    blocks = voxels // 8
    for block in number.permutation(np.unique(blocks, axis=0)):
        x, y, z = (voxels[(blocks == block).all(1)] % 8).T
        has_row = np.zeros(512, bool)
        has_row[(z * 8 + y) * 8 + x] = True
        n = int(has_row.sum())
        first = number.integers(1, LAST_LSN, n).astype(np.uint32)
        arrays = BlockArrays(
            np.zeros(512, np.int16), np.full(512, 8, np.uint8), has_row, np.ones((n, WIDTH), np.uint16),
            np.ones((n, 3), np.uint16), np.ones(n, np.uint8), np.ones(n, np.uint8), first,
            number.integers(first, LAST_LSN + 1).astype(np.uint32), number.integers(0, 2, n).astype(np.uint16),
        )  # fmt: skip
        write_block(grid.pools, int(pack_key(*block)), arrays, 1)
    return grid.reading().search(None, 0.0, Filter())


@given(st.one_of(NEAR, FAR, DENSE))
def test_regions_equal_those_of_the_voxels(voxels):
    found = candidates(voxels)
    places = found.places()
    slow = connected_regions(found.voxels(places), gap=2)
    fast = candidate_regions(found)
    assert [fast.size(n) for n in range(len(fast))] == [slow.size(n) for n in range(len(slow))]
    for n in range(len(slow)):
        np.testing.assert_array_equal(np.sort(fast.members(n)), places[slow.members(n)])


@given(DENSE.filter(len), st.integers(1, 300))
def test_some_of_a_region_are_evenly_spread(voxels, count):
    regions = candidate_regions(candidates(voxels))
    for n in range(len(regions)):
        members = regions.members(n)
        expected = members if len(members) <= count else members[np.arange(count) * len(members) // count]
        np.testing.assert_array_equal(regions.some(n, count), expected)


@pytest.mark.parametrize("step", [(1, 0, 0), (0, -1, 0), (0, 0, 1), (1, 1, 0), (-1, 0, 1), (1, -1, 1), (-1, -1, -1)])
def test_blocks_join_across_faces_edges_and_corners(step):
    corner = np.where(np.array(step) > 0, 7, 0)
    near, apart = corner + np.array(step), corner + 3 * np.array(step)
    assert len(candidate_regions(candidates([corner, near]))) == 1
    assert len(candidate_regions(candidates([corner, apart]))) == 2


@given(st.one_of(NEAR, DENSE).filter(len))
def test_extent_and_times_equal_numpy(voxels):
    found = candidates(voxels)
    regions = candidate_regions(found)
    for n in range(min(3, len(regions))):
        members = regions.members(n)
        voxel = found.voxels(members)
        np.testing.assert_array_equal(regions.extent(n), [voxel.min(0), voxel.max(0)])
        times = times_of(found, found.rows(members), LAST_LSN)
        first, last, doubt = found.seen(found.rows(members))
        assert (times.first_lsn, times.doubted) == (first.min(), (doubt > 0).mean())
        assert regions.span(n, int(first[0]), int(last[0])) == (first.min(), last.max())
        lsns, counts = np.unique(last, return_counts=True)
        np.testing.assert_array_equal(times.last_lsns, lsns)
        np.testing.assert_array_equal(times.last_counts, counts)


@given(st.one_of(NEAR, DENSE).filter(len), st.integers(0, 2**31), st.booleans())
def test_times_by_the_clock_equal_numpy(voxels, seed, in_order):
    found = candidates(voxels)
    stamps = np.random.default_rng(seed).integers(0, 60, LAST_LSN + 1) * 10**9
    stamps = np.sort(stamps) if in_order else stamps
    regions = candidate_regions(found)
    for n in range(min(3, len(regions))):
        first, last, _ = found.seen(found.rows(regions.members(n)))
        both = stamps[np.concatenate([first, last])]
        span = regions.span(n, int(first[0]), int(last[0]))
        assert regions.seen_between(n, span, stamps) == (both.min(), both.max())


@given(DENSE.filter(len))
def test_pixel_boxes_equal_numpy(voxels):
    found = candidates(voxels)
    members = candidate_regions(found).members(0)
    last = found.seen(found.rows(members))[1]
    poses = {int(lsn): look((0.1 * lsn - 2.0, -1.5, 0.4), (0.1, 0.2, -0.1)) for lsn in np.unique(last)[:3]}
    frames = [(lsn, CAMERA, pose) for lsn, pose in poses.items()]
    boxes = pixel_boxes(found, members, last, VOXEL_M, frames)
    for box, (lsn, pose) in zip(boxes, poses.items(), strict=True):
        centres = (found.voxels(members[last == lsn]) + 0.5) * VOXEL_M
        local = (centres - pose[:3, 3]) @ pose[:3, :3]
        z = np.maximum(local[:, 2], 1e-3)
        u = np.clip(local[:, 0] / z * CAMERA.fx + CAMERA.cx, 0, CAMERA.width - 1)
        v = np.clip(local[:, 1] / z * CAMERA.fy + CAMERA.cy, 0, CAMERA.height - 1)
        np.testing.assert_allclose(box, (u.min(), v.min(), u.max(), v.max()), atol=1e-6)
