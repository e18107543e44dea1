"""Procedural textures: the colour of a surface at a point in its thing's own frame.

A texture is a weight t between two colours and a tint. It is a function of two coordinates on the side of the thing
that the normal looks along (a along the grain, b across), so no texture coordinates are stored. Detail fades out
where a pixel covers more than it (footprint, metres), which keeps distant surfaces from flickering.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from sim.house.materials import Material
from sim.house.render.compiled import helper, inlined

NOISE_CELLS = 256
COLUMNS = ("pattern", "r", "g", "b", "r2", "g2", "b2", "scale_m", "gloss", "axis", "shift", "glow", "per_m")
"""of the table of materials that kernels read"""

_PLAIN, _WOOD, _TILES, _FABRIC, _PLASTER, _CARPET, _STRIPES, _CHECKS, _DOTS, _BRICK = range(10)
_MARBLE, _BRUSHED, _PLANKS, _LEATHER, _SPECKLE, _SKY, _PRINT, _HERRINGBONE, _WICKER, _LEAF = range(10, 20)


def material_table(materials: list[Material]) -> NDArray[np.float32]:
    """(M, 13) float32 rows as COLUMNS; colours are linear light."""
    rows = [
        [
            m.pattern,
            *_linear(m.rgb),
            *_linear(m.rgb2),
            m.scale_m,
            m.gloss,
            m.axis,
            (m.seed % 4096) / 4.0,
            m.glow,
            1.0 / m.scale_m,
        ]
        for m in materials
    ]
    return np.array(rows, dtype=np.float32).reshape(-1, len(COLUMNS))


def _linear(rgb: tuple[float, float, float]) -> tuple[float, ...]:
    return tuple(c * c for c in rgb)  # shade.toned takes the root


@functools.lru_cache(maxsize=1)
def noise_table() -> NDArray[np.float32]:
    """(256, 256) float32 in 0 to 1, mean 0.5, periodic: four octaves of smooth noise, 16 cells the coarsest."""
    rng = np.random.default_rng(20260)
    total = np.zeros((NOISE_CELLS, NOISE_CELLS))
    for octave in range(4):
        cell = 16 >> octave
        knots = rng.uniform(-1.0, 1.0, (NOISE_CELLS // cell, NOISE_CELLS // cell))
        at = np.arange(NOISE_CELLS) / cell
        low = np.floor(at).astype(int)
        share = at - low
        share = share * share * (3.0 - 2.0 * share)
        high = (low + 1) % len(knots)
        rows = knots[low] * (1.0 - share)[:, None] + knots[high] * share[:, None]
        total += 0.5**octave * (rows[:, low] * (1.0 - share) + rows[:, high] * share)
    total -= total.mean()
    return np.clip(0.5 + total * (0.2 / total.std()), 0.0, 1.0).astype(np.float32)


@helper
def noise(table, x, y):
    """Smooth noise; one unit is the coarsest feature."""
    x, y = x * 16.0, y * 16.0
    fx, fy = math.floor(x), math.floor(y)
    sx, sy = x - fx, y - fy
    i, j = int(fx) & 255, int(fy) & 255
    k, m = (i + 1) & 255, (j + 1) & 255
    low = table[i, j] + (table[i, m] - table[i, j]) * sy
    high = table[k, j] + (table[k, m] - table[k, j]) * sy
    return low + (high - low) * sx


@helper
def sine(x):
    """sin(x) to 1e-9 for moderate x: the series of a quarter turn; a third of what the library's costs."""
    turns = x * 0.15915494309189535
    turns -= math.floor(turns + 0.5)
    a = abs(turns)
    a = 6.283185307179586 * min(a, 0.5 - a)
    q = a * a
    s = 1.0 / 6227020800.0
    for term in (-1.0 / 39916800.0, 1.0 / 362880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0, 1.0):
        s = s * q + term
    return math.copysign(s * a, turns)


@helper
def cell_value(i, j):
    """A value in 0 to 1 that belongs to an integer cell."""
    v = sine(i * 12.9898 + j * 78.233) * 43758.5453
    return v - math.floor(v)


@helper
def ramp(x, width):
    """0 left of an edge at 0, 1 right of it, softened over `width`."""
    return min(max(x / width + 0.5, 0.0), 1.0)


@helper
def faded(scale_m, footprint_m):
    """1 where a detail of this size is seen well, 0 where a pixel covers it."""
    return min(max((0.9 * scale_m - footprint_m) / (0.6 * scale_m), 0.0), 1.0)


@helper
def pulse(x, share, soft):
    """1 within the first `share` of every unit, 0 in the rest, edges softened."""
    f = x - math.floor(x)
    return min(ramp(f, soft), ramp(share - f, soft)) + ramp(f - 1.0, soft)


