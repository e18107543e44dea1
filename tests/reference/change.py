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


def clearance(points, frame: Frame):
    """(N,) how far the surface read around each point's pixel lies behind it, less 3 sigma; -inf without evidence.

    points: (N, 3) metres, map frame.
    """
    out = np.full(len(points), -np.inf)
    for i, (x, y, z) in enumerate((points - frame.map_from_camera[:3, 3]) @ frame.map_from_camera[:3, :3]):
        if z >= 0.01:
            u, v = (int(np.floor(c + 0.5)) for c in frame.lens[0:2] * np.array([x, y]) / z + frame.lens[2:4])
            if 0 <= u < frame.lens.width and 0 <= v < frame.lens.height:
                out[i] = _gap(u, v, z, frame)
    return out


def to_surface(dist, weight, truncation_m):
    """(512, 3) from each voxel to the surface it stands for, metres: down the slope of the block's distances."""
    known, values = weight.reshape(8, 8, 8) > 0, dist.reshape(8, 8, 8).astype(float)
    slope = np.zeros((512, 3))
    for axis in range(3):  # x runs fastest: the last axis of the cube
        for i in range(512):
            at = [i // 64, i // 8 % 8, i % 8]
            ends = [at, at]
            for side, step in ((0, -1), (1, 1)):
                beside = list(at)
                beside[2 - axis] += step
                if 0 <= beside[2 - axis] < 8 and known[tuple(beside)]:
                    ends[side] = beside
            apart = ends[1][2 - axis] - ends[0][2 - axis]
            slope[i, axis] = (values[tuple(ends[1])] - values[tuple(ends[0])]) / max(apart, 1)
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    return -np.divide(slope, length, out=np.zeros_like(slope), where=length > 0) * dist[:, None] / 32767 * truncation_m


def _gap(u, v, z, frame):
    margin = max(1, min(4, frame.lens.height // 120))
    around = ((u, v), (u - margin, v), (u + margin, v), (u, v - margin), (u, v + margin))
    inside = [0 <= a < frame.lens.width and 0 <= b < frame.lens.height for a, b in around]
    readings = [int(frame.packed[b, a]) if there else -1 for (a, b), there in zip(around, inside, strict=True)]
    if 0 in readings:
        return -np.inf
    depths = [(reading >> 8) * 1e-5 for reading in readings if reading > 0]
    least = min(d - z - 3 * np.hypot(sigma(d), frame.residual_m) for d in depths)
    full = [(r >> 8) * 1e-5 if r > 0 else (readings[0] >> 8) * 1e-5 for r in readings]
    return least if least <= 0 else least * _slant(around, full, frame.lens)


def _slant(around, depths, lens):
    """Cosine between the ray of the first pixel and the normal of the plane through the four others, 1 at the most."""
    rays = np.array([((a - lens.cx) / lens.fx, (b - lens.cy) / lens.fy, 1.0) for a, b in around])
    rays[1:3, 1], rays[3:5, 0] = rays[0, 1], rays[0, 0]
    points = rays * np.array(depths)[:, None]
    normal = np.cross(points[2] - points[1], points[4] - points[3])
    length = np.linalg.norm(normal)
    return min(abs(normal @ rays[0]) / length, 1.0) if length > 0 else 1.0


def judge(block, fields, frame: Frame, voxel_m, truncation_m):
    """(512,) verdicts on a block; `fields` as in voxel_scenes.contents: dist, weight, voxels with a row, ..., doubt."""
    dist, weight, voxels, doubt = fields[0], fields[1], fields[2], fields[-1]
    centres = (8 * np.asarray(block) + _WITHIN + 0.5) * voxel_m
    behind = np.where(weight > 0, clearance(centres, frame), -np.inf)
    surface = clearance(centres + to_surface(dist, weight, truncation_m), frame)
    has_row = np.isin(np.arange(512), voxels)
    behind = np.where(has_row, np.minimum(behind, surface), behind)
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
