"""Renders by drawing triangles into a depth buffer, on the CPU, in compiled bands of rows.

Homogeneous rasterisation (Olano and Greer, 1997): with corners p0, p1, p2 in camera axes, the ray r = (x, y, 1) of a
pixel meets the triangle when r.(p1 x p2), r.(p2 x p0) and r.(p0 x p1) share the sign of p0.n, n being the triangle's
normal; they are its barycentric weights, and z = p0.n / r.n is exact. So nothing is clipped at the near plane, and
depth is that of a ray through the middle of the pixel. Moving a thing costs nothing but its new pose.

What cannot be seen is left out early: things in rooms that no doorway shows; things whose box lies behind what was
drawn before them (after the hierarchical z-buffer of Greene, Kass and Miller, 1993, with one level of tiles), so walls
are drawn first, then furniture, then what it holds; triangles behind their tiles; backs of closed things.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.render.bands import draw
from sim.house.render.base import Hits, Renderer
from sim.house.render.portals import Portals
from sim.house.render.scene import closed_things
from sim.house.render.triangles import NEAR_M, TILE, set_up
from sim.house.thing import Thing
from spatialmem.types import Camera, checked_transform

WAVES = 3


@final
class RasterRenderer(Renderer):
    """The fast renderer. Both sides of a triangle are drawn, as rays would meet them, unless its thing is closed."""

    def __init__(self, house: House, *, threads: int | None = None, light: bool = True) -> None:
        super().__init__(house, threads=threads, light=light)
        self._portals = Portals(house)
        self._closed = closed_things(self.scene)
        self._wave = np.array([_wave_of(t) for t in house.things])
        faces = len(self.scene.surfaces.faces)
        self._corners = np.empty((len(self.scene.surfaces.vertices), 5))
        self._setup = np.empty((faces, 12))
        self._nearest = np.empty(faces, dtype=np.float32)
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
        shape = (camera.height, camera.width)
        faces = np.empty(shape, dtype=np.int32)
        u, v, depth = (np.empty(shape, dtype=np.float32) for _ in range(3))
        far = np.zeros((-(-camera.height // TILE), -(-camera.width // TILE)), dtype=np.float32)
        lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        waves = [things[self._wave[things] == wave] for wave in range(WAVES)]
        for wave, chosen in enumerate(waves):
            starts, counts, rows = self._set_up(chosen, world_from_camera, camera, lens, far)
            self._threads.run(
                draw, len(far), wave == 0, wave == WAVES - 1, starts, counts, rows, self._setup, self._nearest,
                self._bounds, self._drawn, lens, far, faces, u, v, depth,
            )  # fmt: skip
        return Hits(faces, u, v, depth)

    def _set_up(
        self, things: NDArray[np.int64], world_from_camera: NDArray[np.float64], camera: Camera,
        lens: NDArray[np.float64], far: NDArray[np.float32],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
        """Set up triangles of things: per thing the first slot, how many slots, and the first and last row."""
        scene, s = self.scene, self.scene.surfaces
        rotation = world_from_camera[:3, :3].T
        poses = np.empty((len(things), 3, 4))
        poses[:, :, :3] = rotation @ s.poses[things, :, :3]
        poses[:, :, 3] = (s.poses[things, :, 3] - world_from_camera[:3, 3]) @ rotation.T
        counts = np.zeros(len(things), dtype=np.int64)
        rows = np.empty((len(things), 2), dtype=np.int64)
        self._threads.run(
            set_up, len(things), things, poses, scene.boxes, self._closed, scene.first_vertex, scene.first_face,
            s.vertices, s.faces, lens, camera.width, camera.height, far, self._corners, self._setup, self._nearest,
            self._bounds, self._drawn, counts, rows, grain=2,
        )  # fmt: skip
        return scene.first_face[things], counts, rows

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


def _wave_of(thing: Thing) -> int:
    """When a thing is drawn: what hides most first, so that what it hides need not be set up."""
    if thing.category in ("wall", "floor", "ceiling", "door", "front door", "stairs"):
        return 0
    return 2 if thing.support_id else 1
