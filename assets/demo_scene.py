"""The room of the demo recording: meshes with colours, and a small ray-traced look at them.

World: right-handed metres, z up, origin on the floor in a corner of the room. Needs open3d.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import open3d as o3d

Colour = tuple[int, int, int]
Paint = Callable[[np.ndarray], np.ndarray]
"""(N, 3) surface points in metres to (N, 3) linear-ish RGB between 0 and 1"""

ROOM_M = (4.2, 3.4, 2.5)
LAMPS_M = ((1.3, 1.2, 2.35), (2.9, 2.2, 2.35))
_CAST_BIAS_M = 1e-3


@dataclass(frozen=True)
class Part:
    """One mesh of one paint."""

    name: str
    mesh: o3d.t.geometry.TriangleMesh
    paint: Paint


def room() -> list[Part]:
    """Every part of the kitchenette."""
    return [*_shell(), *_kitchen_line(), *_table(), *_chair(), *_small_things(), *_plant()]


def _plain(rgb: Colour, grain: float = 0.02) -> Paint:
    base = np.array(rgb) / 255.0
    return lambda points: base * (1.0 + grain * _noise(points * 40.0)[:, None])


def _noise(points: np.ndarray) -> np.ndarray:
    """(N,) smooth value noise in [-1, 1] on a unit lattice."""
    cell = np.floor(points).astype(np.int64)
    share = points - cell
    share = share * share * (3.0 - 2.0 * share)
    total = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        offset = np.array(corner)
        weight = np.where(offset == 1, share, 1.0 - share).prod(axis=1)
        total += weight * _lattice(cell + offset)
    return total


def _lattice(cell: np.ndarray) -> np.ndarray:
    mixed = cell[:, 0] * 73856093 ^ cell[:, 1] * 19349663 ^ cell[:, 2] * 83492791
    return ((mixed * 2654435761 >> 8) & 0xFFFF) / 32767.5 - 1.0


def _planks(points: np.ndarray) -> np.ndarray:
    row = np.floor(points[:, 1] / 0.14).astype(np.int64)
    column = np.floor((points[:, 0] + 0.37 * (row % 3)) / 1.1).astype(np.int64)
    tone = 0.12 * _lattice(np.stack([row, column, row * 0 + 7], axis=1))
    grain = 0.08 * _noise(points * np.array([6.0, 60.0, 1.0]))
    seam = np.abs(points[:, 1] / 0.14 - np.round(points[:, 1] / 0.14)) < 0.02
    shade = np.where(seam, 0.72, 1.0 + tone + grain)
    return np.array([0.46, 0.33, 0.23]) * shade[:, None]


def _tiles(points: np.ndarray) -> np.ndarray:
    edge = np.minimum(*(np.abs(points[:, k] / 0.15 - np.round(points[:, k] / 0.15)) for k in (0, 2)))
    value = np.where(edge < 0.03, 0.62, 0.86 + 0.02 * _noise(np.floor(points / 0.15)))
    return np.repeat(value[:, None], 3, axis=1)


def _wall(points: np.ndarray) -> np.ndarray:
    stripe = (np.floor((points[:, 0] + points[:, 1]) / 0.2).astype(np.int64) % 2)[:, None]
    board = points[:, 2] < 0.1
    paper = np.array([0.80, 0.79, 0.76]) - 0.035 * stripe + 0.02 * _noise(points * 25.0)[:, None]
    return np.where(board[:, None], np.array([0.90, 0.90, 0.88]), paper)


def _window(points: np.ndarray) -> np.ndarray:
    sash = np.minimum(np.abs(points[:, 1] - 1.9), np.abs(points[:, 2] - 1.5)) < 0.03
    return np.where(sash[:, None], 0.85, np.array([0.97, 0.98, 0.98]))


def _wood(points: np.ndarray) -> np.ndarray:
    grain = 0.10 * _noise(points * np.array([5.0, 45.0, 45.0]))
    return np.array([0.58, 0.42, 0.28]) * (1.0 + grain)[:, None]


def _box(low: tuple[float, float, float], high: tuple[float, float, float]) -> o3d.t.geometry.TriangleMesh:
    size = np.subtract(high, low)
    mesh = o3d.geometry.TriangleMesh.create_box(*(float(v) for v in size)).translate(low)
    return o3d.t.geometry.TriangleMesh.from_legacy(mesh)


def _ball(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> o3d.t.geometry.TriangleMesh:
    mesh = o3d.geometry.TriangleMesh.create_sphere(1.0, 14)
    mesh.vertices = o3d.utility.Vector3dVector(np.asarray(mesh.vertices) * radii + centre)
    return o3d.t.geometry.TriangleMesh.from_legacy(mesh)


def _post(x: float, y: float, z: float, radius: float, height: float) -> o3d.t.geometry.TriangleMesh:
    mesh = o3d.geometry.TriangleMesh.create_cylinder(radius, height, 28, 1).translate((x, y, z + height / 2.0))
    return o3d.t.geometry.TriangleMesh.from_legacy(mesh)


def _shell() -> list[Part]:
    x, y, z = ROOM_M
    thick = 0.1
    walls = [
        ((-thick, 0, 0), (0, y, z)), ((x, 0, 0), (x + thick, y, z)),
        ((-thick, -thick, 0), (x + thick, 0, z)), ((-thick, y, 0), (x + thick, y + thick, z)),
    ]  # fmt: skip
    return [
        Part("floor", _box((-thick, -thick, -thick), (x + thick, y + thick, 0)), _planks),
        Part("ceiling", _box((-thick, -thick, z), (x + thick, y + thick, z + thick)), _plain((238, 238, 236))),
        *(Part("wall", _box(low, high), _wall) for low, high in walls),
        Part("window", _box((x - 0.02, 1.3, 1.0), (x, 2.5, 2.0)), _window),
        Part("door", _box((0.5, 0.0, 0.0), (1.3, 0.03, 2.0)), _plain((205, 203, 198))),
        Part("door knob", _ball((1.2, 0.06, 1.0), (0.03, 0.03, 0.03)), _plain((120, 120, 120))),
    ]


def _kitchen_line() -> list[Part]:
    y = ROOM_M[1]
    cupboards = [
        Part("cupboard", _box((0.75 + 0.6 * k, y - 0.58, 0.1), (1.34 + 0.6 * k, y, 0.86)), _plain((222, 222, 218)))
        for k in range(4)
    ]
    handles = [
        Part("handle", _box((0.95 + 0.6 * k, y - 0.61, 0.78), (1.15 + 0.6 * k, y - 0.58, 0.80)), _plain((70, 70, 70)))
        for k in range(4)
    ]
    shelf = [_box((1.0, y - 0.28, 1.55), (2.9, y, 1.59)), _box((0.75, y - 0.5, 0.0), (3.13, y, 0.1))]
    return [
        Part("fridge", _box((0.05, y - 0.62, 0.0), (0.68, y, 1.75)), _plain((196, 198, 200))),
        Part("fridge handle", _box((0.6, y - 0.66, 0.9), (0.63, y - 0.62, 1.4)), _plain((70, 70, 70))),
        *cupboards,
        *handles,
        Part("worktop", _box((0.72, y - 0.62, 0.86), (3.16, y, 0.90)), _wood),
        Part("tiles", _box((0.70, y - 0.012, 0.90), (3.18, y, 1.5)), _tiles),
        *(Part("shelf", mesh, _wood) for mesh in shelf),
        Part("hob", _box((1.1, y - 0.5, 0.90), (1.65, y - 0.1, 0.907)), _plain((28, 28, 30))),
        Part("pot", _post(1.25, y - 0.3, 0.907, 0.11, 0.15), _plain((60, 62, 64))),
        Part("jar", _post(1.3, y - 0.14, 1.59, 0.06, 0.16), _plain((225, 225, 225))),
        Part("jar", _post(1.5, y - 0.14, 1.59, 0.06, 0.2), _plain((45, 45, 45))),
    ]


def _table() -> list[Part]:
    legs = [_box((x, y, 0.0), (x + 0.05, y + 0.05, 0.72)) for x in (1.7, 2.65) for y in (1.15, 1.75)]
    return [
        Part("table top", _box((1.65, 1.1, 0.72), (2.75, 1.85, 0.75)), _wood),
        *(Part("table leg", leg, _wood) for leg in legs),
    ]


def _chair() -> list[Part]:
    red = _plain((196, 22, 28))
    legs = [_box((x, y, 0.0), (x + 0.04, y + 0.04, 0.44)) for x in (2.96, 3.32) for y in (1.26, 1.62)]
    seat = [_box((2.95, 1.25, 0.44), (3.38, 1.68, 0.48)), _box((3.33, 1.25, 0.48), (3.38, 1.68, 0.95))]
    return [Part("chair", mesh, red) for mesh in (*legs, *seat)]


def _small_things() -> list[Part]:
    y = ROOM_M[1]
    return [
        Part("box", _box((0.12, 1.1, 0.0), (0.62, 1.6, 0.38)), _plain((24, 62, 190))),
        Part("cup", _post(2.1, 1.45, 0.75, 0.05, 0.11), _plain((240, 200, 10))),
        Part("cup handle", _box((2.145, 1.44, 0.775), (2.185, 1.46, 0.84)), _plain((240, 200, 10))),
        Part("plate", _post(2.4, 1.4, 0.75, 0.11, 0.012), _plain((232, 232, 230))),
        Part("bowl", _ball((2.5, y - 0.3, 0.95), (0.13, 0.13, 0.06)), _plain((232, 112, 14))),
        Part("rug", _box((1.3, 0.5, 0.0), (3.1, 0.95, 0.012)), _plain((92, 92, 96), 0.15)),
    ]


def _plant() -> list[Part]:
    rng = np.random.default_rng(7)
    green = _plain((34, 128, 44), 0.25)
    leaves = []
    for _ in range(26):
        turn, tilt, reach = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 1.3), rng.uniform(0.10, 0.26)
        centre = (
            3.82 + reach * np.cos(turn) * np.cos(tilt), 0.42 + reach * np.sin(turn) * np.cos(tilt),
            0.78 + 1.3 * reach * np.sin(tilt),
        )  # fmt: skip
        leaves.append(Part("leaf", _ball(centre, tuple(rng.uniform(0.05, 0.11, 3))), green))
    trunk = Part("trunk", _post(3.82, 0.42, 0.3, 0.025, 0.45), _plain((92, 64, 40)))
    return [Part("plant pot", _post(3.82, 0.42, 0.0, 0.17, 0.34), _plain((215, 214, 210))), trunk, *leaves]


class Tracer:
    """Casts rays into the parts: depth, and a shaded colour (lamps with soft shadows, window, ambient occlusion)."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._scene = o3d.t.geometry.RaycastingScene()
        for part in parts:
            self._scene.add_triangles(part.mesh)

    def depth_m(self, eye: np.ndarray, rays: np.ndarray) -> np.ndarray:
        """(N,) ray parameter of the first surface along rays (N, 3) from `eye`; z depth when rays have z = 1."""
        return self._cast(np.broadcast_to(eye, rays.shape), rays)["t_hit"].numpy()

    def colour(self, eye: np.ndarray, rays: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(N, 3) sRGB in [0, 1] along rays (N, 3)."""
        hit = self._cast(np.broadcast_to(eye, rays.shape), rays)
        points = eye + rays * hit["t_hit"].numpy()[:, None].astype(np.float64)
        normals = hit["primitive_normals"].numpy().astype(np.float64)
        normals *= -np.sign((normals * rays).sum(axis=1, keepdims=True))
        albedo = self._albedo(hit["geometry_ids"].numpy(), points)
        start = points + normals * _CAST_BIAS_M
        light = 0.42 * self._openness(start, normals, rng)
        light += sum(self._lamp(start, normals, lamp, rng) for lamp in LAMPS_M)
        return np.clip(albedo * light[:, None], 0.0, 1.0)

    def _cast(self, origins: np.ndarray, rays: np.ndarray) -> dict[str, o3d.core.Tensor]:
        both = np.concatenate([origins, rays], axis=1).astype(np.float32)
        return self._scene.cast_rays(o3d.core.Tensor(both))

    def _albedo(self, part_ids: np.ndarray, points: np.ndarray) -> np.ndarray:
        albedo = np.zeros((len(points), 3))
        for k in np.unique(part_ids):
            if k < len(self._parts):
                mine = part_ids == k
                albedo[mine] = self._parts[k].paint(points[mine])
        return albedo

    def _lamp(self, start: np.ndarray, normals: np.ndarray, lamp: tuple, rng: np.random.Generator) -> np.ndarray:
        towards = np.array(lamp) + rng.uniform(-0.12, 0.12, start.shape) * (1.0, 1.0, 0.0) - start
        distance = np.linalg.norm(towards, axis=1)
        cosine = np.maximum((normals * towards).sum(axis=1) / distance, 0.0)
        blocked = self._cast(start, towards)["t_hit"].numpy() < 1.0
        return np.where(blocked, 0.0, 0.95 * cosine / (0.8 + 0.22 * distance**2))

    def _openness(self, start: np.ndarray, normals: np.ndarray, rng: np.random.Generator, rays: int = 6) -> np.ndarray:
        """Share of random directions above the surface that are free for 60 cm (ambient occlusion)."""
        free = np.zeros(len(start))
        for _ in range(rays):
            way = rng.normal(size=start.shape)
            way = way / np.linalg.norm(way, axis=1, keepdims=True) + normals * 1.001
            way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
            free += self._cast(start, way)["t_hit"].numpy() > 0.6
        return 0.35 + 0.65 * free / rays
