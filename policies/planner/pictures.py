"""Pictures as they are sent: made smaller, as JPEG, in a data URL."""

from __future__ import annotations

import base64
import hashlib

import numpy as np
from numpy.typing import NDArray

from policies.planner.errors import PlannerError


def smaller(rgb: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """The picture (H, W, 3) with its longer side at most `side_px`; never enlarged."""
    import cv2

    height, width = rgb.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1.0:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def data_url(rgb: NDArray[np.uint8], side_px: int, jpeg_quality: int) -> str:
    """The picture (H, W, 3) as "data:image/jpeg;base64,..."."""
    import cv2

    bgr = np.ascontiguousarray(smaller(rgb, side_px)[:, :, ::-1])
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    if not done:
        raise PlannerError(f"a picture of shape {rgb.shape} could not be written as JPEG; give uint8 (H, W, 3)")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def pixels_sha256(rgb: NDArray[np.uint8]) -> str:
    """Of the pixels as they are given: versions of a JPEG encoder do not change it."""
    digest = hashlib.sha256(str(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest()
