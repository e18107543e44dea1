"""The part of `SpatialMemory` that brings other worlds into the map: sessions placed, memories merged."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from spatialmem import arguments
from spatialmem.checks import described
from spatialmem.errors import InvalidValue
from spatialmem.layers import Layers, Prepared
from spatialmem.localise.consensus import WorldPlace, place_of_world
from spatialmem.log_entry import LogEntry
from spatialmem.merging import TAKEN, Merged, Source
from spatialmem.sessions import require_unknown
from spatialmem.store.rows import KeyframeRow
from spatialmem.types import Frame, checked_transform
from spatialmem.whereabouts import Whereabouts


class Joining(Whereabouts):
    """`add_session`, `place_session` and `merge`, beside what only reads."""

    _layers: Layers

    @abstractmethod
    def _changing(self) -> AbstractContextManager[None]:
        """The right to change the memory, for one thread at a time."""

    @abstractmethod
    def _store(self, entry: LogEntry, prepared: Prepared) -> None:
        """A frame into log and layers, within `_changing`."""

    def add_session(self, session_id: str, map_from_session: NDArray[np.float64], reason: str = "declared") -> None:
        """Say where the world of a new session lies in the map: (4, 4) rigid transform."""
        name, place = arguments.checked_name("session_id", session_id), checked_transform(map_from_session)
        arguments.checked_name("reason", reason)
        with self._changing():
            self._keeper.add_session(name, place, reason)

    def place_session(self, frames: Iterable[Frame]) -> WorldPlace:
        """Place a new session where frames of it, localised one by one, agree that it lies (see `localize_session`).

        Nothing is stored where that is not sure: then `map_from_world` is None, and `why` says what was found.
        """
        self._require_sound(writing=True)
        given = arguments.of_one_session(frames, "place_session")
        first = next(given, None)
        if first is not None and self._keeper.places.has(first.session_id):
            raise InvalidValue(f"session {first.session_id!r} has a place in the map already, or is the first one")
        if first is not None:
            require_unknown(first.recording_id, self._keeper.recordings, f"session {first.session_id!r}")
        found = self.localize_session(() if first is None else chain((first,), given))
        if first is not None and found.map_from_world is not None:
            self.add_session(first.session_id, found.map_from_world, "localised")
        return found

    def merge(
        self, other: Joining, *, map_from_other: NDArray[np.float64] | None = None, name: str | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Merged:  # fmt: skip
        """Take over the frames of another memory, one transaction each; its sessions are called NAME/SESSION here.

        Images and features are taken as they are, at the poses by which the frames stand in the other memory's map.
        Frames that are here already are skipped, so a merge that was cut short is ended by the same call.

        Args:
            other: a memory with a file, made with the same encoder; its voxels may have another size.
            map_from_other: (4, 4) where its map lies in this one; None: its frames are localised until they agree,
                unless an earlier merge has placed it.
            name: of the other memory; None: that of its file.
            progress: called after each frame with how many have been looked at, and how many of them were stored.

        Frames whose images the other memory has given up are skipped. Raises `UnplacedSession` when it is not sure
        where the other map lies, `EncoderMismatch`, and `AnotherRecording` when another memory was merged by that name.
        """
        given = None if map_from_other is None else checked_transform(map_from_other)
        source = self._source(other, name)
        found = None
        place = source.known_place() if given is None else given
        if place is None:
            found = place_of_world(source.frames(), self._pose_of)
            place = source.sure_place(found)
        with self._changing():
            source.place_sessions(place, "given" if found is None else "localised", given is not None)
        counted: Counter[str] = Counter()
        for row in source.rows:
            counted[self._take_over(source, row)] += 1
            if progress is not None:
                progress(counted.total(), counted[TAKEN])
        with self._changing():
            source.done()
        return Merged(place, found, source.sessions, counted.pop(TAKEN, 0), dict(counted))

    def _source(self, other: Joining, name: str | None) -> Source:
        if not isinstance(other, Joining):
            raise InvalidValue(f"other must be a SpatialMemory; given {described(other)}; open it first")
        self._require_sound(writing=True)
        other._require_sound()
        path, own = other._keeper.on_file().path, self._keeper.on_file().path
        if path == own:
            raise InvalidValue(f"{own} cannot be merged into itself; give another memory")
        named = path.stem if name is None else arguments.checked_name("name", name)
        return Source(self._keeper, other._keeper, named)

    def _take_over(self, source: Source, row: KeyframeRow) -> str:
        with self._changing():
            entry = source.entry(row, self._layers)
            if isinstance(entry, str):
                return entry
            self._store(entry, self._layers.prepare(entry.logged))
            return TAKEN
