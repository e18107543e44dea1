"""Which voxel blocks a stored frame touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.store.rows import KeyframeRow
from spatialmem.voxels.finder import Finder
from spatialmem.voxels.integrate import Grid
from spatialmem.voxels.views import DepthView

if TYPE_CHECKING:
    from spatialmem.keeper import Keeper


@final
class Footprint:
    """Works it out from the frame alone, so that the map stays as it is."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._finder: Finder | None = None

    def of(self, row: KeyframeRow) -> NDArray[np.int64]:
        """(n,) ascending keys of the blocks that a stored frame touched or examined."""
        frame = self._keeper.logged(row)
        if frame.depth_m is None:
            return frame.examined
        config = self._keeper.config
        if self._finder is None:
            grid = Grid(np.float32(config.voxel_size_m), np.float32(config.truncation_m))
            self._finder = Finder(config, grid)
        view = DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.map_from_camera, config)
        return np.union1d(self._finder.keys(view), frame.examined)
