"""Taking the view of one who looks at a page to a place."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Hit

if TYPE_CHECKING:
    import viser

_NEAREST_M, _FARTHEST_M = 0.9, 6.0
_DISTANCE = 2.2  # times the diagonal of the hit
_RAISED = 0.35
_STEPS = 10
_STEP_S = 0.03


def viewpoint(
    hit: Hit, map_from_camera: Mapping[int, NDArray[np.float64]], up: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where to stand and where to look to see a hit: on the side from which its best frame saw it, somewhat higher.

    Args:
        hit: what to see.
        map_from_camera: poses of stored frames by lsn.
        up: (3,) unit.

    Returns:
        (3,) and (3,), map frame, metres.
    """
    target = (hit.box_min_m + hit.box_max_m) / 2.0
    seen_from = [map_from_camera[e.lsn][:3, 3] for e in hit.evidence if e.lsn in map_from_camera]
    side = seen_from[0] - target if seen_from else np.array((0.8, 0.6, 0.0)) + up
    length = float(np.linalg.norm(side))
    wanted = float(np.clip(_DISTANCE * np.linalg.norm(hit.extent_m), _NEAREST_M, _FARTHEST_M))
    reach = min(wanted, max(length, _NEAREST_M)) if seen_from else wanted  # beyond the camera may be a wall
    direction = side / max(length, 1e-9) + _RAISED * up
    return target + direction * (reach / max(float(np.linalg.norm(direction)), 1e-9)), target


def fly(
    client: viser.ClientHandle, eye_m: NDArray[np.floating], look_at_m: NDArray[np.floating], up: NDArray[np.floating]
) -> None:
    """Move the view of one browser in a third of a second.

    Args:
        client: the browser.
        eye_m: (3,) where to stand, map frame, metres.
        look_at_m: (3,) where to look.
        up: (3,) unit.
    """
    camera = client.camera
    eye, target = np.array(camera.position), np.array(camera.look_at)
    for step in range(1, _STEPS + 1):
        share = step / _STEPS
        share = share * share * (3.0 - 2.0 * share)  # starts and ends gently
        with client.atomic():
            camera.up_direction = up
            camera.position = eye + (eye_m - eye) * share
            camera.look_at = target + (look_at_m - target) * share
        if step < _STEPS:
            time.sleep(_STEP_S)
