"""Reading an epoch of a map that does not fit into RAM: what is on file alone is read as of the same instant."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spatialmem.blocks_read import free_block_of, surface_block_of
from spatialmem.errors import SpatialMemError
from spatialmem.layers import Layers, block_arrays
from spatialmem.map_epoch import MapEpoch
from spatialmem.residence import Residence
from spatialmem.store.block_store import BlockReader
from spatialmem.voxels.blocks import BlockArrays
from spatialmem.voxels.free_reading import FreeArrays
from spatialmem.voxels.shelved_free import ShelvedFree
from spatialmem.voxels.shelved_surface import ShelvedSurface

_AT_ONCE = 256
_PATIENCE_S, _PAUSE_S = 60.0, 0.005


@contextmanager
def whole_epoch(current: Callable[[], Layers]) -> Iterator[MapEpoch]:
    """The newest epoch, with all its blocks, wherever they are.

    current: the layers of the memory. File and epoch are taken one after the other: when the writer has gone on in
    between they need not be of one instant, and both are taken again.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        layers = current()
        residence = layers.residence
        with layers.epochs.read() as epoch:
            if residence is None or not any(len(shelf) for shelf in epoch.shelves):
                yield epoch
                return
            with residence.store.snapshot() as read:
                if residence.settled and layers.epochs.shows(epoch):  # in this order: `publish` settles last
                    with _with_shelves(epoch, residence, read) as whole:
                        yield whole
                    return
        if not residence.settled:
            time.sleep(_PAUSE_S)
    raise SpatialMemError("the map keeps changing while it is read; ask again when less is observed")


@contextmanager
def _with_shelves(epoch: MapEpoch, residence: Residence, read: BlockReader) -> Iterator[MapEpoch]:
    shelf, free_shelf = epoch.shelves
    surface, free = epoch.surface, epoch.free
    away = None
    if len(shelf):
        fetch = _surface_of(read, surface.pools.feature.shape[1])
        away = ShelvedSurface(surface, shelf, residence.summaries, epoch.number, fetch, residence.surface_table)
        surface = replace(surface, away=away)
    if len(free_shelf):
        free = replace(free, away=ShelvedFree(free, free_shelf, _free_of(read), residence.free_table))
    try:
        yield replace(epoch, surface=surface, free=free)
    finally:
        if away is not None:
            try:
                away.close()
            finally:  # Ctrl-C may strike in there before it has let go
                away.close()


def _surface_of(read: BlockReader, width: int) -> Callable[[NDArray[np.int64]], Iterator[tuple[int, BlockArrays]]]:
    def fetch(keys: NDArray[np.int64]) -> Iterator[tuple[int, BlockArrays]]:
        for start in range(0, len(keys), _AT_ONCE):
            for row in read("surface", keys[start : start + _AT_ONCE].tolist()):
                yield row.key, block_arrays(surface_block_of(row, width))

    return fetch


def _free_of(read: BlockReader) -> Callable[[NDArray[np.int64]], Iterator[tuple[int, FreeArrays]]]:
    def fetch(keys: NDArray[np.int64]) -> Iterator[tuple[int, FreeArrays]]:
        for start in range(0, len(keys), _AT_ONCE):
            for row in read("free", keys[start : start + _AT_ONCE].tolist()):
                block = free_block_of(row)
                yield row.key, FreeArrays(block.log_odds, block.last_free, block.last_occupied)

    return fetch
