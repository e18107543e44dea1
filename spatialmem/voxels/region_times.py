"""What a region of candidates amounts to: when it was seen, where frames saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Camera
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import VOXELS, voxel_at
from spatialmem.voxels.search import Candidates

_LEAST_DEPTH_M = 1e-3


@dataclass(frozen=True, eq=False)
class Times:
    """When a region was seen."""

    first_lsn: int
    doubted: float
    """share of its voxels that a frame has seen through since"""
    last_lsns: NDArray[np.int64]
    """(F,) the latest frame of each of its voxels: those frames, ascending"""
    last_counts: NDArray[np.int64]
    """(F,) of how many voxels each was the latest"""
    lsns: NDArray[np.uint32]
    """(M,) the latest frame of each"""


@leaf
def _times(pools, rows, last, last_counts):
    """Fills last (M,) and last_counts; returns the first lsn and the number of doubted voxels."""
    first, doubted = np.uint32(0xFFFFFFFF), 0
    firsts, lasts, doubts = pools.first, pools.last, pools.doubt
    for n in range(rows.shape[0]):
        row = rows[n]
        first = min(first, firsts[row])
        doubted += doubts[row] > 0
        last[n] = lasts[row]
        last_counts[min(lasts[row], last_counts.shape[0] - 1)] += 1
    return first, doubted


def times_of(found: Candidates, rows: NDArray[np.int64], last_lsn: int) -> Times:
    """Times of the candidates in these rows, at least one, in a map of the frames up to `last_lsn`."""
    last, last_counts = np.empty(len(rows), np.uint32), np.zeros(last_lsn + 1, np.int64)
    first, doubted = _times(found.pools, rows, last, last_counts)
    last_lsns = np.flatnonzero(last_counts)
    return Times(int(first), doubted / len(rows), last_lsns, last_counts[last_lsns], last)


def seen_between(
    first_lsn: NDArray[np.integer], last_lsn: NDArray[np.integer], stamps_ns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) stamps at which each of N things was seen first and last, from its first and its last frame in the log.

    Sessions have clocks of their own: the later of two frames in the log may be the earlier by its stamp.
    """
    end = len(stamps_ns) - 1
    first, last = stamps_ns[np.minimum(first_lsn, end)], stamps_ns[np.minimum(last_lsn, end)]
    return np.minimum(first, last), np.maximum(first, last)


@leaf
def _pixel_boxes(keys, places, last, voxel_m, lsns, poses, lenses, boxes):
    for n in range(places.shape[0]):
        for f in range(lsns.shape[0]):
            if last[n] != lsns[f]:
                continue
            x, y, z = voxel_at(keys[places[n] // VOXELS], places[n] % VOXELS)
            x, y, z = (x + 0.5) * voxel_m, (y + 0.5) * voxel_m, (z + 0.5) * voxel_m
            depth = max(poses[f, 2, 0] * x + poses[f, 2, 1] * y + poses[f, 2, 2] * z + poses[f, 2, 3], _LEAST_DEPTH_M)
            u = (poses[f, 0, 0] * x + poses[f, 0, 1] * y + poses[f, 0, 2] * z + poses[f, 0, 3]) / depth
            v = (poses[f, 1, 0] * x + poses[f, 1, 1] * y + poses[f, 1, 2] * z + poses[f, 1, 3]) / depth
            u, v = u * lenses[f, 0] + lenses[f, 2], v * lenses[f, 1] + lenses[f, 3]
            boxes[f, 0], boxes[f, 1] = min(boxes[f, 0], u), min(boxes[f, 1], v)
            boxes[f, 2], boxes[f, 3] = max(boxes[f, 2], u), max(boxes[f, 3], v)


def pixel_boxes(
    found: Candidates, places: NDArray[np.int64], lsns: NDArray[np.uint32], voxel_size_m: float,
    frames: Sequence[tuple[int, Camera, NDArray[np.float64]]],
) -> NDArray[np.float64]:  # fmt: skip
    """(F, 4) left, top, right, bottom pixel of what each frame saw last of the candidates at (M,) places, cut at the
    image's borders; NaN where it saw none of them last.

    lsns: (M,) the latest frame of each candidate, which is the one that saw it last. frames: lsn, camera and (4, 4)
    map_from_camera of each.
    """
    wanted = np.array([lsn for lsn, _, _ in frames], np.uint32)
    poses = np.array([np.linalg.inv(pose)[:3] for _, _, pose in frames]).reshape(-1, 3, 4)
    lenses = np.array([(c.fx, c.fy, c.cx, c.cy) for _, c, _ in frames]).reshape(-1, 4)
    boxes = np.tile([np.inf, np.inf, -np.inf, -np.inf], (len(frames), 1))
    _pixel_boxes(found.keys, places, lsns, voxel_size_m, wanted, poses, lenses, boxes)
    edges = np.array([(c.width - 1, c.height - 1) * 2 for _, c, _ in frames]).reshape(-1, 4)
    boxes[np.isinf(boxes).any(1)] = np.nan
    return np.clip(boxes, 0, edges)
