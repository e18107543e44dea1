"""The free-space layer: which parts of space were seen empty, seen occupied, or never seen (docs/format.md, section 7).

Log-odds occupancy (Moravec & Elfes, ICRA 1985; clamping as in OctoMap, Hornung et al., AuRo 2013) on a coarse
sparse grid. We deviate in counting a voxel at most once a frame and in keeping the last frame that saw it free and the
last that saw it occupied. What a frame saw is worked out in sketch.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.errors import OutOfRoom
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.free_pools import (
    adopt_blocks,
    block_at,
    clear,
    copy_blocks,
    enter_blocks,
    fresh_blocks,
    move_listed,
    release_blocks,
    reserve,
)
from spatialmem.voxels.free_reading import FreeReading
from spatialmem.voxels.keys import BLOCK, NO_BLOCK, VOXELS, refill_table
from spatialmem.voxels.shares import Shares
from spatialmem.voxels.sketch import Sketch, Sketcher
from spatialmem.voxels.versions import Versions, live_blocks
from spatialmem.voxels.views import DepthView

LOG_ODDS_FREE, LOG_ODDS_OCCUPIED, LOG_ODDS_LIMIT = -4, 6, 24
_BLOCK_BYTES = VOXELS * (1 + 4 + 4) + 8 + 4 + 4 + 4 + 4 + 9 + 4 * 24
"""of a block with its marks and its share of two hash tables at their emptiest"""


@leaf
def apply_voxels(free, listed, occupied, lsn):
    """Write one frame's voxels; a block that contains the frame already stays as it is."""
    for n in range(listed.shape[0]):
        block, i = listed[n] // VOXELS, listed[n] % VOXELS
        if lsn <= free.contains[block]:
            continue
        step = LOG_ODDS_OCCUPIED if n < occupied else LOG_ODDS_FREE
        value = np.int64(free.log_odds[block, i]) + step
        free.log_odds[block, i] = min(max(value, -LOG_ODDS_LIMIT), LOG_ODDS_LIMIT)
        if n < occupied:
            free.last_occupied[block, i] = lsn
        else:
            free.last_free[block, i] = lsn
        free.changed[block] = lsn


@dataclass(frozen=True, eq=False)
class FreePlan:
    """What one frame will change in the free-space layer."""

    listed: NDArray[np.int64]
    """(N,) block * 512 + voxel, the first `occupied` of them seen occupied, the others free"""
    occupied: int
    blocks: NDArray[np.int32]
    """(C,) the blocks in view"""
    cell_keys: NDArray[np.int64]
    """(C,) keys of the blocks in view, ascending"""
    cells: NDArray[np.int64]
    """(C, 2) voxels of each block seen occupied and free"""


