"""The layers that are derived from the log: surface, free space, sightings, departed regions.

A layer is a function of the log rows in order. Live, reopened and rebuilt memories all go through
`prepare` and `apply` here, with what the log holds and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.config import MemoryConfig
from spatialmem.errors import OutOfRoom
from spatialmem.locks import EpochLock
from spatialmem.store import codec
from spatialmem.store.block_codec import (
    CODEC_EXACT,
    FreeBlock,
    SurfaceBlock,
    pack_free_block,
    pack_surface_block,
    unpack_free_block,
    unpack_surface_block,
)
from spatialmem.store.records import departed_values
from spatialmem.store.rows import BlockRow, DepartedRow, block_coordinates
from spatialmem.store.schema import row_parts
from spatialmem.types import Camera
from spatialmem.voxels.blocks import BlockArrays, blocks_by_key, read_block, write_block
from spatialmem.voxels.freespace import FreePlan, FreeSpaceGrid
from spatialmem.voxels.look import Cleared, Verdicts
from spatialmem.voxels.regions import connected_regions
from spatialmem.voxels.surface import FusionPlan, SurfaceGrid
from spatialmem.voxels.views import DepthView

_LEAST_DEPARTED_VOXELS = 24  # fewer cleared voxels are noise at an edge, not a thing that left


@dataclass(frozen=True, eq=False)
class LoggedFrame:
    """A log row, decoded: all that a layer may know of a frame."""

    lsn: int
    stamp_ns: int
    camera: Camera
    map_from_camera: NDArray[np.float64]
    rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32] | None
    valid: NDArray[np.bool_] | None
    features: NDArray[np.float32] | None
    """(h, w, D) as de-quantised"""
    examined: NDArray[np.int64]
    """block keys the gate examined for having been seen through"""
    residual_m: float
    """median difference of the readings and the map before fusion, 0 when there was none to take"""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything a frame will change, worked out before anything is changed."""

    frame: LoggedFrame
    verdicts: Verdicts | None
    fusion: FusionPlan | None
    free: FreePlan | None
    cells: bytes | None
    """the sightings blob"""
    departed: tuple[DepartedRow, ...]


