"""Which blocks of a layer are on file alone. A value: epochs hold it, the writer replaces it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray


@final
@dataclass(frozen=True, eq=False)
class Shelf:
    """E blocks that have been given up to the file at least once, by ascending key."""

    keys: NDArray[np.int64]
    away: NDArray[np.bool_]
    """(E,) whether the block is on file alone now"""
    rows: NDArray[np.int32]
    """(E,) rows of colour and feature when it was given up"""
    doubtful: NDArray[np.bool_]
    """(E,) whether it held doubted voxels then"""
    lsn: NDArray[np.uint32]
    """(E,) number of a frame up to which what is known of it here holds: later ones had not touched it then"""
    slot: NDArray[np.int32]
    """(E,) where its summary is, -1 when it has none"""

    @classmethod
    def empty(cls) -> Shelf:
        """Nothing has been given up."""
        none = np.zeros(0, np.int64)
        no, rows = none.astype(np.bool_), none.astype(np.int32)
        return cls(none, no, rows, no, none.astype(np.uint32), rows)

    def __len__(self) -> int:
        return len(self.away_keys)

    @cached_property
    def away_keys(self) -> NDArray[np.int64]:
        """Ascending keys of the blocks that are on file alone."""
        return self.keys[self.away]

    @cached_property
    def doubtful_keys(self) -> NDArray[np.int64]:
        """Ascending keys of those of them that hold doubted voxels."""
        return self.keys[self.away & self.doubtful]

    def places(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) where each key stands here, -1 for one that does not."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, at, -1)

    def among(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ascending keys of those that are on file alone."""
        if not len(self):
            return np.zeros(0, np.int64)
        at = self.places(np.unique(keys))
        at = at[at >= 0]
        return self.keys[at[self.away[at]]]

    def rows_of(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """(N,) rows of blocks that stand here."""
        return self.rows[self.places(keys)]

    def put(
        self, keys: NDArray[np.int64], rows: NDArray[np.int32], doubtful: NDArray[np.bool_],
        lsn: int | NDArray[np.uint32], slot: NDArray[np.int32],
    ) -> Shelf:  # fmt: skip
        """With these blocks (N,), ascending and distinct, on file alone."""
        new = keys[self.places(keys) < 0]
        at = np.searchsorted(self.keys, new)
        grown = Shelf(
            np.insert(self.keys, at, new), np.insert(self.away, at, False), np.insert(self.rows, at, 0),
            np.insert(self.doubtful, at, False), np.insert(self.lsn, at, 0), np.insert(self.slot, at, -1),
        )  # fmt: skip
        here = grown.places(keys)
        grown.away[here], grown.rows[here], grown.doubtful[here] = True, rows, doubtful
        grown.lsn[here], grown.slot[here] = lsn, slot
        return grown

    def without(self, keys: NDArray[np.int64], made_anew: bool = False) -> Shelf:
        """With these blocks, which stand here, in RAM; made_anew: and unlike what is known of them."""
        here = self.places(keys)
        away, lsn = self.away.copy(), self.lsn
        away[here] = False
        if made_anew:
            lsn = lsn.copy()
            lsn[here] = 0
        return replace(self, away=away, lsn=lsn)
