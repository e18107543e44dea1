"""What a change of poses does to the layers (docs/format.md, section 10).

A block is a function of the log rows that touch it, in log order, and of nothing else. So it is enough to make anew
the blocks that the revised frames touched under their old poses or touch under their new ones, from every frame that
touches any of them; the result is that of a rebuild, bit for bit. Departed regions may reach over several blocks:
where a frame judged one block that is made anew, all that it judged are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.derived_rows import cells_blob
from spatialmem.layers import Layers, LoggedFrame
from spatialmem.store import codec
from spatialmem.store.rows import DepartedRow, block_key
from spatialmem.voxels.blocks import keys_in_order
from spatialmem.voxels.keys import BLOCK, unpack_keys
from spatialmem.voxels.views import DepthView

_NONE = np.zeros(0, np.int64)
_COARSE = 8
"""blocks along the edge of the cubes in which is looked up whether a frame may have seen any of them"""


@dataclass(frozen=True, eq=False)
class Logged:
    """The log, as a correction reads it."""

    lsns: tuple[int, ...]
    """frames with depth, in log order"""
    frame: Callable[[int], LoggedFrame]
    """a frame with the pose it has now"""
    frame_before: Callable[[int], LoggedFrame]
    """a revised frame with the pose by which it stands in the layers"""
    reach_m: Callable[[int], float]
    """how far from its camera a frame can have touched a voxel, metres"""


@dataclass(frozen=True, eq=False)
class Corrected:
    """What has changed; nobody has seen it yet."""

    surface: NDArray[np.int64]
    """ascending keys of the blocks that were made anew"""
    free: NDArray[np.int64]
    bare_surface: NDArray[np.int64]
    """those among them that no frame changes any more: nothing is left to say of them"""
    bare_free: NDArray[np.int64]
    cells: dict[int, bytes]
    departed_of: frozenset[int]
    """frames whose departed regions were taken again"""
    departed: tuple[DepartedRow, ...]
    replayed: int
    """frames that were read again"""


@final
class Correction:
    """One correction. `work_out` changes what nobody sees; then comes `Layers.publish` or `Layers.abandon`."""

    def __init__(self, layers: Layers, log: Logged, revised: Iterable[int], erased: Iterable[int] = ()) -> None:
        """revised: frames with depth whose poses change; erased: frames with depth that are to leave no trace."""
        self._layers, self._log = layers, log
        self._revised, self._erased = frozenset(revised), frozenset(erased)
        self._touched: dict[int, NDArray[np.int64]] = {}
        self._examined: dict[int, NDArray[np.int64]] = {}
        self._surface, self._free = _NONE, _NONE

    def work_out(self) -> Corrected:
        """Make anew what the revised frames touch. Raises `OutOfRoom` when old and new do not fit side by side."""
        layers = self._layers
        for lsn in sorted(self._revised | self._erased):
            self._left_by(lsn)
        for lsn in sorted(self._revised):
            self._reached_by(lsn)
        surface_frames = self._frames_of_the_surface()
        free_frames = {lsn for lsn in self._log.lsns if self._saw_free(lsn)} | self._revised
        self._start_over()
        cells: dict[int, bytes] = {}
        departed: list[DepartedRow] = []
        every = sorted((surface_frames | free_frames) - self._erased)
        for lsn in every:
            departed += self._replay(lsn, cells)
        layers.surface.note_all_doubts()
        judged = frozenset(lsn for lsn in every if len(self._judged(lsn)))
        return Corrected(
            self._surface, self._free, np.setdiff1d(self._surface, keys_in_order(layers.surface.pools, 0)),
            np.setdiff1d(self._free, keys_in_order(layers.free.pools, 0)), cells, judged | self._erased,
            tuple(departed), len(every),
        )  # fmt: skip

    def _start_over(self) -> None:
        """From here on readers do not see what is changed."""
        layers, residence = self._layers, self._layers.residence
        if residence is not None:
            residence.room_to_start_over(self._surface, self._free)
        layers.reclaim()
        layers.step_aside()
        layers.surface.start_over(self._surface)
        layers.free.start_over(self._free)
        if residence is not None:
            residence.start_over(self._surface, self._free)

    # --- what has to be made anew

    def _view(self, frame: LoggedFrame) -> DepthView:
        assert frame.depth_m is not None
        return DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.map_from_camera, self._layers.config)

    def _left_by(self, lsn: int) -> None:
        """Everything a frame touched so far has to be made anew."""
        frame = self._log.frame_before(lsn)
        touched = self._layers.surface.keys_touched(self._view(frame))
        self._surface = _union(self._surface, touched, frame.examined)
        self._free = _union(self._free, _cell_keys(self._layers.cells.get(lsn)))

    def _reached_by(self, lsn: int) -> None:
        """So has everything a revised frame touches now."""
        frame = self._log.frame(lsn)
        self._touched[lsn] = self._layers.surface.keys_touched(self._view(frame))
        self._examined[lsn] = frame.examined
        self._surface = _union(self._surface, self._touched[lsn], frame.examined)
        self._free = _union(self._free, self._layers.free.sketch(self._view(frame)).cell_keys)

    def _frames_of_the_surface(self) -> set[int]:
        """Frames that touch or judge a block that is made anew; with each that judges one, all that it judged."""
        frames, waiting = set(self._revised), set(self._log.lsns) - self._revised - self._erased
        while True:
            reached = {lsn for lsn in self._that_may_see(waiting) if self._meets(lsn)}
            frames |= reached
            waiting -= reached
            judged = [self._judged(lsn) for lsn in frames]
            grown = _union(self._surface, *judged)
            if len(grown) == len(self._surface):
                return frames
            self._surface = grown

    def _judged(self, lsn: int) -> NDArray[np.int64]:
        examined = self._examined.get(lsn, _NONE)
        return examined if np.isin(examined, self._surface).any() else _NONE

    def _meets(self, lsn: int) -> bool:
        if lsn not in self._touched:
            frame = self._log.frame(lsn)
            self._touched[lsn] = self._layers.surface.keys_touched(self._view(frame))
            self._examined[lsn] = frame.examined
        return bool(np.isin(self._touched[lsn], self._surface).any() or len(self._judged(lsn)))

    def _that_may_see(self, lsns: Iterable[int]) -> list[int]:
        """Those of the frames in whose range any block that is made anew lies, by distance alone."""
        edge = _COARSE * BLOCK * self._layers.config.voxel_size_m
        cubes = np.unique(unpack_keys(self._surface) // _COARSE, axis=0)
        centres = (cubes + 0.5) * edge
        found = []
        for lsn in lsns:
            gap = np.linalg.norm(centres - self._layers.centre_of(lsn), axis=1)
            if (gap <= self._log.reach_m(lsn) + edge).any():
                found.append(lsn)
        return found

    def _saw_free(self, lsn: int) -> bool:
        return bool(np.isin(_cell_keys(self._layers.cells.get(lsn)), self._free).any())

    # --- making it anew

    def _replay(self, lsn: int, cells: dict[int, bytes]) -> tuple[DepartedRow, ...]:
        """Put a frame into the blocks that are made anew, as `Layers.prepare` and `apply` do for all."""
        layers, frame = self._layers, self._log.frame(lsn)
        view, poses = self._view(frame), layers.poses[: lsn + 1]
        verdicts = layers.surface.judge(view, self._judged(lsn), frame.residual_m, lsn, poses)
        departed = layers.departed_of(verdicts)
        sketch = layers.free.sketch(view)
        if lsn in self._revised:
            cells[lsn] = cells_blob(sketch)
        touched = layers.surface.keys_touched(view)
        plan = layers.surface.plan(view, lsn, layers.surface.enter(touched[np.isin(touched, self._surface)]))
        layers.surface.carry_out(verdicts)
        layers.surface.apply(plan, frame.rgb, frame.features)
        layers.free.apply(layers.free.enter(sketch, self._free), lsn)
        return departed


def _union(*keys: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(np.concatenate(keys))


def _cell_keys(blob: bytes | None) -> NDArray[np.int64]:
    if blob is None:
        return _NONE
    x, y, z = codec.decode_cells(blob).cell.astype(np.int64).T
    return np.asarray(block_key(x, y, z), np.int64)
