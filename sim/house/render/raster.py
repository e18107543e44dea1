"""Renders by drawing triangles into a depth buffer, on the CPU, in compiled bands of rows.

Homogeneous rasterisation (Olano and Greer, 1997): with corners p0, p1, p2 in camera axes, the ray r = (x, y, 1) of a
pixel meets the triangle when r.(p1 x p2), r.(p2 x p0) and r.(p0 x p1) share the sign of p0.n, n being the triangle's
normal; they are its barycentric weights, and z = p0.n / r.n is exact. So nothing is clipped at the near plane, and
depth is that of a ray through the middle of the pixel. Things in rooms that no doorway shows are left out, and moving
a thing costs nothing but its new pose.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.render.base import Hits, Renderer
from sim.house.render.compiled import helper, inlined, leaf
from sim.house.render.portals import Portals
from spatialmem.types import Camera, checked_transform

_BAND = 16
"""rows drawn together by one thread"""
NEAR_M = 0.002
"""nothing nearer is drawn"""


@final
class RasterRenderer(Renderer):
    """The fast renderer. Triangles seen from behind are drawn too, as rays would meet them."""

    def __init__(self, house: House, *, threads: int | None = None, light: bool = True) -> None:
        super().__init__(house, threads=threads, light=light)
        self._portals = Portals(house)
        self._corners = np.empty((len(self.scene.surfaces.vertices), 3))
        faces = len(self.scene.surfaces.faces)
        self._setup = np.empty((faces, 12))
        self._bounds = np.empty((faces, 4), dtype=np.int16)
        self._drawn = np.empty(faces, dtype=np.int32)

    def hits(self, world_from_camera: NDArray[np.float64], camera: Camera) -> Hits:
        """What each pixel meets first."""
        return self._hits_of(self._in_view(world_from_camera, camera), world_from_camera, camera)

    def alone(self, thing_id: int, world_from_camera: NDArray[np.floating], camera: Camera) -> NDArray[np.bool_]:
        """(H, W) the pixels that a thing would cover if nothing stood before it, wherever it was last placed.

        With the pixels that a picture shows of it, this tells how much of it is hidden.
        """
        index = self.house.thing(thing_id).thing_id - 1
        hits = self._hits_of(np.array([index]), checked_transform(world_from_camera), camera)
        return hits.faces >= 0

    def _hits_of(self, things: NDArray[np.int64], world_from_camera: NDArray[np.float64], camera: Camera) -> Hits:
        """What each pixel meets first of some things."""
        scene, s = self.scene, self.scene.surfaces
        lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        rotation = world_from_camera[:3, :3].T
        poses = np.empty((len(things), 3, 4))
        poses[:, :, :3] = rotation @ s.poses[things, :, :3]
        poses[:, :, 3] = (s.poses[things, :, 3] - world_from_camera[:3, 3]) @ rotation.T
        counts = np.zeros(len(things), dtype=np.int64)
        rows = np.empty((len(things), 2), dtype=np.int64)
        self._threads.run(
            set_up, len(things), things, poses, scene.first_vertex, scene.first_face, s.vertices, s.faces, lens,
            camera.width, camera.height, self._corners, self._setup, self._bounds, self._drawn, counts, rows, grain=4,
        )  # fmt: skip
        shape = (camera.height, camera.width)
        faces = np.empty(shape, dtype=np.int32)
        u, v, depth = (np.empty(shape, dtype=np.float32) for _ in range(3))
        starts = scene.first_face[things]
        self._threads.run(
            draw, -(-camera.height // _BAND), starts, counts, rows, self._setup, self._bounds, self._drawn, lens,
            faces, u, v, depth,
        )  # fmt: skip
        return Hits(faces, u, v, depth)

    def _changed(self, index: int) -> None:
        """Nothing is kept that depends on where things are."""

    def _in_view(self, world_from_camera: NDArray[np.float64], camera: Camera) -> NDArray[np.int64]:
        """Indices of things whose bounding sphere touches the view, in rooms that can be seen; nearest first."""
        scene = self.scene
        inverse = world_from_camera[:3, :3].T
        centres = (scene.world_centres - world_from_camera[:3, 3]) @ inverse.T
        seen = scene.shown & (centres[:, 2] + scene.radii > NEAR_M)
        for axis, low, high in (
            (0, -0.5 - camera.cx, camera.width - 0.5 - camera.cx),
            (1, -0.5 - camera.cy, camera.height - 0.5 - camera.cy),
        ):  # fmt: skip
            focal = camera.fx if axis == 0 else camera.fy
            for slope, sign in ((low / focal, 1.0), (high / focal, -1.0)):  # planes through the edges of the image
                off = sign * (centres[:, axis] - slope * centres[:, 2]) / math.sqrt(1.0 + slope * slope)
                seen &= off > -scene.radii
        rooms = self._portals.seen_from(world_from_camera, camera)
        if rooms is not None:
            seen &= self._portals.may_show(rooms, scene.surfaces.rooms, scene.world_centres, scene.radii)
        found = np.nonzero(seen)[0]
        return found[np.argsort(centres[found, 2] - scene.radii[found], kind="stable")]


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


@helper
def _span(value, step, first, last):
    """Columns between which value + step * column may be 0 or more; a pixel more on either side."""
    if step > 0.0:
        if value < 0.0:
            first = max(first, int(min(-value / step, 1e8)) - 1)
    elif value + step * last < 0.0:
        last = min(last, int(min(-value / step, 1e8)) + 1) if value >= 0.0 and step < 0.0 else first - 1
    return first, last


@inlined
def _turn(first, last, vertices, p, corners):
    """Corners first..last-1 in camera axes."""
    for i in range(first, last):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        corners[i, 0] = p[0, 0] * x + p[0, 1] * y + p[0, 2] * z + p[0, 3]
        corners[i, 1] = p[1, 0] * x + p[1, 1] * y + p[1, 2] * z + p[1, 3]
        corners[i, 2] = p[2, 0] * x + p[2, 1] * y + p[2, 2] * z + p[2, 3]


@inlined
def _enclose(p, q, r, lens, width, height, bounds):
    """Columns and rows that a triangle may cover, inclusive, into `bounds`; whether there are any."""
    fx, fy, cx, cy = lens[0], lens[1], lens[2], lens[3]
    if p[2] < NEAR_M and q[2] < NEAR_M and r[2] < NEAR_M:
        return False
    if p[2] >= NEAR_M and q[2] >= NEAR_M and r[2] >= NEAR_M:
        x0, x1, x2, y0, y1, y2 = p[0] / p[2], q[0] / q[2], r[0] / r[2], p[1] / p[2], q[1] / q[2], r[1] / r[2]
        west, east, north, south = min(x0, x1, x2), max(x0, x1, x2), min(y0, y1, y2), max(y0, y1, y2)
    else:
        west, east = _spread(p[0], p[2], q[0], q[2], r[0], r[2])
        north, south = _spread(p[1], p[2], q[1], q[2], r[1], r[2])
    west, east = max(west * fx + cx, -1.0), min(east * fx + cx, width + 0.0)
    north, south = max(north * fy + cy, -1.0), min(south * fy + cy, height + 0.0)
    left, right = max(math.ceil(west - 1e-6), 0), min(math.floor(east + 1e-6), width - 1)
    top, bottom = max(math.ceil(north - 1e-6), 0), min(math.floor(south + 1e-6), height - 1)
    bounds[0], bounds[1], bounds[2], bounds[3] = left, right, top, bottom
    return left <= right and top <= bottom


@inlined
def _equations(p, q, r, row):
    """Edge normals and the plane's normal over p.n of a triangle, into `row`; False when it is seen edge on."""
    ax, ay, az, bx, by, bz, cx, cy, cz = p[0], p[1], p[2], q[0], q[1], q[2], r[0], r[1], r[2]
    ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    volume = ax * nx + ay * ny + az * nz
    if volume == 0.0:
        return False
    s = 1.0 / volume
    row[0], row[1], row[2] = (by * cz - bz * cy) * s, (bz * cx - bx * cz) * s, (bx * cy - by * cx) * s
    row[3], row[4], row[5] = (cy * az - cz * ay) * s, (cz * ax - cx * az) * s, (cx * ay - cy * ax) * s
    row[6], row[7], row[8] = (ay * bz - az * by) * s, (az * bx - ax * bz) * s, (ax * by - ay * bx) * s
    row[9], row[10], row[11] = nx * s, ny * s, nz * s
    return True


