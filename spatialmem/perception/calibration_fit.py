"""Fitting a calibration: from features of maps, and whether they show what phrases name, to its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.perception.calibration import Calibration, FittedOn, evidence, nearness
from spatialmem.perception.logistic import fit_logistic, log_loss, logit, sigmoid
from spatialmem.perception.reliability import expected_calibration_error

SHARPNESSES = (5.0, 10.0, 20.0, 40.0, 80.0)
"""of the soft maximum over the bank; the one that explains the samples best is taken"""
MOST, MOST_UNLIKE = 400, 100
"""samples of one question that are like what it asks for, and that are not: walls must not outvote all else"""
_LIKE = 90.0
"""per cent of samples that are less like what is asked than those it is fitted on"""
_REACHED = 2.0
"""per cent of the samples that score as a hit which `min_similarity` may lose"""
_PROBED = 500
_STEPS = 20_001


@dataclass(frozen=True, eq=False)
class Labelled:
    """Features, and which of them show what a phrase names."""

    query: NDArray[np.float32]
    """(D,) unit vector of the phrase"""
    features: NDArray[np.float32]
    """(N, D) of a map, any length but 0"""
    truth: NDArray[np.bool_]
    """(N,)"""
    judged: NDArray[np.bool_]
    """(N,) False: nobody can say"""


@dataclass(frozen=True, eq=False)
class Samples:
    """What a fit is made of: of each question at most `MOST` features that are about as like it as a candidate, and
    `MOST_UNLIKE` others, so that the curve falls to where it should."""

    cosine: NDArray[np.float32]
    """(M,)"""
    margins: NDArray[np.float32]
    """(M, S) for each of `SHARPNESSES`"""
    truth: NDArray[np.bool_]
    """(M,)"""
    least: float
    """the cosine that the former reach"""


@dataclass(frozen=True)
class Curve:
    """A fitted logistic."""

    sharpness: float
    bias: float
    cosine_weight: float
    near_weight: float
    margin_weight: float

    def logits(self, samples: Samples) -> NDArray[np.float64]:
        """(M,)"""
        margin = samples.margins[:, SHARPNESSES.index(self.sharpness)]
        return self.along(samples.cosine) + self.margin_weight * margin

    def along(self, cosine: NDArray[np.floating]) -> NDArray[np.float64]:
        """(M,) without the margin."""
        return self.bias + self.cosine_weight * cosine + self.near_weight * nearness(cosine)


def gathered(labelled: Sequence[Labelled], bank: NDArray[np.float32], seed: int, least: float | None = None) -> Samples:
    """Samples of many questions.

    Args:
        labelled: one entry a question.
        bank: (K, D) vectors of the background phrases.
        seed: of what is drawn.
        least: cosine from which features count; None: that which a tenth of all (question, feature) pairs reaches,
            every question counting alike.
    """
    rng = np.random.default_rng(seed)
    least = _usual_cosine(labelled, rng) if least is None else least
    parts = [_of_question(entry, bank, least, rng) for entry in labelled]
    if not any((part[0] >= least).any() for part in parts):
        raise InvalidValue(f"of {len(labelled)} questions none has a feature of cosine {least:.2f}; take more houses")
    cosines, margins, truths = zip(*parts, strict=True)
    return Samples(np.concatenate(cosines), np.concatenate(margins), np.concatenate(truths), least)


def gathered_above(labelled: Sequence[Labelled], least: float, seed: int) -> Samples:
    """As `gathered`, without a bank, and only what reaches the cosine `least`; it may be nothing."""
    rng, bank = np.random.default_rng(seed), np.empty((0, len(labelled[0].query)), np.float32)
    cosines, margins, truths = (
        np.concatenate(part) for part in zip(*(_of_question(one, bank, least, rng) for one in labelled), strict=True)
    )
    above = cosines >= least
    return Samples(cosines[above], margins[above], truths[above], least)


def reached_by(labelled: Sequence[Labelled], shares: Sequence[float]) -> list[float]:
    """The cosine, at most 1, that each of these shares of all (question, feature) pairs reaches."""
    cosines = [evidence(entry.features, entry.query, entry.features[:0], 1.0)[0] for entry in labelled]
    found = np.quantile(np.concatenate(cosines), [1.0 - share for share in shares])
    return np.minimum(found, 1.0).tolist()


def _usual_cosine(labelled: Sequence[Labelled], rng: np.random.Generator) -> float:
    probes = []
    for entry in labelled:
        rows = entry.features[rng.integers(len(entry.features), size=_PROBED)]
        probes.append(evidence(rows, entry.query, rows[:0], 1.0)[0])
    return float(np.percentile(np.concatenate(probes), _LIKE))


def _of_question(
    entry: Labelled, bank: NDArray[np.float32], least: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    cosine = evidence(entry.features, entry.query, bank[:0], 1.0)[0]
    like = cosine >= least
    near = np.concatenate([_some(like & entry.judged, MOST, rng), _some(~like & entry.judged, MOST_UNLIKE, rng)])
    rows = entry.features[near]
    margins = np.empty((len(near), len(SHARPNESSES)), np.float32)
    for column, sharpness in enumerate(SHARPNESSES):
        margins[:, column] = evidence(rows, entry.query, bank, sharpness)[1]
    return cosine[near], margins, entry.truth[near]


def _some(chosen: NDArray[np.bool_], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    places = np.flatnonzero(chosen)
    return places if len(places) <= most else np.sort(rng.choice(places, most, replace=False))


def fit_curve(samples: Samples, with_bank: bool) -> Curve:
    """The logistic in cosine and margin that explains the samples best; without a bank in the cosine alone."""
    curves = [_fit(samples, sharpness) for sharpness in (SHARPNESSES if with_bank else (None,))]
    ones = np.ones(len(samples.truth))
    return min(curves, key=lambda curve: log_loss(curve.logits(samples), samples.truth, ones))


def _fit(samples: Samples, sharpness: float | None) -> Curve:
    inputs = [samples.cosine, nearness(samples.cosine)]
    if sharpness is not None:
        inputs.append(samples.margins[:, SHARPNESSES.index(sharpness)])
    bias, slopes = fit_logistic(np.column_stack(inputs), samples.truth)
    weights = [*slopes.tolist(), 0.0]
    return Curve(sharpness or SHARPNESSES[0], bias, weights[0], weights[1], weights[2])


def probabilities(curve: Curve, samples: Samples) -> NDArray[np.float64]:
    """(M,) of the samples."""
    return sigmoid(curve.logits(samples))


def reached_cosine(curve: Curve, samples: Samples, hit_score: float) -> float:
    """The cosine that hardly a voxel which scores `hit_score` falls short of; a cosine of 1 when none scores so much.

    Without a bank it is exact; with one, what the samples show.
    """
    if curve.margin_weight == 0.0:
        cosines = np.linspace(-1.0, 1.0, _STEPS)
        return float(cosines[min(int(np.searchsorted(curve.along(cosines), logit(hit_score))), _STEPS - 1)])
    high = samples.cosine[probabilities(curve, samples) >= hit_score]
    return float(np.percentile(high, _REACHED)) if len(high) else 1.0


def calibration_of(
    curve: Curve, samples: Samples, hit_score: float, *, fitted_for: str, phrases: tuple[str, ...],
    bank: NDArray[np.float32], fitted_on: FittedOn,
) -> Calibration:  # fmt: skip
    """A calibration of a curve, with hits from `hit_score` on."""
    return Calibration(
        fitted_for=fitted_for, phrases=phrases, bank=bank, sharpness=curve.sharpness, bias=curve.bias,
        cosine_weight=curve.cosine_weight, near_weight=curve.near_weight, margin_weight=curve.margin_weight,
        hit_score=hit_score, min_similarity=reached_cosine(curve, samples, hit_score), fitted_on=fitted_on,
    )  # fmt: skip


def error_on(calibration: Calibration, samples: Samples) -> float:
    """Expected calibration error on samples, of those that a query would score."""
    c = calibration
    curve = Curve(c.sharpness, c.bias, c.cosine_weight, c.near_weight, c.margin_weight)
    scored = samples.cosine >= calibration.min_similarity
    return expected_calibration_error(probabilities(curve, samples)[scored], samples.truth[scored])
