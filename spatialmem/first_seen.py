"""When each point of the surface was first seen, by the number of the frame."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.search import Filter
from spatialmem.voxels.surface_reading import SurfaceReading

if TYPE_CHECKING:
    from spatialmem.memory import SpatialMemory

_AROUND = np.array(sorted(itertools.product((0, -1, 1), repeat=3), key=lambda step: sum(map(abs, step))))
"""(27, 3) a voxel and its neighbours, nearest first"""


def first_seen_lsn(memory: SpatialMemory, position_m: NDArray[np.floating]) -> NDArray[np.int64]:
    """The first frame that saw the surface at points of `memory.points()`.

    Args:
        memory: where the points come from; no frame may have been stored since.
        position_m: (N, 3) metres, map frame.

    Returns:
        (N,) lsn; 0 where no surface voxel lies at the point or beside it.
    """
    with memory._reading() as epoch:
        parts = list(epoch.surface.in_parts(_voxels_of))
    if not parts:
        return np.zeros(len(position_m), np.int64)
    voxels, first = (np.concatenate(column) for column in zip(*parts, strict=True))
    at = np.floor(np.asarray(position_m, np.float64).reshape(-1, 3) / memory.config.voxel_size_m).astype(np.int64)
    return _of_nearest(voxels, first.astype(np.int64), at)


def _voxels_of(surface: SurfaceReading) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """(N, 3) surface voxels, and (N,) the frame that saw each first."""
    found = surface.search(None, 0.0, Filter())
    places = found.places()
    return found.voxels(places), found.seen(found.rows(places))[0]


def _of_nearest(voxels: NDArray[np.int64], values: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The values (M,) of those of `voxels` (M, 3) that lie at `wanted` (N, 3) or beside; 0 where none does."""
    out = np.full(len(wanted), -1, np.int64)
    if len(voxels) and len(wanted):
        low = np.minimum(voxels.min(0), wanted.min(0)) - 1
        shape = tuple((np.maximum(voxels.max(0), wanted.max(0)) - low + 2).tolist())
        keys = np.asarray(np.ravel_multi_index(tuple((voxels - low).T), shape))
        order = np.argsort(keys)
        keys, values = keys[order], values[order]
        for step in _AROUND:  # points lie on the surface, up to a voxel from the middle of theirs
            left = np.flatnonzero(out < 0)
            key = np.ravel_multi_index(tuple((wanted[left] + step - low).T), shape)
            place = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
            known = keys[place] == key
            out[left[known]] = values[place[known]]
    return np.maximum(out, 0)
