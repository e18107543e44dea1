"""A plan of the memory with the numbered marks of a context."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spatialmem.retrieval.context import FrontierView, SnapshotView

if TYPE_CHECKING:
    from spatialmem.asking import Asking

_SNAPSHOT, _FRONTIER, _SELF = (31, 78, 168), (196, 66, 36), (16, 120, 60)
"""RGB of marks: snapshots, frontiers, and where the camera is"""
_INK = (255, 255, 255)
_ARROW_M = 0.6


def map_picture(
    memory: Asking, snapshots: Sequence[SnapshotView], frontiers: Sequence[FrontierView],
    map_from_camera: NDArray[np.float64] | None, size_px: int,
) -> NDArray[np.uint8]:  # fmt: skip
    """(H, W, 3) seen from above: S1 .. where snapshots were taken, F1 .. where the unknown begins, and the camera."""
    from spatialmem.view.plan import choose_up, draw_plan

    points, frames = memory.points(), memory.trajectory()
    poses = np.array([f.map_from_camera for f in frames]).reshape(-1, 4, 4)
    up, _ = choose_up(memory.up_in_map, points.normal, poses)
    cameras = poses[:, :3, 3]
    plan = draw_plan(
        points.position_m, points.normal, points.rgb, cameras, up, memory.config.voxel_size_m, (size_px, size_px)
    )
    image = np.ascontiguousarray(plan.rgb)
    for view in snapshots:
        pose = view.map_from_camera
        _arrow(image, plan.pixels(np.stack([pose[:3, 3], pose[:3, 3] + _ARROW_M * pose[:3, 2]])), _SNAPSHOT)
        _mark(image, plan.pixels(pose[:3, 3]), f"S{view.mark}", _SNAPSHOT)
    for edge in frontiers:
        ahead = edge.position_m + _ARROW_M * np.array([math.cos(edge.yaw_rad), math.sin(edge.yaw_rad), 0.0])
        _arrow(image, plan.pixels(np.stack([edge.position_m, ahead])), _FRONTIER)
        _mark(image, plan.pixels(edge.position_m), f"F{edge.mark}", _FRONTIER)
    if map_from_camera is not None:
        pose = map_from_camera
        _arrow(image, plan.pixels(np.stack([pose[:3, 3], pose[:3, 3] + _ARROW_M * pose[:3, 2]])), _SELF)
        _mark(image, plan.pixels(pose[:3, 3]), "you", _SELF)
    return image


def _arrow(image: NDArray[np.uint8], ends: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    import cv2

    (x0, y0), (x1, y1) = (np.rint(ends).clip(-10_000, 10_000).astype(int)).tolist()
    cv2.arrowedLine(image, (x0, y0), (x1, y1), colour, 2, cv2.LINE_AA, tipLength=0.35)


def _mark(image: NDArray[np.uint8], at: NDArray[np.float64], text: str, colour: tuple[int, int, int]) -> None:
    import cv2

    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
    x, y = (int(v) for v in np.rint(at).clip(-10_000, 10_000))
    x = min(max(x, width // 2 + 3), image.shape[1] - width // 2 - 4)
    y = min(max(y, height + 3), image.shape[0] - 5)
    corner, other = (x - width // 2 - 3, y - height - 2), (x + width // 2 + 3, y + 4)
    cv2.rectangle(image, corner, other, colour, -1)
    cv2.putText(image, text, (x - width // 2, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
