"""The surface as a reader sees it: cast, searched, read out. Nothing here changes the map."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.types import Camera, Outcome, View
from spatialmem.voxels import cast, field, integrate, look, search
from spatialmem.voxels.blocks import BlockArrays, block_of, keys_in_order, read_block
from spatialmem.voxels.mesh import Mesh, Points, extract_mesh, extract_points, joined_meshes, joined_points
from spatialmem.voxels.mesh_pieces import Numbers, mesh_piece
from spatialmem.voxels.pools import Pools
from spatialmem.voxels.shelved_surface import ShelvedSurface
from spatialmem.voxels.views import DepthView

T = TypeVar("T")

_READ_OUT = 512
"""blocks at once for what is as large as they are: vertices, triangles, points"""


def near_surface(config: MemoryConfig) -> int:
    """Stored distance up to which a voxel counts as surface: that of one voxel."""
    return int(integrate.DIST_ONE * config.voxel_size_m / config.truncation_m)


@dataclass(frozen=True, eq=False)
class SurfaceReading:
    """Surface blocks of one epoch."""

    pools: Pools
    config: MemoryConfig
    grid: integrate.Grid
    away: ShelvedSurface | None = None
    """those that are on file alone; None: all are in `pools`"""

    def render(self, map_from_camera: NDArray[np.float64], camera: Camera, features: bool = False) -> View:
        """The map as a camera at this pose would see it."""
        pose = np.ascontiguousarray(map_from_camera, np.float64)
        if self.away is not None:
            return self.away.render(pose, camera, features)
        return cast.render(self.pools, self.grid, pose, camera, features)

    def distances(self, points_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N,) metres from the surface of (N, 3) points of the map, and (N, 3) unit slope; see `field.distances`."""
        if self.away is not None:
            return self.away.distances(np.asarray(points_m, np.float64))
        return field.distances(self.pools, self.grid, points_m, cast.MIN_WEIGHT)

    def compare(self, view: DepthView) -> Outcome:
        """How a depth image compares with the map."""
        if self.away is not None:
            return self.away.compare(view)
        return look.look(self.pools, self.grid, view).outcome

    def search(self, query: NDArray | None, least: float, chosen: search.Filter) -> search.Candidates:
        """Surface voxels that pass the filter and reach the cosine `least` with the unit vector `query` (D,)."""
        if self.away is not None:
            return self.away.search(query, least, chosen)
        return search.scan(self.pools, self.config.voxel_size_m, near_surface(self.config), query, least, chosen)

    def blocks(self) -> Iterator[tuple[int, BlockArrays]]:
        """Key and content of every block, by ascending key."""
        here = ((key, read_block(self.pools, block_of(self.pools, key))) for key in keys_in_order(self.pools).tolist())
        away = () if self.away is None else self.away.fetched()
        yield from heapq.merge(here, away, key=lambda entry: entry[0])

    def in_parts(self, work: Callable[[SurfaceReading], T]) -> Iterator[T]:
        """Results of `work` for readings that fit into RAM; every block is in at least one of them."""
        if self.away is None:
            yield work(self)
            return
        yield from self.away.pieces(lambda near, keys: work(near))

    def mesh(self) -> Mesh:
        """The surface as triangles."""
        if self.away is None:
            return extract_mesh(self.pools, self.config.voxel_size_m, self.config.truncation_m)
        return joined_meshes(list(self.mesh_pieces()))

    def mesh_pieces(self) -> Iterator[Mesh]:
        """`mesh` in pieces that fit into RAM; triangles count the vertices of all pieces, and none of a later one."""
        if self.away is None:
            yield self.mesh()
            return
        numbers, size_m = Numbers(), self.config.voxel_size_m
        yield from self.away.pieces(lambda near, keys: mesh_piece(near.pools, keys, numbers, size_m), _READ_OUT)

    def points(self, stamps_ns: NDArray[np.int64]) -> Points:
        """The surface as points; stamps_ns (lsn + 1,) of the stored frames."""
        return joined_points(list(self.point_pieces(stamps_ns)))

    def point_pieces(self, stamps_ns: NDArray[np.int64]) -> Iterator[Points]:
        """`points` in pieces that fit into RAM."""
        sizes = self.config.voxel_size_m, self.config.truncation_m
        if self.away is None:
            yield extract_points(self.pools, *sizes, stamps_ns)
            return
        yield from self.away.pieces(lambda near, keys: extract_points(near.pools, *sizes, stamps_ns, keys), _READ_OUT)
