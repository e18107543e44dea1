"""Blocks in the pools as rows of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spatialmem.store.block_codec import CODEC_EXACT, FreeBlock, pack_free_block, pack_surface_planes
from spatialmem.store.rows import BlockRow
from spatialmem.voxels.change import blocks_of
from spatialmem.voxels.free_pools import FreePools
from spatialmem.voxels.planes import planes_of
from spatialmem.voxels.pools import Pools


def surface_rows(pools: Pools, blocks: NDArray[np.integer], lsns: Sequence[int]) -> Iterator[BlockRow]:
    """The blocks (N,) as they stand; each contains every frame up to its lsn."""
    width, packed = pools.feature.shape[1], planes_of(pools, blocks)
    for key, lsn, (rows, content) in zip(pools.keys[blocks].tolist(), lsns, packed, strict=True):
        yield BlockRow(key, lsn, CODEC_EXACT, pack_surface_planes(content, rows, width))


def free_rows(pools: FreePools, blocks: NDArray[np.integer], lsns: Sequence[int]) -> Iterator[BlockRow]:
    """As `surface_rows`, of free space."""
    for key, lsn, block in zip(pools.keys[blocks].tolist(), lsns, blocks.tolist(), strict=True):
        content = FreeBlock(pools.log_odds[block], pools.last_free[block], pools.last_occupied[block])
        yield BlockRow(key, lsn, CODEC_EXACT, pack_free_block(content))


def tags(pools: Pools | FreePools, blocks: NDArray[np.integer], lsn: int) -> list[int]:
    """The last frame that each of the blocks contains, after frame `lsn`; one from a file or an earlier time is ahead
    of it."""
    return np.maximum(pools.contains[blocks], lsn).tolist()


def note_written(pools: Pools | FreePools, rows: Sequence[BlockRow]) -> None:
    """The file holds these rows: a block that does not change again need not be written again."""
    blocks = blocks_of(pools, np.array([row.key for row in rows], np.int64))
    lsns = np.array([row.lsn for row in rows], np.uint32)[blocks >= 0]
    blocks = blocks[blocks >= 0]
    pools.contains[blocks] = np.maximum(pools.contains[blocks], lsns)
