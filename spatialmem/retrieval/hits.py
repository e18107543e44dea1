"""Hits: connected surface regions that answer a query, with place, time and evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.store.rows import KeyframeRow
from spatialmem.types import Evidence, Hit, Presence
from spatialmem.voxels.regions import connected_regions
from spatialmem.voxels.search import Candidates

PRIOR_VOXELS = 24.0
"""voxels of no evidence that every region starts with, so that a speck does not outrank a surface"""
LEAST_VOXELS = 10
_EVIDENCE_FRAMES = 3
_SCORED_VOXELS = 4096  # a region's score is the mean over at most this many of its voxels
_PLACED_VOXELS = 8192  # a region's middle is that of about this many of its voxels
_DOUBTED_SHARE = 0.25
_LOOKED_SHARE = 0.5
_LOOKED_POINTS = 256
_RECENT_NS = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Scene:
    """What hits are described with: a consistent copy of what the memory knows about its frames."""

    rows: Mapping[int, KeyframeRow]
    """stored frames by lsn"""
    map_from_camera: Callable[[KeyframeRow], NDArray[np.float64]]
    stamps_ns: NDArray[np.int64]
    """(last_lsn + 1,)"""
    voxel_size_m: float
    last_looked: Callable[[NDArray[np.float64]], NDArray[np.uint32]]
    """lsn of the last frame in whose view the (N, 3) points lay"""


def build_hits(
    found: Candidates, score: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None, hit_score: float,
    calibrated: bool, top: int, scene: Scene,
) -> tuple[Hit, ...]:  # fmt: skip
    """Group candidates into connected regions, score them, describe the best `top`.

    score maps features (N, D) to [0, 1]; None when the query had no vector, then every voxel scores 1. A
    region's score is the mean of its voxels' scores, shrunk towards 0 as if `PRIOR_VOXELS` more had scored 0.
    """
    if len(found) == 0:
        return ()
    regions = connected_regions(found.voxel)
    ranked: list[tuple[float, NDArray[np.int64]]] = []
    for number in range(len(regions)):  # largest first
        size = regions.size(number)
        if size < LEAST_VOXELS:
            break
        certainty = size / (size + PRIOR_VOXELS)
        if len(ranked) >= top and certainty < ranked[top - 1][0]:
            break  # even a perfect region of this size would not make it into the answer
        members = regions.members(number)
        mean = float(_voxel_scores(found, members, score).mean())
        if mean >= hit_score:
            ranked.append((mean * certainty, members))
            ranked.sort(key=lambda entry: -entry[0])
    return tuple(_describe(found, members, value, calibrated, scene) for value, members in ranked[:top])


def _voxel_scores(found: Candidates, members: NDArray, score: Callable | None) -> NDArray[np.float32]:
    if score is None:
        return np.ones(len(members), np.float32)
    step = max(1, len(members) // _SCORED_VOXELS)
    return score(found.features(members[::step]))


def _describe(found: Candidates, members: NDArray, score: float, calibrated: bool, scene: Scene) -> Hit:
    voxel, last = found.voxel[members], found.last[members]
    some = slice(None, None, max(1, len(members) // _PLACED_VOXELS))
    centres = (voxel[some] + 0.5) * scene.voxel_size_m
    middle = np.average(centres, axis=0, weights=found.similarity[members[some]].astype(np.float64))
    return Hit(
        position_m=centres[np.argmin(((centres - middle) ** 2).sum(1))],
        box_min_m=voxel.min(0) * scene.voxel_size_m,
        box_max_m=(voxel.max(0) + 1) * scene.voxel_size_m,
        score=float(score),
        calibrated=calibrated,
        first_seen_ns=int(scene.stamps_ns[found.first[members]].min()),
        last_seen_ns=int(scene.stamps_ns[last].max()),
        presence=_presence(found, members, centres, scene),
        evidence=_evidence(voxel, last, scene),
        voxels=len(members),
    )


def _presence(found: Candidates, members: NDArray, centres: NDArray, scene: Scene) -> Presence:
    """What is known since the region was last seen.

    Doubted: a frame saw through part of it, or later frames looked at most of its place and agreed nowhere.
    """
    if (found.doubt[members] > 0).mean() > _DOUBTED_SHARE:
        return Presence.DOUBTED
    seen = int(found.last[members].max())
    if scene.stamps_ns.max() - scene.stamps_ns[seen] <= _RECENT_NS:
        return Presence.PRESENT
    looked = scene.last_looked(centres[:: max(1, len(centres) // _LOOKED_POINTS)]) > seen
    if not looked.any():
        return Presence.NOT_SEEN_SINCE
    return Presence.DOUBTED if looked.mean() > _LOOKED_SHARE else Presence.PRESENT


def _evidence(voxel: NDArray, last: NDArray, scene: Scene) -> tuple[Evidence, ...]:
    """The frames that saw most of the region's voxels last: they certainly saw them, occlusion included."""
    counts = np.bincount(last)
    best = np.lexsort((-np.arange(len(counts)), -counts))[:_EVIDENCE_FRAMES]
    found = []
    for lsn in best[counts[best] > 0]:
        row = scene.rows.get(int(lsn))
        if row is not None:
            seen = (voxel[last == lsn] + 0.5) * scene.voxel_size_m
            found.append(evidence_of(row, scene.map_from_camera(row), seen))
    return tuple(found)


def evidence_of(row: KeyframeRow, map_from_camera: NDArray[np.float64], points_m: NDArray[np.float64]) -> Evidence:
    """A stored frame with the pixel box around (N, 3) points of the map."""
    camera = row.camera
    local = (points_m - map_from_camera[:3, 3]) @ map_from_camera[:3, :3]
    depth = np.maximum(local[:, 2], 1e-3)
    u = np.clip(local[:, 0] / depth * camera.fx + camera.cx, 0, camera.width - 1)
    v = np.clip(local[:, 1] / depth * camera.fy + camera.cy, 0, camera.height - 1)
    box = (float(u.min()), float(v.min()), float(u.max()), float(v.max()))
    return Evidence(row.lsn, row.session_id, row.camera_id, row.seq, row.stamp_ns, box, len(points_m))


def merge_ranked(present: Sequence[Hit], gone: Sequence[Hit], top: int) -> tuple[Hit, ...]:
    """What is there before what has gone, each best first; a departed region that is back is left out."""
    back = [g for g in gone if not any(h.last_seen_ns > g.last_seen_ns and _inside(h.position_m, g) for h in present)]
    return tuple([*present, *sorted(back, key=lambda h: -h.score)][:top])


def _inside(point: NDArray[np.float64], hit: Hit) -> bool:
    return bool((point >= hit.box_min_m).all() and (point <= hit.box_max_m).all())
