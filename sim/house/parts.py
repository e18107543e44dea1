"""Parametric parts: each gives vertices, normals and faces; furniture and things are put together from them.

A part is closed, its faces wind anticlockwise seen from outside, and its vertices carry the normals of the
smooth surface they stand for (vertices at a hard edge occur once per side).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Vector = Sequence[float] | NDArray[np.floating]
"""a few numbers"""


class Part(NamedTuple):
    """A triangle mesh with normals."""

    vertices_m: Array
    """(V, 3) metres"""
    normals: Array
    """(V, 3) unit"""
    faces: NDArray[np.int64]
    """(F, 3) indices of vertices"""


@functools.lru_cache(maxsize=16)
def _cube_grid(steps: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(V, 3) steps along each axis of the points of the six faces, (V,) face axis signed 1..3, (F, 3) faces."""
    points, sides, faces = [], [], []
    a, b = np.meshgrid(np.arange(steps), np.arange(steps), indexing="ij")
    a, b = a.ravel(), b.ravel()
    cell = (np.arange(steps - 1)[:, None] * steps + np.arange(steps - 1)).ravel()
    for axis in range(3):
        for end in (0, steps - 1):
            grid = np.empty((steps * steps, 3), dtype=np.int64)
            grid[:, axis], grid[:, (axis + 1) % 3], grid[:, (axis + 2) % 3] = end, a, b
            quad = np.stack([cell, cell + steps, cell + steps + 1, cell + 1], axis=1)
            quad = quad if end else quad[:, ::-1]
            start = len(points) * steps * steps
            faces.append(np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]) + start)
            points.append(grid)
            sides.append(np.full(steps * steps, axis))
    return np.concatenate(points), np.concatenate(sides), np.concatenate(faces)


def box(size_m: Vector, round_m: float = 0.0, rings: int = 2) -> Part:
    """A box centred at the origin whose edges are rounded with radius `round_m`, in `rings` steps per edge."""
    half = np.asarray(size_m, dtype=np.float64) / 2.0
    r = min(round_m, float(half.min()) * 0.999)
    if r <= 0.0:
        grid, side, faces = _cube_grid(2)
        normals = np.zeros((len(grid), 3))
        normals[np.arange(len(grid)), side] = grid[np.arange(len(grid)), side] * 2 - 1
        return Part((grid * 2.0 - 1.0) * half, normals, faces)
    grid, _, faces = _cube_grid(2 * rings + 2)
    share = np.tan(np.linspace(0.0, np.pi / 4.0, rings + 1))  # even steps of angle once drawn onto the sphere
    offset = np.concatenate([-share[::-1], share])
    inner = half - r
    core = np.where(grid <= rings, -1.0, 1.0) * inner
    away = offset[grid]
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return Part(core + r * away, away, faces)


def lathe(profile_m: Sequence[tuple[float, float]], segments: int = 24, crease_deg: float = 35.0) -> Part:
    """A profile of (radius, height) turned about z. Going up it shows its outside; radii of 0 close it."""
    line = np.asarray(profile_m, dtype=np.float64)
    line = line[np.concatenate([[True], np.abs(np.diff(line, axis=0)).sum(axis=1) > 1e-9])]
    along = np.diff(line, axis=0)
    out = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
    before, after = out.copy(), out.copy()  # normals at the start and at the end of each piece
    smooth = (out[1:] * out[:-1]).sum(axis=1) > np.cos(np.radians(crease_deg))
    mean = out[1:] + out[:-1]
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    before[1:][smooth], after[:-1][smooth] = mean[smooth], mean[smooth]
    rz = np.stack([line[:-1], line[1:]], axis=1).reshape(-1, 2)
    normal = np.stack([before, after], axis=1).reshape(-1, 2)
    angle = np.linspace(0.0, 2.0 * np.pi, segments + 1)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    vertices = np.stack([rz[:, 0] * cos, rz[:, 0] * sin, np.broadcast_to(rz[:, 1], cos.shape[:1] + rz.shape[:1])], -1)
    normals = np.stack(
        [normal[:, 0] * cos, normal[:, 0] * sin, np.broadcast_to(normal[:, 1], vertices.shape[:2])], axis=-1
    )
    width = len(rz)
    low = (np.arange(segments)[:, None] * width + np.arange(0, width, 2)).ravel()
    quads = np.stack([low, low + width, low + width + 1, low + 1], axis=1)
    start_open = np.tile(rz[::2, 0] > 1e-9, segments)
    end_open = np.tile(rz[1::2, 0] > 1e-9, segments)
    faces = np.concatenate([quads[start_open][:, [0, 1, 2]], quads[end_open][:, [0, 2, 3]]])
    return Part(vertices.reshape(-1, 3), normals.reshape(-1, 3), faces)


def cylinder(radius_m: float, height_m: float, top_m: float | None = None, segments: int = 20) -> Part:
    """A standing cylinder from z = 0 (a cone's stump when `top_m`, its radius above, differs), edges broken."""
    top = radius_m if top_m is None else top_m
    chamfer = min(0.15 * min(radius_m, top), 0.1 * height_m, 0.006)
    profile = [(0.0, 0.0), (radius_m - chamfer, 0.0), (radius_m, chamfer), (top, height_m - chamfer)]
    return lathe([*profile, (top - chamfer, height_m), (0.0, height_m)], segments)


