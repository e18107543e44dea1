"""Colour of one camera at the pixels of the depth camera beside it.

A pixel without depth has no known place in the colour image; for looks (pictures, image features) it takes the
farther of the depths left and right of it, because holes of a structured-light sensor are mostly shadows on the
background. It carries no depth, so nothing of it enters a map.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import apply, back_project_pixels, pixel_rays, project
from spatialmem.types import Camera

_FAR_INVERSE_M = 0.2  # rows without any reading are taken to be 5 m away
_OCCLUSION_SHARE = 0.03  # a surface this much behind another one in the same colour pixel is hidden from it
_OCCLUSION_M = 0.02
_NOTHING_M = np.float32(1e9)


class ColourRegistration:
    """Registers colour to depth pixels for one pair of cameras. Holds tables only: every call stands alone."""

    def __init__(self, colour: Camera, depth: Camera, colour_from_depth: NDArray[np.float64] | None = None) -> None:
        """Prepare the tables.

        Args:
            colour: camera of the colour images.
            depth: camera of the depth images; the result has its pixels.
            colour_from_depth: (4, 4) from depth camera to colour camera axes, metres; None: same place, same axes.
        """
        self.colour, self.depth = colour, depth
        self._move = np.eye(4) if colour_from_depth is None else np.asarray(colour_from_depth, dtype=np.float64)
        self.has_baseline = bool(np.abs(self._move[:3, 3]).max() > 0.0)

    def register(
        self, rgb: NDArray[np.uint8], depth_m: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Colour seen at each depth pixel, and where that colour is really of the surface the depth is of.

        Args:
            rgb: (Hc, Wc, 3) uint8 of the colour camera.
            depth_m: (H, W) float32 metres of the depth camera, NaN where there is no reading.

        Returns:
            (H, W, 3) uint8 colour, edge pixels repeated outside the colour image; (H, W) bool, False where
            there is a reading but its surface lies outside the colour image or is hidden from the colour camera.
        """
        import cv2

        x, y, z = self._colour_pixels(depth_m)
        scaled, x, y = self._reduced(rgb, x, y)
        out = cv2.remap(scaled, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        height, width = scaled.shape[:2]
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
        if self.has_baseline:
            inside &= ~_hidden(x, y, z, inside, (height, width))
        return np.asarray(out, dtype=np.uint8), inside | ~np.isfinite(depth_m)

    def colour_pixels(self, pixels_xy: NDArray, depth_m: NDArray) -> NDArray[np.float64]:
        """(N, 2) where in the colour image depth pixels (N, 2) with readings (N,) in metres fall."""
        points = apply(self._move, back_project_pixels(pixels_xy, depth_m, self.depth))
        return project(points, self.colour)

    @cached_property
    def _rays(self) -> NDArray[np.float32]:
        """(3, H, W) rays of the depth camera, z = 1, turned into colour camera axes."""
        turned = pixel_rays(self.depth) @ self._move[:3, :3].T
        return np.ascontiguousarray(np.moveaxis(turned, -1, 0), dtype=np.float32)

    @cached_property
    def _fixed_pixels(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Colour pixels when both cameras are in one place: depth does not matter."""
        x, y, z = self._rays
        across, down = x / z * np.float32(self.colour.fx), y / z * np.float32(self.colour.fy)
        return across + np.float32(self.colour.cx), down + np.float32(self.colour.cy)

    def _colour_pixels(self, depth_m: NDArray[np.float32]) -> tuple[NDArray, NDArray, NDArray]:
        """x, y (colour pixels) and z (metres from the colour camera) of every depth pixel, (H, W) float32."""
        if not self.has_baseline:
            return *self._fixed_pixels, depth_m
        inverse = filled_inverse(depth_m)
        tx, ty, tz = (np.float32(v) for v in self._move[:3, 3])
        ray_x, ray_y, ray_z = self._rays
        z = ray_z + tz * inverse  # in units of the depth
        z = np.where(z > 1e-6, z, np.nan)
        x = (ray_x + tx * inverse) / z * np.float32(self.colour.fx) + np.float32(self.colour.cx)
        y = (ray_y + ty * inverse) / z * np.float32(self.colour.fy) + np.float32(self.colour.cy)
        return x, y, z * depth_m

    def _reduced(self, rgb: NDArray[np.uint8], x: NDArray, y: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Colour averaged down to about the resolution of depth (against aliasing), pixel coordinates with it."""
        import cv2

        ratio = self.colour.fx / self.depth.fx
        if ratio < 1.5:
            return rgb, x, y
        width, height = max(1, round(rgb.shape[1] / ratio)), max(1, round(rgb.shape[0] / ratio))
        sx, sy = np.float32(width / rgb.shape[1]), np.float32(height / rgb.shape[0])
        half = np.float32(0.5)
        small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        return small, (x + half) * sx - half, (y + half) * sy - half


def filled_inverse(depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) float32 1/depth; a hole takes the farther of its nearest readings left and right in its row."""
    known = np.isfinite(depth_m) & (depth_m > 0)
    inverse = np.zeros(depth_m.shape, dtype=np.float32)
    np.divide(np.float32(1.0), depth_m, out=inverse, where=known)
    if known.all():
        return inverse
    columns = np.arange(depth_m.shape[1], dtype=np.int16 if depth_m.shape[1] < 2**15 else np.int64)
    left = np.maximum.accumulate(np.where(known, columns, columns.dtype.type(-1)), axis=1)
    beyond = columns.dtype.type(depth_m.shape[1])
    right = np.minimum.accumulate(np.where(known, columns, beyond)[:, ::-1], axis=1)[:, ::-1]
    padded = np.concatenate([inverse, np.full((len(inverse), 1), np.inf, np.float32)], axis=1)  # -1 and W: none there
    holes = ~known
    row = np.nonzero(holes)[0]
    nearest = np.minimum(padded[row, left[holes]], padded[row, right[holes]])
    inverse[holes] = np.where(np.isfinite(nearest), nearest, np.float32(_FAR_INVERSE_M))
    return inverse


def _hidden(x: NDArray, y: NDArray, z: NDArray, inside: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) bool: another reading lies clearly nearer in the same colour pixel or the one beside it (z-buffer)."""
    import cv2

    height, width = shape
    ahead = np.where(inside & np.isfinite(z), z, _NOTHING_M)
    column = np.clip(np.rint(np.nan_to_num(x)), 0, width - 1)
    row = np.clip(np.rint(np.nan_to_num(y)), 0, height - 1)
    at = (row * np.float32(width) + column).astype(np.intp)  # exact in float32 up to 16 million pixels
    nearest = np.full(height * width, _NOTHING_M)
    np.minimum.at(nearest, at.ravel(), ahead.ravel())
    # rounding leaves a column empty here and there: look one pixel to each side as well
    nearest = cv2.erode(nearest.reshape(height, width), np.ones((1, 3), np.uint8)).ravel()[at]
    return (ahead < _NOTHING_M) & (ahead > nearest * np.float32(1 + _OCCLUSION_SHARE) + np.float32(_OCCLUSION_M))
