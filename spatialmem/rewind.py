"""Going back: the layers as they were after an earlier frame, from those of now and the log (docs/time.md).

A block is a function of the log rows that touch it, in log order, and of nothing else. So a block that no frame
touched or examined since is as it was, and is copied; the others are made anew from the frames that touched them up
to then, or go on from what the file has of them, where that is of then or earlier. Where it would be more work, every
frame up to then is replayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.correction import Cubes, cell_keys, replay_into
from spatialmem.errors import OutOfRoom
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers, LoggedFrame
from spatialmem.loading import take_in
from spatialmem.map_epoch import MapEpoch
from spatialmem.revisions import reach_m
from spatialmem.store.block_codec import CODEC_EXACT, FreeBlock, SurfaceBlock, pack_free_block, pack_surface_block
from spatialmem.store.block_store import Spilled
from spatialmem.store.file import MemoryFile
from spatialmem.store.rows import BlockRow, DepartedRow, KeyframeRow
from spatialmem.store.schema import FREE_BLOCKS, SURFACE_BLOCKS, Table
from spatialmem.store.starts import blocks_until, keys_after
from spatialmem.voxels.views import DepthView

_NONE = np.zeros(0, np.int64)


def log_until(keeper: Keeper, lsn: int) -> Keeper:
    """The log up to a frame as it is now; what is stored, revised or erased later does not change it."""
    log = Keeper(keeper.file, keeper.config, None, keeper.feature_width)
    log.rows = keeper.rows.until(lsn)
    log.last_lsn = max(log.rows, default=0)
    log.places = keeper.places.copy()
    return log


@final
class _Anew:
    """Keys of the blocks of a layer that are made anew, and the last frame that each of them contains already."""

    def __init__(self, table: Table, keys: NDArray[np.int64]) -> None:
        self.keys = np.unique(keys)
        self._table = table
        self._contains = np.zeros(len(self.keys), np.int64)

    def on_file(self, file: MemoryFile, lsn: int) -> Iterator[BlockRow]:
        """The blocks that the file has as they were after frame `lsn` or earlier, to go on from."""
        base = min(file.base_lsn, lsn)
        for row in blocks_until(file, self._table, self.keys, lsn):
            self._contains[np.searchsorted(self.keys, row.key)] = max(row.lsn, base)
            yield row
        left = self._contains == 0
        left[np.searchsorted(self.keys, keys_after(file, self._table, self.keys, lsn))] = False
        self._contains[left] = base  # no frame up to the base touched a block that is not on file

    def without(self, lsn: int) -> NDArray[np.int64]:
        """Those of the keys whose blocks lack frame `lsn`."""
        return self.keys[self._contains < lsn]


@final
class Rewind:
    """The layers after frame `lsn`, from those after a later frame.

    `copy` takes what has not changed since, and needs the later layers; `make_anew` needs the file alone.
    """

    def __init__(self, log: Keeper, lsn: int) -> None:
        """log: up to the later frame."""
        self._log, self._lsn = log, lsn
        self._layers = nothing_yet(log)
        self._layers.last_lsn = lsn
        self._surface, self._free = _Anew(SURFACE_BLOCKS, _NONE), _Anew(FREE_BLOCKS, _NONE)
        for row in log.rows.values():
            self._layers.note(row.lsn, row.stamp_ns, log.places.map_from_camera(row))

    def copy(self, later: MapEpoch) -> None:
        """Copy the blocks that no frame between the two touched or examined; later: with those on file alone."""
        surface, free, cells = [_NONE], [_NONE], later.cells
        for row in list(self._log.rows.values()):
            frame = self._log.logged(row) if self._lsn < row.lsn <= later.last_lsn else None
            if frame is None or frame.depth_m is None:
                continue
            view = DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.map_from_camera, self._log.config)
            surface += [self._layers.surface.keys_touched(view), frame.examined]
            seen = cells.get(row.lsn)
            free.append(self._layers.free.sketch(view).cell_keys if seen is None else cell_keys(seen))
        self._surface = _Anew(SURFACE_BLOCKS, np.concatenate(surface))
        self._free = _Anew(FREE_BLOCKS, np.concatenate(free))
        self._layers.surface.adopt(later.surface, self._surface.keys, self._lsn)
        self._layers.free.adopt(later.free, self._free.keys, self._lsn)
        take_in(self._layers, *self._away(later))
        describe(self._layers, cells, later.departed, self._lsn)

    def _away(self, later: MapEpoch) -> tuple[Iterator[BlockRow], Iterator[BlockRow]]:
        """Those of them that are on file alone."""
        lsn, surface, free = self._lsn, later.surface.away, later.free.away
        here, here_free = set(self._surface.keys.tolist()), set(self._free.keys.tolist())
        return (
            (
                BlockRow(key, lsn, CODEC_EXACT, pack_surface_block(SurfaceBlock(*block)))
                for key, block in (() if surface is None else surface.fetched()) if key not in here
            ),
            (
                BlockRow(key, lsn, CODEC_EXACT, pack_free_block(FreeBlock(*block)))
                for key, block in (() if free is None else free.fetched()) if key not in here_free
            ),
        )  # fmt: skip

    def make_anew(self) -> Layers:
        """Make the other blocks of those in the file that are early enough, and of frames; the layers, finished."""
        file, surface, free = self._log.on_file(), self._surface, self._free
        tag = min((n for n in self._log.rows if n > self._lsn), default=self._lsn + 1) - 1  # those between were erased
        take_in(self._layers, surface.on_file(file, tag), free.on_file(file, tag))
        for row in list(self._log.rows.values()):
            if row.lsn <= self._lsn:
                self._replay(row, surface.without(row.lsn), free.without(row.lsn))
        self._layers.last_lsn = self._lsn
        self._layers.publish()
        return self._layers

    def _replay(self, row: KeyframeRow, surface: NDArray[np.int64], free: NDArray[np.int64]) -> None:
        """Put a frame into the blocks with these keys, as far as it touched any of them."""
        seen = self._layers.cells.get(row.lsn)
        if seen is not None and not np.isin(cell_keys(seen), free).any():
            cubes = Cubes.of(surface, self._log.config.voxel_size_m)
            if not cubes.within(reach_m(row, self._log.config), self._layers.centre_of(row.lsn)):
                return
        frame = self._log.logged(row) if len(surface) or len(free) else None
        if frame is not None and frame.depth_m is not None:
            self._put(frame, frame.examined[np.isin(frame.examined, surface)], surface, free)

    def _put(
        self, frame: LoggedFrame, judged: NDArray[np.int64], surface: NDArray[np.int64], free: NDArray[np.int64]
    ) -> None:
        """`replay_into`, with the blocks that it needs in RAM."""
        layers, residence = self._layers, self._layers.residence
        assert residence is not None
        layers.last_lsn = frame.lsn  # by which blocks that leave RAM now are tagged: they are without what comes later
        if any(map(len, residence.shelves)):
            residence.ready(*self._needed(frame, judged, surface, free))
        while True:
            try:
                replay_into(layers, frame, judged, surface, free)
                return
            except OutOfRoom:  # rows take more pages than the blocks had
                if not residence.give_up_more(*self._needed(frame, judged, surface, free)):
                    raise

    def _needed(
        self, frame: LoggedFrame, judged: NDArray[np.int64], surface: NDArray[np.int64], free: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Keys of the blocks that `replay_into` looks at or changes."""
        assert frame.depth_m is not None
        view = DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.map_from_camera, self._log.config)
        touched, cells = self._layers.surface.keys_touched(view), self._layers.free.sketch(view).cell_keys
        return np.union1d(touched[np.isin(touched, surface)], judged), cells[np.isin(cells, free)]


