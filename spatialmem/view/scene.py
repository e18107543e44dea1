"""What a page shows of a memory, in the map's frame and within a number of bytes: map, path, keyframes, free space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.view.plan import choose_up
from spatialmem.view.thin import Cloud, thinned

if TYPE_CHECKING:
    from spatialmem.log_entry import Keyframe
    from spatialmem.memory import SpatialMemory

STEPS = 24
"""positions of the time slider, at most"""
LEAST_BYTES = 1_000_000
"""below this no map is worth sending"""
FREE_RGB, FRONTIER_RGB = (96, 178, 128), (240, 150, 40)
_SURFACE, _CEILING = 0, 1
_POINT_BYTES = 15  # three float32 and a colour
_SEGMENT_BYTES = 24
_NODE_BYTES = 700  # a node of the scene without its arrays, as viser sends it, rounded up
_ANSWER_BYTES = 500_000  # the panel, the hits of a question, three pictures
_MOST_CAMERAS = 48
_MOST_SEGMENTS = 6000
_FREE_SHARE = 0.15
_DOWNWARD = -0.3  # cosine: what faces down above the camera is a ceiling
_UNKNOWN, _FREE = 0, 1
_SPARSE = 2


@dataclass(frozen=True, eq=False)
class Step:
    """What the memory came to know between two positions of the time slider."""

    last: Keyframe
    """the last frame of the step"""
    frames: int
    """stored frames up to and with it"""
    surface: Cloud
    ceiling: Cloud
    """what would hide the rest from above"""
    path_m: NDArray[np.float32]
    """(S, 2, 3) pieces of the cameras' paths"""
    cameras: tuple[Keyframe, ...]
    """some of its frames"""


@dataclass(frozen=True, eq=False)
class PageScene:
    """A memory as a page shows it; everything is in the map frame, metres."""

    up: NDArray[np.float64]
    how_up: str
    """how `up` was found; empty where the memory knows it"""
    steps: tuple[Step, ...]
    """in log order; none in an empty memory"""
    free: Cloud
    """middles of free voxels; kind 1: beside a voxel that was never seen, kind 0: one of eight of the others"""
    points: int
    """surface points of the memory, before they were made fewer"""
    cell_m: float
    """spacing of the points shown"""
    eye_m: NDArray[np.float64]
    """(3,) where to look from at first"""
    look_at_m: NDArray[np.float64]
    """(3,) what to look at first"""
    bytes_sent: int
    """upper bound of what a page is sent, answers included"""


def page_scene(memory: SpatialMemory, max_bytes: int, steps: int = STEPS) -> PageScene:
    """Choose what is shown, so that no page is sent more than `max_bytes`.

    Raises `InvalidValue` when `max_bytes` is below `LEAST_BYTES`.
    """
    if max_bytes < LEAST_BYTES:
        raise InvalidValue(f"a page needs at least {LEAST_BYTES / 1e6:g} MB to show a map; given {max_bytes / 1e6:g}")
    keyframes = memory.trajectory()
    poses = np.array([k.map_from_camera for k in keyframes]).reshape(-1, 4, 4)
    points = memory.points()
    up, how = choose_up(memory.up_in_map, points.normal, poses)
    path, cameras = _path(keyframes), _spread(keyframes, _MOST_CAMERAS)
    groups = [group for group in np.array_split(np.arange(len(keyframes)), max(steps, 1)) if len(group)]
    nodes = 4 * len(groups) + len(cameras) + 20
    around = _ANSWER_BYTES + nodes * _NODE_BYTES + len(path) * _SEGMENT_BYTES
    room = (max_bytes - around) // _POINT_BYTES
    free = _free(memory, int(room * _FREE_SHARE))
    kind = np.where(_hides(points.position_m, points.normal, poses[:, :3, 3], up), _CEILING, _SURFACE)
    whole = Cloud(points.position_m, points.rgb, points.first_lsn, kind, memory.config.voxel_size_m)
    cloud = thinned(whole, int(room) - len(free))
    eye, look_at = _overview(points.position_m[kind == _SURFACE], points.normal[kind == _SURFACE], poses[:, :3, 3], up)
    how = how if memory.up_in_map is None else ""
    return PageScene(
        up, how, _steps(keyframes, groups, cloud, path, cameras), free, len(whole), cloud.cell_m, eye, look_at,
        around + (len(cloud) + len(free)) * _POINT_BYTES,
    )  # fmt: skip


