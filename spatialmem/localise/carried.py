"""Refining one frame after the other: what the last frames were moved by is where the next one is looked for.

Odometry drifts slowly: a frame is off by nearly what the frame before was off by. Aligned from where it was observed,
each would start farther away than the last, until none is found and the map holds moved frames beside unmoved ones.
Poses of single frames that jitter have nothing to carry. So both starts are asked, and the readings choose.

All of it follows from the stored poses of the last frames, so a memory that was closed in between goes on alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import apply, inverse, pose_difference
from spatialmem.localise.gauss_newton import Field, orthonormal
from spatialmem.localise.readings import Readings
from spatialmem.localise.refine import LIMIT_DEG, LIMIT_M, TOO_FAR, better, distances_at, refine

Pose = NDArray[np.float64]

FRAMES = 4
"""how many of the last frames must agree before a frame that sees nothing mapped is moved like them"""
JUMP_M, JUMP_DEG = 1.0, 60.0
"""a step from one stored frame to the next beyond which the tracking may have started anew: nothing is carried"""
EXPLAINED = 2.0
"""by how much a motion must bring down the distances that neighbouring readings have in common. Sensor and map are off
in ways that bend a frame a little, so both halves of it gain by following them; from frame to frame that adds up"""
_STEP = 2  # readings that choose between the starts: on every second row and column
_SIDE, _LEAST = 8, 8  # readings on n x n of the grid are neighbours; how many it takes


@dataclass(frozen=True, eq=False)
class Starts:
    """Where a frame may stand before it is aligned; poses (4, 4) of the camera."""

    observed: Pose
    carried: Pose
    """moved as the frame before was; the observed pose itself when there is nothing to carry"""
    agreed: bool
    """whether the last frames were moved alike, so that this holds without being seen in the map"""

    @property
    def likely(self) -> Pose:
        """Where the frame stands as far as the frames before tell."""
        return self.carried if self.agreed else self.observed

    def after(self, other_from_world: Pose) -> Starts:
        """The same in other coordinates."""
        observed = other_from_world @ self.observed
        same = self.carried is self.observed
        return Starts(observed, observed if same else other_from_world @ self.carried, self.agreed)


def starts_of(observed: Pose, before: Sequence[tuple[Pose, Pose]]) -> Starts:
    """Starts of a frame, by the last stored frames of its camera, newest first: observed, and as stored."""
    if not before or _jump(before[0][0], observed) or np.array_equal(*before[0]):
        return Starts(observed, observed, False)
    carried = [orthonormal(stored @ inverse(seen) @ observed) for seen, stored in before]
    if len(carried) < FRAMES:
        return Starts(observed, carried[0], False)
    scatter = max(_apart(a, b) for a, b in zip(carried, carried[1:], strict=False))
    return Starts(observed, carried[0], min(_apart(pose, observed) for pose in carried) > scatter)


def settled(readings: Readings, starts: Starts, field: Field, voxel_m: float) -> Pose:
    """Where a frame is fused: aligned from the better start, or there where the alignment is not to be believed."""
    first, second = _ordered(readings, starts, field, 1.5 * voxel_m)
    found = refine(readings, first, field, voxel_m)
    if found.verdict == TOO_FAR and second is not None:
        found = refine(readings, second, field, voxel_m)
    if not found.moved:
        return first
    judging = readings.halves()[1]
    before, after = (_shared_m(judging, pose, field) for pose in (first, found.map_from_camera))
    return found.map_from_camera if before >= EXPLAINED * after else first


def _ordered(readings: Readings, starts: Starts, field: Field, far_m: float) -> tuple[Pose, Pose | None]:
    """The start to try first, and the other one: by the readings, and where they do not tell, by the last frames."""
    observed, carried = starts.observed, starts.carried
    if carried is observed:
        return observed, None
    some = readings.thinned(_STEP)
    by_observed, by_carried = (distances_at(some, pose, field) for pose in (observed, carried))
    if better(by_observed, by_carried, far_m):
        return carried, observed
    if starts.agreed and not better(by_carried, by_observed, far_m):
        return carried, observed
    return observed, carried


def _shared_m(readings: Readings, pose: Pose, field: Field) -> float:
    """Median over patches of a frame of how far their readings lie off together; noise of single ones averages out."""
    distance = field(apply(pose, readings.points_m))[0]
    known = np.isfinite(distance)
    row, column = (readings.at[known] // _SIDE).T
    patch = row * (column.max(initial=0) + 1) + column
    count = np.bincount(patch)
    enough = count >= _LEAST
    off = np.bincount(patch, distance[known])[enough] / count[enough]
    return float(np.median(np.abs(off))) if len(off) else 0.0


def _jump(before: Pose, now: Pose) -> bool:
    metres, angle = pose_difference(before, now)
    return bool(metres > JUMP_M or np.rad2deg(angle) > JUMP_DEG)


def _apart(a: Pose, b: Pose) -> float:
    """Distance of two poses, metres and radians weighed as the limits of a refinement are."""
    metres, angle = pose_difference(a, b)
    return float(metres) / LIMIT_M + float(np.rad2deg(angle)) / LIMIT_DEG
