"""Checkpoint rounds: voxel blocks go to the file a share at a time, so that no frame pays for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.block_rows import free_rows, note_written, surface_rows, tags
from spatialmem.errors import OutOfRoom
from spatialmem.layers import Layers
from spatialmem.residence import Residence
from spatialmem.sightings import FileSightings
from spatialmem.store.file import MemoryFile
from spatialmem.store.rows import BlockRow, CheckpointRow
from spatialmem.voxels.change import distinct_blocks

_LEAST_SHARE = 16  # blocks a frame, so that a short list does not trickle
_BATCH = 512  # blocks a transaction when a round is finished at once


@dataclass(frozen=True)
class Share:
    """The blocks that one transaction writes."""

    surface: tuple[BlockRow, ...] = ()
    free: tuple[BlockRow, ...] = ()
    completed: CheckpointRow | None = None
    """given with the last share of a round"""
    listed: tuple[int, int] = (0, 0)
    """how many of the listed blocks this deals with: those on file alone are written already"""


@final
class CheckpointRound:
    """Lists the blocks changed since the base and hands them out in key order (docs/format.md, section 8)."""

    def __init__(self, every: int, base_lsn: int = 0, most: int | None = None) -> None:
        """most: how many blocks one transaction may write; None: no bound."""
        self.base_lsn = base_lsn
        self._most = most
        self._every = every
        self._start: int | None = None
        self._surface: NDArray[np.int64] = np.zeros(0, np.int64)
        self._free: NDArray[np.int64] = np.zeros(0, np.int64)
        self._share, self._blocks, self._bytes = 0, 0, 0

    def most_next(self, layers: Layers) -> int:
        """How many blocks the next share has at most."""
        due = self._start is not None or layers.last_lsn - self.base_lsn >= self._every
        return (self._most or _BATCH) if due else 0

    def next_share(self, layers: Layers) -> Share:
        """What the next frame's transaction writes; the layers do not contain that frame yet."""
        if self._start is None:
            if layers.last_lsn - self.base_lsn < self._every:
                return Share()
            self._begin(layers)
        return self._take(layers, self._share)

    def written(self, share: Share, layers: Layers) -> None:
        """The share is on disk."""
        note_written(layers.surface.pools, share.surface)
        note_written(layers.free.pools, share.free)
        self._blocks += len(share.surface) + len(share.free)
        self._bytes += sum(len(row.data) for row in (*share.surface, *share.free))
        self._surface, self._free = self._surface[share.listed[0] :], self._free[share.listed[1] :]
        if share.completed is not None:
            self.base_lsn, self._start = share.completed.lsn, None

    def leave_out(self, surface: NDArray[np.int64], free: NDArray[np.int64]) -> None:
        """Do not write the blocks with these keys any more, of which nothing is left to say."""
        self._surface = np.setdiff1d(self._surface, surface)
        self._free = np.setdiff1d(self._free, free)

    def finish(self, layers: Layers, file: MemoryFile) -> None:
        """Write everything changed since the base, in batches, and complete the round."""
        self._begin(layers)
        while self._start is not None:
            share = self._take(layers, self._most or _BATCH)
            file.write_checkpoint(share.surface, share.free, share.completed)
            self.written(share, layers)

    def _begin(self, layers: Layers) -> None:
        self._start = layers.last_lsn
        self._surface, self._free = layers.changed_keys(self.base_lsn)
        share = max(_LEAST_SHARE, -(-(len(self._surface) + len(self._free)) // max(1, self._every // 2)))
        self._share = share if self._most is None else min(share, self._most)
        self._blocks, self._bytes = 0, 0

    def _take(self, layers: Layers, count: int) -> Share:
        lsn = layers.last_lsn
        keys = self._surface[:count]
        free_keys = self._free[: count - len(keys)]
        pools, free_pools = layers.surface.pools, layers.free.pools
        blocks, free_blocks = distinct_blocks(pools, keys), distinct_blocks(free_pools, free_keys)
        surface = tuple(surface_rows(pools, blocks, tags(pools, blocks, lsn)))
        free = tuple(free_rows(free_pools, free_blocks, tags(free_pools, free_blocks, lsn)))
        listed = len(keys), len(free_keys)
        if listed != (len(self._surface), len(self._free)) or self._start is None:
            return Share(surface, free, None, listed)
        blocks = self._blocks + len(surface) + len(free)
        size = self._bytes + sum(len(row.data) for row in (*surface, *free))
        return Share(surface, free, CheckpointRow(self._start, blocks, size), listed)


@final
class WholeRound:
    """All blocks of layers as one round, packed as they are taken, so that they never stand in RAM packed."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._blocks, self._bytes = 0, 0

    def put_into(self, file: MemoryFile, residence: Residence) -> None:
        """Put the layers in place of everything derived in the file; departed regions get the ids they have there."""
        layers = self._layers
        try:
            self._replace(file, residence, False)
        except OutOfRoom:  # nothing was written: more blocks than the file had so far make it grow
            self._replace(file, residence, True)
        layers.departed, layers.cells = file.departed(), FileSightings(file, layers.cells)
        layers.publish()

    def _replace(self, file: MemoryFile, residence: Residence, grows: bool) -> None:
        layers, self._blocks, self._bytes = self._layers, 0, 0
        surface, free = self._counted(residence.every_row("surface")), self._counted(residence.every_row("free"))
        file.replace_layers(surface, free, layers.cells.items(), layers.departed, self._completed, grows)

    def _completed(self) -> CheckpointRow:
        return CheckpointRow(self._layers.last_lsn, self._blocks, self._bytes)

    def _counted(self, rows: Iterable[BlockRow]) -> Iterator[BlockRow]:
        for row in rows:
            self._blocks, self._bytes = self._blocks + 1, self._bytes + len(row.data)
            yield row
