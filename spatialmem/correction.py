"""What a change of poses does to the layers (docs/format.md, section 10).

A block is a function of the log rows that touch it, in log order, and of nothing else. So it is enough to make anew
the blocks that the revised frames touched under their old poses or touch under their new ones, from every frame that
touches any of them; the result is that of a rebuild, bit for bit. Departed regions may reach over several blocks:
where a frame judged one block that is made anew, all that it judged are.

Blocks that evicted frames touched cannot be made anew: their content moves (moving.py). Where frames are forgotten they
are made anew all the same, without what the evicted ones saw there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.derived_rows import cells_blob
from spatialmem.gone import Gone, cell_keys, every_key
from spatialmem.key_lists import KeyLists, among, with_more
from spatialmem.layers import Layers, LoggedFrame
from spatialmem.motions import Motions
from spatialmem.moving import Keys, Moving
from spatialmem.store.moved import FREE, SURFACE, MovedRow
from spatialmem.store.rows import DepartedRow
from spatialmem.traces import Ways, moved_row, retold
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
    motions: Motions | None = None
    """of the revised frames, where there are evicted ones"""
    folder: Path | None = None
    """where there is room beside the memory for what is being worked out; None: among the temporary files"""


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
    examined: dict[int, bytes | None] = field(default_factory=dict)
    """lists of surface blocks of evicted frames, where these have changed"""
    marks: tuple[MovedRow, ...] = ()
    """blocks that hold what was moved there, or what frames left there by poses that they have no longer"""
    anew: tuple[int, int] = (0, 0)
    """blocks of surface and free space that nothing but frames made anew"""
    moved: int = 0
    """surface blocks whose content was moved"""


@final
class Correction:
    """One correction. `work_out` changes what nobody sees; then comes `Layers.publish` or `Layers.abandon`."""

    def __init__(self, layers: Layers, log: Logged, revised: Iterable[int], erased: Iterable[int] = ()) -> None:
        """revised: frames with depth whose poses change; erased: frames with depth that are to leave no trace."""
        self._layers, self._log = layers, log
        self._revised = frozenset(revised) - log.gone.lsns
        self._moved, self._erased = frozenset(revised) & log.gone.lsns, frozenset(erased)
        self._touched, self._examined, self._before = KeyLists(), KeyLists(), KeyLists()
        self._surface, self._free = _NONE, _NONE
        self._moving: Moving | None = None
        self._anew_of: tuple[NDArray[np.int64], NDArray[np.int64], Keys] | None = None

    def work_out(self) -> Corrected:
        """Make anew what the revised frames touch. Raises `OutOfRoom` when old and new do not fit side by side."""
        layers, gone = self._layers, self._log.gone
        for lsn in sorted(self._revised | self._moved | self._erased):
            self._left_by(lsn)
        touched = Keys(self._surface, self._free)
        for lsn in sorted(self._revised):
            self._reached_by(lsn)
        if self._log.motions is not None:
            changed = Keys(self._surface, self._free)
            moving = Moving(layers, gone, self._log.motions, touched, changed, self._log.folder)
            self._surface = with_more(self._surface, np.intersect1d(moving.surface.rewritten, moving.surface.left))
            self._free = with_more(self._free, np.intersect1d(moving.free.rewritten, moving.free.left))
            self._moving, self._anew_of = moving, None
        surface_frames = self._frames_of_the_surface()
        met = self._gone_there()
        free_frames = {lsn for lsn in self._log.lsns if self._saw_free(lsn)} | self._revised
        self._start_over()
        cells: dict[int, bytes] = {}
        departed: dict[int, tuple[DepartedRow, ...]] = {}
        every = sorted((surface_frames | free_frames) - self._erased)
        for lsn in every:
            departed[lsn] = self._replay(lsn, cells)
        if self._moving is not None:
            self._moving.put(self._anew)
        layers.surface.note_all_doubts()
        settled = self._settled()
        judged = ((lsn, self._judged(lsn)) for lsn in every)
        anew_of = frozenset(lsn for lsn, keys in judged if len(keys) and not among(keys, settled).any())
        rows = [row for lsn in every if lsn in anew_of for row in departed[lsn]]
        rows += gone.departed_kept(met - self._erased, self._surface) + self._departed_elsewhere(anew_of)
        of = anew_of | met | self._erased | {row.valid_from for row in rows}
        of, rows = gone.departed_without(self._erased, anew_of, of, rows)
        return self._corrected(cells, of, rows, len(every))

    def _corrected(
        self, cells: dict[int, bytes], departed_of: frozenset[int], departed: list[DepartedRow], replayed: int
    ) -> Corrected:
        layers, moving, changed = self._layers, self._moving, self._changed
        bare = np.setdiff1d(changed.surface, keys_in_order(layers.surface.pools, 0))
        bare_free = np.setdiff1d(changed.free, keys_in_order(layers.free.pools, 0))
        if layers.residence is not None:  # blocks that stay as they are may be on file alone
            away, away_free = (shelf.away_keys for shelf in layers.residence.shelves)
            bare, bare_free = np.setdiff1d(bare, away), np.setdiff1d(bare_free, away_free)
        done = Corrected(
            changed.surface, changed.free, bare, bare_free, cells, departed_of, tuple(departed), replayed,
            anew=self._from_images,
        )  # fmt: skip
        if moving is None:
            return done
        said = retold(moving, self._log.gone, changed, self._retained, layers.last_lsn)
        return replace(
            done, cells={**cells, **said.cells}, examined=said.examined, marks=said.marks,
            moved=len(moving.surface.moved),
        )  # fmt: skip

    def _start_over(self) -> None:
        """From here on readers do not see what is changed."""
        layers, residence = self._layers, self._layers.residence
        fresh = self._anew
        if self._moving is not None:
            moving = self._moving
            fresh = Keys(np.union1d(fresh.surface, moving.surface.rewritten),
                         np.union1d(fresh.free, moving.free.rewritten))  # fmt: skip
            moving.gather(self._anew)
        if residence is not None:
            residence.room_to_start_over(fresh.surface, fresh.free)
        layers.reclaim()
        layers.step_aside()
        layers.surface.start_over(fresh.surface)
        layers.free.start_over(fresh.free)
        if residence is not None:
            residence.start_over(fresh.surface, fresh.free)
        if self._moving is not None:  # where nothing stood before
            layers.surface.enter(self._moving.surface.rewritten)
            layers.free.enter_keys(self._moving.free.rewritten)

    @property
    def _anew(self) -> Keys:
        """The blocks that frames are replayed into, from nothing."""
        moving, every = self._moving, (self._surface, self._free)
        if self._anew_of is None or self._anew_of[0] is not every[0] or self._anew_of[1] is not every[1]:
            stay = (_NONE, _NONE) if moving is None else (moving.surface.as_they_are, moving.free.as_they_are)
            self._anew_of = (*every, Keys(np.setdiff1d(every[0], stay[0]), np.setdiff1d(every[1], stay[1])))
        return self._anew_of[2]

    @property
    def _from_images(self) -> tuple[int, int]:
        """How many blocks of both layers nothing but frames makes anew."""
        anew, moving = self._anew, self._moving
        if moving is None:
            return len(anew.surface), len(anew.free)
        left = np.setdiff1d(anew.surface, moving.surface.rewritten), np.setdiff1d(anew.free, moving.free.rewritten)
        return len(left[0]), len(left[1])

    @property
    def _changed(self) -> Keys:
        """The blocks whose rows in the file are written."""
        moving = self._moving
        if moving is None:
            return Keys(self._surface, self._free)
        return Keys(np.union1d(self._surface, moving.surface.rewritten), np.union1d(self._free, moving.free.rewritten))

    # --- what has to be made anew

    def _view(self, frame: LoggedFrame) -> DepthView:
        assert frame.depth_m is not None
        return DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.map_from_camera, self._layers.config)

    def _left_by(self, lsn: int) -> None:
        """Everything a frame touched so far has to be made anew."""
        if lsn in self._erased:
            marked = {lsn}
            self._surface = with_more(self._surface, self._log.gone.marked(SURFACE, marked))
            self._free = with_more(self._free, self._log.gone.marked(FREE, marked))
        if lsn in self._log.gone.lsns:
            self._surface = with_more(self._surface, self._log.gone.left_by(lsn))
            self._free = with_more(self._free, cell_keys(self._layers.cells.get(lsn)))
            return
        frame = self._log.frame_before(lsn)
        touched = self._layers.surface.keys_touched(self._view(frame))
        if self._log.motions is not None:
            self._before[lsn] = np.concatenate([touched, frame.examined])
        self._surface = with_more(self._surface, touched, frame.examined)
        self._free = with_more(self._free, cell_keys(self._layers.cells.get(lsn)))

    def _reached_by(self, lsn: int) -> None:
        """So has everything a revised frame touches now."""
        frame = self._log.frame(lsn)
        self._touched[lsn] = touched = self._layers.surface.keys_touched(self._view(frame))
        self._examined[lsn] = frame.examined
        self._surface = with_more(self._surface, touched, frame.examined)
        self._free = with_more(self._free, self._layers.free.sketch(self._view(frame)).cell_keys)

    def _frames_of_the_surface(self) -> set[int]:
        """Frames that touch or judge a block that is made anew; with each that judges one, all that it judged."""
        frames, waiting = set(self._revised), set(self._log.lsns) - self._revised - self._erased
        while True:
            reached = {lsn for lsn in self._that_may_see(waiting) if self._meets(lsn)}
            frames |= reached
            waiting -= reached
            grown = with_more(self._surface, every_key(self._judged(lsn) for lsn in frames))
            if grown is self._surface:
                return frames
            self._surface = grown

    def _gone_there(self) -> frozenset[int]:
        """Evicted frames that lose what they saw, for it is made anew without them: where frames are forgotten."""
        if not self._erased:
            return frozenset()
        return frozenset(self._log.gone.meeting(self._surface, self._free, self._that_may_see))

    def _judged(self, lsn: int) -> NDArray[np.int64]:
        examined = self._examined[lsn]
        return examined if among(examined, self._anew.surface).any() else _NONE

    def _meets(self, lsn: int) -> bool:
        if lsn not in self._touched:
            frame = self._log.frame(lsn)
            self._touched[lsn] = self._layers.surface.keys_touched(self._view(frame))
            self._examined[lsn] = frame.examined
        return bool(among(self._touched[lsn], self._anew.surface).any() or len(self._judged(lsn)))

    def _that_may_see(self, lsns: Iterable[int], surface: NDArray[np.int64] | None = None) -> list[int]:
        """Those of the frames that may have seen any of the blocks, all that change unless others are given."""
        cubes = Cubes.of(self._surface if surface is None else surface, self._layers.config.voxel_size_m)
        return [lsn for lsn in lsns if cubes.within(self._log.reach_m(lsn), self._layers.centre_of(lsn))]

    def _saw_free(self, lsn: int) -> bool:
        return bool(among(cell_keys(self._layers.cells.get(lsn)), self._anew.free).any())

    # --- what moves

    def _settled(self) -> NDArray[np.int64]:
        """Ascending keys of blocks that are not made anew: a frame that judged one finds nothing to clear in it again,
        so that what it saw to be gone is what is known of it (docs/format.md, section 8)."""
        moving = self._moving
        if moving is None:
            return _NONE
        there = np.union1d(moving.surface.kept, moving.surface.transport.targets)
        return np.intersect1d(self._changed.surface, there)

    def _departed_elsewhere(self, anew_of: frozenset[int]) -> list[DepartedRow]:
        """What frames that move saw to be gone, where it cannot be found again."""
        if self._moving is None:
            return []
        own = self._moving.motions.own
        return [
            moved_row(row, own[row.valid_from])
            for row in self._layers.departed
            if row.valid_from in own and row.valid_from not in anew_of
        ]

    def _retained(self, layer: str, ways: Ways) -> Iterator[tuple[int, NDArray[np.int64], bool]]:
        """Frames with images that had touched blocks that something moved out of, or that they have left themselves."""
        if layer == FREE:
            for lsn in self._log.lsns:
                yield lsn, cell_keys(self._layers.cells.get(lsn)), lsn in self._revised
            return
        for lsn, keys in self._before.items():
            yield lsn, keys, True
        for lsn in self._that_may_see(set(self._log.lsns) - self._revised, ways.origins):
            self._meets(lsn)
            yield lsn, np.union1d(self._touched[lsn], self._examined[lsn]), False

    # --- making it anew

    def _replay(self, lsn: int, cells: dict[int, bytes]) -> tuple[DepartedRow, ...]:
        frame = self._log.frame(lsn)
        anew = self._anew
        judged = self._judged(lsn)
        judged = judged[among(judged, anew.surface)]
        departed, sketch = replay_into(self._layers, frame, judged, anew.surface, anew.free)
        if lsn in self._revised:
            cells[lsn] = cells_blob(sketch)
        return departed


def replay_into(
    layers: Layers, frame: LoggedFrame, judged: NDArray[np.int64], surface: NDArray[np.int64], free: NDArray[np.int64]
) -> tuple[tuple[DepartedRow, ...], Sketch]:
    """Put a frame into the blocks with these ascending keys alone, as `Layers.prepare` and `apply` do for all.

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
    plan = layers.surface.plan(view, frame.lsn, layers.surface.enter(touched[among(touched, surface)]))
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
