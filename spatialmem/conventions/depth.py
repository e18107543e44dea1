"""How many metres a depth value is: from the motion of the camera, and from the levels of the sensor."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.conventions.compare import ENOUGH_OVERLAP, jackknife, jackknife_of, score_all
from spatialmem.conventions.poses import PoseAnswer
from spatialmem.conventions.readings import understood
from spatialmem.conventions.report import Finding, Verdict
from spatialmem.conventions.samples import Samples
from spatialmem.conventions.shape import Cloud, cloud
from spatialmem.geometry import inverse

USUAL_SCALES: Final = (1.0, 1000.0, 5000.0, 6553.5, 4000.0, 10000.0, 256.0, 100.0)
"""raw / scale = metres: metres, millimetres, TUM, Replica, RealSense L515 and D405, KITTI, centimetres"""
_UNIT = "median difference in depth / depth; small is good"
_ROOM_M = (0.2, 12.0)
"""what the median depth of a recording can be"""
_SAME = 1.1  # scales closer than this factor are not told apart
_STANDARD_ERRORS, _LEAST_SHARE = 2.5, 0.06
_CLEAR_LOSS, _LEAST_LOSS = 3.0, 5e-3  # standard errors, and agreement, that a scale must lose to be refuted
_NARROW = 1.3  # a range this narrow names a scale of its own
_COLUMNS, _ROUNDS, _GATE, _AWAY = 106, 12, 0.1, 1.3
_LEVEL_PER_M = 2.85e-3
_LEVEL_FRAMES, _LEVEL_BINS, _LEVELS_PER_BIN, _LEVEL_SPREAD, _READINGS_PER_LEVEL = 8, 5, 12, 1.15, 20


class Range(NamedTuple):
    """A factor on depth as read, and the range it is known to."""

    best: float
    low: float
    high: float

    def holds(self, factor: float) -> bool:
        """Whether a factor lies in the range."""
        return self.low <= factor <= self.high


@dataclass(frozen=True, eq=False)
class Scales:
    """Scales to choose from, and the factor on depth as read that each stands for."""

    declared: float
    """the scale in use; 1 where the reader does not say, the others are then factors on its metres"""
    factors: dict[float, float]
    """scale -> factor, those that make a depth of a room"""


def scales_to_try(samples: Samples) -> Scales:
    """The usual scales and the declared one, without those that put the median depth out of any room."""
    declared = samples.depth_scale or 1.0
    usual = USUAL_SCALES
    if samples.depth_scale is None:  # whatever the reader took for whatever it was
        first = USUAL_SCALES[:4]
        usual = tuple(sorted({a / b for a, b in itertools.product(first, first)}))
    median_m = median_depth_m(samples)
    factors = {_whole(scale): declared / scale for scale in dict.fromkeys((declared, *usual))}
    return Scales(declared, {c: f for c, f in factors.items() if _ROOM_M[0] <= f * median_m <= _ROOM_M[1]})


def all_factors(samples: Samples) -> NDArray[np.float64]:
    """Factors that put the median depth anywhere in a room, for scales that are not usual."""
    return np.geomspace(*_ROOM_M, 16) / median_depth_m(samples)


def median_depth_m(samples: Samples) -> float:
    """Median of the readings, metres by the reader's scale."""
    return float(np.median([np.median(s.depth_m[s.usable]) for s in samples.frames if s.usable.any()]))


def depth_finding(samples: Samples, poses: PoseAnswer, scales: Scales) -> Finding:
    """The scale of depth: by motion where it can be, narrowed or replaced by the levels of the sensor."""
    declared = _whole(scales.declared)
    levels = factor_by_levels(samples)
    motion = None if poses.trouble else factor_by_motion(samples, poses)
    residuals, unrefuted = ({}, set()) if motion is None else _compared(samples, poses, scales, motion.best)
    shown = {f"{scale:g}": value for scale, value in residuals.items()}

    def answer(verdict: Verdict, found: float | None, fitting: list[float], reason: str) -> Finding:
        return Finding("depth_scale", verdict, declared, found, tuple(fitting), shown, _UNIT, reason)

    known = _together(motion, levels)
    if known is None:
        why = poses.trouble or "the camera moves too little for its depth"
        reason = f"{why}; by plausibility (median depth {_ROOM_M[0]:g} to {_ROOM_M[1]:g} m) it is one of these"
        return answer(Verdict.UNCERTAIN, None, list(scales.factors), reason)
    reason = _reason(motion, levels, declared)
    fitting = [c for c, f in scales.factors.items() if known.holds(f) or (c in unrefuted and known is motion)]
    fitting.sort(key=lambda c: abs(np.log(scales.factors[c] / known.best)))
    others = [scale for scale in fitting if not 1 / _SAME < scale / declared < _SAME]
    if declared in fitting and not others:
        return answer(Verdict.FITS, declared, [declared], reason)
    if declared in fitting:
        return answer(Verdict.UNCERTAIN, fitting[0], fitting, f"{reason}; the frames fit with any of these")
    if fitting:
        several = f"; {' or '.join(f'{scale:g}' for scale in fitting)} fit" if len(fitting) > 1 else ""
        return answer(Verdict.WRONG, fitting[0], fitting, reason + several)
    if known.high > _NARROW * known.low:
        return answer(Verdict.UNCERTAIN, None, [], reason)
    unusual = _rounded(declared / known.best)
    return answer(Verdict.WRONG, unusual, [unusual], reason)


