"""The grid that regions are found on: every pixel of a small image, every n-th of a larger one."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialmem.perception.encoder import Encoding
from spatialmem.perception.regions.graph import add_features
from spatialmem.types import Camera, Frame

LARGEST = 360
"""pixels on the longer side of the grid"""
BLUR = 1
"""half width of the mean that colours are taken over, in pixels of the grid"""


@dataclass(frozen=True, eq=False)
class Grid:
    """What a frame shows on a grid of (h, w)."""

    step: int
    """pixels of the frame from one to the next"""
    camera: Camera
    depth_m: NDArray[np.float32]
    """(h, w), NaN where nothing is read or the frame's mask says to ignore it"""
    lab: NDArray[np.float32]
    """(h, w, 3) CIELAB, L 0 to 100"""
    looked_at: NDArray[np.bool_]
    """(h, w) False where the frame's mask says to ignore it"""


def grid_of(frame: Frame, depth_m: NDArray[np.float32]) -> Grid:
    """The grid of a frame with depth (H, W)."""
    height, width = depth_m.shape
    step = max(1, -(-max(height, width) // LARGEST))
    middle = step // 2
    readings = depth_m[middle::step, middle::step]
    h, w = readings.shape
    looked_at = np.ones((h, w), bool) if frame.valid is None else frame.valid[middle::step, middle::step]
    usable = looked_at & np.isfinite(readings) & (readings > 0.0)
    camera = Camera(
        frame.camera.fx / step, frame.camera.fy / step, (frame.camera.cx - middle) / step,
        (frame.camera.cy - middle) / step, w, h,
    )  # fmt: skip
    known = np.where(usable, readings, np.float32(np.nan))
    return Grid(step, camera, known, _lab(frame.rgb, step, (h, w)), looked_at)


def _lab(rgb: NDArray[np.uint8], step: int, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    width = step + 2 * BLUR if step > 1 else 1 + 2 * BLUR
    smooth = cv2.blur(np.ascontiguousarray(rgb), (width, width), borderType=cv2.BORDER_REPLICATE)
    picked = np.ascontiguousarray(smooth[step // 2 :: step, step // 2 :: step][: size_hw[0], : size_hw[1]])
    lab = cv2.cvtColor(picked.astype(np.float32) / np.float32(255.0), cv2.COLOR_RGB2Lab)
    return np.asarray(lab, np.float32)


def on_frame(labels: NDArray[np.int32], grid: Grid, frame: Frame) -> NDArray[np.int32]:
    """Labels (h, w) of a grid as labels (H, W) of the pixels of its frame, -1 where its mask says to ignore them."""
    height, width = frame.rgb.shape[:2]
    rows = np.minimum(np.arange(height) // grid.step, labels.shape[0] - 1)
    columns = np.minimum(np.arange(width) // grid.step, labels.shape[1] - 1)
    large = labels[rows[:, None], columns[None, :]]
    return large if frame.valid is None else np.where(frame.valid, large, np.int32(-1))


def feature_sums(labels: NDArray[np.int32], count: int, encoding: Encoding | None) -> NDArray[np.float32]:
    """(count, D) sums of the patch features over the pixels of each label (h, w), D = 0 without an encoding."""
    if encoding is None:
        return np.zeros((count, 0), np.float32)
    sums = np.zeros((count, encoding.dense.shape[2]), np.float32)
    add_features(labels, np.ascontiguousarray(encoding.dense, dtype=np.float32), sums)
    return sums
