"""Hits for what was there and has gone: the answer "looked again, and saw something else"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import MemoryFileError
from spatialmem.retrieval.hits import PRIOR_VOXELS, Scene, Seen, evidence_of, region_score
from spatialmem.store.rows import DepartedRow
from spatialmem.types import Hit, Presence
from spatialmem.voxels.region_times import seen_between
from spatialmem.voxels.search import Filter

_MOST_ROWS = 256  # best rows that are joined to hits; there are top hits at most


@dataclass(frozen=True, eq=False)
class DepartedTable:
    """Departed rows as arrays, so that thousands are looked through at once."""

    rows: tuple[DepartedRow, ...]
    position_m: NDArray[np.float64]
    """(N, 3)"""
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    """(N,) lsn each"""
    holds: NDArray[np.bool_]
    """(N,) False where the row has ended"""
    has_feature: NDArray[np.bool_]
    feature: NDArray[np.float32]
    """(N, D), zeros where there is none"""

    @classmethod
    def of(cls, rows: Sequence[DepartedRow], width: int) -> DepartedTable:
        """Arrays of these rows; features are `width` wide."""
        feature = np.zeros((len(rows), width), np.float32)
        for n, row in enumerate(rows):
            if row.feature is None:
                continue
            if len(row.feature) != 2 * width:
                raise MemoryFileError(
                    f"departed region {row.id} is damaged: its feature has {len(row.feature)} bytes, not {2 * width}; "
                    "make it anew from the log with: spatialmem rebuild FILE"
                )
            feature[n] = np.frombuffer(row.feature, np.float16)
        return cls(
            rows=tuple(rows),
            position_m=np.array([row.position_m for row in rows]).reshape(-1, 3),
            first=np.array([row.first_lsn for row in rows], np.int64),
            last=np.array([row.last_lsn for row in rows], np.int64),
            holds=np.array([row.valid_to is None for row in rows], np.bool_),
            has_feature=np.array([row.feature is not None for row in rows], np.bool_),
            feature=feature,
        )


def departed_hits(
    table: DepartedTable, score: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None, hit_score: float,
    calibrated: bool, chosen: Filter, scene: Scene,
) -> list[Seen]:  # fmt: skip
    """Departed regions that answer a query; pieces that lay side by side, cleared by different frames, are one."""
    passing = np.flatnonzero(_passes(table, chosen, scene))
    values = np.ones(len(passing))
    if score is not None:
        passing = passing[table.has_feature[passing]]
        values = np.asarray(score(table.feature[passing]), np.float64)
    passing, values = passing[values >= hit_score], values[values >= hit_score]
    best = np.argsort(-values, kind="stable")[:_MOST_ROWS]
    rows, values = [table.rows[n] for n in passing[best]], values[best]
    groups = _side_by_side(rows, 2 * scene.voxel_size_m)
    return [_hit([rows[n] for n in group], values[group], hit_score, calibrated, scene) for group in groups]


def _passes(table: DepartedTable, chosen: Filter, scene: Scene) -> NDArray[np.bool_]:
    passes = table.holds.copy()
    if chosen.box_m is not None:
        passes &= ((table.position_m >= chosen.box_m[0]) & (table.position_m <= chosen.box_m[1])).all(1)
    if chosen.centre_m is not None:
        passes &= np.linalg.norm(table.position_m - chosen.centre_m, axis=1) <= chosen.radius_m
    _, stamps = seen_between(table.first, table.last, scene.stamps_ns)
    return passes & (stamps >= chosen.since_ns) & (stamps <= chosen.until_ns)


def _side_by_side(rows: Sequence[DepartedRow], gap_m: float) -> list[NDArray[np.int64]]:
    """Groups of rows whose boxes are at most `gap_m` apart, directly or through others."""
    low = np.array([row.box_min_m for row in rows]).reshape(-1, 3)
    high = np.array([row.box_max_m for row in rows]).reshape(-1, 3)
    near = np.asarray(((low[:, None] <= high[None] + gap_m) & (high[:, None] >= low[None] - gap_m)).all(2))
    left, groups = np.ones(len(rows), np.bool_), []
    for n in range(len(rows)):
        if not left[n]:
            continue
        group = np.zeros(len(rows), np.bool_)
        group[n] = True
        while True:
            grown = near[group].any(0)
            if (grown == group).all():
                break
            group = grown
        left &= ~group
        groups.append(np.flatnonzero(group))
    return groups


def _hit(
    rows: Sequence[DepartedRow], values: NDArray[np.float64], hit_score: float, calibrated: bool, scene: Scene
) -> Seen:
    voxels = np.array([row.voxels for row in rows])
    total = int(voxels.sum())
    low = np.array([row.box_min_m for row in rows]).min(0)
    high = np.array([row.box_max_m for row in rows]).max(0)
    last = max(row.last_lsn for row in rows)
    first_ns, last_ns = seen_between(
        np.array([row.first_lsn for row in rows]), np.array([row.last_lsn for row in rows]), scene.stamps_ns
    )  # fmt: skip
    corners = np.array([[(low, high)[i >> a & 1][a] for a in range(3)] for i in range(8)])
    frame = scene.rows.get(last)
    evidence = () if frame is None else (evidence_of(frame, scene.map_from_camera(frame), corners),)
    mean = float(np.average(values, weights=voxels))
    hit = Hit(
        position_m=np.average([row.position_m for row in rows], axis=0, weights=voxels),
        box_min_m=low,
        box_max_m=high,
        score=region_score(mean, total, hit_score, calibrated),
        calibrated=calibrated,
        first_seen_ns=int(first_ns.min()),
        last_seen_ns=int(last_ns.max()),
        presence=Presence.GONE,
        evidence=evidence,
        voxels=total,
    )
    return Seen(hit, last, mean * total / (total + PRIOR_VOXELS))
