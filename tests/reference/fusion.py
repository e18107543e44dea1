"""Fusion of depth images into voxels, one frame at a time, in float64 (docs/format.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from reference.readings import UNIT_M

ONE, WEIGHT_CAP, ROW_CAP = 32767, 255, 32
_WITHIN = np.stack([np.arange(512) % 8, np.arange(512) // 8 % 8, np.arange(512) // 64], axis=-1)


@dataclass
class Block:
    """512 voxels, x fastest. Rows are kept for every voxel; `has_row` says which exist."""

    width: int
    dist: np.ndarray = field(default_factory=lambda: np.zeros(512))
    weight: np.ndarray = field(default_factory=lambda: np.zeros(512, int))
    has_row: np.ndarray = field(default_factory=lambda: np.zeros(512, bool))
    colour_count: np.ndarray = field(default_factory=lambda: np.zeros(512, int))
    colour: np.ndarray = field(default_factory=lambda: np.zeros((512, 3)))
    feature_count: np.ndarray = field(default_factory=lambda: np.zeros(512, int))
    first: np.ndarray = field(default_factory=lambda: np.zeros(512, int))
    last: np.ndarray = field(default_factory=lambda: np.zeros(512, int))
    sure: np.ndarray = field(default_factory=lambda: np.ones(512, bool))
    """False once a projection or a threshold was too close for float32 to be held to it"""

    def __post_init__(self) -> None:
        self.feature = np.zeros((512, self.width))


class ReferenceGrid:
    """Blocks by their integer coordinates."""

    def __init__(self, voxel_m: float, truncation_m: float, width: int) -> None:
        self.voxel_m, self.truncation_m, self.width = voxel_m, truncation_m, width
        self.blocks: dict[tuple[int, int, int], Block] = {}

    def fuse(self, touched, packed, camera, map_from_camera, lsn, rgb, features=None) -> None:
        """Average a frame into the blocks with the `touched` (N, 3) coordinates. packed: (H, W) readings."""
        for coordinates in touched:
            block = self.blocks.setdefault(tuple(int(c) for c in coordinates), Block(self.width))
            centres = (8 * np.asarray(coordinates) + _WITHIN + 0.5) * self.voxel_m
            points = (centres - map_from_camera[:3, 3]) @ map_from_camera[:3, :3]
            self._fuse_block(block, points, packed, camera, lsn, rgb, features)

    def _fuse_block(self, block, points, packed, camera, lsn, rgb, features) -> None:
        u, v, inside = _project(points, camera)
        block.sure &= ~(inside & (_near_border(u) | _near_border(v)))
        pixel_u = np.where(inside, np.floor(u + 0.5), 0).astype(int)
        pixel_v = np.where(inside, np.floor(v + 0.5), 0).astype(int)
        reading = np.where(inside, packed[pixel_v, pixel_u], 0)
        s = (reading >> 8) * UNIT_M - points[:, 2]
        use = (reading > 0) & (np.abs(s) <= self.truncation_m)
        close = 3.0 * self.truncation_m / ONE
        block.sure &= ~((reading > 0) & (np.abs(np.abs(s) - self.truncation_m) < close))
        block.sure &= ~((reading > 0) & (np.abs(np.abs(s) - self.voxel_m) < close))
        w = np.where(use, reading & 255, 0)
        total = block.weight + w
        measured = np.floor(s / self.truncation_m * ONE + 0.5)
        mean = (block.dist * block.weight + measured * w) / np.maximum(total, 1)
        block.dist = np.where(use, np.floor(mean + 0.5), block.dist)
        block.weight = np.minimum(total, WEIGHT_CAP)
        near = use & (np.abs(s) <= self.voxel_m)
        _fuse_rows(block, near, u, v, rgb[pixel_v, pixel_u], camera, features, lsn)


def _fuse_rows(block, near, u, v, colour, camera, features, lsn) -> None:
    block.has_row |= near
    count = np.minimum(block.colour_count + 1, ROW_CAP)
    mean = block.colour + (256.0 * colour - block.colour) / count[:, None]
    block.colour = np.where(near[:, None], np.floor(mean + 0.5), block.colour)
    block.colour_count = np.where(near, count, block.colour_count)
    if features is not None:
        count = np.minimum(block.feature_count + 1, ROW_CAP)
        for i in np.flatnonzero(near):
            mean = block.feature[i] + (bilinear(features, u[i], v[i], camera) - block.feature[i]) / count[i]
            block.feature[i] = eight_significant_bits(mean.astype(np.float16))  # as section 5 of the page says
        block.feature_count = np.where(near, count, block.feature_count)
    block.first = np.where(near & (block.first == 0), lsn, block.first)
    block.last = np.where(near, lsn, block.last)


def eight_significant_bits(values):
    """Values of float16, each rounded to the nearest multiple of the last of 8 bits, halves away from zero; float64."""
    value = np.asarray(values).astype(np.float64)
    _, exponent = np.frexp(value)
    last = np.exp2(np.maximum(exponent, -13) - 8.0)  # below 2^-14 the bits of a float16 stand for fixed amounts
    return np.copysign(np.floor(np.abs(value) / last + 0.5) * last, value)


def bilinear(features, u, v, camera):
    """Value of a patch grid (h, w, D) over the whole image at pixel (u, v); constant beyond the outer patch centres."""
    h, w, _ = features.shape
    gu = np.clip((u + 0.5) * w / camera.width - 0.5, 0, w - 1)
    gv = np.clip((v + 0.5) * h / camera.height - 0.5, 0, h - 1)
    total = np.zeros(features.shape[2])
    for j in range(h):
        for i in range(w):
            total += max(0.0, 1 - abs(gu - i)) * max(0.0, 1 - abs(gv - j)) * features[j, i].astype(np.float64)
    return total


def _project(points, camera):
    z = np.where(points[:, 2] > 0.01, points[:, 2], np.nan)
    u = points[:, 0] / z * camera.fx + camera.cx
    v = points[:, 1] / z * camera.fy + camera.cy
    with np.errstate(invalid="ignore"):
        inside = (u >= -0.5) & (v >= -0.5) & (u < camera.width - 0.5) & (v < camera.height - 0.5)
    return u, v, inside


def _near_border(pixel, margin=3e-4):
    with np.errstate(invalid="ignore"):
        return np.abs(pixel - np.floor(pixel) - 0.5) < margin
