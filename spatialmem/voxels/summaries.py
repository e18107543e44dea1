"""What is remembered in RAM of the features of a block that is on file alone: enough to tell that it cannot answer.

A block's features are covered by a few balls on the unit sphere (centres by farthest-point selection, Gonzalez,
Theoretical Computer Science 1985). A feature within the angle r of a centre has at most the cosine
cos(angle(query, centre) - r) with a query: below what an answer needs, no voxel of the block can be one.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.blocks import BlockArrays
from spatialmem.voxels.reserve import reserved

_BALLS = 3
_SLACK_RAD = 0.004  # of rounding, here and in a scan
_EXACT = 127.0
_AT_ONCE = 4096


@final
class Summaries:
    """Summaries of blocks by slot, in arrays reserved once."""

    def __init__(self, reserved_bytes: int, width: int, near: int) -> None:
        """near: stored distance up to which a voxel counts as surface, as a scan takes it."""
        capacity = reserved_bytes // (_BALLS * (width + 4) + 4)
        self._near = near
        self._centre = reserved((capacity, _BALLS, width), np.int8)
        self._radius = np.full((capacity, _BALLS), -1.0, np.float32)
        self._voxels = np.zeros((capacity, 2), np.uint16)
        self._since = np.zeros(capacity, np.int64)
        self._used = 0

    def new_slot(self) -> int:
        """A slot that is not in use, -1 when there is none."""
        if self._used == len(self._centre):
            return -1
        self._used += 1
        return self._used - 1

    def write(self, slot: int, block: BlockArrays, number: int = 0) -> None:
        """Summarise a block, for epoch `number` and those that follow; for older ones nothing is known any more."""
        self._since[slot] = number  # first: see `highest`
        surface = (np.abs(block.dist.astype(np.int32)) <= self._near) & (block.weight > 0) & block.has_row
        blind = surface[block.has_row] & (block.feature_weight == 0)
        self._voxels[slot] = surface.sum(), blind.sum()
        self._radius[slot] = -1.0
        feature = block.feature[block.feature_weight > 0].view(np.float16).astype(np.float32)
        norm = np.linalg.norm(feature, axis=1)
        unit = feature[norm > 0] / norm[norm > 0, None]
        if len(unit):
            centre = _centres(unit)
            self._centre[slot, : len(centre)] = centre
            self._radius[slot, : len(centre)] = _radii(unit, centre)

    def highest(self, slots: NDArray[np.int32], query: NDArray[np.float32], number: int) -> NDArray[np.float32]:
        """(N,) cosine with a unit vector (D,) that no voxel of the blocks exceeds in epoch `number`; 1 where nothing is
        known."""
        out = np.ones(len(slots), np.float32)
        for start in range(0, len(slots), _AT_ONCE):
            some = slots[start : start + _AT_ONCE]
            centre = self._centre[some].astype(np.float32)
            length = np.maximum(np.linalg.norm(centre, axis=2), 1e-9)
            angle = np.arccos(np.clip(centre @ query / length, -1.0, 1.0))
            bound = np.cos(np.maximum(0.0, angle - self._radius[some] - _SLACK_RAD))
            best = np.where(self._radius[some] < 0, -1.0, bound).max(1)
            unknown = (some < 0) | (self._since[some] > number)  # last: what was read may have been written meanwhile
            out[start : start + _AT_ONCE] = np.where(unknown, 1.0, best)
        return out

    def voxels(self, slots: NDArray[np.int32]) -> NDArray[np.int64]:
        """(N, 2) surface voxels of the blocks, and how many of these have no feature; 0 where nothing is known."""
        return np.where(slots[:, None] < 0, 0, self._voxels[slots]).astype(np.int64)


def _centres(unit: NDArray[np.float32]) -> NDArray[np.int8]:
    """(K, D) up to `_BALLS` of the unit vectors (N, D), far from each other, as int8 of any length."""
    chosen = [int(np.argmax(unit @ unit.mean(0)))]
    nearest = unit @ unit[chosen[0]]
    while len(chosen) < _BALLS and nearest.min() < 0.9999:
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, unit @ unit[chosen[-1]])
    picked = unit[chosen]
    return np.rint(picked * (_EXACT / np.abs(picked).max(1, keepdims=True))).astype(np.int8)


def _radii(unit: NDArray[np.float32], centre: NDArray[np.int8]) -> NDArray[np.float32]:
    """(K,) angle from each centre within which all vectors lie that are nearest to it; -1: it has none."""
    as_kept = centre.astype(np.float32)
    as_kept /= np.linalg.norm(as_kept, axis=1, keepdims=True)
    cosine = unit @ as_kept.T
    nearest, angle = cosine.argmax(1), np.arccos(np.clip(cosine.max(1), -1.0, 1.0))
    return np.array([angle[nearest == k].max(initial=-1.0) for k in range(len(centre))], np.float32)
