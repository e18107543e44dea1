"""Taking over another memory's frames: its log rows with their blobs as they are, where its map lies in this one.

Each frame is a transaction of its own, like an observed one, and not all of them together: a log may be larger than RAM
and than what a transaction should hold, and the robot and readers go on between two frames. A merge that was cut short
leaves a sound memory of whole frames; the next one skips those and takes the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.arrival import compared
from spatialmem.errors import AnotherRecording, EncoderMismatch, Evicted, InvalidValue, UnplacedSession
from spatialmem.gate import has_reading
from spatialmem.geometry import inverse
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.localise.consensus import Views, WorldPlace, spread_order
from spatialmem.log_entry import LogEntry, decoded, keyframe_row
from spatialmem.sessions import require_unknown
from spatialmem.store import codec, observed
from spatialmem.store.rows import KeyframeRow
from spatialmem.types import Frame

TAKEN = "stored"
_NOTED = "merged_by_name:"
"""before a name in `meta`: a frame of the memory that is being merged by it (`_told`)"""
_TOLERANCE = 1e-6  # entries of a matrix: within it two poses are one


@dataclass(frozen=True, eq=False)
class Merged:
    """What `merge` did."""

    map_from_other: NDArray[np.float64]
    """(4, 4) where the map of the other memory lies in this one"""
    place: WorldPlace | None
    """how that was found; None: it was given, or is known from an earlier merge"""
    sessions: tuple[str, ...]
    """the other's sessions, by their names in this memory"""
    stored: int
    """frames that were taken over"""
    skipped: dict[str, int]
    """frames that were not, by why"""