def _steps(
    keyframes: Sequence[Keyframe], groups: Sequence[NDArray], cloud: Cloud, path: dict[int, NDArray],
    cameras: Sequence[Keyframe],
) -> tuple[Step, ...]:  # fmt: skip
    ends = np.array([keyframes[group[-1]].lsn for group in groups], np.int64)
    step_of = np.minimum(np.searchsorted(ends, cloud.lsn), len(ends) - 1)
    made = []
    for n, group in enumerate(groups):
        members = {keyframes[i].lsn for i in group}
        pieces = [path[lsn] for lsn in sorted(members) if lsn in path]
        made.append(Step(
            keyframes[group[-1]], int(group[-1]) + 1,
            cloud.of((step_of == n) & (cloud.kind == _SURFACE)), cloud.of((step_of == n) & (cloud.kind == _CEILING)),
            np.array(pieces, np.float32).reshape(-1, 2, 3), tuple(k for k in cameras if k.lsn in members),
        ))  # fmt: skip
    return tuple(made)


def _path(keyframes: Sequence[Keyframe]) -> dict[int, NDArray[np.float64]]:
    """(2, 3) from where a camera was before to where it was, by the lsn of the later frame; some, when there are many.

    Pieces that are left out leave no gap: the next one starts where the last one ended.
    """
    stride = -(-len(keyframes) // _MOST_SEGMENTS)
    last: dict[tuple[str, str], tuple[int, NDArray]] = {}  # frames of the track since the last piece, and its end
    pieces = {}
    for k in keyframes:
        track, here = (k.session_id, k.camera_id), k.map_from_camera[:3, 3]
        since, before = last.get(track, (-1, here))
        if since + 1 >= stride:
            pieces[k.lsn] = np.stack([before, here])
            since, before = 0, here
        else:
            since += 1
        last[track] = (since, before)
    return pieces


def _spread(keyframes: Sequence[Keyframe], most: int) -> list[Keyframe]:
    """At most `most` of the frames, evenly; the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(keyframes) - 1, min(most, len(keyframes))).astype(int))
    return [keyframes[i] for i in chosen]


def _free(memory: SpatialMemory, most: int) -> Cloud:
    """Middles of free voxels: of those beside unknown ones, where there is more to find out, and some of the others."""
    free = memory.free_space()
    padded = np.pad(free.state, 1, constant_values=_UNKNOWN)
    unknown = padded == _UNKNOWN
    beside = np.zeros_like(unknown)
    for axis in range(3):
        beside |= np.roll(unknown, 1, axis) | np.roll(unknown, -1, axis)
    known_free = padded == _FREE
    shown, some = known_free & beside, (slice(None, None, _SPARSE),) * 3
    shown[some] |= known_free[some]  # all of them would hide the map, and fill the memory
    index = np.argwhere(shown)
    frontier = beside[tuple(index.T)]
    position = free.origin_m + (index - 1 + 0.5) * free.voxel_size_m
    rgb = np.where(frontier[:, None], FRONTIER_RGB, FREE_RGB).astype(np.uint8)
    zeros = np.zeros(len(index), np.int64)
    return thinned(Cloud(position.astype(np.float32), rgb, zeros, frontier.astype(np.int64), free.voxel_size_m), most)


def _hides(
    position_m: NDArray[np.floating], normal: NDArray[np.floating], camera_m: NDArray[np.floating], up: NDArray
) -> NDArray[np.bool_]:
    """(N,) whether a point is of a ceiling: above the cameras, facing down."""
    if len(camera_m) == 0:
        return np.zeros(len(position_m), np.bool_)
    return (normal @ up < _DOWNWARD) & (position_m @ up > np.percentile(camera_m @ up, 90))


def _overview(
    position_m: NDArray[np.floating], normal: NDArray[np.floating], camera_m: NDArray[np.floating], up: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where to stand and what to look at to see it all, from the side that most of the surface faces."""
    around = position_m if len(position_m) else camera_m if len(camera_m) else np.zeros((1, 3))
    low, high = np.percentile(around, (2, 98), axis=0)
    middle, radius = (low + high) / 2.0, max(float(np.linalg.norm(high - low)) / 2.0, 0.5)
    aside = np.linalg.svd(up[None])[2][1:]  # two directions level with the ground
    turns = np.arange(16) * (np.pi / 8.0)
    level = np.cos(turns)[:, None] * aside[0] + np.sin(turns)[:, None] * aside[1]
    faces = [(normal @ direction > 0.3).mean() if len(normal) else 0.0 for direction in level]
    direction = 0.75 * level[int(np.argmax(faces))] + 0.66 * up
    return middle + direction * radius * 1.55, middle
