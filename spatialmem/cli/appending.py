"""Whether a recording goes on with a session of a memory, begins a new one, or only has the name of one."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, UnplacedSession
from spatialmem.types import Frame

if TYPE_CHECKING:
    from spatialmem.io import Reader
    from spatialmem.memory import SpatialMemory

_FRAMES_COMPARED = 20
_SESSIONS_NAMED = 5
_POSE_TOLERANCE = 1e-6  # entries of the matrix: a logged pose is the frame's own, to the bit or nearly


def place_session(memory: SpatialMemory, reader: Reader, same_world: bool) -> None:
    """Give a recording its place in a memory, or refuse it.

    A new session in a memory that has others needs `same_world`; a known one must be the recording it was. Raises
    `UnplacedSession`, or `InvalidValue` for another recording of a known name.
    """
    name, known = reader.session_id, _sessions(memory)
    if name in known:
        _require_same_recording(memory, reader)
        if same_world and not np.allclose(known[name], np.eye(4), rtol=0, atol=1e-9):
            raise InvalidValue(f"session {name!r} has another place in the map already; leave --same-world out")
    elif same_world:
        memory.add_session(name, np.eye(4), "declared on the command line")
    elif known:
        raise UnplacedSession(
            f"{reader.path} is session {name!r}, which this memory does not know (it holds {_listed(known)}), and its "
            "place in the map is not known. If its poses are in the map's frame, add --same-world; if it goes on with "
            "one of these sessions, name that with --session NAME; if it has a world of its own, place it in Python "
            f"with memory.add_session({name!r}, map_from_session)"
        )


def _sessions(memory: SpatialMemory) -> dict[str, NDArray[np.float64]]:
    """Place in the map of each session, (4, 4)."""
    rows = memory.sql("SELECT session_id, map_from_session FROM anchors WHERE valid_to IS NULL ORDER BY valid_from")
    return {name: np.frombuffer(blob, "<f8").reshape(4, 4) for name, blob in rows}


def _listed(names: dict[str, NDArray[np.float64]]) -> str:
    shown = ", ".join(repr(name) for name in islice(names, _SESSIONS_NAMED))
    return shown if len(names) <= _SESSIONS_NAMED else f"{shown} and {len(names) - _SESSIONS_NAMED} more"


def _require_same_recording(memory: SpatialMemory, reader: Reader) -> None:
    """Compare the first frames with those of the same number in the log."""
    rows = memory.sql(
        "SELECT camera_id, seq, stamp_ns, world_from_camera FROM keyframes WHERE session_id = ?", (reader.session_id,)
    )
    logged = {(camera_id, seq): (stamp_ns, np.frombuffer(pose, "<f8")) for camera_id, seq, stamp_ns, pose in rows}
    for frame in islice(reader.outcomes(), _FRAMES_COMPARED):
        if not isinstance(frame, Frame) or frame.seq is None or frame.session_id != reader.session_id:
            continue
        held = logged.get((frame.camera_id, frame.seq))
        if held is not None:
            _require_same_frame(frame, *held, reader)


def _require_same_frame(frame: Frame, stamp_ns: int, pose: NDArray[np.float64], reader: Reader) -> None:
    moved = frame.world_from_camera is not None and not np.allclose(
        frame.world_from_camera.ravel(), pose, rtol=0, atol=_POSE_TOLERANCE
    )
    if frame.stamp_ns == stamp_ns and not moved:
        return
    what = "pose" if frame.stamp_ns == stamp_ns else f"stamp ({stamp_ns} ns there, {frame.stamp_ns} ns here)"
    raise InvalidValue(
        f"{reader.path} is not the recording that this memory holds as session {reader.session_id!r}: frame "
        f"{frame.seq} of {frame.camera_id} has another {what}. Give it a name of its own with --session NEWNAME, and "
        "--same-world if its poses are in the map's frame"
    )
