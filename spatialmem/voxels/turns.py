"""Many turns of a camera tried at once: how well its readings lie in a view that was rendered from another pose."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.integrate import Pinhole

_LEAST_MET = 0.3  # share of the readings that must fall on a surface of the view
_NEAREST_M = 0.05


@leaf
def _score(turn, points, grey, depth, view_grey, camera, reach):
    met, near, sa, sb, saa, sbb, sab = 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        pz = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z
        if pz < _NEAREST_M:
            continue
        u = (turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z) / pz * camera.fx + camera.cx + 0.5
        v = (turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z) / pz * camera.fy + camera.cy + 0.5
        if not (u >= 0 and v >= 0 and u < camera.width and v < camera.height):
            continue
        d = depth[int(v), int(u)]
        if not d > 0:
            continue
        a, b = grey[n], view_grey[int(v), int(u)]
        met += 1
        near += max(0.0, 1.0 - abs(pz - d) / reach)
        sa, sb, saa, sbb, sab = sa + a, sb + b, saa + a * a, sbb + b * b, sab + a * b
    if met < _LEAST_MET * points.shape[0] or met < 8:
        return -1.0
    spread = (met * saa - sa * sa) * (met * sbb - sb * sb)
    alike = (met * sab - sa * sb) / math.sqrt(spread) if spread > 0 else 0.0
    return (near + met * max(0.0, alike)) / points.shape[0]


@leaf
def _score_range(start, stop, turns, points, grey, depth, view_grey, camera, reach, out):
    for k in range(start, stop):
        out[k] = _score(turns[k], points, grey, depth, view_grey, camera, reach)


def score_turns(
    turns: NDArray[np.float64], points_m: NDArray[np.float64], grey: NDArray[np.float64],
    depth_m: NDArray[np.float32], view_grey: NDArray[np.float32], camera: Pinhole, reach_m: float,
) -> NDArray[np.float64]:  # fmt: skip
    """(K,) scores of view_from_camera rotations (K, 3, 3), the centre of the camera being that of the view.

    0 to 2: share of the points (N, 3) whose depth meets the view's (H, W), each weighted by 1 - |difference| / reach,
    plus the correlation of their brightness (N,) with the view's (H, W) where they meet; -1 where too few do.
    """
    out = np.empty(len(turns))
    DISPATCHER.run(_score_range, len(turns), turns, points_m, grey, depth_m, view_grey, camera, reach_m, out, grain=16)
    return out
