"""Hits: connected surface regions that answer a query, with place, time and evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.store.rows import KeyframeRow
from spatialmem.types import Evidence, Hit, Presence
from spatialmem.voxels.block_regions import CandidateRegions, candidate_regions
from spatialmem.voxels.region_times import Times, pixel_boxes, times_of
from spatialmem.voxels.search import Candidates

Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]

PRIOR_VOXELS = 24.0
"""voxels of no evidence that every region starts with, so that a speck does not outrank a surface"""
LEAST_VOXELS = 10
_EVIDENCE_FRAMES = 3
_SCORED_VOXELS = 1024  # a region's score and middle are those of this many of its voxels: within 0.03 of all
_READ_VOXELS = 2048  # its evidence and its doubt are those of this many at most
_DOUBTED_SHARE = 0.25
_LOOKED_SHARE = 0.5
_LOOKED_POINTS = 256
_LEAST_WEIGHT = 1e-3
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


@dataclass(frozen=True, eq=False)
class Seen:
    """A hit with the number of the last frame that saw it: frames are in the order of the log, stamps need not be."""

    hit: Hit
    last_lsn: int
    rank: float
    """by which hits are ordered: how likely it is, and how much of it was seen"""


@dataclass(frozen=True, eq=False)
class _Ranked:
    rank: float
    score: float
    region: int
    places: NDArray[np.int64]
    """(M,) of some of its candidates"""
    rows: NDArray[np.int64]
    """(M,)"""


def build_hits(
    found: Candidates, score: Score | None, hit_score: float,
    calibrated: bool, top: int, scene: Scene,
) -> list[Seen]:  # fmt: skip
    """Group candidates into connected regions, score them, describe the best `top`.

    score maps features (N, D) to [0, 1]; None when the query had no vector, then every voxel scores 1. Hits are
    ordered by the mean of their voxels' scores, shrunk towards 0; `region_score` says what their score is.
    """
    if len(found) == 0:
        return []
    regions = candidate_regions(found)
    ranked: list[_Ranked] = []
    for number in range(len(regions)):  # largest first
        size = regions.size(number)
        if size < LEAST_VOXELS:
            break
        certainty = size / (size + PRIOR_VOXELS)
        if len(ranked) >= top and certainty < ranked[top - 1].rank:
            break  # even a perfect region of this size would not make it into the answer
        places = regions.some(number, _READ_VOXELS)
        rows = found.rows(places)
        mean = 1.0 if score is None else float(score(found.features(_some(rows, _SCORED_VOXELS))).mean())
        if mean >= hit_score:
            score_of_region = region_score(mean, size, hit_score, calibrated)
            ranked.append(_Ranked(mean * certainty, score_of_region, number, places, rows))
            ranked.sort(key=lambda entry: -entry.rank)
    return [_describe(regions, entry, calibrated, scene) for entry in ranked[:top]]


def region_score(mean: float, voxels: int, hit_score: float, calibrated: bool) -> float:
    """The score of a region: the mean of its voxels' scores, drawn towards that of a hit that is just one as if
    `PRIOR_VOXELS` more had it: a probability. Scores that are none are shrunk towards 0 instead, to be compared."""
    certainty = voxels / (voxels + PRIOR_VOXELS)
    return mean * certainty + (hit_score * (1.0 - certainty) if calibrated else 0.0)


def _some(entries: NDArray, count: int) -> NDArray:
    """`count` of the entries, evenly spread; all when there are fewer."""
    return entries if len(entries) <= count else entries[np.arange(count) * len(entries) // count]


def _describe(regions: CandidateRegions, ranked: _Ranked, calibrated: bool, scene: Scene) -> Seen:
    found, (low, high) = regions.found, regions.extent(ranked.region)
    times = times_of(found, ranked.rows, len(scene.stamps_ns) - 1)
    first_lsn, last_lsn = regions.span(ranked.region, times.first_lsn, int(times.last_lsns[-1]))
    first_ns, last_ns = regions.seen_between(ranked.region, (first_lsn, last_lsn), scene.stamps_ns)
    last_lsn = min(last_lsn, len(scene.stamps_ns) - 1)  # as `times_of` does
    centres = (found.voxels(ranked.places) + 0.5) * scene.voxel_size_m
    similarity = found.similarity(_some(ranked.rows, _SCORED_VOXELS)).astype(np.float64)
    weights = np.maximum(similarity, _LEAST_WEIGHT)  # an encoder may let through what is not alike at all
    middle = np.average(_some(centres, _SCORED_VOXELS), axis=0, weights=weights)
    hit = Hit(
        position_m=centres[np.argmin(((centres - middle) ** 2).sum(1))],
        box_min_m=low.astype(np.float64) * scene.voxel_size_m,
        box_max_m=(high.astype(np.float64) + 1) * scene.voxel_size_m,
        score=ranked.score,
        calibrated=calibrated,
        first_seen_ns=first_ns,
        last_seen_ns=last_ns,
        presence=_presence(times.doubted, last_lsn, centres, scene),
        evidence=evidence_for(found, ranked.places, times, scene),
        voxels=regions.size(ranked.region),
    )
    return Seen(hit, last_lsn, ranked.rank)


def _presence(doubted: float, seen: int, centres: NDArray, scene: Scene) -> Presence:
    """What is known since the region was last seen.

    Doubted: a frame saw through part of it, or later frames looked at most of its place and agreed nowhere.
    """
    if doubted > _DOUBTED_SHARE:
        return Presence.DOUBTED
    if abs(int(scene.stamps_ns[-1]) - int(scene.stamps_ns[seen])) <= _RECENT_NS:  # clocks of sessions may differ
        return Presence.PRESENT
    looked = scene.last_looked(centres[:: max(1, len(centres) // _LOOKED_POINTS)]) > seen
    if not looked.any():
        return Presence.NOT_SEEN_SINCE
    return Presence.DOUBTED if looked.mean() > _LOOKED_SHARE else Presence.PRESENT


def evidence_for(found: Candidates, places: NDArray[np.int64], times: Times, scene: Scene) -> tuple[Evidence, ...]:
    """The frames that saw most of the region's voxels last: they certainly saw them, occlusion included."""
    best = np.lexsort((-times.last_lsns, -times.last_counts))[:_EVIDENCE_FRAMES]
    counts = {int(times.last_lsns[n]): int(times.last_counts[n]) for n in best}
    rows = [scene.rows[lsn] for lsn in counts if lsn in scene.rows]
    frames = [(row.lsn, row.camera, scene.map_from_camera(row)) for row in rows]
    boxes = pixel_boxes(found, places, times.lsns, scene.voxel_size_m, frames)
    return tuple(_evidence_row(row, box, counts[row.lsn]) for row, box in zip(rows, boxes, strict=True))


