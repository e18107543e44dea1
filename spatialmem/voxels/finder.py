"""Which blocks of the surface a frame touches, found without looking at the map or changing it."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.voxels import integrate, pools
from spatialmem.voxels.keys import BLOCK, KEY_OFFSET
from spatialmem.voxels.views import DepthView

_FIRST_BLOCKS = 2048


@final
class Finder:
    """Lists the blocks that the truncation band of a frame's readings passes through."""

    def __init__(self, config: MemoryConfig, grid: integrate.Grid) -> None:
        self._config, self._grid = config, grid
        self._limits, self._has_limits = _block_limits(config)
        self._stamp = 0
        self._grow(_FIRST_BLOCKS)

    @property
    def most_blocks(self) -> int:
        """How many blocks there can be within the workspace."""
        return int(np.prod(self._limits[3:] - self._limits[:3] + 1, dtype=np.float64).clip(max=2.0**62))

    def _grow(self, blocks: int) -> None:
        self._pools = pools.keys_alone(blocks)
        self._mark, self._found = np.zeros(blocks, np.int64), np.zeros(blocks, np.int32)

    def keys(self, view: DepthView) -> NDArray[np.int64]:
        """(N,) distinct keys, in the order in which the readings come to them."""
        while True:
            self._stamp += 1
            pools.clear(self._pools)
            count = integrate.touch_blocks(
                self._pools, view.packed, view.pinhole, view.map_from_camera, self._grid,
                view.touch_stride(self._config), self._limits, self._has_limits, self._mark, self._stamp, self._found,
            )  # fmt: skip
            if count >= 0:
                return self._pools.keys[self._found[:count]]
            self._grow(2 * self._found.shape[0])


def _block_limits(config: MemoryConfig) -> tuple[NDArray[np.int64], bool]:
    if config.workspace_m is None:
        limit = KEY_OFFSET - 1
        return np.array([-limit] * 3 + [limit] * 3, np.int64), False
    edge = config.voxel_size_m * BLOCK
    return np.floor(np.array(config.workspace_m) / edge).astype(np.int64), True
