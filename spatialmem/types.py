"""The values that pass between rooms: frozen, validated, with units and frames in their names.

Conventions (docs/conventions.md): right-handed metres; camera axes OpenCV (x right, y down,
z forward); integer pixel coordinates lie at pixel centres; depth is measured along the optical
axis; `a_from_b` maps coordinates in frame b to coordinates in frame a.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.checks import (
    check_mask,
    checked_depth,
    checked_seq,
    checked_sigma,
    described,
    finite_number,
    numeric_array,
    real_number,
    whole_number,
)
from spatialmem.errors import InvalidFrame, InvalidValue

_ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Camera:
    """A rectified pinhole camera. Integer pixel coordinates are at pixel centres."""

    fx: float
    """focal length along x, pixels"""
    fy: float
    """focal length along y, pixels"""
    cx: float
    """principal point x, pixels (centre of the first column is 0)"""
    cy: float
    """principal point y, pixels (centre of the first row is 0)"""
    width: int
    """image width, pixels"""
    height: int
    """image height, pixels"""

    def __post_init__(self) -> None:
        given = (self.fx, self.fy, self.cx, self.cy)
        lens = [finite_number(v) for v in given]
        if None in lens or self.fx <= 0 or self.fy <= 0:
            raise InvalidValue(
                f"camera needs finite, positive focal lengths; given fx, fy, cx, cy = {described(given)}; "
                "give four numbers, in pixels, from its calibration"
            )
        size = _checked_size(self.width, self.height)
        for name, value in zip(("fx", "fy", "cx", "cy", "width", "height"), (*lens, *size), strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.floating], width: int, height: int) -> Camera:
        """From a 3x3 (or 4x4) intrinsic matrix K in pixels; skew must be zero."""
        k = numeric_array(matrix)
        if k is None:
            raise InvalidValue(f"intrinsic matrix must be 3x3 or 4x4 numbers; given {described(matrix)}")
        if k.shape not in ((3, 3), (4, 4)):
            raise InvalidValue(f"intrinsic matrix must be 3x3 or 4x4; given shape {k.shape}")
        if not np.isfinite(k).all() or abs(k[0, 1]) > 1e-6 * max(abs(k[0, 0]), 1.0):
            raise InvalidValue("intrinsic matrix must be finite and without skew; rectify the images first")
        return cls(float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2]), width, height)

    @classmethod
    def from_hfov(cls, hfov_deg: float, width: int, height: int) -> Camera:
        """Square pixels, centred, from a horizontal field of view in degrees.

        The field of view spans the outer edges of the image, width pixels apart.
        """
        angle_deg = real_number(hfov_deg)
        if angle_deg is None or not 0.0 < angle_deg < 180.0:
            raise InvalidValue(
                f"horizontal field of view must lie between 0 and 180 degrees; given {described(hfov_deg)}"
            )
        width, height = _checked_size(width, height)
        focal = width / (2.0 * math.tan(math.radians(angle_deg) / 2.0))
        return cls(focal, focal, (width - 1) / 2.0, (height - 1) / 2.0, width, height)

    @property
    def K(self) -> NDArray[np.float64]:
        """The 3x3 intrinsic matrix, pixels."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def scaled_to(self, width: int, height: int) -> Camera:
        """The same camera for an image resized to `width` x `height`.

        Pixel centres are at integers, so u maps to (u + 0.5) * s - 0.5, not to u * s.
        """
        width, height = _checked_size(width, height)
        sx, sy = width / self.width, height / self.height
        return Camera(self.fx * sx, self.fy * sy, (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5, width, height)


_MOST_PIXELS = 65_500
"""on a side: what JPEG holds, in which the log keeps colour"""


def _checked_size(width: int, height: int) -> tuple[int, int]:
    columns, rows = whole_number(width), whole_number(height)
    if columns is None or rows is None or not (1 <= columns <= _MOST_PIXELS and 1 <= rows <= _MOST_PIXELS):
        raise InvalidValue(
            f"camera needs a positive integer size; given {described(width)} x {described(height)}; "
            f"give the width and height of its images, in pixels, {_MOST_PIXELS} at most"
        )
    return columns, rows


@dataclass(frozen=True, eq=False)
class Frame:
    """One posed RGB-D image. Arrays are not copied; do not write to them after handing them over.

    Raises `InvalidFrame` at construction when anything is out of contract, so that a frame which
    exists can be stored.
    """

    rgb: NDArray[np.uint8]
    """(H, W, 3) uint8, red first"""
    depth_m: NDArray[np.float32] | None
    """(H, W) float32 metres along the optical axis; NaN, inf and values <= 0 mean no reading. None: RGB only"""
    camera: Camera
    """intrinsics shared by colour and depth (depth is registered to colour)"""
    world_from_camera: NDArray[np.float64] | None
    """(4, 4) float64, from camera axes (OpenCV) to the world of this frame's session; None: pose unknown"""
    stamp_ns: int
    """time of exposure, nanoseconds; strictly rising per (session, camera)"""
    session_id: str = "main"
    camera_id: str = "camera"
    seq: int | None = None
    """number of the frame in its (session, camera), rising with the stamps; None: the memory numbers it on"""
    valid: NDArray[np.bool_] | None = None
    """(H, W) bool, False where the pixel must be ignored (the robot's own body, people); None: all usable"""
    pose_sigma: tuple[float, float] | None = None
    """one-sigma uncertainty of the pose: metres, radians; None: not known"""
    depth_unit: Literal["m"] | None = field(default=None, repr=False)
    """"m" declares that depth is in metres although it never exceeds 1.0 (a wrist camera, say)"""
    recording_id: str | None = None
    """tells its recording from others, also from those whose session has the same name; None: not known"""

    def __post_init__(self) -> None:
        if not isinstance(self.camera, Camera):
            raise InvalidFrame(
                f"camera must be a Camera; given {described(self.camera)}; "
                "make one with Camera(fx, fy, cx, cy, width, height) or Camera.from_matrix"
            )
        _check_rgb(self.rgb, self.camera)
        if self.depth_unit not in (None, "m"):
            raise InvalidFrame(f'depth_unit must be "m" or None; given {self.depth_unit!r}; convert depth to metres')
        if self.depth_m is not None:
            object.__setattr__(self, "depth_m", checked_depth(self.depth_m, self.rgb.shape[:2], self.depth_unit))
        if self.valid is not None:
            check_mask(self.valid, self.rgb.shape[:2])
        if self.world_from_camera is not None:
            object.__setattr__(self, "world_from_camera", checked_transform(self.world_from_camera))
        if isinstance(self.stamp_ns, bool) or not isinstance(self.stamp_ns, (int, np.integer)):
            raise InvalidFrame(f"stamp_ns must be an integer number of nanoseconds; given {self.stamp_ns!r}")
        object.__setattr__(self, "stamp_ns", int(self.stamp_ns))
        if not 0 <= self.stamp_ns < 2**63:
            raise InvalidFrame(f"stamp_ns must lie in [0, 2^63); given {self.stamp_ns}")
        object.__setattr__(self, "seq", checked_seq(self.seq))
        object.__setattr__(self, "pose_sigma", checked_sigma(self.pose_sigma))
        for name, value in (("session_id", self.session_id), ("camera_id", self.camera_id)):
            if not isinstance(value, str) or not value.strip():
                raise InvalidFrame(f"{name} must be a non-empty name (str); given {described(value)}; use str() on it")
        if self.recording_id is not None and (not isinstance(self.recording_id, str) or not self.recording_id):
            raise InvalidFrame(
                f"recording_id must be a non-empty text (str) or None; given {described(self.recording_id)}; "
                "use str() on it, or None when nothing tells the recording from others"
            )

    @property
    def key(self) -> tuple[str, str, int | None]:
        """(session_id, camera_id, seq): what names this frame for good."""
        return (self.session_id, self.camera_id, self.seq)

    @property
    def pose(self) -> NDArray[np.float64]:
        """`world_from_camera` of a frame that must have one; `InvalidFrame` when it has none."""
        if self.world_from_camera is None:
            raise InvalidFrame(f"frame {self.key} has no pose")
        return self.world_from_camera

    def with_pose(self, world_from_camera: NDArray[np.float64]) -> Frame:
        """The same frame at another pose."""
        return replace(self, world_from_camera=world_from_camera)

    def of_recording(self, recording_id: str | None) -> Frame:
        """The same frame, said to be of this recording; arrays are shared and not looked at again."""
        frame = copy.copy(self)
        object.__setattr__(frame, "recording_id", recording_id)
        return frame


def _check_rgb(rgb: NDArray[np.uint8], camera: Camera) -> None:
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        given = f"{getattr(rgb, 'dtype', type(rgb).__name__)} {getattr(rgb, 'shape', '')}"
        raise InvalidFrame(f"rgb must be uint8 of shape (H, W, 3); given {given}; scale floats by 255, drop alpha")
    if rgb.shape[:2] != (camera.height, camera.width):
        raise InvalidFrame(
            f"rgb is {rgb.shape[1]} x {rgb.shape[0]} but the camera is {camera.width} x {camera.height}; "
            f"use camera.scaled_to({rgb.shape[1]}, {rgb.shape[0]}) if the image was resized"
        )


def checked_transform(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """(4, 4) float64 rigid transform, or `InvalidFrame` naming what is wrong with it."""
    given = numeric_array(matrix)
    if given is None:
        raise InvalidFrame(f"a pose must be a 4x4 matrix of numbers; given {described(matrix)}; build a float64 array")
    if given.shape != (4, 4):
        raise InvalidFrame(f"a pose must be a 4x4 matrix; given shape {given.shape}; see geometry.make_transform")
    if not np.isfinite(given).all():
        raise InvalidFrame("pose holds NaN or infinity (tracking lost?); skip the frame or pass None as its pose")
    if not np.allclose(given[3], (0, 0, 0, 1), atol=1e-6):
        raise InvalidFrame(f"last row of a pose must be 0 0 0 1; given {given[3]}; is the matrix transposed?")
    rotation = given[:3, :3]
    error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if error > _ROTATION_TOLERANCE:
        raise InvalidFrame(f"rotation of the pose is not orthonormal (error {error:.2g}); remove scale and shear")
    if np.linalg.det(rotation) < 0:
        raise InvalidFrame("rotation of the pose is a reflection (determinant -1); convert the axes by a rotation")
    return np.array(given, order="C")  # a copy: whoever gave it may go on and change it


class Stored(NamedTuple):
    """`observe` kept the frame; it survives a crash from here on."""

    lsn: int
    """position in the log, from 1"""
    reason: str
    """what made the gate keep it: first, novelty, disagreement, time, every"""
    pose_suspect: bool = False
    """the depth residual against the map stayed above 2 voxels"""


class Skipped(NamedTuple):
    """`observe` did not keep the frame; nothing changed."""

    reason: str
    """why: redundant, no pose, no usable depth reading, duplicate, stamp not rising"""


class Outcome(NamedTuple):
    """Shares of the pixels with a depth reading, by what the map said before the frame was fused."""

    agrees: float
    seen_through: float
    """the reading lies behind the mapped surface"""
    occluded: float
    """the reading lies in front of the mapped surface"""
    no_return: float
    """the map holds no surface along that ray"""
    residual_m: float
    """median absolute difference of reading and mapped surface where they meet; NaN when they do not"""
    rays: int
    """number of rays with a reading"""


@dataclass(frozen=True)
class Evidence:
    """A stored frame in which a hit was seen, and where in that image."""

    lsn: int
    session_id: str
    camera_id: str
    seq: int
    stamp_ns: int
    box_xyxy: tuple[float, float, float, float]
    """pixels, inclusive, centres at integers: left, top, right, bottom"""
    voxels: int
    """number of the hit's voxels this frame last touched"""


class Presence(Enum):
    """What is known of a place since it was last seen as described (three answers about absence)."""

    PRESENT = "present"
    """it agreed with the map the last time it was in view"""
    DOUBTED = "doubted"
    """a view has seen through it, or later frames looked at its place and did not agree; not yet enough to say gone"""
    GONE = "gone"
    """it was looked at again and something else was seen: gone, or moved"""
    NOT_SEEN_SINCE = "not seen since"
    """frames came after it, and none looked there"""
    NEVER_LOOKED = "never looked"
    """no frame ever looked there"""
    SOMETHING_ELSE = "something else"
    """looked at, and something was there that does not answer"""
    FREE = "free"
    """looked at, and seen to be empty"""


@dataclass(frozen=True, eq=False)
class Hit:
    """A connected surface region that answers a query. Positions are in the map frame, metres."""

    position_m: NDArray[np.float64]
    """(3,) score-weighted centre, moved onto the nearest surface voxel of the region"""
    box_min_m: NDArray[np.float64]
    """(3,) lower corner of the axis-aligned box"""
    box_max_m: NDArray[np.float64]
    """(3,) upper corner of the axis-aligned box"""
    score: float
    """0 to 1; a probability only when `calibrated`"""
    calibrated: bool
    first_seen_ns: int
    last_seen_ns: int
    presence: Presence
    evidence: tuple[Evidence, ...]
    """best first"""
    voxels: int
    """number of surface voxels in the region"""

    @property
    def extent_m(self) -> NDArray[np.float64]:
        """(3,) edge lengths of the axis-aligned box, metres."""
        return self.box_max_m - self.box_min_m


@dataclass(frozen=True, eq=False)
class Answer:
    """What `query` returns: hits, best first, and what the answer does not cover. Iterates over the hits."""

    hits: tuple[Hit, ...]
    unknown_words: tuple[str, ...] = ()
    """words of the query that the encoder cannot know; an answer that hangs on them is empty"""
    calibrated: bool = False
    searched_voxels: int = 0
    not_searched: str = ""
    """what was not searched and why; empty when all was"""
    place: Presence | None = None
    """of the place asked about, when no hit is there: NEVER_LOOKED, FREE or SOMETHING_ELSE; None when none was named"""

    def __iter__(self):
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index: int) -> Hit:
        return self.hits[index]


@dataclass(frozen=True, eq=False)
class View:
    """What the memory looks like from a pose (`memory.render`)."""

    depth_m: NDArray[np.float32]
    """(H, W) metres along the optical axis, NaN where the map has no surface"""
    normal: NDArray[np.float32]
    """(H, W, 3) unit normals in the map frame, towards the observed side; NaN without surface or beside its border"""
    rgb: NDArray[np.uint8]
    """(H, W, 3) colour, black where there is no surface"""
    feature: NDArray[np.float32] | None
    """(H, W, D) encoder features, zero where none is known; None unless asked for"""
