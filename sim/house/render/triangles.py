"""Setting up the triangles of things for a view: what is hidden, seen from behind or beside the image is left out."""

from __future__ import annotations

import math

from sim.house.render.compiled import helper, inlined, leaf

NEAR_M = 0.002
"""nothing nearer is drawn"""
TILE = 16
"""edge of the squares of pixels whose farthest depth is kept"""


@helper
def _spread(a, az, b, bz, c, cz):
    """Least and greatest slope of a triangle's part in front of the near plane, along one axis of the image."""
    low, high = 1e30, -1e30
    for p, pz, q, qz in ((a, az, b, bz), (b, bz, c, cz), (c, cz, a, az)):
        if pz >= NEAR_M:
            low, high = min(low, p / pz), max(high, p / pz)
        if (pz >= NEAR_M) != (qz >= NEAR_M):
            share = (NEAR_M - pz) / (qz - pz)
            edge = (p + (q - p) * share) / NEAR_M
            low, high = min(low, edge), max(high, edge)
    return low, high


@inlined
def _hidden(centre, half, p, lens, width, height, far):
    """Whether all pixels that a box may cover show something nearer than its nearest corner."""
    near, west, east, north, south = 1e30, 1e30, -1e30, 1e30, -1e30
    for corner in range(8):
        x = centre[0] + (half[0] if corner & 1 else -half[0])
        y = centre[1] + (half[1] if corner & 2 else -half[1])
        h = centre[2] + (half[2] if corner & 4 else -half[2])
        z = p[2, 0] * x + p[2, 1] * y + p[2, 2] * h + p[2, 3]
        if z < NEAR_M:
            return False
        u = (p[0, 0] * x + p[0, 1] * y + p[0, 2] * h + p[0, 3]) / z * lens[0] + lens[2]
        v = (p[1, 0] * x + p[1, 1] * y + p[1, 2] * h + p[1, 3]) / z * lens[1] + lens[3]
        near = min(near, z)
        west, east, north, south = min(west, u), max(east, u), min(north, v), max(south, v)
    left, right = int(max(west, 0.0)), int(min(east + 1.0, width - 1.0))
    top, bottom = int(max(north, 0.0)), int(min(south + 1.0, height - 1.0))
    nearest = 1.000001 / near
    for row in range(top // TILE, bottom // TILE + 1):
        for column in range(left // TILE, right // TILE + 1):
            if far[row, column] <= nearest:
                return False
    return True


@inlined
def _turn(first, last, vertices, p, lens, corners):
    """Corners first..last-1 in camera axes, then where the image shows them."""
    for i in range(first, last):
        x, y, h = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        u = p[0, 0] * x + p[0, 1] * y + p[0, 2] * h + p[0, 3]
        v = p[1, 0] * x + p[1, 1] * y + p[1, 2] * h + p[1, 3]
        z = p[2, 0] * x + p[2, 1] * y + p[2, 2] * h + p[2, 3]
        per_z = 1.0 / max(z, NEAR_M)
        corners[i, 0], corners[i, 1], corners[i, 2] = u, v, z
        corners[i, 3], corners[i, 4] = u * per_z * lens[0] + lens[2], v * per_z * lens[1] + lens[3]


@inlined
def _enclose(p, q, r, lens, width, height, bounds):
    """Columns and rows that a triangle may cover, inclusive, into `bounds`; whether there are any."""
    if p[2] >= NEAR_M and q[2] >= NEAR_M and r[2] >= NEAR_M:
        west, east = min(p[3], q[3], r[3]), max(p[3], q[3], r[3])
        north, south = min(p[4], q[4], r[4]), max(p[4], q[4], r[4])
    elif p[2] < NEAR_M and q[2] < NEAR_M and r[2] < NEAR_M:
        return False
    else:
        west, east = _spread(p[0], p[2], q[0], q[2], r[0], r[2])
        north, south = _spread(p[1], p[2], q[1], q[2], r[1], r[2])
        west, east, north, south = (
            west * lens[0] + lens[2], east * lens[0] + lens[2], north * lens[1] + lens[3], south * lens[1] + lens[3],
        )  # fmt: skip
    west, east, north, south = max(west, -1.0), min(east, width + 0.0), max(north, -1.0), min(south, height + 0.0)
    left, right = max(math.ceil(west - 1e-6), 0), min(math.floor(east + 1e-6), width - 1)
    top, bottom = max(math.ceil(north - 1e-6), 0), min(math.floor(south + 1e-6), height - 1)
    if left > right or top > bottom:
        return False
    bounds[0], bounds[1], bounds[2], bounds[3] = left, right, top, bottom
    return True


@inlined
def _equations(p, q, r, both_sides, row):
    """Edge normals and the plane's normal over p.n of a triangle, into `row`; False when it is not to be drawn."""
    ax, ay, az, bx, by, bz, cx, cy, cz = p[0], p[1], p[2], q[0], q[1], q[2], r[0], r[1], r[2]
    ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    volume = ax * nx + ay * ny + az * nz
    if volume == 0.0 or (volume > 0.0 and not both_sides):  # edge on, or from behind
        return False
    s = 1.0 / volume
    row[0], row[1], row[2] = (by * cz - bz * cy) * s, (bz * cx - bx * cz) * s, (bx * cy - by * cx) * s
    row[3], row[4], row[5] = (cy * az - cz * ay) * s, (cz * ax - cx * az) * s, (cx * ay - cy * ax) * s
    row[6], row[7], row[8] = (ay * bz - az * by) * s, (az * bx - ax * bz) * s, (ax * by - ay * bx) * s
    row[9], row[10], row[11] = nx * s, ny * s, nz * s
    return True


@inlined
def _outside(centre, half, p):
    """Whether the eye, the origin of camera axes, is outside a thing's box; p: camera_from_thing."""
    for k in range(3):
        eye = -(p[0, k] * p[0, 3] + p[1, k] * p[1, 3] + p[2, k] * p[2, 3])
        if abs(eye - centre[k]) > half[k] + 2.0 * NEAR_M:
            return True
    return False


@leaf
def set_up(
    start, stop, things, poses, boxes, closed, first_vertex, first_face, vertices, faces, lens, width, height, far,
    corners, setup, nearest, bounds, drawn, counts, rows,
):  # fmt: skip
    """Turn the corners of things start..stop-1 into camera axes and set up their triangles that touch the image.

    A thing is left out when its box (centre and half size, (2, 3)) lies behind what is drawn already: far (rows,
    columns) holds the least 1/z of each tile of the image. Triangles seen from behind are left out where a thing is
    closed and the eye is outside its box.
    Per thing, from its first face on: setup (12): three edge normals, the plane's normal over p0.n; nearest: the
    greatest 1/z; bounds: columns and rows, inclusive; drawn: the triangle's index. counts: how many; rows: first and
    last row touched.
    """
    for index in range(start, stop):
        t, p = things[index], poses[index]
        centre, half = boxes[t, 0], boxes[t, 1]
        top, bottom = height, -1
        out = first_face[t]
        if not _hidden(centre, half, p, lens, width, height, far):
            both_sides = not (closed[t] and _outside(centre, half, p))
            _turn(first_vertex[t], first_vertex[t + 1], vertices, p, lens, corners)
            for f in range(first_face[t], first_face[t + 1]):
                a, b, c = corners[faces[f, 0]], corners[faces[f, 1]], corners[faces[f, 2]]
                if _enclose(a, b, c, lens, width, height, bounds[out]) and _equations(a, b, c, both_sides, setup[out]):
                    drawn[out] = f
                    nearest[out] = 1.000001 / max(min(a[2], b[2], c[2]), NEAR_M)
                    top, bottom = min(top, bounds[out, 2]), max(bottom, bounds[out, 3])
                    out += 1
        counts[index] = out - first_face[t]
        rows[index, 0], rows[index, 1] = top, bottom
