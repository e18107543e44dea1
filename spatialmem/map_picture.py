"""A plan of one floor of the memory with the numbered marks of a context."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.ground.floors import NOT_REACHED, Floors
from spatialmem.retrieval.context import FrontierView, SnapshotView
from spatialmem.voxels.free_reading import FREE, OCCUPIED

_UNKNOWN, _SEEN, _GROUND, _THING = (222, 224, 228), (243, 244, 246), (255, 255, 255), (74, 80, 90)
"""RGB of columns: never seen, seen free, ground that can be come to, and what stands on the floor"""
_SNAPSHOT, _FRONTIER, _SELF = (31, 78, 168), (196, 66, 36), (16, 120, 60)
"""RGB of marks: snapshots, frontiers, and where the camera is"""
_INK = (255, 255, 255)
_ARROW_M = 0.6
_MARGIN_M = 0.5
_LOW_M, _HIGH_M = 0.2, 1.8
"""heights over the floor between which what is occupied stands on it"""
_ON_FLOOR_M = 1.0
"""marks so far above or below the floor's own height are of another floor, and fainter"""


@dataclass(frozen=True, eq=False)
class _Plan:
    rgb: NDArray[np.uint8]
    corner_m: NDArray[np.float64]
    """(2,) x and y at the outer corner of the upper left pixel"""
    pixels_per_m: float

    def pixel(self, point_m: NDArray[np.float64]) -> tuple[int, int]:
        """Column and row of a point of the map; right is x, up is y."""
        x = (point_m[0] - self.corner_m[0]) * self.pixels_per_m
        y = (self.corner_m[1] - point_m[1]) * self.pixels_per_m
        return int(np.clip(round(x), -9_999, 9_999)), int(np.clip(round(y), -9_999, 9_999))


def map_picture(
    floors: Floors, snapshots: Sequence[SnapshotView], frontiers: Sequence[FrontierView],
    map_from_camera: NDArray[np.float64] | None, size_px: int,
) -> NDArray[np.uint8]:  # fmt: skip
    """(H, W, 3) from above: S1 .. where snapshots were taken, F1 .. where the unknown begins, "you" the camera.

    It is the floor that the camera is on, or the one with most ground.
    """
    height_m = _height_of(floors, map_from_camera)
    plan = _plan(floors, height_m, size_px)
    for view in snapshots:
        pose = view.map_from_camera
        _arrow(plan, pose[:3, 3], pose[:3, 2], _SNAPSHOT)
        _mark(plan, pose[:3, 3], f"S{view.mark}", _SNAPSHOT, _is_on(pose[2, 3] - 1.2, height_m))
    for edge in frontiers:
        _arrow(plan, edge.position_m, np.array([math.cos(edge.yaw_rad), math.sin(edge.yaw_rad), 0.0]), _FRONTIER)
        _mark(plan, edge.position_m, f"F{edge.mark}", _FRONTIER, _is_on(float(edge.position_m[2]), height_m))
    if map_from_camera is not None:
        _arrow(plan, map_from_camera[:3, 3], map_from_camera[:3, 2], _SELF)
        _mark(plan, map_from_camera[:3, 3], "you", _SELF, True)
    return plan.rgb


def _height_of(floors: Floors, map_from_camera: NDArray[np.float64] | None) -> float:
    if not floors.floors:
        return 0.0
    if map_from_camera is not None:
        number = floors.floor_at(float(map_from_camera[2, 3]))
        return next(f.height_m for f in floors.floors if f.floor == number)
    return max(floors.floors, key=lambda f: f.area_m2).height_m


def _is_on(ground_m: float, height_m: float) -> bool:
    return abs(ground_m - height_m) <= _ON_FLOOR_M


def _plan(floors: Floors, height_m: float, size_px: int) -> _Plan:
    """The floor as an image, one colour a column."""
    import cv2

    free, standing = floors.standing.free, floors.standing
    voxel_m = free.voxel_size_m
    low, high = (round((height_m + h - free.origin_m[2]) / voxel_m) for h in (_LOW_M, _HIGH_M))
    slab = free.state[:, :, max(low, 0) : max(high, 1)]
    image = np.empty((*slab.shape[:2], 3), np.uint8)
    image[:] = _UNKNOWN
    image[(slab == FREE).any(axis=2)] = _SEEN
    near = (floors.floor_of > NOT_REACHED) & (np.abs(standing.ground_m[:, 2] - height_m) < _ON_FLOOR_M)
    image[tuple(standing.voxel[near, :2].T)] = _GROUND
    image[(slab == OCCUPIED).any(axis=2)] = _THING
    known = np.argwhere((image != _UNKNOWN).any(axis=2))
    margin = round(_MARGIN_M / voxel_m)
    first = np.maximum(known.min(axis=0) - margin, 0) if len(known) else np.zeros(2, int)
    last = np.minimum(known.max(axis=0) + margin + 1, image.shape[:2]) if len(known) else np.array(image.shape[:2])
    part = image[first[0] : last[0], first[1] : last[1]].transpose(1, 0, 2)[::-1]  # right is x, up is y
    scale = size_px / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    large = np.asarray(cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_NEAREST), np.uint8)
    corner = free.origin_m[:2] + np.array([first[0], last[1]]) * voxel_m
    return _Plan(large, corner, scale / voxel_m)


def _arrow(plan: _Plan, at_m: NDArray[np.float64], ahead: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    import cv2

    cv2.arrowedLine(
        plan.rgb, plan.pixel(at_m), plan.pixel(at_m + _ARROW_M * ahead), colour, 2, cv2.LINE_AA, tipLength=0.35
    )


def _mark(plan: _Plan, at_m: NDArray[np.float64], text: str, colour: tuple[int, int, int], here: bool) -> None:
    """A label; fainter for what is on another floor."""
    import cv2

    image, (x, y) = plan.rgb, plan.pixel(at_m)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
    x = min(max(x, width // 2 + 3), image.shape[1] - width // 2 - 4)
    y = min(max(y, height + 3), image.shape[0] - 5)
    fill = colour if here else tuple((c + 2 * 200) // 3 for c in colour)
    cv2.rectangle(image, (x - width // 2 - 3, y - height - 2), (x + width // 2 + 3, y + 4), fill, -1)
    cv2.putText(image, text, (x - width // 2, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
