"""What a frame says of points of the map: seen there, hidden, or seen through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.things import Observations

OUTSIDE, HIDDEN, AGREES, THROUGH = 0, 1, 2, 3
"""not in the image or without a reading; something is in front; a surface is there; the reading lies behind it"""
_LEAST_M, _SIGMAS = 0.03, 3.0
"""by which a reading may be off and agree: the greater of this and so many standard deviations"""
_SAME_SURFACE = 0.1
"""neighbouring readings whose inverses differ by a greater share are not of one surface"""


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """A stored frame as objects are made of it."""

    lsn: int
    stamp_ns: int
    map_from_camera: NDArray[np.float64]
    """(4, 4)"""
    seen: Observations


def tolerance_m(depth_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """By which readings at these depths may be off: axial noise of a structured-light camera (Nguyen et al., 3DIM
    2012), which is more than others have."""
    return np.maximum(_LEAST_M, _SIGMAS * (0.0012 + 0.0019 * (depth_m - 0.4) ** 2))


@dataclass(frozen=True, eq=False)
class Looked:
    """What a frame says of N points."""

    verdict: NDArray[np.uint8]
    """(N,) `OUTSIDE`, `HIDDEN`, `AGREES` or `THROUGH`"""
    detection_of: NDArray[np.uint8]
    """(N,) 1 + number of the detection in whose mask they lie, 0: none"""
    behind_m: NDArray[np.float64]
    """(N,) by which hidden ones lie behind what hides them, at least; 0 for others"""


def look(points_m: NDArray[np.floating], frame: SeenFrame) -> Looked:
    """Look at points (N, 3) of the map frame.

    Readings stand a few pixels apart. Where the four around a point are of one surface, the reading there lies between
    them (inverse depth is linear on a plane); elsewhere it agrees when one of them does, and is seen through only
    when all are behind it.
    """
    seen, camera = frame.seen, frame.seen.camera
    local = (np.asarray(points_m, np.float64) - frame.map_from_camera[:3, 3]) @ frame.map_from_camera[:3, :3]
    z = local[:, 2]
    safe = np.maximum(z, 1e-3)
    u, v = local[:, 0] / safe * camera.fx + camera.cx, local[:, 1] / safe * camera.fy + camera.cy
    inside = (z > 1e-3) & (u > -0.5) & (v > -0.5) & (u < camera.width - 0.5) & (v < camera.height - 0.5)
    h, w = seen.depth_m.shape
    x, y = (u - seen.stride // 2) / seen.stride, (v - seen.stride // 2) / seen.stride
    x, y = np.where(inside, x, 0.0).clip(0.0, w - 1.0), np.where(inside, y, 0.0).clip(0.0, h - 1.0)
    verdict, behind = _verdicts(seen.depth_m, x, y, z)
    of = seen.detection_of[np.rint(y).astype(int), np.rint(x).astype(int)]
    verdict, of = (np.where(inside, values, np.uint8(0)).astype(np.uint8) for values in (verdict, of))
    return Looked(verdict, of, np.where(verdict == HIDDEN, behind, 0.0))


def _verdicts(
    depth_m: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """(N,) of points at depth z and grid coordinates x, y, and how far at least they are behind a reading."""
    h, w = depth_m.shape
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, w - 1), np.minimum(y0 + 1, h - 1)
    around = np.stack([depth_m[y0, x0], depth_m[y0, x1], depth_m[y1, x0], depth_m[y1, x1]]).astype(np.float64)
    known = np.isfinite(around)
    inverse = 1.0 / np.where(known, around, 1.0)
    fx, fy = x - x0, y - y0
    smooth = known.all(axis=0) & (np.ptp(inverse, axis=0) <= _SAME_SURFACE * inverse.min(axis=0))
    between = (inverse[0] * (1 - fx) + inverse[1] * fx) * (1 - fy) + (inverse[2] * (1 - fx) + inverse[3] * fx) * fy
    read = np.where(smooth, 1.0 / between, np.where(known, around, np.nan))  # (4, N)
    off = read - z
    allowed = tolerance_m(z)
    with np.errstate(invalid="ignore"):
        agrees = (np.abs(off) <= allowed).any(axis=0)
        through = (known & (off > allowed)).all(axis=0)
    verdict = np.where(through, THROUGH, HIDDEN)
    verdict = np.where(agrees, AGREES, verdict)
    behind = np.where(known, -off, np.inf).min(axis=0)
    # where some of them lack a reading, which is never evidence, only what is there or in front can be told
    in_front = (~known | (off < -allowed)).all(axis=0) & known.any(axis=0)
    told = known.all(axis=0) | agrees | in_front
    return np.where(told, verdict, OUTSIDE).astype(np.uint8), behind
