"""Poses to start an alignment from: turns of the camera around the places that are most like the frame."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import exp_so3
from spatialmem.localise.likeness import brightness, shrunk
from spatialmem.localise.readings import Readings
from spatialmem.localise.rendered import Rendered, wide_camera
from spatialmem.types import Camera
from spatialmem.voxels.surface_reading import SurfaceReading
from spatialmem.voxels.turns import score_turns
from spatialmem.voxels.views import pinhole

COLUMNS = 48
"""of the views in which turns are tried"""
_YAW_DEG, _PITCH_DEG, _ROLL_DEG = range(-32, 33, 8), range(-24, 25, 8), range(-30, 31, 10)
_REACH_M = 0.5
_THIN = 8  # readings on every 8th point of their grid: 20 x 15 of them
_AROUND_M = 1.5  # places nearer than this are one room, as far as looking alike goes
_PER_PLACE, _APART_RAD = 2, np.deg2rad(20.0)  # starts from one place, and the angle between them at least


class Start(NamedTuple):
    """A pose worth trying."""

    score: float
    """see `voxels.turns.score_turns`"""
    lsn: int
    """the stored frame it was found from"""
    map_from_camera: NDArray[np.float64]
    view: Rendered
    """the map from where that frame was taken"""


@lru_cache(maxsize=1)
def turns() -> NDArray[np.float64]:
    """(K, 3, 3) rotations about the camera's axes that are tried at every place."""
    angles = np.deg2rad(list(itertools.product(_PITCH_DEG, _YAW_DEG, _ROLL_DEG)))
    zero = np.zeros(len(angles))
    pitch = exp_so3(np.stack([angles[:, 0], zero, zero], axis=-1))
    yaw = exp_so3(np.stack([zero, angles[:, 1], zero], axis=-1))
    roll = exp_so3(np.stack([zero, zero, angles[:, 2]], axis=-1))
    return np.ascontiguousarray(yaw @ pitch @ roll)


def starts_at(
    surface: SurfaceReading, places: Iterable[tuple[int, NDArray[np.float64]]], readings: Readings,
    rgb: NDArray[np.uint8], camera: Camera, most: int,
) -> list[Start]:  # fmt: skip
    """At most this many starts, the best first, from places (lsn, map_from_camera)."""
    wide, thin = wide_camera(camera, COLUMNS), readings.thinned(_THIN)
    grey = _grey_at(rgb, camera, thin)
    found = []
    for lsn, pose in places:
        view = Rendered.of(surface, pose, wide)
        scores = score_turns(turns(), thin.points_m, grey, view.depth_m, view.grey, pinhole(wide), _REACH_M)
        for k in _best(scores):
            turned = pose.copy()
            turned[:3, :3] = pose[:3, :3] @ turns()[k]
            found.append(Start(float(scores[k]), lsn, turned, view))
    return _spread(sorted(found, key=lambda start: -start.score), most)


def _spread(found: list[Start], most: int) -> list[Start]:
    """The best, at most half of them from around one place: of two rooms alike, both are to be tried."""
    chosen: list[Start] = []
    for start in found:
        near = sum(_distance_m(start, other) < _AROUND_M for other in chosen)
        if near < most // 2 and len(chosen) < most:
            chosen.append(start)
    return chosen


def _distance_m(a: Start, b: Start) -> float:
    return float(np.linalg.norm((a.map_from_camera - b.map_from_camera)[:3, 3]))


def _best(scores: NDArray[np.float64]) -> list[int]:
    """The best turn, and the best of those that are not beside one already taken."""
    chosen: list[int] = []
    for k in np.argsort(-scores, kind="stable"):
        if scores[k] < 0 or len(chosen) == _PER_PLACE:
            break
        if all(_angle(turns()[k], turns()[other]) > _APART_RAD for other in chosen):
            chosen.append(int(k))
    return chosen


def _angle(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Angle in radians between two rotations (3, 3)."""
    cosine = (np.sum(a * b) - 1.0) / 2.0
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _grey_at(rgb: NDArray[np.uint8], camera: Camera, readings: Readings) -> NDArray[np.float64]:
    """(N,) brightness around the pixel of each reading, as coarse as the views are."""
    columns = 2 * COLUMNS // 3  # a wide view shows half as much again with the same pixels
    small = camera.scaled_to(columns, max(1, round(camera.height * columns / camera.width)))
    grey = brightness(shrunk(rgb, small))
    at = (readings.pixel + 0.5) * (small.height / camera.height, small.width / camera.width)
    row, column = np.minimum(at.astype(np.intp), (small.height - 1, small.width - 1)).T
    return grey[row, column].astype(np.float64)
