"""What evicted frames left moves with the frames that saw it last (docs/format.md, section 10).

Their images are gone, so the blocks they touched cannot be replayed. Every voxel of these follows the frame that saw it
last, which may be one that still has its images: so two walls that drift has made of one come together again, though
both stand in one block. What moves is sampled anew where it comes to lie, and joined to what stands there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.layers import Layers
from spatialmem.motions import Motions
from spatialmem.voxels import carry, free_carry
from spatialmem.voxels.blocks import block_of, keys_in_order, read_block
from spatialmem.voxels.change import around, distinct_blocks
from spatialmem.voxels.keys import BLOCK, VOXELS, unpack_keys
from spatialmem.voxels.transport import AT_ONCE, STAYS, Transport

if TYPE_CHECKING:
    from spatialmem.gone import Gone

_NONE = np.zeros(0, np.int64)
_EVERYTHING = np.ones(VOXELS, np.bool_)


@dataclass(frozen=True, eq=False)
class Keys:
    """Ascending keys of blocks of both layers."""

    surface: NDArray[np.int64]
    free: NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class MovingLayer:
    """One layer's part of it."""

    transport: Transport
    left: NDArray[np.int64]
    """ascending keys of all blocks that evicted frames touched and that hold anything"""
    blocks: NDArray[np.int64]
    """(N,) the blocks of `transport.keys` in the pools of the old map"""

    @classmethod
    def of(
        cls, keys: NDArray[np.int64], blocks: NDArray[np.int64], motion: NDArray[np.int32], motions: Motions,
        voxel_m: float, left: NDArray[np.int64], whole: NDArray[np.int64],
    ) -> MovingLayer:  # fmt: skip
        """keys, blocks (N,): what the frames that move had touched; motion: (N, 512) whose motion each voxel follows.

        whole: those of `left` that also need what frames can make anew elsewhere.
        """
        return cls(Transport(keys, motion, ~np.isin(keys, left), motions.every, voxel_m, whole), left, blocks)

    @cached_property
    def moved(self) -> NDArray[np.int64]:
        """Keys of the blocks that something moves out of and that no frames can make anew."""
        return self._left_of(np.any(self.transport.motion > STAYS, axis=1))

    @cached_property
    def vacated(self) -> NDArray[np.int64]:
        """Those in which nothing is left: frames make them anew, as if no evicted one had touched them."""
        empty = self._left_of(~np.any(self.transport.motion == STAYS, axis=1))
        return np.setdiff1d(empty, self.transport.targets)

    def _left_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.intersect1d(self.transport.keys[chosen], self.left)

    @cached_property
    def kept(self) -> NDArray[np.int64]:
        """Keys of the blocks that no frame is replayed into."""
        return np.setdiff1d(self.left, self.vacated)

    @cached_property
    def rewritten(self) -> NDArray[np.int64]:
        """Keys of the blocks that are put together of what stays and what comes."""
        return np.union1d(self.transport.targets, np.setdiff1d(self.moved, self.vacated))

    def stays_in(self, key: int) -> NDArray[np.bool_]:
        """(512,) voxels of a block that stay where they are."""
        at = np.flatnonzero(self.transport.keys == key)
        return _EVERYTHING if len(at) == 0 else self.transport.motion[at[0]] == STAYS

    def in_turn(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
        """The rewritten blocks, some at a time, and whether anything comes to lie in them."""
        targets = self.transport.targets
        for keys, comes in ((targets, True), (np.setdiff1d(self.rewritten, targets), False)):
            for first in range(0, len(keys), AT_ONCE):
                some = keys[first : first + AT_ONCE]
                yield some, np.full(len(some), comes)


@final
class Moving:
    """What moves in both layers; made before anything is changed, of the map as it stands."""

    def __init__(self, layers: Layers, gone: Gone, motions: Motions, touched: Keys, changed: Keys) -> None:
        """touched: what the frames that move had touched; changed: and what they touch now. Blocks that are needed of
        it are brought into RAM."""
        self.motions = motions
        self._layers, self._gone = layers, gone
        left, left_free = self._held(gone.every_left(), gone.every_cell())
        whole, whole_free = np.intersect1d(changed.surface, left), np.intersect1d(changed.free, left_free)
        surface = touched.surface if len(whole) else _NONE
        free = touched.free if len(whole_free) else _NONE
        self._ready(around(surface), free)
        self._seen, self._seen_free = layers.surface.pools, layers.free.pools
        self.surface = self._moving_surface(surface, left, whole)
        self.free = self._moving_free(free, left_free, whole_free)

    def _held(self, *left: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Those of the blocks that hold anything; the others frames make anew."""
        layers, residence = self._layers, self._layers.residence
        here = [keys_in_order(layers.surface.pools, 0), keys_in_order(layers.free.pools, 0)]
        if residence is not None:
            here = [np.union1d(keys, shelf.away_keys) for keys, shelf in zip(here, residence.shelves, strict=True)]
        return [np.intersect1d(keys, held) for keys, held in zip(left, here, strict=True)]

    def _ready(self, surface: NDArray[np.int64], free: NDArray[np.int64]) -> None:
        if self._layers.residence is not None:
            self._layers.residence.ready_known(surface, free)

    def _moving_surface(
        self, touched: NDArray[np.int64], left: NDArray[np.int64], whole: NDArray[np.int64]
    ) -> MovingLayer:
        pools, config = self._seen, self._layers.config
        blocks = distinct_blocks(pools, touched).astype(np.int64)
        keys = pools.keys[blocks]
        number, every, grid = self.motions.number, self.motions.every, self._layers.surface.grid
        motion = carry.followed(pools, grid, blocks, number, every, self._of_the_nearest(keys))
        return MovingLayer.of(keys, blocks, motion, self.motions, config.voxel_size_m, left, whole)

    def _of_the_nearest(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """(N,) motion of the evicted frame that touched a block from nearest by, of several the first."""
        edge_m = BLOCK * self._layers.config.voxel_size_m
        least, motion = np.full(len(keys), np.inf), np.zeros(len(keys), np.int32)
        for lsn, left in self._gone.lists():
            at = np.flatnonzero(np.isin(keys, left, assume_unique=True))
            away = np.linalg.norm((unpack_keys(keys[at]) + 0.5) * edge_m - self._stood(lsn), axis=1)
            nearer = at[away < least[at]]
            least[nearer], motion[nearer] = away[away < least[at]], self.motions.number[lsn]
        return motion

    def _stood(self, lsn: int) -> NDArray[np.float64]:
        """(3,) where the camera of a frame was thought to be."""
        centre, motion = self._layers.centre_of(lsn), self.motions.own.get(lsn)
        return centre if motion is None else motion[:3, :3].T @ (centre - motion[:3, 3])

    def _moving_free(
        self, touched: NDArray[np.int64], left: NDArray[np.int64], whole: NDArray[np.int64]
    ) -> MovingLayer:
        pools, voxel_m = self._seen_free, self._layers.config.free_voxel_m
        blocks = distinct_blocks(pools, touched).astype(np.int64)
        motion = free_carry.followed(pools, blocks, self.motions.number)
        return MovingLayer.of(pools.keys[blocks], blocks, motion, self.motions, voxel_m, left, whole)

    # --- putting it together

    def bring(self, changed: Keys, fresh: Keys) -> None:
        """Have what is needed of the old map in RAM, with room for the new one beside it.

        changed: what is not as before or of which the file is to know what it contains; fresh: what begins empty.
        """
        surface, free = self.surface, self.free
        old = np.union1d(around(surface.transport.keys), surface.rewritten)
        old = np.union1d(old, np.intersect1d(changed.surface, surface.kept))
        old_free = np.union1d(free.transport.keys, free.rewritten)
        old_free = np.union1d(old_free, np.intersect1d(changed.free, free.kept))
        self._ready(old, old_free)
        if self._layers.residence is not None:
            self._layers.residence.room_beside(old, old_free, fresh.surface, fresh.free)
        self._seen, self._seen_free = self._layers.surface.pools, self._layers.free.pools
        for layer, pools in ((surface, self._seen), (free, self._seen_free)):  # they may have left RAM and come back
            layer.blocks[:] = [block_of(pools, key) for key in layer.transport.keys]

    def put(self, anew: Keys) -> None:
        """Write the blocks that are put together; anew: those that frames have been replayed into for this."""
        self._put_surface(set(anew.surface.tolist()))
        self._put_free(set(anew.free.tolist()))

    def _put_surface(self, made: set[int]) -> None:
        layer, grid, lsn = self.surface, self._layers.surface, self._layers.last_lsn
        for keys, comes in layer.in_turn():
            if comes.any():
                motions, _ = layer.transport.chosen(keys)
                arrivals = carry.gathered(self._seen, keys, motions, layer.transport.back, grid.config.voxel_size_m)
            else:
                arrivals = carry.no_arrivals(len(keys), grid.feature_width)
            for n, key in enumerate(keys.tolist()):
                anew = key in made
                block = block_of(grid.pools if anew else self._seen, key)
                standing = read_block(grid.pools if anew else self._seen, block) if block >= 0 else None
                stays = _EVERYTHING if anew else layer.stays_in(key)
                grid.rewrite(key, carry.joined(standing, stays, arrivals, n), lsn)

    def _put_free(self, made: set[int]) -> None:
        layer, grid, lsn = self.free, self._layers.free, self._layers.last_lsn
        for keys, comes in layer.in_turn():
            shape = (len(keys), VOXELS)
            arrivals = free_carry.none(shape)
            if comes.any():
                _, places = layer.transport.chosen(keys)
                arrivals = free_carry.gathered(self._seen_free, layer.blocks, places)
            for n, key in enumerate(keys.tolist()):
                anew = key in made
                pools = grid.pools if anew else self._seen_free
                stays = _EVERYTHING if anew else layer.stays_in(key)
                content = free_carry.joined(pools, block_of(pools, key), stays, arrivals, n)
                grid.load(key, lsn, *content, lsn)
