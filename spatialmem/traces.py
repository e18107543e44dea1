"""Where frames left traces, once content has moved: lists of evicted frames, their sightings, marks of blocks.

What has come into a block came from all frames that had touched the block it came from: each of them is to be found
there when it is forgotten, whether or not it still has its images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.gone import Gone, cell_keys
from spatialmem.key_lists import among
from spatialmem.moving import Keys, Moving, MovingLayer
from spatialmem.store import codec
from spatialmem.store.moved import FREE, SURFACE, MovedRow
from spatialmem.store.rows import DepartedRow
from spatialmem.voxels.keys import moved_keys, unpack_keys

Triple = tuple[float, float, float]


@final
class Ways:
    """From which blocks of a layer into which others something came."""

    def __init__(self, layer: MovingLayer) -> None:
        pairs = layer.transport.sources_of()
        order = np.lexsort((pairs[:, 1], pairs[:, 0]))
        self._from, starts = np.unique(pairs[order, 0], return_index=True)
        self._to, self._starts = pairs[order, 1], np.append(starts, len(pairs))
        self.layer = layer

    @property
    def origins(self) -> NDArray[np.int64]:
        """Ascending keys of the blocks that something came of."""
        return self._from

    def ends(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ascending keys of the blocks into which something came of blocks with these distinct keys."""
        found = np.searchsorted(self._from, keys[among(keys, self._from)])
        pieces = [self._to[self._starts[n] : self._starts[n + 1]] for n in found]
        return np.unique(np.concatenate([self._to[:0], *pieces]))

    def traces(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ascending keys of the blocks with traces of an evicted frame that had some in blocks with these keys."""
        return np.union1d(keys[~among(keys, self.layer.vacated)], self.ends(keys))


@final
@dataclass(frozen=True, eq=False)
class Retold:
    """What the log says otherwise from now on."""

    examined: dict[int, bytes | None]
    """lists of surface blocks of evicted frames"""
    cells: dict[int, bytes]
    """sightings of evicted frames"""
    marks: tuple[MovedRow, ...]


def retold(
    moving: Moving, gone: Gone, changed: Keys, retained: Callable[[str, Ways], Iterator[tuple[int, NDArray, bool]]],
    at_lsn: int,
) -> Retold:  # fmt: skip
    """changed: blocks whose rows in the file are written.

    retained: by layer, each frame with images that touched any block that something came of, or that it has left
    meanwhile; the keys of all that it touched; and whether it has moved.
    """
    ways, free_ways = Ways(moving.surface), Ways(moving.free)
    marks = [
        *_marks(SURFACE, ways, changed.surface, gone, retained(SURFACE, ways), at_lsn),
        *_marks(FREE, free_ways, changed.free, gone, retained(FREE, free_ways), at_lsn),
    ]
    examined = {}
    for lsn, keys in gone.lists():
        now = ways.traces(keys)
        if not np.array_equal(now, keys):
            examined[lsn] = codec.encode_examined(now)
    return Retold(examined, _cells(moving, gone, free_ways), tuple(marks))


def _marks(
    layer: str, ways: Ways, changed: NDArray[np.int64], gone: Gone, retained: Iterable[tuple[int, NDArray, bool]],
    at_lsn: int,
) -> list[MovedRow]:  # fmt: skip
    """The marks of blocks that change, in place of those they had."""
    found: dict[int, set[int]] = {key: set() for key in ways.layer.transport.targets.tolist()}
    stood, kept = set(changed.tolist()), set(ways.layer.kept.tolist())
    for row in gone.marks(layer):
        ends = ways.ends(np.array([row.key])).tolist()
        for key in ends + ([row.key] if row.key in stood and row.key in kept else []):
            found.setdefault(key, set()).update(row.lsns)
    for lsn, keys, moved in retained:
        left = keys[among(keys, ways.layer.kept)] if moved else keys[:0]
        for key in np.union1d(ways.ends(keys), left).tolist():
            found.setdefault(key, set()).add(lsn)
    return [MovedRow(layer, key, at_lsn, tuple(sorted(lsns))) for key, lsns in sorted(found.items())]


def _cells(moving: Moving, gone: Gone, ways: Ways) -> dict[int, bytes]:
    """Sightings of evicted frames: what one saw moves with it, and blocks it has traces in count as seen by it."""
    found = {}
    for lsn, blob in gone.cells():
        keys = cell_keys(blob)
        traces = ways.traces(keys)
        motion = moving.motions.own.get(lsn)
        if motion is None and len(traces) == len(np.intersect1d(traces, keys)):
            continue
        found[lsn] = _moved_cells(blob, keys, traces, motion, gone.cell_m)
    return found


def _moved_cells(
    blob: bytes, keys: NDArray[np.int64], traces: NDArray[np.int64], motion: NDArray[np.float64] | None, edge_m: float
) -> bytes:
    cells = codec.decode_cells(blob)
    now = keys if motion is None else moved_keys(keys, motion, edge_m)
    every, place = np.unique(np.concatenate([now, traces]), return_inverse=True)
    occupied, free = np.zeros(len(every), np.int64), np.zeros(len(every), np.int64)
    np.add.at(occupied, place[: len(now)], cells.occupied.astype(np.int64))
    np.add.at(free, place[: len(now)], cells.free.astype(np.int64))
    most = np.iinfo(np.uint16).max
    counts = (np.minimum(count, most).astype(np.uint16) for count in (occupied, free))
    return codec.encode_cells(codec.Cells(unpack_keys(every), *counts))


def moved_row(row: DepartedRow, motion: NDArray[np.float64]) -> DepartedRow:
    """A departed region after a rigid motion (4, 4): its box is the one around the moved box."""
    low, high = np.array(row.box_min_m), np.array(row.box_max_m)
    centre = motion[:3, :3] @ ((low + high) / 2) + motion[:3, 3]
    half = np.abs(motion[:3, :3]) @ ((high - low) / 2)
    return replace(
        row, position_m=_triple(motion[:3, :3] @ np.array(row.position_m) + motion[:3, 3]),
        box_min_m=_triple(centre - half), box_max_m=_triple(centre + half), id=None,
    )  # fmt: skip


def _triple(values: NDArray[np.float64]) -> Triple:
    return float(values[0]), float(values[1]), float(values[2])
