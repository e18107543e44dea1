"""Opening: the blocks of a file are put into RAM, the most valuable ones where there is no room for all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.blocks_read import free_block_of, surface_block_of
from spatialmem.layers import Layers, block_arrays
from spatialmem.residence import Residence, staleness
from spatialmem.store.block_codec import FreeBlock, SurfaceBlock
from spatialmem.store.block_store import BlockStore, FileBlocks, Layer, Spilled, Within, sizes
from spatialmem.store.file import MemoryFile
from spatialmem.store.rows import BlockRow
from spatialmem.voxels.pools import PAGE
from spatialmem.voxels.shelf import Shelf

_AT_ONCE = 256  # blocks that are unpacked before any of them is taken in
_FULL = 0.75  # share of a pool that is filled when not all blocks find room: frames to come need some
_ALL = 0.875  # and up to which all of them are taken, with a budget


def store_of(file: MemoryFile, last_lsn: Callable[[], int], within: Within | None) -> BlockStore:
    """Where the blocks of a memory go that leave RAM; a file that must not be changed gets none.

    last_lsn: number of the last frame that the memory knows of; within: for a file with a budget.
    """
    blocks = FileBlocks(file, last_lsn, within)
    return Spilled(blocks) if file.read_only else blocks


def take_in(layers: Layers, surface: Iterable[BlockRow], free: Iterable[BlockRow]) -> None:
    """Give layers blocks that they have not: into RAM, or, where that is full, where blocks go that leave it, from
    which they come back as those do. Frames up to the tag of a row will not change its block again."""
    for some in _in_batches(surface):
        _take_in_surface(layers, [(row, surface_block_of(row, layers.surface.feature_width)) for row in some])
    for some in _in_batches(free):
        _take_in_free(layers, [(row, free_block_of(row)) for row in some])
    layers.surface.note_all_doubts()
    layers.publish()


def _take_in_surface(layers: Layers, blocks: list[tuple[BlockRow, SurfaceBlock]]) -> None:
    residence = layers.residence
    assert residence is not None
    room, pages_left, _ = residence.room
    pages = np.cumsum([-(-len(block.last) // PAGE) for _, block in blocks])
    number = max(0, min(room, int(np.searchsorted(pages, pages_left, "right"))))
    with layers.adding():
        for row, block in blocks[:number]:
            layers.put_in(row, block)
    left = _Left()
    for row, block in blocks[number:]:
        left.note(row, block, residence)
    residence.store.put([row for row, _ in blocks[number:]], ())
    residence.surface = left.on(residence.surface)


def _take_in_free(layers: Layers, blocks: list[tuple[BlockRow, FreeBlock]]) -> None:
    residence = layers.residence
    assert residence is not None
    number = max(0, residence.room[2])
    with layers.adding():
        for row, block in blocks[:number]:
            layers.put_in(row, block)
    left = _Left()
    for row, _ in blocks[number:]:
        left.note_free(row)
    residence.store.put((), [row for row, _ in blocks[number:]])
    residence.free = left.on(residence.free)


def _in_batches(rows: Iterable[BlockRow]) -> Iterator[list[BlockRow]]:
    left = iter(rows)
    while some := sorted(itertools.islice(left, _AT_ONCE), key=lambda row: row.key):
        yield some


@contextmanager
def unsettled(layers: Layers | None) -> Iterator[None]:
    """The file is about to hold other layers than these."""
    residence = None if layers is None else layers.residence
    try:
        if residence is not None:
            residence.settled = False
        yield
    except BaseException:
        if residence is not None:
            residence.settled = True
        raise


_LEFT = np.dtype(
    [("key", np.int64), ("lsn", np.uint32), ("rows", np.int32), ("doubtful", np.bool_), ("slot", np.int32)]
)
"""of a block that stays on file; what a later frame than `lsn` changes is not summed up as it is any more"""


@final
class _Left:
    """Blocks that stay on file, without an object for each."""

    def __init__(self) -> None:
        self._blocks, self._count = np.zeros(_AT_ONCE, _LEFT), 0

    def note(self, row: BlockRow, block: SurfaceBlock, residence: Residence) -> None:
        """This one does, and is summed up."""
        slot = residence.summaries.new_slot()
        if slot >= 0:
            residence.summaries.write(slot, block_arrays(block))
        self._add(row, len(block.last), bool(block.doubt.any()), slot)

    def note_free(self, row: BlockRow) -> None:
        """So does this one, of free space."""
        self._add(row, 0, False, -1)

    def _add(self, row: BlockRow, rows: int, doubtful: bool, slot: int) -> None:
        if self._count == len(self._blocks):
            self._blocks = np.concatenate([self._blocks, np.zeros_like(self._blocks)])
        self._blocks[self._count] = (row.key, row.lsn, rows, doubtful, slot)
        self._count += 1

    def on(self, shelf: Shelf) -> Shelf:
        """The shelf with these, whose keys ascend."""
        left = self._blocks[: self._count]
        return shelf.put(*(left[name].copy() for name in ("key", "rows", "doubtful", "lsn", "slot")))


def load_blocks(layers: Layers, residence: Residence, file: MemoryFile) -> int:
    """Put the blocks of a file in, before its tail is replayed; returns the latest frame that any of them contains."""
    pools, space = layers.surface.pools, layers.free.pools
    share = _ALL if layers.config.has_budget else 1.0
    fits = _those_that_fit(file, "surface", pools.free_blocks.shape[0], pools.free_pages.shape[0], share)
    newest, left = 0, _Left()
    for row in file.surface_blocks():
        block = surface_block_of(row, layers.surface.feature_width)
        newest = max(newest, row.lsn)
        if fits(row.key):
            layers.put_in(row, block)
        else:
            left.note(row, block, residence)
    layers.surface.note_all_doubts()
    left_free = _Left()
    fits = _those_that_fit(file, "free", space.free_blocks.shape[0], None, share)
    for row in file.free_blocks():
        newest = max(newest, row.lsn)
        content = free_block_of(row)
        if fits(row.key):
            layers.put_in(row, content)
        else:
            left_free.note_free(row)
    residence.surface, residence.free = left.on(residence.surface), left_free.on(residence.free)
    return newest


def _those_that_fit(
    file: MemoryFile, layer: Layer, blocks: int, pages: int | None, share: float
) -> Callable[[int], bool]:
    """Whether the block with a key is among those of most value that fit; a block that comes meanwhile is not.

    share: of the pools, up to which all blocks are taken.
    """
    keys, lsns, rows = sizes(file, layer)
    taken = -(-rows.astype(np.int64) // PAGE) if pages is not None else np.zeros(len(keys), np.int64)
    if len(keys) <= _most(blocks, share) and (pages is None or taken.sum() <= _most(pages, share)):
        return lambda key: True
    order = np.lexsort((keys, staleness(lsns.max(initial=0) - lsns, rows if pages is not None else 0)))
    number = _most(blocks, _FULL)
    if pages is not None:
        number = min(number, int(np.searchsorted(np.cumsum(taken[order]), _most(pages, _FULL), "right")))
    chosen: NDArray[np.int64] = keys[order[:number]]
    chosen.sort()

    def fits(key: int) -> bool:
        at = int(np.searchsorted(chosen, key))
        return at < len(chosen) and int(chosen[at]) == key

    return fits


def _most(capacity: int, share: float) -> int:
    return int(capacity * share)
