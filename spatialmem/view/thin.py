"""Fewer points that look the same: one for each cell of a grid, no finer than it must be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST_GROWTH = 1.05


@dataclass(frozen=True, eq=False)
class Cloud:
    """Coloured points of the map frame."""

    position_m: NDArray[np.float32]
    """(N, 3) metres"""
    rgb: NDArray[np.uint8]
    """(N, 3)"""
    lsn: NDArray[np.int64]
    """(N,) the first frame that saw the point"""
    kind: NDArray[np.int64]
    """(N,) 0 or 1: points of different kinds are never made one"""
    cell_m: float
    """spacing of the points"""

    def __len__(self) -> int:
        return len(self.position_m)

    def of(self, chosen: NDArray[np.bool_]) -> Cloud:
        """The points for which (N,) `chosen` is True."""
        return Cloud(self.position_m[chosen], self.rgb[chosen], self.lsn[chosen], self.kind[chosen], self.cell_m)


def thinned(cloud: Cloud, most: int) -> Cloud:
    """At most `most` points, or one: the mean of those in a cell, first seen when the first of them was.

    The cells are the finest that are few enough, to within 5 % of their edge. The same cloud gives the same points.
    """
    cell_m, best = cloud.cell_m, cloud
    while len(best) > max(most, 1):
        cell_m *= max(_LEAST_GROWTH, 0.9 * (len(best) / max(most, 1)) ** 0.5)  # a surface: points go with its square
        best = _one_a_cell(cloud, cell_m)
    return best


def _one_a_cell(cloud: Cloud, cell_m: float) -> Cloud:
    cell = np.floor((cloud.position_m - cloud.position_m.min(0)) / cell_m).astype(np.int64)
    key = np.ravel_multi_index((*cell.T, cloud.kind), (*(cell.max(0) + 1), int(cloud.kind.max()) + 1))
    order = np.lexsort((cloud.lsn, key))
    _, starts, counts = np.unique(key[order], return_index=True, return_counts=True)
    first = order[starts]
    position = np.add.reduceat(cloud.position_m[order].astype(np.float64), starts) / counts[:, None]
    colour = np.add.reduceat(cloud.rgb[order].astype(np.float64), starts) / counts[:, None]
    rgb = np.rint(colour).astype(np.uint8)
    return Cloud(position.astype(np.float32), rgb, cloud.lsn[first], cloud.kind[first], cell_m)