def _reason(motion: Range | None, levels: Range | None, declared: float) -> str:
    texts = []
    if motion is not None:
        best, low, high = (_rounded(declared / f) for f in (motion.best, motion.high, motion.low))
        texts.append(f"the motion asks for {best:g} (between {low:g} and {high:g})")
    if levels is not None:
        texts.append(f"the steps between depth values are those of a Kinect at {_rounded(declared / levels.best):g}")
    return "; ".join(texts)


def _together(motion: Range | None, levels: Range | None) -> Range | None:
    """Levels where they are within what motion allows; motion where they contradict it."""
    if motion is None or levels is None:
        return motion if levels is None else levels
    overlap = max(motion.low, levels.low), min(motion.high, levels.high)
    return levels if overlap[0] <= overlap[1] else motion


def _compared(
    samples: Samples, poses: PoseAnswer, scales: Scales, best: float
) -> tuple[dict[float, float], set[float]]:
    """Residual of each scale, and the scales under which frames do not agree clearly worse than at the factor `best`.

    Agreement is that of readings that meet one, so that a scale gains nothing by moving frames apart or together.
    """
    scores = score_all(samples, (poses.best,), np.array([best, *scales.factors.values()]))
    over, pairs = scores.overlap[:, 0] >= ENOUGH_OVERLAP, np.array(samples.pairs)  # (P, 1 + S)
    with np.errstate(invalid="ignore"):
        close = scores.agreement[:, 0] / scores.overlap[:, 0]
    residuals, unrefuted = {}, set()
    for s, scale in enumerate(scales.factors, start=1):
        met = scores.residual[over[:, s], 0, s]
        residuals[scale] = float(np.median(met)) if len(met) else float("nan")
        both = over[:, 0] & over[:, s]
        if both.any():
            loss, error = jackknife(close[both, 0] - close[both, s], pairs[both])
            if loss < max(_CLEAR_LOSS * error, _LEAST_LOSS):
                unrefuted.add(scale)
    return residuals, unrefuted


def factor_by_motion(samples: Samples, poses: PoseAnswer) -> Range | None:
    """The factor on depth at which a moving camera sees surfaces stay in place; None where it moves too little.

    With depth as read, the point of one frame lies on the surface of another where n . (q - R p - t / f) = 0: a line in
    1 / f, whose slope n . t is what the motion tells. Weighted least squares over all pairs (point to plane: Chen and
    Medioni, 1992; Cauchy weights), each pair with the same weight; points are matched anew in each round. The
    range is 2.5 standard errors of the jackknife over frames, at least 6 %, and holds what is reached from above and
    from below: matches lean towards where the search is, and where the scene says little they stay there.
    """
    written = np.array([sample.written for sample in samples.frames])
    world_from_camera = understood(written, poses.best)
    clouds = [cloud(sample, _COLUMNS) for sample in samples.frames]
    pairs = [samples.pairs[p] for p in poses.overlapping]
    both = [(i, j, inverse(world_from_camera[j]) @ world_from_camera[i]) for i, j in pairs]
    both += [(j, i, inverse(moved)) for i, j, moved in both]
    found = [_solve(clouds, both, away / poses.factor) for away in (_AWAY, 1.0 / _AWAY)]
    if found[0] is None or found[1] is None:
        return None
    (a, a_error), (b, b_error) = found[0], found[1]
    low, high = min(a - a_error, b - b_error), max(a + a_error, b + b_error)
    return Range(2.0 / (a + b), 1.0 / high, 1.0 / low) if low > 0 else None


