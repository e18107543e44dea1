"""Looking before fusing: how a new depth image compares with the map, and which voxels it contradicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.types import Outcome
from spatialmem.voxels import change
from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.cast import FAR_M, Part, cast_depth
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.integrate import Grid
from spatialmem.voxels.keys import BLOCK, VOXELS, unpack_keys
from spatialmem.voxels.pools import Pools
from spatialmem.voxels.raycast import TILE
from spatialmem.voxels.views import DepthView
from spatialmem.voxels.weights import DEPTH_UNIT_M

PAST_VOXELS = 3.0
"""how far behind its surface a ray is still looked at"""


@dataclass(frozen=True, eq=False)
class Look:
    """What the map said about a depth image before it was fused."""

    outcome: Outcome
    examined: NDArray[np.int64]
    """sorted distinct keys of the blocks in which a surface was seen through"""


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Voxels of the examined blocks that a frame doubts or clears."""

    blocks: NDArray[np.int32]
    """(N,) block indices"""
    verdicts: NDArray[np.uint8]
    """(N, 512) 0, DOUBT, CLEAR or CLEAR_ROWLESS"""
    lsn: int

    @property
    def clears(self) -> bool:
        """Whether a voxel with a row is cleared."""
        return bool((self.verdicts == change.CLEAR).any())


@dataclass(frozen=True, eq=False)
class Cleared:
    """The rows a frame clears, copied before they go. K rows."""

    voxel: NDArray[np.int64]
    """(K, 3) voxel coordinates"""
    feature: NDArray[np.float32]
    """(K, D)"""
    rgb: NDArray[np.float32]
    """(K, 3), 0 to 255"""
    first: NDArray[np.uint32]
    last: NDArray[np.uint32]


def farthest_m(config: MemoryConfig) -> float:
    """Depth up to which a frame is compared with the map: what lies farther, no reading and no band comes near."""
    return config.max_depth_m + max(10.0, config.truncation_voxels) * config.voxel_size_m


def look(
    pools: Pools, grid: Grid, view: DepthView, far_m: float = FAR_M, cast: NDArray[np.float32] | None = None
) -> Look:
    """Cast every stride-th pixel and sort the readings into agrees, seen through, occluded, no return.

    far_m: depth up to which blocks count. cast: what `cast_rays` gives, when it was called.
    """
    stride = view.ray_stride
    cast = cast_rays(pools, grid, view, far_m) if cast is None else cast
    counts = np.zeros(4, np.int64)
    residuals, examined = np.empty(cast.size, np.float32), np.empty(cast.size, np.int64)
    n_residuals, n_examined = change.compare(
        pools, view.packed, view.map_from_camera, view.pinhole, stride, grid.voxel, cast, counts, residuals, examined
    )
    rays = int(counts.sum())
    shares = counts / max(rays, 1)
    residual = float(np.median(residuals[:n_residuals])) if n_residuals else float("nan")
    outcome = Outcome(*(float(s) for s in shares), residual_m=residual, rays=rays)
    return Look(outcome, np.unique(examined[:n_examined]))


def cast_rays(pools: Pools, grid: Grid, view: DepthView, far_m: float, part: Part | None = None) -> NDArray[np.float32]:
    """(rows, columns) depth of the map along the rays of a look, NaN where they meet nothing.

    Only observed surfaces can be contradicted: none is inferred across gaps.
    """
    stride = view.ray_stride
    return cast_depth(
        pools, grid, view.map_from_camera, view.camera, stride, stride // 2, gap_voxels=0.0, far_m=far_m, part=part
    )  # fmt: skip


def expected_m(view: DepthView, config: MemoryConfig) -> NDArray[np.float64]:
    """(rows, columns) depth at which the rays of a look end when the map is as the frame sees it, 0 without reading."""
    readings = _readings_m(view)
    return np.where(readings > 0, readings + PAST_VOXELS * config.voxel_size_m, 0.0)


def ends_m(cast: NDArray[np.float32], view: DepthView, config: MemoryConfig) -> NDArray[np.float64]:
    """(rows, columns) depth at which the rays of a look end in the map, 0 where there is no reading."""
    far_m = farthest_m(config)
    ends = np.where(np.isnan(cast), far_m, np.minimum(far_m, cast + PAST_VOXELS * config.voxel_size_m))
    return np.where(_readings_m(view) > 0, ends, 0.0).astype(np.float64)


def _readings_m(view: DepthView) -> NDArray[np.float64]:
    """(rows, columns) readings of the pixels that a look casts rays through, 0 where there is none."""
    start, stride = view.ray_stride // 2, view.ray_stride
    return ((view.packed[start::stride, start::stride] >> 8) * DEPTH_UNIT_M).astype(np.float64)


def only(limits_m: NDArray[np.float64], part: Part) -> NDArray[np.float64]:
    """The limits of the rays of a part; 0 for the others."""
    out = np.zeros_like(limits_m)
    top, bottom, left, right = (edge * TILE for edge in part)
    out[top:bottom, left:right] = limits_m[top:bottom, left:right]
    return out


def in_view(keys: NDArray[np.int64], grid: Grid, view: DepthView) -> NDArray[np.int64]:
    """Those of the block keys (N,) whose centre the camera looks at."""
    centres = (unpack_keys(keys) + 0.5) * BLOCK * float(grid.voxel)
    local = centres @ view.camera_from_map[:, :3].T + view.camera_from_map[:, 3]
    z, camera = np.maximum(local[:, 2], 1e-6), view.camera
    u, v = local[:, 0] / z * camera.fx + camera.cx, local[:, 1] / z * camera.fy + camera.cy
    inside = (local[:, 2] > 0) & (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
    return keys[inside]


def judge(
    pools: Pools, grid: Grid, view: DepthView, examined: NDArray[np.int64], residual_m: float, lsn: int, poses: NDArray
) -> Verdicts:
    """What the frame does to the voxels of the examined blocks; the map is not changed.

    residual_m: median difference of the frame's readings and the map, 0 when it is not known.
    poses: (lsn + 1, 6) float64, centre and optical axis in the map frame of every stored frame and of this one.
    """
    blocks = change.distinct_blocks(pools, examined)
    verdicts = np.zeros((len(blocks), VOXELS), np.uint8)
    DISPATCHER.run(
        change.judge_blocks, len(blocks), pools, blocks, view.packed.reshape(-1), view.pinhole, view.camera_from_map,
        grid.voxel, grid.truncation, residual_m, lsn, poses, verdicts, grain=8,
    )  # fmt: skip
    return Verdicts(blocks, verdicts, lsn)


def carry_out(pools: Pools, verdicts: Verdicts) -> None:
    """Write the verdicts into the map."""
    change.carry_out(pools, verdicts.blocks, len(verdicts.blocks), verdicts.verdicts, verdicts.lsn)


def cleared_rows(pools: Pools, verdicts: Verdicts) -> Cleared:
    """Copies of the rows that `carry_out` will clear."""
    at, i = np.nonzero(verdicts.verdicts == change.CLEAR)
    blocks = verdicts.blocks[at]
    rows = np.array([row_at(pools.pages, b, pools.slot[b, v]) for b, v in zip(blocks, i, strict=True)], dtype=np.int64)
    within = np.stack([i % BLOCK, i // BLOCK % BLOCK, i // (BLOCK * BLOCK)], axis=-1)
    return Cleared(
        voxel=unpack_keys(pools.keys[blocks]) * BLOCK + within,
        feature=pools.feature[rows].view(np.float16).astype(np.float32),
        rgb=(pools.colour[rows] / 256).astype(np.float32),
        first=pools.first[rows],
        last=pools.last[rows],
    )
