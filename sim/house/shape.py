"""Shapes of things: a mesh whose faces have materials, with the places where other things can be put."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house import parts
from sim.house.materials import Material
from sim.house.parts import Vector


@dataclass(frozen=True)
class Region:
    """A level place of a shape where things can be, in the frame of the shape, metres."""

    relation: str
    """how language puts it: on, in or under"""
    kind: str
    """what sort of place it is, such as "counter" or "shelf"; decides what is put there"""
    x_m: float
    y_m: float
    """centre"""
    z_m: float
    """height at which things stand"""
    width_m: float
    depth_m: float
    """extent along x and along y"""
    height_m: float
    """room above z_m"""


@dataclass(frozen=True)
class Footprint:
    """A rectangle that an agent cannot enter, in the frame of the shape, metres."""

    x_m: float
    y_m: float
    width_m: float
    depth_m: float


@dataclass(frozen=True, eq=False)
class Shape:
    """A mesh in the frame of its thing: origin below its middle, z up, +y where its front looks, metres."""

    vertices_m: NDArray[np.float32]
    """(V, 3)"""
    normals: NDArray[np.float32]
    """(V, 3) unit"""
    faces: NDArray[np.int32]
    """(F, 3) indices of vertices, anticlockwise from outside"""
    face_material: NDArray[np.int32]
    """(F,) indices of materials"""
    materials: tuple[Material, ...]
    regions: tuple[Region, ...] = ()
    footprints: tuple[Footprint, ...] = ()

    @functools.cached_property
    def box_m(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper corner of the mesh, (3,) float64 each."""
        return self.vertices_m.min(axis=0).astype(np.float64), self.vertices_m.max(axis=0).astype(np.float64)