@leaf
def set_up(
    start, stop, things, poses, first_vertex, first_face, vertices, faces, lens, width, height, corners, setup, bounds,
    drawn, counts, rows,
):  # fmt: skip
    """Turn the corners of things start..stop-1 into camera axes and set up their triangles that touch the image.

    Per thing, from its first face on: setup (12): three edge normals, the plane's normal over p0.n; bounds: columns
    and rows, inclusive; drawn: the triangle's index. counts: how many; rows: first and last row touched.
    """
    for index in range(start, stop):
        t = things[index]
        _turn(first_vertex[t], first_vertex[t + 1], vertices, poses[index], corners)
        out = first_face[t]
        top, bottom = height, -1
        for f in range(first_face[t], first_face[t + 1]):
            p, q, r = corners[faces[f, 0]], corners[faces[f, 1]], corners[faces[f, 2]]
            if _enclose(p, q, r, lens, width, height, bounds[out]) and _equations(p, q, r, setup[out]):
                drawn[out] = f
                top, bottom = min(top, bounds[out, 2]), max(bottom, bounds[out, 3])
                out += 1
        counts[index] = out - first_face[t]
        rows[index, 0], rows[index, 1] = top, bottom


@helper
def _resolve(first, last, setup, drawn, lens, faces, us, vs, depth):
    """From slots to triangles, from 1/z to z, and the weights of the corners; rows first..last."""
    for row in range(first, last + 1):
        y = (row - lens[3]) / lens[1]
        for column in range(faces.shape[1]):
            slot = faces[row, column]
            if slot >= 0:
                x = (column - lens[2]) / lens[0]
                e = setup[slot]
                a, b, c = e[0] * x + e[1] * y + e[2], e[3] * x + e[4] * y + e[5], e[6] * x + e[7] * y + e[8]
                total = 1.0 / (a + b + c)
                us[row, column], vs[row, column] = b * total, c * total
                depth[row, column] = 1.0 / (e[9] * x + e[10] * y + e[11])
                faces[row, column] = drawn[slot]


