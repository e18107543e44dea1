"""Moving readings onto a surface: Gauss-Newton on SE(3) with robust weights, along the directions the surface fixes.

Point-to-plane (Chen and Medioni 1992), with distance and normal read from the map's distance field as in Bylow et al.,
RSS 2013. Weights are Tukey's biweight (Beaton and Tukey 1974). Directions that the surface leaves open are left
alone: solution remapping of Zhang, Kaess and Singh, ICRA 2016.

By the map's normals alone, their noise counts as something that holds the frame. Weighed by the frame's own normals
instead, distances are free of that, for the noise of the two is not the same (instrumental variables, Soderstrom and
Stoica 1983). It takes readings with normals, and gives up what the map knows of edges: right for a frame that is nearly
in place, while one that comes from afar needs the edges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import apply, exp_so3, skew
from spatialmem.localise.readings import Readings

Field = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""(N, 3) points of the map, metres -> (N,) metres from the surface and (N, 3) unit slope, NaN where not known"""

LEAST_HOLD, LEAST_OWN_HOLD = 0.02, 0.01
"""mean square of the cosine between the normals and a direction, under which nothing holds a frame along it: normals
of a wall that are 8 degrees off at random make as much of the directions within the wall, and 15 degrees, as in a map
of few noisy frames, 0.06. The second is of the mean product of the map's and the frame's own, which noise adds nothing
to"""
_LEAST_READINGS = 30
_STILL = 0.005  # a step under this share of its reach ends a level
_SHARED = 16.0  # neighbouring readings whose errors are one: they see the same voxels of the map


class Level(NamedTuple):
    """One level, from coarse to fine."""

    step: int
    """readings on every n-th row and column of their grid"""
    reach_m: float
    """distance from which on a reading has no say"""
    rounds: int
    """steps at most"""


@dataclass(frozen=True, eq=False)
class Hold:
    """How readings at a pose sit on the surface: the normal equations about their middle.

    Coordinates of a motion: translation in metres, then rotation vector times `spread_m`, both along the map's axes.
    """

    hessian: NDArray[np.float64]
    """(6, 6) mean over the readings, symmetric; its trace is at most 2"""
    slope: NDArray[np.float64]
    """(6,)"""
    middle_m: NDArray[np.float64]
    """(3,) of the readings, in the map"""
    spread_m: float
    """root mean square distance of the readings from their middle"""
    variance_m2: float
    """weighted mean square of the distances"""
    count: int
    """readings that have a say"""
    least: float
    """firmness from which on a direction is held"""

    def directions(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(K, 6) directions that the surface holds, (K,) how firmly (see `LEAST_HOLD`), and the (6 - K, 6) others."""
        firmness, vectors = np.linalg.eigh(self.hessian)
        held = firmness >= self.least
        return vectors.T[held], firmness[held], vectors.T[~held]

    def motion(self) -> NDArray[np.float64]:
        """(4, 4) the step, in the map, that brings the readings nearer to the surface."""
        held, firmness, _ = self.directions()
        step = -(held.T / firmness) @ (held @ self.slope)
        motion = np.eye(4)
        motion[:3, :3] = exp_so3(step[3:] / self.spread_m)
        motion[:3, 3] = self.middle_m + step[:3] - motion[:3, :3] @ self.middle_m
        return motion

    def at_camera(self, centre_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(6, 6) covariance and (6 - K, 6) unit open directions of the pose of a camera whose centre (3,) is given.

        Both of (shift of the centre in metres, rotation vector in radians), map axes. The covariance covers the held
        directions alone. It takes 16 neighbouring readings for one, since they see the same voxels.
        """
        held, firmness, left_open = self.directions()
        independent = max(1.0, self.count / _SHARED)
        covariance = (held.T * (self.variance_m2 / independent / firmness)) @ held
        to_camera = np.eye(6)
        to_camera[:3, 3:] = -skew(centre_m - self.middle_m) / self.spread_m
        to_camera[3:, 3:] /= self.spread_m
        moved = left_open @ to_camera.T
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        return to_camera @ covariance @ to_camera.T, moved / np.maximum(lengths, 1e-12)


def hold_of(
    readings: Readings, pose: NDArray[np.float64], field: Field, reach_m: float, own_normals: bool
) -> Hold | None:
    """Of readings at a pose (4, 4) in the map; None when too few are near a surface."""
    points = apply(pose, readings.points_m)
    distance, normal = field(points)
    near = np.abs(distance) < reach_m  # False for NaN
    if own_normals:
        near &= np.isfinite(readings.normals[:, 0])
    count = int(near.sum())
    if count < _LEAST_READINGS:
        return None
    p, r, n = points[near], distance[near], normal[near]
    own = readings.normals[near] @ pose[:3, :3].T if own_normals else n
    w = np.square((1.0 - np.square(r / reach_m)) / readings.sigma_m[near])
    w = w / w.sum()
    middle = w @ p
    arm = p - middle
    spread = max(float(np.sqrt(w @ np.square(arm).sum(axis=1))), 1e-3)
    j = np.concatenate([n, np.cross(arm, n) / spread], axis=1)
    weighted = np.concatenate([own, np.cross(arm, own) / spread], axis=1) * w[:, None]
    hessian = weighted.T @ j
    return Hold(
        0.5 * (hessian + hessian.T), weighted.T @ r, middle, spread, float(w @ np.square(r)), count,
        LEAST_OWN_HOLD if own_normals else LEAST_HOLD,
    )  # fmt: skip


def align(
    readings: Readings, map_from_camera: NDArray[np.float64], field: Field, levels: Sequence[Level],
    own_normals: bool = False,
) -> tuple[NDArray[np.float64], Hold | None]:  # fmt: skip
    """(4, 4) pose at which the readings lie on the surface, and how they sit there.

    None in place of the latter when too few readings came near a surface, on the way or at the end.
    """
    pose, hold = map_from_camera, None
    for level in levels:
        chosen = readings.thinned(level.step)
        for _ in range(level.rounds):
            hold = hold_of(chosen, pose, field, level.reach_m, own_normals)
            if hold is None:
                return pose, None
            motion = hold.motion()
            pose = motion @ pose
            if _moved_m(motion, hold) < _STILL * level.reach_m:
                break
    return orthonormal(pose), hold


def orthonormal(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """A pose (4, 4) without the rounding of many products."""
    u, _, vt = np.linalg.svd(pose[:3, :3])
    out = pose.copy()
    out[:3, :3] = u @ vt
    return out


def _moved_m(motion: NDArray[np.float64], hold: Hold) -> float:
    """About as far as a motion takes a reading."""
    turn = np.linalg.norm(motion[:3, :3] - np.eye(3)) / np.sqrt(2.0)
    shift = np.linalg.norm(motion[:3, :3] @ hold.middle_m + motion[:3, 3] - hold.middle_m)
    return float(shift + turn * hold.spread_m)