@helper
def _of_wood(pattern, table, a, b, scale, per_m, footprint, soft):
    """(t, mean of t, tint, size of the detail) of wood, planks, herringbone and brushed metal."""
    if pattern == _WOOD:
        wave = 0.5 + 0.5 * sine(6.2832 * (b * per_m + 1.6 * noise(table, a * 0.35, b * 2.0)))
        return 0.3 * wave + 0.7 * noise(table, a * 2.5, b * 40.0), 0.5, 1.0, scale
    if pattern == _BRUSHED:
        return noise(table, a * 1.5, b * per_m), 0.5, 1.0, scale
    seen = faded(0.06, footprint)
    gap_size = min(1.0, 0.04 / soft + 0.1)
    if pattern == _PLANKS:
        row = math.floor(b * per_m)
        u = a * per_m * 0.125 + 0.37 * row
        i = math.floor(u)
        edge = min(min(u - i, 1.0 - u + i) * 8.0, min(b * per_m - row, 1.0 - b * per_m + row))
        grain = 0.75 * noise(table, a * 1.2 + 3.0 * i, b * 26.0 + 5.0 * row) * seen + 0.3 * (1.0 - seen)
        t = min(1.0, grain + (1.0 - ramp(edge - 0.012, soft)) * gap_size)
        return t, 0.35, 0.84 + 0.32 * cell_value(i, row), 2.0 * scale
    u, v = (a + b) * per_m * 0.7071, (a - b) * per_m * 0.7071
    i, j = math.floor(u), math.floor(v)
    phase = (i + j) - 4.0 * math.floor((i + j) / 4.0)
    along = phase < 2.0
    p, q = (v - j, u) if along else (u - i, v)
    grain = 0.7 * noise(table, q * 0.3 + i, p * 2.6 + 3.0 * j) * seen + 0.3 * (1.0 - seen)
    t = min(1.0, grain + (1.0 - ramp(min(p, 1.0 - p) - 0.012, soft)) * gap_size)
    tint = (1.07 if along else 0.95) + 0.1 * (cell_value(i if along else j, 3.0) - 0.5)
    return t, 0.35, tint, 2.0 * scale


@helper
def _of_stone(pattern, table, a, b, scale, per_m, soft):
    """(t, mean of t, tint, size of the detail) of tiles, bricks, marble and speckle."""
    if pattern == _TILES:
        i, j = math.floor(a * per_m), math.floor(b * per_m)
        u, v = a * per_m - i, b * per_m - j
        gap = 0.004 * per_m
        away = min(min(u, 1.0 - u), min(v, 1.0 - v))
        t = (1.0 - ramp(away - gap, soft)) * min(1.0, 2.0 * gap / soft + 0.15)
        return t, 0.05, 0.93 + 0.14 * cell_value(i, j) + 0.08 * (noise(table, a * 4.0, b * 4.0) - 0.5), scale
    if pattern == _BRICK:
        row = math.floor(b * per_m)
        u = a * per_m * 0.33333333 + 0.5 * (row - 2.0 * math.floor(row / 2.0))
        i = math.floor(u)
        away = min(min(u - i, 1.0 - u + i) * 3.0, min(b * per_m - row, 1.0 - b * per_m + row))
        t = 1.0 - ramp(away - 0.09, max(soft, 0.06))
        return t, 0.2, 0.8 + 0.4 * cell_value(i, row) + 0.3 * (noise(table, a * 12.0, b * 12.0) - 0.5), scale
    if pattern == _MARBLE:
        n = noise(table, a * per_m + 0.6 * noise(table, b * 3.0, a * 3.0), b * per_m)
        return max(0.0, 1.0 - 7.0 * abs(n - 0.5)) + 0.35 * noise(table, a * 2.0 + 7.0, b * 2.0), 0.3, 1.0, scale
    n = noise(table, a * per_m, b * per_m)
    return ramp(n - 0.62, 0.08) + 0.4 * ramp(0.34 - n, 0.08), 0.2, 1.0, 2.0 * scale


