"""Small pieces of one surface and one colour: the graph of pixels, cut as of Felzenszwalb and Huttenlocher
("Efficient graph-based image segmentation", IJCV 2004). Edges weigh what normals turn, concave edges more than convex
ones (Stein, Schoeler, Papon and Woergoetter, "Object partitioning using local convexity", CVPR 2014), and what colours
differ; breaks of the surface are no edges at all.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

PER_NORMAL = 260.0
"""weight of a difference of unit normals of length 1"""
CONVEX = 0.4
"""of it where the edge is convex"""
PER_COLOUR = 5.0
"""weight of a difference of colours of 1, in CIELAB"""
SCALE = 500.0
"""k of the paper: the weight that is let pass within a piece of one pixel"""
LEAST_PIXELS = 16
"""smaller pieces join the most similar one beside them, if there is one without a break between"""
MOST = 2500
"""pieces of a frame"""
LEVELS = 256
REACH = 5
"""pixels by which pieces grow over what has no reading"""


def pieces(
    points: NDArray[np.float32], normals: NDArray[np.float32], lab: NDArray[np.float32],
    across: NDArray[np.bool_], down: NDArray[np.bool_],
) -> tuple[NDArray[np.int32], int]:  # fmt: skip
    """Labels (h, w) from 0 on, -1 where there is no reading, and their number.

    points, normals, breaks `across` and `down`: as of `surface.fitted`; lab (h, w, 3) CIELAB.
    """
    h, w = across.shape
    weights = np.empty((2, h, w), np.int16)
    weigh(points, normals, lab, across, down, (PER_NORMAL, CONVEX, PER_COLOUR), weights)
    labels = np.empty((h, w), np.int32)
    count = cut(weights, np.isfinite(points[..., 2]), SCALE, LEAST_PIXELS, labels)
    return largest(labels, count, MOST)


def largest(labels: NDArray[np.int32], count: int, most: int) -> tuple[NDArray[np.int32], int]:
    """Labels (h, w) with only the `most` largest of `count` pieces left, in their order, and how many there are: what
    depth of pure noise falls into must not fill the memory."""
    if count <= most:
        return labels, count
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    kept = np.sort(np.argsort(-sizes, kind="stable")[:most])
    place = np.full(count + 1, -1, np.int32)
    place[kept] = np.arange(most)
    return place[labels], most


def filled(
    labels: NDArray[np.int32], lab: NDArray[np.float32], open_to: NDArray[np.bool_], reach: int = REACH
) -> NDArray[np.int32]:
    """Labels (h, w) grown by at most `reach` pixels over what has none and is `open_to` it (h, w), such as pixels
    without a reading: each takes that of the neighbour whose colour, lab (h, w, 3), is nearest to its own."""
    now, before = labels.copy(), labels.copy()
    for _ in range(reach):
        if not spread(before, lab, open_to, now):
            break
        before[...] = now
    return now


@njit(nogil=True, cache=True, error_model="numpy")
def spread(before, lab, open_to, now):
    """One pixel of growth of `before` into `now`; the number of pixels that were taken."""
    h, w = before.shape
    taken = 0
    for y in range(h):
        for x in range(w):
            if before[y, x] >= 0 or not open_to[y, x]:
                continue
            nearest = np.inf
            for way in range(4):
                y2, x2 = y + (way == 0) - (way == 1), x + (way == 2) - (way == 3)
                if not (0 <= y2 < h and 0 <= x2 < w) or before[y2, x2] < 0:
                    continue
                far = 0.0
                for k in range(3):
                    far += (lab[y, x, k] - lab[y2, x2, k]) ** 2
                if far < nearest:
                    nearest, now[y, x] = far, before[y2, x2]
            taken += now[y, x] >= 0
    return taken


@njit(nogil=True, cache=True, error_model="numpy")
def weigh(points, normals, lab, across, down, strengths, weights):
    """Weights (2, h, w) int16 of the edges to the right and down, 0 to LEVELS - 1; -1 where there is none."""
    h, w = across.shape
    per_normal, convex, per_colour = strengths
    for y in range(h):
        for x in range(w):
            for way in range(2):
                y2, x2 = y + way, x + 1 - way
                broken = down[y, x] if way else across[y, x]
                weights[way, y, x] = -1
                if broken:
                    continue
                turn = hollow = colour = 0.0
                for k in range(3):
                    bend = normals[y2, x2, k] - normals[y, x, k]
                    turn += bend * bend
                    hollow -= bend * (points[y2, x2, k] - points[y, x, k])
                    tint = lab[y2, x2, k] - lab[y, x, k]
                    colour += tint * tint
                factor = per_normal if hollow > 0.0 else per_normal * convex
                weight = factor * math.sqrt(turn) + per_colour * math.sqrt(colour)
                weights[way, y, x] = min(255, int(weight))


@njit(nogil=True, cache=True, error_model="numpy")
def root_of(parent, i):
    """The root of a pixel's tree; the way there is halved."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(nogil=True, cache=True, error_model="numpy")
def sorted_edges(weights):
    """Flat indices of the edges of `weights` (2, h, w) by rising weight, in order where weights are equal."""
    flat = weights.ravel()
    starts = np.zeros(257, np.int64)
    for i in range(flat.size):
        if flat[i] >= 0:
            starts[flat[i] + 1] += 1
    for level in range(256):
        starts[level + 1] += starts[level]
    edges = np.empty(starts[256], np.int32)
    for i in range(flat.size):
        if flat[i] >= 0:
            edges[starts[flat[i]]] = i
            starts[flat[i]] += 1
    return edges


@njit(nogil=True, cache=True, error_model="numpy")
def cut(weights, known, scale, least, labels):
    """Labels of the pieces, numbered as they come row by row; returns their number."""
    _, h, w = weights.shape
    flat, edges = weights.ravel(), sorted_edges(weights)
    parent = np.arange(h * w).astype(np.int32)
    size = np.ones(h * w, np.int32)
    passes = np.full(h * w, scale, np.float32)
    left = len(edges)
    for small in range(2):
        looked, left = left, 0
        for k in range(looked):
            e = edges[k]
            i = e % (h * w)
            a, b = root_of(parent, i), root_of(parent, i + (1 if e < h * w else w))
            if a == b:
                continue
            weight = np.float32(flat[e])
            if small == 0 and weight > min(passes[a], passes[b]):
                edges[left] = e  # for the second round, still in order
                left += 1
                continue
            if small == 1 and min(size[a], size[b]) >= least:
                continue
            if size[a] < size[b]:
                a, b = b, a
            parent[b] = a
            size[a] += size[b]
            passes[a] = weight + scale / size[a]
    number = np.full(h * w, -1, np.int32)
    count = 0
    for y in range(h):
        for x in range(w):
            labels[y, x] = -1
            if known[y, x]:
                root = root_of(parent, y * w + x)
                if number[root] < 0:
                    number[root] = count
                    count += 1
                labels[y, x] = number[root]
    return count