def nothing_yet(log: Keeper) -> Layers:
    """Layers before the first frame; what finds no room in RAM goes to a file of no name: beside that of the memory,
    or to the temporary folder where nothing must be written there."""
    return Layers(log.config, log.feature_width, Spilled(folder=None if log.read_only else log.on_file().path.parent))


def go_on(layers: Layers, log: Keeper, cells: Mapping[int, bytes], departed: Iterable[DepartedRow], lsn: int) -> Layers:
    """Replay the frames after `layers.last_lsn` up to `lsn`; cells, departed: those of that frame or a later one."""
    for row in list(log.rows.values()):
        if layers.last_lsn < row.lsn <= lsn:
            layers.apply(layers.prepare(log.logged(row)), replay=True)
    describe(layers, cells, departed, lsn)
    layers.publish()
    return layers


def describe(layers: Layers, cells: Mapping[int, bytes], departed: Iterable[DepartedRow], lsn: int) -> None:
    """Sightings and departed regions as they were after frame `lsn`."""
    layers.last_lsn = lsn
    layers.cells = {n: blob for n, blob in cells.items() if n <= lsn}
    layers.departed = departed_after(departed, lsn)


def departed_after(rows: Iterable[DepartedRow], lsn: int) -> list[DepartedRow]:
    """The rows as they were after frame `lsn`: those that begin later are not there, none that ends later has ended."""
    known = (row for row in rows if row.valid_from <= lsn)
    return [replace(row, valid_to=None) if row.valid_to is not None and row.valid_to > lsn else row for row in known]
