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


@final
class Worth:
    """Ranks frames. Keeps what it has decoded of those that are still stored."""

    def __init__(self) -> None:
        self._cells: Mapping[int, bytes] = {}
        self._occupied: dict[int, NDArray[np.int64]] = {}

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
        known, self._cells = self._occupied if cells is self._cells else {}, cells
        self._occupied = {row.lsn: known[row.lsn] if row.lsn in known else _occupied(cells, row.lsn) for row in stored}
        evidence = _evidence(departed)
        left, chosen, waiting = list(stored), [], set(spare)
        while waiting and len(chosen) < count:
            lsns = np.array([row.lsn for row in left])
            figures = self._figures(left, evidence)
            candidates = np.flatnonzero(np.isin(lsns, list(waiting)))
            order = candidates[np.lexsort((lsns[candidates], figures[candidates]))]
            turn = lsns[order[: min(-(-count // _TURNS), count - len(chosen))]].tolist()
            chosen += turn
            waiting -= set(turn)
            left = [row for row in left if row.lsn not in set(turn)]
        return chosen

    def _figures(self, rows: Sequence[KeyframeRow], evidence: Mapping[int, int]) -> NDArray[np.float64]:
        """(n,) what each frame is worth among these, which are in log order."""
        seen = [self._occupied[row.lsn] for row in rows]
        frame = np.repeat(np.arange(len(rows)), [len(keys) for keys in seen])
        _, cell = np.unique(np.concatenate([np.zeros(0, np.int64), *seen]), return_inverse=True)
        cell = cell.reshape(-1)
        shared = np.bincount(cell, minlength=1)
        latest = np.zeros(len(shared), np.int64)
        np.maximum.at(latest, cell, frame)
        figure = 1.0 + np.bincount(frame, 1.0 / shared[cell] + (latest[cell] == frame), len(rows))
        lsns = np.array([row.lsn for row in rows], np.float64)
        figure *= np.where([row.encoded for row in rows], _ENCODED, 1.0) * (0.5 + 0.5 * lsns / lsns[-1])
        return figure + _EVIDENCE * np.array([evidence.get(row.lsn, 0) for row in rows])


def _occupied(cells: Mapping[int, bytes], lsn: int) -> NDArray[np.int64]:
    """Keys of the cells that a frame saw occupied."""
    blob = cells.get(lsn)
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
