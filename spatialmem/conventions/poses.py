"""Which reading of the poses makes the frames agree, and which questions the frames leave open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.conventions.compare import ENOUGH_OVERLAP, Scores, jackknife, score_all
from spatialmem.conventions.readings import ALL_READINGS, PoseReading, understood
from spatialmem.conventions.report import Finding, Row, Verdict
from spatialmem.conventions.samples import Samples
from spatialmem.conventions.shape import plane_share
from spatialmem.geometry import inverse, log_so3

POSE_QUESTIONS = ("poses", "camera_axes", "quat_order")
_UNIT = "median difference in depth / depth; small is good"
_FITS_BELOW = 0.03
"""median residual of frames that fit: sensors measure to 1 %, poses of hand-held cameras are as good"""
_TWICE = 2.0  # a rival whose residual is this many times the winner's is refuted by it
_STANDARD_ERRORS, _LEAST_LOSS = 3.0, 5e-3  # of agreement, that a rival must lose to be refuted
_LEAST_PAIRS = 2
_STILL_RAD, _STILL_SHARE = np.deg2rad(2.0), 0.02  # the camera stands still below this turn and this share of the depth
_PLANE_SHARE = 0.95


@dataclass(frozen=True, eq=False)
class PoseAnswer:
    """What the frames say about the poses."""

    best: PoseReading
    factor: float
    """depth as read times this, of the factors tried, fits best"""
    fitting: tuple[PoseReading, ...]
    """every reading that the frames do not refute, best first; empty when none fits"""
    trouble: str
    """why nothing can be said; empty when something can"""
    rows: tuple[Row, ...]
    overlapping: tuple[int, ...]
    """pairs that overlap under the best reading"""

    @property
    def certain(self) -> bool:
        """Whether exactly one reading fits."""
        return not self.trouble and len(self.fitting) == 1


def answer_poses(samples: Samples, factors: NDArray[np.float64]) -> PoseAnswer:
    """Compare every reading of the poses on the same pairs of frames, each at its best factor on depth."""
    scores = score_all(samples, ALL_READINGS, factors)
    at = scores.agreement.mean(axis=0).argmax(axis=1)  # (H,) the best factor of each reading
    own = Scores(*(values[:, np.arange(len(at)), at] for values in scores))  # (P, H)
    residual = _residuals(own)
    order = np.argsort(-own.agreement.mean(axis=0), kind="stable")
    best = int(order[0])
    rows = tuple(_row(h, float(factors[at[h]]), own, float(residual[h])) for h in order.tolist())
    overlapping = tuple(np.flatnonzero(own.overlap[:, best] >= ENOUGH_OVERLAP).tolist())
    fitting = _fitting(own, residual, order, np.array(samples.pairs))
    factor = float(factors[at[best]])
    trouble = _trouble(samples, ALL_READINGS[best], factor, own, float(residual[best]), len(overlapping))
    readings = tuple(ALL_READINGS[h] for h in fitting)
    return PoseAnswer(ALL_READINGS[best], factor, readings, trouble, rows, overlapping)


def _residuals(own: Scores) -> NDArray[np.float64]:
    """(H,) median over the pairs that overlap; NaN where fewer than two do."""
    out = np.full(own.residual.shape[1], np.nan)
    for h in range(len(out)):
        over = own.overlap[:, h] >= ENOUGH_OVERLAP
        if over.sum() >= _LEAST_PAIRS or over.all():
            out[h] = np.median(own.residual[over, h])
    return out


def _row(h: int, factor: float, own: Scores, residual: float) -> Row:
    reading = ALL_READINGS[h]
    return Row(
        reading.poses, reading.camera_axes, reading.quat_order, factor, residual,
        float(own.agreement[:, h].mean()), float(own.overlap[:, h].mean()),
    )  # fmt: skip


def _fitting(own: Scores, residual: NDArray, order: NDArray[np.intp], pairs: NDArray[np.intp]) -> list[int]:
    """The winner and every rival that fits as well: residual small, and no clear loss over the same pairs."""
    best = order[0]
    limit = max(_FITS_BELOW, _TWICE * residual[best])
    fitting = [int(best)]
    for rival in order[1:]:
        if not residual[rival] <= limit:
            continue
        loss, error = jackknife(own.agreement[:, best] - own.agreement[:, rival], pairs)
        if loss < max(_STANDARD_ERRORS * error, _LEAST_LOSS):
            fitting.append(int(rival))
    return fitting


def _trouble(samples: Samples, best: PoseReading, factor: float, own: Scores, residual: float, overlapping: int) -> str:
    turn_rad, move = _motion(samples, best, factor)
    if turn_rad < _STILL_RAD and move < _STILL_SHARE:
        return (
            f"the camera stands still: between the frames it turns {np.rad2deg(turn_rad):.1f} degrees and moves "
            f"{move:.1%} of the depth at most; record some seconds of walking"
        )
    flat = float(np.median([plane_share(sample) for sample in samples.frames]))
    if flat >= _PLANE_SHARE:
        return f"the scene is a plane ({flat:.0%} of the readings); record a corner with things in it"
    if overlapping < min(_LEAST_PAIRS, len(samples.pairs)):
        most = float(own.overlap.max())
        return f"the frames do not overlap (at most {most:.0%}, under any convention); take frames closer together"
    if not residual <= _FITS_BELOW and _meeting(own, ALL_READINGS.index(samples.declared)) < _LEAST_PAIRS:
        return (
            "the frames do not overlap by what is declared, and no other convention fits (the best leaves "
            f"{residual:.1%} of the depth); take frames closer together"
        )
    if not residual <= _FITS_BELOW:
        return (
            f"no convention fits: the best leaves {residual:.1%} of the depth (sound recordings leave 0.2 to 2 %); "
            "either the frames show different places, or intrinsics, stamps or poses are wrong in another way"
        )
    return ""


def _meeting(own: Scores, h: int) -> int:
    """Number of pairs that overlap under a reading."""
    return int((own.overlap[:, h] >= ENOUGH_OVERLAP).sum())


def _motion(samples: Samples, reading: PoseReading, factor: float) -> tuple[float, float]:
    """Largest turn between two frames of a pair (radians), largest move as a share of the median depth."""
    poses = understood(np.array([sample.written for sample in samples.frames]), reading)
    first, second = np.array(samples.pairs).T
    relative = inverse(poses[first]) @ poses[second]
    depth_m = factor * np.median([np.median(s.depth_m[s.usable]) for s in samples.frames if s.usable.any()])
    moved = np.linalg.norm(relative[:, :3, 3], axis=-1).max() / depth_m
    return float(np.linalg.norm(log_so3(relative[:, :3, :3]), axis=-1).max()), float(moved)


def pose_findings(samples: Samples, answer: PoseAnswer) -> list[Finding]:
    """One finding for each of the three questions about poses."""
    return [_finding(samples.declared, answer, question) for question in POSE_QUESTIONS]


def _finding(declared: PoseReading, answer: PoseAnswer, question: str) -> Finding:
    said, found = getattr(declared, question), getattr(answer.best, question)
    residuals = _one_changed(answer, question)
    if answer.trouble:
        return Finding(question, Verdict.UNCERTAIN, said, None, (), residuals, _UNIT, answer.trouble)
    candidates = tuple(dict.fromkeys(getattr(reading, question) for reading in answer.fitting))
    if len(candidates) > 1:
        reason = f"the motion cannot tell {' from '.join(candidates)}: both fit; record turns about several axes"
        return Finding(question, Verdict.UNCERTAIN, said, found, candidates, residuals, _UNIT, reason)
    verdict = Verdict.FITS if found == said else Verdict.WRONG
    reason = f"residual {residuals[found]:.2%} over {len(answer.overlapping)} overlapping pairs"
    return Finding(question, verdict, said, found, candidates, residuals, _UNIT, reason)


def _one_changed(answer: PoseAnswer, question: str) -> dict[str, float]:
    """Residuals of the values of one question, the other two as they fit best."""
    others = [name for name in POSE_QUESTIONS if name != question]
    kept = [row for row in answer.rows if all(getattr(row, name) == getattr(answer.best, name) for name in others)]
    return {getattr(row, question): row.residual for row in kept}
