"""Where voxel blocks go when they leave RAM, and come back from: the memory file, or a file of no name."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Literal, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import MemoryFileError
from spatialmem.store import queries
from spatialmem.store import records as rec
from spatialmem.store import schema as sch
from spatialmem.store.access import connect
from spatialmem.store.failures import explained
from spatialmem.store.file import MemoryFile
from spatialmem.store.places import PLACE, Extents, Places
from spatialmem.store.rows import BlockRow

Layer = Literal["surface", "free"]
_TABLES = {"surface": sch.SURFACE_BLOCKS, "free": sch.FREE_BLOCKS}
BlockReader = Callable[[Layer, Sequence[int]], list[BlockRow]]
"""(layer, ascending keys) -> the rows of these blocks; `MemoryFileError` when one is missing. A few hundred at most."""


@dataclass(frozen=True)
class Within:
    """How blocks are written to a file with a budget."""

    at_once: int
    """most blocks of one transaction"""
    carry_out: Callable[[Callable[[], object], Sequence[int]], None]
    """(what writes rows, their bytes) makes room for it and calls it, again where that was not enough"""


class BlockStore(ABC):
    """Blocks by layer and key."""

    @abstractmethod
    def read(self, layer: Layer, keys: Sequence[int]) -> list[BlockRow]:
        """The rows of these blocks, by ascending key, as they were put last: a `BlockReader`."""

    @abstractmethod
    def put(self, surface: Iterable[BlockRow], free: Iterable[BlockRow]) -> None:
        """Keep these; all of them are when this returns. After an error some may be: each is what its tag says."""

    @abstractmethod
    def lacks(self, layer: Layer, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(N,) whether a block that no frame has changed since it came into RAM is not kept here all the same."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[BlockReader]:
        """Reads what is kept now, whatever is put meanwhile."""


@final
class FileBlocks(BlockStore):
    """Blocks in the memory file. One that is open for reading only takes none."""

    def __init__(self, file: MemoryFile, last_lsn: Callable[[], int], within: Within | None = None) -> None:
        """last_lsn: of the log as it was read, with which blocks must agree where somebody else may write the file.

        within: for a file with a budget.
        """
        self._file, self._within = file, within
        self._last_lsn, self._revisions = last_lsn, file.revisions() if file.read_only else 0

    def read(self, layer: Layer, keys: Sequence[int]) -> list[BlockRow]:
        try:
            found = self._file.read(lambda connection: _rows(connection, layer, keys))
        except MemoryFileError as error:  # a row that is missing may have been erased, which is no fault
            self._require_unchanged(0, error)
            raise
        self._require_unchanged(max((row.lsn for row in found), default=0))
        return found

    def _require_unchanged(self, newest: int, cause: MemoryFileError | None = None) -> None:
        """Refuse what a writer elsewhere has changed since the log was read; newest: tag of what was read."""
        if self._file.read_only and (newest > self._last_lsn() or self._file.revisions() != self._revisions):
            raise MemoryFileError(
                f"{self._file.path} has changed since it was opened for reading, and what it held then does not "
                "fit into ram_bytes; open it again"
            ) from cause

    def put(self, surface: Iterable[BlockRow], free: Iterable[BlockRow]) -> None:
        if self._within is None:
            self._file.write_checkpoint(surface, free)
            return
        self._put_within(self._within, surface, True)
        self._put_within(self._within, free, False)

    def _put_within(self, within: Within, rows: Iterable[BlockRow], of_surface: bool) -> None:
        """A few at a time: a transaction must fit into the wal, and is tried again when room was made for it."""
        left = iter(rows)
        while some := tuple(itertools.islice(left, within.at_once)):
            write = partial(self._file.write_checkpoint, *((some, ()) if of_surface else ((), some)))
            within.carry_out(write, [len(row.data) for row in some])

    def lacks(self, layer: Layer, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.zeros(len(keys), np.bool_)

    @contextmanager
    def snapshot(self) -> Iterator[BlockReader]:
        """As `BlockStore.snapshot`, on a connection of its own."""
        if self._file.read_only:  # nobody in this process writes; who does elsewhere is noticed by the rows' tags
            yield self.read
            return
        path = self._file.path
        with explained(path, "reading"):
            connection = connect(path, "mode=ro")
        try:
            with explained(path, "reading"):
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM checkpoints").fetchone()  # the snapshot is of this instant
            yield lambda layer, keys: _read_explained(connection, path, layer, keys)
        finally:
            connection.close()


def _read_explained(connection: sqlite3.Connection, path, layer: Layer, keys: Sequence[int]) -> list[BlockRow]:
    with explained(path, "reading"):
        return _rows(connection, layer, keys)


def _rows(connection: sqlite3.Connection, layer: Layer, keys: Sequence[int]) -> list[BlockRow]:
    table, wanted = _TABLES[layer], [int(key) for key in keys]
    where = f"WHERE key IN ({', '.join('?' * len(wanted))}) ORDER BY key"
    found = [rec.block_row(values) for values in queries.rows(connection, table, where, wanted)]
    if len(found) != len(wanted):
        gone = sorted(set(wanted) - {row.key for row in found})[0]
        raise MemoryFileError(f"row {gone} of table {table.name} is missing; {sch.REBUILD_ADVICE}")
    return found


def sizes(file: MemoryFile, layer: Layer) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """(N,) keys, tags and, for the surface, rows of all blocks of a layer, 0 for one that cannot be: who reads the row
    itself refuses it."""
    return file.read(lambda connection: _sizes(connection, layer))


def _sizes(
    connection: sqlite3.Connection, layer: Layer
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    found = connection.execute(f"SELECT key, lsn, substr(data, 1, 2) FROM {_TABLES[layer].name}")
    kind = np.dtype([("key", np.int64), ("lsn", np.int64), ("rows", np.int32)])
    table = np.fromiter(((_number(key), _number(lsn), _rows_told(head)) for key, lsn, head in found), kind)
    return table["key"].copy(), table["lsn"].copy(), table["rows"].copy()


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _rows_told(head: object) -> int:
    return int.from_bytes(head, "little") if isinstance(head, bytes) else 0


@final
class Spilled(BlockStore):
    """Blocks in a file of no name, in front of those of a memory file that must not be changed, or of nothing."""

    def __init__(self, behind: FileBlocks | None = None, folder: Path | None = None) -> None:
        """folder: where the file is; None: the folder for temporary files, which may lie in RAM."""
        self._behind, self._folder = behind, folder
        self._guard = threading.Lock()
        self._data: IO[bytes] | None = None
        self._places: dict[Layer, Places] = {"surface": Places.none(), "free": Places.none()}
        self._extents = Extents()
        self._snapshots = 0
        self._replaced: list[NDArray[np.void]] = []
        """what only snapshots still read"""

    def read(self, layer: Layer, keys: Sequence[int]) -> list[BlockRow]:
        return self._read(self._places, layer, keys)

    def _read(self, places: dict[Layer, Places], layer: Layer, keys: Sequence[int]) -> list[BlockRow]:
        wanted = [int(key) for key in keys]
        here = places[layer].has(wanted)
        behind = [key for key, is_here in zip(wanted, here.tolist(), strict=True) if not is_here]
        if behind and self._behind is None:
            raise MemoryFileError(f"{layer} block {behind[0]} was never put aside")
        rows = {row.key: row for row in self._behind.read(layer, behind)} if behind and self._behind else {}
        for place in places[layer].of([key for key in wanted if key not in rows]):
            with self._guard:
                data = self._opened()
                data.seek(int(place["offset"]))
                content = data.read(int(place["size"]))
            rows[int(place["key"])] = BlockRow(int(place["key"]), int(place["lsn"]), int(place["codec"]), content)
        return [rows[key] for key in wanted]

    def put(self, surface: Iterable[BlockRow], free: Iterable[BlockRow]) -> None:
        self._put("surface", surface)
        self._put("free", free)

    def _put(self, layer: Layer, rows: Iterable[BlockRow]) -> None:
        added: list[tuple[int, int, int, int, int, int]] = []
        try:
            for row in rows:
                offset, room = self._extents.take(len(row.data))
                added.append((row.key, offset, room, len(row.data), row.lsn, row.codec))
                self._write(offset, row.data)
        except BaseException as error:
            self._extents.give_back(np.array(added, PLACE))
            if not isinstance(error, OSError):
                raise
            where = "the temporary folder" if self._folder is None else str(self._folder)
            hint = ", or set TMPDIR" if self._folder is None else ""
            raise MemoryFileError(
                f"blocks that do not fit into RAM cannot be put into {where} ({error.strerror}); free space there{hint}"
            ) from error
        if not added:
            return
        new, before = np.array(added, PLACE), self._places[layer]
        keys = new["key"].tolist()
        old = before.of([key for key, known in zip(keys, before.has(keys).tolist(), strict=True) if known])
        with self._guard:
            self._places = {**self._places, layer: before.put(new)}  # a new one: snapshots keep the old
            self._replaced.append(old)
            self._give_back_replaced()

    def _write(self, offset: int, content: bytes) -> None:
        with self._guard:
            data = self._opened()
            data.seek(offset)
            left = memoryview(content)
            while len(left):
                left = left[data.write(left) :]

    def _give_back_replaced(self) -> None:
        if not self._snapshots:
            for places in self._replaced:
                self._extents.give_back(places)
            self._replaced = []

    def lacks(self, layer: Layer, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.zeros(len(keys), np.bool_) if self._behind is not None else ~self._places[layer].has(keys)

    def _opened(self) -> IO[bytes]:
        """The file, made when it is first needed; it goes with this."""
        if self._data is None:
            # without a buffer: what does not fit is told at once, and nothing is left over that reading would write
            self._data = tempfile.TemporaryFile(buffering=0, prefix="spatialmem-", dir=self._folder)  # noqa: SIM115
            weakref.finalize(self, self._data.close)
        return self._data

    @contextmanager
    def snapshot(self) -> Iterator[BlockReader]:
        with self._guard:
            places = self._places
            self._snapshots += 1
        try:
            yield lambda layer, keys: self._read(places, layer, keys)
        finally:
            with self._guard:
                self._snapshots -= 1