@helper
def _of_cloth(pattern, table, a, b, scale, per_m, footprint, soft):
    """(t, mean of t, tint, size of the detail) of fabrics, decorations, leather, wicker and leaves."""
    if pattern == _FABRIC:
        weave = sine(6.2832 * a * per_m) * sine(6.2832 * b * per_m) * faded(scale, footprint)
        return 0.5 + 0.35 * weave + 0.5 * (noise(table, a * 14.0, b * 14.0) - 0.5), 0.5, 1.0, 0.05
    if pattern == _CARPET:
        return 0.6 * noise(table, a * per_m, b * per_m) + 0.4 * noise(table, a * 5.0, b * 5.0), 0.5, 1.0, 4.0 * scale
    if pattern == _STRIPES:
        return pulse(b * per_m, 0.5, soft), 0.5, 1.0, scale
    if pattern == _CHECKS:
        return 0.5 * (pulse(a * per_m, 0.5, soft) + pulse(b * per_m, 0.5, soft)), 0.5, 1.0, scale
    if pattern == _DOTS:
        row = math.floor(b * per_m)
        u = a * per_m + 0.5 * (row - 2.0 * math.floor(row / 2.0))
        u, v = u - math.floor(u) - 0.5, b * per_m - row - 0.5
        return ramp(0.3 - math.sqrt(u * u + v * v), soft), 0.28, 1.0, scale
    if pattern == _LEATHER:
        t = min(1.0, 2.5 * abs(noise(table, a * per_m, b * per_m) - 0.5)) * 0.6 + 0.4 * noise(table, a * 3.0, b * 3.0)
        return t, 0.3, 1.0, scale
    if pattern == _WICKER:
        i, j = math.floor(a * per_m), math.floor(b * per_m)
        odd = (i + j) - 2.0 * math.floor((i + j) / 2.0)
        f = b * per_m - j if odd > 0.5 else a * per_m - i
        return 1.0 - sine(3.1416 * f), 0.36, 1.0, scale
    vein = 0.25 * sine(6.2832 * b * per_m)
    return 0.5 + vein + 0.5 * (noise(table, a * 6.0, b * 6.0) - 0.5), 0.5, 1.0, scale


@inlined
def weight_of(pattern, table, a, b, scale, per_m, footprint):
    """(t, tint): share of the second colour, and brightness, of all patterns but sky and print."""
    if pattern in (_PLASTER, _PLAIN):  # most of a house
        often, size = (per_m, scale) if pattern == _PLASTER else (5.0, 0.1)
        return 0.5 + (noise(table, a * often, b * often) - 0.5) * faded(size, footprint), 1.0
    soft = max(footprint * per_m, 0.02)
    if pattern in (_WOOD, _BRUSHED, _PLANKS, _HERRINGBONE):
        t, mean, tint, size = _of_wood(pattern, table, a, b, scale, per_m, footprint, soft)
    elif pattern in (_TILES, _BRICK, _MARBLE, _SPECKLE):
        t, mean, tint, size = _of_stone(pattern, table, a, b, scale, per_m, soft)
    else:
        t, mean, tint, size = _of_cloth(pattern, table, a, b, scale, per_m, footprint, soft)
    seen = faded(size, footprint)
    return mean + (t - mean) * seen, 1.0 + (tint - 1.0) * max(seen, 0.4)


@helper
def sky_of(table, a, height, m):
    """What a window shows: hills below, a sky that is paler towards the horizon and has clouds."""
    edge = 0.28 + 0.16 * (noise(table, a * 0.35 + m[10], 0.5) - 0.5)
    if height < edge:
        shade = 0.75 + 0.5 * noise(table, a * 3.0 + m[10], height * 6.0)
        return m[4] * shade, m[5] * shade, m[6] * shade
    pale = 0.9 * math.exp(-4.0 * (height - edge))
    cloud = min(max(3.0 * (noise(table, a * 0.5 + m[10], height * 0.9) - 0.52), 0.0), 0.9)
    white = max(pale, cloud)
    return m[1] + (0.95 - m[1]) * white, m[2] + (0.95 - m[2]) * white, m[3] + (0.95 - m[3]) * white


@helper
def print_of(table, a, b, m):
    """A printed picture: fields of the two colours, their mixture and a dark one."""
    n = noise(table, a / m[7] * 0.5 + m[10], b / m[7] * 0.5)
    o = noise(table, a / m[7] * 0.35 + 9.0, b / m[7] * 0.8 + m[10])
    if n > 0.56:
        return m[1], m[2], m[3]
    if o > 0.58:
        return 0.5 * (m[1] + m[4]), 0.5 * (m[2] + m[5]), 0.5 * (m[3] + m[6])
    if o < 0.36:
        return 0.15 * m[4], 0.15 * m[5], 0.15 * m[6]
    return m[4], m[5], m[6]


@helper
def is_picture(pattern):
    """Whether `picture_of` tells its colours; `weight_of` tells the others."""
    return pattern in (_SKY, _PRINT)


@helper
def picture_of(m, table, along, across, height):
    """Linear r, g, b of a material row that shows sky or a print, at coordinates of a side and a height."""
    if int(m[0]) == _SKY:
        return sky_of(table, across if int(m[9]) == 2 else along, height / m[7], m)
    return print_of(table, along, across, m)


@helper
def side_of(x, y, z, nx, ny, nz, grain):
    """(along, across) the grain of a point on the side that a normal looks along; both in the thing's own frame."""
    ax, ay, az = abs(nx), abs(ny), abs(nz)
    beside = ax > max(ay, az)  # the side that looks along x shows y and z
    upright = beside or ay > az
    a, b = y if beside else x, z if upright else y
    return (b, a) if grain == (2 if upright else 1) else (a, b)
