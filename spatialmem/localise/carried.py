"""Where a frame probably stands: by what the frames before it were moved, odometry's own way of drifting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import pose_difference

FRAMES = 4
"""how many frames before are asked"""


def predicted(
    observed: NDArray[np.float64], corrections: Sequence[NDArray[np.float64]], limit_m: float, limit_rad: float
) -> tuple[NDArray[np.float64], bool]:
    """(4, 4) the observed pose moved as the last frame was, and whether frames before agree on that."""
    if not corrections:
        return observed, True
    poses = [correction @ observed for correction in corrections]

    def apart(a, b):
        metres, angle = pose_difference(a, b)
        return float(metres) / limit_m + float(angle) / limit_rad

    if len(poses) < FRAMES:
        return poses[0], False
    drift = min(apart(pose, observed) for pose in poses)
    scatter = max(apart(a, b) for a, b in zip(poses, poses[1:]))
    return poses[0], bool(drift > scatter)
