"""Moving a posed frame onto the map: a few centimetres at most, and only when what it is judged by says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import apply, exp_so3, log_so3, make_transform, pose_difference
from spatialmem.localise.gauss_newton import Field, Hold, Level, align
from spatialmem.localise.readings import Readings, readings_of
from spatialmem.types import Frame
from spatialmem.voxels.surface_reading import SurfaceReading
from spatialmem.voxels.views import DepthView

LIMIT_M, LIMIT_DEG = 0.05, 2.0
"""a frame that would have to be moved farther is left where it is: that is no drift, or not this surface"""
REFINED, NO_OVERLAP, OPEN, TOO_FAR, NOT_BETTER = "refined", "no overlap", "open", "too far", "not better"
Verdict = Literal["refined", "no overlap", "open", "too far", "not better"]
_LEAST_OVERLAP = 0.3  # share of the readings that must lie in the band of the map
_SIGNIFICANT = 3.0  # standard errors by which readings that had no say must agree better
_SHARED = 16.0  # as in gauss_newton: readings whose errors are one


@dataclass(frozen=True, eq=False)
class Refinement:
    """What became of a pose. Distances are those of the half of the readings that had no say in moving it."""

    map_from_camera: NDArray[np.float64]
    """(4, 4) the refined pose, or the given one where `verdict` is not "refined" """
    verdict: Verdict
    """"refined", or why the frame stayed: "no overlap" (too few readings near the map), "open" (the surface holds it
    in no direction), "too far" (beyond 5 cm or 2 degrees), "not better" (no significant gain)"""
    residual_before_m: float
    """median distance of the readings from the surface at the given pose; NaN without overlap"""
    residual_after_m: float
    """the same at `map_from_camera`"""
    overlap: float
    """share of the readings that lie in the band around the mapped surface, at `map_from_camera`"""
    shift_m: float
    """how far the camera was moved"""
    turn_deg: float
    """how far the camera was turned"""
    covariance: NDArray[np.float64]
    """(6, 6) of (shift of the camera in metres, rotation vector in radians), map axes, along the directions that the
    surface holds; nothing else is known of the `open_directions`"""
    open_directions: NDArray[np.float64]
    """(K, 6) unit directions, in the same coordinates, along which the surface holds nothing and nothing was moved"""

    @property
    def moved(self) -> bool:
        """Whether the pose differs from the given one."""
        return self.verdict == REFINED


def refine_frame(frame: Frame, map_from_camera: NDArray[np.float64], surface: SurfaceReading) -> Refinement:
    """Align a frame to a map, from a pose (4, 4) in it that is nearly right; see `refine`."""
    voxel_m = surface.config.voxel_size_m
    return refine(frame_readings(frame, surface), map_from_camera, surface.distances, voxel_m)


def frame_readings(frame: Frame, surface: SurfaceReading) -> Readings:
    """What an alignment needs of a frame; none without depth."""
    depth_m = np.full(frame.rgb.shape[:2], np.nan, np.float32) if frame.depth_m is None else frame.depth_m
    view = DepthView.of(depth_m, frame.valid, frame.camera, np.eye(4), surface.config)
    return readings_of(view, surface.config.voxel_size_m)


def refine(readings: Readings, map_from_camera: NDArray[np.float64], field: Field, voxel_m: float) -> Refinement:
    """Align readings to a surface, from a pose (4, 4) that is nearly right.

    Half of the readings move the pose, the other half judge it: it is kept when they agree better by three standard
    errors. Starts as far out as the band of `field` reaches (3 voxels unless configured otherwise).
    """
    moving, judging = readings.halves()
    before = distances_at(judging, map_from_camera, field)
    if _known(before) < _LEAST_OVERLAP:
        return _unmoved(map_from_camera, NO_OVERLAP, before, None)
    pose, hold = align(moving, map_from_camera, field, levels(voxel_m), own_normals=True)
    if hold is None:
        return _unmoved(map_from_camera, NO_OVERLAP, before, None)
    if len(hold.directions()[0]) == 0:
        return _unmoved(map_from_camera, OPEN, before, hold)
    pose = _nearest(pose, map_from_camera, hold)
    shift_m, turn = pose_difference(map_from_camera, pose)
    if shift_m > LIMIT_M or np.rad2deg(turn) > LIMIT_DEG:
        return _unmoved(map_from_camera, TOO_FAR, before, hold)
    after = distances_at(judging, pose, field)
    if not better(before, after, 1.5 * voxel_m):
        return _unmoved(map_from_camera, NOT_BETTER, before, hold)
    covariance, left_open = hold.at_camera(pose[:3, 3])
    return Refinement(
        pose, REFINED, _median(before), _median(after), _known(after), float(shift_m), float(np.rad2deg(turn)),
        covariance, left_open,
    )  # fmt: skip


def _nearest(pose: NDArray[np.float64], given: NDArray[np.float64], hold: Hold) -> NDArray[np.float64]:
    """The pose moved along the directions that the surface leaves open, as near to the given one as that brings it.

    Turning a frame about the middle of its readings takes its camera along. Where nothing holds the camera, it is to
    stay where it was said to be. Metres and radians are weighed as the limits are.
    """
    left_open = hold.at_camera(pose[:3, 3])[1]
    if len(left_open) == 0:
        return pose
    moved = np.concatenate([pose[:3, 3] - given[:3, 3], log_so3(pose[:3, :3] @ given[:3, :3].T)])
    weights = np.repeat((1.0 / LIMIT_M, 1.0 / np.deg2rad(LIMIT_DEG)), 3)
    along = np.linalg.lstsq((left_open * weights).T, -moved * weights, rcond=None)[0] @ left_open
    return make_transform(exp_so3(along[3:]) @ pose[:3, :3], pose[:3, 3] + along[:3])


def levels(voxel_m: float) -> tuple[Level, ...]:
    """Levels of an alignment within the band around the surface."""
    return Level(4, 3.0 * voxel_m, 8), Level(2, 3.0 * voxel_m, 6), Level(1, 1.5 * voxel_m, 4)


def _unmoved(
    map_from_camera: NDArray[np.float64], verdict: Verdict, before: NDArray[np.float64], hold: Hold | None
) -> Refinement:
    nothing = np.zeros((6, 6)), np.eye(6)
    covariance, left_open = nothing if hold is None else hold.at_camera(map_from_camera[:3, 3])
    residual = _median(before)
    return Refinement(
        map_from_camera, verdict, residual, residual, _known(before), 0.0, 0.0, covariance, left_open,
    )  # fmt: skip


def distances_at(readings: Readings, pose: NDArray[np.float64], field: Field) -> NDArray[np.float64]:
    """(N,) metres of readings from the surface at a pose (4, 4); NaN outside the band."""
    return np.abs(field(apply(pose, readings.points_m))[0])


def _known(distances: NDArray[np.float64]) -> float:
    return float(np.isfinite(distances).mean()) if len(distances) else 0.0


def _median(distances: NDArray[np.float64]) -> float:
    known = distances[np.isfinite(distances)]
    return float(np.median(known)) if len(known) else float("nan")


def better(before: NDArray[np.float64], after: NDArray[np.float64], far_m: float) -> bool:
    """Whether the cut-off squares of distances fell by more than chance explains; outside the band counts as far."""
    cut = [np.where(np.isfinite(d), np.minimum(1.0, np.square(d / far_m)), 1.0) for d in (before, after)]
    gain = cut[0] - cut[1]
    if len(gain) == 0:
        return False
    error = np.std(gain) * np.sqrt(_SHARED / len(gain))
    return bool(gain.mean() > _SIGNIFICANT * max(float(error), 1e-6))
