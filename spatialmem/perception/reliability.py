"""Are scores probabilities? Reliability tables, and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue

BINS = 15


@dataclass(frozen=True)
class ReliabilityRow:
    """Samples of like score."""

    lowest: float
    highest: float
    """scores"""
    mean_score: float
    share_true: float
    count: int


def reliability(scores: NDArray[np.floating], truth: NDArray[np.bool_], bins: int = BINS) -> tuple[ReliabilityRow, ...]:
    """Samples in bins of equal mass by rising score; equal scores share a bin, so bins may be fewer and unequal.

    Args:
        scores: (N,) in [0, 1].
        truth: (N,) whether it was so.
        bins: how many, at most.
    """
    s, y = np.asarray(scores, np.float64), np.asarray(truth, bool)
    if s.ndim != 1 or s.shape != y.shape or not np.isfinite(s).all() or (len(s) and (s.min() < 0 or s.max() > 1)):
        raise InvalidValue(f"reliability needs scores (N,) in [0, 1] and as many truths; given {s.shape} and {y.shape}")
    order = np.argsort(s, kind="stable")
    s, y = s[order], y[order]
    bin_of = np.searchsorted(s, s, side="left") * bins // max(1, len(s))  # of equal scores the first one decides
    rows = []
    for number in np.unique(bin_of):
        mine = bin_of == number
        rows.append(
            ReliabilityRow(
                float(s[mine][0]), float(s[mine][-1]), float(s[mine].mean()), float(y[mine].mean()), int(mine.sum())
            )
        )
    return tuple(rows)


def expected_calibration_error(scores: NDArray[np.floating], truth: NDArray[np.bool_], bins: int = BINS) -> float:
    """Mean over samples of |mean score - share true| of their bin (Naeini, Cooper & Hauskrecht, AAAI 2015), bins of
    equal mass (Nixon et al., CVPR workshops 2019); NaN without samples."""
    rows = reliability(scores, truth, bins)
    total = sum(row.count for row in rows)
    return sum(row.count * abs(row.mean_score - row.share_true) for row in rows) / total if total else float("nan")
