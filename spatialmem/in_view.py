"""Whether an image may show anything of a box: what stood in it need not have been measured to be seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Camera

_FARTHEST_M = 1e5
_HOLE = 10  # a reading speaks for pixels without one that lie within a tenth of the image's width
_LEAST = np.float32(1e-12)


def could_show(box_m: NDArray[np.float64], map_from_camera: NDArray[np.float64], camera: Camera) -> bool:
    """Whether a box (2, 3), infinite where it has no bound, reaches into the pyramid of view; may say so too often."""
    centre = map_from_camera[:3, 3]
    low, high = np.clip(box_m, centre - _FARTHEST_M, centre + _FARTHEST_M)
    corners = np.array([np.where(pick, high, low) for pick in np.ndindex(2, 2, 2)])
    local = (corners - centre) @ map_from_camera[:3, :3]
    u, v = local[:, 0] * camera.fx, local[:, 1] * camera.fy  # times depth
    z, width, height = local[:, 2], camera.width, camera.height
    outside = (
        z <= 0, u < (-1.0 - camera.cx) * z, u > (width - camera.cx) * z, v < (-1.0 - camera.cy) * z,
        v > (height - camera.cy) * z,
    )  # fmt: skip
    return not any(side.all() for side in outside)


def may_show(
    box_m: NDArray[np.float64], map_from_camera: NDArray[np.float64], camera: Camera,
    depth_m: NDArray[np.float32] | None, margin_m: float,
) -> bool:  # fmt: skip
    """Whether a pixel looks into a box (2, 3), infinite where it has no bound, and nothing measured hides it.

    Where a pixel has no reading, the farthest of those around it counts; where none is near, nothing hides the box: a
    person far off, or in black, is in the colour image alone.

    Args:
        box_m: lower and upper corner, map frame.
        map_from_camera: (4, 4).
        camera: of the image.
        depth_m: (H, W), NaN where there is no reading; None: nothing was measured.
        margin_m: by how much the box is made larger on every side.
    """
    enters, looks = _into(box_m + np.array([[-margin_m], [margin_m]]), map_from_camera, camera)
    if depth_m is None or not looks.any():
        return bool(looks.any())
    known = np.isfinite(depth_m) & (depth_m > 0)
    if (looks & known & (enters <= depth_m)).any():
        return True
    return bool((looks & ~known).any() and (looks & ~known & (enters <= _hidden_from(depth_m, known))).any())


def _into(
    box_m: NDArray[np.float64], map_from_camera: NDArray[np.float64], camera: Camera
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(H, W) depth at which the ray of each pixel enters a box, and whether it does. Slabs: Kay and Kajiya, 1986."""
    x = ((np.arange(camera.width) - camera.cx) / camera.fx).astype(np.float32)
    y = ((np.arange(camera.height) - camera.cy) / camera.fy).astype(np.float32)[:, None]
    enters = np.full((camera.height, camera.width), -np.inf, np.float32)
    leaves = np.full_like(enters, np.inf)
    for axis, (right, down, ahead, _) in enumerate(map_from_camera[:3].astype(np.float32)):
        ray = right * x + down * y + ahead
        ray[np.abs(ray) < _LEAST] = _LEAST
        first, second = (np.float32(corner[axis] - map_from_camera[axis, 3]) / ray for corner in box_m)
        np.maximum(enters, np.minimum(first, second), out=enters)
        np.minimum(leaves, np.maximum(first, second), out=leaves)
    return enters, (leaves > 0) & (leaves >= enters)


def _hidden_from(depth_m: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(H, W) the farthest reading around each pixel; infinite where there is none."""
    import cv2

    reach = 2 * (depth_m.shape[1] // (2 * _HOLE)) + 1
    farthest = cv2.dilate(np.where(known, depth_m, np.float32(0)), np.ones((reach, reach), np.uint8))
    return np.where(farthest > 0, farthest, np.float32(np.inf))
