"""How far a depth reading is to be trusted (docs/format.md, section 5), in float64 and from the 3-D normal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

UNIT_M = 1e-5
EDGE_RATIO = 0.05
MIN_COSINE = 0.08
FULL_WEIGHT, FULL_WEIGHT_DEPTH_M = 8, 1.5


class Readings(NamedTuple):
    """(H, W) each."""

    packed: np.ndarray
    """int64: depth in 10 um << 8 | weight; 0 = not usable"""
    sure: np.ndarray
    """bool: False where a rounding or a threshold is so close that float32 may decide otherwise"""


def pack(depth_m, mask, camera, low_m, high_m) -> Readings:
    """Packed readings of a (H, W) depth image; mask False = pixel not to be used."""
    low_m, high_m = (float(np.float32(limit)) for limit in (low_m, high_m))  # the range as float32 readings see it
    z = np.asarray(depth_m, np.float64)
    with np.errstate(invalid="ignore"):
        z = np.where((z >= low_m) & (z <= high_m), z, np.nan)
    steps = [z - neighbour for neighbour in _neighbours(z)]  # left, right, above, below
    edge_at = np.nanmax(np.stack([np.abs(s) for s in steps] + [np.zeros(z.shape)]), axis=0) / z
    cosine = _cosine(z, _mean(steps[0], -steps[1]), _mean(steps[2], -steps[3]), camera)
    raw = FULL_WEIGHT * np.minimum(1.0, (FULL_WEIGHT_DEPTH_M / z) ** 2) * cosine
    with np.errstate(invalid="ignore"):
        keep = (edge_at <= EDGE_RATIO) & (cosine >= MIN_COSINE)
        sure = (np.abs(edge_at - EDGE_RATIO) > 1e-6) & (np.abs(cosine - MIN_COSINE) > 1e-4)
    sure &= ~_near_rounding(raw, 1e-4) & ~_near_rounding(z / UNIT_M, 0.05)
    if mask is not None:
        keep = keep & mask
    weight = np.maximum(1, np.floor(np.where(keep, raw, 0.0) + 0.5)).astype(np.int64)
    units = np.floor(np.where(keep, z, 0.0) / UNIT_M + 0.5).astype(np.int64)
    return Readings(np.where(keep, units << 8 | weight, 0), sure | np.isnan(z))


def _neighbours(z):
    framed = np.pad(z, 1, constant_values=np.nan)
    return framed[1:-1, :-2], framed[1:-1, 2:], framed[:-2, 1:-1], framed[2:, 1:-1]


def _mean(a, b):
    """Mean of the one-sided differences that exist; 0 where neither does."""
    known = (~np.isnan(a)).astype(int) + ~np.isnan(b)
    return (np.nan_to_num(a) + np.nan_to_num(b)) / np.maximum(known, 1)


def _cosine(z, zu, zv, camera):
    """Cosine between the ray and the normal of the surface P(u, v) = z(u, v) * ray(u, v)."""
    v, u = np.indices(z.shape)
    ray = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(z.shape)], axis=-1)
    along_u = zu[..., None] * ray + z[..., None] * np.array([1 / camera.fx, 0, 0])
    along_v = zv[..., None] * ray + z[..., None] * np.array([0, 1 / camera.fy, 0])
    normal = np.cross(along_u, along_v)
    return (normal * ray).sum(-1) / (np.linalg.norm(normal, axis=-1) * np.linalg.norm(ray, axis=-1))


def _near_rounding(value, margin):
    with np.errstate(invalid="ignore"):
        return np.abs(value - np.floor(value) - 0.5) < margin
