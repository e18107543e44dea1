"""The surface as a reader sees it: cast, searched, read out. Nothing here changes the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.types import Camera, View
from spatialmem.voxels import cast, integrate, search
from spatialmem.voxels.mesh import Mesh, Points, extract_mesh, extract_points
from spatialmem.voxels.pools import Pools


@dataclass(frozen=True, eq=False)
class SurfaceReading:
    """Surface blocks of one epoch."""

    pools: Pools
    config: MemoryConfig
    grid: integrate.Grid

    def render(self, map_from_camera: NDArray[np.float64], camera: Camera, features: bool = False) -> View:
        """The map as a camera at this pose would see it."""
        return cast.render(self.pools, self.grid, np.ascontiguousarray(map_from_camera, np.float64), camera, features)

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
