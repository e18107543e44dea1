"""The layers of one instant, for readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.departed_log import DepartedLog
from spatialmem.sightings import Sightings, until
from spatialmem.store.rows import DepartedRow
from spatialmem.voxels.free_reading import FreeReading
from spatialmem.voxels.shelf import Shelf
from spatialmem.voxels.surface_reading import SurfaceReading


@dataclass(frozen=True, eq=False)
class MapEpoch:
    """The layers after one frame, as readers see them: they stay like this for as long as somebody reads."""

    number: int
    surface: SurfaceReading
    free: FreeReading
    last_lsn: int
    stamps_ns: NDArray[np.int64]
    """(last_lsn + 1,) stamp of each stored frame; entry 0 is none"""
    _departed: DepartedLog
    _departed_count: int
    _cells: Sightings
    shelves: tuple[Shelf, Shelf]
    """surface and free-space blocks that are on file alone"""

    def same_departed(self, other: MapEpoch | None) -> bool:
        """Whether the departed regions of another epoch are the same."""
        return other is not None and self._departed is other._departed and self._departed_count == other._departed_count

    @property
    def departed(self) -> list[DepartedRow]:
        """Departed regions, oldest first."""
        return self._departed[: self._departed_count]

    @property
    def cells(self) -> Mapping[int, bytes]:
        """Sightings blob of each stored frame, ascending."""
        return until(self._cells, self.last_lsn)
