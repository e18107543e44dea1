"""Logistic regression whose probability never falls when an input rises."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue

RIDGE = 1.0
"""strength of the pull of slopes towards 0, in standard deviations of the inputs: that of about one observation"""
_STEPS = 100
_FAR = 40.0
"""logits beyond which a probability is 0 or 1 to the last digit that matters"""
_SMALL = 1e-9


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), without overflow."""
    return 1.0 / (1.0 + np.exp(-np.clip(np.asarray(logits, np.float64), -_FAR, _FAR)))


def logit(share: float) -> float:
    """The logit of a probability between 0 and 1."""
    return float(np.log(share) - np.log1p(-share))


def log_loss(logits: NDArray[np.floating], truth: NDArray[np.bool_], weights: NDArray[np.floating]) -> float:
    """Sum over samples of weight times minus the log of the probability of what was the case."""
    signed = np.where(truth, -1.0, 1.0) * np.asarray(logits, np.float64)
    return float(weights @ np.logaddexp(0.0, signed))


def fit_logistic(
    inputs: NDArray[np.floating], truth: NDArray[np.bool_], weights: NDArray[np.floating] | None = None,
    ridge: float = RIDGE,
) -> tuple[float, NDArray[np.float64]]:  # fmt: skip
    """Bias and slopes (P,), no slope negative, of P(truth) = sigmoid(bias + inputs @ slopes).

    The minimum of the log loss plus ridge / 2 times the squared slopes of standardised inputs, by iteratively
    reweighted least squares (Newton's method). For the bound at 0 each set of inputs is tried without the others: the
    loss is convex, so the best of those without a negative slope is the minimum.

    Args:
        inputs: (N, P), P at most 6.
        truth: (N,).
        weights: (N,) not negative; None: all 1.
        ridge: see above; must be positive, so that there is a minimum.

    Raises:
        InvalidValue: samples of one class alone, or numbers that are not finite.
    """
    x, y, w = _checked(inputs, truth, weights)
    mean = (w @ x) / w.sum()
    spread = np.sqrt(w @ (x - mean) ** 2 / w.sum())
    spread = np.where(spread > _SMALL, spread, 1.0)
    z = (x - mean) / spread
    best = min(
        (found for chosen in _subsets(z.shape[1]) if (found := _free_fit(z, y, w, ridge, chosen)) is not None),
        key=lambda found: found[0],
    )
    slopes = best[2] / spread
    return float(best[1] - mean @ slopes), slopes


def _checked(
    inputs: NDArray[np.floating], truth: NDArray[np.bool_], weights: NDArray[np.floating] | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    x, y = np.asarray(inputs, np.float64), np.asarray(truth, bool)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or w.shape != y.shape:
        raise InvalidValue(
            f"a fit needs inputs (N, P), truth (N,), weights (N,); given {x.shape}, {y.shape}, {w.shape}"
        )
    if not (np.isfinite(x).all() and np.isfinite(w).all() and (w >= 0).all()):
        raise InvalidValue("a fit needs finite inputs, and finite weights of at least 0; leave out samples without")
    if not (w[y].sum() > 0 and w[~y].sum() > 0):
        raise InvalidValue(
            f"a fit needs samples of both kinds; given {int(y.sum())} true and {int((~y).sum())} false ones; "
            "take more houses"
        )
    return x, y, w


def _subsets(count: int) -> list[tuple[int, ...]]:
    return list(chain.from_iterable(combinations(range(count), size) for size in range(count + 1)))


def _free_fit(
    z: NDArray[np.float64], y: NDArray[np.bool_], w: NDArray[np.float64], ridge: float, chosen: tuple[int, ...]
) -> tuple[float, float, NDArray[np.float64]] | None:
    """Loss, bias and slopes with only the chosen inputs; None when one of their slopes is negative."""
    design = np.column_stack([np.ones(len(z)), z[:, list(chosen)]])
    pull = np.diag([0.0, *[ridge] * len(chosen)])
    share = float(w[y].sum() / w.sum())
    theta = np.array([logit(share), *[0.0] * len(chosen)])
    loss = _penalised(design, y, w, pull, theta)
    for _ in range(_STEPS):
        p = sigmoid(design @ theta)
        gradient = design.T @ (w * (p - y)) + pull @ theta
        curvature = (design * (w * np.maximum(p * (1 - p), _SMALL))[:, None]).T @ design + pull
        step = np.linalg.solve(curvature, gradient)
        theta, loss, moved = _shortened(design, y, w, pull, theta, step, loss)
        if moved < _SMALL:
            break
    if (theta[1:] < 0.0).any():
        return None
    slopes = np.zeros(z.shape[1])
    slopes[list(chosen)] = theta[1:]
    return loss, float(theta[0]), slopes


def _penalised(
    design: NDArray[np.float64], y: NDArray[np.bool_], w: NDArray[np.float64], pull: NDArray[np.float64],
    theta: NDArray[np.float64],
) -> float:  # fmt: skip
    return log_loss(design @ theta, y, w) + 0.5 * float(theta @ pull @ theta)


def _shortened(
    design: NDArray[np.float64], y: NDArray[np.bool_], w: NDArray[np.float64], pull: NDArray[np.float64],
    theta: NDArray[np.float64], step: NDArray[np.float64], loss: float,
) -> tuple[NDArray[np.float64], float, float]:  # fmt: skip
    """The step, halved until the loss does not rise: theta, loss, and how far it went."""
    for halvings in range(30):
        moved = step * 0.5**halvings
        new = _penalised(design, y, w, pull, theta - moved)
        if new <= loss:
            return theta - moved, new, float(np.abs(moved).max())
    return theta, loss, 0.0
