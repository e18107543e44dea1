"""The segmenter of simulators: instance ids of every pixel are things already."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spatialmem.checks import described, whole_number
from spatialmem.errors import InvalidValue
from spatialmem.things import Detection

MIN_PIXELS = 20
"""in sight, from which a thing is worth a detection"""


def detections_of_ids(
    instance_ids: NDArray[np.integer], names: Mapping[int, str], min_pixels: int = MIN_PIXELS
) -> list[Detection]:
    """One detection of every id of `names` that covers `min_pixels` or more, by rising id, with score 1.

    Args:
        instance_ids: (H, W) integer, the thing that each pixel shows. Ids that are not in `names` (walls, floors,
            nothing) are left out.
        names: id -> what the thing is called, "" where it has no name.
        min_pixels: smallest number of pixels of a detection, at least 1.
    """
    if not isinstance(instance_ids, np.ndarray) or instance_ids.dtype.kind not in "iu" or instance_ids.ndim != 2:
        given = f"{getattr(instance_ids, 'dtype', type(instance_ids).__name__)} {getattr(instance_ids, 'shape', '')}"
        raise InvalidValue(f"instance ids must be integer (H, W); given {given}; take the simulator's id image")
    least = whole_number(min_pixels)
    if least is None or least < 1:
        raise InvalidValue(f"min_pixels must be a whole number from 1 on; given {described(min_pixels)}")
    ids, counts = np.unique(instance_ids, return_counts=True)
    kept = (int(i) for i, count in zip(ids, counts, strict=True) if count >= least and int(i) in names)
    return [Detection(instance_ids == i, names[i]) for i in kept]
