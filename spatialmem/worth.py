"""Which stored frames a memory can best do without (docs/long-runs.md).

What a frame is worth is a plain figure, and a function of the log alone: of the cells it saw occupied (its sightings),
its number, whether it was encoded, and the things it saw leave.

    (1 + sum over its cells of (1 / frames that saw the cell) + cells that no later frame saw)
        x 1.5 if it was encoded  x (1/2 + 1/2 lsn / last lsn)  + 2 for each departed thing it is evidence of

The first sum is coverage and rarity: a cell that no other frame shows counts whole. The second is what a hit there
cites: the frame that saw the place last. Frames count only while their images are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.store import codec
from spatialmem.store.rows import DepartedRow, KeyframeRow, block_key

_ENCODED, _EVIDENCE = 1.5, 2.0
_TURNS = 8
"""the figures are worked out anew after each eighth of what is chosen"""


_NO_CELL = 0
"""number of no cell: that of the cells of frames that have been chosen"""


@final
class Worth:
    """Ranks frames. Keeps what it has decoded of those that are still stored."""

    def __init__(self) -> None:
        self._cells: Mapping[int, bytes] = {}
        self._occupied: dict[int, NDArray[np.int32]] = {}
        """by frame (lsn): the numbers of the cells that it saw occupied"""
        self._numbers: dict[int, int] = {}
        """numbers of cells by their keys"""

    def least(
        self, stored: Sequence[KeyframeRow], spare: Iterable[int], count: int, cells: Mapping[int, bytes],
        departed: Iterable[DepartedRow],
    ) -> list[int]:  # fmt: skip
        """The `count` frames (lsn) of `spare` that are worth least, the least first.

        Args:
            stored: all frames whose images are on file, in log order; `spare` are among them.
            cells: encoded sightings of frames; another mapping once any of them has been replaced.
            departed: what was seen to leave.
        """
        self._decode(stored, cells)
        standing = _Standing(stored, [self._occupied[row.lsn] for row in stored], len(self._numbers), departed)
        waiting, chosen = np.isin(standing.lsns, list(spare)), []
        while waiting.any() and len(chosen) < count:
            candidates = np.flatnonzero(waiting)
            order = candidates[np.lexsort((standing.lsns[candidates], standing.figures()[candidates]))]
            turn = order[: min(-(-count // _TURNS), count - len(chosen))]
            chosen += standing.lsns[turn].tolist()
            waiting[turn] = False
            standing.take_out(turn)
        return chosen

    def _decode(self, rows: Sequence[KeyframeRow], cells: Mapping[int, bytes]) -> None:
        """Know the cells of these frames, and of no others; only those of new frames are looked at."""
        known, self._cells = self._occupied if cells is self._cells else {}, cells
        fresh = [row.lsn for row in rows if row.lsn not in known]
        keys = [_cells_of(cells.get(lsn)) for lsn in fresh]
        unique, where = np.unique(np.concatenate([np.zeros(0, np.int64), *keys]), return_inverse=True)
        numbers = [self._numbers.setdefault(key, 1 + len(self._numbers)) for key in unique.tolist()]
        split = np.split(np.array(numbers, np.int32)[where.reshape(-1)], np.cumsum([len(some) for some in keys])[:-1])
        known = {**known, **dict(zip(fresh, split, strict=False))}  # without any, there is one piece of nothing
        self._occupied = {row.lsn: known[row.lsn] for row in rows}


@final
class _Standing:
    """What frames are worth beside each other, while some of them are taken out."""

    def __init__(
        self,
        rows: Sequence[KeyframeRow],
        seen: Sequence[NDArray[np.int32]],
        cells: int,
        departed: Iterable[DepartedRow],
    ) -> None:
        """rows: in log order; seen: the numbers of the cells of each, from 1 to `cells`."""
        self.lsns = np.array([row.lsn for row in rows], np.int64)
        evidence = _evidence(departed)
        self._evidence = _EVIDENCE * np.array([evidence.get(row.lsn, 0) for row in rows], np.float64)
        self._encoded = np.where([row.encoded for row in rows], _ENCODED, 1.0)
        self._starts = np.concatenate([[0], np.cumsum([len(some) for some in seen], dtype=np.int64)])
        self._cell = np.concatenate([np.zeros(0, np.int32), *seen])
        self._frame = np.repeat(np.arange(len(rows), dtype=np.int32), np.diff(self._starts))
        self._frames = np.bincount(self._cell, minlength=1 + cells)
        """by number of a cell: how many frames saw it"""
        self._left = np.ones(len(rows), bool)

    def take_out(self, places: NDArray[np.int64]) -> None:
        """The frames at these places among the rows do not count any more."""
        self._left[places] = False
        for place in places:
            its = slice(self._starts[place], self._starts[place + 1])
            self._frames[self._cell[its]] -= 1
            self._cell[its] = _NO_CELL

    def figures(self) -> NDArray[np.float64]:
        """(n,) what each frame is worth; of those that were taken out, anything."""
        count = len(self.lsns)
        rarity = np.divide(1.0, self._frames, out=np.zeros(len(self._frames)), where=self._frames > 0)
        rarity[_NO_CELL] = 0.0
        latest = np.full(len(self._frames), -1)
        latest[self._cell] = self._frame  # in log order, so that the last one stays
        latest[_NO_CELL] = -1
        figure = 1.0 + np.bincount(self._frame, rarity[self._cell], count)
        figure += np.bincount(latest[latest >= 0], minlength=count)
        last = self.lsns[np.flatnonzero(self._left)[-1]]
        return figure * self._encoded * (0.5 + 0.5 * self.lsns / last) + self._evidence


def _cells_of(blob: bytes | None) -> NDArray[np.int64]:
    """Keys of the cells that a frame saw occupied, by its sightings."""
    if blob is None:
        return np.zeros(0, np.int64)
    decoded = codec.decode_cells(blob)
    x, y, z = decoded.cell[decoded.occupied > 0].astype(np.int64).T
    return np.asarray(block_key(x, y, z), np.int64)


def _evidence(departed: Iterable[DepartedRow]) -> dict[int, int]:
    """How many departed things each frame saw first, saw last or saw to be gone."""
    counts: dict[int, int] = {}
    for row in departed:
        for lsn in {row.first_lsn, row.last_lsn, row.valid_from}:
            counts[lsn] = counts.get(lsn, 0) + 1
    return counts
