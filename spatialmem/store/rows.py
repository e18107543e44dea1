"""Rows of the memory file as frozen values. Transforms are (4, 4) float64; `lsn` counts stored frames from 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.types import Camera

if TYPE_CHECKING:
    from spatialmem.store.moved import MovedRow


@dataclass(frozen=True, eq=False, slots=True)
class KeyframeRow:
    """What the log says of a stored frame, blobs apart."""

    lsn: int
    session_id: str
    camera_id: str
    seq: int
    stamp_ns: int
    camera: Camera
    world_from_camera: NDArray[np.float64]
    """(4, 4) relative to the world of the session"""
    reason: str
    """why the gate kept the frame"""
    pose_suspect: bool = False
    encoded: bool = False
    """whether the row has features"""
    pose_revision: int = 0
    pose_sigma_m: float | None = None
    pose_sigma_rad: float | None = None
    agrees: float | None = None
    """share of the rays that agreed with the map before fusion; None when no ray was cast"""
    seen_through: float | None = None
    occluded: float | None = None
    no_return: float | None = None
    residual_m: float | None = None
    """median absolute difference to the map where both have a surface; None when they never do"""

    @property
    def pose_sigma(self) -> tuple[float, float] | None:
        """One-sigma uncertainty of the observed pose: metres, radians; None: not known."""
        if self.pose_sigma_m is None or self.pose_sigma_rad is None:
            return None
        return self.pose_sigma_m, self.pose_sigma_rad


@dataclass(frozen=True)
class FrameBlobs:
    """Encoded contents of a frame (store/codec.py)."""

    colour: bytes | None
    """None: the frame was evicted (store/evictions.py)"""
    depth: bytes | None = None
    """None: the frame is RGB only"""
    mask: bytes | None = None
    """None: all pixels usable"""
    features: bytes | None = None
    """None: not encoded"""
    examined: bytes | None = None
    """None: no block was examined for having been seen through"""
    observed: tuple[str, bytes] | None = None
    """segmenter, and encoded observations: a row of its own table, which stays when the frame is evicted. None: nothing
    was looked for in it"""


@dataclass(frozen=True)
class BlockRow:
    """A voxel block as it stands in the file."""

    key: int
    """packed block coordinates (`block_key`)"""
    lsn: int
    """the block contains every frame up to this one"""
    codec: int
    data: bytes


@dataclass(frozen=True, slots=True)
class DepartedRow:
    """A region whose surface was seen through and cleared. Positions in the map frame, metres."""

    valid_from: int
    """lsn of the frame that cleared it"""
    first_lsn: int
    """frame that saw it first"""
    last_lsn: int
    """frame that saw it last"""
    position_m: tuple[float, float, float]
    """mean of its voxel centres"""
    box_min_m: tuple[float, float, float]
    box_max_m: tuple[float, float, float]
    voxels: int
    rgb: tuple[int, int, int]
    """mean colour"""
    feature: bytes | None
    """D x float16, mean feature; None when it had none"""
    valid_to: int | None = None
    """lsn from which the row no longer holds; None: it still does"""
    id: int | None = None
    """given by the file; None before it is written"""


@dataclass(frozen=True)
class SessionRow:
    """A run of the robot with a world frame of its own."""

    session_id: str
    ordinal: int
    """0, 1, 2 ... in order of arrival"""
    world_frame: str


@dataclass(frozen=True, eq=False)
class AnchorRow:
    """Where a session lies in the map, as of a stretch of the log."""

    session_id: str
    revision: int
    map_from_session: NDArray[np.float64]
    """(4, 4)"""
    valid_from: int
    """first lsn it holds for"""
    reason: str
    valid_to: int | None = None
    """lsn from which it no longer holds; None: it still does"""


@dataclass(frozen=True, eq=False)
class PoseRow:
    """A revision of the pose of a frame. Revision 0 is what was observed and stands in the frame's own row."""

    lsn: int
    revision: int
    world_from_camera: NDArray[np.float64]
    """(4, 4) relative to the world of the session"""
    valid_from: int
    """first lsn that was stored after it was made; `lsn` itself where it was made as the frame was stored"""
    reason: str
    valid_to: int | None = None
    """lsn from which another revision holds; None: this one still does"""


@dataclass(frozen=True)
class CheckpointRow:
    """A finished checkpoint round: every block holds at least the frames up to `lsn`."""

    lsn: int
    blocks: int
    """blocks written in the round"""
    bytes: int


@dataclass(frozen=True, eq=False)
class CorrectedLayers:
    """What a correction of poses changes in the layers of a file."""

    surface: Iterable[BlockRow]
    free: Iterable[BlockRow]
    cells: Mapping[int, bytes]
    """encoded sightings of the frames whose poses changed"""
    departed_of: frozenset[int]
    """frames whose departed rows are replaced"""
    departed: Sequence[DepartedRow]
    bare_surface: Sequence[int]
    """keys of blocks that no frame changes any more; they are not among `surface`"""
    bare_free: Sequence[int]
    examined: Mapping[int, bytes | None]
    """encoded keys of what frames examined, in place of what their rows have"""
    unmarked: Mapping[str, Iterable[int]] = field(default_factory=dict)
    """keys by layer of blocks that are not what was moved there any more, but for those in `marks`"""
    marks: Sequence[MovedRow] = ()


@dataclass(frozen=True)
class TombstoneRow:
    """Frames that were erased: what was asked for, not what was seen."""

    at_lsn: int
    """last frame that was stored before"""
    asked: str
    """JSON"""
    lsns: LsnRanges


_HALF = 1 << 20
_BITS = 21
_MASK = (1 << _BITS) - 1


def block_key(bx: int, by: int, bz: int) -> int:
    """Key of a block from its coordinates, each in [-2^20, 2^20); numpy int64 arrays work too."""
    return ((bx + _HALF) << (2 * _BITS)) | ((by + _HALF) << _BITS) | (bz + _HALF)


def block_coordinates(key: int) -> tuple[int, int, int]:
    """The inverse of `block_key`."""
    return (key >> (2 * _BITS)) - _HALF, ((key >> _BITS) & _MASK) - _HALF, (key & _MASK) - _HALF