@final
class Source:
    """Another memory, as this one takes it over. What it holds at this instant is taken."""

    def __init__(self, keeper: Keeper, other: Keeper, name: str) -> None:
        """keeper: of this memory; name: its sessions are called NAME/SESSION here."""
        self._keeper, self._other, self._name = keeper, other, name
        self.rows = list(other.rows.values())
        self._held = {(row.session_id, row.camera_id, row.seq): row for row in list(keeper.rows.values())}
        self._sessions = {row.session_id: f"{name}/{row.session_id}" for row in self.rows}
        _check_encoders(keeper, other)

    @property
    def sessions(self) -> tuple[str, ...]:
        """Its sessions that hold frames, by their names in this memory."""
        return tuple(self._sessions.values())

    def frames(self) -> Iterator[Frame]:
        """Its frames with depth and with their poses in its map, each of a view of its own; the first few lie all over
        its log. Frames whose images were given up are passed over."""
        views = Views()
        for index in spread_order(len(self.rows)):
            row = self.rows[index]
            pose = self._other.places.map_from_camera(row)
            if row.agrees is not None and not views.has(pose):  # before it is decoded
                with suppress(Evicted):
                    frame = self._other.frame(row.lsn).with_pose(pose)
                    views.add(pose)
                    yield frame

    def known_place(self) -> NDArray[np.float64] | None:
        """(4, 4) map_from_other, where an earlier merge of it placed one of its sessions here, or this memory has no
        map yet. Raises `AnotherRecording` where another memory's sessions have these names, `UnplacedSession` where
        those that are placed put its map at several places, so that those that are new have none."""
        placed = self._placed()
        if not placed:
            return None if self._keeper.places.sessions else np.eye(4)
        first, *others = placed
        if not self._came_before():
            raise AnotherRecording(
                f"session {first!r} of this memory holds none of the frames of {self._other.on_file().path}: it "
                "may be another memory's. Merge under another name: name=, or --name; or say where the map lies: "
                "map_from_other="
            )
        new = [name for name in self.sessions if name not in placed]
        elsewhere = [name for name in others if not _near(placed[name], placed[first])]
        if new and elsewhere:
            raise UnplacedSession(
                f"sessions {first!r} and {elsewhere[0]!r} of this memory put the map of {self._other.on_file().path} "
                f"in two places, one of them was moved; so it is not known where its session {new[0]!r} lies. Give "
                "map_from_other= (numpy.eye(4), or --same-world, if the two maps share their world)"
            )
        return placed[first]

    def _placed(self) -> dict[str, NDArray[np.float64]]:
        """(4, 4) map_from_other by each of its sessions that has a place here, by its name here."""
        here, there = self._keeper.places, self._other.places
        return {
            name: here.map_from_session(name) @ inverse(there.map_from_session(session))
            for session, name in self._sessions.items() if name in here.sessions
        }  # fmt: skip

    def _came_before(self) -> bool:
        """Whether an earlier merge was of this memory: a frame of it is here, or is the one noted by that merge."""
        noted = self._keeper.on_file().get_meta(_NOTED + self._name)
        held = ((self._held.get((self._sessions[row.session_id], row.camera_id, row.seq)), row) for row in self.rows)
        return any((was is not None and _same(was, row)) or _told(row) == noted for was, row in held)

    def sure_place(self, found: WorldPlace) -> NDArray[np.float64]:
        """(4, 4) the place that was found, or `UnplacedSession`."""
        if found.map_from_world is None:
            raise UnplacedSession(
                f"where the map of {self._other.on_file().path} lies in this one is not known: {found.why}. Give "
                "map_from_other= (numpy.eye(4), or --same-world, if the two maps share their world)"
            )
        return found.map_from_world

    def place_sessions(self, map_from_other: NDArray[np.float64], reason: str, given: bool) -> None:
        """Place the sessions that are new here. Raises `InvalidValue` where one lies elsewhere than is given."""
        here, there = self._keeper.places, self._other.places
        wanted = {name: map_from_other @ there.map_from_session(session) for session, name in self._sessions.items()}
        new = {session: name for session, name in self._sessions.items() if name not in here.sessions}
        if given:
            self._check_given(map_from_other, bool(new))
        for session in new:
            recording_id = self._other.recordings.get(session)
            require_unknown(recording_id, self._keeper.recordings, f"session {session!r} of the other memory")
        if new and len(new) == len(wanted):  # a merge may be cut short before any of its frames is here
            self._keeper.on_file().set_meta(_NOTED + self._name, _told(self.rows[0]))
        for name in new.values():
            self._keeper.add_session(name, wanted[name], reason)

    def _check_given(self, map_from_other: NDArray[np.float64], needed: bool) -> None:
        """Where sessions were moved apart new ones need what is given, and it may be the place of none of those."""
        placed = self._placed()
        apart = not all(_near(one, other) for one, other in pairwise(placed.values()))
        elsewhere = [name for name, place in placed.items() if not _near(place, map_from_other)]
        if elsewhere and not (needed and apart):
            raise InvalidValue(
                f"session {elsewhere[0]!r} has another place in this map already; leave map_from_other out, move the "
                f"session with correct_poses(anchor=({elsewhere[0]!r}, map_from_session)), or merge under another name="
            )

    def entry(self, row: KeyframeRow, layers: Layers) -> LogEntry | str:
        """A frame as this log will hold it, or why it is not taken. Its session has been placed.

        Images, features and vector are the other's bytes, never encoded again. What the map says of the frame, and the
        blocks that it examines for that, is taken anew: this is another map.
        """
        session = self._sessions[row.session_id]
        held = self._held.get((session, row.camera_id, row.seq))
        if held is not None and _same(held, row):
            return "duplicate"
        pose = self._other.places.world_from_camera(row)
        map_from_camera = self._keeper.places.map_from_session(session) @ pose
        try:
            blobs = self._other.on_file().blobs(row.lsn)
        except Evicted:
            return "evicted"
        content = decoded(row, blobs, map_from_camera, self._keeper.feature_width)
        frame = replace(self._other.as_observed(row, content), session_id=session)
        refusal = self._refusal(frame)
        if refusal is not None:
            return refusal
        seen = compared(frame, map_from_camera, self._keeper, layers)
        lsn = self._keeper.last_lsn + 1
        own = keyframe_row(lsn, frame, row.reason, seen.suspect, row.encoded, seen.outcome)
        logged = replace(content, lsn=lsn, examined=seen.examined, residual_m=own.residual_m or 0.0)
        shown = self._other.on_file().read(partial(observed.of, lsn=row.lsn))
        blobs = replace(blobs, examined=codec.encode_examined(seen.examined), observed=shown)
        entry = LogEntry(own, blobs, self._other.on_file().vector(row.lsn), logged, frame.recording_id)
        return entry if np.array_equal(pose, row.world_from_camera) else entry.standing_at(pose, "merged")

    def done(self) -> None:
        """All frames have been looked at: by those that are here the other memory is known again."""
        file = self._keeper.on_file()
        if file.get_meta(_NOTED + self._name) is not None:
            forget_note = ("DELETE FROM meta WHERE key = ?", (_NOTED + self._name,))
            file.change("changing", lambda connection: connection.execute(*forget_note))

    def _refusal(self, frame: Frame) -> str | None:
        if frame.depth_m is not None and not has_reading(frame.depth_m, frame.valid, self._keeper.config.min_depth_m):
            return "no usable depth reading"
        try:
            return self._keeper.refusal(frame)
        except AnotherRecording as error:
            raise AnotherRecording(
                f"session {frame.session_id!r} of this memory is of another recording: frame {frame.seq} of camera "
                f"{frame.camera_id!r} does not go on with it. Merge under another name: name=, or --name"
            ) from error


def _same(held: KeyframeRow, row: KeyframeRow) -> bool:
    """Whether two rows of one number are of one frame, by what was observed."""
    return held.stamp_ns == row.stamp_ns and _near(held.world_from_camera, row.world_from_camera)


def _near(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two transforms (4, 4) are one but for rounding."""
    return np.allclose(one, other, rtol=0, atol=_TOLERANCE)


def _told(row: KeyframeRow) -> str:
    """By which a frame is known again, in another process, too."""
    what = (row.session_id, row.camera_id, row.seq, row.stamp_ns, row.world_from_camera.tobytes().hex())
    return hashlib.sha256(repr(what).encode()).hexdigest()


def _check_encoders(keeper: Keeper, other: Keeper) -> None:
    mine, theirs = (k.on_file().get_meta("encoder_fingerprint") for k in (keeper, other))
    if mine != theirs:
        raise EncoderMismatch(
            f"the other memory was made with encoder {other.encoder_name!r} (fingerprint {str(theirs)[:12]}), this one "
            f"with {keeper.encoder_name!r} ({str(mine)[:12]}); their features cannot be compared. Move the "
            "other one to this encoder first: spatialmem rebuild OTHER --encoder NAME"
        )
