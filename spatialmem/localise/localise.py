"""Where was this frame taken? Places that look alike, turns around them, alignment, and a verdict that may be None.

Stored frames whose image is like the new one give places; the map rendered there tells which turn of the camera fits;
projective alignment brings the pose near, the distance field makes it exact. An answer is given only when depth and
colour both say so, the surface holds the camera in every direction, and no other pose would do as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import pose_difference
from spatialmem.localise.gauss_newton import Hold, Level, align
from spatialmem.localise.likeness import likeness, shrunk
from spatialmem.localise.places import Places
from spatialmem.localise.readings import Readings, readings_of
from spatialmem.localise.refine import levels
from spatialmem.localise.rendered import Rendered, wide_camera
from spatialmem.localise.starts import Start, starts_at
from spatialmem.types import Frame
from spatialmem.voxels.surface_reading import SurfaceReading
from spatialmem.voxels.views import DepthView

PLACES, STARTS, FINALISTS = 32, 12, 6
"""how many places are looked at, how many starts are aligned, and how many of these to the end"""
LEAST_OVERLAP, LEAST_AGREEMENT, MOST_SEEN_THROUGH = 0.5, 0.7, 0.25
"""A reading agrees within 3 sigma and a voxel, so at the right pose nearly all do that meet a surface; what is left is
for things that moved. Pose errors of a few degrees already fail it."""
LEAST_LIKENESS = 0.5
"""By chance 0.08 at one sigma: details of 80 x 60 pixels correlate over about 3, which leaves 170 independent ones. But
where a wrong pose fits in depth, edges lie on edges: up to 0.47 in synthetic rooms made alike on purpose."""
CONTESTING_LIKENESS = 0.3
"""more than chance makes: a pose elsewhere that fits in depth and shows as much may be the right one, badly aligned"""
MOST_SIGMA_M, MOST_SIGMA_DEG = 0.02, 1.0
_RIVAL_M, _RIVAL_DEG = 0.25, 10.0  # poses farther apart are two answers
_CLEARLY = 0.1  # by which the evidence of an answer must exceed that of a rival
_COARSE = (Level(4, 0.5, 10), Level(4, 0.2, 8))
_MIDDLE = (Level(4, 0.2, 8), Level(2, 0.1, 6))
_MIDDLE_COLUMNS, _CHECK_COLUMNS = 96, 80
_LEAST_READINGS = 300
_HALF_FIT_M = 0.05  # root mean square distance at which a reading counts half


@dataclass(frozen=True, eq=False)
class Localisation:
    """Where a frame was taken, and what speaks for it."""

    map_from_camera: NDArray[np.float64]
    """(4, 4)"""
    residual_m: float
    """median difference of the readings and the mapped surface"""
    agreement: float
    """share of the readings that lie on the mapped surface, of those that meet one"""
    overlap: float
    """share of the readings that meet a mapped surface at all"""
    seen_through: float
    """share of the readings that lie behind the mapped surface"""
    likeness: float
    """correlation of the details of the image with the map's colour, -1 to 1"""
    pose_sigma: tuple[float, float]
    """one-sigma uncertainty of the pose against the map: metres, radians (as `Frame.pose_sigma`)"""
    lsn: int
    """the stored frame from which it was found"""


@dataclass(frozen=True, eq=False)
class _Pose:
    start: Start
    map_from_camera: NDArray[np.float64]
    hold: Hold


def localise(
    frame: Frame, vector: NDArray[np.float32] | None, places: Places, surface: SurfaceReading
) -> Localisation | None:
    """Where in the map a frame was taken; its own pose is not looked at. None unless everything says so.

    Args:
        frame: with depth; without, there is nothing to be sure by, and the answer is None.
        vector: (F,) its image vector by the encoder of `places`; None: every place is as likely.
        places: the stored frames.
        surface: the map.
    """
    if frame.depth_m is None or not len(places):
        return None
    view = DepthView.of(frame.depth_m, frame.valid, frame.camera, np.eye(4), surface.config)
    readings = readings_of(view, surface.config.voxel_size_m)
    if len(readings) < _LEAST_READINGS:
        return None
    chosen = [(int(places.lsn[row]), places.map_from_camera[row]) for row in places.candidates(vector, PLACES)]
    starts = starts_at(surface, chosen, readings, frame.rgb, frame.camera, STARTS)
    finalists = [_finished(pose, readings, frame, surface) for pose in _nearer(starts, readings)[:FINALISTS]]
    return _surest([_judged(pose, frame, view, surface) for pose in finalists if pose is not None])


