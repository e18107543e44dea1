"""The surface of an epoch together with those of its blocks that are on file alone.

What a question needs of these is read into blocks that were set aside for readers (`pools.reserve`) and stand in a
table of the reader's own: the map that others read does not change. What does not fit at once is answered part by
part, of the same content as if all of it were in RAM.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import GEN_SUSPENDED, getgeneratorstate
from typing import TYPE_CHECKING, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import OutOfRoom
from spatialmem.types import Camera, Outcome, View
from spatialmem.voxels import cast, look, reach, search
from spatialmem.voxels.blocks import BlockArrays, keys_in_order, write_block
from spatialmem.voxels.change import distinct_blocks
from spatialmem.voxels.far_view import FarView
from spatialmem.voxels.heap import give_back
from spatialmem.voxels.keys import BLOCK, keys_of, unpack_keys
from spatialmem.voxels.pools import PAGE, beside
from spatialmem.voxels.raycast import TILE
from spatialmem.voxels.shelf import Shelf
from spatialmem.voxels.summaries import Summaries
from spatialmem.voxels.views import DepthView

if TYPE_CHECKING:
    from spatialmem.voxels.surface_reading import SurfaceReading

Fetch = Callable[[NDArray[np.int64]], Iterator[tuple[int, BlockArrays]]]
"""ascending keys of blocks on file alone -> the key and content of each"""
T = TypeVar("T")
_SETS_AT_ONCE = 2048  # of blocks around what a view shows: small blocks far away are as many sets as pixels
_SLACK = 1e-3  # of a cosine: in a scan it is squared and rounded
_AROUND = np.array([(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)], np.int64)


def _holding(lock: threading.Lock) -> Generator[None]:
    """Has the lock from the first `next` until it is closed, or something strikes meanwhile."""
    with lock:
        yield


@final
class ShelvedSurface:
    """For one reader of one epoch; `close` when it leaves."""

    def __init__(
        self, here: SurfaceReading, shelf: Shelf, summaries: Summaries, number: int, fetch: Fetch,
        table: threading.Lock,
    ) -> None:  # fmt: skip
        """here: the blocks in RAM. number: of the epoch. table: lock of the blocks that are set aside: one reader at a
        time has them."""
        self._number = number
        self._here, self._shelf, self._summaries, self._fetch = here, shelf, summaries, fetch
        self._lock = table
        self._hold: Generator[None] | None = None
        """has the lock from a search to `close`, where there was one"""
        self._found: tuple[SurfaceReading, NDArray[np.int64]] | None = None
        """what the last search stands in, and the places in `_keys` of the blocks it has"""
        in_ram = distinct_blocks(here.pools, shelf.away_keys)  # none, but a block must never stand in two places
        self._keys = np.setdiff1d(shelf.away_keys, here.pools.keys[in_ram], assume_unique=True)
        self._rows = shelf.rows_of(self._keys)
        self._edge_m = BLOCK * here.config.voxel_size_m

    def close(self) -> None:
        """Nothing that was read is needed any more."""
        self._found = None
        if self._hold is not None:
            self._hold.close()

    @property
    def _is_held(self) -> bool:
        return self._hold is not None and getgeneratorstate(self._hold) == GEN_SUSPENDED

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else uses the blocks that are set aside."""
        if self._is_held:
            yield
            return
        with self._lock:
            yield

    def _room(self) -> tuple[int, int]:
        pools = self._here.pools
        pages = pools.first.shape[0] // PAGE - pools.free_pages.shape[0]
        return pools.keys.shape[0] - pools.free_blocks.shape[0], pages

    def _fits(self, places: NDArray[np.int64]) -> bool:
        """Whether the blocks at these places of `_keys` can be read in at once."""
        blocks, pages = self._room()
        return len(places) <= blocks and int((-(-self._rows[places] // PAGE)).sum()) <= pages

    def _with(self, places: NDArray[np.int64]) -> SurfaceReading:
        """The blocks in RAM and those at these ascending places of `_keys`."""
        pools = beside(self._here.pools)
        for key, arrays in self._fetch(self._keys[places]):
            write_block(pools, key, arrays, 1)
        return replace(self._here, pools=pools)

    # --- a view

    def render(self, map_from_camera: NDArray[np.float64], camera: Camera, features: bool) -> View:
        """As `SurfaceReading.render`, pixel for pixel; through more blocks than fit some are taken at a time."""
        with self._alone():
            everywhere = np.full((camera.height, camera.width), cast.FAR_M)
            places = self._nearer(map_from_camera, camera, everywhere)
            if self._fits(places):
                reading = self._with(places)
                return cast.render(reading.pools, reading.grid, map_from_camera, camera, features)
            return self._far(map_from_camera, camera, features)

    def _far(self, map_from_camera: NDArray[np.float64], camera: Camera, features: bool) -> View:
        """A view through more than fits. It takes much beside the blocks; what others have freed before goes first."""
        give_back()
        view = FarView(self._here.pools, self._keys, self._here.grid, map_from_camera, camera, features)
        try:
            for _ in view.parts():
                self._see(view)
        finally:
            give_back()
        return view.view()

    def _see(self, view: FarView) -> None:
        """A part of a view: what its rays wait for, until none does; then the blocks around what they have met."""
        pools = self._here.pools
        while len(waited := view.march(pools)):
            pools = self._with(self._next(view, self._places(waited))).pools
        number = view.met()
        for start in range(0, number, _SETS_AT_ONCE):
            keys = view.around(start, min(start + _SETS_AT_ONCE, number))
            for some in self._fitting_groups(np.arange(len(keys)), keys):
                places = self._places(np.unique(keys[some]))
                if not self._fits(places):
                    raise self._too_many(places)
                view.paint(self._with(places).pools, start + some)

    def _next(self, view: FarView, waited: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ascending places of the blocks that rays wait for, the nearest where they are more than fit; beside them
        those that the same rays may come upon next."""
        waited, depth_m = self._by_depth(waited, view.pose)
        ahead, ahead_m = self._by_depth(
            np.setdiff1d(self._nearer(view.pose, view.camera, view.limits_m()), waited, assume_unique=True), view.pose
        )
        order = np.concatenate([waited, ahead[ahead_m > depth_m[0] - self._edge_m]])
        blocks, pages = self._room()
        number = int(np.searchsorted(np.cumsum(-(-self._rows[order] // PAGE)), pages, "right"))
        if min(number, blocks) < 1:
            raise self._too_many(waited[:1])
        return np.sort(order[: min(number, blocks)])

    def _by_depth(
        self, places: NDArray[np.int64], pose: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The places by the depth of the middle of their blocks, and these depths."""
        middle = (unpack_keys(self._keys[places]) + 0.5) * self._edge_m - pose[:3, 3]
        depth_m = middle @ pose[:3, 2]
        order = np.argsort(depth_m, kind="stable")
        return places[order], depth_m[order]

    def _nearer(self, pose: NDArray[np.float64], camera: Camera, limits_m: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.flatnonzero(reach.nearer_than(self._keys, self._edge_m, pose, camera, 1, limits_m))

    def compare(self, view: DepthView) -> Outcome:
        """As `SurfaceReading.compare`. Raises `OutOfRoom` when a tile of the view needs more blocks than fit."""
        rows, columns = look.expected_m(view, self._here.config).shape
        with self._alone():
            met_m = self._cast(view, (0, -(-rows // TILE), 0, -(-columns // TILE)))
        return look.look(self._here.pools, self._here.grid, view, cast=met_m).outcome

    def _cast(self, view: DepthView, part: cast.Part) -> NDArray[np.float32]:
        """What the rays of a part of the view meet, put together of smaller parts where it is more than fits."""
        met_m, places = self._cast_at_once(view, part)
        if met_m is not None:
            return met_m
        if part[1] - part[0] <= 1 and part[3] - part[2] <= 1:
            raise self._too_many(places)
        met_m, other_m = (self._cast(view, half) for half in cast.halves(part))
        return np.where(np.isnan(met_m), other_m, met_m)

    def _cast_at_once(self, view: DepthView, part: cast.Part) -> tuple[NDArray[np.float32] | None, NDArray[np.int64]]:
        """What the rays of a part meet, None where the blocks for it, whose places come back, are more than fit.

        Where all in view are, those before the first surfaces are taken, as far as these are to be expected at first.
        """
        expected_m = look.only(look.expected_m(view, self._here.config), part)
        anywhere_m = np.where(expected_m > 0, cast.FAR_M, 0.0)
        past_m = look.PAST_VOXELS * self._here.config.voxel_size_m
        limits_m = anywhere_m if self._fits(self._met(view, anywhere_m)) else expected_m
        while self._fits(places := self._met(view, limits_m)):
            reading = self._with(places)
            met_m = look.cast_rays(reading.pools, reading.grid, view, cast.FAR_M, part)
            ends_m = np.minimum(anywhere_m, np.where(np.isnan(met_m), cast.FAR_M, met_m + past_m))
            if (ends_m <= limits_m).all():
                return met_m, places
            limits_m = np.maximum(limits_m, ends_m)
        return None, places

    def _met(self, view: DepthView, limits_m: NDArray[np.float64]) -> NDArray[np.int64]:
        """Places in `_keys` of the blocks that the rays of a look may come upon up to these depths (rows, columns)."""
        edge_m = self._edge_m
        return np.flatnonzero(
            reach.nearer_than(self._keys, edge_m, view.map_from_camera, view.camera, view.ray_stride, limits_m)
        )

    def _too_many(self, places: NDArray[np.int64]) -> OutOfRoom:
        return OutOfRoom(
            f"{len(places)} blocks that are needed at once are on file alone, and {self._room()[0]} can be looked at "
            "together; create the memory with a larger ram_bytes"
        )

    # --- points of it

    def distances(self, points_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """As `SurfaceReading.distances`."""
        low = np.floor(np.nan_to_num(points_m) / self._here.config.voxel_size_m - 0.5).astype(np.int64)
        corners = np.stack([(low + step) >> 3 for step in (_AROUND + 1) // 2], axis=1)
        keys = keys_of(corners)
        if self._found is not None:  # which must stay as it is: only of the blocks it has can be told
            missing = np.setdiff1d(self._places(np.unique(keys)), self._found[1])
            if len(missing):
                raise self._too_many(missing)
            return self._found[0].distances(points_m)
        distance, normal = np.empty(len(points_m)), np.empty((len(points_m), 3))
        with self._alone():
            for some in self._fitting_groups(np.arange(len(points_m)), keys):
                reading = self._with(self._places(np.unique(keys[some])))
                distance[some], normal[some] = reading.distances(points_m[some])
        return distance, normal

    def _fitting_groups(self, numbers: NDArray[np.int64], keys: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        if len(numbers) <= 1 or self._fits(self._places(np.unique(keys[numbers]))):
            yield numbers
            return
        for half in (numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]):
            yield from self._fitting_groups(half, keys)

    def _places(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in `_keys` of those of these ascending, distinct keys that stand there."""
        return np.flatnonzero(np.isin(self._keys, keys, assume_unique=True))

    # --- a question

    def search(self, query: NDArray | None, least: float, chosen: search.Filter) -> search.Candidates:
        """As `SurfaceReading.search`; `left_out` says how many blocks may hold more and found no room.

        What is found stands in the blocks set aside until `close`.
        """
        places = self._within(chosen)
        slots = self._shelf.slot[self._shelf.places(self._keys[places])]
        surface, blind = 0, 0
        if query is not None:
            voxels = self._summaries.voxels(slots)  # before it is told whether they are those of this epoch
            highest = self._summaries.highest(slots, np.asarray(query, np.float32), self._number)
            possible = highest + _SLACK >= least
            surface, blind = voxels[~possible].sum(0).tolist()
            places, highest = places[possible], highest[possible]
            places = places[np.argsort(-highest, kind="stable")]
        blocks, pages = self._room()
        number = int(np.searchsorted(np.cumsum(-(-self._rows[places] // PAGE)), pages, "right"))
        taken = np.sort(places[: min(number, blocks)])
        if len(taken) and not self._is_held:
            self._hold = _holding(self._lock)  # it is known before it takes the lock: whatever strikes, `close` lets go
            next(self._hold)
        reading = self._with(taken) if len(taken) else self._here
        self._found = (reading, taken) if len(taken) else None
        found = reading.search(query, least, chosen)
        return replace(
            found, scanned=found.scanned + surface, without_feature=found.without_feature + blind,
            left_out=len(places) - len(taken),
        )  # fmt: skip

    def _within(self, chosen: search.Filter) -> NDArray[np.int64]:
        """Places in `_keys` of the blocks that a filter's place meets."""
        box, ball = search.limits_in_voxels(chosen, self._here.config.voxel_size_m)
        return search.blocks_in_box(self._keys, box, ball)

    # --- all of it

    def fetched(self) -> Iterator[tuple[int, BlockArrays]]:
        """Key and content of each block that is on file alone, by ascending key."""
        return self._fetch(self._keys)

    def pieces(self, work: Callable[[SurfaceReading, NDArray[np.int64]], T], most: int | None = None) -> Iterator[T]:
        """Results of `work` for some blocks after the other, by ascending key, each once.

        work: (a reading that has them and all blocks around them, until `work` returns; their ascending keys).
        most: blocks at once, where what `work` makes of them must stay small.
        """
        keys = np.union1d(keys_in_order(self._here.pools), self._keys)
        most = most or len(keys)
        start, number = 0, 1024
        while start < len(keys):
            number = min(2 * number, most, len(keys) - start)
            while not self._fits(places := self._around(keys[start : start + number])) and number > 1:
                number //= 2
            with self._alone():
                done = work(self._with(places), keys[start : start + number])
            yield done
            start += number

    def _around(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        steps = (_AROUND[:, 0] << 42) + (_AROUND[:, 1] << 21) + _AROUND[:, 2]
        return self._places(np.unique(keys[:, None] + steps))
