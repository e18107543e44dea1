"""What one frame saw of free space: rays walked voxel by voxel (Amanatides & Woo, Eurographics 1987)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.free_pools import block_at, clear, reserve
from spatialmem.voxels.free_reading import voxel_index
from spatialmem.voxels.keys import BLOCK, NO_BLOCK, VOXELS, pack_key
from spatialmem.voxels.views import DepthView
from spatialmem.voxels.weights import DEPTH_UNIT_M

_FIRST_BLOCKS = 512


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


@dataclass(frozen=True, eq=False)
class Sketch:
    """Voxels that one frame saw. `listed` is valid until the next one."""

    listed: NDArray[np.int64]
    """(N,) number of the block among `found` * 512 + voxel, the first `occupied` of them seen occupied, others free"""
    occupied: int
    found: NDArray[np.int64]
    """(C,) keys of the blocks in view"""
    cell_keys: NDArray[np.int64]
    """(C,) the same, ascending"""
    cells: NDArray[np.int64]
    """(C, 2) voxels of each of these seen occupied and free"""


@final
class Sketcher:
    """Lists the voxels that frames see, in blocks of its own that have a key and nothing else."""

    def __init__(self, config: MemoryConfig) -> None:
        self._config, self._limits = config, _voxel_limits(config)
        self._stamp = 0
        self._listed = np.zeros(1 << 14, np.int64)
        self._grow(_FIRST_BLOCKS)

    def _grow(self, blocks: int) -> None:
        self._pools, self._mark = reserve(blocks, voxels=1), np.zeros((blocks, VOXELS), np.int32)
        self._blocks, self._cells = np.zeros(blocks, np.int64), np.zeros((blocks, 2), np.int64)
        self._slot_of = np.full(blocks, -1, np.int64)

    def sketch(self, view: DepthView) -> Sketch:
        """What a frame saw occupied and free."""
        occupied, count = self._list(view)
        listed = self._listed[:count]
        n = count_cells(listed, occupied, self._blocks, self._cells, self._slot_of)
        found = self._pools.keys[:n].copy()  # blocks are given out in the order in which they are found
        keys = self._pools.keys[self._blocks[:n]]
        order = np.argsort(keys)
        return Sketch(listed, occupied, found, keys[order], self._cells[:n][order])

    def _list(self, view: DepthView) -> tuple[int, int]:
        while True:
            self._stamp += 1
            clear(self._pools)
            occupied, count = list_voxels(
                self._pools, view.packed, view.beyond, view.pinhole, view.map_from_camera, view.ray_stride,
                self._config.free_voxel_m, self._config.max_depth_m, self._limits, self._mark, self._stamp,
                self._listed,
            )  # fmt: skip
            if self._pools.counters[1] > 0:
                self._grow(2 * self._mark.shape[0])
            elif count <= self._listed.shape[0]:
                return int(occupied), int(count)
            else:
                self._listed = np.zeros(max(count, 2 * self._listed.shape[0]), np.int64)


def _voxel_limits(config: MemoryConfig) -> NDArray[np.int64]:
    if config.workspace_m is None:
        limit = (1 << 20) * BLOCK - BLOCK
        return np.array([-limit] * 3 + [limit] * 3, np.int64)
    return np.floor(np.array(config.workspace_m) / config.free_voxel_m).astype(np.int64)
