"""Which blocks are in RAM: those of least value are given up to the file, and brought back before they are needed.

Giving up and bringing back change no content, so no layer depends on what was in RAM. A block that the file does not
hold as it is gets written first, in a transaction of its own and tagged as in a checkpoint (docs/format.md, section
8); only when that is on disk does it leave RAM, so a crash at any point finds it in one place or in both. Readers
of an epoch that holds the block keep it until they have left.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.block_rows import free_rows, surface_rows, tags
from spatialmem.blocks_read import free_block_of, surface_block_of
from spatialmem.errors import OutOfRoom, TooMuchAtOnce
from spatialmem.store.block_store import BlockStore, Layer
from spatialmem.store.rows import BlockRow
from spatialmem.voxels import look, reach
from spatialmem.voxels.blocks import keys_in_order, read_block
from spatialmem.voxels.cast import Part, halves
from spatialmem.voxels.change import blocks_of, distinct_blocks
from spatialmem.voxels.keys import BLOCK
from spatialmem.voxels.pools import PAGE, PAGES_FREE
from spatialmem.voxels.raycast import TILE
from spatialmem.voxels.shelf import Shelf
from spatialmem.voxels.summaries import Summaries
from spatialmem.voxels.versions import live_blocks
from spatialmem.voxels.views import DepthView

if TYPE_CHECKING:
    from spatialmem.layers import Layers

Shelves = tuple[Shelf, Shelf]
_AT_ONCE = 64  # blocks that are read and unpacked before any of them is put in
_SPARE = 8  # with a budget an eighth of a pool is kept free: for what a frame adds, and for copies beside readers
_FULL_ROWS = 64.0
_NONE = np.zeros(0, np.int64)


def staleness(age: NDArray[np.integer], rows: NDArray[np.integer] | int) -> NDArray[np.float64]:
    """How dispensable blocks are: stored frames since one changed or was fetched, over how much surface it holds."""
    return (age + 1.0) / (1.0 + np.asarray(rows) / _FULL_ROWS)


@final
class Residence:
    """Of the layers of one memory. For the thread that changes them."""

    def __init__(self, layers: Layers, store: BlockStore, summaries: Summaries) -> None:
        self.store = store
        self.summaries = summaries
        self.surface, self.free = Shelf.empty(), Shelf.empty()
        self.settled = True
        """False while the file may hold what no epoch shows yet"""
        self.surface_table, self.free_table = threading.Lock(), threading.Lock()
        """who reads blocks into what is set aside for that has these"""
        self._layers: Layers = weakref.proxy(layers)  # whose it is: what has a residence goes when nobody has it

    @property
    def shelves(self) -> Shelves:
        """What is on file alone, as of now: an epoch keeps it."""
        return self.surface, self.free

    def go_back(self, shelves: Shelves) -> None:
        """What was on file alone in the epoch that readers see, after `Layers.step_aside`."""
        self.surface, self.free = shelves

    # --- bringing back

    def look(self, view: DepthView) -> look.Look:
        """As `SurfaceGrid.look`, in the whole map."""
        grid = self._layers.surface
        if not len(self.surface):
            return grid.look(view)
        rows, columns = look.expected_m(view, grid.config).shape
        cast = self._cast(view, (0, -(-rows // TILE), 0, -(-columns // TILE)))
        return grid.look(view, self.surface.doubtful_keys, cast, lambda keys: self.ready(self._known(keys), _NONE))

    def _cast(self, view: DepthView, part: Part) -> NDArray[np.float32]:
        """What the rays of a part of the view meet, put together of smaller parts where it is more than fits."""
        top, bottom, left, right = part
        try:
            return self._cast_at_once(view, part)
        except TooMuchAtOnce:
            if bottom - top <= 1 and right - left <= 1:
                raise
        cast, other = (self._cast(view, half) for half in halves(part))
        return np.where(np.isnan(cast), other, cast)

    def _cast_at_once(self, view: DepthView, part: Part) -> NDArray[np.float32]:
        """The first surface ends a ray: what lies nearer has to be in RAM, and nothing else."""
        grid, edge_m = self._layers.surface, BLOCK * self._layers.config.voxel_size_m
        limits_m = look.only(look.expected_m(view, grid.config), part)
        while True:
            here = grid.pools.keys[live_blocks(grid.pools.table_keys, grid.pools.table_blocks)]
            keys = np.concatenate([here, self.surface.away_keys])  # those that are here are to stay
            near = reach.nearer_than(keys, edge_m, view.map_from_camera, view.camera, view.ray_stride, limits_m)
            missing = near[len(here) :].any()
            self.ready(keys[near], _NONE)
            cast = look.cast_rays(grid.pools, grid.grid, view, look.farthest_m(grid.config), part)
            found_m = look.only(look.ends_m(cast, view, grid.config), part)
            if not missing and (found_m <= limits_m).all():
                return cast
            limits_m = found_m

    def _known(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of ascending, distinct keys that are in RAM or on file."""
        here = self._layers.surface.pools.keys[distinct_blocks(self._layers.surface.pools, keys)]
        return np.union1d(here, self.surface.among(keys))

    def ready(self, surface: NDArray[np.int64], free: NDArray[np.int64]) -> None:
        """Have the blocks with these keys in RAM, as far as they are anywhere, and room for the others.

        Raises `OutOfRoom` when the pools cannot hold them all at once.
        """
        surface, free = np.unique(surface), np.unique(free)
        away = self.surface.among(surface)
        pages = int((-(-self.surface.rows_of(away) // PAGE)).sum())
        missing = len(surface) - len(distinct_blocks(self._layers.surface.pools, surface))
        missing_free = len(free) - len(distinct_blocks(self._layers.free.pools, free))
        self.make_room(missing, pages, missing_free, surface, free)
        self._bring("surface", away)
        self._bring("free", self.free.among(free))

    def ready_known(self, surface: NDArray[np.int64], free: NDArray[np.int64]) -> None:
        """`ready`, for those of ascending, distinct keys whose blocks are anywhere: the others get no room."""
        pools = self._layers.free.pools
        here = pools.keys[distinct_blocks(pools, free)]
        self.ready(self._known(surface), np.union1d(here, self.free.among(free)))

    def _bring(self, layer: Layer, keys: NDArray[np.int64]) -> None:
        layers = self._layers
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            rows = self.store.read(layer, some.tolist())
            width = layers.surface.feature_width
            blocks = [surface_block_of(row, width) if layer == "surface" else free_block_of(row) for row in rows]
            with layers.moving():
                for row, block in zip(rows, blocks, strict=True):
                    layers.put_in(row, block)
                if layer == "surface":
                    layers.surface.note_doubts(distinct_blocks(layers.surface.pools, some))
                    self.surface = self.surface.without(some)
                else:
                    self.free = self.free.without(some)

    # --- giving up

    def make_room(
        self, surface: int, pages: int, free: int, pinned_surface: NDArray[np.int64], pinned_free: NDArray[np.int64]
    ) -> None:
        """Room for so many more blocks and pages of rows; blocks with these keys stay. Raises `OutOfRoom`."""
        self._layers.reclaim()
        self.give_up(self._victims(surface, pages, pinned_surface), self._free_victims(free, pinned_free))
        if self._short(surface, pages, free):
            try:
                self._layers.let_readers_finish()
            except OutOfRoom as error:  # this thread reads itself: less may fit beside what it keeps
                raise TooMuchAtOnce(str(error)) from error
        if short := self._short(surface, pages, free):
            raise TooMuchAtOnce(
                f"what is needed at once takes {short} more than fit into the memory's ram_bytes, "
                f"{self._layers.config.ram_bytes / 2**20:.0f} MiB; create the memory with a larger ram_bytes or voxel "
                "size, or a smaller max_depth_m"
            )

    def give_up_more(self, pinned_surface: NDArray[np.int64], pinned_free: NDArray[np.int64]) -> bool:
        """Give up a sixteenth of what is in RAM beside the blocks with these keys; False when there is nothing."""
        chosen = []
        for grid, pinned in ((self._layers.surface, pinned_surface), (self._layers.free, pinned_free)):
            live = live_blocks(grid.pools.table_keys, grid.pools.table_blocks)
            order = self._by_staleness(grid, live[~np.isin(grid.pools.keys[live], pinned)], 0)
            chosen.append(order[: -(-len(live) // 16)])
        self.give_up(chosen[0], chosen[1])
        return bool(len(chosen[0]) or len(chosen[1]))

    def give_up_all(self) -> bool:
        """Give up every block; False when there is none."""
        surface, free = (live_blocks(g.pools.table_keys, g.pools.table_blocks)
                         for g in (self._layers.surface, self._layers.free))  # fmt: skip
        self.give_up(surface, free)
        return bool(len(surface) or len(free))

    @property
    def room(self) -> tuple[int, int, int]:
        """Voxel blocks, pages of their rows and free-space blocks that fit in beside what is spared of each."""
        grid, space = self._layers.surface, self._layers.free
        blocks, pages, free = (
            p.shape[0] for p in (grid.pools.free_blocks, grid.pools.free_pages, space.pools.free_blocks)
        )
        left_pages = int(grid.pools.counters[PAGES_FREE])
        return (
            blocks - self._spared(blocks) - grid.blocks_in_use, left_pages - self._spared(pages),
            free - self._spared(free) - space.blocks_in_use,
        )  # fmt: skip

    def _spared(self, capacity: int) -> int:
        """What is kept free of a pool; without a budget nothing leaves RAM before it is full."""
        return capacity // _SPARE if self._layers.config.has_budget else 0

    def _short(self, surface: int, pages: int, free: int) -> str:
        grid, space = self._layers.surface, self._layers.free
        left = grid.pools.free_blocks.shape[0] - grid.blocks_in_use
        if surface > left:
            return f"{surface - left} voxel blocks"
        if pages > int(grid.pools.counters[PAGES_FREE]):
            return f"{pages - int(grid.pools.counters[PAGES_FREE])} pages of voxel rows"
        left = space.pools.free_blocks.shape[0] - space.blocks_in_use
        return f"{free - left} free-space blocks" if free > left else ""

    def _victims(self, blocks: int, pages: int, pinned: NDArray[np.int64]) -> NDArray[np.int64]:
        """The surface blocks that are dispensed with, so that room for so many, and some to spare, is left."""
        grid = self._layers.surface
        pools = grid.pools
        spare, spare_pages = pools.free_blocks.shape[0] // _SPARE, pools.free_pages.shape[0] // _SPARE
        left = pools.free_blocks.shape[0] - grid.blocks_in_use
        left_pages = int(pools.counters[PAGES_FREE])
        enough = left >= blocks + self._spared(pools.free_blocks.shape[0])
        if enough and left_pages >= pages + self._spared(pools.free_pages.shape[0]):
            return _NONE
        live = live_blocks(pools.table_keys, pools.table_blocks)
        live = live[~np.isin(pools.keys[live], pinned)]
        order = self._by_staleness(grid, live, pools.n_rows[live])
        given_back = np.cumsum(-(-pools.n_rows[order] // PAGE))
        wanted = max(
            blocks + 2 * spare - left,
            int(np.searchsorted(given_back, pages + 2 * spare_pages - left_pages)) + 1,
        )
        return order[:wanted]

    def _free_victims(self, blocks: int, pinned: NDArray[np.int64]) -> NDArray[np.int64]:
        grid = self._layers.free
        pools = grid.pools
        capacity = pools.free_blocks.shape[0]
        left = capacity - grid.blocks_in_use
        if left >= blocks + self._spared(capacity):
            return _NONE
        live = live_blocks(pools.table_keys, pools.table_blocks)
        live = live[~np.isin(pools.keys[live], pinned)]
        return self._by_staleness(grid, live, 0)[: blocks + 2 * (capacity // _SPARE) - left]

    def _by_staleness(self, grid, blocks: NDArray[np.int64], rows: NDArray[np.integer] | int) -> NDArray[np.int64]:
        """Most dispensable first; equal ones by key, so that equal memories give up the same."""
        latest = np.maximum(grid.pools.changed[blocks], grid.fetched[blocks]).astype(np.int64)
        return blocks[np.lexsort((grid.pools.keys[blocks], -staleness(self._layers.last_lsn - latest, rows)))]

    def give_up(self, surface: NDArray[np.int64], free: NDArray[np.int64]) -> None:
        """Let these blocks leave RAM, written to the file where it does not hold them as they are.

        Nothing has changed when this raises.
        """
        if not len(surface) and not len(free):
            return
        layers = self._layers
        grid, space, lsn = layers.surface, layers.free, layers.last_lsn
        surface = surface[np.argsort(grid.pools.keys[surface])]
        free = free[np.argsort(space.pools.keys[free])]
        held, held_free = surface[grid.pools.changed[surface] > 0], free[space.pools.changed[free] > 0]
        used = self.summaries.used
        slots = self._slots(grid.pools.keys[held])
        stale, stale_free = (
            self._unwritten("surface", grid.pools, held),
            self._unwritten("free", space.pools, held_free),
        )
        try:
            self.store.put(
                self._written(held, slots, stale),
                free_rows(space.pools, stale_free, tags(space.pools, stale_free, lsn)),
            )
        except BaseException:
            self.summaries.take_back(used)
            raise
        _raise_to(grid.pools.contains, stale, lsn)
        _raise_to(space.pools.contains, stale_free, lsn)
        with layers.moving():
            keys, rows = grid.pools.keys[held], grid.pools.n_rows[held]
            self.surface = self.surface.put(keys, rows, grid.is_doubtful(keys), lsn, slots)
            keys = space.pools.keys[held_free]
            nothing = np.zeros(len(keys), np.int32)
            self.free = self.free.put(keys, nothing, nothing > 0, lsn, nothing - 1)
            grid.give_up(surface, layers.epochs.number + 1)
            space.give_up(free, layers.epochs.number + 1)
        layers.reclaim()

    def _unwritten(self, layer: Layer, pools, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of the blocks that a frame has changed since they were read from the file or written to it, and those
        that were never there."""
        changed = pools.changed[blocks] > pools.contains[blocks]
        return blocks[changed | self.store.lacks(layer, pools.keys[blocks])]

    def _slots(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """Where the summaries of these blocks are or are to be."""
        at = self.surface.places(keys)
        known = np.where(at >= 0, self.surface.slot[at], -1) if len(self.surface.keys) else np.full(len(keys), -1)
        return np.array([slot if slot >= 0 else self.summaries.new_slot() for slot in known.tolist()], np.int32)

    def _written(self, blocks: NDArray[np.int64], slots: NDArray[np.int32], stale: NDArray) -> Iterator[BlockRow]:
        """Rows of those blocks that the file does not hold as they are; summaries of those that changed since."""
        layers = self._layers
        pools = layers.surface.pools
        at = self.surface.places(pools.keys[blocks])
        for block, slot, place in zip(blocks.tolist(), slots.tolist(), at.tolist(), strict=True):
            if slot >= 0 and (place < 0 or self.surface.lsn[place] < pools.changed[block]):
                self.summaries.write(slot, read_block(pools, block), layers.epochs.number + 1)
        yield from surface_rows(pools, stale, tags(pools, stale, layers.last_lsn))

    def every_row(self, layer: Layer) -> Iterator[BlockRow]:
        """Rows of all blocks of a layer, by ascending key."""
        layers = self._layers
        grid, shelf = (layers.surface, self.surface) if layer == "surface" else (layers.free, self.free)
        keys = np.union1d(keys_in_order(grid.pools, 0), shelf.away_keys)
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            away = shelf.among(some).tolist()
            read = {row.key: row for row in self.store.read(layer, away)} if away else {}
            here = blocks_of(grid.pools, np.array([key for key in some.tolist() if key not in read], np.int64))
            lsns = [layers.last_lsn] * len(here)
            packed = (
                surface_rows(layers.surface.pools, here, lsns)
                if layer == "surface"
                else free_rows(layers.free.pools, here, lsns)
            )
            for key in some.tolist():
                yield read[key] if key in read else next(packed)

    def rows_away(self, layer: Layer, keys: NDArray[np.int64]) -> Iterator[BlockRow]:
        """Rows of those of the blocks that are on file alone, as rows that contain the last frame."""
        away = (self.surface if layer == "surface" else self.free).among(keys)
        for start in range(0, len(away), _AT_ONCE):
            for row in self.store.read(layer, away[start : start + _AT_ONCE].tolist()):
                yield replace(row, lsn=self._layers.last_lsn)

    # --- correcting

    def room_to_start_over(self, surface: NDArray[np.int64], free: NDArray[np.int64]) -> None:
        """See to it that blocks with these keys can be made anew beside what readers see."""
        grid, space = self._layers.surface, self._layers.free
        old, old_free = distinct_blocks(grid.pools, surface), distinct_blocks(space.pools, free)
        away = self.surface.among(surface)
        rows = np.concatenate([grid.pools.n_rows[old], self.surface.rows_of(away)])
        pages = int((-(-rows // PAGE)).sum() * 5 // 4)
        self._layers.reclaim()
        if self._short(len(surface), pages, len(free)):
            self.give_up(old.astype(np.int64), old_free.astype(np.int64))
            self.make_room(len(surface), pages, len(free), _NONE, _NONE)

    def start_over(self, surface: NDArray[np.int64], free: NDArray[np.int64]) -> None:
        """Empty blocks in place of those with these keys, for the next epoch: also of those on file alone."""
        layers = self._layers
        layers.surface.enter(self.surface.among(surface))
        layers.free.enter_keys(self.free.among(free))
        self.surface = self.surface.without(_standing(self.surface, surface), made_anew=True)
        self.free = self.free.without(_standing(self.free, free), made_anew=True)


def _standing(shelf: Shelf, keys: NDArray[np.int64]) -> NDArray[np.int64]:
    return keys[shelf.places(keys) >= 0]


def _raise_to(contains: NDArray[np.uint32], blocks: NDArray[np.int64], lsn: int) -> None:
    contains[blocks] = np.maximum(contains[blocks], np.uint32(lsn))
