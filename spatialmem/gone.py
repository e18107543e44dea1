"""What frames left in the map whose images were given up: for corrections and for forgetting (docs/format.md, 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import Evicted
from spatialmem.layers import Layers
from spatialmem.store import codec
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

    def left_by(self, lsn: int) -> NDArray[np.int64]:
        """(n,) keys of the surface blocks that an evicted frame touched or examined."""
        return self._keeper.on_file().left_by(lsn)

    def meeting(
        self, surface: NDArray[np.int64], free: NDArray[np.int64], may_see: Callable[[Iterable[int]], list[int]]
    ) -> list[int]:
        """Evicted frames that touched any of these blocks; may_see: those of some frames that can have, by distance."""
        near = set(may_see(self.lsns)) if len(self.lsns) else set()
        return [lsn for lsn in sorted(self.lsns) if self._saw(lsn, free) or (lsn in near and self._met(lsn, surface))]

    def _met(self, lsn: int, surface: NDArray[np.int64]) -> bool:
        return bool(np.isin(self.left_by(lsn), surface).any())

    def _saw(self, lsn: int, free: NDArray[np.int64]) -> bool:
        blob = self._layers.cells.get(lsn)
        if blob is None or len(free) == 0:
            return False
        x, y, z = codec.decode_cells(blob).cell.astype(np.int64).T
        return bool(np.isin(np.asarray(block_key(x, y, z), np.int64), free).any())

    def departed_kept(self, lsns: Iterable[int], surface: NDArray[np.int64]) -> list[DepartedRow]:
        """What evicted frames saw to be gone elsewhere than in these blocks, which are made anew without them."""
        edge_m, found = BLOCK * self._layers.config.voxel_size_m, set(lsns)
        low = unpack_keys(surface) * edge_m
        rows = [row for row in self._layers.departed if row.valid_from in found]
        return [row for row in rows if not ((low < row.box_max_m) & (low + edge_m > row.box_min_m)).all(1).any()]

    def require_none(self, lsns: Iterable[int]) -> None:
        """`Evicted` when there are any: what they left cannot be replayed."""
        found = sorted(lsns)
        if found:
            some = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
            raise Evicted(
                f"poses cannot be corrected where frames were evicted: the map there was also made of {len(found)} "
                f"frames whose depth was given up to keep within the file budget (frames {some}), so it cannot be made "
                "anew. Nothing was changed. Correct only frames that look elsewhere, or build the memory anew with a "
                "larger budget"
            )