def tube(path_m: Sequence[Vector] | Array, radius_m: float | Vector, segments: int = 10) -> Part:
    """A round rod along a path of points, closed at both ends; `radius_m` may differ per point."""
    path = np.asarray(path_m, dtype=np.float64)
    radius = np.broadcast_to(np.asarray(radius_m, dtype=np.float64), (len(path),))
    ahead = np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.cross(ahead[0], (0.0, 0.0, 1.0) if abs(ahead[0, 2]) < 0.9 else (1.0, 0.0, 0.0))
    rings, normals = [], []
    angle = np.linspace(0.0, 2.0 * np.pi, segments + 1)
    for point, direction, r in zip(path, ahead, radius, strict=True):
        side = side - direction * (side @ direction)  # carried along the path, so that the tube does not twist
        side /= np.linalg.norm(side)
        ring = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * np.cross(direction, side)
        rings.append(point + r * ring)
        normals.append(ring)
    for end, direction in ((0, -ahead[0]), (-1, ahead[-1])):
        rings.append(rings[end if end == 0 else len(path) - 1])
        normals.append(np.broadcast_to(direction, (segments + 1, 3)))
    n, m = len(path), segments + 1
    low = (np.arange(n - 1)[:, None] * m + np.arange(segments)).ravel()
    quads = np.stack([low, low + 1, low + m + 1, low + m], axis=1)
    fan = np.stack([np.zeros(segments - 1, dtype=np.int64), np.arange(1, segments), np.arange(2, m)], axis=1)[:-1]
    faces = [quads[:, [0, 1, 2]], quads[:, [0, 2, 3]], fan[:, ::-1] + n * m, fan + (n + 1) * m]
    return Part(np.concatenate(rings), np.concatenate(normals), np.concatenate(faces))


def ball(radii_m: Vector, segments: int = 20, power: float = 1.0) -> Part:
    """An ellipsoid centred at the origin; `power` below 1 makes it boxy (a cushion), after superquadrics."""
    rings = max(segments // 2, 4)
    v = np.linspace(-np.pi / 2.0, np.pi / 2.0, rings + 1)[:, None]
    u = np.linspace(0.0, 2.0 * np.pi, segments + 1)[None, :]

    def bent(x: Array, p: float) -> Array:
        return np.where(np.abs(x) < 1e-12, 0.0, np.sign(x) * np.abs(x) ** p)

    def surface(p: float) -> Array:
        cv, one = bent(np.cos(v), p), np.ones_like(u)
        return np.stack([cv * bent(np.cos(u), p), cv * bent(np.sin(u), p), bent(np.sin(v), p) * one], axis=-1)

    radii = np.asarray(radii_m, dtype=np.float64)
    vertices = surface(power) * radii
    normals = surface(2.0 - power) / radii
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    m = segments + 1
    low = (np.arange(rings)[:, None] * m + np.arange(segments)).ravel()
    quads = np.stack([low, low + 1, low + m + 1, low + m], axis=1)
    ring = low // m
    faces = np.concatenate([quads[ring > 0][:, [0, 1, 2]], quads[ring < rings - 1][:, [0, 2, 3]]])
    return Part(vertices.reshape(-1, 3), normals.reshape(-1, 3), faces)


def prism(outline_m: Sequence[tuple[float, float]], height_m: float) -> Part:
    """A convex outline (x, y), anticlockwise, raised from z = 0 to `height_m`, with hard edges."""
    flat = np.asarray(outline_m, dtype=np.float64)
    n = len(flat)
    low, high = np.c_[flat, np.zeros(n)], np.c_[flat, np.full(n, height_m)]
    edge = np.roll(flat, -1, axis=0) - flat
    out = np.c_[edge[:, 1], -edge[:, 0], np.zeros(n)] / np.linalg.norm(edge, axis=1, keepdims=True)
    side = np.stack([low, np.roll(low, -1, axis=0), np.roll(high, -1, axis=0), high], axis=1).reshape(-1, 3)
    fan = np.stack([np.zeros(n - 2, dtype=np.int64), np.arange(1, n - 1), np.arange(2, n)], axis=1)
    first = np.arange(n)[:, None] * 4 + 2 * n
    faces = np.concatenate([fan[:, ::-1], fan + n, first + (0, 1, 2), first + (0, 2, 3)])
    up = np.broadcast_to((0.0, 0.0, 1.0), (n, 3))
    return Part(np.concatenate([low, high, side]), np.concatenate([-up, up, np.repeat(out, 4, axis=0)]), faces)


def leaf(path_m: Array, width_m: float, thick_m: float = 0.002) -> Part:
    """A blade along a path (N, 3) in the x-z plane: pointed, folded a little along its middle, of two sides."""
    n = len(path_m)
    t = np.linspace(0.0, 1.0, n)
    half = width_m * np.sin(np.pi * t**0.8) ** 0.8 / 2.0
    half[0], half[-1] = 0.1 * width_m, 0.0
    ahead = np.gradient(path_m, axis=0)
    up = np.cross(ahead, (0.0, 1.0, 0.0))
    up /= np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-12)
    side = np.array([0.0, 1.0, 0.0])
    rows = [path_m + half[:, None] * (s * side + abs(s) * 0.35 * up) for s in (-1.0, 0.0, 1.0)]
    top = np.stack(rows, axis=1).reshape(-1, 3)
    normals = np.repeat(up, 3, axis=0)
    low = (np.arange(n - 1)[:, None] * 3 + np.arange(2)).ravel()
    quads = np.stack([low, low + 3, low + 4, low + 1], axis=1)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    below = faces[:, ::-1] + len(top)
    return Part(
        np.concatenate([top, top - thick_m * normals]),
        np.concatenate([normals, -normals]),
        np.concatenate([faces, below]),
    )
