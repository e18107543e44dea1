"""Which cells of an integer grid a straight segment passes through, from the sorted crossings of all grid planes."""

from __future__ import annotations

import math

import numpy as np


def crossed_cells(start, stop) -> list[tuple[tuple[int, int, int], float, float]]:
    """Cells along the segment, each with the share of the segment (from, to) that lies inside it."""
    start, stop = np.asarray(start, float), np.asarray(stop, float)
    cuts = [0.0, 1.0]
    for axis in range(3):
        a, b = start[axis], stop[axis]
        planes = np.arange(math.ceil(min(a, b)), math.floor(max(a, b)) + 1)
        cuts += [(plane - a) / (b - a) for plane in planes if a != b]
    cuts = sorted(t for t in cuts if 0.0 <= t <= 1.0)
    cells = []
    for low, high in zip(cuts, cuts[1:], strict=False):
        if high > low:
            middle = start + 0.5 * (low + high) * (stop - start)
            cells.append(((math.floor(middle[0]), math.floor(middle[1]), math.floor(middle[2])), low, high))
    return cells


def band_blocks(packed, camera, map_from_camera, voxel_m, truncation_m, stride) -> dict[tuple, float]:
    """Blocks that the truncation band of every 4th reading crosses: the longest way through each, in block edges."""
    edge = 8 * voxel_m
    longest: dict[tuple, float] = {}
    first = stride // 2
    for row in range(first, camera.height, stride):
        for column in range(first, camera.width, stride):
            diagonal = (max(row - 1, 0), max(column - 1, 0))
            v, u = (row, column) if packed[row, column] else diagonal
            if packed[v, u] == 0:
                continue
            z = (packed[v, u] >> 8) * 1e-5
            ray = np.array([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0])
            ends = [(map_from_camera[:3, 3] + (z + s) * (map_from_camera[:3, :3] @ ray)) / edge
                    for s in (-truncation_m, truncation_m)]  # fmt: skip
            length = np.linalg.norm(ends[1] - ends[0])
            for cell, low, high in crossed_cells(*ends):
                longest[cell] = max(longest.get(cell, 0.0), (high - low) * length)
    return longest
