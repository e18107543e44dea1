"""Whether an image may show anything of a box: what stood in it need not have been measured to be seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import pixel_rays
from spatialmem.types import Camera

_FARTHEST_M = 1e5
_HOLE = 10  # a reading speaks for pixels without one that lie within a tenth of the image's width
_LEAST = 1e-12


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
    box_m = box_m + np.array([[-margin_m], [margin_m]])
    rays = pixel_rays(camera) @ map_from_camera[:3, :3].T
    rays = np.where(np.abs(rays) < _LEAST, _LEAST, rays)
    first, second = ((corner - map_from_camera[:3, 3]) / rays for corner in box_m)  # slabs: Kay and Kajiya, 1986
    enters, leaves = np.minimum(first, second).max(axis=-1), np.maximum(first, second).min(axis=-1)
    looks = (leaves > 0) & (leaves >= enters)
    if depth_m is not None:
        looks &= enters <= _hidden_from(depth_m)
    return bool(looks.any())


def _hidden_from(depth_m: NDArray[np.float32]) -> NDArray[np.float64]:
    """(H, W) depth from which on nothing can be seen; infinite where nothing was measured nearby."""
    import cv2

    known = np.isfinite(depth_m) & (depth_m > 0)
    reach = 2 * (depth_m.shape[1] // (2 * _HOLE)) + 1
    farthest = cv2.dilate(np.where(known, depth_m, np.float32(0)), np.ones((reach, reach), np.uint8))
    around = np.where(farthest > 0, farthest, np.inf)
    return np.where(known, depth_m, around).astype(np.float64)