def _nearer(starts: list[Start], readings: Readings) -> list[_Pose]:
    """The starts aligned to the views they were found in, those that fit most readings best first, none twice."""
    found = []
    for start in starts:
        pose, hold = align(readings, start.map_from_camera, start.view.distances, _COARSE)
        if hold is not None:
            found.append(_Pose(start, pose, hold))
    found.sort(key=lambda pose: -pose.hold.count / (1.0 + np.sqrt(pose.hold.variance_m2) / _HALF_FIT_M))
    distinct: list[_Pose] = []
    for pose in found:
        if not any(_same(pose.map_from_camera, other.map_from_camera, 0.1, 5.0) for other in distinct):
            distinct.append(pose)
    return distinct


def _finished(near: _Pose, readings: Readings, frame: Frame, surface: SurfaceReading) -> _Pose | None:
    """A pose aligned to the map as it is seen from there, then to its distance field."""
    rendered = Rendered.of(surface, near.map_from_camera, wide_camera(frame.camera, _MIDDLE_COLUMNS))
    pose, hold = align(readings, near.map_from_camera, rendered.distances, _MIDDLE)
    if hold is None:
        return None
    pose, hold = align(readings, pose, surface.distances, levels(surface.config.voxel_size_m))
    return None if hold is None else _Pose(near.start, pose, hold)


def _judged(pose: _Pose, frame: Frame, view: DepthView, surface: SurfaceReading) -> Localisation:
    """What speaks for a pose."""
    there = DepthView(view.packed, view.beyond, view.camera, pose.map_from_camera)
    outcome = surface.compare(there)
    covariance, left_open = pose.hold.at_camera(pose.map_from_camera[:3, 3])
    sigma = [float(np.sqrt(np.trace(block))) for block in (covariance[:3, :3], covariance[3:, 3:])]
    if len(left_open):
        sigma = [float("inf"), float("inf")]
    overlap = 1.0 - outcome.no_return
    return Localisation(
        map_from_camera=pose.map_from_camera,
        residual_m=outcome.residual_m,
        agreement=outcome.agrees / overlap if overlap > 0 else 0.0,
        overlap=overlap,
        seen_through=outcome.seen_through,
        likeness=_likeness(frame, pose.map_from_camera, surface),
        pose_sigma=(sigma[0], sigma[1]),
        lsn=pose.start.lsn,
    )


def _likeness(frame: Frame, map_from_camera: NDArray[np.float64], surface: SurfaceReading) -> float:
    columns = min(_CHECK_COLUMNS, frame.camera.width)
    small = frame.camera.scaled_to(columns, max(1, round(frame.camera.height * columns / frame.camera.width)))
    seen = surface.render(map_from_camera, small)
    known = np.isfinite(seen.depth_m) & seen.rgb.any(axis=-1)
    return likeness(seen.rgb, shrunk(frame.rgb, small), known)


def sure(found: Localisation) -> bool:
    """Whether depth, colour and hold all speak for a pose."""
    held = found.pose_sigma[0] <= MOST_SIGMA_M and found.pose_sigma[1] <= np.deg2rad(MOST_SIGMA_DEG)
    return _fits(found, LEAST_LIKENESS) and held


def _fits(found: Localisation, least_likeness: float) -> bool:
    """Whether depth and colour speak for a pose."""
    return (
        found.overlap >= LEAST_OVERLAP
        and found.agreement >= LEAST_AGREEMENT
        and found.seen_through <= MOST_SEEN_THROUGH
        and found.likeness >= least_likeness  # False for NaN
    )


def _surest(judged: list[Localisation]) -> Localisation | None:
    """The sure pose with the most evidence, if no other pose contests it, or has nearly as much evidence."""
    best = max((found for found in judged if sure(found)), key=_evidence, default=None)
    if best is None:
        return None
    for rival in judged:  # also those that are not sure: of two rooms alike, one may be mapped less well
        apart = not _same(best.map_from_camera, rival.map_from_camera, _RIVAL_M, _RIVAL_DEG)
        if apart and (_fits(rival, CONTESTING_LIKENESS) or _evidence(best) - _evidence(rival) < _CLEARLY):
            return None
    return best


def _evidence(found: Localisation) -> float:
    return found.agreement * found.overlap + found.likeness


def _same(a: NDArray[np.float64], b: NDArray[np.float64], distance_m: float, angle_deg: float) -> bool:
    distance, angle = pose_difference(a, b)
    return bool(distance <= distance_m and angle <= np.deg2rad(angle_deg))