def evidence_of(row: KeyframeRow, map_from_camera: NDArray[np.float64], points_m: NDArray[np.float64]) -> Evidence:
    """A stored frame with the pixel box around (N, 3) points of the map."""
    camera = row.camera
    local = (points_m - map_from_camera[:3, 3]) @ map_from_camera[:3, :3]
    depth = np.maximum(local[:, 2], 1e-3)
    u = np.clip(local[:, 0] / depth * camera.fx + camera.cx, 0, camera.width - 1)
    v = np.clip(local[:, 1] / depth * camera.fy + camera.cy, 0, camera.height - 1)
    return _evidence_row(row, np.array((u.min(), v.min(), u.max(), v.max())), len(points_m))


def _evidence_row(row: KeyframeRow, box_xyxy: NDArray[np.float64], voxels: int) -> Evidence:
    left, top, right, bottom = box_xyxy.tolist()
    return Evidence(row.lsn, row.session_id, row.camera_id, row.seq, row.stamp_ns, (left, top, right, bottom), voxels)


def merge_ranked(present: Sequence[Seen], gone: Sequence[Seen], top: int) -> tuple[Hit, ...]:
    """What is there before what has gone, each best first; a departed region that is back is left out."""
    away = [g for g in gone if not any(p.last_lsn > g.last_lsn and _inside(p.hit.position_m, g.hit) for p in present)]
    return tuple([*(p.hit for p in present), *(g.hit for g in sorted(away, key=lambda g: -g.rank))][:top])


def _inside(point: NDArray[np.float64], hit: Hit) -> bool:
    return bool((point >= hit.box_min_m).all() and (point <= hit.box_max_m).all())
