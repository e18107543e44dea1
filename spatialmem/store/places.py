"""Where blocks stand in a temporary file, and which of its bytes can be written again."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

PLACE = np.dtype(
    [
        ("key", np.int64), ("offset", np.int64), ("room", np.int32), ("size", np.int32), ("lsn", np.uint32),
        ("codec", np.int32),
    ]
)  # fmt: skip
_UNIT = 256  # bytes of which extents are multiples, so that a block finds those that another has left


@final
@dataclass(frozen=True, eq=False)
class Places:
    """Of the blocks of one layer. A value: who reads an older one finds what it says as long as it is kept."""

    table: NDArray[np.void]
    """(N,) of `PLACE`, by ascending key"""

    @classmethod
    def none(cls) -> Places:
        """No block is there."""
        return cls(np.zeros(0, PLACE))

    def has(self, keys: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
        """(N,) whether the block with each key is there."""
        return np.isin(np.asarray(keys, np.int64), self.table["key"])

    def of(self, keys: Sequence[int]) -> NDArray[np.void]:
        """(N,) entries of blocks that are there."""
        return self.table[np.searchsorted(self.table["key"], np.asarray(keys, np.int64))]

    def put(self, added: NDArray[np.void]) -> Places:
        """With these (N,), whose keys are distinct."""
        kept = self.table[~np.isin(self.table["key"], added["key"])]
        every = np.concatenate([kept, added])
        return Places(every[np.argsort(every["key"])])


@final
class Extents:
    """The bytes of a file that only grows, given out and taken back."""

    def __init__(self) -> None:
        self.end = 0
        """length of the file"""
        self._spare: list[tuple[int, int]] = []  # bytes, offset

    def take(self, size: int) -> tuple[int, int]:
        """Offset and room of bytes that nobody has, enough for so many; of those given back where some fit."""
        room = -(-size // _UNIT) * _UNIT
        at = bisect.bisect_left(self._spare, (room, 0))
        if at < len(self._spare) and self._spare[at][0] <= 2 * room:
            room, offset = self._spare.pop(at)
            return offset, room
        self.end += room
        return self.end - room, room

    def give_back(self, places: NDArray[np.void]) -> None:
        """What stands at these places (N,) is not needed any more."""
        for offset, room in zip(places["offset"].tolist(), places["room"].tolist(), strict=True):
            bisect.insort(self._spare, (room, offset))
