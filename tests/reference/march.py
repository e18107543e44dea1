"""Ray casting by marching in steps far finer than a voxel through a dense copy of the grid."""

from __future__ import annotations

import numpy as np

from spatialmem.voxels.keys import unpack_keys


class DenseField:
    """Signed distance (of the truncation) on a dense grid, NaN where never observed."""

    def __init__(self, keys, dist, weight) -> None:
        blocks = unpack_keys(keys)
        self.low = blocks.min(0) * 8 - 1  # a rim of unobserved voxels
        self.field = np.full((blocks.max(0) - blocks.min(0) + 1) * 8 + 2, np.nan)
        values = np.where(weight > 0, dist / 32767.0, np.nan).reshape(-1, 8, 8, 8).transpose(0, 3, 2, 1)
        for (x, y, z), value in zip(blocks * 8 - self.low, values, strict=True):
            self.field[x : x + 8, y : y + 8, z : z + 8] = value

    def at(self, points):
        """(N,) trilinear distance at (N, 3) points in voxels (centres at +0.5); NaN next to anything unobserved."""
        grid = points - 0.5 - self.low
        corner = np.floor(grid).astype(int)
        share = grid - corner
        inside = ((corner >= 0) & (corner + 1 < self.field.shape)).all(1)
        corner = np.where(inside[:, None], corner, 0)
        total = np.zeros(len(points))
        for n in range(8):
            step = np.array([n & 1, n >> 1 & 1, n >> 2])
            x, y, z = (corner + step).T
            total += self.field[x, y, z] * np.where(step, share, 1 - share).prod(1)
        return np.where(inside, total, np.nan)

    def nearest(self, points):
        """(N,) distance of the voxel at (N, 3) points in voxels; NaN where it was never observed."""
        voxel = np.floor(points).astype(int) - self.low
        inside = ((voxel >= 0) & (voxel < self.field.shape)).all(1)
        return np.where(inside, self.field[tuple(np.where(inside[:, None], voxel, 0).T)], np.nan)

    def gradient(self, points):
        """(N, 3) unit gradient by central differences of one voxel."""
        steps = np.eye(3)
        g = np.stack([self.at(points + s) - self.at(points - s) for s in steps], axis=-1)
        return g / np.linalg.norm(g, axis=-1, keepdims=True)


def march(field: DenseField, eye_voxels, ray_voxels, near_m, far_m, step_m):
    """Depth of the first change from + to - along eye + t ray between two neighbouring samples; NaN without one."""
    previous, depth = np.full(len(ray_voxels), np.nan), np.full(len(ray_voxels), np.nan)
    open_rays = np.arange(len(ray_voxels))
    for t in np.arange(near_m, far_m, step_m):
        d = field.at(eye_voxels + t * ray_voxels[open_rays])
        before = previous[open_rays]
        with np.errstate(invalid="ignore"):
            hit = (before > 0) & (d <= 0)
        depth[open_rays[hit]] = t - step_m * (-d[hit]) / (before[hit] - d[hit])
        previous[open_rays] = d
        open_rays = open_rays[~hit]
    return depth


def march_across(field: DenseField, eye_voxels, ray_voxels, near_m, far_m, step_m, gap_m):
    """As `march`, by the nearest distances; without a change between neighbouring samples, the first across a gap.

    The gap is the unobserved way between the two samples, at most `gap_m` in depth.
    """
    last, last_t = np.full(len(ray_voxels), np.nan), np.full(len(ray_voxels), np.nan)
    observed, inferred = np.full(len(ray_voxels), np.nan), np.full(len(ray_voxels), np.nan)
    for t in np.arange(near_m, far_m, step_m):
        d = field.nearest(eye_voxels + t * ray_voxels)
        gap = t - last_t - step_m
        with np.errstate(invalid="ignore", divide="ignore"):
            crossed = (last > 0) & (d <= 0) & (gap <= gap_m + 1e-9)
            next_to = gap < 0.5 * step_m
            depth = last_t + (t - last_t) * last / (last - d)
        observed = np.where(crossed & next_to & np.isnan(observed), depth, observed)
        inferred = np.where(crossed & ~next_to & np.isnan(inferred), depth, inferred)
        last, last_t = np.where(np.isnan(d), last, d), np.where(np.isnan(d), last_t, t)
    return np.where(np.isnan(observed), inferred, observed)
