"""Versions of blocks: what a frame is written into while others read the map as it was before.

A block that readers may be looking at is never changed: the frame gets a copy, the table of the next epoch leads to
the copy, and the old version is given back when the last reader of an epoch that holds it has left. The table is what
an epoch is: blocks that are not in it do not exist for its readers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import leaf


@leaf
def _list_blocks(table_keys, table_blocks, out):
    count = 0
    for n in range(table_keys.shape[0]):
        if table_keys[n] >= 0:
            out[count] = table_blocks[n]
            count += 1
    return count


def live_blocks(table_keys: NDArray[np.int64], table_blocks: NDArray[np.int32]) -> NDArray[np.int64]:
    """(N,) indices of the blocks that a table leads to, in no particular order."""
    out = np.empty(table_keys.shape[0] // 2 + 1, np.int64)
    return out[: _list_blocks(table_keys, table_blocks, out)]


@dataclass(frozen=True, eq=False)
class _Retired:
    blocks: NDArray[np.int64]
    died: int
    """number of the first epoch without them"""


@final
class Versions:
    """Which blocks of a pool nobody has seen yet, and which ones only readers of older epochs still see."""

    def __init__(self, blocks: int) -> None:
        self._fresh = np.zeros(blocks, np.bool_)
        self._born = np.zeros(blocks, np.int64)
        self._replaced: list[NDArray[np.int64]] = []
        self._retired: list[_Retired] = []

    @property
    def retired(self) -> int:
        """Number of blocks that are in no table of the writer any more, but in use."""
        return sum(map(len, self._replaced)) + sum(len(entry.blocks) for entry in self._retired)

    def reset(self) -> None:
        """Forget every version: all blocks of the pool are free."""
        self._fresh[:] = False
        self._replaced, self._retired = [], []

    def add(self, blocks: NDArray[np.integer]) -> None:
        """These blocks are new: no reader sees them before the next `publish`."""
        self._fresh[blocks] = True

    def retire(self, blocks: NDArray[np.integer], number: int) -> None:
        """These blocks will not be part of epoch `number`, the next one; readers may see those that are not new."""
        self._born[blocks[self._fresh[blocks]]] = number
        self._fresh[blocks] = False
        self._replaced.append(np.asarray(blocks, np.int64))

    def seen(self, blocks: NDArray[np.integer]) -> NDArray[np.int64]:
        """Those of the blocks that a reader may see."""
        return np.asarray(blocks[~self._fresh[blocks]], np.int64)

    def replace(self, old: NDArray[np.int64], new: NDArray[np.int64]) -> None:
        """The new blocks have taken the place of the old ones."""
        self._replaced.append(old)
        self._fresh[new] = True

    def abandon(self) -> NDArray[np.int64]:
        """Nothing has been replaced or added after all; the blocks that were new, to be given back."""
        fresh = np.flatnonzero(self._fresh)
        self._fresh[:] = False
        self._replaced = []
        return fresh

    def publish(self, number: int) -> None:
        """Epoch `number` begins: what was new is seen, what was replaced is not part of it."""
        self._born[self._fresh] = number
        self._fresh[:] = False
        self._retired += [_Retired(blocks, number) for blocks in self._replaced]
        self._replaced = []

    def reclaim(self, in_use: Sequence[int], release: Callable[[NDArray[np.int64]], None]) -> None:
        """Release retired blocks that belong to none of the epochs in use."""
        kept = []
        for entry in self._retired:
            needed = np.zeros(len(entry.blocks), np.bool_)
            for number in in_use:
                needed |= (self._born[entry.blocks] <= number) & (number < entry.died)
            release(entry.blocks[~needed])
            if needed.any():
                kept.append(_Retired(entry.blocks[needed], entry.died))
        self._retired = kept
