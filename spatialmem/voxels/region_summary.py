"""What a region of candidates amounts to: how far it reaches, when it was seen, where frames saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Camera
from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import VOXELS, voxel_at
from spatialmem.voxels.search import Candidates

_LEAST_DEPTH_M = 1e-3


@dataclass(frozen=True, eq=False)
class Summary:
    """Extent and times of a region."""

    low: NDArray[np.int64]
    """(3,) smallest voxel coordinates"""
    high: NDArray[np.int64]
    """(3,) largest voxel coordinates"""
    first_lsn: int
    doubted: float
    """share of its voxels that a frame has seen through since"""
    last_lsns: NDArray[np.int64]
    """(F,) the latest frame of each of its voxels: those frames, ascending"""
    last_counts: NDArray[np.int64]
    """(F,) of how many voxels each was the latest"""


@leaf
def _extent(keys, index, members, low, high):
    """Blocks that lie between what is known of the extent already need no look at their voxels; members go by block."""
    x0, y0, z0 = low[0], low[1], low[2]
    x1, y1, z1 = high[0], high[1], high[2]
    last, inside = np.int64(-1), False
    for n in range(members.shape[0]):
        at = index[members[n]]
        block = at // VOXELS
        if block != last:
            last = block
            x, y, z = voxel_at(keys[block], 0)
            inside = x >= x0 and y >= y0 and z >= z0 and x + 7 <= x1 and y + 7 <= y1 and z + 7 <= z1
        if not inside:
            x, y, z = voxel_at(keys[block], at % VOXELS)
            x0, y0, z0 = min(x0, x), min(y0, y), min(z0, z)
            x1, y1, z1 = max(x1, x), max(y1, y), max(z1, z)
    low[0], low[1], low[2] = x0, y0, z0
    high[0], high[1], high[2] = x1, y1, z1


@leaf
def _times(pools, index, members, last_counts):
    """Fills last_counts; returns the first lsn and the number of doubted voxels."""
    first, doubted = np.uint32(0xFFFFFFFF), 0
    slots, pages, firsts, lasts, doubts = pools.slot, pools.pages, pools.first, pools.last, pools.doubt
    for n in range(members.shape[0]):
        at = index[members[n]]
        block, i = at // VOXELS, at % VOXELS
        row = row_at(pages, block, slots[block, i])
        first = min(first, firsts[row])
        doubted += doubts[row] > 0
        last_counts[min(lasts[row], last_counts.shape[0] - 1)] += 1
    return first, doubted


def summary_of(
    found: Candidates, members: NDArray[np.int64], last_lsn: int, read: NDArray[np.int64] | None = None
) -> Summary:
    """Extent and times of the candidates at these places, at least one, in a map of the frames up to `last_lsn`.

    Times are those of the places `read`, all of them when it is None.
    """
    read = members if read is None else read
    last_counts = np.zeros(last_lsn + 1, np.int64)
    low, high = np.full(3, np.iinfo(np.int64).max), np.full(3, np.iinfo(np.int64).min)
    _extent(found.pools.keys, found.index, members, low, high)
    first, doubted = _times(found.pools, found.index, read, last_counts)
    last_lsns = np.flatnonzero(last_counts)
    return Summary(low, high, int(first), doubted / len(read), last_lsns, last_counts[last_lsns])


@leaf
def _pixel_boxes(pools, index, members, voxel_m, lsns, poses, lenses, boxes):
    keys, slots, pages, lasts = pools.keys, pools.slot, pools.pages, pools.last
    for n in range(members.shape[0]):
        at = index[members[n]]
        block, i = at // VOXELS, at % VOXELS
        last = lasts[row_at(pages, block, slots[block, i])]
        for f in range(lsns.shape[0]):
            if last != lsns[f]:
                continue
            x, y, z = voxel_at(keys[block], i)
            x, y, z = (x + 0.5) * voxel_m, (y + 0.5) * voxel_m, (z + 0.5) * voxel_m
            depth = max(poses[f, 2, 0] * x + poses[f, 2, 1] * y + poses[f, 2, 2] * z + poses[f, 2, 3], _LEAST_DEPTH_M)
            u = (poses[f, 0, 0] * x + poses[f, 0, 1] * y + poses[f, 0, 2] * z + poses[f, 0, 3]) / depth
            v = (poses[f, 1, 0] * x + poses[f, 1, 1] * y + poses[f, 1, 2] * z + poses[f, 1, 3]) / depth
            u, v = u * lenses[f, 0] + lenses[f, 2], v * lenses[f, 1] + lenses[f, 3]
            boxes[f, 0], boxes[f, 1] = min(boxes[f, 0], u), min(boxes[f, 1], v)
            boxes[f, 2], boxes[f, 3] = max(boxes[f, 2], u), max(boxes[f, 3], v)


def pixel_boxes(
    found: Candidates, members: NDArray[np.int64], voxel_size_m: float,
    frames: Sequence[tuple[int, Camera, NDArray[np.float64]]],
) -> NDArray[np.float64]:  # fmt: skip
    """(F, 4) left, top, right, bottom pixel of what each frame saw of a region last, cut at the image's borders; NaN
    where it saw none of these members last.

    frames: lsn, camera and (4, 4) map_from_camera of each; a frame saw last the candidates whose latest frame it is.
    """
    lsns = np.array([lsn for lsn, _, _ in frames], np.uint32)
    poses = np.array([np.linalg.inv(pose)[:3] for _, _, pose in frames]).reshape(-1, 3, 4)
    lenses = np.array([(c.fx, c.fy, c.cx, c.cy) for _, c, _ in frames]).reshape(-1, 4)
    boxes = np.tile([np.inf, np.inf, -np.inf, -np.inf], (len(frames), 1))
    _pixel_boxes(found.pools, found.index, members, voxel_size_m, lsns, poses, lenses, boxes)
    edges = np.array([(c.width - 1, c.height - 1) * 2 for _, c, _ in frames]).reshape(-1, 4)
    boxes[np.isinf(boxes).any(1)] = np.nan
    return np.clip(boxes, 0, edges)
