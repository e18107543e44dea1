"""How well the readings of one frame lie on those of another, for many relative poses at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.conventions.readings import PoseReading, understood
from spatialmem.conventions.samples import Sample, Samples
from spatialmem.geometry import inverse
from spatialmem.types import Camera

TOLERANCE = 0.05
"""share of the depth at which a difference stops counting as agreement"""
ENOUGH_OVERLAP = 0.25
"""share of readings that must fall on readings of the other frame before their residual says anything"""
_COLUMNS = 32  # readings compared along a row
_NEAREST = 1e-3


class Scores(NamedTuple):
    """Of pairs, pose readings and depth factors: (P, H, S) each; both directions of a pair averaged."""

    agreement: NDArray[np.float64]
    """share of readings that meet a reading of the other frame, each weighted by 1 - |difference| / tolerance"""
    residual: NDArray[np.float64]
    """median of |difference| / depth where both have a reading; NaN without overlap"""
    overlap: NDArray[np.float64]
    """share of readings that meet a reading of the other frame"""


@dataclass(frozen=True, eq=False)
class Points:
    """Some readings of a frame as points in its camera, and its depth to look others up in."""

    sample: Sample

    @cached_property
    def points(self) -> NDArray[np.float32]:
        """(N, 3) camera axes, in metres by the reader's scale"""
        s = self.sample
        step = max(1, s.camera.width // _COLUMNS)
        y, x = np.mgrid[step // 2 : s.camera.height : step, step // 2 : s.camera.width : step]
        known = s.usable[y, x]
        x, y = x[known], y[known]
        c, depth = s.camera, s.depth_m[y, x].astype(np.float64)
        return np.stack([(x - c.cx) / c.fx * depth, (y - c.cy) / c.fy * depth, depth], axis=-1).astype(np.float32)

    @cached_property
    def depth_m(self) -> NDArray[np.float32]:
        """(H, W), NaN where nothing usable is"""
        return np.where(self.sample.usable, self.sample.depth_m, np.float32(np.nan))


def score_all(samples: Samples, readings: tuple[PoseReading, ...], factors: NDArray[np.float64]) -> Scores:
    """Every pair under every reading of the poses and every factor on depth."""
    clouds = [Points(sample) for sample in samples.frames]
    written = np.array([sample.written for sample in samples.frames])
    poses = np.stack([understood(written, reading) for reading in readings])  # (H, F, 4, 4)
    shape = (len(samples.pairs), len(readings), len(factors))
    found = np.empty((3, *shape))
    for p, (i, j) in enumerate(samples.pairs):
        there = inverse(poses[:, j]) @ poses[:, i]
        back = inverse(there)
        for s, factor in enumerate(factors):
            both = [_meet(clouds[i], clouds[j], there, factor), _meet(clouds[j], clouds[i], back, factor)]
            found[:, p, :, s] = np.mean(both, axis=0)
    return Scores(*found)


def _meet(source: Points, target: Points, target_from_source: NDArray, factor: float) -> NDArray[np.float64]:
    """(3, H) agreement, residual, overlap of one direction.

    Both depths are to be multiplied by `factor`; dividing the translation by it is the same.
    """
    rotation = target_from_source[:, :3, :3].astype(np.float32)
    translation = (target_from_source[:, :3, 3] / factor).astype(np.float32)
    moved = source.points @ rotation.transpose(0, 2, 1) + translation[:, None]  # (H, N, 3)
    seen = look_up(moved, target.depth_m, target.sample.camera)
    count = max(1, moved.shape[1])
    apart = np.abs(seen - moved[..., 2]) / np.maximum(moved[..., 2], _NEAREST)
    met = np.isfinite(apart)
    agreement = np.where(met, np.maximum(0.0, 1.0 - apart / TOLERANCE), 0.0).sum(axis=1) / count
    return np.stack([agreement, _medians(apart, met), met.sum(axis=1) / count])


def look_up(points: NDArray, depth_m: NDArray[np.float32], camera: Camera) -> NDArray[np.float32]:
    """(...) depth at the pixels where points (..., 3) fall; NaN outside the image and behind the camera."""
    z = points[..., 2]
    ahead = np.maximum(z, _NEAREST)
    column = np.rint(points[..., 0] / ahead * camera.fx + camera.cx)
    row = np.rint(points[..., 1] / ahead * camera.fy + camera.cy)
    inside = (z > _NEAREST) & (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height)
    at = np.where(inside, row * camera.width + column, 0).astype(np.intp)
    return np.where(inside, depth_m.ravel()[at], np.float32(np.nan))


def _medians(values: NDArray, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(H,) median of each row where known, NaN where nothing is (of an even number the lower one of the middle)."""
    ordered = np.sort(np.where(known, values, np.inf), axis=1)
    middle = np.maximum(known.sum(axis=1) - 1, 0) // 2
    out = np.take_along_axis(ordered, middle[:, None], axis=1)[:, 0].astype(np.float64)
    return np.where(np.isfinite(out), out, np.nan)


def jackknife(values: NDArray[np.float64], pairs: NDArray[np.intp]) -> tuple[float, float]:
    """Mean of a value (P,) of each pair, and its standard error; see `jackknife_of`."""
    return float(values.mean()), jackknife_of(np.mean, values, pairs)


def jackknife_of(statistic: Callable, values: NDArray[np.float64], pairs: NDArray[np.intp]) -> float:
    """Standard error of a statistic of pairs, by leaving every frame out once; infinite below three frames.

    Pairs share frames, so that they are not independent; frames are taken to be. Source: Efron and Tibshirani, "An
    Introduction to the Bootstrap" (1993), chapter 11.

    Args:
        statistic: of values (Q, ...) of some pairs, a number.
        values: (P, ...) of all pairs.
        pairs: (P, 2) their frames.
    """
    parts = [values[(pairs != frame).all(axis=1)] for frame in np.unique(pairs)]
    without = np.array([statistic(part) for part in parts if len(part)])
    if len(without) < 3:
        return float("inf")
    n = len(without)
    return float(np.sqrt((n - 1) / n * np.sum(np.square(without - without.mean()))))
