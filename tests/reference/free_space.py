"""The free-space layer as a dict of voxels (docs/format.md, section 7)."""

from __future__ import annotations

import math

import numpy as np

from reference.segments import crossed_cells

FREE, OCCUPIED, LIMIT = -4, 6, 24


class ReferenceFreeSpace:
    """Log-odds by voxel coordinates, with the stamps of the last frame that saw the voxel free or occupied."""

    def __init__(self, voxel_m: float, max_depth_m: float, workspace_m=None) -> None:
        self.voxel_m, self.max_depth_m, self.workspace_m = voxel_m, max_depth_m, workspace_m
        self.log_odds: dict[tuple, int] = {}
        self.last_free: dict[tuple, int] = {}
        self.last_occupied: dict[tuple, int] = {}

    def update(self, packed, beyond, camera, map_from_camera, lsn) -> dict[tuple, list[int]]:
        """One frame; returns the cells (blocks) in view with how many voxels were seen occupied and free."""
        occupied, free = set(), set()
        stride = max(1, min(8, camera.height // 32))
        for v in range(stride // 2, camera.height, stride):
            for u in range(stride // 2, camera.width, stride):
                ray = np.array([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0])
                direction = map_from_camera[:3, :3] @ ray / self.voxel_m
                self._ray(int(packed[v, u]), bool(beyond[v, u]), map_from_camera[:3, 3] / self.voxel_m, direction,
                          occupied, free)  # fmt: skip
        free -= occupied
        for voxels, step, stamps in ((occupied, OCCUPIED, self.last_occupied), (free, FREE, self.last_free)):
            for voxel in voxels:
                self.log_odds[voxel] = min(max(self.log_odds.get(voxel, 0) + step, -LIMIT), LIMIT)
                stamps[voxel] = lsn
        return _cells(occupied, free)

    def _ray(self, reading, beyond, eye, direction, occupied, free) -> None:
        if reading == 0 and not beyond:
            return
        z = (reading >> 8) * 1e-5 if reading else self.max_depth_m
        if reading:
            occupied.update(self._inside([tuple(math.floor(c) for c in eye + z * direction)]))
        end = z - 1.0 / np.linalg.norm(direction)  # one voxel before the reading the ray says nothing
        if end > 0:
            free.update(self._inside(cell for cell, _, _ in crossed_cells(eye, eye + end * direction)))

    def _inside(self, voxels):
        if self.workspace_m is None:
            return list(voxels)
        low, high = (np.floor(np.array(c) / self.voxel_m) for c in (self.workspace_m[:3], self.workspace_m[3:]))
        return [v for v in voxels if (low <= v).all() and (v <= high).all()]

    def state(self, voxel) -> int:
        """0 unknown, 1 free, 2 occupied."""
        if voxel not in self.log_odds:
            return 0
        return 2 if self.log_odds[voxel] > 0 else 1


def _cells(occupied, free) -> dict[tuple, list[int]]:
    cells: dict[tuple, list[int]] = {}
    for kind, voxels in enumerate((occupied, free)):
        for voxel in voxels:
            cells.setdefault(tuple(c >> 3 for c in voxel), [0, 0])[kind] += 1
    return cells
