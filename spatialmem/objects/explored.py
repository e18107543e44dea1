"""From which frame on the places of the map were looked at: what is in a place that is new to a robot did not come
there, as far as it knows."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.objects.looking import SeenFrame

_CELL_M = 0.25
_EVERY = 6
"""samples of a frame's depths, along both sides, one of which is looked at"""
_FARTHEST_M = 5.0
_SHARE = 0.3
"""of a thing's points, those that must lie in cells that were looked at"""
_BITS = 20
"""of a cell's number along an axis"""


@final
class Explored:
    """Cells that were seen free, or had a surface in them, and since when."""

    def __init__(self) -> None:
        self._since: dict[int, int] = {}

    def take(self, frame: SeenFrame) -> None:
        """Note what a frame shows."""
        for key in np.unique(_keys(_along_rays(frame))).tolist():
            self._since.setdefault(key, frame.lsn)

    def since(self, points_m: NDArray[np.floating], lsn: int) -> int:
        """The frame from which on the place of a thing with these points (N, 3) was known; `lsn` where it was not."""
        first = sorted(self._since.get(key, lsn) for key in _keys(points_m).tolist())
        return first[int(_SHARE * (len(first) - 1))]


def _along_rays(frame: SeenFrame) -> NDArray[np.float64]:
    """(N, 3) points of the map a cell apart, from the camera to what it sees."""
    seen, pose = frame.seen, frame.map_from_camera
    z = seen.depth_m[::_EVERY, ::_EVERY].astype(np.float64)
    rows, columns = np.nonzero(np.isfinite(z))
    z, step, start = z[rows, columns], seen.stride * _EVERY, seen.stride // 2
    x = (columns * step + start - seen.camera.cx) / seen.camera.fx
    y = (rows * step + start - seen.camera.cy) / seen.camera.fy
    far = np.append(np.arange(_CELL_M, _FARTHEST_M, _CELL_M), 0.0)  # 0: where the reading is
    local = np.stack([x, y, np.ones_like(x)], axis=1)[:, None] * np.where(far > 0.0, far, z[:, None])[..., None]
    return local[(far < z[:, None])] @ pose[:3, :3].T + pose[:3, 3]


def _keys(points_m: NDArray[np.floating]) -> NDArray[np.int64]:
    """(N,) numbers of the cells of points (N, 3)."""
    cells = np.floor(np.asarray(points_m, np.float64) / _CELL_M).astype(np.int64)
    x, y, z = (cells + (1 << (_BITS - 1))).T
    return (x << 2 * _BITS) | (y << _BITS) | z
