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
from spatialmem.gone import Gone
from spatialmem.layers import Layers, LoggedFrame
from spatialmem.store import codec
from spatialmem.store.rows import DepartedRow, block_key
from spatialmem.voxels.blocks import keys_in_order
from spatialmem.voxels.keys import BLOCK, unpack_keys
from spatialmem.voxels.sketch import Sketch
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
    gone: Gone
    """frames that cannot be read any more; they are not among `lsns`"""


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
        met = self._gone_there()
        free_frames = {lsn for lsn in self._log.lsns if self._saw_free(lsn)} | self._revised
        self._start_over()
        cells: dict[int, bytes] = {}
        departed: list[DepartedRow] = []
        every = sorted((surface_frames | free_frames) - self._erased)
        for lsn in every:
            departed += self._replay(lsn, cells)
        layers.surface.note_all_doubts()
        judged = frozenset(lsn for lsn in every if len(self._judged(lsn)))
        departed += self._log.gone.departed_kept(met - self._erased, self._surface)
        return Corrected(
            self._surface, self._free, np.setdiff1d(self._surface, keys_in_order(layers.surface.pools, 0)),
            np.setdiff1d(self._free, keys_in_order(layers.free.pools, 0)), cells, judged | met | self._erased,
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
        if lsn in self._log.gone.lsns:
            self._surface = _union(self._surface, self._log.gone.left_by(lsn))
            self._free = _union(self._free, cell_keys(self._layers.cells.get(lsn)))
            return
        frame = self._log.frame_before(lsn)
        touched = self._layers.surface.keys_touched(self._view(frame))
        self._surface = _union(self._surface, touched, frame.examined)
        self._free = _union(self._free, cell_keys(self._layers.cells.get(lsn)))

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

    def _gone_there(self) -> frozenset[int]:
        """Evicted frames that touched what is made anew. It can be made without them, which forgetting does, but a
        correction is not to lose what they saw: `Evicted`."""
        met = self._log.gone.meeting(self._surface, self._free, self._that_may_see)
        if not self._erased:
            self._log.gone.require_none(met)
        return frozenset(met)

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
        cubes = Cubes.of(self._surface, self._layers.config.voxel_size_m)
        return [lsn for lsn in lsns if cubes.within(self._log.reach_m(lsn), self._layers.centre_of(lsn))]

    def _saw_free(self, lsn: int) -> bool:
        return bool(np.isin(cell_keys(self._layers.cells.get(lsn)), self._free).any())

    # --- making it anew

    def _replay(self, lsn: int, cells: dict[int, bytes]) -> tuple[DepartedRow, ...]:
        frame = self._log.frame(lsn)
        departed, sketch = replay_into(self._layers, frame, self._judged(lsn), self._surface, self._free)
        if lsn in self._revised:
            cells[lsn] = cells_blob(sketch)
        return departed


def replay_into(
    layers: Layers, frame: LoggedFrame, judged: NDArray[np.int64], surface: NDArray[np.int64], free: NDArray[np.int64]
) -> tuple[tuple[DepartedRow, ...], Sketch]:
    """Put a frame into the blocks with these keys alone, as `Layers.prepare` and `apply` do for all.

    judged: keys of those that it examined. Returns what departed from these, and all it saw of free space. Where a
    block is on file alone it has to be brought back first. Raises `OutOfRoom` before any voxel has changed.
    """
    assert frame.depth_m is not None
    view = DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.map_from_camera, layers.config)
    verdicts = layers.surface.judge(view, judged, frame.residual_m, frame.lsn, layers.poses[: frame.lsn + 1])
    departed = layers.departed_of(verdicts)
    sketch = layers.free.sketch(view)
    seen = layers.free.enter(sketch, free)
    touched = layers.surface.keys_touched(view)
    plan = layers.surface.plan(view, frame.lsn, layers.surface.enter(touched[np.isin(touched, surface)]))
    layers.surface.carry_out(verdicts)
    layers.surface.apply(plan, frame.rgb, frame.features)
    layers.free.apply(seen, frame.lsn)
    return departed, sketch


@dataclass(frozen=True, eq=False)
class Cubes:
    """Blocks by the coarse cubes they lie in: may a frame have seen any of them, by distance alone?"""

    centres_m: NDArray[np.float64]
    """(N, 3)"""
    edge_m: float

    @classmethod
    def of(cls, keys: NDArray[np.int64], voxel_size_m: float) -> Cubes:
        """The cubes of these surface blocks."""
        edge_m = _COARSE * BLOCK * voxel_size_m
        return cls((np.unique(unpack_keys(keys) // _COARSE, axis=0) + 0.5) * edge_m, edge_m)

    def within(self, reach_m: float, centre_m: NDArray[np.float64]) -> bool:
        """Whether any of them lies within this distance of a camera."""
        gap = np.linalg.norm(self.centres_m - centre_m, axis=1)
        return bool((gap <= reach_m + self.edge_m).any())


def _union(*keys: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(np.concatenate(keys))


def cell_keys(blob: bytes | None) -> NDArray[np.int64]:
    """Keys of the free-space blocks that a frame with these sightings saw."""
    if blob is None:
        return _NONE
    x, y, z = codec.decode_cells(blob).cell.astype(np.int64).T
    return np.asarray(block_key(x, y, z), np.int64)
