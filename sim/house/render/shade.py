"""From hits to pictures: texture, light, colour, ids, normals.

Pixels are shaded once each, in stretches of one row. What a stretch knows of its pixels stands in a scratch array, one
line of `N` values a quantity, so that the compiler can turn the arithmetic of rays and light into vector instructions:
lines at fixed distances of one array cannot overlap.
"""

from __future__ import annotations

import math

import numpy as np

from sim.house.render.compiled import helper, inlined, leaf
from sim.house.render.texture import is_picture, picture_of, side_of, weight_of

EXPOSURE = 1.5
_WINDOW_STRENGTH = 1.1
N = 128
"""pixels of a stretch"""
_DX, _DY, _DZ, _X, _Y, _H, _NX, _NY, _NZ, _LX, _LY, _LZ, _OPEN, _LAMP, _WIN0, _WIN1 = range(0, 16 * N, N)
_ALONG, _ACROSS, _WEIGHT, _TINT, _GLOSS, _GLOW, _E, _W, _SHINE, _R, _G, _B = range(16 * N, 28 * N, N)
LINES = 28
"""of the scratch array: ray (z = 1 in camera axes) and point, world frame; normal, world frame and the thing's own;
vertex light; texture; light from the lamp and from windows, highlight; colour"""

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


@helper
def _cast(count, column, row, depth, lens, pose, b):
    """Rays and points of a stretch that starts at a column; depth: its own part of the row."""
    per_x = 1.0 / lens[0]
    ry = (row - lens[3]) / lens[1]
    ex, ey, ez = pose[0, 1] * ry + pose[0, 2], pose[1, 1] * ry + pose[1, 2], pose[2, 1] * ry + pose[2, 2]
    tx, ty, tz, ux, uy, uz = pose[0, 3], pose[1, 3], pose[2, 3], pose[0, 0], pose[1, 0], pose[2, 0]
    start = column - lens[2]
    for c in range(count):
        rx = (start + c) * per_x
        dx, dy, dz = ux * rx + ex, uy * rx + ey, uz * rx + ez
        z = depth[c]
        b[_DX + c], b[_DY + c], b[_DZ + c] = dx, dy, dz
        b[_X + c], b[_Y + c], b[_H + c] = tx + z * dx, ty + z * dy, tz + z * dz


@inlined
def _vertex_light(first, last, us, vs, one, two, three, b):
    """Vertex light on pixels first..last-1 of a stretch, all of one triangle; light (4,) at its corners."""
    a0, a1, a2, a3 = one[0], one[1], one[2], one[3]
    v0, v1, v2, v3 = two[0] - a0, two[1] - a1, two[2] - a2, two[3] - a3
    w0, w1, w2, w3 = three[0] - a0, three[1] - a1, three[2] - a2, three[3] - a3
    for c in range(first, last):
        v, w = us[c], vs[c]
        b[_OPEN + c], b[_LAMP + c] = a0 + v * v0 + w * w0, a1 + v * v1 + w * w1
        b[_WIN0 + c], b[_WIN1 + c] = a2 + v * v2 + w * w2, a3 + v * v3 + w * w3


@inlined
def _normals(first, last, us, vs, f, s, b):
    """Smooth normals on pixels first..last-1 of a stretch, all of one triangle, towards the eye."""
    i, j, k, p = s.faces[f, 0], s.faces[f, 1], s.faces[f, 2], s.poses[s.face_thing[f]]
    ax, ay, az = s.normals[i, 0], s.normals[i, 1], s.normals[i, 2]
    vx, vy, vz = s.normals[j, 0] - ax, s.normals[j, 1] - ay, s.normals[j, 2] - az
    wx, wy, wz = s.normals[k, 0] - ax, s.normals[k, 1] - ay, s.normals[k, 2] - az
    p00, p01, p02, p10, p11, p12 = p[0, 0], p[0, 1], p[0, 2], p[1, 0], p[1, 1], p[1, 2]
    p20, p21, p22 = p[2, 0], p[2, 1], p[2, 2]
    away = -1  # whether the eye is behind the triangle; not known yet
    for c in range(first, last):
        v, w = us[c], vs[c]
        lx, ly, lz = ax + v * vx + w * wx, ay + v * vy + w * wy, az + v * vz + w * wz
        square = lx * lx + ly * ly + lz * lz
        if abs(square - 1.0) > 1e-5:  # most faces are flat
            scale = 1.0 / math.sqrt(square + 1e-20)
            lx, ly, lz = lx * scale, ly * scale, lz * scale
        nx = p00 * lx + p01 * ly + p02 * lz
        ny = p10 * lx + p11 * ly + p12 * lz
        nz = p20 * lx + p21 * ly + p22 * lz
        dx, dy, dz = b[_DX + c], b[_DY + c], b[_DZ + c]
        if nx * dx + ny * dy + nz * dz > 0.0:
            if away < 0:
                away = 1 if _faces_away(s, i, j, k, p, dx, dy, dz) else 0
            if away == 1:
                nx, ny, nz = -nx, -ny, -nz  # the inside of an open shell
        b[_LX + c], b[_LY + c], b[_LZ + c], b[_NX + c], b[_NY + c], b[_NZ + c] = lx, ly, lz, nx, ny, nz


