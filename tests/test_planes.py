"""Blocks packed straight from the pools against the same of arrays."""

from __future__ import annotations

import memory_helpers as mh
import numpy as np
import pytest
from test_equality import walk

from spatialmem.store.block_codec import SurfaceBlock, pack_surface_block, pack_surface_planes
from spatialmem.voxels.blocks import keys_in_order, read_block
from spatialmem.voxels.change import distinct_blocks
from spatialmem.voxels.planes import planes_of


@pytest.fixture(scope="module")
def pools():
    with mh.create(None, walk(6)) as memory:
        yield memory._layers.surface.pools


def test_planes_of_the_pools_are_those_of_arrays(pools):
    keys = keys_in_order(pools)
    blocks = distinct_blocks(pools, keys)
    rows = 0
    for block, (n, content) in zip(blocks, planes_of(pools, blocks), strict=True):
        packed = pack_surface_planes(content, n, pools.feature.shape[1])
        assert packed == pack_surface_block(SurfaceBlock(*read_block(pools, block)))
        rows += n
    assert len(keys) > 100 and rows > 1000


def test_cleared_rows_are_left_out_and_high_bytes_kept(pools):
    rng = np.random.default_rng(8)
    cleared = rng.random(len(pools.colour_weight)) < 0.3
    pools.colour_weight[cleared] = 0
    for lsns in (pools.first, pools.last):
        lsns[:] = rng.integers(0, 2**32, len(lsns), np.uint32)
    pools.doubt[:] = rng.integers(0, 2**16, len(pools.doubt), np.uint16)
    pools.feature[:] = rng.integers(0, 2**16, pools.feature.shape, np.uint16)
    blocks = distinct_blocks(pools, keys_in_order(pools))
    for block, (n, content) in zip(blocks, planes_of(pools, blocks), strict=True):
        arrays = read_block(pools, block)
        assert n == len(arrays.first) and not (arrays.colour_weight == 0).any()
        assert pack_surface_planes(content, n, pools.feature.shape[1]) == pack_surface_block(SurfaceBlock(*arrays))
