"""Small depth scenes and grids for the tests of the voxel layers."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
from synthetic import look

from spatialmem.config import MemoryConfig
from spatialmem.types import Camera
from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.keys import VOXELS, unpack_keys
from spatialmem.voxels.surface import DepthView, SurfaceGrid

WIDTH = 4
"""features of the test grids"""
FORWARD = look((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
"""world_from_camera one metre up, looking along +x"""


def small_config(**options) -> MemoryConfig:
    """Voxels of 4 cm and a small reserve, unless told otherwise."""
    return MemoryConfig(**{"voxel_size_m": 0.04, "ram_bytes": 64 << 20, **options})


def camera(width: int = 80, height: int = 60, hfov_deg: float = 70.0) -> Camera:
    return Camera.from_hfov(hfov_deg, width, height)


def plane_depth(view: Camera, distance_m: float, normal=(0.0, 0.0, -1.0)) -> np.ndarray:
    """(H, W) float32 depth of the plane through (0, 0, distance) with this normal, in camera coordinates."""
    v, u = np.indices((view.height, view.width))
    rays = np.stack([(u - view.cx) / view.fx, (v - view.cy) / view.fy, np.ones(u.shape)], axis=-1)
    with np.errstate(divide="ignore"):
        return (distance_m * normal[2] / (rays @ np.asarray(normal, float))).astype(np.float32)


def smooth_rgb(view: Camera, phase: float = 0.0) -> np.ndarray:
    """(H, W, 3) uint8 that varies slowly and differs from frame to frame by `phase`."""
    v, u = np.indices((view.height, view.width))
    waves = [np.sin(phase + u / 17.0 + k) + np.cos(v / 13.0 + 2 * k) for k in range(3)]
    return np.clip(np.rint(127.5 + 60 * np.stack(waves, axis=-1)), 0, 255).astype(np.uint8)


def patch_features(seed: int, h: int = 3, w: int = 4, width: int = WIDTH) -> np.ndarray:
    """(h, w, width) float32 patch grid of unit rows."""
    values = np.random.default_rng(seed).normal(size=(h, w, width)).astype(np.float32)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def view_of(grid: SurfaceGrid, depth, pose, cam: Camera, valid=None) -> DepthView:
    return DepthView.of(np.ascontiguousarray(depth, np.float32), valid, cam, pose, grid.config)


def fuse(grid: SurfaceGrid, depth, pose, cam: Camera, lsn: int, rgb=None, features=None) -> DepthView:
    """Plan and apply one frame; returns its view."""
    view = view_of(grid, depth, pose, cam)
    grid.apply(grid.plan(view, lsn), smooth_rgb(cam) if rgb is None else rgb, features)
    return view


def touched_blocks(grid: SurfaceGrid, count: int) -> np.ndarray:
    """(N, 3) coordinates of the blocks that the last plan touched."""
    return unpack_keys(grid.pools.keys[grid._touched[:count]])


def contents(grid: SurfaceGrid) -> dict[tuple[int, int, int], tuple[np.ndarray, ...]]:
    """What the map holds, by block coordinates and free of block ids, slots and pages; empty blocks left out."""
    held = {}
    p = grid.pools
    per_row = (p.feature, p.colour, p.colour_weight, p.feature_weight, p.first, p.last, p.doubt)
    for block in range(len(grid)):
        if not (p.weight[block].any() or p.slot[block].any()):
            continue
        voxels = np.flatnonzero(p.slot[block])
        rows = np.array([row_at(p.pages, block, p.slot[block, i]) for i in voxels], dtype=np.int64)
        fields = [f[rows].copy() for f in per_row]
        key = tuple(int(c) for c in unpack_keys(p.keys[block]))
        held[key] = (p.dist[block].copy(), p.weight[block].copy(), voxels, *fields)
    return held


def assert_same_map(one: dict, other: dict) -> None:
    """Both maps (see `contents`) are equal, bit for bit."""
    assert one.keys() == other.keys()
    for key, fields in one.items():
        for a, b in zip(fields, other[key], strict=True):
            np.testing.assert_array_equal(a, b)


def voxel_weights(grid: SurfaceGrid) -> np.ndarray:
    """(B * 512,) weights of all blocks in use."""
    return grid.pools.weight[: len(grid)].reshape(-1, VOXELS).ravel()


@contextmanager
def threads(count: int):
    """Run kernels on this many threads, then as before."""
    before = DISPATCHER.threads
    DISPATCHER.set_threads(count)
    try:
        yield
    finally:
        DISPATCHER.set_threads(before)
