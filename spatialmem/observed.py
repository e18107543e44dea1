"""What stored frames show of things, in log order: on file, or in RAM for a memory without one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import partial
from typing import final

from spatialmem.store import observed
from spatialmem.store.file import MemoryFile
from spatialmem.store.observed_codec import decode_observations, encode_observations
from spatialmem.store.rows import KeyframeRow
from spatialmem.things import Observations


@final
class ObservationLog:
    """The observations of one memory."""

    def __init__(self, file: MemoryFile | None) -> None:
        self._file = file
        self._kept: dict[int, bytes] = {}

    def keep(self, lsn: int, seen: Observations | None) -> None:
        """What a stored frame shows; a file has it already."""
        if self._file is None and seen is not None:
            self._kept[lsn] = encode_observations(seen)

    def clear(self) -> None:
        """Forget everything, for a memory without a file."""
        self._kept.clear()

    def after(self, lsn: int, until_lsn: int, rows: Mapping[int, KeyframeRow]) -> Iterator[tuple[int, Observations]]:
        """(lsn, observations) of the frames after `lsn`, up to `until_lsn`, in which things were looked for; rows: of
        the log. Raises `MemoryFileError` where they are damaged."""
        if self._file is None:
            kept = list(self._kept.items())  # at once: another thread may add to it
            for n, data in kept[bisect_right(kept, lsn, key=lambda item: item[0]) :]:
                if n <= until_lsn and n in rows:
                    yield n, decode_observations(data, rows[n].camera)
            return
        while found := self._file.read(partial(observed.after, lsn=lsn, until_lsn=until_lsn)):
            for number, _, data in found:
                if number in rows:  # else it was erased meanwhile
                    yield number, decode_observations(data, rows[number].camera)
            lsn = found[-1][0]

    def of(self, lsn: int, row: KeyframeRow) -> Observations | None:
        """Of one frame; None where nothing was looked for in it."""
        if self._file is None:
            data = self._kept.get(lsn)
        else:
            found = self._file.read(partial(observed.of, lsn=lsn))
            data = None if found is None else found[1]
        return None if data is None else decode_observations(data, row.camera)
