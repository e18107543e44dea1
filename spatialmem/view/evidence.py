"""A stored frame with a box around what was found in it, small enough to send or to print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatialmem.errors import Evicted
from spatialmem.view.canvas import Canvas, Rgb, fitted

if TYPE_CHECKING:
    from spatialmem.asking import Asking

_SMALLEST_BOX = 16.0
RENDERED = ", drawn from the map: its image was given up"


def image_of(memory: Asking, lsn: int) -> tuple[NDArray[np.uint8], str]:
    """(H, W, 3) uint8 image of a stored frame, and "". Where the image was given up: what the map looks like from
    there, and `RENDERED`."""
    try:
        return memory.keyframe(lsn).rgb, ""
    except Evicted:
        taken = next(keyframe for keyframe in memory.trajectory() if keyframe.lsn == lsn)
        return memory.render(taken.map_from_camera, taken.camera).rgb, RENDERED


def boxed_frame(
    rgb: NDArray[np.uint8], box_xyxy: ArrayLike | None, colour: Rgb, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """The image made to fit into `size`, with the box drawn into it.

    Args:
        rgb: (H, W, 3) uint8.
        box_xyxy: left, top, right, bottom in pixels of `rgb`, inclusive, centres at integers; None: no box.
        colour: of the box.
        size: largest width and height.
    """
    image, factor = fitted(rgb, *size)
    canvas = Canvas(image.shape[1], image.shape[0])
    canvas.paste(image, 0, 0)
    if box_xyxy is not None:
        box = (np.array(box_xyxy, dtype=np.float64).reshape(2, 2) + 0.5) * factor - 0.5
        grow = np.maximum(_SMALLEST_BOX - (box[1] - box[0]), 0.0) / 2.0
        limit = np.array([image.shape[1], image.shape[0]]) - 3.0
        (left, top), (right, bottom) = np.clip(box + (-grow, grow), 2.0, limit)
        canvas.box(left, top, right, bottom, colour)
    return canvas.rgb
