"""Whether a recording goes on with a session of a memory or begins a new one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, UnplacedSession
from spatialmem.io.reader import BadFrame
from spatialmem.localise.consensus import WorldPlace, spread_order

if TYPE_CHECKING:
    from spatialmem.io import Reader
    from spatialmem.memory import SpatialMemory
    from spatialmem.types import Frame

_SESSIONS_NAMED = 5


def place_session(memory: SpatialMemory, reader: Reader, same_world: bool) -> WorldPlace | None:
    """Give a recording its place in a memory, or refuse it; says how it was found, where it had to be looked for.

    A new session in a memory that has others, without `same_world`, is localised; raises `UnplacedSession` when that is
    not sure. Whether a recording is the one that the memory holds under its name is for `observe` to say, of its first
    frames.
    """
    name, known = reader.session_id, _sessions(memory)
    if name in known:
        if same_world and not np.allclose(known[name], np.eye(4), rtol=0, atol=1e-9):
            raise InvalidValue(f"session {name!r} has another place in the map already; leave --same-world out")
    elif known and not same_world:
        place = memory.place_session(_frames(reader))
        if place.placed:
            return place
        raise UnplacedSession(
            f"{reader.path} is session {name!r}, which this memory does not know (it holds {_listed(known)}), and its "
            f"place in the map could not be found: {place.why}. If its poses are in the map's frame, add --same-world; "
            "if this is the very recording of one of these sessions under another name, give that with --session NAME; "
            f"else place it in Python with memory.add_session({name!r}, map_from_session)"
        )
    return None


def _frames(reader: Reader) -> Iterator[Frame]:
    """Good frames; the first few from all over the recording, where it can be read in any order."""
    if reader.is_stream:
        yield from reader
        return
    for index in spread_order(len(reader)):
        try:
            yield reader[index]
        except BadFrame:  # counted when the recording is read from its start
            continue


def _sessions(memory: SpatialMemory) -> dict[str, NDArray[np.float64]]:
    """Place in the map of each session, (4, 4)."""
    rows = memory.sql("SELECT session_id, map_from_session FROM anchors WHERE valid_to IS NULL ORDER BY valid_from")
    return {name: np.frombuffer(blob, "<f8").reshape(4, 4) for name, blob in rows}


def _listed(names: dict[str, NDArray[np.float64]]) -> str:
    shown = ", ".join(repr(name) for name in islice(names, _SESSIONS_NAMED))
    return shown if len(names) <= _SESSIONS_NAMED else f"{shown} and {len(names) - _SESSIONS_NAMED} more"
