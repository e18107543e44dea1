"""The flat arrays that hold the surface grid. Reserved once, never reallocated; the kernels share them as they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.keys import VOXELS, empty_table
from spatialmem.voxels.reserve import reserved

PAGE = 8
"""rows a page: a block's rows grow page by page"""
PAGES_PER_BLOCK = VOXELS // PAGE
_ROWS_PER_BLOCK = 112  # rows a typical surface block ends up with; only splits the reserve, limits nothing
_TYPICAL_PAGES = _ROWS_PER_BLOCK // PAGE


class Pools(NamedTuple):
    """Struct of arrays. B blocks, P pages, R = P * PAGE rows, D feature width."""

    table_keys: NDArray[np.int64]
    """open-addressing hash table: block keys, -1 where empty"""
    table_blocks: NDArray[np.int32]
    """block index of each entry"""
    keys: NDArray[np.int64]
    """(B,) key of each block"""
    dist: NDArray[np.int16]
    """(B, 512) signed distance / truncation x 32767"""
    weight: NDArray[np.uint8]
    """(B, 512) eighths of an observation"""
    slot: NDArray[np.uint16]
    """(B, 512) 1 + row within the block, 0 = none"""
    n_rows: NDArray[np.int32]
    """(B,) rows in use"""
    pages: NDArray[np.int32]
    """(B, 64) page numbers of the block's rows"""
    feature: NDArray[np.uint16]
    """(R, D) float16 bits"""
    colour: NDArray[np.uint16]
    """(R, 3) RGB x 256"""
    colour_weight: NDArray[np.uint8]
    feature_weight: NDArray[np.uint8]
    first: NDArray[np.uint32]
    """(R,) lsn of the first frame that agreed"""
    last: NDArray[np.uint32]
    """(R,) lsn of the latest frame that agreed"""
    doubt: NDArray[np.uint16]
    """(R,) 1 + lsn modulo 65535 of the first frame that saw through the voxel since, 0 = none"""
    contains: NDArray[np.uint32]
    """(B,) lsn whose frames the block already contains when it comes from a file; 0 = every frame applies"""
    changed: NDArray[np.uint32]
    """(B,) lsn of the last frame that changed the block"""
    free_blocks: NDArray[np.int32]
    """(B,) stack of unused blocks: the first B - counters[BLOCKS_USED]"""
    free_pages: NDArray[np.int32]
    """stack of unused pages"""
    counters: NDArray[np.int64]
    """[blocks in use, unused pages on the stack]"""


BLOCKS_USED, PAGES_FREE = 0, 1


def row_bytes(width: int) -> int:
    """Resident bytes of one row of feature width `width`."""
    return 2 * width + 3 * 2 + 1 + 1 + 2 * 4 + 2


def block_bytes() -> int:
    """Resident bytes of a block without its rows: marks and two hash tables at their emptiest included."""
    return VOXELS * (2 + 1 + 2) + PAGES_PER_BLOCK * 4 + 8 + 4 + 4 + 4 + 4 + 9 + 4 * 24


def capacity(ram_bytes: int, width: int) -> tuple[int, int]:
    """(blocks, pages) that fit into `ram_bytes` with the rows a typical surface has."""
    per_block = block_bytes() + _TYPICAL_PAGES * (PAGE * row_bytes(width) + 4)
    blocks = max(16, ram_bytes // per_block)
    return int(blocks), int(blocks * _TYPICAL_PAGES)


def reserve(blocks: int, pages: int, width: int, aside: tuple[int, int] = (0, 0)) -> Pools:
    """Empty pools. Memory is reserved from the system here and touched as blocks come into use.

    aside: so many blocks and pages more are reserved, and given out only by what `beside` makes.
    """
    free_blocks = np.arange(blocks - 1, -1, -1, dtype=np.int32)
    free_pages = np.arange(pages - 1, -1, -1, dtype=np.int32)
    counters = np.array([0, pages], dtype=np.int64)
    blocks, rows = blocks + aside[0], (pages + aside[1]) * PAGE
    table_keys, table_blocks = empty_table(blocks)
    return Pools(
        table_keys=table_keys, table_blocks=table_blocks,
        keys=reserved((blocks,), np.int64),
        dist=reserved((blocks, VOXELS), np.int16),
        weight=reserved((blocks, VOXELS), np.uint8),
        slot=reserved((blocks, VOXELS), np.uint16),
        n_rows=reserved((blocks,), np.int32),
        pages=reserved((blocks, PAGES_PER_BLOCK), np.int32),
        feature=reserved((rows, width), np.uint16),
        colour=reserved((rows, 3), np.uint16),
        colour_weight=reserved((rows,), np.uint8),
        feature_weight=reserved((rows,), np.uint8),
        first=reserved((rows,), np.uint32),
        last=reserved((rows,), np.uint32),
        doubt=reserved((rows,), np.uint16),
        contains=reserved((blocks,), np.uint32),
        changed=reserved((blocks,), np.uint32),
        free_blocks=free_blocks, free_pages=free_pages, counters=counters,
    )  # fmt: skip


def beside(pools: Pools) -> Pools:
    """The same blocks under a table of their own, which takes more blocks: into what `reserve` set aside."""
    blocks, pages = pools.free_blocks.shape[0], pools.free_pages.shape[0]
    every, every_page = pools.keys.shape[0], pools.first.shape[0] // PAGE
    return pools._replace(
        table_keys=pools.table_keys.copy(), table_blocks=pools.table_blocks.copy(),
        free_blocks=np.arange(every - 1, blocks - 1, -1, dtype=np.int32),
        free_pages=np.arange(every_page - 1, pages - 1, -1, dtype=np.int32),
        counters=np.array([0, every_page - pages], dtype=np.int64),
    )  # fmt: skip


def keys_alone(blocks: int) -> Pools:
    """Pools in which blocks have a key and nothing else: what lists the blocks of a frame needs no more."""
    dist, weight, slot = (np.zeros((blocks, 1), kind) for kind in (np.int16, np.uint8, np.uint16))
    return reserve(blocks, 0, 1)._replace(dist=dist, weight=weight, slot=slot)


def clear(pools: Pools) -> None:
    """Forget every block; the arrays stay reserved. Blocks are zeroed when they come into use again."""
    pools.table_keys.fill(-1)
    blocks, pages = pools.free_blocks.shape[0], pools.free_pages.shape[0]
    pools.free_blocks[:] = np.arange(blocks - 1, -1, -1, dtype=np.int32)
    pools.free_pages[:] = np.arange(pages - 1, -1, -1, dtype=np.int32)
    pools.counters[:] = (0, pages)
