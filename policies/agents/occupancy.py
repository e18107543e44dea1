"""A floor as seen so far: where it is free, where something stands, what has not been seen yet. From depth, on a grid.

What an image shows is flattened to a scan: in every direction it is free up to the first thing that a body would touch.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.paths import distances_from
from spatialmem.types import Camera

CELL_M = 0.05
_HALF = 360
"""cells from where it begins to the edge of the grid"""
_LOW_M, _STRIDE = 0.06, 2
"""lower things are walked over; every so many pixels are looked at"""
_BINS_PER_DEG = 1.0
_FURTHEST_M = 8.0
_LEAST_CELLS = 6
"""of a frontier"""

Field = NDArray[np.float64]
"""(rows, columns) metres to go, inf where no way is known"""


@final
class Occupancy:
    """One floor, seen from poses of a camera. Rows run along y, columns along x."""

    def __init__(self, x_m: float, y_m: float, radius_m: float, height_m: float) -> None:
        self._corner = (x_m - _HALF * CELL_M, y_m - _HALF * CELL_M)
        self._radius_m, self._height_m = radius_m, height_m
        shape = (2 * _HALF, 2 * _HALF)
        self.seen_free = np.zeros(shape, bool)
        """where nothing stands"""
        self.blocked = np.zeros(shape, bool)
        """where something does"""
        self.bumped = np.zeros(shape, bool)
        """where the body could not be, although nothing seemed to stand there"""

    def cell(self, x_m: float, y_m: float) -> tuple[int, int]:
        """(row, column) of a point, moved onto the grid where it lies beyond."""
        row, column = (int((v - c) // CELL_M) for v, c in ((y_m, self._corner[1]), (x_m, self._corner[0])))
        return min(max(row, 0), 2 * _HALF - 1), min(max(column, 0), 2 * _HALF - 1)

    def middle(self, row: int, column: int) -> tuple[float, float]:
        """x, y of the middle of a cell."""
        return self._corner[0] + (column + 0.5) * CELL_M, self._corner[1] + (row + 0.5) * CELL_M

    def add(
        self, depth_m: NDArray[np.float32], camera: Camera, world_from_camera: NDArray[np.float64], ground_m: float
    ) -> None:
        """Take account of an image: depth (H, W), 0 or NaN without a reading; height of the ground below the body."""
        points = points_of(depth_m[::_STRIDE, ::_STRIDE], camera, world_from_camera, _STRIDE)
        eye = world_from_camera[:3, 3]
        away = points[:, :2] - eye[:2]
        reach, height = np.hypot(away[:, 0], away[:, 1]), points[:, 2] - ground_m
        solid = (np.abs(height) > _LOW_M) & (height < self._height_m)
        angle = np.arctan2(away[:, 1], away[:, 0])
        self._see_free(eye, angle, reach, solid, np.abs(height) <= _LOW_M)
        near = solid & (reach < _FURTHEST_M)
        self.blocked[self._rows(points[near, 1]), self._columns(points[near, 0])] = True

    def block(self, x_m: float, y_m: float) -> None:
        """The body could not come there."""
        self.bumped[self.cell(x_m, y_m)] = True

    def stand(self, x_m: float, y_m: float) -> None:
        """The body stands there, so it can."""
        row, column = self.cell(x_m, y_m)
        r = max(1, round(self._radius_m / CELL_M) - 2)
        around = (slice(row - r, row + r + 1), slice(column - r, column + r + 1))
        self.seen_free[around], self.blocked[around] = True, False

    def open(self, x_m: float, y_m: float) -> NDArray[np.bool_]:
        """Where the body can stand, as far as is known; close around where it stands now it may be tighter."""
        import cv2

        clearance = cv2.distanceTransform((~self.blocked).astype(np.uint8), cv2.DIST_L2, 5) * CELL_M
        row, column = self.cell(x_m, y_m)
        r = round(2.0 * self._radius_m / CELL_M)
        clearance[row - r : row + r + 1, column - r : column + r + 1] += CELL_M
        clearance[row, column] = 1.0
        return self.seen_free & ~self.blocked & ~self.bumped & (clearance >= self._radius_m + 0.01)

    def frontiers(self) -> NDArray[np.bool_]:
        """Cells where what is free borders on what has not been seen, those along walls left out."""
        import cv2

        unseen = (~self.seen_free & ~self.blocked).astype(np.uint8)
        edge = self.seen_free & ~self.blocked & (cv2.dilate(unseen, np.ones((3, 3), np.uint8)) > 0)
        beside = cv2.dilate(self.blocked.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        edge &= ~beside
        _, labels, stats, _ = cv2.connectedComponentsWithStats(edge.astype(np.uint8), connectivity=8)
        return edge & (stats[:, cv2.CC_STAT_AREA] >= _LEAST_CELLS)[labels.astype(np.int64)]

    def widened(self, mask: NDArray[np.bool_], by_m: float) -> NDArray[np.bool_]:
        """The cells of a mask, and those around them."""
        import cv2

        r = round(by_m / CELL_M)
        return (
            cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1))) > 0
        )

    def draw_disk(self, mask: NDArray[np.bool_], x_m: float, y_m: float, radius_m: float) -> None:
        """Mark the cells of a mask that lie around a point."""
        row, column = self.cell(x_m, y_m)
        r = math.ceil(radius_m / CELL_M)
        off = np.arange(-r, r + 1)
        disk = np.hypot(off[:, None], off[None, :]) * CELL_M <= radius_m
        window = mask[max(0, row - r) : row + r + 1, max(0, column - r) : column + r + 1]
        if window.shape == disk.shape:  # not at the edge of the grid
            window |= disk

    def field(self, open_cells: NDArray[np.bool_], starts: NDArray[np.int64]) -> Field:
        """Metres from every open cell to the nearest of some cells (N, 2)."""
        if not len(starts):
            return np.full(open_cells.shape, np.inf)
        free = open_cells.copy()
        free[starts[:, 0], starts[:, 1]] = True
        flat, links = np.zeros((1, *free.shape)), np.full((1, *free.shape), -1, np.int32)
        cells = [(0, int(row), int(column)) for row, column in starts]
        return distances_from(free[None], flat, links, CELL_M, cells)[0][0]

    def _see_free(
        self, eye: NDArray[np.float64], angle: NDArray[np.float64], reach: NDArray[np.float64],
        solid: NDArray[np.bool_], floor: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """The star around the eye whose rays end at the first solid thing, or where the floor is last seen."""
        import cv2

        bins = np.round(np.degrees(angle) * _BINS_PER_DEG).astype(np.int64)
        middle = round(float(np.median(bins))) if len(bins) else 0
        turn = round(360 * _BINS_PER_DEG)
        bins = (bins - middle + turn // 2) % turn
        first, last = np.full(turn, np.inf), np.zeros(turn)
        np.minimum.at(first, bins[solid], reach[solid])
        np.maximum.at(last, bins[floor], reach[floor])
        length = np.minimum(np.minimum(first, last + CELL_M), _FURTHEST_M)
        used = np.nonzero((last > 0.0) | np.isfinite(first))[0]
        length = np.where(last > 0.0, length, np.minimum(first, _FURTHEST_M))
        rays = np.radians((used + middle - turn // 2) / _BINS_PER_DEG)
        tips = eye[:2] + length[used, None] * np.stack([np.cos(rays), np.sin(rays)], axis=1)
        outline = np.concatenate([eye[None, :2], tips])
        drawn = np.floor((outline - self._corner) / CELL_M).astype(np.int32)
        mask = self.seen_free.astype(np.uint8)
        cv2.fillPoly(mask, [drawn], 1)
        self.seen_free = mask > 0

    def _rows(self, y: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.clip(np.floor((y - self._corner[1]) / CELL_M).astype(np.int64), 0, 2 * _HALF - 1)

    def _columns(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.clip(np.floor((x - self._corner[0]) / CELL_M).astype(np.int64), 0, 2 * _HALF - 1)


def points_of(
    depth_m: NDArray[np.float32], camera: Camera, world_from_camera: NDArray[np.float64], stride: int = 1
) -> NDArray[np.float64]:
    """(N, 3) points of the pixels that have a reading, world frame; pixels are `stride` apart in the camera's image."""
    v, u = np.nonzero(depth_m > 0.0)
    z = depth_m[v, u].astype(np.float64)
    local = np.stack(
        [(u * stride - camera.cx) / camera.fx * z, (v * stride - camera.cy) / camera.fy * z, z], axis=1
    )  # fmt: skip
    return local @ world_from_camera[:3, :3].T + world_from_camera[:3, 3]


def turned(yaw_rad: float) -> float:
    """The angle within -pi to pi."""
    return (yaw_rad + math.pi) % (2.0 * math.pi) - math.pi
