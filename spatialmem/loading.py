"""Opening: the blocks of a file are put into RAM, the most valuable ones where there is no room for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import MemoryFileError
from spatialmem.layers import Layers, block_arrays
from spatialmem.residence import Residence, staleness
from spatialmem.store.block_codec import unpack_free_block, unpack_surface_block
from spatialmem.store.block_store import BlockStore, FileBlocks, Layer, Spilled, sizes
from spatialmem.store.file import MemoryFile
from spatialmem.voxels.pools import PAGE

_FULL = 0.75  # share of a pool that is filled when not all blocks find room: frames to come need some


def store_of(file: MemoryFile | None, last_lsn: Callable[[], int]) -> BlockStore | None:
    """Where the blocks of a memory go that leave RAM; a file that must not be changed gets none. None: nowhere.

    last_lsn: number of the last frame that the memory knows of.
    """
    if file is None:
        return None
    blocks = FileBlocks(file, last_lsn)
    return Spilled(blocks) if file.read_only else blocks


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


@dataclass
class _Left:
    """Blocks that stay on file."""

    keys: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    doubtful: list[bool] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)


def load_blocks(layers: Layers, residence: Residence, file: MemoryFile) -> int:
    """Put the blocks of a file in, before its tail is replayed; returns the latest frame that any of them contains."""
    pools, space = layers.surface.pools, layers.free.pools
    fits = _those_that_fit(file, "surface", pools.free_blocks.shape[0], pools.free_pages.shape[0])
    newest, left = 0, _Left()
    for row in file.surface_blocks():
        block = unpack_surface_block(row.data)
        if block.last.max(initial=0) > row.lsn:
            raise MemoryFileError(f"surface block {row.key} contains frames after its tag, {row.lsn}")
        newest = max(newest, row.lsn)
        if fits(row.key):
            layers.put_in(row, block)
            continue
        slot = residence.summaries.new_slot()
        if slot >= 0:
            residence.summaries.write(slot, block_arrays(block))
        left.keys.append(row.key)
        left.rows.append(len(block.last))
        left.doubtful.append(bool(block.doubt.any()))
        left.slots.append(slot)
    layers.surface.note_all_doubts()
    left_free: list[int] = []
    fits = _those_that_fit(file, "free", space.free_blocks.shape[0], None)
    for row in file.free_blocks():
        newest = max(newest, row.lsn)
        content = unpack_free_block(row.data)
        if fits(row.key):
            layers.put_in(row, content)
        else:
            left_free.append(row.key)
    residence.surface = residence.surface.put(
        np.array(left.keys, np.int64), np.array(left.rows, np.int32), np.array(left.doubtful, np.bool_), newest,
        np.array(left.slots, np.int32),
    )  # fmt: skip
    none = np.zeros(len(left_free), np.int32)
    residence.free = residence.free.put(np.array(left_free, np.int64), none, none > 0, newest, none - 1)
    return newest


def _those_that_fit(file: MemoryFile, layer: Layer, blocks: int, pages: int | None) -> Callable[[int], bool]:
    """Whether the block with a key is among those of most value that fit; a block that comes meanwhile is not."""
    keys, lsns, rows = sizes(file, layer)
    taken = -(-rows.astype(np.int64) // PAGE) if pages is not None else np.zeros(len(keys), np.int64)
    if len(keys) <= _most(blocks, 1 - (1 - _FULL) / 2) and (pages is None or taken.sum() <= _most(pages, 0.875)):
        return lambda key: True
    order = np.lexsort((keys, staleness(lsns.max(initial=0) - lsns, rows if pages is not None else 0)))
    number = _most(blocks, _FULL)
    if pages is not None:
        number = min(number, int(np.searchsorted(np.cumsum(taken[order]), _most(pages, _FULL), "right")))
    chosen: NDArray[np.int64] = keys[order[:number]]
    fitting = set(chosen.tolist())
    return lambda key: key in fitting


def _most(capacity: int, share: float) -> int:
    return int(capacity * share)
