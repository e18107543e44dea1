"""The layers that are derived from the log: surface, free space, sightings, departed regions.

A layer is a function of the log rows in order. Live, reopened and rebuilt memories all go through
`prepare` and `apply` here, with what the log holds and nothing else.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem import sightings
from spatialmem.config import MemoryConfig
from spatialmem.departed_log import DepartedLog
from spatialmem.derived_rows import cells_blob, departed_rows
from spatialmem.epochs import Epochs
from spatialmem.errors import OutOfRoom
from spatialmem.map_epoch import MapEpoch
from spatialmem.prepared import Added, LoggedFrame, Prepared
from spatialmem.residence import Residence
from spatialmem.store.block_codec import FreeBlock, SurfaceBlock
from spatialmem.store.block_store import BlockStore
from spatialmem.store.rows import BlockRow, DepartedRow
from spatialmem.types import Frame, Outcome
from spatialmem.voxels.blocks import BlockArrays, block_of, keys_in_order
from spatialmem.voxels.freespace import FreePlan, FreeSpaceGrid
from spatialmem.voxels.look import Verdicts
from spatialmem.voxels.shares import Shares
from spatialmem.voxels.shelf import Shelf
from spatialmem.voxels.sketch import Sketch
from spatialmem.voxels.surface import FusionPlan, SurfaceGrid
from spatialmem.voxels.views import DepthView

_NO_OUTCOME = Outcome(0.0, 0.0, 0.0, 0.0, float("nan"), 0)
_NOTHING_ADDED = (np.zeros(0, np.int32), np.zeros(0, np.int32))


@final
class Layers:
    """Surface and free-space grids, sightings and departed regions of one memory.

    One thread changes them; any number read `epochs`.
    """

    def __init__(self, config: MemoryConfig, feature_width: int, store: BlockStore | None = None) -> None:
        """store: where blocks go that do not fit into RAM; None: nowhere."""
        self.config = config
        shares = Shares.without_file(config) if store is None else Shares.with_file(config)
        self.surface = SurfaceGrid(config, feature_width, shares)
        self.free = FreeSpaceGrid(config, shares)
        self.residence: Residence | None = None
        if store is not None:
            self.residence = Residence(self, store, self.surface.new_summaries(shares))
        self.cells: sightings.Sightings = {}
        self._departed = DepartedLog(feature_width)
        self.last_lsn = 0
        self.sound = True
        """False when a change was interrupted"""
        self._poses = np.zeros((64, 6))
        self._stamps = np.zeros(64, np.int64)
        self._aside = False  # True: what is changed now is not seen before `publish`
        self.epochs = Epochs(self._epoch(0))

    def reset(self) -> None:
        """Forget everything, once nobody reads; what was reserved stays reserved."""
        try:
            self.epochs.take(wait=True)
            self.surface.reset()
            self.free.reset()
            self.cells, self.departed, self.last_lsn = {}, [], 0
            self.publish()
            self.sound = True  # nothing is left of a change that was interrupted
        except BaseException:
            self.sound = False
            raise
        finally:
            self.epochs.give_back()

    @property
    def departed(self) -> DepartedLog:
        """Departed regions, oldest first."""
        return self._departed

    @departed.setter
    def departed(self, rows: Iterable[DepartedRow]) -> None:
        self._departed = DepartedLog(self.surface.feature_width, rows)

    # --- readers

    def _epoch(self, number: int) -> MapEpoch:
        return MapEpoch(
            number, self.surface.reading(), self.free.reading(), self.last_lsn, self.stamps_ns, self.departed,
            len(self.departed), self.cells,
            (Shelf.empty(), Shelf.empty()) if self.residence is None else self.residence.shelves,
        )  # fmt: skip

    def publish(self) -> None:
        """Let readers see the layers as they are."""
        self.epochs.publish(self._epoch(self.epochs.number + 1))
        self.surface.publish(self.epochs.number)
        self.free.publish(self.epochs.number)
        self._aside = False
        if self.residence is not None:
            self.residence.settled = True

    def step_aside(self) -> None:
        """From now on readers do not see what is changed, until `publish` or `abandon`."""
        if not self._aside:
            self.surface.step_aside(self.epochs.number)
            self.free.step_aside(self.epochs.number)
            self._aside = True

    def abandon(self) -> None:
        """Go back to the layers that readers see; what was done in place, which they see, stays."""
        with self.epochs.read() as epoch:
            if self._aside:
                self.surface.abandon(epoch.surface)
                self.free.abandon(epoch.free)
                if self.residence is not None:
                    self.residence.go_back(epoch.shelves)
            self._aside = False
            if self.residence is not None:
                self.residence.settled = True

    def reclaim(self) -> None:
        """Give back versions that no reader needs any more. Never between adding blocks and taking them back."""
        in_use = self.epochs.in_use()
        self.surface.reclaim(in_use)
        self.free.reclaim(in_use)

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Add blocks in place while nobody reads, else to a table of the next epoch's own."""
        try:
            if self._aside or not self.epochs.take():
                self.step_aside()
            yield
        finally:
            self.epochs.give_back()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """`adding`, for blocks that come into RAM or leave it, and `publish`; what is cut off halfway is not sound."""
        with self.adding():
            try:
                yield
                self.publish()
            except BaseException:
                self.sound = False  # before any reader that waited is let in
                raise

    def _made_way(self, prepared: Prepared) -> Prepared:
        """The frame, ready to be applied: in place, when the epoch can be taken, or into copies."""
        fusion, free, verdicts = prepared.fusion, prepared.free, prepared.verdicts
        if fusion is None or free is None or verdicts is None or (not self._aside and self.epochs.take()):
            return prepared
        self.step_aside()
        renewed = self.surface.renew(fusion, verdicts)
        if renewed is not None:
            prepared = replace(prepared, verdicts=renewed)
        if renewed is None or not self.free.renew(free):
            self.epochs.take(wait=True)  # the pools are too full for copies: readers finish first
        return prepared

    @property
    def stamps_ns(self) -> NDArray[np.int64]:
        """(last_lsn + 1,) stamp of each stored frame; entry 0 is none."""
        return self._stamps[: self.last_lsn + 1]

    @property
    def poses(self) -> NDArray[np.float64]:
        """(last_lsn + 1, 6) camera centre and optical axis in the map frame."""
        return self._poses[: self.last_lsn + 1]

    def note(self, lsn: int, stamp_ns: int, map_from_camera: NDArray[np.float64]) -> None:
        """Remember when and from where frame `lsn` was taken. Harmless when the frame is then refused."""
        if lsn >= len(self._stamps):
            rows = max(2 * len(self._stamps), lsn + 1)  # frames that were erased may lie between
            self._stamps, self._poses = _longer(self._stamps, rows), _longer(self._poses, rows)
        self._stamps[lsn] = stamp_ns
        self._poses[lsn] = np.concatenate([map_from_camera[:3, 3], map_from_camera[:3, 2]])

    def note_all(
        self, lsns: NDArray[np.int64], stamps_ns: NDArray[np.int64], map_from_camera: NDArray[np.float64]
    ) -> None:
        """`note` of frames (N,) with these poses (N, 4, 4)."""
        if not len(lsns):
            return
        self.note(int(lsns[-1]), int(stamps_ns[-1]), map_from_camera[-1])  # the last one makes room for all
        self._stamps[lsns] = stamps_ns
        self._poses[lsns] = np.concatenate([map_from_camera[:, :3, 3], map_from_camera[:, :3, 2]], axis=1)

    def centre_of(self, lsn: int) -> NDArray[np.float64]:
        """(3,) camera centre of a stored frame in the map frame."""
        return self._poses[lsn, :3]

    def take(self, cells: Mapping[int, bytes], departed: Iterable[DepartedRow], of: Container[int]) -> None:
        """Sightings, and departed regions in place of those of the frames `of`. Epochs that are read keep theirs."""
        self.cells = sightings.changed(self.cells, cells)
        kept = [row for row in self.departed if row.valid_from not in of]
        self.departed = sorted([*kept, *departed], key=lambda row: row.valid_from)

    def keep_sightings(self, lsns: Iterable[int]) -> None:
        """Before the file replaces or erases those of these frames: epochs that are read keep them."""
        if isinstance(self.cells, sightings.FileSightings):
            self.cells.keep(lsns)

    def erase(self, lsns: Iterable[int], last_lsn: int) -> None:
        """Nothing is known any more of when and from where these frames were taken; epochs that are read keep it."""
        gone = list(lsns)
        self._stamps, self._poses = self._stamps.copy(), self._poses.copy()
        self._stamps[gone], self._poses[gone] = 0, 0.0
        self.cells = sightings.changed(self.cells, {}, gone)
        self.last_lsn = last_lsn

    def look(self, frame: Frame, map_from_camera: NDArray[np.float64]) -> tuple[Outcome, NDArray[np.int64]]:
        """What the map says of a frame before it is fused, and the keys of the blocks it examines for that."""
        if frame.depth_m is None:
            return _NO_OUTCOME, np.zeros(0, np.int64)
        view = DepthView.of(frame.depth_m, frame.valid, frame.camera, map_from_camera, self.config)
        look = self.surface.look(view) if self.residence is None else self.residence.look(view)
        return look.outcome, look.examined

    def prepare(self, frame: LoggedFrame) -> Prepared:
        """Work out what a frame changes. Raises `OutOfRoom` before anything has changed.

        Only one thread at a time may prepare and apply; readers may read meanwhile.
        """
        self.note(frame.lsn, frame.stamp_ns, frame.map_from_camera)
        if frame.depth_m is None:
            return Prepared(frame, None, None, None, None, (), _NOTHING_ADDED)
        view = DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.map_from_camera, self.config)
        touched, sketch = self.surface.keys_touched(view), self.free.sketch(view)
        if self.residence is not None:
            self.residence.ready(np.concatenate([touched, frame.examined]), sketch.found)
        poses = self._poses[: frame.lsn + 1]
        verdicts = self.surface.judge(view, frame.examined, frame.residual_m, frame.lsn, poses)
        departed = self.departed_of(verdicts)
        self.reclaim()
        while True:
            try:
                free, fusion, added = self._planned(view, frame.lsn, touched, sketch)
                break
            except OutOfRoom:
                if not self._more_room(np.union1d(touched, frame.examined), sketch.cell_keys):
                    raise
        if self._aside and not (self.surface.can_renew(fusion, verdicts) and self.free.can_renew(free)):
            self._require_others(added)
        return Prepared(frame, verdicts, fusion, free, cells_blob(sketch), departed, added)

    def _require_others(self, added: Added) -> None:
        """`apply` will wait for readers, when the frame is in the log: for this thread itself it cannot."""
        try:
            self.epochs.require_others()
        except OutOfRoom:
            self._take_back(added)
            raise

    def _more_room(self, surface: NDArray[np.int64], free: NDArray[np.int64]) -> bool:
        """Make more room beside the blocks with these keys; False when there is none to make."""
        if self.residence is not None and self.residence.give_up_more(surface, free):
            return True
        if self._in_use() == (len(self.surface), len(self.free)):
            return False
        self.let_readers_finish()  # what is full of versions for them may have room for the frame
        return True

    def _planned(
        self, view: DepthView, lsn: int, touched: NDArray[np.int64], sketch: Sketch
    ) -> tuple[FreePlan, FusionPlan, Added]:
        surface, free = self._in_use()
        try:
            with self.adding():  # empty blocks, where there are none yet
                free_plan = self.free.enter(sketch)
            with self.adding():
                count = self.surface.enter(touched)
            plan = self.surface.plan(view, lsn, count)
        except OutOfRoom:
            self._take_back((self.surface.taken_since(surface), self.free.taken_since(free)))
            raise
        return free_plan, plan, (self.surface.taken_since(surface), self.free.taken_since(free))

    def let_readers_finish(self) -> None:
        """Wait for who reads, and give back what was kept for them."""
        try:
            self.epochs.take(wait=True)
            self.reclaim()
        finally:
            self.epochs.give_back()

    def give_up(self, prepared: Prepared) -> None:
        """Undo `prepare`: the frame was refused."""
        self._take_back(prepared.added)

    def _in_use(self) -> tuple[int, int]:
        return self.surface.blocks_in_use, self.free.blocks_in_use

    def _take_back(self, added: Added) -> None:
        """Blocks that readers may have found by now stay until the last of them has left."""
        self.step_aside()
        self.surface.withdraw(added[0], self.epochs.number + 1)
        self.free.withdraw(added[1], self.epochs.number + 1)
        self.publish()
        self.reclaim()

    def apply(self, prepared: Prepared, replay: bool = False) -> None:
        """Change the layers. With `replay`, sightings and departed regions are those of the file already."""
        try:
            self._change(self._made_way(prepared), replay)
            self.publish()
        except BaseException:
            self.sound = False  # before any reader that waited is let in
            raise
        finally:
            self.epochs.give_back()

    def _change(self, prepared: Prepared, replay: bool) -> None:
        frame = prepared.frame
        self.last_lsn = frame.lsn
        if prepared.fusion is None or prepared.free is None or prepared.verdicts is None:
            return
        self.surface.carry_out(prepared.verdicts)
        self.surface.apply(prepared.fusion, frame.rgb, frame.features)
        self.free.apply(prepared.free, frame.lsn)
        if not replay:
            self.departed.extend(prepared.departed)
            if prepared.cells is not None:
                sightings.note(self.cells, frame.lsn, prepared.cells)

    # --- the file

    def departed_of(self, verdicts: Verdicts) -> tuple[DepartedRow, ...]:
        """Rows for the connected regions that the verdicts clear."""
        if not verdicts.clears:
            return ()
        return departed_rows(self.surface.cleared(verdicts), verdicts.lsn, self.config.voxel_size_m)

    @property
    def every_block(self) -> int:
        """Blocks of both layers, those included that are on file alone."""
        away = 0 if self.residence is None else sum(map(len, self.residence.shelves))
        return len(self.surface) + len(self.free) + away

    def changed_keys(self, after_lsn: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ascending keys of the blocks in RAM, surface and free space, changed by frames after `after_lsn`.

        What is on file alone is there as it is.
        """
        return keys_in_order(self.surface.pools, after_lsn), keys_in_order(self.free.pools, after_lsn)

    def put_in(self, row: BlockRow, block: SurfaceBlock | FreeBlock) -> None:
        """Put a block of the file in; one that is in RAM already stays as it is."""
        if isinstance(block, FreeBlock):
            if block_of(self.free.pools, row.key) < 0:
                self.free.load(
                    row.key, row.lsn, block.log_odds, block.last_free, block.last_occupied, self.last_lsn
                )  # fmt: skip
        elif block_of(self.surface.pools, row.key) < 0:
            self.surface.load(row.key, block_arrays(block), row.lsn, self.last_lsn)


def block_arrays(block: SurfaceBlock) -> BlockArrays:
    """A block of the file as the grid takes it."""
    return BlockArrays(
        block.dist, block.weight, block.has_row, block.features, block.colour,
        block.colour_weight, block.feature_weight, block.first, block.last, block.doubt,
    )  # fmt: skip


def _longer(values: NDArray, rows: int) -> NDArray:
    """The same with this many rows; those added take no RAM before they are written."""
    grown = np.zeros((rows, *values.shape[1:]), values.dtype)
    grown[: len(values)] = values
    return grown