def _solve(clouds: list[Cloud], both: list[tuple[int, int, NDArray]], start: float) -> tuple[float, float] | None:
    """1 / f and how far it may be off, found from a start; None where nothing holds it."""
    inverse_factor = start
    sums, used = np.empty((0, 2)), np.empty((0, 2), dtype=np.intp)
    for _ in range(_ROUNDS):
        rows = [(i, j, _normal_equation(clouds[i], clouds[j], moved, inverse_factor)) for i, j, moved in both]
        rows = [row for row in rows if row[2] is not None]
        if not rows:
            return None
        sums, used = np.array([row[2] for row in rows]), np.array([row[:2] for row in rows])
        before, inverse_factor = inverse_factor, _solved(sums)
        if not inverse_factor > 0:
            return None
        if abs(inverse_factor - before) < 1e-3 * before:
            break
    return inverse_factor, max(_STANDARD_ERRORS * jackknife_of(_solved, sums, used), _LEAST_SHARE * inverse_factor)


def _solved(sums: NDArray[np.float64]) -> float:
    a, b = sums.sum(axis=0)
    return float(b / a) if a > 0 else float("nan")


def _normal_equation(
    source: Cloud, target: Cloud, target_from_source: NDArray[np.float64], inverse_factor: float
) -> tuple[float, float] | None:
    """Sums of w a a and w a b over the matches of one direction of a pair; None where few match."""
    points = source.points[::2, ::2].reshape(-1, 3)
    points = points[np.isfinite(points[:, 2])]
    turned = points @ target_from_source[:3, :3].T
    translation, c = target_from_source[:3, 3], target.camera
    moved = turned + inverse_factor * translation
    ahead = np.maximum(moved[:, 2], 1e-6)
    column = np.rint((moved[:, 0] / ahead * c.fx + c.cx) / target.step)
    row = np.rint((moved[:, 1] / ahead * c.fy + c.cy) / target.step)
    height, width = target.normals.shape[:2]
    inside = (moved[:, 2] > 1e-6) & (column >= 0) & (row >= 0) & (column < width) & (row < height)
    at = row[inside].astype(np.intp), column[inside].astype(np.intp)
    there, normal = target.points[at], target.normals[at]
    turned, moved = turned[inside], moved[inside]
    near = np.isfinite(normal[:, 2]) & (np.abs(there[:, 2] - moved[:, 2]) < _GATE * moved[:, 2])
    if near.sum() < max(20, 0.2 * len(points)):
        return None
    depth = moved[near, 2]
    a = normal[near] @ translation / depth
    b = ((there - turned)[near] * normal[near]).sum(axis=1) / depth
    apart = b - inverse_factor * a
    weight = 1.0 / (1.0 + np.square(apart / (1.5 * np.median(np.abs(apart)) + 5e-4))) / len(a)
    return float((weight * a * a).sum()), float((weight * a * b).sum())


def factor_by_levels(samples: Samples) -> Range | None:
    """The factor at which the steps between depth values are those of a Kinect or PrimeSense; None elsewhere.

    Such a sensor measures disparity in eighths of a pixel, so that neighbours among its depths z differ by 2.85e-3 z^2:
    Khoshelham and Elberink, "Accuracy and Resolution of Kinect Depth Data" (2012). The law is asked to hold
    over the whole range of depths before it is believed, and holds for images that were never interpolated.
    """
    some = samples.frames[:: max(1, len(samples.frames) // _LEVEL_FRAMES)]
    values, counts = np.unique(np.concatenate([s.depth_m[s.usable] for s in some]), return_counts=True)
    limits = np.quantile(np.repeat(values, np.minimum(counts, 1000)), np.linspace(0.1, 0.95, _LEVEL_BINS + 1))
    values = values[counts >= _READINGS_PER_LEVEL].astype(np.float64)
    if len(values) < 2:
        return None
    middle, step = (values[1:] + values[:-1]) / 2.0, np.diff(values)
    found = []
    for low, high in itertools.pairwise(limits):
        within = (middle >= low) & (middle < high)
        if within.sum() < _LEVELS_PER_BIN:
            return None
        # depth as read d, true z = f d: f step = c (f d)^2
        found.append(step[within].mean() / (_LEVEL_PER_M * middle[within].mean() ** 2))
    if max(found) > _LEVEL_SPREAD * min(found):
        return None
    best = float(np.median(found))
    return Range(best, best / _SAME, best * _SAME)


def _rounded(scale: float) -> float:
    """Three digits; whole numbers as such."""
    return _whole(float(f"{scale:.3g}"))


def _whole(scale: float) -> float:
    return int(scale) if scale == int(scale) else scale
