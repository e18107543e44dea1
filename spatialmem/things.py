"""Values about things: what a segmenter finds in one frame, and what many of its finds add up to in the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.checks import described, real_number
from spatialmem.errors import InvalidValue
from spatialmem.types import Camera, Evidence, Presence

LONGEST_LABEL = 200
MOST_DETECTIONS = 255
"""of a frame: `Observations.detection_of` numbers them in a byte"""


@dataclass(frozen=True, eq=False)
class Detection:
    """A thing in one image, as a segmenter or a simulator marks it."""

    mask: NDArray[np.bool_]
    """(H, W) bool, True on the pixels of the thing that are in sight; the size of the frame"""
    label: str = ""
    """what it is called; empty where the segmenter gives no names"""
    score: float = 1.0
    """0 to 1, how sure the segmenter is"""

    def __post_init__(self) -> None:
        if not isinstance(self.mask, np.ndarray) or self.mask.dtype != np.bool_ or self.mask.ndim != 2:
            given = f"{getattr(self.mask, 'dtype', type(self.mask).__name__)} {getattr(self.mask, 'shape', '')}"
            raise InvalidValue(f"the mask of a detection must be bool (H, W); given {given}; compare with > 0")
        if not isinstance(self.label, str):
            raise InvalidValue(f"the label of a detection must be text; given {described(self.label)}; use str() on it")
        if len(self.label) > LONGEST_LABEL or "\0" in self.label or not _is_text(self.label):
            raise InvalidValue(
                f"the label of a detection has at most {LONGEST_LABEL} characters, none of them NUL or half of a pair; "
                f"given {self.label[:40]!r}, {len(self.label)} characters; shorten it"
            )
        score = real_number(self.score)
        if score is None or not 0.0 <= score <= 1.0:
            raise InvalidValue(f"the score of a detection lies within 0 to 1; given {described(self.score)}")
        object.__setattr__(self, "score", score)


def _is_text(label: str) -> bool:
    """Whether UTF-8 can hold it."""
    try:
        label.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class Observations:
    """What one frame shows of things, N of them, without its images: small enough to be kept when those are given up.

    All that objects are made of, so that they can be made again: after a correction of poses, of an earlier time.
    """

    camera: Camera
    """of the images"""
    stride: int
    """sample (i, j) of the two grids is the pixel in row stride * i + stride // 2, column stride * j + stride // 2"""
    depth_m: NDArray[np.float32]
    """(h, w) metres along the optical axis, NaN without a reading"""
    detection_of: NDArray[np.uint8]
    """(h, w) 1 + number of the detection in sight there, 0: none"""
    labels: tuple[str, ...]
    """N, empty where the segmenter gives no names"""
    scores: NDArray[np.float32]
    """(N,)"""
    boxes_xyxy: NDArray[np.float32]
    """(N, 4) pixels, inclusive, centres at integers"""
    pixels: NDArray[np.int32]
    """(N,) number of pixels of the mask"""
    starts: NDArray[np.int32]
    """(N + 1,) points of detection n are starts[n] to starts[n + 1]"""
    points_m: NDArray[np.float32]
    """(P, 3) points of the things' surfaces in camera axes"""
    features: NDArray[np.float32] | None
    """(N, D) unit rows, zero where no patch shows it; None where the frame was not encoded"""

    def __len__(self) -> int:
        return len(self.labels)

    def points_of(self, n: int) -> NDArray[np.float32]:
        """(M, 3) points of detection n in camera axes."""
        return self.points_m[self.starts[n] : self.starts[n + 1]]


@dataclass(frozen=True)
class Move:
    """A thing was found elsewhere than where it had been."""

    from_m: tuple[float, float, float]
    """middle of the place that it left, map frame"""
    to_m: tuple[float, float, float]
    after_ns: int
    """when it was last seen where it had been"""
    before_ns: int
    """when it was first seen where it came to"""


@dataclass(frozen=True, eq=False)
class MapObject:
    """A thing of the map: what observations from several views agree on. Positions in the map frame, metres."""

    object_id: int
    """its number in this memory, from 1; it keeps it when it is moved"""
    name: str
    """what it is called: by the segmenter, else by the encoder; empty where neither gives a name"""
    position_m: NDArray[np.float64]
    """(3,) middle of its box, where it was last seen"""
    box_min_m: NDArray[np.float64]
    """(3,) lower corner of the axis-aligned box"""
    box_max_m: NDArray[np.float64]
    """(3,) upper corner of the axis-aligned box"""
    points_m: NDArray[np.float32]
    """(N, 3) points of its surface"""
    feature: NDArray[np.float32] | None
    """(D,) unit norm, in the space of the memory's encoder; None when no frame that shows it was encoded"""
    first_seen_ns: int
    last_seen_ns: int
    first_lsn: int
    last_lsn: int
    presence: Presence
    """PRESENT, DOUBTED, GONE (its place was seen through) or NOT_SEEN_SINCE"""
    views: int
    """number of different standpoints it was seen from"""
    evidence: tuple[Evidence, ...]
    """frames that show it, the best first; `voxels` counts points"""
    moves: tuple[Move, ...] = ()
    """earlier places, oldest first"""

    @property
    def extent_m(self) -> NDArray[np.float64]:
        """(3,) edge lengths of the axis-aligned box, metres."""
        return self.box_max_m - self.box_min_m
