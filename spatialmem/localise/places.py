"""Where to look first: stored frames whose image is like the new one, no two of them from nearly the same pose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SAME_M, _SAME_DEG = 0.25, 10.0  # within both, two stored frames are one place


@dataclass(frozen=True, eq=False)
class Places:
    """The poses of M stored frames, in log order, and what their images look like."""

    lsn: NDArray[np.int64]
    """(M,)"""
    map_from_camera: NDArray[np.float64]
    """(M, 4, 4)"""
    vectors: NDArray[np.float32]
    """(M, F) unit image vectors of the encoder, zeros where a frame was not encoded; F is 0 where none was kept"""

    @classmethod
    def of(cls, poses: Iterable[tuple[int, NDArray[np.float64]]], vectors: dict[int, NDArray[np.float32]]) -> Places:
        """From (lsn, map_from_camera) in log order and the image vectors (F,) of some of these frames."""
        given = list(poses)
        width = max((len(v) for v in vectors.values()), default=0)
        table = np.zeros((len(given), width), np.float32)
        for row, (lsn, _) in enumerate(given):
            if lsn in vectors:
                table[row] = vectors[lsn]
        lsns = np.array([lsn for lsn, _ in given], np.int64)
        return cls(lsns, np.array([pose for _, pose in given]).reshape(-1, 4, 4), table)

    def __len__(self) -> int:
        return len(self.lsn)

    def candidates(self, vector: NDArray[np.float32] | None, most: int) -> list[int]:
        """Rows of at most this many places, the one most like the image vector (F,) first.

        Without a vector, or where none is kept, the latest first.
        """
        likeness = np.zeros(len(self)) if vector is None or not self.vectors.shape[1] else self.vectors @ vector
        order = np.lexsort((-self.lsn, -likeness))
        left, found = np.ones(len(self), np.bool_), []
        for row in order:
            if len(found) == most:
                break
            if left[row]:
                found.append(int(row))
                left &= ~self._beside(row)
        return found

    def _beside(self, row: int) -> NDArray[np.bool_]:
        pose = self.map_from_camera[row]
        near = np.linalg.norm(self.map_from_camera[:, :3, 3] - pose[:3, 3], axis=1) < _SAME_M
        cosine = (np.einsum("nij,ij->n", self.map_from_camera[:, :3, :3], pose[:3, :3]) - 1.0) / 2.0
        return near & (cosine > np.cos(np.deg2rad(_SAME_DEG)))
