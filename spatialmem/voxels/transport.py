"""Where the voxels of a layer come from when parts of it move, each rigidly (docs/format.md, section 10).

The warp is inverse: for a voxel of the new map, each motion that may end there is taken back, and counts where the old
voxel that this leads to belongs to it. Where the parts come apart by less than a voxel, the old voxel that comes
nearest fills the gap; where they come to lie upon each other, all of them count.
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.keys import (
    BLOCK,
    NO_BLOCK,
    VOXELS,
    empty_table,
    find,
    keys_of,
    pack_key,
    refill_table,
    unpack_keys,
    voxel_at,
)

STAYS, NOTHING = 0, -1
"""motion of a voxel that stays; of one that nobody observed"""
MOST = 4
"""parts of the old map that may come to lie upon each other in a voxel; of more, the first count"""
AT_ONCE = 64
"""blocks that are worked out together"""
_SORTED_AT_ONCE = 1024


class Sources(NamedTuple):
    """The old blocks that anything moves out of, N of them."""

    table_keys: NDArray[np.int64]
    table_places: NDArray[np.int32]
    """hash table: place of a block by its key"""
    motion: NDArray[np.signedinteger]
    """(N, 512) number of the motion of each voxel"""
    anew: NDArray[np.bool_]
    """(N,) whether frames can make the block anew, so that only blocks of which that is not so need its content"""


@leaf
def carried(m, x, y, z):
    """A point after the rigid motion m (3, 4)."""
    return (
        m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3],
        m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3],
        m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3],
    )


@leaf
def _place_of(sources, vx, vy, vz):
    """Place * 512 + voxel in the sources of integer voxel coordinates, -1 where there is no such block."""
    place = find(sources.table_keys, sources.table_places, pack_key(vx >> 3, vy >> 3, vz >> 3))
    if place == NO_BLOCK:
        return np.int64(-1)
    return np.int64(place) * VOXELS + ((vz & 7) * BLOCK + (vy & 7)) * BLOCK + (vx & 7)


@leaf
def choose_sources(start, stop, keys, whole, starts, candidates, sources, to, back, voxel, motions, places, counts):
    """Which old voxels come to lie in each voxel of the new blocks with these keys (C,).

    whole: (C,) bool, blocks that also need what frames can make anew elsewhere. starts (C + 1,), candidates: motions
    that may end in each block. to, back: (M, 3, 4) the motions and their inverses. Writes motions (C, 512, MOST) and
    places (C, 512, MOST), -1 where there are no more, and counts (C,), voxels that anything comes to lie in.
    """
    for n in range(start, stop):
        counts[n] = 0
        for i in range(VOXELS):
            vx, vy, vz = voxel_at(keys[n], i)
            px, py, pz = (vx + 0.5) * voxel, (vy + 0.5) * voxel, (vz + 0.5) * voxel
            found, least = 0, voxel
            here = _place_of(sources, vx, vy, vz)
            filled = here >= 0 and sources.motion[here // VOXELS, here % VOXELS] == STAYS
            for k in range(MOST):
                motions[n, i, k], places[n, i, k] = NOTHING, -1
            for c in range(starts[n], starts[n + 1]):
                g = candidates[c]
                qx, qy, qz = carried(back[g], px, py, pz)
                at = _place_of(
                    sources, int(math.floor(qx / voxel)), int(math.floor(qy / voxel)), int(math.floor(qz / voxel))
                )
                if at < 0 or (sources.anew[at // VOXELS] and not whole[n]):
                    continue
                own = sources.motion[at // VOXELS, at % VOXELS]
                if own == g and found < MOST:
                    motions[n, i, found], places[n, i, found] = g, at
                    found, filled = found + 1, True
                elif own != NOTHING and own != g and not filled:
                    ex, ey, ez = carried(to[own], qx, qy, qz)
                    gap = math.sqrt((ex - px) ** 2 + (ey - py) ** 2 + (ez - pz) ** 2)
                    if gap < least:
                        least = gap
                        motions[n, i, 0], places[n, i, 0] = g, at
            counts[n] += motions[n, i, 0] != NOTHING


@final
class Transport:
    """The motion of one layer's voxels."""

    def __init__(
        self, keys: NDArray[np.int64], motion: NDArray[np.signedinteger], anew: NDArray[np.bool_],
        to: NDArray[np.float64], voxel_m: float, whole: NDArray[np.int64], reads_beside: bool,
    ) -> None:  # fmt: skip
        """keys (N,), motion (N, 512), anew (N,): as in `Sources`; to: (M, 4, 4) motions, the first of which is none.

        whole: ascending keys of the blocks that also need what frames can make anew elsewhere. reads_beside: whether
        what comes from a voxel is also made of the voxels around it.
        """
        self._voxel_m, self._reads_beside = voxel_m, reads_beside
        self.keys, self.motion = keys, motion
        self._whole = whole
        table_keys, table_places = empty_table(max(1, len(keys)))
        refill_table(table_keys, table_places, keys, np.arange(len(keys)))
        self._sources = Sources(table_keys, table_places, motion, anew)
        self._to = np.ascontiguousarray(to[:, :3])
        self._back: NDArray[np.float64] = np.ascontiguousarray(np.linalg.inv(to)[:, :3], np.float64)
        self._list_candidates()
        counts, pairs = np.zeros(len(self._targets), np.int64), [np.zeros((0, 2), np.int64)]
        for first in range(0, len(self._targets), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            _, places, counts[some] = self._chosen(np.arange(len(self._targets))[some])
            pairs.append(self._read_for(places, self._targets[some]))
        found = np.concatenate(pairs)
        self._from_to = found[np.argsort(found[:, 1], kind="stable")]
        self.targets: NDArray[np.int64] = self._targets[counts > 0]
        """ascending keys of the blocks that anything comes to lie in"""

    @property
    def back(self) -> NDArray[np.float64]:
        """(M, 3, 4) the motions, taken back."""
        return self._back

    def _read_for(self, places: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.int64]:
        """(P, 2) keys of the blocks read for each of some targets (C,), and of these; places (C, 512, MOST)."""
        n, i, k = np.nonzero(places >= 0)
        block, voxel = np.divmod(places[n, i, k], VOXELS)
        source, within = unpack_keys(self.keys[block]), np.stack([voxel % 8, voxel // 8 % 8, voxel // 64], 1)
        found = []
        for step in np.ndindex(3, 3, 3) if self._reads_beside else ((1, 1, 1),):
            towards = np.array(step) - 1
            edge = np.where(towards < 0, 0, BLOCK - 1)
            met = ((towards == 0) | (within == edge)).all(1)
            found.append(np.stack([keys_of(source[met] + towards), targets[n[met]]], 1))
        return np.unique(np.concatenate(found), axis=0)

    def _list_candidates(self) -> None:
        """Which motions may end in which blocks."""
        edge_m = BLOCK * self._voxel_m
        source, motion = _distinct(self.motion)
        centre = (unpack_keys(self.keys[source]) + 0.5) * edge_m
        moved = np.einsum("nij,nj->ni", self._to[motion, :, :3], centre) + self._to[motion, :, 3]
        half = edge_m / 2 * np.abs(self._to[motion, :, :3]).sum(2) + self._voxel_m
        low = np.floor((moved - half) / edge_m).astype(np.int64)
        span = np.floor((moved + half) / edge_m).astype(np.int64) - low
        pairs = [np.zeros((0, 3), np.int64)]
        for step in np.ndindex(*(span.max(0, initial=0) + 1)):
            inside = (np.array(step) <= span).all(1)
            pairs.append(np.stack([keys_of(low[inside] + step), motion[inside], source[inside]], 1))
        found = np.concatenate(pairs)
        wanted = ~self._sources.anew[found[:, 2]] | np.isin(found[:, 0], self._whole)
        ends = np.unique(found[wanted][:, :2], axis=0)
        self._targets, starts = np.unique(ends[:, 0], return_index=True)
        self._starts = np.append(starts, len(ends)).astype(np.int64)
        self._candidates = ends[:, 1].astype(np.int32)

    def sources_of(self) -> NDArray[np.int64]:
        """(P, 2) keys: content of the first block is read for what lies in the second one now, one of `targets`."""
        return self._from_to

    def origins(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ascending keys of the blocks whose content is read for what lies in any of these now."""
        low, high = (np.searchsorted(self._from_to[:, 1], keys, side) for side in ("left", "right"))
        pieces = [self._from_to[a:b, 0] for a, b in zip(low.tolist(), high.tolist(), strict=True)]
        return np.unique(np.concatenate([self._from_to[:0, 0], *pieces]))

    def chosen(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """(C, 512, MOST) motions and places * 512 + voxel among `self.keys`, for any blocks; -1: nothing comes."""
        motions = np.full((len(keys), VOXELS, MOST), NOTHING, np.int32)
        places = np.full((len(keys), VOXELS, MOST), -1, np.int64)
        here = np.flatnonzero(np.isin(keys, self._targets))
        if len(here):
            motions[here], places[here], _ = self._chosen(np.searchsorted(self._targets, keys[here]))
        return motions, places

    def _chosen(self, at: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        count = len(at)
        lengths = self._starts[at + 1] - self._starts[at]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        candidates = np.concatenate([self._candidates[:0], *(self._candidates[self._starts[n] : self._starts[n + 1]]
                                                             for n in at)])  # fmt: skip
        keys = self._targets[at]
        motions, places = np.empty((count, VOXELS, MOST), np.int32), np.empty((count, VOXELS, MOST), np.int64)
        counts = np.zeros(count, np.int64)
        DISPATCHER.run(
            choose_sources, count, keys, np.isin(keys, self._whole), starts, candidates, self._sources, self._to,
            self._back, self._voxel_m, motions, places, counts,
        )  # fmt: skip
        return motions, places, counts


def _distinct(motion: NDArray[np.signedinteger]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(block, motion) of every motion, other than none, of which a block has a voxel."""
    blocks, found = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, len(motion), _SORTED_AT_ONCE):
        ordered = np.sort(motion[start : start + _SORTED_AT_ONCE], axis=1)
        first = np.ones(ordered.shape, np.bool_)
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        block, at = np.nonzero(first & (ordered > STAYS))
        blocks.append(block + start)
        found.append(ordered[block, at].astype(np.int64))
    return np.concatenate(blocks), np.concatenate(found)
