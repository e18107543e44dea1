"""A track: the observations that are taken for one thing, and what they add up to."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.objects.looking import AGREES, THROUGH, SeenFrame
from spatialmem.things import Move, Observations

_POINTS = 128
"""of a track at most"""
_CELL_M, _COARSER = 0.025, 1.3
"""points of a track are as far apart at first; where there are too many, so much further"""
_OUT_AFTER = 2
"""views that saw through a point, and none that saw it since, after which it is taken off"""
_APART_M, _APART_DEG = 0.1, 8.0
"""camera poses that differ by one of these are two views"""
_MOST_VIEWS = 64
_MOST_SIGHTINGS = 32
"""of a track that are kept, the best and the last: what is known of a thing does not grow with every frame"""
_SHOWN_SAMPLES = 2.0
_TRIM = 0.02
"""share of the points that may lie outside of the box on each side of it"""


class Sighting(NamedTuple):
    """An observation of a track."""

    lsn: int
    detection: int
    """number in the frame's observations"""
    quality: int
    """0 to 1000: how well the image shows it"""
    pixels: int
    box_xyxy: tuple[float, float, float, float]
    """of the image, inclusive, centres at integers"""


@final
class Track:
    """Mutable; for the fold alone."""

    def __init__(self, number: int, dim: int) -> None:
        self.number = number
        """from 1, in the order in which tracks came into being"""
        self.object_id = 0
        """0: seen from too few views to be an object"""
        self.points_m = np.empty((0, 3))
        """(N, 3) map frame"""
        self._missed = np.empty(0, np.uint8)
        self._cell_m = _CELL_M
        self.low_m = self.high_m = np.zeros(3)
        self.feature_sum = np.zeros(dim)
        self.labels: dict[str, float] = defaultdict(float)
        self.sightings: list[Sighting] = []
        self.views: list[NDArray[np.float64]] = []
        """(6,) camera centre and optical axis of poses that differ"""
        self.first_lsn = self.first_ns = 0
        self.last_lsn = self.last_ns = 0
        self.looked_lsn = 0
        """the last frame that had its place in view and could tell"""
        self.known_lsn = 0
        """the frame from which on the place where it was first seen was in sight"""
        self.held_lsn = 0
        """the last frame in which a surface was where its points are, whether or not it was found there"""
        self.misses: list[NDArray[np.float64]] = []
        """views that saw through its place since it was last seen"""
        self.gone_lsn = 0
        """frame from which it is known to be gone; 0: it is not"""
        self.moves: list[Move] = []
        self.left_lsn = 0
        """the last frame that saw it where it was before it was moved"""
        self.divided = self.whole = 0
        """frames in which it was two detections, and one"""

    @property
    def gone(self) -> bool:
        """Whether its place was seen through."""
        return self.gone_lsn > 0

    @property
    def middle_m(self) -> NDArray[np.float64]:
        """(3,) of its box."""
        return (self.low_m + self.high_m) / 2.0

    @property
    def extent_m(self) -> NDArray[np.float64]:
        """(3,) of its box."""
        return self.high_m - self.low_m

    @property
    def feature(self) -> NDArray[np.float64] | None:
        """(D,) unit norm; None without any."""
        norm = float(np.linalg.norm(self.feature_sum))
        return None if norm < 1e-9 else self.feature_sum / norm

    @property
    def label(self) -> str:
        """What it was called most; of equal ones the first by alphabet."""
        return max(sorted(self.labels), key=lambda name: self.labels[name]) if self.labels else ""

    # --- what frames add

    def add(self, n: int, frame: SeenFrame) -> None:
        """Take an observation for one of this thing."""
        seen = frame.seen
        local = seen.points_of(n).astype(np.float64)
        self._add_points(local @ frame.map_from_camera[:3, :3].T + frame.map_from_camera[:3, 3])
        quality = quality_of(seen, n)
        if seen.features is not None:
            self.feature_sum = self.feature_sum + seen.features[n].astype(np.float64) * (1.0 + quality)
        if seen.labels[n]:
            self.labels[seen.labels[n]] += float(seen.scores[n])
        left, top, right, bottom = (float(v) for v in seen.boxes_xyxy[n])
        self.sightings.append(Sighting(frame.lsn, n, quality, int(seen.pixels[n]), (left, top, right, bottom)))
        self._trim()
        view = view_of(frame)
        if len(self.views) < _MOST_VIEWS and all(differ(view, other) for other in self.views):
            self.views.append(view)
        if not self.first_lsn:
            self.first_lsn, self.first_ns = frame.lsn, frame.stamp_ns
        self.last_lsn, self.last_ns = frame.lsn, frame.stamp_ns
        self.looked_lsn = self.held_lsn = frame.lsn
        self.misses.clear()
        self.gone_lsn = 0

    def _trim(self) -> None:
        """Keep the last sighting and the best of the others, those at its present place before any from elsewhere."""
        more = len(self.sightings) - _MOST_SIGHTINGS
        if more > 0:
            others = sorted(self.sightings[:-1], key=lambda s: (s.lsn > self.left_lsn, s.quality, s.lsn))
            gone = set(others[:more])
            self.sightings = [s for s in self.sightings if s not in gone]

    def _add_points(self, points: NDArray[np.float64]) -> None:
        self.points_m = np.concatenate([self.points_m, points])
        self._missed = np.concatenate([self._missed, np.zeros(len(points), np.uint8)])
        self._thin()

    def _thin(self) -> None:
        """One point a cell, the oldest; larger cells where there are too many."""
        while True:
            cells = np.floor(self.points_m / self._cell_m).astype(np.int64)
            _, first = np.unique(cells, axis=0, return_index=True)
            if len(first) <= _POINTS:
                break
            self._cell_m *= _COARSER
        first.sort()
        self.points_m, self._missed = self.points_m[first], self._missed[first]
        self._measure()

    def _measure(self) -> None:
        self.low_m, self.high_m = np.quantile(self.points_m, (_TRIM, 1.0 - _TRIM), axis=0)

    def judge_points(self, verdict: NDArray[np.uint8]) -> None:
        """Take off points (N,) that were seen through twice and not seen since: masks run over edges."""
        missed = np.where(verdict == THROUGH, self._missed + 1, np.where(verdict == AGREES, 0, self._missed))
        self._missed = missed.astype(np.uint8)
        stays = missed < _OUT_AFTER
        if not stays.all() and stays.sum() >= max(6, len(stays) // 2):
            self.points_m, self._missed = self.points_m[stays], self._missed[stays]
            self._measure()

    def large_in(self, frame: SeenFrame) -> bool:
        """Whether an image would show it over two samples at least: of what is smaller, nothing can be said."""
        z = float((self.middle_m - frame.map_from_camera[:3, 3]) @ frame.map_from_camera[:3, 2])
        across = float(np.sort(self.extent_m)[1]) / max(z, 0.1) * frame.seen.camera.fx
        return across >= _SHOWN_SAMPLES * frame.seen.stride

    def miss(self, frame: SeenFrame) -> None:
        """A frame saw through its place; the second one from another pose says that it is gone."""
        view = view_of(frame)
        if all(differ(view, other) for other in self.misses):
            self.misses.append(view)
        if len(self.misses) >= 2:
            self.gone_lsn = frame.lsn

    # --- what two tracks add up to

    def absorb(self, other: Track) -> None:
        """Take everything of another track, which is the same thing in the same place."""
        self.feature_sum = self.feature_sum + other.feature_sum
        for name, weight in other.labels.items():
            self.labels[name] += weight
        here = [s for s in other.sightings if s.lsn > other.left_lsn]
        self.sightings = sorted([*self.sightings, *here])
        self._trim()
        self.moves = [*self.moves, *other.moves]
        self.views = [*self.views, *(v for v in other.views if all(differ(v, mine) for mine in self.views))]
        self.views = self.views[:_MOST_VIEWS]
        if other.first_lsn < self.first_lsn:
            self.first_lsn, self.first_ns, self.known_lsn = other.first_lsn, other.first_ns, other.known_lsn
        if other.last_lsn > self.last_lsn:
            self.last_lsn, self.last_ns = other.last_lsn, other.last_ns
        self.looked_lsn = max(self.looked_lsn, other.looked_lsn)
        self.held_lsn = max(self.held_lsn, other.held_lsn)
        self.misses, self.gone_lsn = [], 0
        self._cell_m = max(self._cell_m, other._cell_m)
        self._add_points(other.points_m)

    def move_to(self, other: Track) -> None:
        """Become what is at another track's place: the same thing, which was moved there."""
        came_from, after_ns, self.left_lsn = self.middle_m, self.last_ns, max(self.last_lsn, other.left_lsn)
        self.points_m, self._missed, self._cell_m = other.points_m, other._missed, other._cell_m
        self._measure()
        self.feature_sum = self.feature_sum + other.feature_sum
        for name, weight in other.labels.items():
            self.labels[name] += weight
        self.sightings = sorted([*self.sightings, *other.sightings])
        self._trim()
        self.views = list(other.views)
        self.moves = [*self.moves, Move(_triple(came_from), _triple(self.middle_m), after_ns, other.first_ns)]
        self.moves += other.moves
        self.last_lsn, self.last_ns, self.looked_lsn = other.last_lsn, other.last_ns, other.looked_lsn
        self.held_lsn = other.held_lsn
        self.misses, self.gone_lsn = list(other.misses), other.gone_lsn

    def split_off(self, part: Track, points: NDArray[np.bool_]) -> None:
        """Give some of the points (N,) to another track; what is known of the whole stays here."""
        part._add_points(self.points_m[points])
        self.points_m, self._missed = self.points_m[~points], self._missed[~points]
        self._measure()
        self.divided = self.whole = 0


def _triple(point: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in point)
    return x, y, z


def view_of(frame: SeenFrame) -> NDArray[np.float64]:
    """(6,) camera centre and optical axis, map frame."""
    pose = frame.map_from_camera
    return np.concatenate([pose[:3, 3], pose[:3, 2]])


def differ(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two views (6,) are from different poses."""
    cosine = float(np.clip(one[3:] @ other[3:], -1.0, 1.0))
    return bool(np.linalg.norm(one[:3] - other[:3]) >= _APART_M or np.degrees(np.arccos(cosine)) >= _APART_DEG)


def quality_of(seen: Observations, n: int) -> int:
    """0 to 1000: how well an image shows a detection: large, whole, and near the middle."""
    camera = seen.camera
    left, top, right, bottom = (float(v) for v in seen.boxes_xyxy[n])
    size = min(1.0, (float(seen.pixels[n]) / (0.03 * camera.width * camera.height)) ** 0.5)
    whole = left > 0.5 and top > 0.5 and right < camera.width - 1.5 and bottom < camera.height - 1.5
    across = abs((left + right) / 2.0 - camera.cx) / camera.width, abs((top + bottom) / 2.0 - camera.cy) / camera.height
    middle = 1.0 - min(1.0, 2.0 * max(across))
    return int(round(1000.0 * (0.55 * size + 0.3 * whole + 0.15 * middle)))
