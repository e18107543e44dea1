"""Making every layer anew from the log (docs/format.md, section 8).

Where images of frames were given up, what those frames left cannot be replayed. The blocks they touched are then taken
from the file as they are there, and the frames that are left are replayed on top of them: a block that came from the
file is changed only by the frames it does not contain yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np

from spatialmem.checkpoint import WholeRound
from spatialmem.correction import cell_keys
from spatialmem.errors import MemoryFileError
from spatialmem.gone import evicted
from spatialmem.layers import Layers
from spatialmem.loading import take_in, unsettled
from spatialmem.sightings import FileSightings
from spatialmem.store import queries
from spatialmem.store import records as rec
from spatialmem.store import schema as sch
from spatialmem.store.astray import astray
from spatialmem.store.block_store import Spilled
from spatialmem.store.failures import needed
from spatialmem.store.file import MemoryFile
from spatialmem.store.rows import BlockRow, DepartedRow, KeyframeRow
from spatialmem.voxels.change import blocks_of

if TYPE_CHECKING:
    from spatialmem.keeper import Keeper


def rebuilt(keeper: Keeper, old: Layers | None = None) -> Layers:
    """The layers of the log, put into the file in place of what it had, which is read for evicted frames only.

    Until they are there, `old` are still read from the file, so what finds no room in RAM goes to a temporary one.
    """
    file = keeper.on_file()
    layers = Layers(keeper.config, keeper.feature_width, Spilled(folder=file.path.parent))
    assert layers.residence is not None
    rows = list(keeper.rows.values())
    gone = evicted(keeper)
    left = Left(file, [row for row in rows if row.lsn in gone])
    left.put_into(layers)
    for row in rows:
        if row.lsn in gone:
            layers.note(row.lsn, row.stamp_ns, keeper.places.map_from_camera(row))
            layers.last_lsn = row.lsn
            continue
        with needed(file.path, row.lsn):
            logged = keeper.logged(row)
        layers.apply(layers.prepare(logged))
        left.note(row.lsn, logged.examined)
    left.require_remade(layers)
    if left.settled:
        layers.take({}, left.departed(), left.settled)
    layers.publish()
    with unsettled(old):
        WholeRound(layers).put_into(file, layers.residence)
        keeper.keep_on_file(layers)
    if old is not None and isinstance(old.cells, FileSightings) and isinstance(layers.cells, FileSightings):
        layers.cells.come_after(old.cells)
    return layers


@final
class Left:
    """What evicted frames left in the layers on file."""

    def __init__(self, file: MemoryFile, evicted: list[KeyframeRow]) -> None:
        self._file, self._evicted = file, evicted
        self.tags: dict[int, int] = {}
        """last frame that each surface block from the file contains"""
        self.settled = {row.lsn for row in evicted}
        """frames whose departed regions are those of the file"""
        self._unsure: dict[str, list[int]] = {}
        """keys of damaged rows that evicted frames left nothing in, if the keys are right"""

    def put_into(self, layers: Layers) -> None:
        """Blocks and sightings; `MemoryFileError` when the file has them no longer, or damaged."""
        if not self._evicted:
            return
        with self.irreplaceable():
            cells = self.cells()
            take_in(layers, self.surface(), self.free(cells))
        layers.cells = cells

    def cells(self) -> dict[int, bytes]:
        """Sightings of the evicted frames that have any, by lsn."""
        read = {row.lsn: self._cells(row) for row in self._evicted}
        return {lsn: blob for lsn, blob in read.items() if blob is not None}

    def surface(self) -> Iterator[BlockRow]:
        """Surface blocks that the evicted frames touched or examined; one that is damaged says so when it is read."""
        keys = {int(key) for row in self._evicted for key in self._file.left_by(row.lsn)}
        for row in self._blocks(sch.SURFACE_BLOCKS, keys):
            self.tags[row.key] = row.lsn
            yield row

    def free(self, cells: Mapping[int, bytes]) -> Iterator[BlockRow]:
        """Free-space blocks that frames with these sightings saw."""
        return self._blocks(sch.FREE_BLOCKS, {int(key) for blob in cells.values() for key in cell_keys(blob)})

    def require_remade(self, layers: Layers) -> None:
        """`MemoryFileError` where a damaged row is not of a block that was made anew: then it may be of any."""
        assert layers.residence is not None
        grids, shelves = (layers.surface, layers.free), layers.residence.shelves
        with self.irreplaceable():
            for table, grid, shelf in zip((sch.SURFACE_BLOCKS, sch.FREE_BLOCKS), grids, shelves, strict=True):
                keys = np.array(self._unsure.get(table.name, []), np.int64)
                missing = keys[(blocks_of(grid.pools, keys) < 0) & ~np.isin(keys, shelf.away_keys)]
                if len(missing):
                    raise MemoryFileError(f"row {missing[0]} of table {table.name} is of no block that can be found")

    def note(self, lsn: int, examined: Iterable[int]) -> None:
        """A frame that is left has been replayed; where blocks contained it already, it found nothing to clear."""
        if self.tags and any(self.tags.get(int(key), 0) >= lsn for key in examined):
            self.settled.add(lsn)

    def departed(self) -> list[DepartedRow]:
        """Departed regions that cannot be found again: those of `settled`."""
        with self.irreplaceable():
            return [row for row in self._file.departed() if row.valid_from in self.settled]

    def _cells(self, row: KeyframeRow) -> bytes | None:
        blob = self._file.cells(row.lsn)
        if blob is None and row.agrees is not None:  # rays were cast, so it has depth
            raise MemoryFileError(f"the sightings of frame {row.lsn} are missing")
        return blob

    def _blocks(self, table: sch.Table, keys: Iterable[int]) -> Iterator[BlockRow]:
        """Those of the blocks that have a row: the others were never observed."""
        there, written = self._file.read(
            lambda connection: (
                connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0],
                queries.recorded_count(connection, table),
            )
        )
        if there != written:
            raise MemoryFileError(f"{table.name} has {there} rows, but {written} were written")
        wanted = set(keys)
        absent = set(wanted)
        for key in sorted(wanted):
            for values in self._file.read(partial(queries.rows, table=table, where="WHERE key = ?", params=(key,))):
                absent.discard(key)
                yield rec.block_row(values)
        if absent:
            found, unsure = self._file.read(partial(astray, table=table, wanted=wanted, absent=absent))
            self._unsure[table.name] = unsure
            yield from (rec.block_row(values) for values in found)

    @contextmanager
    def irreplaceable(self) -> Iterator[None]:
        """What is found to be damaged in the block cannot be made anew, which the error then says."""
        try:
            yield
        except MemoryFileError as error:
            raise MemoryFileError(
                f"{self._file.path}: the layers cannot be made anew: images of {len(self._evicted)} frames were given "
                f"up to keep within the file budget, and what these left in the map is damaged ({error}); the file was "
                "left as it was: restore it from a copy, or build a memory from the recording"
            ) from error
