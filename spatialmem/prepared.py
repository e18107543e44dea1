"""What layers get of a frame, and what it will change in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.store.rows import DepartedRow
from spatialmem.types import Camera
from spatialmem.voxels.freespace import FreePlan
from spatialmem.voxels.look import Verdicts
from spatialmem.voxels.surface import FusionPlan

Added = tuple[NDArray[np.int32], NDArray[np.int32]]
"""surface and free-space blocks"""


@dataclass(frozen=True, eq=False)
class LoggedFrame:
    """A log row, decoded: all that a layer may know of a frame."""

    lsn: int
    stamp_ns: int
    camera: Camera
    map_from_camera: NDArray[np.float64]
    rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32] | None
    valid: NDArray[np.bool_] | None
    features: NDArray[np.float32] | None
    """(h, w, D) as de-quantised"""
    examined: NDArray[np.int64]
    """block keys the gate examined for having been seen through"""
    residual_m: float
    """median difference of the readings and the map before fusion, 0 when there was none to take"""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything a frame will change, worked out before anything is changed."""

    frame: LoggedFrame
    verdicts: Verdicts | None
    fusion: FusionPlan | None
    free: FreePlan | None
    cells: bytes | None
    """the sightings blob"""
    departed: tuple[DepartedRow, ...]
    added: Added
    """blocks that were added for the frame"""
