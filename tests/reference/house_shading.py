"""The colour of a point of a house, written out with numpy: textures, light, tone. What the kernels must agree with.

All arrays are over N points. `m` are rows of the table of materials (texture.COLUMNS).
"""

from __future__ import annotations

import numpy as np


def lookup(table, x, y):
    """Bilinear, periodic; 16 cells are one unit."""
    x, y = np.asarray(x) * 16.0, np.asarray(y) * 16.0
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    sx, sy = x - i, y - j
    t = table.astype(np.float64)

    def at(a, b):
        return t[a % 256, b % 256]

    return (at(i, j) * (1 - sy) + at(i, j + 1) * sy) * (1 - sx) + (at(i + 1, j) * (1 - sy) + at(i + 1, j + 1) * sy) * sx


def smoothly(x, width):
    return np.clip(x / width + 0.5, 0.0, 1.0)


def visible_detail(size, footprint):
    return np.clip((0.9 * size - footprint) / (0.6 * size), 0.0, 1.0)


def frac(x):
    return x - np.floor(x)


def cell(i, j):
    return frac(np.sin(i * 12.9898 + j * 78.233) * 43758.5453)


def edge_distance(x):
    return np.minimum(frac(x), 1.0 - frac(x))


def square_wave(x, soft):
    f = frac(x)
    return np.minimum(smoothly(f, soft), smoothly(0.5 - f, soft)) + smoothly(f - 1.0, soft)


def pattern(name, n, a, b, s, foot):
    """(t, mean, tint, size) of a pattern; n(x, y) is the noise."""
    soft = np.maximum(foot / s, 0.02)
    one = np.ones_like(a)
    if name == "plain":
        return n(a * 5, b * 5), 0.5, one, 0.1 * one
    if name == "wood":
        wave = 0.5 + 0.5 * np.sin(6.2832 * (b / s + 1.6 * n(a * 0.35, b * 2)))
        return 0.3 * wave + 0.7 * n(a * 2.5, b * 40), 0.5, one, s
    if name == "tiles":
        gap = 0.004 / s
        t = (1 - smoothly(np.minimum(edge_distance(a / s), edge_distance(b / s)) - gap, soft)) * np.minimum(
            1, 2 * gap / soft + 0.15
        )
        tint = 0.93 + 0.14 * cell(np.floor(a / s), np.floor(b / s)) + 0.08 * (n(a * 4, b * 4) - 0.5)
        return t, 0.05, tint, s
    if name == "fabric":
        weave = np.sin(6.2832 * a / s) * np.sin(6.2832 * b / s) * visible_detail(s, foot)
        return 0.5 + 0.35 * weave + 0.5 * (n(a * 14, b * 14) - 0.5), 0.5, one, 0.05 * one
    if name == "plaster":
        return n(a / s, b / s), 0.5, one, s
    if name == "carpet":
        return 0.6 * n(a / s, b / s) + 0.4 * n(a * 5, b * 5), 0.5, one, 4 * s
    if name == "stripes":
        return square_wave(b / s, soft), 0.5, one, s
    if name == "checks":
        return 0.5 * (square_wave(a / s, soft) + square_wave(b / s, soft)), 0.5, one, s
    if name == "dots":
        row = np.floor(b / s)
        u, v = frac(a / s + 0.5 * (row % 2)) - 0.5, b / s - row - 0.5
        return smoothly(0.3 - np.hypot(u, v), soft), 0.28, one, s
    if name == "brick":
        row = np.floor(b / s)
        u = a / (3 * s) + 0.5 * (row % 2)
        t = 1 - smoothly(np.minimum(3 * edge_distance(u), edge_distance(b / s)) - 0.09, np.maximum(soft, 0.06))
        return t, 0.2, 0.8 + 0.4 * cell(np.floor(u), row) + 0.3 * (n(a * 12, b * 12) - 0.5), s
    if name == "marble":
        v = n(a / s + 0.6 * n(b * 3, a * 3), b / s)
        return np.maximum(0, 1 - 7 * abs(v - 0.5)) + 0.35 * n(a * 2 + 7, b * 2), 0.3, one, s
    if name == "brushed":
        return n(a * 1.5, b / s), 0.5, one, s
    if name == "planks":
        row = np.floor(b / s)
        u = a / (8 * s) + 0.37 * row
        i = np.floor(u)
        seen = visible_detail(0.06, foot)
        gap = (1 - smoothly(np.minimum(8 * edge_distance(u), edge_distance(b / s)) - 0.012, soft)) * np.minimum(
            1, 0.04 / soft + 0.1
        )
        grain = 0.75 * n(a * 1.2 + 3 * i, b * 26 + 5 * row) * seen + 0.3 * (1 - seen)
        return np.minimum(1, grain + gap), 0.35, 0.84 + 0.32 * cell(i, row), 2 * s
    if name == "leather":
        return np.minimum(1, 2.5 * abs(n(a / s, b / s) - 0.5)) * 0.6 + 0.4 * n(a * 3, b * 3), 0.3, one, s
    if name == "speckle":
        v = n(a / s, b / s)
        return smoothly(v - 0.62, 0.08) + 0.4 * smoothly(0.34 - v, 0.08), 0.2, one, 2 * s
    if name == "wicker":
        odd = (np.floor(a / s) + np.floor(b / s)) % 2
        return 1 - np.sin(3.1416 * np.where(odd > 0.5, frac(b / s), frac(a / s))), 0.36, one, s
    if name == "leaf":
        return 0.5 + 0.25 * np.sin(6.2832 * b / s) + 0.5 * (n(a * 6, b * 6) - 0.5), 0.5, one, s
    if name == "herringbone":
        u, v = (a + b) / s * 0.7071, (a - b) / s * 0.7071
        i, j = np.floor(u), np.floor(v)
        along = (i + j) % 4 < 2
        p, q = np.where(along, v - j, u - i), np.where(along, u, v)
        seen = visible_detail(0.06, foot)
        grain = 0.7 * n(q * 0.3 + i, p * 2.6 + 3 * j) * seen + 0.3 * (1 - seen)
        gap = (1 - smoothly(np.minimum(p, 1 - p) - 0.012, soft)) * np.minimum(1, 0.04 / soft + 0.1)
        tint = np.where(along, 1.07, 0.95) + 0.1 * (cell(np.where(along, i, j), 3.0) - 0.5)
        return np.minimum(1, grain + gap), 0.35, tint, 2 * s
    raise ValueError(name)


