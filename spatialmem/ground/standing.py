"""Where a body can stand: the tops of what is occupied that have free room above them, anywhere in height.

Nothing is flattened to one slice, so floors above each other, stairs and galleries are all there, each at its height.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.voxels.compiled import kernel, leaf
from spatialmem.voxels.free_reading import FREE, OCCUPIED, FreeSpace

_SEEN_FREE = 0.5
"""share of the room above a place that must have been seen free"""
_ROUNDING = 1e-6
_FURTHEST_M = 0.6
"""clearance is not looked for beyond"""
GAP, _CLIMB = 3, 2
"""columns without known ground that may lie between connected places, and voxels by which these may then differ beyond
a step"""
_LOWEST_M, _HIGHEST_M, _AROUND_M, _AS_HIGH_M = 0.1, 2.5, 0.5, 0.4
"""a camera is carried within these heights, over ground so near in the plane, and as high as usual but for this"""


@dataclass(frozen=True)
class Body:
    """An upright cylinder that walks."""

    radius_m: float = 0.18
    height_m: float = 1.5
    step_m: float = 0.25
    """the height of a step that it can take; what is lower is no obstacle"""

    def __post_init__(self) -> None:
        if not (0.0 < self.radius_m <= _FURTHEST_M and 0.0 < self.step_m < self.height_m < 5.0):
            raise InvalidValue(
                f"a body has a radius of at most {_FURTHEST_M} m, and a step lower than its height; given {self}"
            )

    def step(self, voxel_m: float) -> int:
        """Voxels of a step that it can take, at least one."""
        return max(1, math.floor(self.step_m / voxel_m + _ROUNDING))

    def head(self, voxel_m: float) -> int:
        """Voxels that it is high."""
        return max(1, math.ceil(self.height_m / voxel_m - _ROUNDING))


@dataclass(frozen=True, eq=False)
class Standing:
    """Places to stand, N voxels of the free-space layer: the lowest one that the body takes, its ground below."""

    free: FreeSpace
    body: Body
    voxel: NDArray[np.int32]
    """(N, 3) index into `free.state`, by column (x, y) and then rising"""
    starts: NDArray[np.int64]
    """(X * Y + 1,) where the places of column x * Y + y begin"""
    clearance_m: NDArray[np.float32]
    """(N,) to the middle of the nearest column with an obstacle at the height of the body, at most 0.6 m"""
    below: NDArray[np.uint16]
    """(X, Y, Z + 1) how many voxels of a column below each height are occupied"""

    def __len__(self) -> int:
        return len(self.voxel)

    @cached_property
    def ground_m(self) -> NDArray[np.float64]:
        """(N, 3) points of the ground, map frame."""
        return self.free.origin_m + (self.voxel + (0.5, 0.5, 0.0)) * self.free.voxel_size_m

    @property
    def step(self) -> int:
        """Voxels of a step that can be taken."""
        return self.body.step(self.free.voxel_size_m)

    @property
    def head(self) -> int:
        """Voxels that the body is high."""
        return self.body.head(self.free.voxel_size_m)

    @property
    def clear(self) -> NDArray[np.bool_]:
        """(N,) where the body touches nothing."""
        return self.clearance_m >= self.body.radius_m

    def components(self, passable: NDArray[np.bool_], step: int | None = None) -> NDArray[np.int32]:
        """(N,) number of the connected piece of each passable place, from 0, -1 for the others.

        Two places are connected when their columns share a side and they differ by at most `step` voxels in height
        (default: a step that the body can take). So are places with up to three columns between them whose ground was
        not seen, if nothing stands there, and then by a voxel more for each, two at most: treads of stairs are small,
        and some are hidden by others.
        """
        labels = np.full(len(self), -1, np.int32)
        step = self.step if step is None else step
        _label(self.below, self.voxel, self.starts, step, self.head, passable, labels)
        return labels

    def grown(self, core: NDArray[np.bool_], by_m: float) -> NDArray[np.bool_]:
        """(N,) the core, and places no more columns away over ground than lie in `by_m`: the rim along walls, on which
        the middle of the body cannot be."""
        found = core.copy()
        _grow(self.below, self.voxel, self.starts, self.step, self.head, round(by_m / self.free.voxel_size_m), found)
        return found

    def under(self, cameras_m: NDArray[np.floating], among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(M,) the place on whose ground each camera (M, 3) of one body is carried, -1 where none is near.

        It is the nearest of the places `among` (N,), within half a metre, over which the camera is about as high as it
        mostly is where the ground right below it is known: a table it leans over is not taken for ground.
        """
        cameras = np.asarray(cameras_m, np.float64).reshape(-1, 3)
        at = (cameras - self.free.origin_m) / self.free.voxel_size_m
        args = self.voxel, self.starts, np.array(self.free.state.shape, np.int64), among
        low, high, around = (v / self.free.voxel_size_m for v in (_LOWEST_M, _HIGHEST_M, _AROUND_M))
        right = np.full(len(at), -1, np.int64)
        _nearest(*args, at, low, high, 0.0, right)
        seen = right >= 0
        down = at[seen, 2] - self.voxel[right[seen], 2]
        usual = float(np.median(down)) if seen.any() else self.body.height_m / self.free.voxel_size_m
        off, found = _AS_HIGH_M / self.free.voxel_size_m, np.full(len(at), -1, np.int64)
        _nearest(*args, at, usual - off, usual + off, around, found)
        return found


