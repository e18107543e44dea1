"""Which regions of the tree are things: those that do not overlap and together promise most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatialmem.perception.products import products
from spatialmem.perception.regions import graph
from spatialmem.perception.regions.joining import Tree
from spatialmem.perception.regions.network import Network

REGION_INPUTS = 25
"""what the probability that a region is a thing hangs on, see `region_inputs`"""
SAMPLES = 300
"""points of the frame that are looked for behind the plane of a region"""
BEHIND_M, ON_M = 0.06, 0.04
"""how far behind a plane a point counts as behind it, and how near to it as on it"""
_SYMMETRIC = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])


def region_inputs(
    tree: Tree, rows: NDArray[np.int64], points: NDArray[np.float32], share: float
) -> NDArray[np.float64]:
    """(K, REGION_INPUTS) of K regions of a tree.

    Args:
        tree: R regions.
        rows: (K,) which of them.
        points: (S, 3) some points of the frame, for what lies behind a region, or on its plane.
        share: 1 / pixels of the frame.
    """
    sums, lines = tree.regions[rows], tree.outlines[rows]
    n = np.maximum(sums[:, 0], 1.0)
    mean = sums[:, graph.POSITION : graph.POSITION + 3] / n[:, None]
    spread = (sums[:, graph.SPREAD : graph.SPREAD + 6] / n[:, None])[:, _SYMMETRIC] - mean[:, :, None] * mean[:, None]
    values, axes = np.linalg.eigh(spread)
    extents = np.sqrt(12.0 * np.maximum(values[:, ::-1], 0.0))
    length = np.maximum(lines[:, graph.LENGTH], 1.0)
    outline = length + sums[:, graph.EDGE]
    unbroken = np.maximum(lines[:, graph.LENGTH] - lines[:, graph.BROKEN], 1.0)
    colour = sums[:, graph.COLOUR : graph.COLOUR + 3] / n[:, None]
    variance = np.maximum(sums[:, graph.COLOURS : graph.COLOURS + 3] / n[:, None] - colour**2, 0.0).sum(axis=1)
    joined = np.concatenate([np.ones(tree.pieces), tree.joined])[rows]
    behind, on = planes_against(mean, axes[:, :, 0], points)
    return np.column_stack([
        np.log(n), np.log(n * share), np.minimum(sums[:, graph.EDGE] / np.sqrt(n), 6.0),
        np.log(extents + 0.01), _logit(joined), _logit(tree.beside[rows]),
        lines[:, graph.FIRST_NEARER] / outline, lines[:, graph.SECOND_NEARER] / outline,
        10.0 * lines[:, graph.STEP] / length, lines[:, graph.HOLLOW] / unbroken, lines[:, graph.BULGE] / unbroken,
        np.minimum(0.05 * lines[:, graph.LIGHTNESS] / length, 3.0),
        np.minimum(0.1 * lines[:, graph.TINT] / length, 3.0),
        np.minimum(outline / np.sqrt(n), 20.0), np.log(mean[:, 2] + 0.1), np.minimum(0.1 * np.sqrt(variance), 4.0),
        np.linalg.norm(sums[:, graph.NORMAL : graph.NORMAL + 3], axis=1) / n,
        behind, on, on - n * share, (rows < tree.pieces).astype(np.float64),
        lines[:, graph.LENGTH] / outline, np.log(extents[:, 2] / (extents[:, 1] + 0.01) + 0.01),
    ])  # fmt: skip


def planes_against(
    mean: NDArray[np.float64], normal: NDArray[np.float64], points: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of points (S, 3) that lie behind, and on, planes through `mean` (R, 3) with unit `normal` (R, 3)."""
    if len(points) == 0:
        return np.zeros(len(mean)), np.zeros(len(mean))
    offset = (mean * normal).sum(axis=1)
    away = np.where(offset > 0.0, 1.0, -1.0)  # the camera, at 0, is in front
    distance = products(points, (normal * away[:, None]).T.astype(np.float32)) - np.abs(offset).astype(np.float32)
    return (distance > BEHIND_M).mean(axis=0), (np.abs(distance) < ON_M).mean(axis=0)


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    q = np.clip(p, 0.002, 0.998)
    return np.log(q / (1.0 - q))


def chance_of_thing(
    tree: Tree, points: NDArray[np.float32], share: float, least: int, network: Network
) -> NDArray[np.float64]:
    """(R,) probability that a region is a thing; 0 of those of fewer than `least` pixels."""
    rows, chance = large_enough(tree, least), np.zeros(len(tree.regions))
    chance[rows] = network(region_inputs(tree, rows, points, share))
    return chance


def large_enough(tree: Tree, least: int) -> NDArray[np.int64]:
    """Regions of `least` pixels or more."""
    return np.flatnonzero(tree.regions[:, graph.PIXELS] >= least)


def choose(tree: Tree, chance: NDArray[np.float64], price: float) -> list[int]:
    """Regions that do not overlap with the greatest sum of `chance` minus `price`, each: the best cut through a
    hierarchy, from the pieces up. By rising number."""
    worth = np.maximum(chance - price, 0.0)
    taken = worth > 0.0
    for i, (a, b) in enumerate(tree.children):
        parts = worth[a] + worth[b]
        if parts >= worth[tree.pieces + i]:
            worth[tree.pieces + i], taken[tree.pieces + i] = parts, False
    covered = np.zeros(len(chance), bool)
    for i in range(len(tree.children) - 1, -1, -1):
        region = tree.pieces + i
        if covered[region] or taken[region]:
            covered[tree.children[i]] = True
    return np.flatnonzero(taken & ~covered).tolist()


def members(tree: Tree, chosen: list[int]) -> NDArray[np.int32]:
    """(pieces,) for each piece the place in `chosen` of the region that it is part of, -1: of none."""
    place = np.full(tree.pieces + len(tree.children), -1, np.int32)
    place[chosen] = np.arange(len(chosen))
    for i in range(len(tree.children) - 1, -1, -1):
        if place[tree.pieces + i] >= 0:
            place[tree.children[i]] = place[tree.pieces + i]
    return place[: tree.pieces]
