"""The surface grid: where frames are fused. One thread changes it; others read what `reading` has given them."""

from __future__ import annotations

from collections.abc import Sequence
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
    copy_blocks,
    fresh_blocks,
    release_blocks,
    room_for_copies,
    write_block,
)
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.keys import BLOCK, KEY_OFFSET, refill_table
from spatialmem.voxels.surface_reading import SurfaceReading
from spatialmem.voxels.versions import Versions, live_blocks
from spatialmem.voxels.views import DepthView


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

    def __init__(self, config: MemoryConfig, feature_width: int) -> None:
        self.config = config
        self.feature_width = feature_width
        self.grid = integrate.Grid(np.float32(config.voxel_size_m), np.float32(config.truncation_m))
        blocks, pages = pools.capacity(config.ram_bytes - config.free_space_bytes, feature_width)
        self._limits, self._has_limits = _block_limits(config)
        if self._has_limits:  # each block once more for readers; a table much larger than that is slow to look through
            blocks = min(blocks, 16 + 2 * int(np.prod(self._limits[3:] - self._limits[:3] + 1)))
        self.pools = pools.reserve(blocks, pages, feature_width)
        self._versions = Versions(blocks)
        self._mark = np.zeros(blocks, np.int64)
        self._stamp = 0
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
        return int(self.pools.n_rows[live_blocks(self.pools.table_keys, self.pools.table_blocks)].sum())

    @property
    def bytes_used(self) -> int:
        """Bytes of the reserved pools that blocks and rows in use take."""
        pages = self.pools.free_pages.shape[0] - int(self.pools.counters[pools.PAGES_FREE])
        return self.blocks_in_use * pools.block_bytes() + pages * pools.PAGE * pools.row_bytes(self.feature_width)

    def reset(self) -> None:
        """Forget everything; what was reserved stays reserved."""
        pools.clear(self.pools)
        self._versions.reset()
        self._doubtful.clear()

    def withdraw(self, added: NDArray[np.int32], number: int) -> None:
        """Take back blocks that were added for a frame that was refused; epoch `number`, the next one, is without."""
        if len(added):
            live = live_blocks(self.pools.table_keys, self.pools.table_blocks)
            refill_table(self.pools.table_keys, self.pools.table_blocks, self.pools.keys, np.setdiff1d(live, added))
            self._versions.retire(added, number)

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
        left = self.pools.keys.shape[0] - self.blocks_in_use
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

    def look(self, view: DepthView) -> look.Look:
        """Compare a depth image with the map, before it is fused.

        Blocks that hold doubted voxels and are in view are examined again, whether or not a ray ended in them: what is
        left of a thing that went is too thin to be hit.
        """
        found = look.look(self.pools, self.grid, view)
        if not self._doubtful:
            return found
        again = look.in_view(np.array(sorted(self._doubtful), np.int64), self.grid, view)
        return look.Look(found.outcome, np.union1d(found.examined, again))

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
        before = self.blocks_in_use
        while True:
            self._stamp += 1
            count = integrate.touch_blocks(
                self.pools, view.packed, view.pinhole, view.map_from_camera, self.grid,
                view.touch_stride(self.config), self._limits, self._has_limits, self._mark, self._stamp, self._touched,
            )  # fmt: skip
            if count == -1:
                raise OutOfRoom(
                    f"all {self.pools.keys.shape[0]} voxel blocks of {self.config.ram_bytes / 2**20:.0f} MiB are in "
                    "use; create the memory with a larger ram_bytes or voxel size"
                )
            if count >= 0:
                self._versions.add(self.taken_since(before))
                return int(count)
            self._touched = np.zeros(2 * self._touched.shape[0], np.int32)

    def touch_only(self, view: DepthView, keys: NDArray[np.int64]) -> int:
        """`touch`, leaving out the blocks that are not among these keys."""
        count = self.touch(view)  # which may make the array longer
        touched = self._touched[:count]
        touched = touched[np.isin(self.pools.keys[touched], keys)]
        self._touched[: len(touched)] = touched
        return len(touched)

    def keys_touched(self, view: DepthView) -> NDArray[np.int64]:
        """Ascending keys of the blocks a frame touches, made where there are none."""
        count = self.touch(view)
        return np.sort(self.pools.keys[self._touched[:count]])

    def load(self, key: int, arrays: BlockArrays, contains: int) -> None:
        """Put a block from the file in; frames up to lsn `contains` will not change it again."""
        before = self.blocks_in_use
        write_block(self.pools, key, arrays, contains)
        self._versions.add(self.taken_since(before))

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


def _block_limits(config: MemoryConfig) -> tuple[NDArray[np.int64], bool]:
    if config.workspace_m is None:
        limit = KEY_OFFSET - 1
        return np.array([-limit] * 3 + [limit] * 3, np.int64), False
    edge = config.voxel_size_m * BLOCK
    return np.floor(np.array(config.workspace_m) / edge).astype(np.int64), True
