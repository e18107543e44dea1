"""Moving content of a voxel map, written down plainly: one voxel at a time, in dictionaries (docs/format.md, 10)."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np


class Voxel(NamedTuple):
    """What an old voxel holds."""

    dist: int
    weight: int
    motion: int
    """whose motion it follows: 0 stays, -1 nothing was observed"""
    anew: bool
    """frames can make its block anew"""
    feature: np.ndarray | None
    """None: it has no row"""
    feature_weight: int = 0


def sources(p_m, old, motions, voxel_m, whole):
    """(motion, voxel it leads back to) of what comes to lie at a point (3,) that is a voxel's centre."""
    here = old.get(_voxel(p_m, voxel_m))
    found, nearest, least = [], None, voxel_m
    for number, motion in enumerate(motions):
        if number == 0:
            continue
        q_m = _moved(np.linalg.inv(motion), p_m)
        at = _voxel(q_m, voxel_m)
        held = old.get(at)
        if held is None or held.motion < 0 or (held.anew and not whole):
            continue
        if held.motion == number:
            found.append((number, at))
        gap_m = np.linalg.norm(_moved(motions[held.motion], q_m) - p_m)
        if held.motion != number and gap_m < least:
            nearest, least = (number, at), gap_m
    fills = not found and nearest is not None and not (here is not None and here.motion == 0)
    return [nearest] if fills else found


def distance(q_m, old, voxel_m):
    """Trilinear distance at a point, over the observed ones of the eight voxels around it."""
    low = np.floor(q_m / voxel_m - 0.5)
    share = q_m / voxel_m - 0.5 - low
    total = shares = 0.0
    for step in itertools.product((0, 1), repeat=3):
        held = old.get(tuple(int(v) for v in low + step))
        if held is not None and held.weight > 0:
            part = np.prod(np.where(step, share, 1 - share))
            total, shares = total + part * held.dist, shares + part
    return total / shares


def arrives(p_m, old, motions, voxel_m, whole):
    """(mean distance, sum of weights, mean feature or None) of what comes to lie at a point."""
    weights, total, seen, feature = 0, 0.0, 0, 0.0
    for number, at in sources(p_m, old, motions, voxel_m, whole):
        held = old[at]
        if held.weight:
            total += held.weight * distance(_moved(np.linalg.inv(motions[number]), p_m), old, voxel_m)
            weights += held.weight
        if held.feature is not None:
            feature = feature + held.feature_weight * held.feature.astype(np.float64)
            seen += held.feature_weight
    return (total / weights if weights else 0.0), weights, (feature / seen if seen else None)


def half_way(p_m, one, two, motions, most_m):
    """The motion that brings a point nearest to the middle of where two do; the second where these part by more."""
    ends = _moved(motions[one], p_m), _moved(motions[two], p_m)
    gap_m = np.linalg.norm(ends[0] - ends[1])
    away_m = [np.linalg.norm(_moved(m, p_m) - (ends[0] + ends[1]) / 2) for m in motions]
    if one == two or gap_m > most_m or min(away_m) >= gap_m / 2:
        return two
    return int(np.argmin(away_m))


def _moved(m, p):
    return m[:3, :3] @ p + m[:3, 3]


def _voxel(p_m, voxel_m):
    return tuple(int(v) for v in np.floor(p_m / voxel_m))
