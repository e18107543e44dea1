"""Evidence of change (docs/format.md, section 6) for whole images and blocks at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

DOUBT, CLEAR, CLEAR_ROWLESS = 1, 2, 3
CYCLE = 65535
_WITHIN = np.stack([np.arange(512) % 8, np.arange(512) // 8 % 8, np.arange(512) // 64], axis=-1)


class Lens(NamedTuple):
    """Intrinsics as the kernels have them: rounded to float32."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    @classmethod
    def of(cls, camera) -> Lens:
        rounded = (float(np.float32(value)) for value in (camera.fx, camera.fy, camera.cx, camera.cy))
        return cls(*rounded, camera.width, camera.height)


def sigma(z):
    """Axial noise of a structured-light camera, metres (Nguyen et al., 3DIM 2012)."""
    return 0.0012 + 0.0019 * (z - 0.4) ** 2


def outcomes(packed, surface, voxel_m):
    """Of readings and surface depths of the same rays: counts (agrees, seen through, occluded, no return), the median
    residual of those within ten voxels, and which were seen through."""
    has = packed > 0
    z = (packed >> 8) * 1e-5
    met = has & ~np.isnan(surface)
    gap = np.where(met, z - np.nan_to_num(surface), 0.0)
    limit = 3 * sigma(z) + voxel_m
    through, occluded = met & (gap > limit), met & (gap < -limit)
    close = np.abs(gap[met & (np.abs(gap) < 10 * voxel_m)])
    counts = [(met & ~through & ~occluded).sum(), through.sum(), occluded.sum(), (has & ~met).sum()]
    return np.array(counts), float(np.median(close)) if len(close) else float("nan"), through


def blocks_seen_through(through, surface, lens, map_from_camera, voxel_m, stride) -> set[tuple[int, int, int]]:
    """Blocks in which the seen-through rays of every stride-th pixel had met the surface."""
    blocks = set()
    for j, i in zip(*np.nonzero(through), strict=True):
        u, v = stride // 2 + stride * i, stride // 2 + stride * j
        ray = np.array([(u - lens.cx) / lens.fx, (v - lens.cy) / lens.fy, 1.0])
        point = map_from_camera[:3, 3] + map_from_camera[:3, :3] @ (ray * float(surface[j, i]))
        blocks.add(tuple(int(c) for c in np.floor(point / (8 * voxel_m))))
    return blocks


def other_pose(a, b) -> bool:
    """Whether two poses (centre, axis) differ by 5 cm or their axes by 5 degrees."""
    apart = np.linalg.norm(a[:3] - b[:3]) > 0.05
    return bool(apart or np.degrees(np.arccos(np.clip(a[3:] @ b[3:], -1, 1))) > 5.0)


def doubter(doubt: int, lsn: int) -> int:
    """The latest frame up to `lsn` that would have written this doubt."""
    return next(n for n in range(lsn, lsn - CYCLE, -1) if 1 + n % CYCLE == doubt)


class Frame(NamedTuple):
    """What a depth image brings to the judgement of blocks."""

    packed: np.ndarray
    lens: Lens
    map_from_camera: np.ndarray
    residual_m: float
    lsn: int
    poses: np.ndarray
    """(lsn + 1, 6) centre and axis of every frame"""


def clearance(block, frame: Frame, voxel_m):
    """(512,) how far all the readings around each voxel's pixel lie behind it, less 3 sigma; -inf without evidence."""
    centres = (8 * np.asarray(block) + _WITHIN + 0.5) * voxel_m
    points = (centres - frame.map_from_camera[:3, 3]) @ frame.map_from_camera[:3, :3]
    out = np.full(512, -np.inf)
    for i, (x, y, z) in enumerate(points):
        if z >= 0.01:
            u, v = (int(np.floor(c + 0.5)) for c in frame.lens[0:2] * np.array([x, y]) / z + frame.lens[2:4])
            if 0 <= u < frame.lens.width and 0 <= v < frame.lens.height:
                out[i] = min(_behind(at, z, frame) for at in _cross(u, v, frame.lens))
    return out


def _cross(u, v, lens):
    margin = max(1, min(4, lens.height // 120))
    around = ((u, v), (u - margin, v), (u + margin, v), (u, v - margin), (u, v + margin))
    return [(a, b) for a, b in around if 0 <= a < lens.width and 0 <= b < lens.height]


def _behind(at, z, frame):
    reading = int(frame.packed[at[1], at[0]])
    if reading == 0:
        return -np.inf
    d = (reading >> 8) * 1e-5
    return d - z - 3 * np.hypot(sigma(d), frame.residual_m)


def judge(block, fields, frame: Frame, voxel_m, truncation_m):
    """(512,) verdicts on a block; `fields` as in voxel_scenes.contents: dist, weight, voxels with a row, ..., doubt."""
    weight, voxels, doubt = fields[1], fields[2], fields[-1]
    behind = np.where(weight > 0, clearance(block, frame, voxel_m), -np.inf)
    verdicts = np.zeros(512, np.uint8)
    for i, doubted in zip(voxels, doubt, strict=True):
        if behind[i] > voxel_m and doubted == 0:
            verdicts[i] = DOUBT
        elif behind[i] > voxel_m:
            by = frame.poses[doubter(int(doubted), frame.lsn)]
            verdicts[i] = CLEAR if other_pose(by, frame.poses[frame.lsn]) else 0
    if (verdicts == CLEAR).any():
        rowless = np.ones(512, bool)
        rowless[voxels] = False
        verdicts[rowless & (behind > truncation_m)] = CLEAR_ROWLESS
    return verdicts


def carry_out(fields, verdicts, lsn):
    """The block's fields after the verdicts; None when nothing is left of it."""
    dist, weight, voxels, *rows, doubt = fields
    gone = verdicts >= CLEAR
    kept = ~gone[voxels]
    doubt = np.where(verdicts[voxels] == DOUBT, 1 + lsn % CYCLE, doubt).astype(doubt.dtype)
    after = (np.where(gone, 0, dist), np.where(gone, 0, weight), *(f[kept] for f in (voxels, *rows, doubt)))
    return after if after[1].any() else None
