"""Soft light, kept at the vertices: how open each is to its room, and whether it sees the lamp and the windows.

Cast once when a renderer is made. Rays from every vertex: eight spread over its hemisphere, half a metre long, give
openness (ambient occlusion); one to the lamp and one to each window of its room give shadows. Things that move keep
the light they were given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.render.scene import Scene

_REACH_M = 0.6
_OFF_M = 0.012
"""rays start this far from the surface, so that they do not meet it"""


def bake_light(house: House, scene: Scene) -> None:
    """Fill `scene.surfaces.light` for the house as it is now."""
    import open3d as o3d

    s = scene.surfaces
    caster = o3d.t.geometry.RaycastingScene()
    vertices = scene.world_vertices()
    caster.add_triangles(o3d.core.Tensor.from_numpy(vertices), o3d.core.Tensor.from_numpy(s.faces.astype(np.uint32)))
    counts = np.diff(scene.first_vertex)
    thing = np.repeat(np.arange(len(counts)), counts)
    normals = np.einsum("vij,vj->vi", s.poses[thing][:, :, :3], s.normals)
    start = vertices + _OFF_M * normals
    s.light[:, 0] = _openness(caster, start, normals)
    room = s.rooms[thing]
    s.light[:, 1] = _sees(caster, start, normals, s.lamps[room, :3])
    for i in range(2):
        s.light[:, 2 + i] = _sees(caster, start, normals, s.windows[room, i, :3])


def _openness(caster, start: NDArray[np.float64], normals: NDArray[np.float64]) -> NDArray[np.float32]:
    side = np.cross(normals, np.where(np.abs(normals[:, 2:]) < 0.9, (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)))
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    other = np.cross(normals, side)
    total = np.zeros(len(start), dtype=np.float32)
    rings = [(0.35, 3, 0.3), (0.75, 5, 0.0)]  # sine of the angle from the normal, number of rays, turn
    for sine, count, turn in rings:
        for k in range(count):
            angle = 2.0 * np.pi * (k + turn) / count
            direction = sine * (np.cos(angle) * side + np.sin(angle) * other) + np.sqrt(1.0 - sine**2) * normals
            total += ~_blocked(caster, start, direction, _REACH_M)
    return (total / sum(count for _, count, _ in rings)).astype(np.float32)


def _sees(
    caster, start: NDArray[np.float64], normals: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float32]:
    to = target - start
    facing = np.nonzero((to * normals).sum(axis=1) > 0.0)[0]  # the others get no light from there anyway
    seen = np.zeros(len(start), dtype=np.float32)
    seen[facing] = ~_blocked(caster, start[facing], to[facing], 0.98)
    return seen


def _blocked(caster, start: NDArray[np.float64], direction: NDArray[np.float64], reach: float) -> NDArray[np.bool_]:
    import open3d as o3d

    rays = np.concatenate([start, direction], axis=1).astype(np.float32)
    return caster.test_occlusions(o3d.core.Tensor.from_numpy(rays), tnear=0.0, tfar=reach).numpy()
