"""What the tests of several readers ask of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from spatialmem.io import BadFrame, BadReason, read
from spatialmem.types import Frame


def assert_one_bad(path: Path, reason: BadReason, mentioned: str, frames: Sequence[Frame],
                   moved: np.ndarray | None = None, depth_atol_m: float = 6e-4) -> None:  # fmt: skip
    """Frame 2 is skipped, counted and reported; the others are as they were; strict makes it an error.

    `moved` takes the room of the frames to the world of the recording.
    """
    moved = np.eye(4) if moved is None else moved
    reader = read(path)
    delivered = list(reader)
    assert reader.report.skipped == {reason: 1}
    assert mentioned in reader.report.examples[reason][0]
    assert reason.value in str(reader.report)
    assert len(delivered) == len(frames) - 1
    for frame, original in zip(delivered, [*frames[:2], *frames[3:]], strict=True):
        np.testing.assert_allclose(frame.world_from_camera, moved @ original.world_from_camera, atol=2e-6)
        np.testing.assert_allclose(frame.depth_m, original.depth_m, atol=depth_atol_m)
    with pytest.raises(BadFrame, match=reason.value) as caught:
        list(read(path, strict=True))
    assert caught.value.reason is reason
    with pytest.raises(BadFrame):
        reader[2]
