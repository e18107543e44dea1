"""The motion half-way between two: the one of many that brings a point nearest to the middle of where the two do.

Asked for every voxel, of a thousand motions, this would take most of a correction. Around a block it can only be one of
few: how far a motion brings a point from that middle changes by no more from point to point than the points lie
apart, times how much the turns differ. So a list is made at the middle of the block for each pair, and looked through.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import kernel, leaf
from spatialmem.voxels.transport import carried

_LISTS = 16
_ROUNDING = 1e-9
"""metres, and share of them, by which a motion may be misjudged at the middle of a block"""


class Lists(NamedTuple):
    """Which motions can be half-way, for some pairs, around one place."""

    pair: NDArray[np.int64]
    """(K, 2) whose list each one is; -1: of none"""
    count: NDArray[np.int64]
    """(K,) motions in it"""
    motions: NDArray[np.int32]
    """(K, M) ascending"""


@kernel
def empty_lists(motions):
    """Room for the lists of a thread."""
    return Lists(np.full((_LISTS, 2), -1), np.zeros(_LISTS, np.int64), np.empty((_LISTS, motions), np.int32))


@leaf
def elsewhere(lists):
    """What was listed holds around another place."""
    lists.pair[:] = -1


@leaf
def _middle(to, a, b, x, y, z):
    ax, ay, az = carried(to[a], x, y, z)
    bx, by, bz = carried(to[b], x, y, z)
    gap = math.sqrt((ax - bx) ** 2 + (ay - by) ** 2 + (az - bz) ** 2)
    return (ax + bx) / 2, (ay + by) / 2, (az + bz) / 2, gap


@leaf
def _away(m, x, y, z, middle_x, middle_y, middle_z):
    px, py, pz = carried(m, x, y, z)
    return math.sqrt((px - middle_x) ** 2 + (py - middle_y) ** 2 + (pz - middle_z) ** 2)


@leaf
def _slope(m, one, two):
    """By how much more two points a metre apart may be away from the middle, at most."""
    total = 0.0
    for i in range(3):
        for j in range(3):
            total += (m[i, j] - (one[i, j] + two[i, j]) / 2) ** 2
    return math.sqrt(total)


@leaf
def _list(to, a, b, x, y, z, radius, out):
    """Write the motions that can be the nearest for a point within `radius` of this one; returns how many."""
    mx, my, mz, _ = _middle(to, a, b, x, y, z)
    least = math.inf
    for n in range(to.shape[0]):
        least = min(least, _away(to[n], x, y, z, mx, my, mz) + _slope(to[n], to[a], to[b]) * radius)
    least += _ROUNDING * (1.0 + least)
    count = 0
    for n in range(to.shape[0]):
        if _away(to[n], x, y, z, mx, my, mz) - _slope(to[n], to[a], to[b]) * radius <= least:
            out[count] = n
            count += 1
    return count


@leaf
def half_way(to, a, b, x, y, z, most, place, radius, lists):
    """Number of the motion that brings a point nearest to the middle of where motions a and b do, the first of
    equal ones; b itself where these are more than `most` apart, or none is nearer than it.

    to: (M, 3, 4). place, radius: around which the lists hold, and how far; the point lies there.
    """
    chosen = np.int64(b)
    if a == b:
        return chosen
    mx, my, mz, gap = _middle(to, a, b, x, y, z)
    if gap > most:
        return chosen
    k = (np.int64(a) * 31 + np.int64(b)) % lists.pair.shape[0]
    if lists.pair[k, 0] != a or lists.pair[k, 1] != b:
        lists.pair[k, 0], lists.pair[k, 1] = a, b
        lists.count[k] = _list(to, a, b, place[0], place[1], place[2], radius, lists.motions[k])
    least = gap / 2
    for at in range(lists.count[k]):
        n = lists.motions[k, at]
        away = _away(to[n], x, y, z, mx, my, mz)
        if away < least:
            chosen, least = np.int64(n), away
    return chosen
