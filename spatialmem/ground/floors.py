"""Floors: the large level pieces of ground that the camera was carried over, and the stairs between them.

Never one slice of the height: a floor may lie in several levels a step apart, and what is above it may be another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.ground.standing import Standing, beside
from spatialmem.voxels.compiled import leaf

BETWEEN, NOT_REACHED = -1, -2
"""floors of places that are reached and belong to none, as stairs do, and of those that are not"""
_LEAST_M2 = 2.0
"""of a level piece that makes a floor: a landing is smaller"""
_LEVEL_M, _APART_M = 0.3, 0.6
"""ground so near in height belongs to a floor; level pieces so much higher are another one"""
_SAME_STAIRS_M = 2.0
"""ways between two floors whose ends are no further from each other are one"""
_FLAT_COLUMNS, _FLAT_VOXELS = 3, 1
"""within so many columns level ground differs by so many voxels; treads of stairs differ by more"""


@dataclass(frozen=True)
class Floor:
    """A floor, numbered from the lowest one known."""

    floor: int
    height_m: float
    """of its ground, median, map frame"""
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
        """The floor that a thing at this height of the map belongs to: the highest whose ground is not above it; the
        lowest for what lies below all; None where no floor is known."""
        under = [floor.floor for floor in self.floors if floor.height_m <= height_m + _LEVEL_M]
        return under[-1] if under else self.floors[0].floor if self.floors else None


def floors_of(standing: Standing, cameras_m: NDArray[np.floating]) -> Floors:
    """Floors of a map.

    Reached is what is connected, by steps that the body can take, with ground over which the camera was carried. A
    floor is made of level pieces of that, over one of which at least it was carried; all reached ground at its height
    belongs to it.

    Args:
        standing: places to stand.
        cameras_m: (M, 3) where the camera was, map frame, in the order of time.
    """
    under = standing.under(cameras_m)
    trodden = np.unique(under[under >= 0])
    reached = _with(standing.components(np.ones(len(standing), np.bool_)), trodden)
    level = np.zeros(len(standing), np.bool_)
    shape = np.array(standing.free.state.shape, np.int64)
    _mark_level(standing.voxel, standing.starts, shape, standing.step, level)
    floors = tuple(_made_of(standing, level & reached, trodden))
    floor_of = np.where(reached, BETWEEN, NOT_REACHED).astype(np.int16)
    height_m, voxel_m2 = standing.ground_m[:, 2], standing.free.voxel_size_m**2
    for floor in floors:
        floor_of[reached & (np.abs(height_m - floor.height_m) <= _LEVEL_M)] = floor.floor
    areas = np.bincount(floor_of[floor_of >= 0], minlength=len(floors)) * voxel_m2
    floors = tuple(Floor(f.floor, f.height_m, float(area)) for f, area in zip(floors, areas, strict=True))
    return Floors(standing, floors, tuple(_taken(standing, floor_of, under)), floor_of)


def _with(labels: NDArray[np.int32], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) whether a place lies in a piece that holds one of some places."""
    return np.isin(labels, np.unique(labels[places])) & (labels >= 0)


def _made_of(standing: Standing, level: NDArray[np.bool_], trodden: NDArray[np.int64]) -> Iterator[Floor]:
    """Floors, rising, from the large level pieces that were trodden."""
    labels = standing.components(level, step=_FLAT_VOXELS)
    sizes = np.bincount(labels[labels >= 0])
    large = np.flatnonzero(sizes * standing.free.voxel_size_m**2 >= _LEAST_M2)
    pieces = np.intersect1d(large, labels[trodden])
    heights_m = {int(piece): float(np.median(standing.ground_m[labels == piece, 2])) for piece in pieces}
    floor: list[int] = []
    number = 0
    for piece in sorted(heights_m, key=lambda piece: heights_m[piece]):
        if floor and heights_m[piece] - heights_m[floor[-1]] > _APART_M:
            yield _floor(number, floor, heights_m, sizes)
            number, floor = number + 1, []
        floor.append(piece)
    if floor:
        yield _floor(number, floor, heights_m, sizes)


def _floor(number: int, pieces: list[int], heights_m: dict[int, float], sizes: NDArray[np.int64]) -> Floor:
    largest = max(pieces, key=lambda piece: (int(sizes[piece]), -piece))
    return Floor(number, heights_m[largest], 0.0)


def _taken(standing: Standing, floor_of: NDArray[np.int16], under: NDArray[np.int64]) -> Iterator[Stairs]:
    """Ways on which the camera came from one floor to another; those whose ends are near each other are one."""
    ground, known, last = standing.ground_m, list[tuple[int, int, NDArray[np.float64]]](), -1
    for place in under[under >= 0].tolist():
        if floor_of[place] < 0:
            continue
        if last >= 0 and floor_of[last] != floor_of[place]:
            foot, head = (last, place) if floor_of[last] < floor_of[place] else (place, last)
            lower, upper, ends = int(floor_of[foot]), int(floor_of[head]), ground[[foot, head]]
            if not any(
                (lower, upper) == (a, b) and np.linalg.norm(ends - others, axis=1).max() <= _SAME_STAIRS_M
                for a, b, others in known
            ):
                known.append((lower, upper, ends))
                yield Stairs(lower, upper, _point(ends[0]), _point(ends[1]))
        last = place


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
