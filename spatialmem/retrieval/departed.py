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
    """Departed regions that answer a query."""
    hits = []
    for row in rows:
        if row.valid_to is not None or not _passes(row, chosen, scene):
            continue
        value = _score(row, score)
        if value is not None and value >= hit_score:
            hits.append(_hit(row, value * row.voxels / (row.voxels + PRIOR_VOXELS), calibrated, scene))
    return hits


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


def _hit(row: DepartedRow, score: float, calibrated: bool, scene: Scene) -> Hit:
    low, high = np.array(row.box_min_m), np.array(row.box_max_m)
    corners = np.array([[(low, high)[i >> a & 1][a] for a in range(3)] for i in range(8)])
    frame = scene.rows.get(row.last_lsn)
    evidence = () if frame is None else (evidence_of(frame, scene.map_from_camera(frame), corners),)
    return Hit(
        position_m=np.array(row.position_m), box_min_m=low, box_max_m=high, score=score, calibrated=calibrated,
        first_seen_ns=int(scene.stamps_ns[row.first_lsn]), last_seen_ns=int(scene.stamps_ns[row.last_lsn]),
        presence=Presence.GONE, evidence=evidence, voxels=row.voxels,
    )  # fmt: skip
