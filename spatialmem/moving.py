"""What evicted frames left moves with the frames that saw it (docs/format.md, section 10).

Their images are gone, so what they left cannot be replayed. Every voxel of the blocks they touched follows the frames
that saw it, which may be some that still have their images: so two walls that drift has made of one come together
again, though both stand in one block. What moves is sampled anew where it comes to lie. Frames that are left are
replayed there, too; where they see a surface, it is where they see it, and what was moved fills in the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import OutOfRoom, TooMuchAtOnce
from spatialmem.key_lists import among
from spatialmem.layers import Layers, block_arrays
from spatialmem.motions import Motions
from spatialmem.store.block_codec import (
    CODEC_EXACT,
    FreeBlock,
    SurfaceBlock,
    pack_free_block,
    pack_surface_block,
    unpack_free_block,
    unpack_surface_block,
)
from spatialmem.store.block_store import Layer, Spilled
from spatialmem.store.rows import BlockRow
from spatialmem.voxels import carry, free_carry
from spatialmem.voxels.blocks import block_of, keys_in_order, read_block
from spatialmem.voxels.change import around, distinct_blocks
from spatialmem.voxels.keys import BLOCK, NO_BLOCK, VOXELS, unpack_keys
from spatialmem.voxels.transport import AT_ONCE, STAYS, Transport

if TYPE_CHECKING:
    from spatialmem.gone import Gone

_NONE = np.zeros(0, np.int64)
EVERYTHING = np.ones(VOXELS, np.bool_)


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

    @classmethod
    def of(
        cls, keys: NDArray[np.int64], motion: NDArray[np.signedinteger], motions: Motions, voxel_m: float,
        left: NDArray[np.int64], whole: NDArray[np.int64], reads_beside: bool,
    ) -> MovingLayer:  # fmt: skip
        """keys (N,): what the frames that move had touched; motion: (N, 512) which one each voxel follows.

        whole: those of `left` that also need what frames can make anew elsewhere. reads_beside: as in `Transport`.
        """
        return cls(Transport(keys, motion, ~np.isin(keys, left), motions.every, voxel_m, whole, reads_beside), left)

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
        """Keys of the blocks that go on holding what evicted frames left."""
        return np.setdiff1d(self.left, self.vacated)

    @cached_property
    def as_they_are(self) -> NDArray[np.int64]:
        """Keys of those of them that stay bit for bit."""
        return np.setdiff1d(self.kept, self.rewritten)

    @cached_property
    def rewritten(self) -> NDArray[np.int64]:
        """Keys of the blocks that are put together of what frames make anew, what stays and what comes."""
        return np.union1d(self.transport.targets, np.setdiff1d(self.moved, self.vacated))

    def stays_in(self, key: int) -> NDArray[np.bool_]:
        """(512,) voxels of a block that stay where they are."""
        at = int(np.searchsorted(self.transport.keys, key))
        there = at < len(self.transport.keys) and self.transport.keys[at] == key
        return self.transport.motion[at] == STAYS if there else EVERYTHING


@final
class Moving:
    """What moves in both layers. It looks at the map as it stands, a few blocks at a time, and puts what
    becomes of them aside on disk until it is put in: the old and the new map need not fit into RAM together."""

    def __init__(
        self, layers: Layers, gone: Gone, motions: Motions, touched: Keys, changed: Keys, folder: Path | None
    ) -> None:
        """touched: what the frames that move had touched; changed: and what they touch now. folder: where what becomes
        of blocks waits; None: among the temporary files.

        Raises `OutOfRoom` where so much cannot be made anew at once.
        """
        self.motions = motions
        self._layers, self._gone = layers, gone
        left, left_free = self._held(gone.every_left(), gone.every_cell())
        whole, whole_free = np.intersect1d(changed.surface, left), np.intersect1d(changed.free, left_free)
        surface, free = self._held(touched.surface if len(whole) else _NONE, touched.free if len(whole_free) else _NONE)
        _require_room(layers, surface, free)
        motion, motion_free = self._followed(surface), self._followed_free(free)
        self.surface = MovingLayer.of(
            surface, motion, motions, layers.config.voxel_size_m, left, whole, reads_beside=True
        )
        self.free = MovingLayer.of(
            free, motion_free, motions, layers.config.free_voxel_m, left_free, whole_free, reads_beside=False
        )
        self._content = Spilled(folder=folder)

    def _held(self, *keys: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Those of the blocks, of surface and free space, that hold anything; the others frames make anew."""
        layers, residence = self._layers, self._layers.residence
        here = [keys_in_order(layers.surface.pools, 0), keys_in_order(layers.free.pools, 0)]
        if residence is not None:
            here = [np.union1d(found, shelf.away_keys) for found, shelf in zip(here, residence.shelves, strict=True)]
        return [np.intersect1d(some, held) for some, held in zip(keys, here, strict=True)]

    def _parts(
        self, keys: NDArray[np.int64], needed: Callable[[NDArray[np.int64]], Keys]
    ) -> Iterator[NDArray[np.int64]]:
        """The keys a few at a time, with the blocks that are needed for them in RAM."""
        for first in range(0, len(keys), AT_ONCE):
            yield from self._part(keys[first : first + AT_ONCE], needed)

    def _part(
        self, keys: NDArray[np.int64], needed: Callable[[NDArray[np.int64]], Keys]
    ) -> Iterator[NDArray[np.int64]]:
        residence, wanted = self._layers.residence, needed(keys)
        try:
            if residence is not None:
                residence.ready_known(wanted.surface, wanted.free)
        except TooMuchAtOnce:
            if len(keys) == 1:
                raise
            half = len(keys) // 2
            yield from self._part(keys[:half], needed)
            yield from self._part(keys[half:], needed)
        else:
            yield keys

    # --- which motion voxels follow

    def _followed(self, keys: NDArray[np.int64]) -> NDArray[np.signedinteger]:
        grid, motions = self._layers.surface, self.motions
        out, nearest = np.empty((len(keys), VOXELS), motions.number.dtype), self._of_the_nearest(keys)
        for some in self._parts(keys, lambda part: Keys(around(part), _NONE)):
            at, blocks = np.searchsorted(keys, some), distinct_blocks(grid.pools, some).astype(np.int64)
            out[at] = carry.followed(grid.pools, grid.grid, blocks, motions.number, motions.every, nearest[at])
        return out

    def _of_the_nearest(self, keys: NDArray[np.int64]) -> NDArray[np.signedinteger]:
        """(N,) motion of the evicted frame that touched a block from nearest by, of several the first."""
        edge_m = BLOCK * self._layers.config.voxel_size_m
        least, motion = np.full(len(keys), np.inf), np.zeros(len(keys), self.motions.number.dtype)
        for lsn, left in self._gone.lists() if len(keys) else ():
            at = np.searchsorted(keys, left[among(left, keys)])
            away = np.linalg.norm((unpack_keys(keys[at]) + 0.5) * edge_m - self._stood(lsn), axis=1)
            nearer = away < least[at]
            least[at[nearer]], motion[at[nearer]] = away[nearer], self.motions.number[lsn]
        return motion

    def _stood(self, lsn: int) -> NDArray[np.float64]:
        """(3,) where the camera of a frame was thought to be."""
        centre, motion = self._layers.centre_of(lsn), self.motions.own.get(lsn)
        return centre if motion is None else motion[:3, :3].T @ (centre - motion[:3, 3])

    def _followed_free(self, keys: NDArray[np.int64]) -> NDArray[np.signedinteger]:
        pools, number = self._layers.free.pools, self.motions.number
        out = np.empty((len(keys), VOXELS), number.dtype)
        for some in self._parts(keys, lambda part: Keys(_NONE, part)):
            blocks = distinct_blocks(pools, some).astype(np.int64)
            out[np.searchsorted(keys, some)] = free_carry.followed(pools, blocks, number)
        return out

    # --- what becomes of the blocks

    def gather(self, anew: Keys) -> None:
        """Work out what the blocks will hold; anew: those that frames are replayed into first."""
        made, made_free = set(anew.surface.tolist()), set(anew.free.tolist())
        transport, free_transport = self.surface.transport, self.free.transport

        def needed(part: NDArray[np.int64]) -> Keys:
            return Keys(np.union1d(around(transport.origins(part)), part), _NONE)

        def needed_free(part: NDArray[np.int64]) -> Keys:
            return Keys(_NONE, np.union1d(free_transport.origins(part), part))

        for some in self._parts(self.surface.rewritten, needed):
            self._content.put(self._gathered(some, made), ())
        for some in self._parts(self.free.rewritten, needed_free):
            self._content.put((), self._gathered_free(some, made_free))

    def _gathered(self, keys: NDArray[np.int64], made: set[int]) -> list[BlockRow]:
        grid, layer, rows = self._layers.surface, self.surface, []
        motions, _ = layer.transport.chosen(keys)
        arrivals = carry.gathered(grid.pools, keys, motions, layer.transport.back, grid.config.voxel_size_m)
        left = set(np.intersect1d(keys, layer.left).tolist())
        for n, key in enumerate(keys.tolist()):
            content, block = carry.settled(arrivals, n), block_of(grid.pools, key)
            if block >= 0 and key in left:
                content = carry.joined(read_block(grid.pools, block), layer.stays_in(key), content)
            elif block >= 0 and key not in made:
                content = carry.completed(read_block(grid.pools, block), content)
            rows.append(BlockRow(key, 0, CODEC_EXACT, pack_surface_block(SurfaceBlock(*content))))
        return rows

    def _gathered_free(self, keys: NDArray[np.int64], made: set[int]) -> list[BlockRow]:
        pools, layer, rows = self._layers.free.pools, self.free, []
        _, places = layer.transport.chosen(keys)
        blocks = np.full(len(layer.transport.keys), NO_BLOCK, np.int64)
        for place in np.unique(places[places >= 0] // VOXELS):
            blocks[place] = block_of(pools, int(layer.transport.keys[place]))
        left = set(np.intersect1d(keys, layer.left).tolist())
        for key, comes in zip(keys.tolist(), free_carry.gathered(pools, blocks, places), strict=True):
            content, block = comes, block_of(pools, key)
            if block >= 0 and key in left:
                content = free_carry.joined(free_carry.read_block(pools, block), layer.stays_in(key), comes)
            elif block >= 0 and key not in made:
                content = free_carry.completed(free_carry.read_block(pools, block), comes)
            rows.append(BlockRow(key, 0, CODEC_EXACT, pack_free_block(FreeBlock(*content))))
        return rows

    def put(self, anew: Keys) -> None:
        """Put it into the new map, whose blocks are there; anew: as `gather` was told."""
        made, made_free = set(anew.surface.tolist()), set(anew.free.tolist())
        grid, free, lsn = self._layers.surface, self._layers.free, self._layers.last_lsn
        for row in self._put_aside("surface", self.surface.rewritten):
            content = block_arrays(unpack_surface_block(row.data))
            if row.key in made:
                content = carry.completed(read_block(grid.pools, block_of(grid.pools, row.key)), content)
            grid.rewrite(row.key, content, lsn)
        for row in self._put_aside("free", self.free.rewritten):
            block = unpack_free_block(row.data)
            content = free_carry.FreeArrays(block.log_odds, block.last_free, block.last_occupied)
            if row.key in made_free:
                there = free_carry.read_block(free.pools, block_of(free.pools, row.key))
                content = free_carry.completed(there, content)
            free.load(row.key, lsn, *content, lsn)

    def _put_aside(self, layer: Layer, keys: NDArray[np.int64]) -> Iterator[BlockRow]:
        for first in range(0, len(keys), AT_ONCE):
            yield from self._content.read(layer, keys[first : first + AT_ONCE].tolist())


def _require_room(layers: Layers, surface: NDArray[np.int64], free: NDArray[np.int64]) -> None:
    """Old blocks become as many new ones, more or less: what cannot fit is refused before it is worked out."""
    for what, keys, pools in (("voxel", surface, layers.surface.pools), ("free-space", free, layers.free.pools)):
        if len(keys) > len(pools.keys):
            raise OutOfRoom(
                f"the frames that move have touched {len(keys)} {what} blocks, and {len(pools.keys)} fit into RAM; "
                "correct fewer frames at a time, or open the memory with a larger ram_bytes"
            )
