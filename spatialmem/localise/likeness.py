"""Brightness and colour of images, and whether two of them show the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Camera

_BLUR_PIXELS = 6.0
_LEAST_CONTRAST = 1.0  # grey levels; less is noise of the camera
_LEAST_PIXELS = 100


def brightness(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) luma of an image (H, W, 3), 0 to 255 (weights of ITU-R BT.601)."""
    return rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def shrunk(rgb: NDArray[np.uint8], camera: Camera) -> NDArray[np.uint8]:
    """The image as `camera`, a smaller one, would take it: means over the pixels that fall into one of its own."""
    import cv2

    return np.asarray(cv2.resize(rgb, (camera.width, camera.height), interpolation=cv2.INTER_AREA), np.uint8)


def likeness(a: NDArray[np.uint8], b: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Correlation, -1 to 1, of the details of two images (H, W, 3) where (H, W) both are known.

    Over brightness and two opponent colours together: where two surfaces agree in shape, edges of brightness lie on
    their edges even in different rooms, but colours rarely do. Light falls off slowly over any picture, so that
    pictures of different things correlate; a Gaussian of 6 pixels takes that out. NaN where too little is known or an
    image is plain.
    """
    if where.sum() < _LEAST_PIXELS:
        return float("nan")
    first, second = (_detail(_opponent(image), where)[where].ravel() for image in (a, b))
    if min(first.std(), second.std()) < _LEAST_CONTRAST:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _opponent(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) brightness, red - green, blue - yellow."""
    red, green, blue = np.moveaxis(rgb.astype(np.float32), -1, 0)
    return np.stack([brightness(rgb), red - green, blue - (red + green) / 2], axis=-1)


def _detail(image: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    import cv2

    known = where.astype(np.float32)
    total = cv2.GaussianBlur(image * known[..., None], (0, 0), _BLUR_PIXELS)
    share = np.maximum(cv2.GaussianBlur(known, (0, 0), _BLUR_PIXELS), np.float32(1e-3))
    return np.asarray(image - total / share[..., None], np.float32)
