"""What frames left in the map whose images were given up: for corrections and for forgetting (docs/format.md, 9)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.key_lists import among
from spatialmem.layers import Layers
from spatialmem.store import codec
from spatialmem.store.moved import FREE, SURFACE, MovedRow
from spatialmem.store.rows import DepartedRow, block_key
from spatialmem.voxels.keys import BLOCK, unpack_keys

if TYPE_CHECKING:
    from spatialmem.keeper import Keeper
    from spatialmem.store.file import MemoryFile


def evicted(keeper: Keeper) -> Set[int]:
    """Stored frames (lsn) whose images and depth were given up, of a memory that is open for appending."""
    return frozenset() if keeper.thinning is None else keeper.thinning.frames & keeper.rows.keys()


def exact_from(lsns: Sequence[int], file: MemoryFile | None) -> int:
    """Of the frames of a log, the one from which on every map can be made again; 0 for an empty log.

    The first, or, once any was evicted, the latest that a block on file contains, for what came before may be needed to
    make it without. That one may have been forgotten, or be unknown to a reader beside a live writer: then it is the
    last one before.
    """
    gone = frozenset() if file is None else file.evicted_frames() & set(lsns)
    latest = max(file.newest_tag, *gone) if file is not None and gone else 0
    return max((lsn for lsn in lsns if lsn <= latest), default=min(lsns, default=0))


@final
class Gone:
    """The evicted frames of a memory, and which blocks they touched."""

    def __init__(self, keeper: Keeper, layers: Layers) -> None:
        self.lsns = frozenset(evicted(keeper))
        self._keeper, self._layers = keeper, layers
        self._marks = keeper.on_file().moved() if keeper.thinning is not None else []

    def left_by(self, lsn: int) -> NDArray[np.int64]:
        """(n,) keys of the surface blocks that an evicted frame touched or examined."""
        return self._keeper.on_file().left_by(lsn)

    def lists(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """`left_by` of each evicted frame, in log order."""
        return ((lsn, self.left_by(lsn)) for lsn in sorted(self.lsns))

    def every_left(self) -> NDArray[np.int64]:
        """Ascending keys of all surface blocks that evicted frames touched or examined."""
        return every_key(keys for _, keys in self.lists())

    def every_cell(self) -> NDArray[np.int64]:
        """Ascending keys of all free-space blocks that they saw."""
        return every_key(cell_keys(self._layers.cells.get(lsn)) for lsn in sorted(self.lsns))

    def cells(self) -> Iterator[tuple[int, bytes]]:
        """Sightings of each evicted frame that has any, in log order."""
        found = ((lsn, self._layers.cells.get(lsn)) for lsn in sorted(self.lsns))
        return ((lsn, blob) for lsn, blob in found if blob is not None)

    @property
    def cell_m(self) -> float:
        """Edge of a free-space block."""
        return BLOCK * self._layers.config.free_voxel_m

    def marks(self, layer: str) -> list[MovedRow]:
        """Blocks of a layer whose content was moved."""
        return [row for row in self._marks if row.layer == layer]

    def marked(self, layer: str, lsns: Set[int]) -> NDArray[np.int64]:
        """Ascending keys of those of them that hold traces of any of these frames."""
        found = [row.key for row in self.marks(layer) if not lsns.isdisjoint(row.lsns)]
        return np.unique(np.array(found, np.int64))

    def traces_in(self, box_m: NDArray[np.float64]) -> set[int]:
        """Frames of which there may be traces in a box (2, 3) because content was moved into it."""
        voxel_m, found = {SURFACE: self._layers.config.voxel_size_m, FREE: self._layers.config.free_voxel_m}, set()
        inside = [row for row in self._marks if _meets(row.key, BLOCK * voxel_m[row.layer], box_m)]
        if not inside:
            return found
        surface, free = ({row.key for row in inside if row.layer == layer} for layer in (SURFACE, FREE))
        found.update(lsn for row in inside for lsn in row.lsns)
        found.update(lsn for lsn, keys in self.lists() if not surface.isdisjoint(keys.tolist()))
        found.update(lsn for lsn, blob in self.cells() if not free.isdisjoint(cell_keys(blob).tolist()))
        return found

    def meeting(
        self, surface: NDArray[np.int64], free: NDArray[np.int64], may_see: Callable[[Iterable[int]], list[int]]
    ) -> list[int]:
        """Evicted frames that touched any of these blocks, whose keys ascend; may_see: those of some frames that can
        have, by distance."""
        near = set(may_see(self.lsns)) if self.lsns and not self._marks else self.lsns
        return [lsn for lsn in sorted(self.lsns) if self._saw(lsn, free) or (lsn in near and self._met(lsn, surface))]

    def _met(self, lsn: int, surface: NDArray[np.int64]) -> bool:
        return bool(among(self.left_by(lsn), surface).any())

    def _saw(self, lsn: int, free: NDArray[np.int64]) -> bool:
        return len(free) > 0 and bool(among(cell_keys(self._layers.cells.get(lsn)), free).any())

    def departed_kept(self, lsns: Iterable[int], surface: NDArray[np.int64]) -> list[DepartedRow]:
        """What evicted frames saw to be gone elsewhere than in these blocks, which are made anew without them."""
        edge_m, found = BLOCK * self._layers.config.voxel_size_m, set(lsns)
        low = unpack_keys(surface) * edge_m
        rows = [row for row in self._layers.departed if row.valid_from in found]
        return [row for row in rows if not ((low < row.box_max_m) & (low + edge_m > row.box_min_m)).all(1).any()]

    def departed_without(
        self, erased: Set[int], anew_of: Set[int], of: Set[int], rows: list[DepartedRow]
    ) -> tuple[frozenset[int], list[DepartedRow]]:
        """Frames whose departed regions are taken again, and these regions, so that none tells what erased frames saw.

        anew_of: frames whose regions were found again without them; of, rows: what was to be taken so far. Where poses
        were corrected, a region need not lie in the blocks that the frames which saw it are known to have touched: then
        their numbers have to do, which may take more than the erased ones saw.
        """
        places, log = self._keeper.places, self._keeper.rows
        if not erased or not self.lsns or not places.revised:
            return frozenset(of), rows
        corrected = np.array([row.lsn for row in log.values() if places.was_corrected(row)], np.int64)
        forgotten = np.array(sorted(erased), np.int64)

        def tells(row: DepartedRow) -> bool:
            moved = _any_between(corrected, row.first_lsn, row.last_lsn) or row.valid_from in corrected
            return row.valid_from not in anew_of and moved and _any_between(forgotten, row.first_lsn, row.last_lsn)

        told = {row.valid_from for row in self._layers.departed if row.valid_from not in of and tells(row)}
        others = [row for row in self._layers.departed if row.valid_from in told]
        return frozenset(of | told), [row for row in [*rows, *others] if not tells(row)]


def _any_between(lsns: NDArray[np.int64], first: int, last: int) -> bool:
    """Whether any of ascending lsns (N,) is one of these."""
    return bool(np.searchsorted(lsns, first) < np.searchsorted(lsns, last, "right"))


def cell_keys(blob: bytes | None) -> NDArray[np.int64]:
    """Keys of the free-space blocks that a frame with these sightings saw."""
    if blob is None:
        return np.zeros(0, np.int64)
    x, y, z = codec.decode_cells(blob).cell.astype(np.int64).T
    return np.asarray(block_key(x, y, z), np.int64)


def _meets(key: int, edge_m: float, box_m: NDArray[np.float64]) -> bool:
    low = unpack_keys(np.array([key]))[0] * edge_m
    return bool(((low <= box_m[1]) & (low + edge_m >= box_m[0])).all())


def every_key(some: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Ascending keys of all of some lists, of which few stand in RAM at a time."""
    every, left = np.zeros(0, np.int64), iter(some)
    while batch := list(itertools.islice(left, 256)):
        every = np.unique(np.concatenate([every, *batch]))
    return every
