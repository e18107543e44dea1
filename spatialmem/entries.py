"""A frame that is kept, as the log will hold it: numbered, encoded, and looked through for things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spatialmem import log_entry
from spatialmem.arrival import Arrival
from spatialmem.keeper import Keeper
from spatialmem.log_entry import LogEntry
from spatialmem.perception import Encoding
from spatialmem.things import Detection
from spatialmem.types import Frame

GIVEN = "given"
"""segmenter of detections that came with the frame"""


def entry_of(frame: Frame, arrived: Arrival, keeper: Keeper, detections: Sequence[Detection] | None) -> LogEntry:
    """With a file, the layers get the decoded form of what is stored.

    detections: what was found in the frame; None: what the segmenter of the memory finds, where it has one.
    """
    assert arrived.reason is not None
    config, log = keeper.config, keeper.camera_log(frame)
    if frame.seq is None:
        frame = replace(frame, seq=log.next_seq)
    counted = log.counted[arrived.outcome.rays > 0]
    encoding = keeper.encoder.encode(frame.rgb) if counted % config.encode_every == 0 else None
    log_entry.require_width(encoding, keeper.feature_width)
    row = log_entry.keyframe_row(
        keeper.last_lsn + 1, frame, arrived.reason, arrived.suspect, encoding is not None, arrived.outcome
    )
    pose, examined = arrived.map_from_camera, arrived.examined
    if keeper.file is None:
        entry = log_entry.ephemeral_entry(row, frame, pose, encoding, examined)
    else:
        entry = log_entry.file_entry(row, frame, pose, encoding, examined, config.jpeg_quality)
    if arrived.refined is not None:
        entry = entry.standing_at(arrived.refined, "refined")
    return _showing(entry, frame, encoding, keeper, detections)


def _showing(
    entry: LogEntry, frame: Frame, encoding: Encoding | None, keeper: Keeper, detections: Sequence[Detection] | None
) -> LogEntry:
    """With what is found in the frame."""
    config, by = keeper.config, GIVEN
    if detections is None:
        if keeper.segmenter is None or frame.depth_m is None:
            return entry
        detections, by = keeper.segmenter.segment(frame, encoding), config.segmenter
    return entry.showing(detections, by, (config.min_depth_m, config.max_depth_m))
