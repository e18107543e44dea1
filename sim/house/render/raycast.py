"""Renders by casting a ray per pixel through Open3D's RaycastingScene (Embree).

The scene is built once, with everything where it first stood. A thing that moves becomes a ghost in it: rays that
meet a ghost go on behind it until they meet something that is there. The thing itself gets a scene of its own, in its
own frame, cast only by the pixels that its box covers, with the rays turned into that frame.
"""

from __future__ import annotations

import functools
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.render.base import Hits, Renderer
from spatialmem.types import Camera

_STEP_M = 2e-4
"""how far behind a ghost a ray goes on"""
Found = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""triangles or -1, barycentric u and v, distances"""


@final
class RaycastRenderer(Renderer):
    """Exact and slow: the reference of the faster renderer, and the one that any set of rays can be asked of."""

    def __init__(self, house: House, *, threads: int | None = None, light: bool = True) -> None:
        super().__init__(house, threads=threads, light=light)
        self._static = self._built(self.scene.world_vertices(), self.scene.surfaces.faces)
        self._ghosts = np.zeros(len(house.things), dtype=bool)
        self._moved: dict[int, Any] = {}

    def hits(self, world_from_camera: NDArray[np.float64], camera: Camera) -> Hits:
        """One ray per pixel; its direction has z = 1 in camera axes, so that the distance along it is z-depth."""
        shape = (camera.height, camera.width)
        x = (np.arange(camera.width) - camera.cx) / camera.fx
        y = (np.arange(camera.height) - camera.cy) / camera.fy
        directions = np.empty((*shape, 3), dtype=np.float32)
        r = world_from_camera[:3, :3]
        for axis in range(3):
            directions[..., axis] = (r[axis, 0] * x)[None, :] + (r[axis, 1] * y + r[axis, 2])[:, None]
        rays = np.empty((*shape, 6), dtype=np.float32)
        rays[..., :3], rays[..., 3:] = world_from_camera[:3, 3], directions
        faces, u, v, depth = self.cast(rays.reshape(-1, 6))
        return Hits(faces.reshape(shape), u.reshape(shape), v.reshape(shape), depth.reshape(shape))

    def cast(self, rays: NDArray[np.float32]) -> Found:
        """What rays (N, 6), origin and direction in the world frame, meet first.

        Returns the triangle (N,) or -1, its barycentric u and v (N,), and the distance (N,) in lengths of the
        direction, inf where nothing is met.
        """
        faces, u, v, far = self._through_ghosts(np.ascontiguousarray(rays, dtype=np.float32))
        for index, scene in self._moved.items():
            if self.scene.shown[index]:
                self._over(index, scene, rays, faces, u, v, far)
        return faces, u, v, far

    def _changed(self, index: int) -> None:
        self._ghosts[index] = True
        if index not in self._moved:
            s, scene = self.scene.surfaces, self.scene
            first = scene.first_vertex[index]
            own = s.faces[scene.first_face[index] : scene.first_face[index + 1]] - first
            self._moved[index] = self._built(s.vertices[first : scene.first_vertex[index + 1]], own)

    def _built(self, vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> Any:
        import open3d as o3d

        scene = o3d.t.geometry.RaycastingScene(nthreads=self._threads.count)
        scene.add_triangles(
            o3d.core.Tensor.from_numpy(np.ascontiguousarray(vertices)),
            o3d.core.Tensor.from_numpy(np.ascontiguousarray(faces.astype(np.uint32))),
        )
        return scene

    def _cast(self, scene: Any, rays: NDArray[np.float32]) -> Found:
        import open3d as o3d

        found = scene.cast_rays(o3d.core.Tensor.from_numpy(rays), nthreads=self._threads.count)
        uv = found["primitive_uvs"].numpy()
        faces = found["primitive_ids"].numpy()
        return faces.astype(np.int32), uv[:, 0].copy(), uv[:, 1].copy(), found["t_hit"].numpy().copy()

    def _through_ghosts(self, rays: NDArray[np.float32]) -> Found:
        faces, u, v, far = self._cast(self._static, rays)
        if not self._ghosts.any():
            return faces, u, v, far
        thing = self.scene.surfaces.face_thing
        left = np.nonzero((faces >= 0) & self._ghosts[thing[faces]])[0]
        if len(left):
            faces[left], u[left], v[left], far[left] = self._behind_ghosts(rays[left], far[left])
        return faces, u, v, far

    def _behind_ghosts(self, rays: NDArray[np.float32], passed: NDArray[np.float32]) -> Found:
        """The first hit beyond `passed` that is no ghost's.

        Casting again from just behind a ghost may jump over the floor that its underside lies on; so what never
        moves is cast by itself as well, and the nearer hit counts.
        """
        thing = self.scene.surfaces.face_thing
        faces, u, v, far = self._cast(self._walls, rays)
        hit = faces >= 0
        faces[hit] = self._wall_faces[faces[hit]]
        left = np.arange(len(rays))
        while len(left):
            passed = passed + _STEP_M
            onward = rays[left]
            onward[:, :3] += passed[:, None] * onward[:, 3:]
            f, uu, vv, t = self._cast(self._static, onward)
            passed = passed + t
            nearer = (f >= 0) & ~self._ghosts[thing[f]] & (passed < far[left])
            chosen = left[nearer]
            faces[chosen], u[chosen], v[chosen], far[chosen] = f[nearer], uu[nearer], vv[nearer], passed[nearer]
            again = (f >= 0) & self._ghosts[thing[f]] & (passed < far[left])
            left, passed = left[again], passed[again]
        return faces, u, v, far

    @functools.cached_property
    def _wall_faces(self) -> NDArray[np.int32]:
        """Triangles of what can never move, so that no ghost is among them."""
        fixed = np.array(
            [t.group == "structure" and t.category not in ("door", "front door") for t in self.house.things]
        )
        return np.nonzero(fixed[self.scene.surfaces.face_thing])[0].astype(np.int32)

    @functools.cached_property
    def _walls(self) -> Any:
        return self._built(self.scene.world_vertices(), self.scene.surfaces.faces[self._wall_faces])

    def _over(
        self, index: int, scene: Any, rays: NDArray, faces: NDArray, u: NDArray, v: NDArray, far: NDArray
    ) -> None:
        """Put the thing's own hits over those that lie behind them."""
        pose = self.scene.surfaces.poses[index]
        centre = pose[:, :3] @ self.scene.centres[index] + pose[:, 3]
        to = centre.astype(np.float32) - rays[:, :3]
        d = rays[:, 3:]
        along = (to * d).sum(axis=1) / (d * d).sum(axis=1)
        off = to - np.maximum(along, 0.0)[:, None] * d
        near = np.nonzero((off * off).sum(axis=1) <= (self.scene.radii[index] * 1.001 + 1e-3) ** 2)[0]
        if not len(near):
            return
        turn = pose[:, :3].astype(np.float32)
        local = np.concatenate([(rays[near, :3] - pose[:, 3].astype(np.float32)) @ turn, d[near] @ turn], axis=1)
        f, uu, vv, t = self._cast(scene, np.ascontiguousarray(local))
        front = np.nonzero((f >= 0) & (t < far[near]))[0]
        chosen = near[front]
        faces[chosen] = f[front] + int(self.scene.first_face[index])
        u[chosen], v[chosen], far[chosen] = uu[front], vv[front], t[front]