@final
class FreeSpaceGrid:
    """Sparse log-odds grid; one block is one cell of the sightings (64 cm at the default 8 cm)."""

    def __init__(self, config: MemoryConfig, shares: Shares | None = None) -> None:
        self.config = config
        self.voxel_m = config.free_voxel_m
        shares = shares or Shares.without_file(config)
        self.pools = reserve(_capacity(config, shares.free), shares.free_aside // _BLOCK_BYTES)
        blocks = self.pools.free_blocks.shape[0]
        self.fetched = np.zeros(blocks, np.uint32)
        """(B,) lsn of the last stored frame when a block was read from the file"""
        self._sketcher = Sketcher(config)
        self._versions = Versions(blocks)

    def __len__(self) -> int:
        return self.blocks_in_use - self._versions.retired

    @property
    def blocks_in_use(self) -> int:
        """Blocks of the pool in use, those included that only readers of earlier epochs still see."""
        return int(self.pools.counters[0])

    @property
    def bytes_used(self) -> int:
        """Bytes of the reserved pools that blocks in use take."""
        return self.blocks_in_use * _BLOCK_BYTES

    def reset(self) -> None:
        """Forget everything; what was reserved stays reserved."""
        clear(self.pools)
        self._versions.reset()
        self.fetched[:] = 0

    def withdraw(self, added: NDArray[np.int32], number: int) -> None:
        """Take back blocks that were added for a frame that was refused; epoch `number`, the next one, is without."""
        if len(added):
            live = live_blocks(self.pools.table_keys, self.pools.table_blocks)
            refill_table(self.pools.table_keys, self.pools.table_blocks, self.pools.keys, np.setdiff1d(live, added))
            self._versions.retire(added, number)

    def give_up(self, blocks: NDArray[np.int64], number: int) -> None:
        """The file has these blocks, and epoch `number`, the next one, is without them."""
        self.withdraw(blocks.astype(np.int32), number)

    def taken_since(self, in_use: int) -> NDArray[np.int32]:
        """Blocks taken since `in_use` were in use; none was given back meanwhile."""
        capacity = self.pools.free_blocks.shape[0]
        return self.pools.free_blocks[capacity - self.blocks_in_use : capacity - in_use].copy()

    # --- readers (as in surface.py)

    def reading(self) -> FreeReading:
        """The layer as it is, for readers."""
        return FreeReading(self.pools, self.voxel_m)

    def step_aside(self, number: int) -> None:
        """From now on changes are not to be seen before the next `publish`; `number` is the current epoch's.

        Blocks that were added in place so far are in its table already: readers may see them.
        """
        self._versions.publish(number)
        self.pools = self.pools._replace(
            table_keys=self.pools.table_keys.copy(), table_blocks=self.pools.table_blocks.copy()
        )

    def reclaim(self, in_use: Sequence[int]) -> None:
        """Take back blocks that no reader needs any more; in_use: numbers of epochs that are read."""
        self._versions.reclaim(in_use, lambda blocks: release_blocks(self.pools, blocks))

    def can_renew(self, plan: FreePlan) -> bool:
        """Whether `renew` has room."""
        return len(self._versions.seen(plan.blocks)) <= self.pools.free_blocks.shape[0] - self.blocks_in_use

    def renew(self, plan: FreePlan) -> bool:
        """Put copies in place of the blocks that a frame will change and readers see; False when there is no room."""
        if not self.can_renew(plan):
            return False
        old = self._versions.seen(plan.blocks)
        new = np.empty(len(old), np.int64)
        copy_blocks(self.pools, old, new)
        self._versions.replace(old, new)
        place = np.arange(self.pools.keys.shape[0], dtype=np.int32)
        place[old] = new
        move_listed(plan.listed, place)
        return True

    def start_over(self, keys: NDArray[np.int64]) -> None:
        """Empty blocks in place of those with these keys, for the next epoch; `OutOfRoom` as in surface.py."""
        live = live_blocks(self.pools.table_keys, self.pools.table_blocks)
        old = self._versions.seen(live[np.isin(self.pools.keys[live], keys)])
        left = self.pools.free_blocks.shape[0] - self.blocks_in_use
        if len(old) > left:
            raise OutOfRoom(
                f"making {len(old)} free-space blocks anew needs as many more, {left} are left; correct fewer frames "
                "at a time, or create the memory with a larger ram_bytes"
            )
        fresh = np.empty(len(old), np.int64)
        fresh_blocks(self.pools, old, fresh)
        self._versions.replace(old, fresh)

    def abandon(self, seen: FreeReading) -> None:
        """Go back to what readers see, after `step_aside`."""
        added = self._versions.abandon()
        self.pools = seen.pools
        release_blocks(self.pools, added)

    def publish(self, number: int) -> None:
        """The layer as it is becomes epoch `number`."""
        self._versions.publish(number)

    # --- changing

    def sketch(self, view: DepthView) -> Sketch:
        """What a frame saw occupied and free, block by block; the layer is neither looked at nor changed."""
        return self._sketcher.sketch(view)

    def enter(self, sketch: Sketch, only: NDArray[np.int64] | None = None) -> FreePlan:
        """What a frame will change; no voxel is changed, but blocks are added where there are none.

        Raises `OutOfRoom` when the pool cannot hold them; the caller takes back what was added (`withdraw`).

        only: keys to which it is limited.
        """
        chosen = np.arange(len(sketch.found)) if only is None else np.flatnonzero(np.isin(sketch.found, only))
        place = np.full(len(sketch.found), NO_BLOCK, np.int32)
        place[chosen] = blocks = self.enter_keys(sketch.found[chosen])
        kept = np.ones(len(sketch.listed), np.bool_) if only is None else place[sketch.listed // VOXELS] != NO_BLOCK
        listed = sketch.listed[kept]
        move_listed(listed, place)
        return FreePlan(listed, int(kept[: sketch.occupied].sum()), blocks, sketch.cell_keys, sketch.cells)

    def enter_keys(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """(N,) the blocks with these keys, empty ones where there are none; `OutOfRoom` as `enter`."""
        before, blocks = self.blocks_in_use, np.empty(len(keys), np.int32)
        fits = enter_blocks(self.pools, keys, blocks)
        self._versions.add(self.taken_since(before))
        if not fits:
            raise OutOfRoom(
                f"all {self.pools.free_blocks.shape[0]} free-space blocks are in use; create the memory with a larger "
                "ram_bytes, a larger free_voxel_m or a smaller max_depth_m"
            )
        return blocks

    def plan(self, view: DepthView) -> FreePlan:
        """`enter` what `sketch` finds."""
        return self.enter(self.sketch(view))

    def apply(self, plan: FreePlan, lsn: int) -> None:
        """Write what `plan` found."""
        apply_voxels(self.pools, plan.listed, plan.occupied, lsn)

    def load(
        self, key: int, contains: int, log_odds: NDArray, last_free: NDArray, last_occupied: NDArray, lsn: int = 0
    ) -> None:
        """Put a block from a file back; frames up to `contains` will not change it again. lsn: the last frame's."""
        before = self.blocks_in_use
        block = block_at(self.pools, np.int64(key))
        added = self.taken_since(before)
        self._versions.add(added)
        self.fetched[added] = lsn
        if block == NO_BLOCK:
            raise OutOfRoom(
                f"the file holds more free-space blocks than the {self.pools.free_blocks.shape[0]} that fit into the "
                "memory's ram_bytes; it was made with other numbers than it says"
            )
        self.pools.log_odds[block], self.pools.last_free[block] = log_odds, last_free
        self.pools.last_occupied[block], self.pools.contains[block] = last_occupied, contains
        self.pools.changed[block] = contains

    def adopt(self, seen: FreeReading, besides: NDArray[np.int64], contains: int) -> None:
        """Copy what another memory's readers see in, but for the blocks with the keys `besides`, as in surface.py."""
        live, before = live_blocks(seen.pools.table_keys, seen.pools.table_blocks), self.blocks_in_use
        chosen = live[(seen.pools.changed[live] > 0) & ~np.isin(seen.pools.keys[live], besides)]
        if not adopt_blocks(self.pools, seen.pools, chosen, contains):
            raise OutOfRoom(
                f"the {len(chosen)} free-space blocks of an earlier time do not fit in beside {before} that are in "
                "use; create the memory with a larger ram_bytes"
            )
        self._versions.add(self.taken_since(before))


def _capacity(config: MemoryConfig, share_bytes: int) -> int:
    """Blocks that this share of `ram_bytes` holds, or those of the workspace when they are fewer."""
    blocks = share_bytes // _BLOCK_BYTES
    if config.workspace_m is not None:
        edge = config.free_voxel_m * BLOCK
        sides = np.ceil((np.array(config.workspace_m[3:]) - config.workspace_m[:3]) / edge) + 1
        blocks = min(blocks, int(min(sides.prod(), blocks)))
    return max(1, blocks)
