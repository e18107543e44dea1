"""The surface grid: where frames are fused. One thread changes it; others read what `reading` has given them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.errors import OutOfRoom
from spatialmem.voxels import allocate, change, integrate, look, pools
from spatialmem.voxels.blocks import (
    BlockArrays,
    adopt_blocks,
    block_of,
    copy_blocks,
    fresh_blocks,
    number_of_rows,
    release_blocks,
    room_for_copies,
    write_block,
)
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.finder import Finder
from spatialmem.voxels.keys import refill_table
from spatialmem.voxels.shares import Shares
from spatialmem.voxels.summaries import Summaries
from spatialmem.voxels.surface_reading import SurfaceReading, near_surface
from spatialmem.voxels.versions import Versions, live_blocks
from spatialmem.voxels.views import DepthView

_NO_KEYS = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class FusionPlan:
    """What a frame will change: made without changing the map, so that it can still be refused."""

    view: DepthView
    lsn: int
    count: int
    """number of touched blocks, the first entries of the grid's scratch"""
    pages: int
    """pages that new rows will take"""


@final
class SurfaceGrid:
    """Sparse blocks of 8^3 voxels with signed distance, and a row of colour and feature near the surface."""

    def __init__(self, config: MemoryConfig, feature_width: int, shares: Shares | None = None) -> None:
        shares = shares or Shares.without_file(config)
        self.config = config
        self.feature_width = feature_width
        self.grid = integrate.Grid(np.float32(config.voxel_size_m), np.float32(config.truncation_m))
        self._finder = Finder(config, self.grid)
        blocks, pages = pools.capacity(shares.surface, feature_width)
        if config.workspace_m is not None:  # each once more for readers; a much larger table is slow to look through
            blocks = min(blocks, 16 + 2 * self._finder.most_blocks)
        aside = pools.capacity(shares.surface_aside, feature_width) if shares.surface_aside else (0, 0)
        self.pools = pools.reserve(blocks, pages, feature_width, aside)
        self.fetched = np.zeros(blocks, np.uint32)
        """(B,) lsn of the last stored frame when a block was read from the file"""
        self._versions = Versions(blocks)
        self._doubtful: set[int] = set()
        self._touched = np.zeros(256, np.int32)
        self._scratch = integrate.new_scratch(256)
        self._no_features = np.zeros((1, 1, feature_width), np.float32)

    def __len__(self) -> int:
        return self.blocks_in_use - self._versions.retired

    @property
    def blocks_in_use(self) -> int:
        """Blocks of the pool in use, those included that only readers of earlier epochs still see."""
        return int(self.pools.counters[pools.BLOCKS_USED])

    @property
    def rows_used(self) -> int:
        """Rows of colour and feature in use."""
        return number_of_rows(self.pools)

    @property
    def bytes_used(self) -> int:
        """Bytes of the reserved pools that blocks and rows in use take."""
        pages = self.pools.free_pages.shape[0] - int(self.pools.counters[pools.PAGES_FREE])
        return self.blocks_in_use * pools.block_bytes() + pages * pools.PAGE * pools.row_bytes(self.feature_width)

    def reset(self) -> None:
        """Forget everything; what was reserved stays reserved."""
        pools.clear(self.pools)
        self._versions.reset()
        self.fetched[:] = 0
        self._doubtful.clear()

    def withdraw(self, added: NDArray[np.int32], number: int) -> None:
        """Take back blocks that were added for a frame that was refused; epoch `number`, the next one, is without."""
        if len(added):
            live = live_blocks(self.pools.table_keys, self.pools.table_blocks)
            refill_table(self.pools.table_keys, self.pools.table_blocks, self.pools.keys, np.setdiff1d(live, added))
            self._versions.retire(added, number)

    def give_up(self, blocks: NDArray[np.int64], number: int) -> None:
        """The file has these blocks, and epoch `number`, the next one, is without them."""
        self.withdraw(blocks.astype(np.int32), number)
        self._doubtful.difference_update(self.pools.keys[blocks].tolist())

    def new_summaries(self, shares: Shares) -> Summaries:
        """Room for what is remembered of blocks that are given up."""
        return Summaries(shares.summaries, self.feature_width, near_surface(self.config))

    def is_doubtful(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the blocks that are here hold doubted voxels."""
        return np.array([int(key) in self._doubtful for key in keys], np.bool_)

    def taken_since(self, in_use: int) -> NDArray[np.int32]:
        """Blocks taken since `in_use` were in use; none was given back meanwhile."""
        capacity = self.pools.free_blocks.shape[0]
        return self.pools.free_blocks[capacity - self.blocks_in_use : capacity - in_use].copy()

    # --- readers

    def reading(self) -> SurfaceReading:
        """The map as it is, for readers; it stays like this as long as only blocks that `renew` gave are changed."""
        return SurfaceReading(self.pools, self.config, self.grid)

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

    def can_renew(self, plan: FusionPlan, verdicts: look.Verdicts) -> bool:
        """Whether `renew` has room."""
        changing = np.union1d(self._touched[: plan.count], verdicts.blocks)
        return room_for_copies(self.pools, self._versions.seen(changing), plan.pages)

    def renew(self, plan: FusionPlan, verdicts: look.Verdicts) -> look.Verdicts | None:
        """Put copies in place of the blocks that a frame will change and readers see; None when there is no room.

        What is planned, and the verdicts that are returned, go by the copies.
        """
        changing = np.union1d(self._touched[: plan.count], verdicts.blocks)
        old = self._versions.seen(changing)
        if not room_for_copies(self.pools, old, plan.pages):
            return None
        new = np.empty(len(old), np.int64)
        copy_blocks(self.pools, old, new)
        self._versions.replace(old, new)
        place = np.arange(self.pools.keys.shape[0], dtype=np.int32)
        place[old] = new
        self._touched[: plan.count] = place[self._touched[: plan.count]]
        return replace(verdicts, blocks=place[verdicts.blocks])

    def start_over(self, keys: NDArray[np.int64]) -> None:
        """Empty blocks in place of those with these keys, for the next epoch.

        Raises `OutOfRoom` when there are not enough for both; the map is then unchanged.
        """
        old = self._versions.seen(change.distinct_blocks(self.pools, keys))
        left = self.pools.free_blocks.shape[0] - self.blocks_in_use
        if len(old) > left:
            raise OutOfRoom(
                f"making {len(old)} voxel blocks anew needs as many more, {left} are left of the "
                f"{self.config.ram_bytes / 2**20:.0f} MiB reserved; correct fewer frames at a time, or create the "
                "memory with a larger ram_bytes"
            )
        fresh = np.empty(len(old), np.int64)
        fresh_blocks(self.pools, old, fresh)
        self._versions.replace(old, fresh)
        self._doubtful.difference_update(self.pools.keys[fresh].tolist())

    def abandon(self, seen: SurfaceReading) -> None:
        """Go back to what readers see, after `step_aside`."""
        added = self._versions.abandon()
        self.pools = seen.pools
        release_blocks(self.pools, added)
        self._doubtful.clear()
        self.note_all_doubts()

    def publish(self, number: int) -> None:
        """The map as it is becomes epoch `number`."""
        self._versions.publish(number)

    # --- fusing

    def plan(self, view: DepthView, lsn: int, count: int | None = None) -> FusionPlan:
        """Read the image for the blocks a frame touches; `count` is what `touch` has just answered, if it was called.

        Raises `OutOfRoom` when the pools cannot hold what the frame would add; the map is then unchanged.
        """
        count = self.touch(view) if count is None else count
        self._fit_scratch(count)
        readings = view.packed.reshape(-1)
        DISPATCHER.run(
            integrate.sample_blocks, count, self.pools, self._touched, readings, view.pinhole, view.camera_from_map,
            self.grid, lsn, self._scratch, grain=8,
        )  # fmt: skip
        wanted = allocate.pages_needed(self.pools, self._touched, count, self._scratch.needs)
        free = int(self.pools.counters[pools.PAGES_FREE])
        if wanted > free:
            raise OutOfRoom(
                f"the frame needs {wanted} more pages of voxel rows, {free} are left of the "
                f"{self.config.ram_bytes / 2**20:.0f} MiB reserved; create the memory with a larger ram_bytes or "
                "voxel size"
            )
        return FusionPlan(view, lsn, count, int(wanted))

    def apply(self, plan: FusionPlan, rgb: NDArray[np.uint8], features: NDArray[np.float32] | None) -> None:
        """Average a planned frame in. rgb (H, W, 3); features (h, w, D) patch grid or None."""
        allocate.reserve_pages(self.pools, self._touched, plan.count, self._scratch.near, self._scratch.near_count)
        given = self._no_features if features is None else np.ascontiguousarray(features, np.float32)
        rgb = np.ascontiguousarray(rgb)  # a flipped or cropped view of an image is none
        DISPATCHER.run(
            integrate.merge_blocks, plan.count, self.pools, self._touched, plan.view.pinhole, plan.view.camera_from_map,
            self.grid, plan.lsn, self._scratch, rgb, given, features is not None, grain=8,
        )  # fmt: skip
        self._note_dispelled(self._touched[: plan.count])

    def _note_dispelled(self, blocks: NDArray[np.int32]) -> None:
        """A frame that agrees with a voxel ends its doubt: look at the doubtful ones of these blocks again."""
        if self._doubtful:
            doubtful = np.fromiter(self._doubtful, np.int64, len(self._doubtful))
            self.note_doubts(blocks[np.isin(self.pools.keys[blocks], doubtful)])

    def look(
        self, view: DepthView, doubtful: NDArray[np.int64] = _NO_KEYS, cast: NDArray[np.float32] | None = None,
        fetch: Callable[[NDArray[np.int64]], None] | None = None,
    ) -> look.Look:  # fmt: skip
        """Compare a depth image with the map, before it is fused; blocks around those seen through are examined too.

        Blocks that hold doubted voxels and are in view are examined again, whether or not a ray ended in them: what is
        left of a thing that went is too thin to be hit. `doubtful`: keys of such blocks that are not here. `cast`:
        what the rays meet, where that is known; `fetch` is called with keys of blocks that are to be here, if anywhere.
        """
        found = look.look(self.pools, self.grid, view, look.farthest_m(self.config), cast)
        if fetch is not None:
            fetch(change.around(found.examined))
        examined = change.with_neighbours(self.pools, found.examined)
        if self._doubtful or len(doubtful):
            doubted = np.fromiter(self._doubtful, np.int64, len(self._doubtful))
            examined = np.union1d(examined, look.in_view(np.concatenate([doubted, doubtful]), self.grid, view))
        return look.Look(found.outcome, examined)

    def judge(
        self, view: DepthView, examined: NDArray[np.int64], residual_m: float, lsn: int, poses: NDArray[np.float64]
    ) -> look.Verdicts:
        """Which voxels of the examined blocks a frame doubts or clears; the map is not changed."""
        return look.judge(self.pools, self.grid, view, examined, residual_m, lsn, poses)

    def cleared(self, verdicts: look.Verdicts) -> look.Cleared:
        """Copies of the rows that the verdicts will clear."""
        return look.cleared_rows(self.pools, verdicts)

    def carry_out(self, verdicts: look.Verdicts) -> None:
        """Doubt and clear what `judge` said."""
        look.carry_out(self.pools, verdicts)
        self.note_doubts(verdicts.blocks[verdicts.verdicts.any(1)])

    def note_all_doubts(self) -> None:
        """`note_doubts` for every block."""
        self.note_doubts(live_blocks(self.pools.table_keys, self.pools.table_blocks))

    def note_doubts(self, blocks: NDArray[np.integer]) -> None:
        """Remember which of these blocks hold doubted voxels; a guide for `look`, not a part of the map."""
        marked = np.zeros(len(blocks), np.bool_)
        change.mark_doubtful(self.pools, np.ascontiguousarray(blocks, np.int64), marked)
        keys = self.pools.keys[blocks]
        self._doubtful -= {int(key) for key in keys[~marked]}
        self._doubtful |= {int(key) for key in keys[marked]}

    def touch(self, view: DepthView) -> int:
        """Find the blocks a frame touches, adding empty ones where there are none, and return how many they are."""
        return self.enter(self.keys_touched(view))

    def keys_touched(self, view: DepthView) -> NDArray[np.int64]:
        """(N,) distinct keys of the blocks a frame touches, whether or not they are there."""
        return self._finder.keys(view)

    def enter(self, keys: NDArray[np.int64]) -> int:
        """Make the blocks with these distinct keys those that a frame touches; empty ones where there are none."""
        before = self.blocks_in_use
        if len(keys) > self._touched.shape[0]:
            self._touched = np.zeros(2 * len(keys), np.int32)
        fits = allocate.enter_blocks(self.pools, keys, self._touched)
        self._versions.add(self.taken_since(before))  # what came in before it was full, too: it can be taken back
        if not fits:
            raise OutOfRoom(
                f"all {self.pools.free_blocks.shape[0]} voxel blocks of {self.config.ram_bytes / 2**20:.0f} MiB are in "
                "use; create the memory with a larger ram_bytes or voxel size"
            )
        return len(keys)

    def load(self, key: int, arrays: BlockArrays, contains: int, lsn: int = 0) -> None:
        """Put a block from the file in; frames up to lsn `contains` will not change it again. lsn: the last frame's.

        `note_doubts` is to follow.
        """
        before = self.blocks_in_use
        write_block(self.pools, key, arrays, contains)
        added = self.taken_since(before)
        self._versions.add(added)
        self.fetched[added] = lsn

    def rewrite(self, key: int, arrays: BlockArrays, lsn: int) -> None:
        """Put other content into a block that no reader sees; it contains the frames up to lsn, the last one.

        `note_doubts` is to follow.
        """
        allocate.release_pages(self.pools, block_of(self.pools, key), 0)
        write_block(self.pools, key, arrays, lsn)

    def adopt(self, seen: SurfaceReading, besides: NDArray[np.int64], contains: int) -> None:
        """Copy what another memory's readers see in, but for the blocks with the keys `besides`.

        Frames up to lsn `contains` will not change the copies again. Raises `OutOfRoom` when they do not fit in.
        """
        live, before = live_blocks(seen.pools.table_keys, seen.pools.table_blocks), self.blocks_in_use
        chosen = live[(seen.pools.changed[live] > 0) & ~np.isin(seen.pools.keys[live], besides)]
        if not adopt_blocks(self.pools, seen.pools, chosen, contains):
            raise OutOfRoom(
                f"the map of an earlier time does not fit into the {self.config.ram_bytes / 2**20:.0f} MiB reserved "
                "for each; create the memory with a larger ram_bytes"
            )
        self._versions.add(self.taken_since(before))

    def _fit_scratch(self, count: int) -> None:
        if count > self._scratch.needs.shape[0]:
            self._scratch = integrate.new_scratch(max(count, 2 * self._scratch.needs.shape[0]))