@inlined
def _look_up(count, faces, us, vs, s, b):
    """Normals and vertex light of a stretch, triangle by triangle."""
    first = 0
    while first < count:
        f, last = faces[first], first + 1
        while last < count and faces[last] == f:
            last += 1
        if f >= 0:
            _normals(first, last, us, vs, f, s, b)
            i, j, k = s.faces[f, 0], s.faces[f, 1], s.faces[f, 2]
            _vertex_light(first, last, us, vs, s.light[i], s.light[j], s.light[k], b)
        first = last


@helper
def _side(count, p, grain, b):
    """Coordinates of texture of a stretch, along the grain and across; p: world_from_thing."""
    p00, p01, p02, p03, p10, p11, p12 = p[0, 0], p[0, 1], p[0, 2], p[0, 3], p[1, 0], p[1, 1], p[1, 2]
    p13, p20, p21, p22, p23 = p[1, 3], p[2, 0], p[2, 1], p[2, 2], p[2, 3]
    for c in range(count):
        qx, qy, qz = b[_X + c] - p03, b[_Y + c] - p13, b[_H + c] - p23
        x = p00 * qx + p10 * qy + p20 * qz
        y = p01 * qx + p11 * qy + p21 * qz
        z = p02 * qx + p12 * qy + p22 * qz
        b[_ALONG + c], b[_ACROSS + c] = side_of(x, y, z, b[_LX + c], b[_LY + c], b[_LZ + c], grain)


@helper
def _mix(count, m, b):
    """Colours of a stretch from its weights and tints."""
    r, g, blue, gloss, glow = m[1], m[2], m[3], m[8], m[11]
    to_r, to_g, to_blue = m[4] - r, m[5] - g, m[6] - blue
    for c in range(count):
        t, tint = min(max(b[_WEIGHT + c], 0.0), 1.0), b[_TINT + c]
        b[_R + c], b[_G + c], b[_B + c] = (r + to_r * t) * tint, (g + to_g * t) * tint, (blue + to_blue * t) * tint
        b[_GLOSS + c], b[_GLOW + c] = gloss, glow


@helper
def _weigh(count, m, table, per_x, depth, b):
    """Weights of the second colour and tints of a stretch that has a pattern."""
    pattern, scale, shift, per_m = int(m[0]), m[7], float(m[10]), m[12]
    for c in range(count):
        along, across = b[_ALONG + c] + shift, b[_ACROSS + c] + shift
        b[_WEIGHT + c], b[_TINT + c] = weight_of(pattern, table, along, across, scale, per_m, depth[c] * per_x)


@helper
def _picture(count, m, p, table, b):
    """Colours of a stretch of sky or of a printed picture."""
    for c in range(count):
        height = p[0, 2] * (b[_X + c] - p[0, 3]) + p[1, 2] * (b[_Y + c] - p[1, 3]) + p[2, 2] * (b[_H + c] - p[2, 3])
        r, g, blue = picture_of(m, table, b[_ALONG + c], b[_ACROSS + c], height)
        b[_R + c], b[_G + c], b[_B + c], b[_GLOSS + c], b[_GLOW + c] = r, g, blue, m[8], m[11]


@inlined
def _paint(count, faces, s, per_x, depth, b):
    """Linear colours, gloss and glow of the surfaces of a stretch, one finish of one thing after the other."""
    first = 0
    while first < count:
        f, last = faces[first], first + 1
        if f < 0:
            b[_GLOSS + first], first = 0.0, last
            continue
        finish, thing = s.face_material[f], s.face_thing[f]
        while last < count and (
            faces[last] == f
            or (faces[last] >= 0 and s.face_material[faces[last]] == finish and s.face_thing[faces[last]] == thing)
        ):
            last += 1
        m, p, own = s.materials[finish], s.poses[thing], b[first:]
        _side(last - first, p, int(m[9]), own)
        if is_picture(int(m[0])):
            _picture(last - first, m, p, s.noise, own)
        else:
            _weigh(last - first, m, s.noise, per_x, depth[first:], own)
            _mix(last - first, m, own)
        first = last


@helper
def _lamp_light(count, lamp, b):
    """Light of a room's lamp (4,) on a stretch, and its highlight."""
    lamp_x, lamp_y, lamp_z, strength = lamp[0], lamp[1], lamp[2], lamp[3]
    for c in range(count):
        x, y, z = lamp_x - b[_X + c], lamp_y - b[_Y + c], lamp_z - b[_H + c]
        nx, ny, nz, dx, dy, dz = b[_NX + c], b[_NY + c], b[_NZ + c], b[_DX + c], b[_DY + c], b[_DZ + c]
        facing = nx * x + ny * y + nz * z
        d2 = x * x + y * y + z * z + 1e-6
        away = math.sqrt(d2)
        b[_E + c] = strength * b[_LAMP + c] * max(facing, 0.0) / (away * (0.55 + 0.35 * d2))
        along = away / math.sqrt(dx * dx + dy * dy + dz * dz)
        hx, hy, hz = x - dx * along, y - dy * along, z - dz * along
        half = (nx * hx + ny * hy + nz * hz) / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-12 * d2)
        sharp = half * half
        sharp *= sharp
        sharp *= sharp
        sharp *= sharp
        seen = 0.35 * sharp * sharp * b[_LAMP + c] * b[_GLOSS + c]
        b[_SHINE + c] = seen if min(half - 0.8, facing) > 0.0 else 0.0
        b[_W + c] = 0.0


