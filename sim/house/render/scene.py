"""A house as flat arrays for kernels: local meshes, materials, poses. Moving a thing changes one row."""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from sim.house.house import House
from sim.house.materials import Material
from sim.house.render.texture import material_table, noise_table


class Surfaces(NamedTuple):
    """What kernels read. Index 0 of things is thing_id 1."""

    vertices: NDArray[np.float32]
    """(V, 3) in the frame of their thing, metres"""
    normals: NDArray[np.float32]
    """(V, 3)"""
    light: NDArray[np.float32]
    """(V, 4) 0 to 1: openness to the room, visibility of the lamp, of two windows"""
    faces: NDArray[np.int32]
    """(F, 3)"""
    face_material: NDArray[np.int32]
    """(F,)"""
    face_thing: NDArray[np.int32]
    """(F,) index of the thing"""
    materials: NDArray[np.float32]
    """(M, 13) see texture.COLUMNS"""
    poses: NDArray[np.float64]
    """(T, 3, 4) world_from_thing"""
    rooms: NDArray[np.int32]
    """(T,) room of each thing: whose lamp shines on it"""
    categories: NDArray[np.int32]
    """(T,) category ids"""
    lamps: NDArray[np.float64]
    """(R, 4) position and strength of each room's lamp"""
    windows: NDArray[np.float64]
    """(R, 2, 7) middle, inward normal and area of the two largest windows of a room; area 0 where there is none"""
    noise: NDArray[np.float32]
    """(256, 256)"""


@final
class Scene:
    """The arrays of a house, with which things are there."""

    def __init__(self, house: House) -> None:
        things = house.things
        shapes = [t.shape for t in things]
        self.first_vertex = _starts([len(s.vertices_m) for s in shapes])
        self.first_face = _starts([len(s.faces) for s in shapes])
        rows: dict[Material, int] = {}
        local = [np.array([rows.setdefault(m, len(rows)) for m in s.materials], dtype=np.int32) for s in shapes]
        self.shown = np.ones(len(things), dtype=bool)
        boxes = [s.box_m for s in shapes]
        self.centres = np.array([(low + high) / 2.0 for low, high in boxes])
        """(T, 3) middle of each thing's box in its own frame"""
        self.radii = np.array([np.linalg.norm(high - low) / 2.0 for low, high in boxes])
        self.boxes = np.array([[(low + high) / 2.0, (high - low) / 2.0] for low, high in boxes])
        """(T, 2, 3) middle and half size of each thing's box in its own frame"""
        vertices = np.concatenate([s.vertices_m for s in shapes])
        self.surfaces = Surfaces(
            np.ascontiguousarray(vertices),
            np.ascontiguousarray(np.concatenate([s.normals for s in shapes])),
            np.ones((len(vertices), 4), dtype=np.float32),
            _in_rows(np.concatenate([s.faces + o for s, o in zip(shapes, self.first_vertex[:-1], strict=True)])),
            np.concatenate([ids[s.face_material] for ids, s in zip(local, shapes, strict=True)]).astype(np.int32),
            np.repeat(np.arange(len(things), dtype=np.int32), np.diff(self.first_face)),
            material_table(list(rows)),
            np.array([t.world_from_thing[:3] for t in things]),
            np.array([t.room_id for t in things], dtype=np.int32),
            np.array([t.category_id for t in things], dtype=np.int32),
            _lamps(house),
            _windows(house),
            noise_table(),
        )
        poses = self.surfaces.poses
        self.world_centres = np.einsum("tij,tj->ti", poses[:, :, :3], self.centres) + poses[:, :, 3]
        """(T, 3) middles of the things' boxes, world frame"""

    def world_vertices(self) -> NDArray[np.float32]:
        """(V, 3) vertices where their things are now."""
        s = self.surfaces
        out = np.empty_like(s.vertices)
        for pose, first, last in zip(s.poses, self.first_vertex[:-1], self.first_vertex[1:], strict=True):
            out[first:last] = s.vertices[first:last] @ pose[:, :3].T + pose[:, 3]
        return out

    def place(self, index: int, pose: NDArray[np.float64]) -> None:
        """A thing's pose (3, 4) from now on."""
        self.surfaces.poses[index] = pose
        self.world_centres[index] = pose[:, :3] @ self.centres[index] + pose[:, 3]


def closed_things(scene: Scene) -> NDArray[np.bool_]:
    """(T,) whether a thing's surface has no rim: each edge is passed as often in one direction as in the other.

    Edges are told apart by their ends' positions to 0.01 mm. What one pass adds to a sum of hashes, the pass in the
    other direction takes away.
    """
    s = scene.surfaces
    with np.errstate(over="ignore"):
        grid = np.round(s.vertices / 1.37e-5).astype(np.int64).view(np.uint64)
        point = _mixed(_mixed(_mixed(grid[:, 0]) + grid[:, 1]) + grid[:, 2])
        ends = point[s.faces]
        total = np.zeros(len(ends), dtype=np.uint64)
        for a, b in ((0, 1), (1, 2), (2, 0)):
            total += _mixed(3 * ends[:, a] + ends[:, b]) - _mixed(3 * ends[:, b] + ends[:, a])
        return np.add.reduceat(total, scene.first_face[:-1]) == 0


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Bits well stirred (the finaliser of splitmix64, Steele, Lea and Flood, 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _in_rows(faces: NDArray[np.int64]) -> NDArray[np.int32]:
    """Kernels are compiled for rows that lie together."""
    return np.ascontiguousarray(faces, dtype=np.int32)


def _starts(counts: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _lamps(house: House) -> NDArray[np.float64]:
    lamps = np.zeros((len(house.rooms), 4))
    for room in house.rooms:
        x, y = room.inside.centre
        lamps[room.room_id] = (x, y, room.base_m + 2.0, 0.0)
    for t in house.things:
        if t.category == "ceiling lamp":
            low = t.shape.box_m[0]
            area = house.rooms[t.room_id].inside.area
            lamps[t.room_id, :3] = t.world_from_thing[:3, 3] + (0.0, 0.0, float(low[2]) - 0.03)
            lamps[t.room_id, 3] = 0.9 + 0.035 * area  # larger rooms have stronger lamps
    return lamps


def _windows(house: House) -> NDArray[np.float64]:
    windows = np.zeros((len(house.rooms), 2, 7))
    for room in house.rooms:
        found = []
        for o in house.plan.openings_of(room.room_id):
            if o.passage.value != "window":
                continue
            (x, y), (cx, cy) = o.middle, room.inside.centre
            inward = np.array([0.0, np.sign(cy - y), 0.0] if o.axis == 0 else [np.sign(cx - x), 0.0, 0.0])
            middle = np.array([x, y, room.base_m + (o.low_m + o.high_m) / 2.0]) + 0.16 * inward
            found.append((o.width_m * (o.high_m - o.low_m), [*middle, *inward]))
        for i, (area, row) in enumerate(sorted(found, key=lambda w: -w[0])[:2]):
            windows[room.room_id, i] = [*row, area]
    return windows
