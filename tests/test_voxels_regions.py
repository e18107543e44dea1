"""Connected regions against a flood fill."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.voxels.regions import connected_regions

COORDINATES = st.lists(st.tuples(*[st.integers(-9, 9)] * 3), max_size=60)
FAR = st.lists(st.tuples(*[st.sampled_from((-900_001, -900_000, -4, -3, 0, 3, 899_998, 900_000))] * 3), max_size=40)
NEIGHBOURS = [step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]


def flood(voxels, gap):
    """Regions as lists of the voxels' numbers, largest first, equal ones by their first voxels."""
    members = {}
    for n, voxel in enumerate(voxels):
        members.setdefault(tuple(c // gap for c in voxel), []).append(n)
    regions, left = [], set(members)
    for start in members:
        if start not in left:
            continue
        left.discard(start)
        reached, pending = [], [start]
        while pending:
            cell = pending.pop()
            reached += members[cell]
            around = {tuple(c + s for c, s in zip(cell, step, strict=True)) for step in NEIGHBOURS} & left
            left -= around
            pending += around
        regions.append(sorted(reached))
    return sorted(regions, key=lambda region: (-len(region), region[0]))


def found(voxels, gap):
    regions = connected_regions(np.array(voxels, np.int64).reshape(-1, 3), gap)
    assert [regions.size(r) for r in range(len(regions))] == [len(regions.members(r)) for r in range(len(regions))]
    return [regions.members(r).tolist() for r in range(len(regions))]


@given(st.one_of(COORDINATES, FAR), st.integers(1, 4))
def test_equals_a_flood_fill(voxels, gap):
    assert found(voxels, gap) == flood(voxels, gap)


@given(COORDINATES, st.randoms(use_true_random=False))
def test_the_order_of_the_voxels_does_not_matter(voxels, random):
    shuffled = random.sample(voxels, len(voxels))
    one = sorted(sorted(voxels[n] for n in region) for region in found(voxels, 2))
    assert one == sorted(sorted(shuffled[n] for n in region) for region in found(shuffled, 2))


def test_a_gap_parts_and_a_corner_joins():
    assert found([(0, 0, 0), (1, 1, 1)], 1) == [[0, 1]]
    assert found([(0, 0, 0), (2, 0, 0)], 1) == [[0], [1]]
    assert found([(0, 0, 0), (3, 0, 0)], 2) == [[0, 1]]
    assert found([(0, 0, 0), (4, 0, 0)], 2) == [[0], [1]]
    assert found([(-1, 0, 0), (0, 0, 0)], 2) == [[0, 1]]


def test_a_long_snake_is_one_region():
    ends = np.cumsum(np.random.default_rng(5).integers(-1, 2, (5000, 3)), axis=0)
    order = np.random.default_rng(6).permutation(len(ends))
    regions = connected_regions(ends[order], 1)
    assert len(regions) == 1 and regions.size(0) == 5000
    np.testing.assert_array_equal(regions.members(0), np.arange(5000))


def test_no_voxels_no_regions():
    assert len(connected_regions(np.zeros((0, 3), np.int64))) == 0
