"""The surface as a reader sees it: cast, searched, read out. Nothing here changes the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.types import Camera, Outcome, View
from spatialmem.voxels import cast, field, integrate, look, search
from spatialmem.voxels.mesh import Mesh, Points, extract_mesh, extract_points
from spatialmem.voxels.pools import Pools
from spatialmem.voxels.views import DepthView


@dataclass(frozen=True, eq=False)
class SurfaceReading:
    """Surface blocks of one epoch."""

    pools: Pools
    config: MemoryConfig
    grid: integrate.Grid

    def render(self, map_from_camera: NDArray[np.float64], camera: Camera, features: bool = False) -> View:
        """The map as a camera at this pose would see it."""
        return cast.render(self.pools, self.grid, np.ascontiguousarray(map_from_camera, np.float64), camera, features)

    def distances(self, points_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N,) metres from the surface of (N, 3) points of the map, and (N, 3) unit slope; see `field.distances`."""
        return field.distances(self.pools, self.grid, points_m, cast.MIN_WEIGHT)

    def compare(self, view: DepthView) -> Outcome:
        """How a depth image compares with the map."""
        return look.look(self.pools, self.grid, view).outcome

    def search(self, query: NDArray | None, least: float, chosen: search.Filter) -> search.Candidates:
        """Surface voxels that pass the filter and reach the cosine `least` with the unit vector `query` (D,)."""
        near = int(integrate.DIST_ONE * self.config.voxel_size_m / self.config.truncation_m)
        return search.scan(self.pools, self.config.voxel_size_m, near, query, least, chosen)

    def mesh(self) -> Mesh:
        """The surface as triangles."""
        return extract_mesh(self.pools, self.config.voxel_size_m, self.config.truncation_m)

    def points(self, stamps_ns: NDArray[np.int64]) -> Points:
        """The surface as points; stamps_ns (lsn + 1,) of the stored frames."""
        return extract_points(self.pools, self.config.voxel_size_m, self.config.truncation_m, stamps_ns)
