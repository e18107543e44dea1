"""From hits to pictures: texture, light, colour, ids, normals."""

from __future__ import annotations

import math

import numpy as np

from sim.house.render.compiled import helper, inlined, leaf
from sim.house.render.texture import texel

EXPOSURE = 1.5
_WINDOW_STRENGTH = 1.1


_TONES = np.round(255.0 * np.sqrt(1.0 - np.exp(-EXPOSURE * (np.arange(2048) + 0.5) / 512.0))).astype(np.uint8)
"""linear light in steps of 1/512 -> 0..255: soft shoulder, then the display's curve (a root, near to sRGB)"""


@helper
def toned(c):
    """A linear value as the display shows it."""
    return _TONES[min(max(int(c * 512.0), 0), 2047)]


@inlined
def _faces_away(s, i, j, k, p, dx, dy, dz):
    """Whether the flat triangle itself is seen from behind."""
    ax, ay, az = (
        s.vertices[j, 0] - s.vertices[i, 0],
        s.vertices[j, 1] - s.vertices[i, 1],
        s.vertices[j, 2] - s.vertices[i, 2],
    )
    bx, by, bz = (
        s.vertices[k, 0] - s.vertices[i, 0],
        s.vertices[k, 1] - s.vertices[i, 1],
        s.vertices[k, 2] - s.vertices[i, 2],
    )
    cx, cy, cz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    nx = p[0, 0] * cx + p[0, 1] * cy + p[0, 2] * cz
    ny = p[1, 0] * cx + p[1, 1] * cy + p[1, 2] * cz
    nz = p[2, 0] * cx + p[2, 1] * cy + p[2, 2] * cz
    return nx * dx + ny * dy + nz * dz > 0.0


@inlined
def light_at(s, room, x, y, h, nx, ny, nz, dx, dy, dz, gloss, open_, lamp, win0, win1):
    """Linear light r, g, b that falls on a surface, and the lamp's highlight."""
    up = 0.5 + 0.5 * nz
    ambient = (0.26 + 0.20 * up) * (0.25 + 0.75 * open_)
    er, eg, eb = ambient * (1.02 - 0.04 * up), ambient, ambient * (0.93 + 0.09 * up)
    lx, ly, lz = s.lamps[room, 0] - x, s.lamps[room, 1] - y, s.lamps[room, 2] - h
    facing = nx * lx + ny * ly + nz * lz
    shine = 0.0
    if facing > 0.0:
        d2 = lx * lx + ly * ly + lz * lz + 1e-6
        away = math.sqrt(d2)
        e = s.lamps[room, 3] * lamp * facing / (away * (0.55 + 0.35 * d2))
        er, eg, eb = er + 1.05 * e, eg + 0.98 * e, eb + 0.86 * e
        if gloss > 0.01:
            along = away / math.sqrt(dx * dx + dy * dy + dz * dz)
            hx, hy, hz = lx - dx * along, ly - dy * along, lz - dz * along
            half = (nx * hx + ny * hy + nz * hz) / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-12 * d2)
            if half > 0.8:
                sharp = half * half
                sharp *= sharp
                sharp *= sharp
                sharp *= sharp
                shine = gloss * 0.35 * sharp * sharp * lamp
    for i in range(2):
        area = s.windows[room, i, 6]
        if area > 0.0:
            wx, wy, wz = s.windows[room, i, 0] - x, s.windows[room, i, 1] - y, s.windows[room, i, 2] - h
            facing = nx * wx + ny * wy + nz * wz
            out = -(s.windows[room, i, 3] * wx + s.windows[room, i, 4] * wy)
            if facing > 0.0 and out > 0.0:
                d2 = wx * wx + wy * wy + wz * wz + 1e-6
                e = _WINDOW_STRENGTH * area * facing * out * (win0 if i == 0 else win1) / (d2 * (1.0 + d2))
                er, eg, eb = er + 0.94 * e, eg + 1.0 * e, eb + 1.1 * e
    return er, eg, eb, shine