def standing_of(free: FreeSpace, body: Body | None = None) -> Standing:
    """All places to stand in a crop of the free-space layer, whose z axis must point up."""
    body = Body() if body is None else body
    head, step = body.head(free.voxel_size_m), body.step(free.voxel_size_m)
    below = _occupied_below(free.state)
    places, starts = _places(free.state, head, math.ceil(_SEEN_FREE * head))
    reach = math.ceil(_FURTHEST_M / free.voxel_size_m)
    offsets = np.array([(i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)])
    far_m = np.hypot(*offsets.T) * free.voxel_size_m
    order = np.argsort(far_m, kind="stable")
    order = order[far_m[order] <= _FURTHEST_M]
    clearance = np.full(len(places), _FURTHEST_M, np.float32)
    _clear(below, places, step, head, offsets[order].astype(np.int64), far_m[order], clearance)
    return Standing(free, body, places, starts, clearance, below)


def _occupied_below(state: NDArray[np.uint8]) -> NDArray[np.uint16]:
    counts = np.zeros((*state.shape[:2], state.shape[2] + 1), np.uint16)
    np.cumsum(state == OCCUPIED, axis=2, out=counts[:, :, 1:])
    return counts


@kernel
def _places(state, head, enough):
    """Voxels (N, 3) right above something occupied, with nothing occupied in `head` voxels from there on, at least
    `enough` of which were seen free; and where each column begins."""
    columns, tall = state.shape[0] * state.shape[1], state.shape[2]
    starts = np.zeros(columns + 1, np.int64)
    found = np.empty((max(1, columns), 3), np.int32)
    frees = np.zeros(tall + 1, np.int64)
    count = 0
    for x in range(state.shape[0]):
        for y in range(state.shape[1]):
            first, clear = count, tall  # the lowest occupied voxel above
            for z in range(tall - 1, -1, -1):
                frees[z] = frees[z + 1] + (state[x, y, z] == FREE)
                if state[x, y, z] != OCCUPIED:
                    continue
                top = min(tall, z + 1 + head)
                if clear >= top and top > z + 1 and frees[z + 1] - frees[top] >= enough:
                    if count == len(found):
                        more = np.empty((2 * len(found), 3), np.int32)
                        more[:count] = found
                        found = more
                    found[count, 0], found[count, 1], found[count, 2] = x, y, z + 1
                    count += 1
                clear = z
            for n in range((count - first) // 2):  # rising
                other = count - 1 - n
                found[first + n, 2], found[other, 2] = found[other, 2], found[first + n, 2]
            starts[x * state.shape[1] + y + 1] = count
    return found[:count].copy(), starts


@leaf
def _clear(below, places, step, head, offsets, far_m, clearance):
    """Distance to the nearest column that has something occupied above a step and below the head."""
    width, depth, tall = below.shape[0], below.shape[1], below.shape[2] - 1
    for n in range(places.shape[0]):
        x, y, z = places[n]
        low, high = min(z + step, tall), min(z + head, tall)
        for k in range(offsets.shape[0]):
            i, j = x + offsets[k, 0], y + offsets[k, 1]
            if 0 <= i < width and 0 <= j < depth and below[i, j, high] > below[i, j, low]:
                clearance[n] = far_m[k]
                break


@leaf
def _nearest(places, starts, shape, among, at, low, high, around, found):
    """For each point (M, 3), in voxels, the place nearest in the plane, at most `around` columns off, that lies `low`
    to `high` below it; of several in a column the lowest."""
    reach = int(math.ceil(around))
    for n in range(at.shape[0]):
        x, y, least = int(math.floor(at[n, 0])), int(math.floor(at[n, 1])), np.inf
        for i in range(max(0, x - reach), min(shape[0], x + reach + 1)):
            for j in range(max(0, y - reach), min(shape[1], y + reach + 1)):
                away = math.sqrt((i - x) ** 2 + (j - y) ** 2)
                if away > around or away >= least:
                    continue
                for place in range(starts[i * shape[1] + j], starts[i * shape[1] + j + 1]):
                    if among[place] and away < least and low <= at[n, 2] - places[place, 2] <= high:
                        found[n], least = place, away


@leaf
def beside(places, starts, width, depth, n, di, dj, step):
    """The place whose height is nearest to that of place n, within `step` voxels, in the column (di, dj) away from it,
    of width x depth; -1 without one."""
    x, y, z = places[n, 0] + di, places[n, 1] + dj, places[n, 2]
    if x < 0 or y < 0 or x >= width or y >= depth:
        return -1
    best, least = -1, step + 1
    for other in range(starts[x * depth + y], starts[x * depth + y + 1]):
        gap = abs(places[other, 2] - z)
        if gap < least:
            best, least = other, gap
    return best


@leaf
def next_to(below, places, starts, n, di, dj, step, head):
    """`beside`, or the place beyond columns in which nothing is between their lower step and their higher head; -1
    without one. What is next to another has that next to itself."""
    width, depth, tall = below.shape[0], below.shape[1], below.shape[2] - 1
    for far in range(1, GAP + 2):
        other = beside(places, starts, width, depth, n, far * di, far * dj, step + min(far - 1, _CLIMB))
        if other < 0:
            continue
        low = max(min(places[n, 2], places[other, 2]) - step - 1, 0)
        high = min(max(places[n, 2], places[other, 2]) + head, tall)
        for k in range(1, far):
            x, y = places[n, 0] + k * di, places[n, 1] + k * dj
            if below[x, y, high] > below[x, y, low]:
                return -1
        return other
    return -1


@kernel
def _label(below, places, starts, step, head, passable, labels):
    """Number the connected pieces of the passable places, in the order of their first ones."""
    queue = np.empty(len(places), np.int64)
    count = 0
    for seed in range(len(places)):
        if not passable[seed] or labels[seed] >= 0:
            continue
        labels[seed] = count
        queue[0], at, end = seed, 0, 1
        while at < end:
            n = queue[at]
            at += 1
            for side in range(4):
                di, dj = (side == 0) - (side == 1), (side == 2) - (side == 3)
                other = next_to(below, places, starts, n, di, dj, step, head)
                if other >= 0 and passable[other] and labels[other] < 0:
                    labels[other] = count
                    queue[end] = other
                    end += 1
        count += 1


@kernel
def _grow(below, places, starts, step, head, rounds, found):
    """Mark what is next to what is marked, so many times."""
    queue, at, end = np.empty(len(places), np.int64), 0, 0
    for n in range(len(places)):
        if found[n]:
            queue[end] = n
            end += 1
    for _ in range(rounds):
        last = end
        while at < last:
            n = queue[at]
            at += 1
            for side in range(4):
                di, dj = (side == 0) - (side == 1), (side == 2) - (side == 3)
                other = next_to(below, places, starts, n, di, dj, step, head)
                if other >= 0 and not found[other]:
                    found[other] = True
                    queue[end] = other
                    end += 1