@final
class Layers:
    """Surface and free-space grids, sightings and departed regions of one memory."""

    def __init__(self, config: MemoryConfig, feature_width: int, epoch: EpochLock) -> None:
        """`epoch` is held for writing whenever what readers see is changed, and never for more than one kernel."""
        self.config = config
        self._epoch = epoch
        self.surface = SurfaceGrid(config, feature_width)
        self.free = FreeSpaceGrid(config)
        self.cells: dict[int, bytes] = {}
        self.departed: list[DepartedRow] = []
        self.last_lsn = 0
        self._poses = np.zeros((64, 6))
        self._stamps = np.zeros(64, np.int64)

    def reset(self) -> None:
        """Forget everything; what was reserved stays reserved."""
        self.surface.reset()
        self.free.reset()
        self.cells, self.departed, self.last_lsn = {}, [], 0

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
            self._stamps = np.concatenate([self._stamps, np.zeros_like(self._stamps)])
            self._poses = np.concatenate([self._poses, np.zeros_like(self._poses)])
        self._stamps[lsn] = stamp_ns
        self._poses[lsn] = np.concatenate([map_from_camera[:3, 3], map_from_camera[:3, 2]])

    def prepare(self, frame: LoggedFrame) -> Prepared:
        """Work out what a frame changes. Raises `OutOfRoom` before anything has changed.

        Only one thread at a time may prepare and apply; readers may read meanwhile.
        """
        self.note(frame.lsn, frame.stamp_ns, frame.map_from_camera)
        if frame.depth_m is None:
            return Prepared(frame, None, None, None, None, ())
        view = DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.map_from_camera, self.config)
        poses = self._poses[: frame.lsn + 1]
        verdicts = self.surface.judge(view, frame.examined, frame.residual_m, frame.lsn, poses)
        departed = self._departed(self.surface.cleared(verdicts), frame.lsn) if verdicts.clears else ()
        before = len(self.surface), len(self.free)
        try:
            with self._epoch.write():  # empty blocks are added where there are none yet
                free = self.free.plan(view)
            with self._epoch.write():
                touched = self.surface.touch(view)
            fusion = self.surface.plan(view, frame.lsn, touched)
        except OutOfRoom:
            with self._epoch.write():
                self.surface.truncate(before[0])
                self.free.truncate(before[1])
            raise
        return Prepared(frame, verdicts, fusion, free, _cells_blob(free), departed)

    def apply(self, prepared: Prepared, replay: bool = False) -> None:
        """Change the layers. With `replay`, sightings and departed regions are those of the file already."""
        frame = prepared.frame
        with self._epoch.write():
            self.last_lsn = frame.lsn
            if prepared.fusion is None or prepared.free is None or prepared.verdicts is None:
                return
            self.surface.carry_out(prepared.verdicts)
            self.surface.apply(prepared.fusion, frame.rgb, frame.features)
            self.free.apply(prepared.free, frame.lsn)
            if not replay:
                self.departed.extend(prepared.departed)
                if prepared.cells is not None:
                    self.cells[frame.lsn] = prepared.cells

    def _departed(self, cleared: Cleared, lsn: int) -> tuple[DepartedRow, ...]:
        regions = connected_regions(cleared.voxel)
        rows = []
        for number in range(len(regions)):
            chosen = regions.members(number)
            if len(chosen) >= _LEAST_DEPARTED_VOXELS:
                rows.append(_departed_row(cleared, chosen, lsn, self.config.voxel_size_m))
        return tuple(rows)

    # --- the file

    def surface_row(self, block: int, lsn: int) -> BlockRow:
        """A surface block as it stands, for the file; it contains every frame up to `lsn`."""
        arrays = read_block(self.surface.pools, block)
        data = pack_surface_block(SurfaceBlock(*arrays))
        return BlockRow(int(self.surface.pools.keys[block]), lsn, CODEC_EXACT, data)

    def free_row(self, block: int, lsn: int) -> BlockRow:
        """A free-space block as it stands, for the file."""
        pools = self.free.pools
        content = FreeBlock(pools.log_odds[block], pools.last_free[block], pools.last_occupied[block])
        return BlockRow(int(pools.keys[block]), lsn, CODEC_EXACT, pack_free_block(content))

    def changed_blocks(self, after_lsn: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the surface and of the free-space blocks changed by frames after `after_lsn`, by key."""
        pools = self.free.pools
        count = len(self.free)
        free = np.flatnonzero(pools.changed[:count].astype(np.int64) > after_lsn)
        return blocks_by_key(self.surface.pools, after_lsn), free[np.argsort(pools.keys[free])]

    def load(self, surface: Iterator[BlockRow], free: Iterator[BlockRow]) -> None:
        """Put the blocks of a file in, before its tail is replayed."""
        for row in surface:
            block = unpack_surface_block(row.data)
            write_block(self.surface.pools, row.key, _block_arrays(block), row.lsn)
        self.surface.note_doubts(np.arange(len(self.surface)))
        for row in free:
            content = unpack_free_block(row.data)
            self.free.load(row.key, row.lsn, content.log_odds, content.last_free, content.last_occupied)

    # --- equality

    def canonical_hash(self) -> str:
        """BLAKE2b-256 over the canonical form of docs/format.md, section 8."""
        digest = hashlib.blake2b(b"spatialmem-1", digest_size=32)
        surface, free = self.changed_blocks(-1)
        for block in surface:
            if self.surface.pools.weight[block].any():
                digest.update(self.surface.pools.keys[block].tobytes())
                arrays = read_block(self.surface.pools, block)
                mask = np.packbits(arrays.has_row)
                for array in arrays._replace(has_row=mask):
                    digest.update(np.ascontiguousarray(array).tobytes())
        pools = self.free.pools
        for block in free:
            if pools.last_free[block].any() or pools.last_occupied[block].any():
                for array in (pools.keys, pools.log_odds, pools.last_free, pools.last_occupied):
                    digest.update(array[block].tobytes())
        for lsn in sorted(self.cells):
            digest.update(lsn.to_bytes(8, "little"))
            digest.update(codec.cells_content(self.cells[lsn]))
        for row in sorted(self.departed, key=lambda row: (row.valid_from, row.position_m)):
            for part in row_parts(departed_values(replace(row, id=0))[1:]):
                digest.update(part)
        return digest.hexdigest()


def _block_arrays(block: SurfaceBlock) -> BlockArrays:
    return BlockArrays(
        block.dist, block.weight, block.has_row, block.features, block.colour,
        block.colour_weight, block.feature_weight, block.first, block.last, block.doubt,
    )  # fmt: skip


def _cells_blob(plan: FreePlan) -> bytes:
    coordinates = np.array([block_coordinates(int(key)) for key in plan.cell_keys], np.int16).reshape(-1, 3)
    counts = plan.cells.astype(np.uint16)
    return codec.encode_cells(codec.Cells(coordinates, counts[:, 0], counts[:, 1]))


def _triple(values: NDArray[np.floating]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _departed_row(cleared: Cleared, chosen: NDArray[np.int64], lsn: int, voxel_m: float) -> DepartedRow:
    centres = (cleared.voxel[chosen] + 0.5) * voxel_m
    low, high = cleared.voxel[chosen].min(0) * voxel_m, (cleared.voxel[chosen].max(0) + 1) * voxel_m
    rgb = np.rint(cleared.rgb[chosen].mean(0)).astype(int)
    return DepartedRow(
        valid_from=lsn,
        first_lsn=int(cleared.first[chosen].min()),
        last_lsn=int(cleared.last[chosen].max()),
        position_m=_triple(centres.mean(0)),
        box_min_m=_triple(low),
        box_max_m=_triple(high),
        voxels=len(chosen),
        rgb=(int(rgb[0]), int(rgb[1]), int(rgb[2])),
        feature=cleared.feature[chosen].mean(0).astype(np.float16).tobytes(),
    )
