"""What stored frames saw, cell by cell, encoded; read from the memory's file when it is asked for.

Some 350 bytes a frame, which the file holds as well: RAM only knows which frames have them.
"""

from __future__ import annotations

import weakref
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import final

import numpy as np

from spatialmem.store.file import MemoryFile

_NO_END, _AT_ONCE = 1 << 62, 256


class _Kept(dict[int, bytes]):
    """What the file had for those who read an earlier map. It lives for as long as any of them."""


@final
class FileSightings(Mapping[int, bytes]):
    """Encoded sightings by lsn, ascending, of a memory that is open for appending.

    The file has those of now. Who reads an earlier map goes on with what it was made of: what is about to be replaced
    or erased in the file is kept first (`keep`), and stands in these and in all earlier ones that are still read;
    `changed` gives those of the next map.
    """

    def __init__(self, file: MemoryFile, lsns: Iterable[int] = ()) -> None:
        """lsns: frames whose sightings the file has."""
        self._file = file
        self._has = bytearray()
        self._last = _NO_END
        self._kept = _Kept()
        self._earlier: list[weakref.ref[_Kept]] = []
        for lsn in lsns:
            self.add(lsn)

    def add(self, lsn: int) -> None:
        """The file has the sightings of this frame now."""
        if lsn >= len(self._has):
            self._has += bytes(lsn + 1 - len(self._has))
        self._has[lsn] = 1

    def keep(self, lsns: Iterable[int]) -> None:
        """Before the file replaces or erases those of these frames."""
        for lsn in lsns:
            blob = self.get(lsn)
            if blob is not None:
                for kept in (self._kept, *self._read_earlier()):
                    kept.setdefault(lsn, blob)  # what was kept already is from before an earlier change

    def come_after(self, earlier: FileSightings) -> None:
        """These take the place of others, which may still be read."""
        self._earlier = [weakref.ref(kept) for kept in (*earlier._read_earlier(), earlier._kept)]

    def _read_earlier(self) -> list[_Kept]:
        return [kept for kept in (known() for known in self._earlier) if kept is not None]

    def changed(self, there: Iterable[int] = (), gone: Iterable[int] = ()) -> FileSightings:
        """As the file has them now: these frames have some, those have none any more."""
        now = FileSightings(self._file)
        now.come_after(self)
        now._has = bytearray(self._has)
        for lsn in gone:
            if lsn < len(now._has):
                now._has[lsn] = 0
        for lsn in there:
            now.add(lsn)
        return now

    def until(self, lsn: int) -> FileSightings:
        """Those of the frames up to one; of later ones it does not learn."""
        some = FileSightings(self._file)
        some._has, some._kept, some._last = self._has, self._kept, min(lsn, self._last)
        return some

    def __getitem__(self, lsn: int) -> bytes:
        if lsn not in self:
            raise KeyError(lsn)
        blob = self._file.cells(int(lsn))
        blob = self._kept.get(int(lsn), blob)  # after the file was read: it is kept before the file changes
        if blob is None:
            raise KeyError(lsn)
        return blob

    def __contains__(self, lsn: object) -> bool:
        if not isinstance(lsn, (int, np.integer)):
            return False
        number = int(lsn)
        return 0 < number <= self._last and number < len(self._has) and self._has[number] == 1

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(np.frombuffer(bytes(self._has[: self._last + 1]), np.uint8)).tolist())

    def __len__(self) -> int:
        return self._has.count(1, 0, self._last + 1)

    def items(self) -> ItemsView[int, bytes]:
        return _Pairs(self)

    def in_order(self) -> Iterator[tuple[int, bytes]]:
        """(lsn, sightings), read a few hundred at a time."""
        lsns = list(self)
        for start in range(0, len(lsns), _AT_ONCE):
            some = lsns[start : start + _AT_ONCE]
            read = self._file.cells_between(some[0], some[-1])
            for lsn in some:
                blob = self._kept.get(lsn, read.get(lsn))
                if blob is not None:
                    yield lsn, blob


@final
class _Pairs(ItemsView[int, bytes]):
    def __init__(self, sightings: FileSightings) -> None:
        super().__init__(sightings)
        self._sightings = sightings

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return self._sightings.in_order()


Sightings = dict[int, bytes] | FileSightings
"""encoded sightings by lsn: in RAM, where there is no file, or none that is written here"""


def note(sightings: Sightings, lsn: int, blob: bytes) -> None:
    """A frame was stored: with these sightings, which the file, where there is one, has by now."""
    if isinstance(sightings, FileSightings):
        sightings.add(lsn)
    else:
        sightings[lsn] = blob


def changed(sightings: Sightings, cells: Mapping[int, bytes], gone: Iterable[int] = ()) -> Sightings:
    """With these `cells` in place of what the same frames had, and without frames; what is given stays as it is."""
    if isinstance(sightings, FileSightings):
        return sightings.changed(cells, gone)
    out = set(gone)
    return {lsn: blob for lsn, blob in {**sightings, **cells}.items() if lsn not in out}


def until(sightings: Sightings, last_lsn: int) -> Mapping[int, bytes]:
    """Those of the frames up to one."""
    if isinstance(sightings, FileSightings):
        return sightings.until(last_lsn)
    return {lsn: sightings[lsn] for lsn in list(sightings) if lsn <= last_lsn}
