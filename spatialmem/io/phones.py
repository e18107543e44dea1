"""What recordings of phones with a LiDAR share: colour and depth of one view in two sizes, confidence, ARKit's world.

ARKit resamples depth to the view of the colour camera, so that one camera model, scaled, holds for both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, ReadError
from spatialmem.io.reader import BadFrame, BadReason
from spatialmem.types import Camera

EXTRA = "phone"
"""the extra that brings what these readers need"""
ARKIT_UP = (0.0, 1.0, 0.0)
"""against gravity in a world of ARKit whose alignment is `gravity`, its default"""
HIGHEST_CONFIDENCE = 2
_SHAPE_TOLERANCE = 0.02


def depth_camera(colour: Camera, depth_size: tuple[int, int], where: object) -> Camera:
    """The colour camera at the size of depth; `ReadError` when the two images cannot show the same view."""
    width, height = depth_size
    if abs(width / height * colour.height / colour.width - 1.0) > _SHAPE_TOLERANCE:
        raise ReadError(
            f"{where}: colour of {colour.width} x {colour.height} and depth of {width} x {height} do not show the same "
            "view; expected equal proportions (was one of them rotated or cropped?)"
        )
    return colour.scaled_to(width, height)


def colour_at(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 colour averaged down to the pixels of depth; `size` is width and height."""
    import cv2

    if rgb.shape[1::-1] == size:
        return rgb
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def checked_confidence(minimum: int) -> int:
    """`minimum`, or `InvalidValue` when it is none of 0 (low), 1 (medium) and 2 (high)."""
    if isinstance(minimum, bool) or minimum not in range(HIGHEST_CONFIDENCE + 1):
        raise InvalidValue(f"min_confidence must be 0 (all), 1 (medium and high) or 2 (high); given {minimum!r}")
    return minimum


def confident(depth_m: NDArray[np.float32], confidence: NDArray[np.uint8], minimum: int) -> NDArray[np.float32]:
    """Depth (H, W) with NaN where `confidence` (H, W) lies below the minimum; `BadFrame` when the sizes differ."""
    if confidence.shape != depth_m.shape:
        sizes = " and ".join("{} x {}".format(*array.shape[::-1]) for array in (depth_m, confidence))
        raise BadFrame(BadReason.SIZE_MISMATCH, f"depth and confidence are {sizes}")
    return np.where(confidence >= minimum, depth_m, np.float32(np.nan))
