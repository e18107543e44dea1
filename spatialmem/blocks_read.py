"""Blocks as rows of the file hold them: what kernels trust is checked before any of them sees it."""

from __future__ import annotations

from spatialmem.errors import MemoryFileError
from spatialmem.store.block_codec import FreeBlock, SurfaceBlock, problem_of, unpack_free_block, unpack_surface_block
from spatialmem.store.rows import BlockRow
from spatialmem.store.schema import REBUILD_ADVICE


def surface_block_of(row: BlockRow, width: int) -> SurfaceBlock:
    """The block of a row, with features `width` wide. Raises `MemoryFileError` where it says what cannot be."""
    block = unpack_surface_block(row.data)
    wrong = problem_of(block, row.lsn, width)
    if wrong is not None:
        raise MemoryFileError(f"surface block {row.key} {wrong}; {REBUILD_ADVICE}")
    return block


def free_block_of(row: BlockRow) -> FreeBlock:
    """The block of a row. Raises `MemoryFileError` where it says what cannot be."""
    block = unpack_free_block(row.data)
    latest = max(int(block.last_free.max()), int(block.last_occupied.max()))
    if not 0 < latest <= row.lsn:  # a block that no frame changed is not written
        what = f"contains frames after its tag, {row.lsn}" if latest else "was seen by no frame"
        raise MemoryFileError(f"free-space block {row.key} {what}; {REBUILD_ADVICE}")
    return block
