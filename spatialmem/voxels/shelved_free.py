"""The free-space layer of an epoch together with those of its blocks that are on file alone; as shelved_surface.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.free_pools import beside, block_at
from spatialmem.voxels.keys import keys_of
from spatialmem.voxels.shelf import Shelf

if TYPE_CHECKING:
    from spatialmem.voxels.free_reading import FreeArrays, FreeReading


T = TypeVar("T", np.uint8, np.uint32)
Fetch = Callable[[NDArray[np.int64]], Iterator[tuple[int, "FreeArrays"]]]
"""ascending keys of blocks on file alone -> the key and content of each"""


@final
class ShelvedFree:
    """For one reader of one epoch."""

    def __init__(self, here: FreeReading, shelf: Shelf, fetch: Fetch, table: threading.Lock) -> None:
        """here: the blocks in RAM. table: lock of the blocks that are set aside: one reader at a time has them."""
        self._here, self._fetch, self._lock = here, fetch, table
        in_ram = here.held(shelf.away_keys)  # none, but a block must never stand in two places
        self._keys = np.setdiff1d(shelf.away_keys, in_ram, assume_unique=True)

    @property
    def keys(self) -> NDArray[np.int64]:
        """Ascending keys of the blocks that are on file alone."""
        return self._keys

    def fetched(self) -> Iterator[tuple[int, FreeArrays]]:
        """Each of them with its key, ascending."""
        return self._fetch(self._keys)

    def at(
        self,
        points_m: NDArray[np.floating],
        asked: Callable[[FreeReading, NDArray[np.floating]], NDArray[T]],
        kind: type[T],
    ) -> NDArray[T]:
        """(N,) what is asked of a reading at points (N, 3), metres."""
        points = np.asarray(points_m, np.float64).reshape(-1, 3)
        keys = keys_of(np.floor(points / self._here.voxel_m).astype(np.int64) >> 3)
        out = np.zeros(len(points), kind)
        with self._lock:
            for some in self._groups(np.arange(len(points)), keys):
                out[some] = asked(self._with(np.unique(keys[some])), points[some])
        return out

    def _groups(self, numbers: NDArray[np.int64], keys: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """The points, or groups of them, each in no more blocks on file than can be read in at once."""
        pools = self._here.pools
        room = pools.keys.shape[0] - pools.free_blocks.shape[0]
        if len(numbers) <= 1 or np.isin(np.unique(keys[numbers]), self._keys).sum() <= room:
            yield numbers
            return
        for half in (numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]):
            yield from self._groups(half, keys)

    def _with(self, keys: NDArray[np.int64]) -> FreeReading:
        """The blocks in RAM and those of these ascending keys that are on file alone."""
        wanted = self._keys[np.isin(self._keys, keys, assume_unique=True)]
        if not len(wanted):
            return self._here
        pools = beside(self._here.pools)
        for key, content in self._fetch(wanted):
            block = block_at(pools, np.int64(key))
            pools.log_odds[block], pools.last_free[block] = content.log_odds, content.last_free
            pools.last_occupied[block], pools.changed[block] = content.last_occupied, 1
        return replace(self._here, pools=pools)
