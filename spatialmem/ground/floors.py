"""Floors: the large level pieces of ground that the camera was carried over, and the stairs between them.

Never one slice of the height: a floor may lie in several levels a step apart, and what is above it may be another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.ground.standing import Standing, beside
from spatialmem.voxels.compiled import leaf

BETWEEN, NOT_REACHED = -1, -2
"""floors of places that are reached and belong to none, as stairs do, and of those that are not"""
_LEAST_M2 = 2.0
"""of a level piece that makes a floor: a landing is smaller"""
_LEVEL_M, _APART_M = 0.3, 0.6
"""ground so near in height to a level piece belongs to its floor; pieces so much above the lowest are another one"""
_THICK_M = 0.1
"""by which ground may be higher than what lies on it"""
_SAME_STAIRS_M = 2.0
"""ways between two floors whose ends are no further from each other are one"""
_FLAT_COLUMNS, _FLAT_VOXELS = 3, 1
"""within so many columns level ground differs by so many voxels; treads of stairs differ by more"""


@dataclass(frozen=True)
class Floor:
    """A floor, numbered from the lowest one known."""

    floor: int
    height_m: float
    """of the ground of its largest level piece, median, map frame"""
    area_m2: float
    """of its ground as far as it was seen and is connected"""


@dataclass(frozen=True)
class Stairs:
    """A way between two floors that was taken."""

    lower: int
    upper: int
    foot_m: tuple[float, float, float]
    """where the lower floor was left or reached, map frame"""
    head_m: tuple[float, float, float]
    """the same of the upper one"""


@dataclass(frozen=True, eq=False)
class Floors:
    """What is known of the floors of a map."""

    standing: Standing
    floors: tuple[Floor, ...]
    """rising"""
    stairs: tuple[Stairs, ...]
    floor_of: NDArray[np.int16]
    """(N,) number of the floor of each place of `standing`, or `BETWEEN`, or `NOT_REACHED`"""

    def floor_at(self, height_m: float) -> int | None:
        """The floor that a thing at this height of the map belongs to: the highest whose ground is not above it by more
        than 10 cm; the lowest for what lies below all; None where no floor is known."""
        if not math.isfinite(height_m):
            raise InvalidValue(f"a height must be a finite number of metres; given {height_m}")
        under = [floor.floor for floor in self.floors if floor.height_m <= height_m + _THICK_M]
        return under[-1] if under else self.floors[0].floor if self.floors else None


def floors_of(standing: Standing, tracks_m: Sequence[NDArray[np.floating]]) -> Floors:
    """Floors of a map.

    Reached is what is connected, by steps that the body can take and through gaps as wide as it is, with ground over
    which a camera was carried, and the rim of that along walls. A floor is made of level pieces of it, over each of
    which a camera was carried, and of all reached ground at their heights.

    Args:
        standing: places to stand.
        tracks_m: where cameras were, (M, 3) each in the map frame and in the order of time, one entry for each that was
            carried without a break: between entries nobody climbed stairs.
    """
    clear = standing.clear
    unders = [standing.under(track, clear) for track in tracks_m]
    trodden = np.unique(np.concatenate([np.empty(0, np.int64), *(under[under >= 0] for under in unders)]))
    core = _with(standing.components(clear), trodden)
    reached = standing.grown(core, standing.body.radius_m)
    level = np.zeros(len(standing), np.bool_)
    shape = np.array(standing.free.state.shape, np.int64)
    _mark_level(standing.voxel, standing.starts, shape, standing.step, level)
    pieces_m = _levels(standing, level & reached, trodden)
    floor_of = np.where(reached, BETWEEN, NOT_REACHED).astype(np.int16)
    height_m, floors = standing.ground_m[:, 2], list[Floor]()
    for number, pieces in enumerate(pieces_m):
        gaps = np.abs(height_m[:, None] - np.array([piece for piece, _ in pieces])).min(axis=1)
        mine = reached & (gaps <= _LEVEL_M) & (floor_of < 0)
        floor_of[mine] = number
        area_m2 = float(np.count_nonzero(mine)) * standing.free.voxel_size_m**2
        floors.append(Floor(number, max(pieces, key=lambda piece: piece[1])[0], area_m2))
    return Floors(standing, tuple(floors), tuple(_taken(standing, floor_of, unders)), floor_of)


def _with(labels: NDArray[np.int32], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) whether a place lies in a piece that holds one of some places."""
    return np.isin(labels, np.unique(labels[places])) & (labels >= 0)


def _levels(standing: Standing, level: NDArray[np.bool_], trodden: NDArray[np.int64]) -> list[list[tuple[float, int]]]:
    """Height, metres, and number of places of the large level pieces that were trodden, floor by floor, rising."""
    labels = standing.components(level, step=_FLAT_VOXELS)
    sizes = np.bincount(labels[labels >= 0])
    large = np.flatnonzero(sizes * standing.free.voxel_size_m**2 >= _LEAST_M2)
    pieces = sorted(
        (float(np.median(standing.ground_m[labels == piece, 2])), int(sizes[piece]))
        for piece in np.intersect1d(large, labels[trodden])
    )
    found = list[list[tuple[float, int]]]()
    for piece in pieces:
        if not found or piece[0] - found[-1][0][0] > _APART_M:
            found.append([])
        found[-1].append(piece)
    return found


def _taken(standing: Standing, floor_of: NDArray[np.int16], unders: Sequence[NDArray[np.int64]]) -> Iterator[Stairs]:
    """Ways on which a camera came from one floor to another; those whose ends are near each other are one."""
    ground, known = standing.ground_m, list[tuple[int, int, NDArray[np.float64]]]()
    for foot, head in _changes(floor_of, unders):
        lower, upper, ends = int(floor_of[foot]), int(floor_of[head]), ground[[foot, head]]
        if not any(
            (lower, upper) == (a, b) and np.linalg.norm(ends - others, axis=1).max() <= _SAME_STAIRS_M
            for a, b, others in known
        ):
            known.append((lower, upper, ends))
            yield Stairs(lower, upper, _point(ends[0]), _point(ends[1]))


def _changes(floor_of: NDArray[np.int16], unders: Sequence[NDArray[np.int64]]) -> Iterator[tuple[int, int]]:
    """(lower, higher) places on two floors between which a track was on none."""
    for under in unders:
        on = under[under >= 0]
        on = on[floor_of[on] >= 0]
        for one, other in zip(on[:-1].tolist(), on[1:].tolist(), strict=True):
            if floor_of[one] != floor_of[other]:
                yield (one, other) if floor_of[one] < floor_of[other] else (other, one)


def _point(point_m: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = point_m.tolist()
    return x, y, z


@leaf
def _mark_level(places, starts, shape, step, level):
    """Which places have, on all sides as far as ground goes on within a few columns, ground at about their height."""
    for n in range(places.shape[0]):
        level[n] = True
        for side in range(4):
            di, dj = (side == 0) - (side == 1), (side == 2) - (side == 3)
            at = n
            for _ in range(_FLAT_COLUMNS):
                at = beside(places, starts, shape[0], shape[1], at, di, dj, step)
                if at < 0:
                    break
                if abs(places[at, 2] - places[n, 2]) > _FLAT_VOXELS:
                    level[n] = False
