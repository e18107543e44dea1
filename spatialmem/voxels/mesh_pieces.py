"""A mesh piece by piece: the same vertices and triangles, in the same order, as `mesh.extract_mesh` gives at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.change import distinct_blocks
from spatialmem.voxels.keys import VOXELS
from spatialmem.voxels.mesh import MIN_WEIGHT, Mesh, dressed, places_in, triangles_in, vertices_in
from spatialmem.voxels.pools import Pools

_BEFORE = np.array([(x, y, z) for x in (-1, 0) for y in (-1, 0) for z in (-1, 0)], np.int64)
"""steps to the blocks whose vertices a block's triangles may have; their keys are lower than its own"""


_STEPS = (_BEFORE[:, 0] << 42) + (_BEFORE[:, 1] << 21) + _BEFORE[:, 2]


@final
@dataclass
class Numbers:
    """Number of the first vertex of those blocks so far that later ones may refer to."""

    count: int = 0
    keys: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """(N,) ascending"""
    first: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def mesh_piece(pools: Pools, keys: NDArray[np.int64], numbers: Numbers, voxel_size_m: float) -> Mesh:
    """Vertices and triangles of the blocks with these ascending keys, which follow those of the pieces before.

    pools: hold these blocks and all around them.
    """
    order = distinct_blocks(pools, np.unique(keys[:, None] + _STEPS)).astype(np.int64)
    own = np.isin(pools.keys[order], keys)
    place = places_in(pools, order)
    cell_vertex = np.full((len(order), VOXELS), -1, np.int32)
    count = vertices_in(pools, order, MIN_WEIGHT, place, cell_vertex, np.empty((0, 3), np.float32))
    position = np.empty((count, 3), np.float32)
    vertices_in(pools, order, MIN_WEIGHT, place, cell_vertex, position)
    counts = (cell_vertex >= 0).sum(1)
    shift = _numbered(numbers, pools.keys[order], own, counts)
    mine, none = order[own], np.empty((0, 3), np.int32)
    triangles = np.empty((triangles_in(pools, mine, MIN_WEIGHT, place, cell_vertex, none), 3), np.int32)
    triangles_in(pools, mine, MIN_WEIGHT, place, cell_vertex, triangles)
    position = position[np.repeat(own, counts)]
    normal, rgb = dressed(pools, position)
    of_all = triangles + np.repeat(shift, counts).astype(np.int32)[triangles]
    return Mesh(position * np.float32(voxel_size_m), normal, rgb, of_all)


def _numbered(
    numbers: Numbers, keys: NDArray[np.int64], own: NDArray[np.bool_], counts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """What is added to the number of a vertex in this piece for its number in all; (B,) by block, by ascending key."""
    here = np.cumsum(counts) - counts
    mine = np.where(own, counts, 0)
    in_all = numbers.count + np.cumsum(mine) - mine
    before = np.searchsorted(numbers.keys, keys[~own])
    in_all[~own] = numbers.first[before]
    numbers.count += int(mine.sum())
    needed = numbers.keys >= keys[own].min(initial=np.iinfo(np.int64).max) + _STEPS.min()
    numbers.keys = np.concatenate([numbers.keys[needed], keys[own]])
    numbers.first = np.concatenate([numbers.first[needed], in_all[own]])
    return in_all - here