@final
class Kit:
    """Puts parts together. Roles name materials: a builder says `role="legs"` and the finish says of what they are.

    Positions are those of the middle of a part's underside unless said otherwise.
    """

    def __init__(self, finish: Mapping[str, Material], rng: np.random.Generator) -> None:
        self.rng = rng
        self._finish = dict(finish)
        self._roles: list[str] = []
        self._parts: list[tuple[parts.Part, int]] = []
        self._regions: list[Region] = []
        self._footprints: list[Footprint] = []
        self._from_part = np.eye(4)

    def has(self, role: str) -> bool:
        """Whether the finish names this role."""
        return role in self._finish

    def give(self, role: str, finish: Material) -> None:
        """Add a material for parts to come."""
        self._finish[role] = finish

    @contextlib.contextmanager
    def turned(
        self,
        at: Vector = (0.0, 0.0, 0.0),
        *,
        yaw_deg: float = 0.0,
        pitch_deg: float = 0.0,
        roll_deg: float = 0.0,
    ) -> Iterator[None]:
        """Parts added inside are turned about x (pitch), y (roll), then z (yaw), and moved to `at`."""
        outer = self._from_part
        self._from_part = outer @ placed(at, yaw_deg=yaw_deg, pitch_deg=pitch_deg, roll_deg=roll_deg)
        try:
            yield
        finally:
            self._from_part = outer

    @contextlib.contextmanager
    def stretched(self, at: Vector, x: float, y: float) -> Iterator[None]:
        """Parts added inside are scaled along x and y, then moved to `at`; normals follow the surface."""
        outer = self._from_part
        scale = placed(at)
        scale[0, 0], scale[1, 1] = x, y
        self._from_part = outer @ scale
        try:
            yield
        finally:
            self._from_part = outer

    def add(self, part: parts.Part, at: Vector, role: str) -> None:
        """Any part, its origin moved to `at`."""
        if role not in self._roles:
            self._roles.append(role)
        m = self._from_part
        vertices = (part.vertices_m + np.asarray(at, dtype=np.float64)) @ m[:3, :3].T + m[:3, 3]
        normals = part.normals @ np.linalg.inv(m[:3, :3])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        self._parts.append((parts.Part(vertices, normals, part.faces), self._roles.index(role)))

    def box(self, at: Vector, size: Vector, role: str, round_m: float = 0.006, rings: int = 1) -> None:
        """A box of `size`, standing at `at`, its edges rounded."""
        self.add(parts.box(size, round_m, rings), (at[0], at[1], at[2] + size[2] / 2.0), role)

    def cylinder(
        self, at: Vector, radius: float, height: float, role: str, top: float | None = None, segments: int = 20
    ) -> None:
        """A standing cylinder or stump of a cone."""
        self.add(parts.cylinder(radius, height, top, segments), at, role)

    def cylinder_x(self, centre: Vector, radius: float, length: float, role: str) -> None:
        """A rod along x about its centre."""
        x, y, z = centre
        self.tube([(x - length / 2.0, y, z), (x + length / 2.0, y, z)], radius, role, 12)

    def cylinder_y(self, centre: Vector, radius: float, length: float, role: str) -> None:
        """A rod along y about its centre."""
        x, y, z = centre
        self.tube([(x, y - length / 2.0, z), (x, y + length / 2.0, z)], radius, role, 12)

    def prism(self, at: Vector, outline: Sequence[tuple[float, float]], height: float, role: str) -> None:
        """A convex outline raised to a height, see parts.prism."""
        self.add(parts.prism(outline, height), at, role)

    def lathe(self, at: Vector, profile: Sequence[tuple[float, float]], role: str, segments: int = 24) -> None:
        """A turned part, see parts.lathe."""
        self.add(parts.lathe(profile, segments), at, role)

    def tube(
        self, path: Sequence[Vector] | NDArray[np.float64], radius: float | Vector, role: str, segments: int = 8
    ) -> None:
        """A round rod along points."""
        self.add(parts.tube(path, radius, segments), (0.0, 0.0, 0.0), role)

    def ball(self, centre: Vector, radii: Vector, role: str, power: float = 1.0, segments: int = 18) -> None:
        """An ellipsoid, or with power below 1 something nearer to a box, about its centre."""
        self.add(parts.ball(radii, segments, power), centre, role)

    def cushion(self, at: Vector, size: Vector, role: str) -> None:
        """A soft slab lying at `at`."""
        self.ball((at[0], at[1], at[2] + size[2] / 2.0), np.asarray(size) / 2.0, role, power=0.35, segments=32)

    def leaf(self, path: NDArray[np.float64], width: float, role: str) -> None:
        """A blade along a path in the x-z plane, widest in its middle, thin but with two sides."""
        self.add(parts.leaf(path, width), (0.0, 0.0, 0.0), role)

    def legs(
        self, width: float, depth: float, height: float, radius: float, role: str, top: float | None = None
    ) -> None:
        """Four legs at the corners of a rectangle, thinner below when `top` is larger."""
        for x in (-0.5, 0.5):
            for y in (-0.5, 0.5):
                self.cylinder((x * width, y * depth, 0.0), radius, height, role, top, segments=12)

    def region(self, relation: str, kind: str, at: Vector, size: Vector) -> None:
        """A place for things: middle of its floor, then width, depth and clear height. Turns are not applied."""
        self._regions.append(Region(relation, kind, *map(float, at), *map(float, size)))  # type: ignore[call-arg]

    def footprint(self, x: float, y: float, width: float, depth: float) -> None:
        """Ground that is taken; a shape without any takes all that lies below it."""
        self._footprints.append(Footprint(x, y, width, depth))

    def built(self) -> Shape:
        """The shape, in float32."""
        counts = np.cumsum([0, *(len(p.vertices_m) for p, _ in self._parts)])
        vertices = np.concatenate([p.vertices_m for p, _ in self._parts]).astype(np.float32)
        faces = np.concatenate([p.faces + c for (p, _), c in zip(self._parts, counts[:-1], strict=True)])
        material = np.concatenate([np.full(len(p.faces), role) for p, role in self._parts])
        prints = tuple(self._footprints) or (_ground(vertices),)
        return Shape(
            vertices,
            np.concatenate([p.normals for p, _ in self._parts]).astype(np.float32),
            faces.astype(np.int32),
            material.astype(np.int32),
            tuple(self._finish[role] for role in self._roles),
            tuple(self._regions),
            prints,
        )


def placed(at: Vector, *, yaw_deg: float = 0.0, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> NDArray[np.float64]:
    """(4, 4) transform: turned about x by pitch, about y by roll, then about z by yaw, then moved to `at`."""
    (cx, cy, cz), (sx, sy, sz) = (f(np.radians([pitch_deg, roll_deg, yaw_deg])) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    transform = np.eye(4)
    transform[:3, :3] = about_z @ about_y @ about_x
    transform[:3, 3] = at
    return transform


def _ground(vertices: NDArray[np.float32]) -> Footprint:
    low, high = vertices[:, :2].min(axis=0).astype(float), vertices[:, :2].max(axis=0).astype(float)
    middle, size = (low + high) / 2.0, high - low
    return Footprint(middle[0], middle[1], size[0], size[1])
