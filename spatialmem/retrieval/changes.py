"""What is different between the map of one time and that of a later one.

Only what was looked at can be different. A thing has departed when frames saw through its surface and no surface is
there in the later map; one has appeared when surface that was first seen since stands where the earlier map had seen
free space, all around as well; a place is newly seen when the earlier map knew nothing of it.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import OutOfRoom
from spatialmem.retrieval.hits import Scene, evidence_for, evidence_of
from spatialmem.store.rows import DepartedRow, block_key
from spatialmem.types import Evidence
from spatialmem.voxels.free_reading import FREE, UNKNOWN, FreeReading
from spatialmem.voxels.keys import BLOCK
from spatialmem.voxels.region_times import seen_between, times_of
from spatialmem.voxels.regions import connected_regions
from spatialmem.voxels.search import Candidates, Filter
from spatialmem.voxels.surface_reading import SurfaceReading

LEAST_VOXELS = 48
"""a smaller region of surface is noise at an edge"""
LEAST_VOLUME_M3 = 0.1
"""less that is seen for the first time is the rim of what was seen before"""
_COVERED = 0.5
"""share of a region that must have been seen through"""
_CORE = 0.3
"""share of a region that must stand where free space had been seen all around"""
_FACING, _FACED = 0.3, 0.5
"""least cosine at which a camera sees surface for what it is; share of a region that must have been seen so"""
_CELL = 2
_STEPS = np.arange(-1, 2)
_AROUND = np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS, indexing="ij"), -1).reshape(-1, 3)
_NEWLY_SEEN_BY = 3


@dataclass(frozen=True, eq=False)
class Change(ABC):
    """Something that is not as it was. Positions are in the map frame, metres."""

    kind: ClassVar[str]
    stamp_ns: int
    """when it was found to be so"""
    position_m: NDArray[np.float64]
    """(3,) its middle, on its surface where it has one"""
    box_min_m: NDArray[np.float64]
    """(3,) lower corner of the axis-aligned box around it"""
    box_max_m: NDArray[np.float64]
    """(3,) upper corner"""
    evidence: tuple[Evidence, ...]
    """frames that show it"""

    @property
    def extent_m(self) -> NDArray[np.float64]:
        """(3,) edge lengths of the box, metres."""
        return self.box_max_m - self.box_min_m


@final
@dataclass(frozen=True, eq=False)
class Departed(Change):
    """What was there and is not any more; `stamp_ns`: when it was seen through. Evidence: the frames that saw it
    last, then the one that found it gone."""

    kind = "departed"
    rgb: tuple[int, int, int]
    """mean colour"""
    first_seen_ns: int
    last_seen_ns: int
    voxels: int
    """surface voxels that went"""


@final
@dataclass(frozen=True, eq=False)
class Appeared(Change):
    """What stands where free space had been seen; `stamp_ns`: when it was seen first."""

    kind = "appeared"
    rgb: tuple[int, int, int]
    """mean colour"""
    last_seen_ns: int
    voxels: int
    """surface voxels that came"""


@final
@dataclass(frozen=True, eq=False)
class NewlySeen(Change):
    """A connected part of space of which nothing was known; `stamp_ns`: of the first frame that saw at least half as
    much of it as any frame did."""

    kind = "newly seen"
    volume_m3: float
    free_m3: float
    """how much of it is free"""


@dataclass(frozen=True, eq=False)
class Instant:
    """The map of one time, as changes are told from it."""

    lsn: int
    surface: SurfaceReading
    free: FreeReading
    departed: Sequence[DepartedRow]
    scene: Scene


def changes_between(
    before: Instant, after: Instant, cells_of: Callable[[int], NDArray[np.int64]]
) -> tuple[Change, ...]:
    """What is different, in order of time.

    cells_of: keys of the free-space blocks that a frame (lsn) between the two saw.
    """
    then, now = _Surface.of(before), _Surface.of(after)
    found: list[Change] = [*_departed(then, now, before, after), *_appeared(then, now, before, after)]
    found += _newly_seen(before, after, cells_of)
    return tuple(sorted(found, key=lambda change: (change.stamp_ns, change.kind, tuple(change.position_m))))


@dataclass(frozen=True, eq=False)
class _Region:
    """A region of surface as it is told."""

    position_m: NDArray[np.float64]
    low_m: NDArray[np.float64]
    high_m: NDArray[np.float64]
    rgb: tuple[int, int, int]
    first_seen_ns: int
    last_seen_ns: int
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, eq=False)
class _Surface:
    """The surface voxels of a map."""

    of_map: Instant
    found: Candidates
    places: NDArray[np.int64]
    """(N,) see `Candidates`"""
    rows: NDArray[np.int64]
    """(N,)"""
    voxels: NDArray[np.int64]
    """(N, 3)"""

    @classmethod
    def of(cls, instant: Instant) -> _Surface:
        found = instant.surface.search(None, 0.0, Filter())
        if found.left_out:
            raise OutOfRoom(
                f"changes are told from the whole map, and {found.left_out} of its voxel blocks are on file alone and "
                "do not fit into what ram_bytes sets aside for reading; create the memory with a larger ram_bytes"
            )
        places = found.places()
        return cls(instant, found, places, found.rows(places), found.voxels(places))

    def centres(self, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """(M, 3) centres of some of the voxels, metres."""
        return np.asarray((self.voxels[chosen] + 0.5) * self.of_map.scene.voxel_size_m, np.float64)

    def apart_from(self, other: _Surface) -> NDArray[np.bool_]:
        """(N,) whether a voxel has none of another map's within one to two cells of two voxels."""
        cells = np.unique(_keys(other.voxels // _CELL))
        around = np.unique((cells[:, None] + _keys_of_steps()).ravel())
        return ~np.isin(_keys(self.voxels // _CELL), around)

    def faced(self, chosen: NDArray[np.int64]) -> bool:
        """Whether cameras saw most of these voxels from the front.

        Readings that mix an outline with what is behind it make a veil between the two, which is seen edge-on alone.
        """
        centres, scene = self.centres(chosen), self.of_map.scene
        _, last, _ = self.found.seen(self.rows[chosen])
        lsns, which = np.unique(last, return_inverse=True)
        rows = [scene.rows.get(int(lsn)) for lsn in lsns]
        eyes = [np.full(3, np.nan) if row is None else scene.map_from_camera(row)[:3, 3] for row in rows]
        towards = np.array(eyes)[which.reshape(-1)] - centres
        _, slope = self.of_map.surface.distances(centres)
        cosine = (towards * slope).sum(1) / np.linalg.norm(towards, axis=1)
        return bool((cosine > _FACING).mean() >= _FACED)  # a slope that is not known is none

    def region(self, chosen: NDArray[np.int64]) -> _Region:
        """What these voxels make up."""
        scene, rows, voxels = self.of_map.scene, self.rows[chosen], self.voxels[chosen]
        times, centres = times_of(self.found, rows, self.of_map.lsn), self.centres(chosen)
        first, last, _ = self.found.seen(rows)
        first_ns, last_ns = seen_between(first, last, scene.stamps_ns)
        red, green, blue = np.rint(self.found.pools.colour[rows].mean(0) / 256).astype(int).tolist()
        return _Region(
            centres[((centres - centres.mean(0)) ** 2).sum(1).argmin()],
            voxels.min(0) * scene.voxel_size_m, (voxels.max(0) + 1) * scene.voxel_size_m, (red, green, blue),
            int(first_ns.min()), int(last_ns.max()), evidence_for(self.found, self.places[chosen], times, scene),
        )  # fmt: skip


def _departed(then: _Surface, now: _Surface, before: Instant, after: Instant) -> list[Departed]:
    rows = [row for row in after.departed if before.lsn < row.valid_from <= after.lsn]
    low = np.array([row.box_min_m for row in rows]).reshape(-1, 3)
    high = np.array([row.box_max_m for row in rows]).reshape(-1, 3)
    gone = np.flatnonzero(then.apart_from(now))
    regions, changes = connected_regions(then.voxels[gone]), []
    for number in range(len(regions)):
        if regions.size(number) < LEAST_VOXELS:
            break
        chosen = gone[regions.members(number)]
        centres = then.centres(chosen)
        meet = np.flatnonzero(((low <= centres.max(0)) & (high >= centres.min(0))).all(1))
        inside = ((centres[:, None] >= low[meet]) & (centres[:, None] <= high[meet])).all(2)  # (voxels, rows)
        if np.any(inside, axis=1).mean() >= _COVERED and then.faced(chosen):
            row = rows[int(meet[inside.sum(0).argmax()])]
            changes.append(_departed_change(then.region(chosen), len(chosen), row, after.scene))
    return changes


def _departed_change(region: _Region, voxels: int, row: DepartedRow, scene: Scene) -> Departed:
    evidence, found_by = region.evidence, scene.rows.get(row.valid_from)
    if found_by is not None:
        corners = _corners(region.low_m, region.high_m)
        evidence = (*evidence, evidence_of(found_by, scene.map_from_camera(found_by), corners))
    return Departed(
        int(scene.stamps_ns[row.valid_from]), region.position_m, region.low_m, region.high_m, evidence, region.rgb,
        region.first_seen_ns, region.last_seen_ns, voxels,
    )  # fmt: skip


def _appeared(then: _Surface, now: _Surface, before: Instant, after: Instant) -> list[Appeared]:
    first, _, _ = now.found.seen(now.rows)
    new = np.flatnonzero((first > before.lsn) & now.apart_from(then))
    centres = now.centres(new)
    free = before.free.states(centres) == FREE
    new, core = new[free], _free_around(before.free, centres[free])
    regions, changes = connected_regions(now.voxels[new]), []
    for number in range(len(regions)):
        if regions.size(number) < LEAST_VOXELS:
            break
        chosen = regions.members(number)
        well_free = core[chosen].sum() >= LEAST_VOXELS and core[chosen].mean() >= _CORE
        if well_free and now.faced(new[chosen]):
            region = now.region(new[chosen])
            changes.append(Appeared(
                region.first_seen_ns, region.position_m, region.low_m, region.high_m, region.evidence, region.rgb,
                region.last_seen_ns, len(chosen),
            ))  # fmt: skip
    return changes


def _free_around(free: FreeReading, points_m: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) whether the free-space voxel of a point and the 26 around it were all free: far from any surface."""
    all_free = np.ones(len(points_m), np.bool_)
    for step in _AROUND:
        all_free &= free.states(points_m + step * free.voxel_m) == FREE
    return all_free


def _newly_seen(before: Instant, after: Instant, cells_of: Callable[[int], NDArray[np.int64]]) -> list[NewlySeen]:
    voxel_m = after.free.voxel_m
    voxels, states = after.free.known(before.lsn)
    new = before.free.states((voxels + 0.5) * voxel_m) == UNKNOWN
    voxels, states = voxels[new], states[new]
    regions, changes = connected_regions(voxels, gap=1), []
    frames = {lsn: cells_of(lsn) for lsn in list(after.scene.rows) if before.lsn < lsn <= after.lsn}
    for number in range(len(regions)):
        chosen = regions.members(number)
        if len(chosen) * voxel_m**3 < LEAST_VOLUME_M3:
            break
        blocks = np.unique(_keys(voxels[chosen] // BLOCK))
        seen = {lsn: int(np.isin(cells, blocks).sum()) for lsn, cells in frames.items()}
        if max(seen.values(), default=0) > 0:
            changes.append(_newly_seen_change(voxels[chosen], states[chosen], seen, after))
    return changes


def _newly_seen_change(voxels: NDArray, states: NDArray, seen: dict[int, int], after: Instant) -> NewlySeen:
    """seen: of how many of its blocks each frame saw something."""
    voxel_m, scene = after.free.voxel_m, after.scene
    best = sorted((lsn for lsn in seen if seen[lsn]), key=lambda lsn: (-seen[lsn], lsn))
    first = next(lsn for lsn in sorted(seen) if 2 * seen[lsn] >= seen[best[0]])
    low, high = voxels.min(0) * voxel_m, (voxels.max(0) + 1) * voxel_m
    rows = [scene.rows[lsn] for lsn in best[:_NEWLY_SEEN_BY]]
    evidence = tuple(evidence_of(row, scene.map_from_camera(row), _corners(low, high)) for row in rows)
    centres = (voxels + 0.5) * voxel_m
    middle = centres[((centres - centres.mean(0)) ** 2).sum(1).argmin()]
    free_m3 = float((states == FREE).sum()) * voxel_m**3
    return NewlySeen(
        int(scene.stamps_ns[first]), middle, low, high, evidence, len(voxels) * voxel_m**3, free_m3
    )  # fmt: skip


def _corners(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([[(low, high)[i >> a & 1][a] for a in range(3)] for i in range(8)])


def _keys(coordinates: NDArray[np.int64]) -> NDArray[np.int64]:
    x, y, z = coordinates.T
    return np.asarray(block_key(x, y, z), np.int64)


def _keys_of_steps() -> NDArray[np.int64]:
    return (_AROUND[:, 0] << 42) + (_AROUND[:, 1] << 21) + _AROUND[:, 2]
