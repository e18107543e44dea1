"""Means of episodes with intervals that know that episodes of one house are alike."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean, and between what it would lie in 95 of 100 draws of houses."""

    mean: float
    low: float | None
    """None where all episodes are of one house: nothing is known about others"""
    high: float | None
    episodes: int
    clusters: int


def clustered_interval(
    values: Sequence[float], clusters: Sequence[Hashable], *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The mean over episodes, and the percentile bootstrap of whole clusters drawn with replacement (Efron; the
    cluster bootstrap of Field and Welsh, 2007).

    Args:
        values: (N,) of the episodes, finite; N at least 1.
        clusters: (N,) the house of each.
        resamples: how many draws.
        seed: of the draws.
    """
    x = np.asarray(values, np.float64)
    names = {name: n for n, name in enumerate(dict.fromkeys(clusters))}
    at = np.array([names[name] for name in clusters])
    count = len(names)
    mean = float(x.mean())
    if count < 2:
        return Interval(mean, None, None, len(x), count)
    sums, sizes = np.bincount(at, x, count), np.bincount(at, minlength=count)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=resamples)
    means = (draws @ sums) / (draws @ sizes)
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(means, (tail, 100.0 - tail))
    return Interval(mean, float(low), float(high), len(x), count)
