"""Snapshots as 3D-Mem chooses them (Yang et al., CVPR 2025, co-visibility clustering): for comparison with `cover`.

All objects are one cluster, told apart by where they stand on the floor. The largest cluster is taken: where a keyframe
saw all of it, that keyframe represents it; else it is split in two by k-means, and so on. Clusters with the same
keyframe are one. Of several keyframes the one that saw most objects is taken, then the one of most quality; one that is
a snapshot already goes before the others.

Differs from the paper's code in how k-means begins: not ten times from random seeds, but once from the two objects that
lie farthest apart along the longest axis, so that the same objects always make the same clusters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spatialmem.snapshots.cover import Cover, Shown, Snapshot, by_lsn

_ROUNDS = 50


def bisected(
    positions_m: Mapping[int, Sequence[float]], views: Sequence[Shown], *, current: Collection[int] = ()
) -> Cover:
    """Keyframes that show all objects, by splitting clusters of them.

    Args:
        positions_m: object_id -> its middle (x, y, z) in the map frame, metres, z up; only x and y count.
        views: keyframes to choose from.
        current: lsn of keyframes that are snapshots already.
    """
    views = list(by_lsn(views).values())
    seen = frozenset[int]().union(*(view.quality for view in views))
    shown = sorted(seen.intersection(positions_m))
    clusters, represented = [shown] if shown else [], dict[int, list[int]]()
    while clusters:
        cluster = max(clusters, key=lambda one: (len(one), one))
        clusters.remove(cluster)
        view = _covering(cluster, views, frozenset(current))
        if view is None:
            clusters += _halves(cluster, np.array([positions_m[n][:2] for n in cluster], np.float64))
        else:
            represented.setdefault(view.lsn, []).extend(cluster)
    snapshots = tuple(Snapshot(lsn, tuple(sorted(ids))) for lsn, ids in sorted(represented.items()))
    return Cover(snapshots, tuple(sorted(set(positions_m) - seen)))


def _covering(cluster: Sequence[int], views: Sequence[Shown], current: frozenset[int]) -> Shown | None:
    whole = [view for view in views if all(n in view.quality for n in cluster)]
    return max(
        whole, key=lambda v: (v.lsn in current, len(v.quality), sum(v.quality.values()), v.lsn), default=None
    )  # fmt: skip


def _halves(cluster: Sequence[int], floor_m: NDArray[np.float64]) -> list[list[int]]:
    """Two clusters by 2-means of positions (N, 2); things at one spot are halved in their order."""
    along = floor_m[:, int(np.argmax(np.ptp(floor_m, axis=0)))]
    middles = floor_m[[int(np.argmin(along)), int(np.argmax(along))]]
    second = np.zeros(len(cluster), bool)
    for _ in range(_ROUNDS):
        distances = np.linalg.norm(floor_m[:, None] - middles[None], axis=2)
        now = distances[:, 1] < distances[:, 0]
        if now.all() or not now.any() or (now == second).all():
            break
        second = now
        middles = np.stack([floor_m[~second].mean(axis=0), floor_m[second].mean(axis=0)])
    if not second.any():
        second = np.arange(len(cluster)) >= len(cluster) // 2
    return [[n for n, there in zip(cluster, second, strict=True) if there == half] for half in (False, True)]
