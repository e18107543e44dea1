"""A world made by hand, so that tasks are tried in another than the houses: rooms on a grid, things as boxes.

Two rooms of 5 x 6 m joined by a gap in a wall; furniture on the floor, small things on furniture. From one hour on
a mug stands on another piece of furniture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from sim.body import Action, Moved, Stand
from sim.errors import InvalidSetting, MissingScene, SimError, unknown_name
from sim.scene import Scene, SceneConfig, SceneObject, Sight, World
from spatialmem.geometry import pixel_rays
from spatialmem.types import Camera

HOUR_NS = 3_600_000_000_000
CELL_M, RADIUS_M, EYE_M, HIGH_M = 0.1, 0.18, 1.2, 2.5
WIDE_M, DEEP_M = 10.0, 6.0
KINDS = ("table", "dining table", "chair", "shelf", "bed")
COLOURS = ("red", "blue", "green", "white")
SPLITS = {"train": 3, "val": 2, "test": 1}
_RGB = {"red": (200, 30, 30), "blue": (30, 30, 200), "green": (30, 160, 30), "white": (230, 230, 230)}


@dataclass(frozen=True)
class Box:
    low_m: tuple[float, float, float]
    high_m: tuple[float, float, float]


def wall(x0: float, y0: float, x1: float, y1: float) -> Box:
    return Box((x0, y0, 0.0), (x1, y1, HIGH_M))


WALLS = (
    wall(-0.2, -0.2, WIDE_M + 0.2, 0.0), wall(-0.2, DEEP_M, WIDE_M + 0.2, DEEP_M + 0.2),
    wall(-0.2, 0.0, 0.0, DEEP_M), wall(WIDE_M, 0.0, WIDE_M + 0.2, DEEP_M),
    wall(4.9, 0.0, 5.1, 3.6), wall(4.9, 4.8, 5.1, DEEP_M),
)  # fmt: skip


def camera_at(stand: Stand, eye_m: float) -> NDArray[np.float64]:
    """(4, 4) world_from_camera of a body's camera at this height."""
    cy, sy = math.cos(stand.yaw_rad), math.sin(stand.yaw_rad)
    cp, sp = math.cos(stand.pitch_rad), math.sin(stand.pitch_rad)
    forward, right = np.array([cy * cp, sy * cp, sp]), np.array([sy, -cy, 0.0])
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = right, np.cross(forward, right), forward
    pose[:3, 3] = stand.ground_m + (0.0, 0.0, eye_m)
    return pose


@final
class GridWorld(World):
    """Finite: 3, 2 and 1 scenes in the splits."""

    name: ClassVar[str] = "grid"

    def scene_ids(self, split: str, count: int) -> list[str]:
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        return [f"{split}-{n}" for n in range(min(count, SPLITS[split]))]

    def open(self, scene_id: str, config: SceneConfig) -> GridScene:
        split, _, number = scene_id.partition("-")
        if split not in SPLITS or number not in [str(n) for n in range(SPLITS[split])]:
            raise MissingScene(f"no scene {scene_id!r} in the world 'grid', which has scenes such as 'train-0'")
        return GridScene(scene_id, config)


