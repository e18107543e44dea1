"""A frame on its way into the log: the form that is stored, and the form the layers read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.layers import LoggedFrame
from spatialmem.objects.lifting import observations_of
from spatialmem.perception import Encoding
from spatialmem.store import codec
from spatialmem.store.observed_codec import encode_observations
from spatialmem.store.rows import FrameBlobs, KeyframeRow, PoseRow
from spatialmem.store.schema import LOG_ADVICE
from spatialmem.things import Detection, Observations
from spatialmem.types import Camera, Frame, Outcome


@dataclass(frozen=True, eq=False)
class LogEntry:
    """A frame in the form the log holds it, and in the form the layers read it."""

    row: KeyframeRow
    blobs: FrameBlobs | None
    """None: ephemeral"""
    vector: bytes | None
    logged: LoggedFrame
    recording_id: str | None
    """what the frame says of which recording it is"""
    pose: PoseRow | None = None
    """by which the frame stands in the layers, where that is not the observed one"""
    observations: Observations | None = None
    """what it shows of things; None where nothing was looked for"""

    def standing_at(self, world_from_camera: NDArray[np.float64], reason: str) -> LogEntry:
        """The same with this pose (4, 4) as the first revision of the observed one; what the layers read has it."""
        pose = PoseRow(self.row.lsn, 1, world_from_camera, self.row.lsn, reason)
        return replace(self, row=replace(self.row, pose_revision=pose.revision), pose=pose)

    def showing(self, detections: Sequence[Detection], by: str, reach_m: tuple[float, float]) -> LogEntry:
        """The same with what was found in it, `by` whom; a frame without depth shows things at no place."""
        logged = self.logged
        if logged.depth_m is None:
            return self
        seen = observations_of(detections, logged.depth_m, logged.valid, logged.camera, logged.features, reach_m)
        if self.blobs is None:
            return replace(self, observations=seen)
        return replace(self, blobs=replace(self.blobs, observed=(by, encode_observations(seen))), observations=seen)


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A stored frame without its images."""

    lsn: int
    session_id: str
    camera_id: str
    seq: int
    stamp_ns: int
    map_from_camera: NDArray[np.float64]
    """(4, 4)"""
    camera: Camera
    reason: str
    pose_suspect: bool


def require_width(encoding: Encoding | None, width: int) -> None:
    """Refuse features that the map has no room for: the kernels read `width` numbers of every patch."""
    if encoding is None:
        return
    shape = encoding.dense.shape
    if len(shape) != 3 or 0 in shape or shape[2] != width:
        raise InvalidValue(
            f"the encoder gave features of shape {shape}; this memory holds (h, w, {width}), at least one patch; "
            "give the encoder that it was made with"
        )


def ephemeral_entry(
    row: KeyframeRow, frame: Frame, map_from_camera: NDArray[np.float64], encoding: Encoding | None,
    examined: NDArray[np.int64],
) -> LogEntry:  # fmt: skip
    """For a memory without a file: nothing is encoded, the layers read the frame as it is."""
    features = None if encoding is None else encoding.dense
    logged = LoggedFrame(
        row.lsn, row.stamp_ns, row.camera, map_from_camera, frame.rgb, frame.depth_m, frame.valid, features, examined,
        row.residual_m or 0.0,
    )  # fmt: skip
    return LogEntry(row, None, None, logged, frame.recording_id)


def file_entry(
    row: KeyframeRow, frame: Frame, map_from_camera: NDArray[np.float64], encoding: Encoding | None,
    examined: NDArray[np.int64], jpeg_quality: int,
) -> LogEntry:  # fmt: skip
    """For a memory with a file: the layers read the decoded form of what is stored."""
    blobs = FrameBlobs(
        colour=codec.encode_colour(frame.rgb, jpeg_quality),
        depth=None if frame.depth_m is None else codec.encode_depth(frame.depth_m),
        mask=codec.encode_mask(frame.valid),
        features=None if encoding is None else codec.encode_features(encoding.dense),
        examined=codec.encode_examined(examined),
    )
    vector = None if encoding is None else codec.encode_vector(encoding.vector)
    width = 0 if encoding is None else encoding.dense.shape[2]
    return LogEntry(row, blobs, vector, decoded(row, blobs, map_from_camera, width), frame.recording_id)


def decoded(row: KeyframeRow, blobs: FrameBlobs, map_from_camera: NDArray[np.float64], width: int) -> LoggedFrame:
    """A log row as the layers read it, with features `width` wide; its blobs must not have been given up."""
    assert blobs.colour is not None
    rgb = codec.decode_colour(blobs.colour)
    depth_m = None if blobs.depth is None else codec.decode_depth(blobs.depth)
    size = (row.camera.height, row.camera.width)
    if rgb.shape[:2] != size or (depth_m is not None and depth_m.shape != size):  # kernels go by the camera's size
        raise MemoryFileError(
            f"the images of frame {row.lsn} are not as large as its camera says, {size[1]} x {size[0]}; {LOG_ADVICE}"
        )
    return LoggedFrame(
        lsn=row.lsn,
        stamp_ns=row.stamp_ns,
        camera=row.camera,
        map_from_camera=map_from_camera,
        rgb=rgb,
        depth_m=depth_m,
        valid=codec.decode_mask(blobs.mask, row.camera.height, row.camera.width),
        features=None if blobs.features is None else _features(row.lsn, blobs.features, width),
        examined=codec.decode_examined(blobs.examined),
        residual_m=row.residual_m or 0.0,
    )


def _features(lsn: int, data: bytes, width: int) -> NDArray[np.float32]:
    features = codec.decode_features(data)
    if features.shape[2] != width:  # kernels go by the memory's width
        raise MemoryFileError(
            f"the features of frame {lsn} are {features.shape[2]} wide, those of its memory {width}; {LOG_ADVICE}"
        )
    return features


def keyframe(row: KeyframeRow, map_from_camera: NDArray[np.float64]) -> Keyframe:
    """A row with its pose in the map."""
    return Keyframe(
        row.lsn, row.session_id, row.camera_id, row.seq, row.stamp_ns, map_from_camera, row.camera, row.reason,
        row.pose_suspect,
    )  # fmt: skip


def as_observed(row: KeyframeRow, logged: LoggedFrame, recording_id: str | None) -> Frame:
    """The frame of a row whose content was decoded, with its pose in the world of its session, as it was observed."""
    return Frame(
        logged.rgb, logged.depth_m, row.camera, row.world_from_camera, row.stamp_ns, row.session_id, row.camera_id,
        row.seq, logged.valid, row.pose_sigma, depth_unit="m", recording_id=recording_id,
    )  # fmt: skip


def keyframe_row(lsn: int, frame: Frame, reason: str, suspect: bool, encoded: bool, outcome: Outcome) -> KeyframeRow:
    sigma_m, sigma_rad = frame.pose_sigma if frame.pose_sigma is not None else (None, None)
    looked = outcome.rays > 0
    residual = outcome.residual_m if np.isfinite(outcome.residual_m) else None
    return KeyframeRow(
        lsn=lsn, session_id=frame.session_id, camera_id=frame.camera_id, seq=int(frame.seq or 0),
        stamp_ns=frame.stamp_ns, camera=frame.camera, world_from_camera=frame.pose, reason=reason, pose_suspect=suspect,
        encoded=encoded, pose_sigma_m=sigma_m, pose_sigma_rad=sigma_rad,
        agrees=outcome.agrees if looked else None, seen_through=outcome.seen_through if looked else None,
        occluded=outcome.occluded if looked else None, no_return=outcome.no_return if looked else None,
        residual_m=residual,
    )  # fmt: skip
