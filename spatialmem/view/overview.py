"""The picture of a walk: a map from above with the path, the frontiers left and the best hit of each question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Hit
from spatialmem.view.canvas import INK, PAPER, PATH, SOFT_INK, Canvas, shortened
from spatialmem.view.plan import choose_up, draw_plan

if TYPE_CHECKING:
    from spatialmem.asking import Asking

WIDTH, _EDGE, _HEAD, _FOOT = 1200, 24, 64, 44
_PLAN = (760, 600)
_SIDE_X = _EDGE + _PLAN[0] + 24
_FRONTIER = (235, 120, 20)


def overview_picture(
    memory: Asking, best: Sequence[tuple[str, Hit | None, float | None]], frontiers_m: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """Draw what a walk has made.

    Args:
        memory: the map; read only.
        best: question, best hit or None, and how far it is from the truth (metres) where that is known.
        frontiers_m: (N, 2) x, y of frontiers that are left.

    Returns:
        (H, 1200, 3) uint8 RGB.
    """
    points = memory.points()
    poses = np.array([k.map_from_camera for k in memory.trajectory()]).reshape(-1, 4, 4)
    up, _ = choose_up(memory.up_in_map, points.normal, poses)
    size = memory.config.voxel_size_m
    plan = draw_plan(points.position_m, points.normal, points.rgb, poses[:, :3, 3], up, size, _PLAN)
    layer = Canvas(*_PLAN)
    layer.paste(plan.rgb, 0, 0)
    path = plan.pixels(poses[:, :3, 3])
    layer.line(path, PAPER, 5)
    layer.line(path, PATH, 2)
    layer.dot(path[0], 6, PATH)
    for x, y in np.asarray(frontiers_m, np.float64).reshape(-1, 2):
        layer.dot(plan.pixels((x, y, 0.0)), 2.5, _FRONTIER)
    for number, (_, hit, _) in enumerate(best, start=1):
        if hit is not None:
            layer.badge(plan.pixels(hit.position_m), number, 15.0)
    canvas = Canvas(WIDTH, _HEAD + _PLAN[1] + _FOOT)
    canvas.text(_EDGE, 42, "What the walk has seen", 28, INK, bold=True)
    canvas.rule(_HEAD - 12, _EDGE, WIDTH - _EDGE)
    canvas.paste(layer.rgb, _EDGE, _HEAD)
    bar = plan.pixels_per_m
    y = _HEAD + _PLAN[1] + 20
    canvas.line(np.array([(_EDGE, y - 8), (_EDGE, y - 2), (_EDGE + bar, y - 2), (_EDGE + bar, y - 8)]), INK, 2)
    left = "orange: frontiers left" if len(frontiers_m) else "no frontier left"
    canvas.text(_EDGE + bar + 10, y + 2, f"1 m   line: path, dot: its start; {left}", 17, SOFT_INK)
    _side(canvas, best)
    return canvas.rgb


def _side(canvas: Canvas, best: Sequence[tuple[str, Hit | None, float | None]]) -> None:
    y, width = _HEAD + 10, WIDTH - _EDGE - _SIDE_X - 44
    for number, (text, hit, off) in enumerate(best, start=1):
        if hit is not None:
            canvas.badge((_SIDE_X + 16, y + 14), number, 15.0)
        canvas.text(_SIDE_X + 44, y + 18, shortened(text, width, 21, bold=True), 21, INK, bold=True)
        found = (
            "nothing found"
            if hit is None
            else "  ".join(f"{name} {value:.2f}" for name, value in zip("xyz", hit.position_m, strict=True)) + " m"
        )
        canvas.text(_SIDE_X + 44, y + 44, shortened(found, width, 17), 17, SOFT_INK)
        known = "" if off is None else f"{off:.2f} m from the box of the true one"
        canvas.text(_SIDE_X + 44, y + 68, shortened(known, width, 17), 17, SOFT_INK)
        y += 110
