"""Two tracks that are one thing, and one track that is two: what frames say of it adds up before anything is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.objects.looking import SeenFrame, look
from spatialmem.objects.matching import Sight, share_in_box
from spatialmem.objects.track import Track

_WITHIN = 0.6
"""share of the points in sight of a track from which it counts as within a detection"""
_PART = 0.25
"""least share of them in each of two detections, for it to be divided"""
_INSIDE = 0.7
"""least share of the points of each of these in the box of the track"""
_JOINING, _DIVIDING, _SURER = 2, 3, 1.5
"""frames that say so before tracks are joined or divided; for joining more than say otherwise, and for dividing so many
times as many, so that what is found as one and as two in turn stays one"""
_ALL = 0.6
"""share of a track's points that must be in sight for one detection to say that it is one"""
_LEAST_IN_SIGHT = 5
_ALIKE = 0.7
"""least cosine of two tracks without names that are one thing"""
_SLACK_M = 0.02


@final
class Regrouping:
    """Counts, for the fold alone."""

    def __init__(self) -> None:
        self._together: Counter[tuple[int, int]] = Counter()
        self._apart: Counter[tuple[int, int]] = Counter()
        self._known: dict[int, Track] = {}
        self._seen: list[Track] = []

    def note(self, sight: Sight, pairs: Sequence[tuple[int, int]], frame: SeenFrame) -> None:
        """What a frame says: which tracks lie in one detection, which in two, and which are two detections."""
        clear = np.flatnonzero(sight.agrees >= _LEAST_IN_SIGHT)
        best = {int(i): int(np.argmax(sight.shown[i])) for i in clear if sight.shown[i].max(initial=0.0) >= _WITHIN}
        groups: dict[int, list[int]] = {}
        for i, n in best.items():
            groups.setdefault(n, []).append(i)
        for members in groups.values():
            for a, b in combinations(members, 2):
                self._count(self._together, sight.tracks[a], sight.tracks[b])
        for (a, _), (b, _) in combinations(pairs, 2):
            if touching(sight.tracks[a], sight.tracks[b]):
                self._count(self._apart, sight.tracks[a], sight.tracks[b])
        for i, n in pairs:
            track = sight.tracks[i]
            if _other_part(sight, i, n, frame) is not None:
                track.divided += 1
            elif sight.shown[i, n] >= 1.0 - _PART and sight.agrees[i] >= _ALL * len(sight.verdicts[i]):
                track.whole += 1
        self._seen = [sight.tracks[int(i)] for i in clear]

    def _count(self, counter: Counter[tuple[int, int]], one: Track, other: Track) -> None:
        a, b = sorted((one, other), key=lambda t: t.number)
        counter[a.number, b.number] += 1
        self._known[a.number], self._known[b.number] = a, b

    def drop(self, track: Track) -> None:
        """It is no more."""
        for counter in (self._together, self._apart):
            for key in [key for key in counter if track.number in key]:
                del counter[key]
        self._known.pop(track.number, None)

    def joined(self) -> list[tuple[Track, Track]]:
        """Pairs that are one thing, the older one first."""
        found = []
        for (a, b), times in sorted(self._together.items()):
            one, other = self._known[a], self._known[b]
            if not (times >= _JOINING and times > self._apart[a, b] and touching(one, other)):
                continue
            if not (one.gone or other.gone or other_name(one, other)):
                found.append((one, other))
        for one, other in combinations(sorted(self._seen, key=lambda t: t.number), 2):
            if not self._apart[one.number, other.number] and _same_place(one, other):
                found.append((one, other))
        return found

    def divided(self, pairs: Sequence[tuple[int, int]], sight: Sight, frame: SeenFrame) -> list[tuple[Track, int]]:
        """Tracks that are two things, with the detection of this frame that shows the second one."""
        found = []
        for i, n in pairs:
            track = sight.tracks[i]
            if track.divided >= _DIVIDING and track.divided > _SURER * track.whole:
                other = _other_part(sight, i, n, frame)
                if other is not None:
                    found.append((track, other))
        return found

    def part(self, whole: Track, n: int, frame: SeenFrame) -> NDArray[np.bool_]:
        """(N,) which points of a track are of the part that a detection shows: those in its mask, or nearer to these
        than to others that are in sight."""
        of = look(whole.points_m, frame).detection_of
        mine, others = of == n + 1, (of != n + 1) & (of > 0)
        if not mine.any() or not others.any():
            return np.zeros(len(of), np.bool_)
        distances = np.linalg.norm(whole.points_m[:, None] - whole.points_m[None], axis=2)
        return distances[:, mine].min(axis=1) < distances[:, others].min(axis=1)


def other_name(one: Track, other: Track) -> bool:
    """Whether two tracks have names, and not the same: keys that were taken from a table are no part of it."""
    return bool(one.label and other.label) and one.label != other.label


def touching(one: Track, other: Track) -> bool:
    """Whether the boxes of two tracks touch, or nearly so."""
    return bool(np.maximum(one.low_m - other.high_m, other.low_m - one.high_m).max() <= 0.1)


def _same_place(one: Track, other: Track) -> bool:
    """Whether two tracks that were never seen side by side are one thing: they have one name or look alike, and the
    smaller one lies in the other's box, or, without names, where both are about as large."""
    if one.label != other.label or not touching(one, other) or one.gone or other.gone:
        return False
    if one.label:
        return max(_inside(one, other), _inside(other, one)) >= _INSIDE
    mine, its = one.feature, other.feature
    if mine is None or its is None or float(mine @ its) < _ALIKE:
        return False
    return min(_inside(one, other), _inside(other, one)) >= _INSIDE


def _inside(one: Track, other: Track) -> float:
    """Share of the points of one track in the box of another."""
    low, high = other.low_m - _SLACK_M, other.high_m + _SLACK_M
    return float(((one.points_m >= low) & (one.points_m <= high)).all(axis=1).mean())


def _other_part(sight: Sight, i: int, n: int, frame: SeenFrame) -> int | None:
    """A second detection that shows a part of a track, which the first one, `n`, does not show."""
    shares = sight.shown[i].copy()
    first = shares[n]
    shares[n] = 0.0
    other = int(np.argmax(shares)) if len(shares) > 1 else n
    if other == n or first < _PART or shares[other] < _PART or sight.agrees[i] < _LEAST_IN_SIGHT:
        return None
    track = sight.tracks[i]
    both = min(share_in_box(track, frame, n), share_in_box(track, frame, other))
    return other if both >= _INSIDE else None
