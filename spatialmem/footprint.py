"""Which voxel blocks a stored frame touched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import OutOfRoom
from spatialmem.store.rows import KeyframeRow
from spatialmem.voxels.surface import SurfaceGrid
from spatialmem.voxels.views import DepthView

if TYPE_CHECKING:
    from spatialmem.keeper import Keeper

_RAM_BYTES = 64 << 20  # reserved, and used as far as a frame needs it: about 2.5 kB a block


@final
class Footprint:
    """Works it out on a grid of its own, so that the map stays as it is."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._ram_bytes = _RAM_BYTES
        self._grid: SurfaceGrid | None = None

    def of(self, row: KeyframeRow) -> NDArray[np.int64]:
        """(n,) ascending keys of the blocks that a stored frame touched or examined."""
        frame = self._keeper.logged(row)
        if frame.depth_m is None:
            return frame.examined
        config = self._keeper.config
        view = DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.map_from_camera, config)
        while True:
            if self._grid is None:
                self._grid = SurfaceGrid(replace(config, ram_bytes=self._ram_bytes), 1)
            try:
                touched = self._grid.keys_touched(view)
                self._grid.reset()
                return np.union1d(touched, frame.examined)
            except OutOfRoom:
                self._grid, self._ram_bytes = None, 2 * self._ram_bytes