def side_coordinates(points, normals, axis):
    """(a, b) along and across the grain on the side that the normal looks along."""
    x, y, z = points.T
    side = np.argmax(np.abs(normals) * (1.0, 1.0 - 1e-12, 1.0 - 2e-12), axis=1)
    a = np.select(
        [side == 0, side == 1], [np.where(axis == 2, z, y), np.where(axis == 2, z, x)], np.where(axis == 1, y, x)
    )
    b = np.select(
        [side == 0, side == 1], [np.where(axis == 2, y, z), np.where(axis == 2, x, z)], np.where(axis == 1, x, y)
    )
    return a, b


def albedo(name, table, m, points, normals, footprint):
    """(N, 3) linear colour of a pattern that has a weight (not sky, not print)."""
    a, b = side_coordinates(points, normals, m[:, 9].astype(int))
    t, mean, tint, size = pattern(
        name, lambda x, y: lookup(table, x, y), a + m[:, 10], b + m[:, 10], m[:, 7], footprint
    )
    seen = visible_detail(size, footprint)
    t = np.clip(mean + (t - mean) * seen, 0.0, 1.0)[:, None]
    tint = (1.0 + (tint - 1.0) * np.maximum(seen, 0.4))[:, None]
    return (m[:, 1:4] + (m[:, 4:7] - m[:, 1:4]) * t) * tint


def light(lamp, windows, points, normals, rays, vertex_light):
    """(N, 3) light that falls on points, and (N,) the highlight's strength; one room's lamp (4,) and windows (2, 7)."""
    up = 0.5 + 0.5 * normals[:, 2]
    ambient = (0.26 + 0.20 * up) * (0.25 + 0.75 * vertex_light[:, 0])
    total = ambient[:, None] * np.stack([1.02 - 0.04 * up, np.ones_like(up), 0.93 + 0.09 * up], axis=1)
    to = lamp[:3] - points
    d2 = (to**2).sum(axis=1) + 1e-6
    to = to / np.sqrt(d2)[:, None]
    cosine = (to * normals).sum(axis=1)
    e = np.where(cosine > 0, lamp[3] * vertex_light[:, 1] * cosine / (0.55 + 0.35 * d2), 0.0)
    total += e[:, None] * (1.05, 0.98, 0.86)
    half = to - rays / np.linalg.norm(rays, axis=1, keepdims=True)
    half /= np.sqrt((half**2).sum(axis=1) + 1e-12)[:, None]
    h = (half * normals).sum(axis=1)
    spark = np.where((cosine > 0) & (h > 0.8), 0.35 * np.maximum(h, 0) ** 32 * vertex_light[:, 1], 0.0)
    for i, w in enumerate(windows):
        if w[6] <= 0:
            continue
        to = w[:3] - points
        d2 = (to**2).sum(axis=1) + 1e-6
        cosine = (to * normals).sum(axis=1) / np.sqrt(d2)
        out = -(to[:, :2] @ w[3:5]) / np.sqrt(d2)
        e = np.where((cosine > 0) & (out > 0), 1.1 * w[6] * cosine * out / (1.0 + d2) * vertex_light[:, 2 + i], 0.0)
        total += e[:, None] * (0.94, 1.0, 1.1)
    return total, spark


def display(colour):
    """(N, 3) 0 to 255, as floats."""
    return 255.0 * np.sqrt(1.0 - np.exp(-1.5 * np.maximum(colour, 0.0)))
