"""Which places lie beside which: what a way over the ground is made of."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from spatialmem.ground.standing import Standing, beside, next_to
from spatialmem.voxels.compiled import kernel

SIDES: Final = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""columns to the side that each link of a place leads to; the first four may lead over columns without known ground"""


def links_of(standing: Standing) -> NDArray[np.int32]:
    """(N, 8) the place beside each place on each of `SIDES`, -1 without one.

    The first four are those by which `Standing.components` are connected. The others, aslant, lead to the next column
    only, no further up or down than a step, and only where the body could as well go round the corner on either side.
    """
    links = np.full((len(standing), len(SIDES)), -1, np.int32)
    _link(standing.below, standing.voxel, standing.starts, standing.step, standing.head, links)
    return links


@kernel
def _link(below, places, starts, step, head, links):
    width, depth = below.shape[0], below.shape[1]
    for n in range(places.shape[0]):
        for side in range(4):
            di, dj = (side == 0) - (side == 1), (side == 2) - (side == 3)
            links[n, side] = next_to(below, places, starts, n, di, dj, step, head)
    for n in range(places.shape[0]):
        for side in range(4, 8):
            di, dj = 1 if side < 6 else -1, 1 if side % 2 == 0 else -1
            one, other = links[n, 0 if di > 0 else 1], links[n, 2 if dj > 0 else 3]
            if one < 0 or other < 0 or places[one, 0] != places[n, 0] + di or places[other, 1] != places[n, 1] + dj:
                continue
            corner = beside(places, starts, width, depth, one, 0, dj, step)
            if corner < 0 or corner != beside(places, starts, width, depth, other, di, 0, step):
                continue
            if abs(places[corner, 2] - places[n, 2]) <= step:
                links[n, side] = corner
