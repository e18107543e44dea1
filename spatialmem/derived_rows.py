"""Rows of what a frame leaves in the derived tables: its sightings, and the regions that it clears."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatialmem.store import codec
from spatialmem.store.rows import DepartedRow, block_coordinates
from spatialmem.voxels.look import Cleared
from spatialmem.voxels.regions import connected_regions
from spatialmem.voxels.sketch import Sketch

_LEAST_DEPARTED_VOXELS = 24  # fewer cleared voxels are noise at an edge, not a thing that left


def cells_blob(plan: Sketch) -> bytes:
    """The sightings blob of a frame."""
    coordinates = np.array([block_coordinates(int(key)) for key in plan.cell_keys], np.int16).reshape(-1, 3)
    counts = plan.cells.astype(np.uint16)
    return codec.encode_cells(codec.Cells(coordinates, counts[:, 0], counts[:, 1]))


def departed_rows(cleared: Cleared, lsn: int, voxel_size_m: float) -> tuple[DepartedRow, ...]:
    """One for each connected region that frame `lsn` clears."""
    regions = connected_regions(cleared.voxel)
    rows = []
    for number in range(len(regions)):
        chosen = regions.members(number)
        if len(chosen) >= _LEAST_DEPARTED_VOXELS:
            rows.append(_departed_row(cleared, chosen, lsn, voxel_size_m))
    return tuple(rows)


def _triple(values: NDArray[np.floating]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _departed_row(cleared: Cleared, chosen: NDArray[np.int64], lsn: int, voxel_m: float) -> DepartedRow:
    centres = (cleared.voxel[chosen] + 0.5) * voxel_m
    low, high = cleared.voxel[chosen].min(0) * voxel_m, (cleared.voxel[chosen].max(0) + 1) * voxel_m
    rgb = np.rint(cleared.rgb[chosen].mean(0)).astype(int)
    return DepartedRow(
        valid_from=lsn,
        first_lsn=int(cleared.first[chosen].min()),
        last_lsn=int(cleared.last[chosen].max()),
        position_m=_triple(centres.mean(0)),
        box_min_m=_triple(low),
        box_max_m=_triple(high),
        voxels=len(chosen),
        rgb=(int(rgb[0]), int(rgb[1]), int(rgb[2])),
        feature=cleared.feature[chosen].mean(0).astype(np.float16).tobytes(),
    )