@inlined
def _window_light(count, window, vertex_light, b):
    """Add the light of a window (7,) on a stretch; vertex_light: _WIN0 or _WIN1."""
    at_x, at_y, at_z, in_x, in_y = window[0], window[1], window[2], window[3], window[4]
    strength = _WINDOW_STRENGTH * window[6]
    for c in range(count):
        x, y, z = at_x - b[_X + c], at_y - b[_Y + c], at_z - b[_H + c]
        facing = b[_NX + c] * x + b[_NY + c] * y + b[_NZ + c] * z
        out = -(in_x * x + in_y * y)
        d2 = x * x + y * y + z * z + 1e-6
        e = strength * max(facing, 0.0) * max(out, 0.0) * b[vertex_light + c] / (d2 * (1.0 + d2))
        b[_W + c] += e


@helper
def _add_up(count, b):
    """Colour times light, into the colours of a stretch."""
    for c in range(count):
        up = 0.5 + 0.5 * b[_NZ + c]
        ambient = (0.26 + 0.20 * up) * (0.25 + 0.75 * b[_OPEN + c])
        e, w, glow, shine = b[_E + c], b[_W + c], b[_GLOW + c], b[_SHINE + c]
        b[_R + c] = b[_R + c] * (ambient * (1.02 - 0.04 * up) + 1.05 * e + 0.94 * w + glow) + shine
        b[_G + c] = b[_G + c] * (ambient + 0.98 * e + w + glow) + shine
        b[_B + c] = b[_B + c] * (ambient * (0.93 + 0.09 * up) + 0.86 * e + 1.1 * w + glow) + shine


@inlined
def _end_of(column, row_faces, s):
    """Where the stretch ends that starts at a column, N pixels on or where another room begins, and its room."""
    room, end, before = -1, column, -1
    while end < min(column + N, len(row_faces)):
        f = row_faces[end]
        if f >= 0 and f != before:
            before, here = f, s.rooms[s.face_thing[f]]
            if room >= 0 and here != room:
                break
            room = here
        end += 1
    return end, room


@inlined
def _number(faces, s, depth, things, categories):
    """Ids of a row; its depth is made NaN where nothing was hit."""
    before, thing, category = -1, 0, 0
    for c in range(len(faces)):
        f = faces[c]
        if f != before:
            before = f
            thing = s.face_thing[f] + 1 if f >= 0 else 0
            category = s.categories[thing - 1] if f >= 0 else 0
        things[c], categories[c] = thing, category
        if f < 0:
            depth[c] = math.nan


@leaf
def shade_rows(
    start, stop, faces, us, vs, depth, lens, pose, s, want_colour, want_normals, scratch, rgb, things, categories,
    normals,
):  # fmt: skip
    """Rows start..stop-1 of a picture.

    faces (H, W) int32 hit triangle or -1; us, vs (H, W) barycentric weights of its second and third corner;
    depth (H, W) z-depth, made NaN where nothing was hit; lens (4,): fx, fy, cx, cy; pose (3, 4) world_from_camera;
    s: Surfaces; scratch (H, LINES * N). Writes rgb (H, W, 3) uint8, things and categories (H, W) int32, normals
    (H, W, 3) float32, world frame.
    """
    per_x, b = 1.0 / lens[0], scratch[start]
    for row in range(start, stop):
        _number(faces[row], s, depth[row], things[row], categories[row])
        column = 0
        while column < faces.shape[1] and (want_colour or want_normals):
            end, room = _end_of(column, faces[row], s)
            count, f, z = end - column, faces[row, column:end], depth[row, column:end]
            _cast(count, column, row, z, lens, pose, b)
            _look_up(count, f, us[row, column:end], vs[row, column:end], s, b)
            if want_colour:
                _paint(count, f, s, per_x, z, b)
                _lamp_light(count, s.lamps[room], b)
                _window_light(count, s.windows[room, 0], _WIN0, b)
                _window_light(count, s.windows[room, 1], _WIN1, b)
                _add_up(count, b)
            for c in range(count):
                at, there = column + c, f[c] >= 0
                if want_normals:
                    for k in range(3):
                        normals[row, at, k] = b[_NX + k * N + c] if there else 0.0
                if want_colour:
                    for k in range(3):
                        rgb[row, at, k] = toned(b[_R + k * N + c]) if there else 0
            column = end
