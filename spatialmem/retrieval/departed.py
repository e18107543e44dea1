"""Hits for what was there and has gone: the answer "looked again, and saw something else"."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from spatialmem.retrieval.hits import PRIOR_VOXELS, Scene, evidence_of
from spatialmem.store.rows import DepartedRow
from spatialmem.types import Hit, Presence
from spatialmem.voxels.search import Filter


def departed_hits(
    rows: Sequence[DepartedRow], score: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None, hit_score: float,
    calibrated: bool, chosen: Filter, scene: Scene,
) -> list[Hit]:  # fmt: skip
    """Departed regions that answer a query; pieces that lay side by side, cleared by different frames, are one."""
    answering = []
    for row in rows:
        if row.valid_to is None and _passes(row, chosen, scene):
            value = _score(row, score)
            if value is not None and value >= hit_score:
                answering.append((value, row))
    return [_hit(pieces, calibrated, scene) for pieces in _side_by_side(answering, 2 * scene.voxel_size_m)]


def _side_by_side(scored: list[tuple[float, DepartedRow]], gap_m: float) -> list[list[tuple[float, DepartedRow]]]:
    """Groups of rows whose boxes are at most `gap_m` apart, directly or through others."""
    low = np.array([row.box_min_m for _, row in scored]).reshape(-1, 3)
    high = np.array([row.box_max_m for _, row in scored]).reshape(-1, 3)
    left, groups = list(range(len(scored))), []
    while left:
        group, reached = [], [left.pop(0)]
        while reached:
            i = reached.pop()
            group.append(scored[i])
            near = [k for k in left if (low[k] <= high[i] + gap_m).all() and (high[k] >= low[i] - gap_m).all()]
            left = [k for k in left if k not in near]
            reached.extend(near)
        groups.append(group)
    return groups


def _score(row: DepartedRow, score: Callable | None) -> float | None:
    if score is None:
        return 1.0
    if row.feature is None:
        return None
    return float(score(np.frombuffer(row.feature, np.float16).astype(np.float32)[None])[0])


def _passes(row: DepartedRow, chosen: Filter, scene: Scene) -> bool:
    position = np.array(row.position_m)
    if chosen.box_m is not None and not ((position >= chosen.box_m[0]) & (position <= chosen.box_m[1])).all():
        return False
    if chosen.centre_m is not None and np.linalg.norm(position - chosen.centre_m) > chosen.radius_m:
        return False
    return chosen.since_ns <= scene.stamps_ns[row.last_lsn] <= chosen.until_ns


def _hit(pieces: Sequence[tuple[float, DepartedRow]], calibrated: bool, scene: Scene) -> Hit:
    rows = [row for _, row in pieces]
    voxels = np.array([row.voxels for row in rows])
    total = int(voxels.sum())
    low = np.array([row.box_min_m for row in rows]).min(0)
    high = np.array([row.box_max_m for row in rows]).max(0)
    mean = float(np.average([value for value, _ in pieces], weights=voxels))
    last = max(row.last_lsn for row in rows)
    corners = np.array([[(low, high)[i >> a & 1][a] for a in range(3)] for i in range(8)])
    frame = scene.rows.get(last)
    evidence = () if frame is None else (evidence_of(frame, scene.map_from_camera(frame), corners),)
    return Hit(
        position_m=np.average([row.position_m for row in rows], axis=0, weights=voxels),
        box_min_m=low,
        box_max_m=high,
        score=mean * total / (total + PRIOR_VOXELS),
        calibrated=calibrated,
        first_seen_ns=int(scene.stamps_ns[min(row.first_lsn for row in rows)]),
        last_seen_ns=int(scene.stamps_ns[last]),
        presence=Presence.GONE,
        evidence=evidence,
        voxels=total,
    )
