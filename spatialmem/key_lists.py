"""Keys of blocks: looked up in ascending ones, joined to them, and kept for every frame of a long log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.store.codec import decode_examined, encode_examined


def among(keys: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) which of the keys (N,) are among ascending ones. `numpy.isin` sorts all of these each time."""
    if not len(ascending):
        return np.zeros(len(keys), np.bool_)
    at = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    return ascending[at] == keys


def with_more(ascending: NDArray[np.int64], *more: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ascending, distinct keys of all; the very same array where none is new."""
    new = np.concatenate([keys[~among(keys, ascending)] for keys in more])
    return np.union1d(ascending, new) if len(new) else ascending


@final
class KeyLists:
    """Keys of blocks by frame (lsn), packed into a quarter of the bytes: a frame touches some hundreds."""

    def __init__(self) -> None:
        self._packed: dict[int, bytes | None] = {}

    def __contains__(self, lsn: int) -> bool:
        return lsn in self._packed

    def __setitem__(self, lsn: int, keys: NDArray[np.int64]) -> None:
        self._packed[lsn] = encode_examined(keys)

    def __getitem__(self, lsn: int) -> NDArray[np.int64]:
        """Ascending and distinct; none of a frame that is not here."""
        return decode_examined(self._packed.get(lsn))

    def items(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """(lsn, keys), unpacked one by one."""
        return ((lsn, self[lsn]) for lsn in self._packed)
