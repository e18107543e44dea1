"""What is known of each piece and of each border between two: sums, so that those of joined pieces are sums again."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# columns of what is known of a region
PIXELS, POSITION, SPREAD, COLOUR, COLOURS, NORMAL, EDGE = 0, 1, 4, 10, 13, 16, 19
"""number of pixels; sums of points (3), of their products xx xy xz yy yz zz (6), of CIELAB (3), of its squares (3), of
normals (3), and of pixels at the edge of the image"""
REGION_SUMS = 20

# columns of what is known of a border
LENGTH, BROKEN, FIRST_NEARER, SECOND_NEARER, STEP, HOLLOW, BULGE, LIGHTNESS, TINT = range(9)
"""number of pairs of neighbours; of those across a break; of these, those whose first or second one is nearer; sums
over breaks of the step (m, at most STEP_MAX_M); over the others of concave and of convex angles (rad); over all of
differences of lightness and of tint"""
BORDER_SUMS = 9
STEP_MAX_M = 0.3
AWAY = 2
"""pixels on each side of a border at which normals and colours are compared, since at the border they run together"""


@njit(nogil=True, cache=True, error_model="numpy")
def region_sums(labels, points, normals, lab, sums):
    """Adds every pixel of labels (h, w), -1 left out, to sums (n, REGION_SUMS)."""
    h, w = labels.shape
    for y in range(h):
        for x in range(w):
            i = labels[y, x]
            if i < 0:
                continue
            row = sums[i]
            px, py, pz = points[y, x, 0], points[y, x, 1], points[y, x, 2]
            row[0] += 1.0
            row[1] += px
            row[2] += py
            row[3] += pz
            row[4] += px * px
            row[5] += px * py
            row[6] += px * pz
            row[7] += py * py
            row[8] += py * pz
            row[9] += pz * pz
            for k in range(3):
                value = lab[y, x, k]
                row[10 + k] += value
                row[13 + k] += value * value
                row[16 + k] += normals[y, x, k]
            if y == 0 or x == 0 or y == h - 1 or x == w - 1:
                row[19] += 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def add_features(labels, dense, sums):
    """Adds the feature of the patch that each pixel of labels (h, w) lies in, of dense (r, c, D), to sums (n, D); -1 is
    left out. Pixels of one label in a row of a patch are added together."""
    h, w = labels.shape
    rows, columns, width = dense.shape
    for y in range(h):
        i = y * rows // h
        x = 0
        while x < w:
            label, j, start = labels[y, x], x * columns // w, x
            while x < w and labels[y, x] == label and x * columns // w == j:
                x += 1
            if label >= 0:
                for k in range(width):
                    sums[label, k] += np.float32(x - start) * dense[i, j, k]


@njit(nogil=True, cache=True, error_model="numpy")
def back_from(labels, y, x, dy, dx, away):
    """The pixel up to `away` steps from (y, x) along (dy, dx) that is still of its label."""
    h, w = labels.shape
    label = labels[y, x]
    for _ in range(away):
        if not (0 <= y + dy < h and 0 <= x + dx < w) or labels[y + dy, x + dx] != label:
            break
        y, x = y + dy, x + dx
    return y, x


@njit(nogil=True, cache=True, error_model="numpy")
def add_pair(row, points, normals, lab, near, far, at, to):
    """Adds a pair of neighbours across a border to its sums; `near` and `far`: pixels a little away from it, of the
    first and the second region; `at` and `to`: the neighbours, or at < 0 where there is no break."""
    row[0] += 1.0
    y, x, y2, x2 = near[0], near[1], far[0], far[1]
    light = abs(lab[y, x, 0] - lab[y2, x2, 0])
    da, db = lab[y, x, 1] - lab[y2, x2, 1], lab[y, x, 2] - lab[y2, x2, 2]
    row[7] += light
    row[8] += math.sqrt(da * da + db * db)
    if at[0] >= 0:
        step = points[to[0], to[1], 2] - points[at[0], at[1], 2]
        row[1] += 1.0
        row[2 if step > 0.0 else 3] += 1.0
        row[4] += min(abs(step), STEP_MAX_M)
        return
    turn = hollow = 0.0
    for k in range(3):
        bend = normals[y2, x2, k] - normals[y, x, k]
        turn += bend * bend
        hollow -= bend * (points[y2, x2, k] - points[y, x, k])
    angle = 2.0 * math.asin(min(1.0, 0.5 * math.sqrt(turn)))
    row[5 if hollow > 0.0 else 6] += angle


@njit(nogil=True, cache=True, error_model="numpy")
def borders(labels, count, points, normals, lab, across, down):
    """The pairs (m, 2) int32 of regions that touch, the smaller number first, and the sums (m, BORDER_SUMS) of their
    borders."""
    h, w = labels.shape
    place = np.full((count, count), -1, np.int32)
    pairs = np.empty((2 * h * w, 2), np.int32)
    number = 0
    for y in range(h):
        for x in range(w):
            for way in range(2):
                y2, x2 = y + way, x + 1 - way
                if y2 >= h or x2 >= w or labels[y, x] < 0 or labels[y2, x2] < 0:
                    continue
                a, b = min(labels[y, x], labels[y2, x2]), max(labels[y, x], labels[y2, x2])
                if a != b and place[a, b] < 0:
                    place[a, b] = number
                    pairs[number, 0], pairs[number, 1] = a, b
                    number += 1
    sums = np.zeros((number, 9))
    for y in range(h):
        for x in range(w):
            for way in range(2):
                y2, x2 = y + way, x + 1 - way
                if y2 >= h or x2 >= w or labels[y, x] < 0 or labels[y2, x2] < 0 or labels[y, x] == labels[y2, x2]:
                    continue
                near = back_from(labels, y, x, -way, way - 1, AWAY)
                far = back_from(labels, y2, x2, way, 1 - way, AWAY)
                at, to = (y, x), (y2, x2)
                a, b = labels[y, x], labels[y2, x2]
                if a > b:
                    a, b, near, far, at, to = b, a, far, near, to, at
                if not (down[y, x] if way else across[y, x]):
                    at = (-1, -1)
                add_pair(sums[place[a, b]], points, normals, lab, near, far, at, to)
    return pairs[:number].copy(), sums
