"""Which frames go on with a session of the log, and which only bear its name.

Within one camera of one session numbers and stamps rise together, and a number names one frame for good. So a frame
that has the number of a logged one but another stamp or pose, or whose stamp does not lie where its number does,
comes from another recording, whose place in the map is not known.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from typing import final

import numpy as np

from spatialmem.errors import AnotherRecording, InvalidValue, UnplacedSession
from spatialmem.geometry import pose_difference
from spatialmem.store.rows import KeyframeRow
from spatialmem.types import Frame

_POSE_TOLERANCE = 1e-6  # entries of the matrix: a logged pose is the frame's own, to the bit or nearly


@final
class CameraLog:
    """What has been stored of one camera of one session: what numbering, cadence and the gate go by."""

    def __init__(self, rows: Mapping[int, KeyframeRow]) -> None:
        """rows: of the log, by lsn."""
        self.stamp_ns: int | None = None
        self.next_seq = 0
        self.counted = {False: 0, True: 0}
        """stored frames without and with depth"""
        self.residuals_m: deque[float | None] = deque(maxlen=8)
        """of its frames with depth, oldest first"""
        self._rows = rows
        self._refined: set[int] = set()
        self._seqs, self._lsns = array("q"), array("q")
        self._rising = True  # earlier releases also stored frames whose numbers fell

    def add(self, row: KeyframeRow, refined: bool = False) -> None:
        """Take in the camera's next stored frame; `refined`: its pose was revised as it was stored."""
        if refined:
            self.note_refined(row.lsn)
        self.note(row.lsn, row.seq, row.stamp_ns, row.agrees is not None, row.residual_m)

    def note(self, lsn: int, seq: int, stamp_ns: int, looked: bool, residual_m: float | None) -> None:
        """`add`; looked: it had depth readings to compare with the map."""
        self._rising &= seq >= self.next_seq
        self._seqs.append(seq)
        self._lsns.append(lsn)
        self.stamp_ns = stamp_ns
        self.next_seq = max(self.next_seq, seq + 1)
        self.counted[looked] += 1
        if looked:
            self.residuals_m.append(residual_m)

    def note_refined(self, lsn: int) -> None:
        """The pose of this frame was revised as it was stored."""
        self._refined.add(lsn)

    def latest(self, count: int) -> list[KeyframeRow]:
        """The last stored frames, newest first, up to one whose pose was corrected since it was stored."""
        found = []
        for lsn in reversed(self._lsns[-count:]):
            row = self._rows[lsn]
            if row.pose_revision > (lsn in self._refined):
                break
            found.append(row)
        return found

    def holds(self, seq: int | None) -> bool:
        """Whether a frame of this number is stored."""
        return seq is not None and self._place(seq) is not None

    def _place(self, seq: int) -> int | None:
        """Which of the camera's frames has this number; the last of several; None when none has."""
        if not self._rising:
            return max((n for n, other in enumerate(self._seqs) if other == seq), default=None)
        place = bisect_left(self._seqs, seq)
        return place if place < len(self._seqs) and self._seqs[place] == seq else None

    def contradiction(self, frame: Frame) -> str | None:
        """What shows that a frame is not of the recording whose frames are stored here; None when nothing does."""
        if frame.seq is None:
            return None
        place = self._place(frame.seq)
        if place is not None:
            held = self._rows[self._lsns[place]]
            return _difference(held, frame, held.pose_revision > (held.lsn in self._refined))
        if not self._rising or frame.seq >= self.next_seq:
            return None
        place = bisect_left(self._seqs, frame.seq)
        around = [self._rows[lsn] for lsn in self._lsns[max(0, place - 1) : place + 1]]
        if all((frame.stamp_ns - row.stamp_ns) * (frame.seq - row.seq) > 0 for row in around):
            return None
        others = " and ".join(f"frame {row.seq} ({row.stamp_ns} ns)" for row in around)
        return (
            f"frame {frame.seq} of {frame.camera_id} has stamp {frame.stamp_ns} ns, which does not fit {others} there"
        )


def require_place(frame: Frame, placed: bool) -> None:
    """`UnplacedSession` unless the session of the frame has a place in the map."""
    if not placed:
        raise UnplacedSession(
            f"session {frame.session_id!r} is new and its place in the map is not known; call "
            f"add_session({frame.session_id!r}, map_from_session) first (numpy.eye(4) if it shares the map's world), "
            "or place_session(frames) to look for it in the map"
        )


def require_unknown(recording_id: str | None, recordings: Mapping[str, str], what: str) -> None:
    """`InvalidValue` when a session holds this very recording: under another name it would be fused twice.

    recordings: by session. None, as of a robot's own frames, shows nothing.
    """
    held = [session for session, known in recordings.items() if known == recording_id]
    if held:
        raise InvalidValue(
            f"{what} is the very recording that this memory holds as session {held[0]!r}, and its frames would be "
            f"fused twice; to go on with it, give it that name: session_id={held[0]!r}, or --session {held[0]}"
        )


def require_same_recording(frame: Frame, log: CameraLog, recording_id: str | None) -> None:
    """`AnotherRecording` when it shows that the frame is not of the recording that its session holds.

    `recording_id` is what the session's first frame that named its recording called it. A frame without `seq` and
    without `recording_id`, as of a robot that goes on with its session, shows nothing.
    """
    found = log.contradiction(frame)
    if found is None and None not in (frame.recording_id, recording_id) and frame.recording_id != recording_id:
        found = f"it is {frame.recording_id!r}, the session is {recording_id!r}"
    if found is not None:
        raise AnotherRecording(
            f"this is not the recording that the memory holds as session {frame.session_id!r}: {found}. Give it a "
            "session of its own (session_id=..., or --session NEWNAME), placed with add_session(session_id, "
            "map_from_session), or by --same-world if its poses are in the map's frame. A robot that goes on with "
            f"this session numbers its frames from {log.next_seq} on, or leaves seq None"
        )


def _difference(held: KeyframeRow, frame: Frame, corrected: bool) -> str | None:
    """How a frame differs from the stored one of the same number; a corrected one may come again by any pose."""
    name = f"frame {frame.seq} of {frame.camera_id}"
    if frame.stamp_ns != held.stamp_ns:
        return f"{name} has another stamp ({held.stamp_ns} ns there, {frame.stamp_ns} ns here)"
    if corrected or np.allclose(frame.pose, held.world_from_camera, rtol=0, atol=_POSE_TOLERANCE):
        return None
    distance_m, angle_rad = pose_difference(held.world_from_camera, frame.pose)
    return f"{name} has another pose ({float(distance_m):.3g} m and {np.degrees(float(angle_rad)):.3g} degrees away)"
