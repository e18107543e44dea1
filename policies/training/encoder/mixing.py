"""Pictures that show parts of others, so that a thing is known by itself and not by the house around it: copy and paste
(Ghiasi et al., CVPR 2021), with what was pasted left unsupervised, as clutter of which nothing is known."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Ids = NDArray[np.uint8]
_MOST_PATCHES = 3
_PATCH = (0.12, 0.5)
"""sides of a patch over that of the picture"""
_MADE_UP = 0.4
"""share of what is pasted that is no picture but noise"""


def mixed(
    pictures: Sequence[Rgb], ids: Sequence[Ids], building: Sequence[NDArray[np.bool_]], share: float,
    rng: np.random.Generator,
) -> list[tuple[Rgb, Ids, bool]]:  # fmt: skip
    """The pictures with their ids, and whether they were changed; where something was pasted the id is 0.

    Args:
        pictures: each (S, S, 3), one size.
        ids: (S, S) of the things that they show, 0 nothing.
        building: (256,) of each: whether an id is a wall, a floor or the like.
        share: of pictures whose building is replaced, and of those that have patches before them.
        rng: of the choice.
    """
    found = []
    for rgb, own, walls in zip(pictures, ids, building, strict=True):
        behind, before = rng.uniform(size=2) < share
        pasted = (walls[own] | (own == 0)) if behind else np.zeros(own.shape, bool)
        if behind:
            rgb = np.where(pasted[..., None], _other(pictures, rng), rgb)
        if before:
            patches = _patches(own.shape[0], rng)
            rgb, pasted = np.where(patches[..., None], _other(pictures, rng), rgb), pasted | patches
        found.append((rgb, np.where(pasted, 0, own).astype(np.uint8), bool(behind or before)))
    return found


def _other(pictures: Sequence[Rgb], rng: np.random.Generator) -> Rgb:
    """One of the pictures, turned by a multiple of a right angle, or noise."""
    size = pictures[0].shape[0]
    if rng.uniform() < _MADE_UP:
        return noise(size, rng)
    return np.rot90(pictures[int(rng.integers(len(pictures)))], int(rng.integers(4)))


def noise(size: int, rng: np.random.Generator) -> Rgb:
    """(S, S, 3) coarse and fine noise in some colours: cloudy, blotched or speckled."""
    total, weights = np.zeros((size, size, 3), np.float32), 0.0
    for cells in (2, 5, 12, 30):
        weight = float(rng.uniform()) ** 2
        grain = rng.uniform(-1.0, 1.0, (cells, cells, 3 if rng.uniform() < 0.5 else 1)).astype(np.float32)
        way = cv2.INTER_NEAREST if rng.uniform() < 0.3 else cv2.INTER_LINEAR
        total += weight * cv2.resize(grain, (size, size), interpolation=way).reshape(size, size, -1)
        weights += weight
    colour, reach = rng.uniform(0.0, 255.0, 3), float(rng.uniform(20.0, 160.0))
    return np.clip(colour + reach * total / max(weights, 1e-3), 0.0, 255.0).astype(np.uint8)


def _patches(size: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(S, S) some rectangles and ellipses."""
    mask = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(1, _MOST_PATCHES + 1))):
        half = rng.uniform(*_PATCH, 2) * size / 2
        middle, angle = rng.uniform(0, size, 2), float(rng.uniform(0.0, 180.0))
        if rng.uniform() < 0.5:
            corners = cv2.boxPoints(((middle[0], middle[1]), (2 * half[0], 2 * half[1]), angle))
            cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
        else:
            axes = int(half[0]) + 1, int(half[1]) + 1
            cv2.ellipse(mask, (int(middle[0]), int(middle[1])), axes, angle, 0, 360, 1, -1)
    return mask.astype(bool)
