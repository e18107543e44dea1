"""A frame before it is stored: where it stands in the map, what the map says of it there, and whether it is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spatialmem.arguments import check_reach
from spatialmem.far_reading import whole_epoch
from spatialmem.gate import SUSPECT_FRAMES, pose_suspect, reason_to_store
from spatialmem.geometry import inverse
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.localise.carried import FRAMES, settled, starts_of
from spatialmem.localise.refine import frame_readings
from spatialmem.types import Frame, Outcome


@dataclass(frozen=True, eq=False)
class Arrival:
    """What `observe` knows of a frame when it decides."""

    map_from_camera: NDArray[np.float64]
    """(4, 4) pose by which the frame is compared with the map and fused"""
    outcome: Outcome
    """what the map says of it at that pose"""
    examined: NDArray[np.int64]
    """keys of the blocks it examines for having been seen through"""
    reason: str | None
    """why it is kept; None: it is not"""
    suspect: bool
    """whether the pose contradicts the map"""
    refined: NDArray[np.float64] | None = None
    """(4, 4) world_from_camera of that pose, where it is not the frame's own"""


def arrival(frame: Frame, keeper: Keeper, layers: Layers) -> Arrival:
    """Compare a posed frame with the map, moved onto it first where the memory refines poses.

    The gate is asked twice: by the pose that is likely, so that a frame that adds nothing costs no alignment, and once
    the frame has been moved, for what drift alone set apart from the map is no reason to keep a frame.
    """
    map_from_session = keeper.places.map_from_session(frame.session_id)
    observed = map_from_session @ frame.pose
    if not keeper.config.refine_poses:
        return compared(frame, observed, keeper, layers)
    starts = starts_of(frame.pose, keeper.stood(frame, FRAMES)).after(map_from_session)
    likely, refined = _as_logged(starts.likely, starts.observed, map_from_session)
    given = compared(frame, likely, keeper, layers)
    if given.reason is None:
        return given
    with whole_epoch(lambda: layers) as epoch:
        surface = epoch.surface
        voxel_m = surface.config.voxel_size_m
        found = settled(frame_readings(frame, surface), starts, surface.distances, voxel_m)
    if found is not starts.likely:
        found, refined = _as_logged(found, starts.observed, map_from_session)
        given = compared(frame, found, keeper, layers)
    return replace(given, refined=refined)


def _as_logged(
    map_from_camera: NDArray[np.float64], observed: NDArray[np.float64], map_from_session: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """A pose (4, 4) in the map as the log will give it, bit for bit, and what the log keeps of it: a pose in the world
    of the session, None for the observed one."""
    if map_from_camera is observed:
        return observed, None
    world_from_camera = inverse(map_from_session) @ map_from_camera
    return map_from_session @ world_from_camera, world_from_camera


def compared(frame: Frame, map_from_camera: NDArray[np.float64], keeper: Keeper, layers: Layers) -> Arrival:
    """Compare a frame with the map at a pose (4, 4) in it."""
    check_reach(map_from_camera, keeper.config)
    outcome, examined = layers.look(frame, map_from_camera)
    reason = reason_to_store(outcome, keeper.gap_ns(frame), keeper.config.gate)
    earlier_m = keeper.residuals_m(frame, SUSPECT_FRAMES - 1)
    suspect = pose_suspect(outcome.residual_m, earlier_m, keeper.config.voxel_size_m)
    return Arrival(map_from_camera, outcome, examined, reason, suspect)
