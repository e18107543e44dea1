"""Candidates that are like a query, and yet more like the background: left out before regions are made of them.

The scan compares with the query alone, which is quick. Where a score hangs on more than that cosine, what it lets
through would grow together with the walls around, and no region would be a hit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.bits import LAYERS
from spatialmem.voxels.keys import VOXELS
from spatialmem.voxels.search import Candidates

MOST = 1 << 18
"""candidates that are scored; where there are more, those most like the query"""
_AT_ONCE = 1 << 15


def sifted(found: Candidates, score: Callable[[NDArray[np.float32]], NDArray[np.float32]], least: float) -> Candidates:
    """The candidates whose feature has a score of at least `least`."""
    places = found.places()
    rows, unscored = found.rows(places), max(0, len(places) - MOST)
    if unscored:
        similarity = found.similarity(rows)
        best = np.sort(np.argpartition(-similarity, MOST)[:MOST])
        places, rows = places[best], rows[best]
    kept = np.zeros(len(rows), np.bool_)
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        kept[part] = score(found.features(rows[part])) >= least
    return replace(only(found, places[kept]), unscored=unscored)


def only(found: Candidates, places: NDArray[np.int64]) -> Candidates:
    """The candidates at these places, and no others."""
    chosen = np.zeros(VOXELS * len(found.keys), np.bool_)
    chosen[places] = True
    bits = np.packbits(chosen, bitorder="little").view("<u8").astype(np.uint64).reshape(-1, LAYERS)
    some = bits.any(axis=1)
    return replace(found, keys=found.keys[some], blocks=found.blocks[some], voxel_bits=bits[some])
