"""A depth image made ready for the kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.types import Camera
from spatialmem.voxels.integrate import Pinhole
from spatialmem.voxels.keys import BLOCK
from spatialmem.voxels.weights import packed_readings


@dataclass(frozen=True, eq=False)
class DepthView:
    """A depth image packed for the kernels, with where it was taken from."""

    packed: NDArray[np.int32]
    """(H, W) packed readings, see weights.py"""
    beyond: NDArray[np.bool_]
    """(H, W) readings farther than the map reaches; they carve free space up to there"""
    camera: Camera
    map_from_camera: NDArray[np.float64]
    """(4, 4)"""

    @classmethod
    def of(
        cls, depth_m: NDArray[np.float32], valid: NDArray[np.bool_] | None, camera: Camera,
        map_from_camera: NDArray[np.float64], config: MemoryConfig,
    ) -> DepthView:  # fmt: skip
        """Pack (H, W) float32 metres; readings outside the configured range are dropped."""
        packed = packed_readings(depth_m, valid, camera, config.min_depth_m, config.max_depth_m)
        with np.errstate(invalid="ignore"):
            beyond = (depth_m > config.max_depth_m) & (depth_m < np.inf)
        if valid is not None:
            beyond &= valid
        return cls(packed, beyond, camera, np.ascontiguousarray(map_from_camera, np.float64))

    @property
    def ray_stride(self) -> int:
        """Pixels between the rays that look for change and carve free space: 32 rows of rays, or every 8th pixel."""
        return max(1, min(8, self.camera.height // 32))

    def touch_stride(self, config: MemoryConfig) -> int:
        """Pixels between the readings that allocate blocks: two in a block at the far end of the range, at most 4."""
        block_pixels = BLOCK * config.voxel_size_m * min(self.camera.fx, self.camera.fy) / config.max_depth_m
        return max(1, min(4, int(block_pixels / 2)))

    @property
    def camera_from_map(self) -> NDArray[np.float64]:
        """(3, 4) rows of the inverse pose."""
        rotation = self.map_from_camera[:3, :3].T
        return np.ascontiguousarray(np.column_stack([rotation, -rotation @ self.map_from_camera[:3, 3]]))

    @property
    def pinhole(self) -> Pinhole:
        """The camera as the kernels take it."""
        return pinhole(self.camera)


def pinhole(camera: Camera) -> Pinhole:
    """Kernel form of a camera."""
    f = np.float32
    return Pinhole(f(camera.fx), f(camera.fy), f(camera.cx), f(camera.cy), camera.width, camera.height)
