"""What tells a recording from another of the same name: the same for a copy of it, and while frames are added."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_STEPS = 2.0**20  # a micrometre; a binary fraction, for decimals of a text file lie halfway between decimal steps
_LARGEST_M = 2.0**42


def first_frame_id(stamp_ns: int, world_from_camera: NDArray[np.float64], *sizes: int) -> str:
    """Name of a recording by its first frame with a pose: stamp, and a hash of the pose and of more whole numbers.

    The pose, (4, 4), is rounded to 2^-20, so that another processor's last bit makes no other recording. Memory files
    hold what this returns: what is hashed, and how, must stay.
    """
    steps = np.rint(np.clip(world_from_camera[:3], -_LARGEST_M, _LARGEST_M) * _STEPS).astype("<i8")
    hashed = hashlib.blake2b(steps.tobytes() + np.array(sizes, "<i8").tobytes(), digest_size=4)
    return f"{stamp_ns}-{hashed.hexdigest()}"
