"""The free-space layer: which parts of space were seen empty, seen occupied, or never seen (docs/format.md, section 7).

Log-odds occupancy (Moravec & Elfes, ICRA 1985; clamping as in OctoMap, Hornung et al., AuRo 2013) on a coarse
sparse grid; rays are walked voxel by voxel (Amanatides & Woo, Eurographics 1987). We deviate in counting a voxel at
most once a frame and in keeping the last frame that saw it free and the last that saw it occupied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.errors import OutOfRoom
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.free_pools import (
    adopt_blocks,
    block_at,
    copy_blocks,
    fresh_blocks,
    move_listed,
    release_blocks,
    reserve,
)
from spatialmem.voxels.free_reading import FreeReading, voxel_index
from spatialmem.voxels.keys import (
    BLOCK,
    NO_BLOCK,
    VOXELS,
    pack_key,
    refill_table,
)
from spatialmem.voxels.versions import Versions, live_blocks
from spatialmem.voxels.views import DepthView
from spatialmem.voxels.weights import DEPTH_UNIT_M

LOG_ODDS_FREE, LOG_ODDS_OCCUPIED, LOG_ODDS_LIMIT = -4, 6, 24
_BLOCK_BYTES = VOXELS * (1 + 4 + 4 + 4) + 8 + 4 + 4 + 8 + 16 + 8 + 4 + 9 + 4 * 24
"""of a block with its marks, its scratch and its share of two hash tables at their emptiest"""


@leaf
def _outside(x, y, z, limits):
    return (
        x < limits[0] or y < limits[1] or z < limits[2] or x > limits[3] or y > limits[4] or z > limits[5]
    )  # fmt: skip


@leaf
def _list_once(mark, stamp, block, i, listed, count):
    """Append voxel (block, i) unless this frame has listed it already; returns the new length."""
    if mark[block, i] == stamp:
        return count
    mark[block, i] = stamp
    if count < listed.shape[0]:
        listed[count] = np.int64(block) * VOXELS + i
    return count + 1


@leaf
def _list_occupied(free, packed, camera, m, stride, voxel, limits, mark, stamp, listed):
    count = 0
    for v in range(stride // 2, camera.height, stride):
        y = (v - camera.cy) / camera.fy
        for u in range(stride // 2, camera.width, stride):
            if packed[v, u] == 0:
                continue
            z = (packed[v, u] >> 8) * DEPTH_UNIT_M
            x = (u - camera.cx) / camera.fx
            vx = int(math.floor((m[0, 3] + z * (m[0, 0] * x + m[0, 1] * y + m[0, 2])) / voxel))
            vy = int(math.floor((m[1, 3] + z * (m[1, 0] * x + m[1, 1] * y + m[1, 2])) / voxel))
            vz = int(math.floor((m[2, 3] + z * (m[2, 0] * x + m[2, 1] * y + m[2, 2])) / voxel))
            if _outside(vx, vy, vz, limits):
                continue
            block = block_at(free, pack_key(vx >> 3, vy >> 3, vz >> 3))
            if block != NO_BLOCK:
                count = _list_once(mark, stamp, block, voxel_index(vx, vy, vz), listed, count)
    return count


@leaf
def _list_along(free, ox, oy, oz, dx, dy, dz, t_end, limits, mark, stamp, listed, count):
    """Walk from o to o + t_end d (voxels; t in metres of depth) and list the voxels on the way."""
    vx, vy, vz = int(math.floor(ox)), int(math.floor(oy)), int(math.floor(oz))
    sx, sy, sz = (1 if dx > 0 else -1), (1 if dy > 0 else -1), (1 if dz > 0 else -1)
    tx = math.inf if dx == 0 else ((vx + (dx > 0)) - ox) / dx
    ty = math.inf if dy == 0 else ((vy + (dy > 0)) - oy) / dy
    tz = math.inf if dz == 0 else ((vz + (dz > 0)) - oz) / dz
    ix, iy, iz = (abs(1 / dx) if dx != 0 else 0.0), (abs(1 / dy) if dy != 0 else 0.0), (abs(1 / dz) if dz != 0 else 0.0)
    key, block = np.int64(-1), np.int64(NO_BLOCK)
    t = 0.0
    while t < t_end:
        if not _outside(vx, vy, vz, limits):
            here = pack_key(vx >> 3, vy >> 3, vz >> 3)
            if here != key:
                key, block = here, np.int64(block_at(free, here))
            if block != NO_BLOCK:
                count = _list_once(mark, stamp, block, voxel_index(vx, vy, vz), listed, count)
        if tx <= ty and tx <= tz:
            vx, t, tx = vx + sx, tx, tx + ix
        elif ty <= tz:
            vy, t, ty = vy + sy, ty, ty + iy
        else:
            vz, t, tz = vz + sz, tz, tz + iz
    return count


@leaf
def list_voxels(free, packed, beyond, camera, m, stride, voxel, max_depth, limits, mark, stamp, listed):
    """Voxels (block * 512 + i) one frame saw, each once: first the occupied ones, then the free ones.

    packed: (H, W) readings; beyond: (H, W) bool, readings farther than max_depth, which carve up to it. Returns
    (number occupied, number in all); more than listed.shape[0] means that `listed` was too short.
    """
    occupied = _list_occupied(free, packed, camera, m, stride, voxel, limits, mark, stamp, listed)
    count = occupied
    ox, oy, oz = m[0, 3] / voxel, m[1, 3] / voxel, m[2, 3] / voxel
    for v in range(stride // 2, camera.height, stride):
        y = (v - camera.cy) / camera.fy
        for u in range(stride // 2, camera.width, stride):
            z = (packed[v, u] >> 8) * DEPTH_UNIT_M
            if packed[v, u] == 0:
                if not beyond[v, u]:
                    continue
                z = max_depth
            x = (u - camera.cx) / camera.fx
            dx = (m[0, 0] * x + m[0, 1] * y + m[0, 2]) / voxel
            dy = (m[1, 0] * x + m[1, 1] * y + m[1, 2]) / voxel
            dz = (m[2, 0] * x + m[2, 1] * y + m[2, 2]) / voxel
            stop = z - 1.0 / math.sqrt(dx * dx + dy * dy + dz * dz)  # the last voxel before the reading stays as it is
            count = _list_along(free, ox, oy, oz, dx, dy, dz, stop, limits, mark, stamp, listed, count)
    return occupied, count


@leaf
def count_cells(listed, occupied, blocks, cells, slot_of):
    """Voxels of each block seen occupied and free: blocks (N,), cells (N, 2). Returns N; slot_of (B,) is scratch."""
    count = 0
    for n in range(listed.shape[0]):
        block = listed[n] // VOXELS
        if slot_of[block] < 0:
            slot_of[block] = count
            blocks[count] = block
            cells[count, 0] = 0
            cells[count, 1] = 0
            count += 1
        cells[slot_of[block], 0 if n < occupied else 1] += 1
    for n in range(count):
        slot_of[blocks[n]] = -1
    return count


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
    """What one frame saw of free space. `listed` is valid until the next plan."""

    listed: NDArray[np.int64]
    """(N,) block * 512 + voxel, the first `occupied` of them seen occupied, the others free"""
    occupied: int
    cell_keys: NDArray[np.int64]
    """(C,) keys of the blocks in view, ascending"""
    cells: NDArray[np.int64]
    """(C, 2) voxels of each block seen occupied and free"""


@final
class FreeSpaceGrid:
    """Sparse log-odds grid; one block is one cell of the sightings (64 cm at the default 8 cm)."""

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        self.voxel_m = config.free_voxel_m
        self.pools = reserve(_capacity(config))
        blocks = self.pools.keys.shape[0]
        self._mark, self._stamp = np.zeros((blocks, VOXELS), np.int32), 0
        self._listed = np.zeros(1 << 14, np.int64)
        self._blocks, self._cells = np.zeros(blocks, np.int64), np.zeros((blocks, 2), np.int64)
        self._slot_of = np.full(blocks, -1, np.int64)
        self._limits = _voxel_limits(config)
        self._versions = Versions(blocks)

    def __len__(self) -> int:
        return self.blocks_in_use - self._versions.retired

    @property
    def blocks_in_use(self) -> int:
        """Blocks of the pool in use, those included that only readers of earlier epochs still see."""
        return int(self.pools.counters[0])

    def reset(self) -> None:
        """Forget everything; what was reserved stays reserved."""
        self.pools.table_keys.fill(-1)
        self.pools.counters[:] = 0
        blocks = self.pools.free_blocks.shape[0]
        self.pools.free_blocks[:] = np.arange(blocks - 1, -1, -1, dtype=np.int32)
        self._versions.reset()

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

    def renew(self, plan: FreePlan) -> bool:
        """Put copies in place of the blocks that a frame will change and readers see; False when there is no room."""
        old = self._versions.seen(self._blocks[: len(plan.cells)])
        if len(old) > self.pools.free_blocks.shape[0] - self.blocks_in_use:
            return False
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
        left = self.pools.keys.shape[0] - self.blocks_in_use
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

    def plan(self, view: DepthView) -> FreePlan:
        """What a frame saw occupied and free; no voxel is changed, but blocks are added where there are none.

        Raises `OutOfRoom` when the pool cannot hold them; the caller takes back what was added (`withdraw`).
        """
        before = self.blocks_in_use
        while True:
            self._stamp += 1
            self.pools.counters[1] = 0
            occupied, count = list_voxels(
                self.pools, view.packed, view.beyond, view.pinhole, view.map_from_camera, view.ray_stride, self.voxel_m,
                self.config.max_depth_m, self._limits, self._mark, self._stamp, self._listed,
            )  # fmt: skip
            if self.pools.counters[1] > 0:
                raise OutOfRoom(
                    f"all {self.pools.keys.shape[0]} free-space blocks are in use; create the memory with a larger "
                    "ram_bytes, a larger free_voxel_m or a smaller max_depth_m"
                )
            if count <= self._listed.shape[0]:
                break
            self._listed = np.zeros(max(count, 2 * self._listed.shape[0]), np.int64)
        self._versions.add(self.taken_since(before))
        listed = self._listed[:count]
        n = count_cells(listed, occupied, self._blocks, self._cells, self._slot_of)
        keys = self.pools.keys[self._blocks[:n]]
        order = np.argsort(keys)
        return FreePlan(listed, int(occupied), keys[order], self._cells[:n][order])

    def only(self, plan: FreePlan, keys: NDArray[np.int64]) -> FreePlan:
        """A plan without the voxels of blocks that are not among these keys."""
        kept = np.isin(self.pools.keys[plan.listed // VOXELS], keys)
        return replace(plan, listed=plan.listed[kept], occupied=int(kept[: plan.occupied].sum()))

    def apply(self, plan: FreePlan, lsn: int) -> None:
        """Write what `plan` found."""
        apply_voxels(self.pools, plan.listed, plan.occupied, lsn)

    def load(self, key: int, contains: int, log_odds: NDArray, last_free: NDArray, last_occupied: NDArray) -> None:
        """Put a block from a file back; frames up to `contains` will not change it again."""
        before = self.blocks_in_use
        block = block_at(self.pools, np.int64(key))
        self._versions.add(self.taken_since(before))
        if block == NO_BLOCK:
            raise OutOfRoom(
                f"the file holds more free-space blocks than the {self.pools.keys.shape[0]} that fit into the memory's "
                "ram_bytes; it was made with other numbers than it says"
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


def _capacity(config: MemoryConfig) -> int:
    """Blocks that the share of free space in `ram_bytes` holds, or those of the workspace when they are fewer."""
    blocks = config.free_space_bytes // _BLOCK_BYTES
    if config.workspace_m is not None:
        edge = config.free_voxel_m * BLOCK
        sides = np.ceil((np.array(config.workspace_m[3:]) - config.workspace_m[:3]) / edge) + 1
        blocks = min(blocks, int(min(sides.prod(), blocks)))
    return max(1, blocks)


def _voxel_limits(config: MemoryConfig) -> NDArray[np.int64]:
    if config.workspace_m is None:
        limit = (1 << 20) * BLOCK - BLOCK
        return np.array([-limit] * 3 + [limit] * 3, np.int64)
    return np.floor(np.array(config.workspace_m) / config.free_voxel_m).astype(np.int64)