@final
class GridScene(Scene):
    def __init__(self, scene_id: str, config: SceneConfig) -> None:
        self.scene_id, self.motion = scene_id, config.motion
        self.camera = Camera.from_hfov(config.hfov_deg, config.width, config.height)
        self._stamp_ns = 0
        self._views: dict[str, NDArray[np.float64]] = {}
        self._things = furnish(np.random.default_rng(list(scene_id.encode())))
        self._free = free_cells([Box(tuple(t.box_min_m), tuple(t.box_max_m)) for t in self._things if not t.support])
        self._places_m = self._lattice()
        x, y, z = (float(v) for v in self._places_m[0])
        self._stand = Stand(x, y, z, 0.0)

    @property
    def stand(self) -> Stand:
        return self._stand

    @property
    def world_from_camera(self) -> NDArray[np.float64]:
        return camera_at(self._stand, EYE_M)

    def place(self, ground_m: NDArray[np.floating], yaw_rad: float, pitch_rad: float = 0.0) -> Stand:
        x, y, z = (float(v) for v in ground_m)
        if not self._is_free(x, y) or abs(z) > 0.3:
            raise InvalidSetting(f"nobody can stand at {(x, y, z)}")
        self._stand = Stand(x, y, 0.0, yaw_rad, pitch_rad)
        return self._stand

    def act(self, action: Action) -> Moved:
        moved = self.after(self._stand, action)
        self._stand = moved.stand
        return moved

    def after(self, stand: Stand, action: Action) -> Moved:
        m, most = self.motion, math.radians(self.motion.furthest_look_deg)
        turn = {Action.LEFT: m.turn_deg, Action.RIGHT: -m.turn_deg}.get(action, 0.0)
        look = {Action.LOOK_UP: m.look_deg, Action.LOOK_DOWN: -m.look_deg}.get(action, 0.0)
        yaw = (stand.yaw_rad + math.radians(turn) + math.pi) % (2 * math.pi) - math.pi if turn else stand.yaw_rad
        pitch = min(max(stand.pitch_rad + math.radians(look), -most), most)
        gone, x, y = 0.0, stand.x_m, stand.y_m
        if action is Action.FORWARD:
            for step in np.linspace(0.0, m.forward_m, 11)[1:]:
                at = (stand.x_m + step * math.cos(yaw), stand.y_m + step * math.sin(yaw))
                if not self._is_free(*at):
                    break
                (x, y), gone = at, float(step)
        collided = action is Action.FORWARD and gone < m.forward_m - 1e-9
        return Moved(replace(stand, x_m=x, y_m=y, yaw_rad=yaw, pitch_rad=pitch), collided, gone)

    def look(self, normals: bool = False) -> Sight:
        return self.sight_from(self.world_from_camera, self.camera)

    def sight_from(self, world_from_camera: NDArray[np.floating], camera: Camera) -> Sight:
        pose = np.asarray(world_from_camera, np.float64)
        rays = pixel_rays(camera).reshape(-1, 3) @ pose[:3, :3].T
        depth, which = self._cast(pose[None, :3, 3], rays)
        things = dict(enumerate(self._things, len(WALLS) + 2))
        ids, rgb = np.zeros(len(rays), np.int32), np.full((len(rays), 3), 150, np.uint8)
        for n, thing in things.items():
            ids[which == n], rgb[which == n] = thing.instance_id, _RGB[thing.attributes["colour"]]
        shape = (camera.height, camera.width)
        return Sight(
            rgb.reshape(*shape, 3), depth.reshape(shape).astype(np.float32), ids.reshape(shape),
            np.zeros((0, 0, 3), np.float32), pose, camera,
        )  # fmt: skip

    def _cast(
        self, eyes_m: NDArray[np.float64], rays: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """For rays (N, 3) from eyes (N or 1, 3): how many of its lengths each goes, and which box it hits."""
        plates = [Box((-1, -1, -0.1), (11, 7, 0.0)), Box((-1, -1, HIGH_M), (11, 7, HIGH_M + 0.1))]
        boxes = [(b.low_m, b.high_m) for b in (*WALLS, *plates)] + [(t.box_min_m, t.box_max_m) for t in self._things]
        slope = (1.0 / np.where(np.abs(rays) < 1e-9, 1e-9, rays)).T
        eyes, depth, which = eyes_m.T, np.full(len(rays), np.inf), np.zeros(len(rays), np.intp)
        for number, (low, high) in enumerate(boxes):
            enter, leave = np.full(len(rays), 1e-6), np.full(len(rays), np.inf)
            for axis in range(3):
                a, b = (low[axis] - eyes[axis]) * slope[axis], (high[axis] - eyes[axis]) * slope[axis]
                enter, leave = np.maximum(enter, np.minimum(a, b)), np.minimum(leave, np.maximum(a, b))
            nearer = (enter <= leave) & (enter > 1e-6) & (enter < depth)
            depth[nearer], which[nearer] = enter[nearer], number
        return depth, which

    @property
    def stamp_ns(self) -> int:
        return self._stamp_ns

    def advance(self, stamp_ns: int) -> None:
        if stamp_ns < self._stamp_ns:
            raise InvalidSetting(f"time never goes back; given {stamp_ns} after {self._stamp_ns}")
        if self._stamp_ns < HOUR_NS <= stamp_ns:
            mug = next(t for t in self._things if t.category == "mug")
            other = next(t for t in self._things[::-1] if not t.support and t.object_id != mug.support)
            self._things = tuple(on(other, t) if t is mug else t for t in self._things)
        self._stamp_ns, self._views = stamp_ns, {}

    def objects(self) -> tuple[SceneObject, ...]:
        return self._things

    def viewpoints_m(self, object_id: str) -> NDArray[np.float64]:
        if object_id not in self._views:
            self._views[object_id] = self._viewpoints_m(object_id)
        return self._views[object_id]

    def _viewpoints_m(self, object_id: str) -> NDArray[np.float64]:
        thing = next((t for t in self._things if t.object_id == object_id), None)
        if thing is None:
            raise SimError(f"no thing {object_id!r}")
        places = self.standing_places_m()
        off = np.maximum(np.maximum(thing.box_min_m[:2] - places[:, :2], places[:, :2] - thing.box_max_m[:2]), 0.0)
        near = places[np.hypot(off[:, 0], off[:, 1]) <= 1.0]
        eyes = near + (0.0, 0.0, EYE_M)
        return near[self._cast(eyes, thing.middle_m - eyes)[1] == len(WALLS) + 2 + self._things.index(thing)]

    def distance_m(self, start_m: NDArray[np.floating], targets_m: NDArray[np.floating]) -> float:
        return self.distances_to(targets_m)(start_m)

    def distances_to(self, targets_m: NDArray[np.floating]) -> Callable[[NDArray[np.floating]], float]:
        cost = flood(self._free, [cell_of(p) for p in targets_m])

        def far(point_m: NDArray[np.floating]) -> float:
            straight = np.linalg.norm(np.asarray(targets_m)[:, :2] - np.asarray(point_m)[:2], axis=1).min()
            return float(straight) if straight < CELL_M else float(cost[cell_of(point_m)])

        return far

    def standing_places_m(self) -> NDArray[np.float64]:
        return self._places_m

    def _lattice(self) -> NDArray[np.float64]:
        reachable = np.isfinite(flood(self._free, [cell_of(np.array([2.5, 4.2, 0.0]))]))
        return np.array([middle(r, c) for r, c in np.argwhere(reachable) if r % 2 == 0 and c % 2 == 0])

    def close(self) -> None:
        pass

    def _is_free(self, x: float, y: float) -> bool:
        row, column = int(y // CELL_M), int(x // CELL_M)
        return 0 <= row < self._free.shape[0] and 0 <= column < self._free.shape[1] and bool(self._free[row, column])


def furnish(rng: np.random.Generator) -> tuple[SceneObject, ...]:
    """A piece of furniture in each cell of a coarse lattice, and small things on most of them."""
    spots = [(x, y) for x in (0.4, 2.6, 5.6, 8.0) for y in (0.3, 2.2, 4.9)]
    kinds = [*KINDS, *rng.choice(KINDS, len(spots) - len(KINDS))]
    things = []
    for number, ((x, y), kind) in enumerate(zip(spots, rng.permutation(kinds), strict=True), 1):
        size = rng.uniform((0.5, 0.5, 0.4), (1.1, 0.8, 0.9))
        things.append(thing(number, str(kind), rng, np.array([x, y, 0.0]), size, "furniture"))
    small = ["mug", "mug", "book", "book", "lamp"]
    for kind, holder in zip(small, rng.permutation(len(things)), strict=False):
        number = len(things) + 1
        things.append(on(things[holder], thing(number, kind, rng, np.zeros(3), np.array([0.2, 0.2, 0.25]), "object")))
    return tuple(things)


def thing(
    number: int,
    kind: str,
    rng: np.random.Generator,
    low_m: NDArray[np.float64],
    size_m: NDArray[np.float64],
    group: str,
) -> SceneObject:
    colour = str(rng.choice(COLOURS))
    room = 0 if low_m[0] < 5.0 else 1
    return SceneObject(
        str(number), number, kind, group, f"{colour} {kind}", {"colour": colour}, low_m, low_m + size_m, room,
        ("kitchen", "bedroom")[room], "", "",
    )  # fmt: skip


def on(holder: SceneObject, small: SceneObject) -> SceneObject:
    """A small thing put on the middle of another."""
    half = (small.box_max_m - small.box_min_m) / 2
    low = np.array([*(holder.middle_m - half)[:2], holder.box_max_m[2]])
    return replace(
        small, box_min_m=low, box_max_m=low + 2 * half, room_id=holder.room_id, room=holder.room,
        support=holder.object_id, relation="on",
    )  # fmt: skip


def free_cells(boxes: list[Box]) -> NDArray[np.bool_]:
    rows, columns = round(DEEP_M / CELL_M), round(WIDE_M / CELL_M)
    x, y = (np.arange(columns) + 0.5) * CELL_M, (np.arange(rows) + 0.5) * CELL_M
    free = np.ones((rows, columns), bool)
    for b in [*WALLS, *boxes]:
        dx = np.maximum(np.maximum(b.low_m[0] - x, x - b.high_m[0]), 0.0)
        dy = np.maximum(np.maximum(b.low_m[1] - y, y - b.high_m[1]), 0.0)
        free &= np.hypot(dx[None, :], dy[:, None]) >= RADIUS_M
    return free


def cell_of(point_m: NDArray[np.floating]) -> tuple[int, int]:
    return int(float(point_m[1]) // CELL_M), int(float(point_m[0]) // CELL_M)


def middle(row: int, column: int) -> tuple[float, float, float]:
    return (column + 0.5) * CELL_M, (row + 0.5) * CELL_M, 0.0


def flood(free: NDArray[np.bool_], starts: list[tuple[int, int]]) -> NDArray[np.float64]:
    """Length of the way over free cells, in eight directions, from the nearest start; inf without one."""
    if not starts:
        return np.full(free.shape, np.inf)
    number = np.arange(free.size).reshape(free.shape)
    ends, lengths = [], []
    for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, free.shape[0] - dr), slice(max(0, -dc), free.shape[1] - max(0, dc)))
        there = (slice(dr, free.shape[0]), slice(max(0, dc), free.shape[1] + min(0, dc)))
        open_ = free[here] & free[there]
        ends.append(np.stack([number[here][open_], number[there][open_]]))
        lengths.append(np.full(ends[-1].shape[1], CELL_M * math.hypot(dr, dc)))
    graph = coo_array((np.concatenate(lengths), tuple(np.concatenate(ends, axis=1))), shape=(free.size, free.size))
    sources = sorted({int(number[start]) for start in starts})
    return dijkstra(graph.tocsr(), directed=False, indices=sources, min_only=True).reshape(free.shape)
