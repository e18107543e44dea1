"""Pieces joined one pair at a time, the most alike first, into a tree: hierarchical agglomeration over the graph of
regions, with a probability that two regions are of one thing, learnt from the states that joining itself goes through
(as Nunez-Iglesias, Kennedy, Parag, Shi and Chklovskii, "Machine learning of hierarchical clustering to segment 2D and
3D images", PLoS ONE 2013)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spatialmem.perception.regions.network import Network

PAIR_INPUTS = 21
"""what the probability hangs on, see `pair_inputs`"""
LEAST = 0.03
"""probability below which nothing is joined any more"""


@dataclass(frozen=True, eq=False)
class Tree:
    """Regions 0 to n - 1 are pieces, each later one is two earlier ones joined."""

    pieces: int
    """n"""
    children: NDArray[np.int32]
    """(m, 2) of region n + i"""
    joined: NDArray[np.float64]
    """(m,) probability with which they were joined"""
    regions: NDArray[np.float64]
    """(n + m, REGION_SUMS), see `graph`"""
    outlines: NDArray[np.float64]
    """(n + m, BORDER_SUMS) sums over all borders of a region, itself as the first, when it came into being"""
    beside: NDArray[np.float64]
    """(n + m,) probability of the best join with a neighbour that there was when it ended; 0 without one"""


def join(
    pairs: NDArray[np.int32], borders: NDArray[np.float64], regions: NDArray[np.float64],
    features: NDArray[np.float32], network: Network, least: float = LEAST,
) -> Tree:  # fmt: skip
    """The tree of n pieces.

    Args:
        pairs: (m, 2) pieces that touch, the smaller number first.
        borders: (m, BORDER_SUMS) what is known of their borders.
        regions: (n, REGION_SUMS) what is known of the pieces.
        features: (n, D) sums of encoder features, D = 0 when there are none.
        network: gives the probability of `pair_inputs`.
        least: where to stop.
    """
    n = len(regions)
    room = max(1, 2 * n - 1)
    sums, seen = np.zeros((room, regions.shape[1])), np.zeros((room, features.shape[1]))
    sums[:n], seen[:n] = regions, features
    outlines, beside = np.zeros((room, borders.shape[1])), np.zeros(room)
    children, joined = np.zeros((max(1, n - 1), 2), np.int32), np.zeros(max(1, n - 1))
    tree = children, joined, outlines, beside
    made = grow(pairs.copy(), borders.copy(), sums, seen, network.folded, least, tree)
    return Tree(n, children[:made], joined[:made], sums[: n + made], outlines[: n + made], beside[: n + made])


@njit(nogil=True, cache=True, error_model="numpy")
def alike(seen, seen_other):
    """Cosine of two sums of encoder features (D,); 0 when there are none."""
    dot = norm = norm2 = 0.0
    for k in range(len(seen)):
        dot += seen[k] * seen_other[k]
        norm += seen[k] * seen[k]
        norm2 += seen_other[k] * seen_other[k]
    return dot / (math.sqrt(norm * norm2) + 1e-9)


@njit(nogil=True, cache=True, error_model="numpy")
def colour_gap(one, other):
    """Squared difference of the mean tints of two regions (REGION_SUMS,), that of mean colours in units of their
    spread, and the difference of their spreads."""
    n, m = one[0], other[0]
    between, against, spread = 0.0, 0.0, 0.0
    for k in range(3):
        mean, mean2 = one[10 + k] / n, other[10 + k] / m
        var = max(0.0, one[13 + k] / n - mean * mean)
        var2 = max(0.0, other[13 + k] / m - mean2 * mean2)
        gap = (mean - mean2) * (mean - mean2)
        against += gap / (var + var2 + 9.0)
        between += gap if k else 0.0
        spread += abs(math.sqrt(var) - math.sqrt(var2))
    return between, against, spread


@njit(nogil=True, cache=True, error_model="numpy")
def pair_inputs(border, one, other, seen, seen_other, out):
    """What the probability that two regions are of one thing hangs on: out (PAIR_INPUTS,) is written.

    border (BORDER_SUMS,); one, other (REGION_SUMS,); seen, seen_other (D,) sums of encoder features.
    """
    length, broken = border[0], border[1]
    joint = max(1.0, length - broken)
    n, m = one[0], other[0]
    out[0] = broken / length
    out[1] = 10.0 * border[4] / length
    out[2] = border[5] / joint
    out[3] = border[6] / joint
    out[4] = min(3.0, 0.05 * border[7] / length)
    out[5] = min(3.0, 0.1 * border[8] / length)
    between, against, spread = colour_gap(one, other)
    out[6] = min(3.0, 0.05 * abs(one[10] / n - other[10] / m))
    out[7] = min(3.0, 0.1 * math.sqrt(between))
    out[8] = min(4.0, math.sqrt(against))
    out[9] = min(4.0, length / math.sqrt(min(n, m)))
    out[10] = math.log(min(n, m))
    out[11] = math.log(max(n, m))
    total = n + m
    extent = turn = off = off2 = length2 = length3 = 0.0
    for k in range(3):
        square = 4 if k == 0 else (7 if k == 1 else 9)
        mean = (one[1 + k] + other[1 + k]) / total
        extent += (one[square] + other[square]) / total - mean * mean
        length2 += one[16 + k] * one[16 + k]
        length3 += other[16 + k] * other[16 + k]
        turn += one[16 + k] * other[16 + k]
        away = other[1 + k] / m - one[1 + k] / n
        off += away * one[16 + k]
        off2 += away * other[16 + k]
    length2, length3 = math.sqrt(length2) + 1e-9, math.sqrt(length3) + 1e-9
    out[12] = math.log(0.01 + math.sqrt(12.0 * max(0.0, extent)))
    out[13] = min(3.0, 20.0 * max(abs(off) / length2, abs(off2) / length3))
    out[14] = math.acos(max(-1.0, min(1.0, turn / (length2 * length3))))
    out[15] = min(3.0, 0.1 * spread)
    out[16] = min(length2 / n, length3 / m)
    out[17] = math.log((one[3] + other[3]) / total + 0.1)
    out[18], out[19] = alike(seen, seen_other), 1.0 if len(seen) > 0 else 0.0
    nearer = (border[2] - border[3]) / length  # the smaller one before the larger one
    out[20] = nearer if n <= m else -nearer
    if len(seen) > 0:
        dot = norm = norm2 = 0.0
        for k in range(len(seen)):
            dot += seen[k] * seen_other[k]
            norm += seen[k] * seen[k]
            norm2 += seen_other[k] * seen_other[k]
        out[18] = dot / (math.sqrt(norm * norm2) + 1e-9)
        out[19] = 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def probability(network, inputs):
    """What the network, `Network.folded`, says to one row of inputs."""
    inner, bias, outer, last = network
    total = last[0]
    for j in range(len(bias)):
        value = bias[j]
        for k in range(len(inputs)):
            value += inputs[k] * inner[j, k]
        total += outer[j] * value / (1.0 + abs(value))
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


@njit(nogil=True, cache=True, error_model="numpy")
def add_border(total, border, swapped):
    """Adds a border to another one; `swapped`: its second region is the first one there."""
    for k in range(len(border)):
        total[k] += border[k]
    if swapped:
        total[2] += border[3] - border[2]
        total[3] += border[2] - border[3]


@njit(nogil=True, cache=True, error_model="numpy")
def best_beside(pairs, chance, region):
    """The highest probability of a join of a region with a neighbour."""
    best = 0.0
    for e in range(len(pairs)):
        if chance[e] > best and (pairs[e, 0] == region or pairs[e, 1] == region):
            best = chance[e]
    return best


@njit(nogil=True, cache=True, error_model="numpy")
def absorb(pairs, borders, chance, a, b, new, place, outline):
    """Borders of regions a and b become those of region `new`; those with the same third region become one. A border
    that is gone gets the chance -1. `place` (regions,) int32 is -1 everywhere, and is so again afterwards."""
    for e in range(len(pairs)):
        if chance[e] < 0.0 or (pairs[e, 0] != a and pairs[e, 0] != b and pairs[e, 1] != a and pairs[e, 1] != b):
            continue
        first = pairs[e, 0] == a or pairs[e, 0] == b
        third = pairs[e, 1] if first else pairs[e, 0]
        add_border(outline, borders[e], not first)
        if place[third] >= 0:  # as the third region is the first one there
            add_border(borders[place[third]], borders[e], first)
            chance[e] = -1.0
            continue
        place[third] = e
        if first:
            borders[e, 2], borders[e, 3] = borders[e, 3], borders[e, 2]
        pairs[e, 0], pairs[e, 1] = third, new
    for e in range(len(pairs)):
        if chance[e] >= 0.0 and pairs[e, 1] == new:
            place[pairs[e, 0]] = -1


@njit(nogil=True, cache=True, error_model="numpy")
def pack(pairs, borders, chance, number):
    """Moves the borders that there still are, of the first `number`, to the front, in order; returns their number."""
    kept = 0
    for e in range(number):
        if chance[e] >= 0.0:
            pairs[kept, 0], pairs[kept, 1], chance[kept] = pairs[e, 0], pairs[e, 1], chance[e]
            for k in range(borders.shape[1]):
                borders[kept, k] = borders[e, k]
            kept += 1
    return kept


@njit(nogil=True, cache=True, error_model="numpy")
def begin(pairs, borders, sums, seen, network, outlines):
    """The probability of every join that there is at the start; outlines of the pieces are written."""
    chance, inputs = np.empty(len(pairs)), np.empty(PAIR_INPUTS)
    for e in range(len(pairs)):
        a, b = pairs[e, 0], pairs[e, 1]
        add_border(outlines[a], borders[e], False)
        add_border(outlines[b], borders[e], True)
        pair_inputs(borders[e], sums[a], sums[b], seen[a], seen[b], inputs)
        chance[e] = probability(network, inputs)
    return chance


@njit(nogil=True, cache=True, error_model="numpy")
def grow(pairs, borders, sums, seen, network, least, tree):
    """Joins until nothing is likely any more; returns the number of joins. What is given is written to; `tree` holds
    children, joined, outlines and beside, see `Tree`."""
    children, joined, outlines, beside = tree
    chance, inputs = begin(pairs, borders, sums, seen, network, outlines), np.empty(PAIR_INPUTS)
    place = np.full(len(sums), -1, np.int32)
    n, made, number = (len(sums) + 1) // 2, 0, len(pairs)
    while number > 0:
        best = np.argmax(chance[:number])
        if chance[best] < least:
            break
        a, b, new = pairs[best, 0], pairs[best, 1], n + made
        children[made, 0], children[made, 1], joined[made] = a, b, chance[best]
        sums[new] = sums[a] + sums[b]
        seen[new] = seen[a] + seen[b]
        chance[best] = -1.0
        beside[a], beside[b] = joined[made], joined[made]
        absorb(pairs[:number], borders, chance, a, b, new, place, outlines[new])
        for e in range(number):
            if chance[e] >= 0.0 and pairs[e, 1] == new:
                other = pairs[e, 0]
                pair_inputs(borders[e], sums[other], sums[new], seen[other], seen[new], inputs)
                chance[e] = probability(network, inputs)
        made += 1
        if made % 16 == 0:
            number = pack(pairs, borders, chance, number)
    for region in range(n + made):
        if beside[region] == 0.0:
            beside[region] = best_beside(pairs[:number], chance, region)
    return made