@leaf
def draw(start, stop, starts, counts, rows, setup, bounds, drawn, lens, faces, us, vs, depth):
    """Bands start..stop-1 of the image: the nearest triangle of each pixel, its weights, its z-depth."""
    fx, fy, cx, cy = lens[0], lens[1], lens[2], lens[3]
    height, width = faces.shape
    step = 1.0 / fx
    for band in range(start, stop):
        first, last = band * _BAND, min((band + 1) * _BAND, height) - 1
        for row in range(first, last + 1):
            for column in range(width):
                faces[row, column], depth[row, column] = -1, 0.0
        for index in range(len(starts)):
            if rows[index, 1] < first or rows[index, 0] > last:
                continue
            for slot in range(starts[index], starts[index] + counts[index]):
                high, low = max(bounds[slot, 2], first), min(bounds[slot, 3], last)
                if high > low:
                    continue
                left, right = bounds[slot, 0], bounds[slot, 1]
                e = setup[slot]
                a_step, b_step, c_step, w_step = e[0] * step, e[3] * step, e[6] * step, e[9] * step
                x = (left - cx) * step
                for row in range(high, low + 1):
                    y = (row - cy) / fy
                    a, b, c = e[0] * x + e[1] * y + e[2], e[3] * x + e[4] * y + e[5], e[6] * x + e[7] * y + e[8]
                    w = e[9] * x + e[10] * y + e[11]
                    begin, end = 0, right - left
                    if end > 6:
                        begin, end = _span(a, a_step, begin, end)
                        begin, end = _span(b, b_step, begin, end)
                        begin, end = _span(c, c_step, begin, end)
                        begin = max(begin, 0)
                        a, b, c, w = a + a_step * begin, b + b_step * begin, c + c_step * begin, w + w_step * begin
                    for column in range(left + begin, left + end + 1):
                        if a >= 0.0 and b >= 0.0 and c >= 0.0 and w > depth[row, column]:
                            depth[row, column], faces[row, column] = w, slot
                        a, b, c, w = a + a_step, b + b_step, c + c_step, w + w_step
        _resolve(first, last, setup, drawn, lens, faces, us, vs, depth)