@inlined
def _world_normal(s, f, u, v, w, p, dx, dy, dz):
    """Smooth normal of a triangle at a point of it: in the thing's frame and in the world, towards the eye."""
    i, j, k = s.faces[f, 0], s.faces[f, 1], s.faces[f, 2]
    lx = u * s.normals[i, 0] + v * s.normals[j, 0] + w * s.normals[k, 0]
    ly = u * s.normals[i, 1] + v * s.normals[j, 1] + w * s.normals[k, 1]
    lz = u * s.normals[i, 2] + v * s.normals[j, 2] + w * s.normals[k, 2]
    square = lx * lx + ly * ly + lz * lz
    if abs(square - 1.0) > 1e-5:  # most faces are flat
        scale = 1.0 / math.sqrt(square + 1e-20)
        lx, ly, lz = lx * scale, ly * scale, lz * scale
    nx = p[0, 0] * lx + p[0, 1] * ly + p[0, 2] * lz
    ny = p[1, 0] * lx + p[1, 1] * ly + p[1, 2] * lz
    nz = p[2, 0] * lx + p[2, 1] * ly + p[2, 2] * lz
    if nx * dx + ny * dy + nz * dz > 0.0 and _faces_away(s, i, j, k, p, dx, dy, dz):
        nx, ny, nz = -nx, -ny, -nz  # the inside of an open shell
    return lx, ly, lz, nx, ny, nz


@inlined
def colour_at(s, f, u, v, w, p, x, y, h, n, ray, footprint):
    """Linear r, g, b of a point (x, y, h) of a triangle; n: its normals as _world_normal gives them."""
    i, j, k, t = s.faces[f, 0], s.faces[f, 1], s.faces[f, 2], s.face_thing[f]
    m = s.materials[s.face_material[f]]
    qx, qy, qz = x - p[0, 3], y - p[1, 3], h - p[2, 3]
    lx = p[0, 0] * qx + p[1, 0] * qy + p[2, 0] * qz
    ly = p[0, 1] * qx + p[1, 1] * qy + p[2, 1] * qz
    lz = p[0, 2] * qx + p[1, 2] * qy + p[2, 2] * qz
    r, g, b = texel(m, s.noise, lx, ly, lz, n[0], n[1], n[2], footprint)
    openness = u * s.light[i, 0] + v * s.light[j, 0] + w * s.light[k, 0]
    lamp = u * s.light[i, 1] + v * s.light[j, 1] + w * s.light[k, 1]
    win0 = u * s.light[i, 2] + v * s.light[j, 2] + w * s.light[k, 2]
    win1 = u * s.light[i, 3] + v * s.light[j, 3] + w * s.light[k, 3]
    er, eg, eb, shine = light_at(
        s, s.rooms[t], x, y, h, n[3], n[4], n[5], ray[0], ray[1], ray[2], m[8], openness, lamp, win0, win1
    )
    return r * (er + m[11]) + shine, g * (eg + m[11]) + shine, b * (eb + m[11]) + shine


@leaf
def shade_rows(
    start, stop, faces, us, vs, depth, lens, pose, s, want_colour, want_normals, rgb, things, categories, normals
):
    """Rows start..stop-1 of a picture.

    faces (H, W) int32 hit triangle or -1; us, vs (H, W) barycentric weights of its second and third corner;
    depth (H, W) z-depth, made NaN where nothing was hit; lens (4,): fx, fy, cx, cy; pose (3, 4) world_from_camera;
    s: Surfaces. Writes rgb (H, W, 3) uint8, things and categories (H, W) int32, normals (H, W, 3) float32, world frame.
    """
    per_x, per_y = 1.0 / lens[0], 1.0 / lens[1]
    for row in range(start, stop):
        ry = (row - lens[3]) * per_y
        for column in range(faces.shape[1]):
            f = faces[row, column]
            if f < 0:
                depth[row, column] = math.nan
                things[row, column], categories[row, column] = 0, 0
                for k in range(3):
                    if want_colour:
                        rgb[row, column, k] = 0
                    if want_normals:
                        normals[row, column, k] = 0.0
                continue
            t = s.face_thing[f]
            things[row, column], categories[row, column] = t + 1, s.categories[t]
            if not (want_colour or want_normals):
                continue
            rx = (column - lens[2]) * per_x
            dx = pose[0, 0] * rx + pose[0, 1] * ry + pose[0, 2]
            dy = pose[1, 0] * rx + pose[1, 1] * ry + pose[1, 2]
            dz = pose[2, 0] * rx + pose[2, 1] * ry + pose[2, 2]
            v, w = us[row, column], vs[row, column]
            u = 1.0 - v - w
            n = _world_normal(s, f, u, v, w, s.poses[t], dx, dy, dz)
            if want_normals:
                normals[row, column, 0], normals[row, column, 1], normals[row, column, 2] = n[3], n[4], n[5]
            if want_colour:
                z = depth[row, column]
                x, y, h = pose[0, 3] + z * dx, pose[1, 3] + z * dy, pose[2, 3] + z * dz
                r, g, b = colour_at(s, f, u, v, w, s.poses[t], x, y, h, n, (dx, dy, dz), z * per_x)
                rgb[row, column, 0], rgb[row, column, 1], rgb[row, column, 2] = toned(r), toned(g), toned(b)
