"""From observations, frame by frame, to the things of the map and what becomes of them.

Observation -> track -> object: a detection is taken for one of a thing that is known when the points of that thing
that are in sight lie in its mask, and its own points in the box of the thing; else it begins a track, and a track seen
from a second pose is an object. What ConceptGraphs (Gu et al., ICRA 2024) only accumulates goes on from here: a thing
whose place two poses saw through is gone, and one like it that was found elsewhere since is the same, moved.

The result depends on the observations, their poses and their order alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

import numpy as np

from spatialmem.objects.explored import Explored
from spatialmem.objects.looking import SeenFrame
from spatialmem.objects.matching import Sight, matched, sight_of, stands_in
from spatialmem.objects.moving import moved_from, near
from spatialmem.objects.regroup import Regrouping
from spatialmem.objects.track import Track

_JUDGED, _LEAST_JUDGED = 0.4, 4
"""share and number of the points of a track of which a frame must say whether they are there"""
_THROUGH, _THERE = 0.6, 0.5
"""share of these that were seen through, or are there, from which the whole is"""


@final
class ObjectFold:
    """The things of the map after a number of frames."""

    def __init__(self, dim: int) -> None:
        """dim: width of features."""
        self.last_lsn = 0
        self._dim = dim
        self._tracks: list[Track] = []
        self._regrouping, self._explored = Regrouping(), Explored()
        self._numbered = self._named = 0
        self._changed: set[int] = set()

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All of them, those with too few views to be objects, and those gone, included."""
        return tuple(self._tracks)

    @property
    def objects(self) -> tuple[Track, ...]:
        """Those that are things, by their number."""
        return tuple(sorted((t for t in self._tracks if t.object_id), key=lambda t: t.object_id))

    def changed(self) -> frozenset[int]:
        """Numbers of the things of which something is new since this was last asked; of those that are no more, too."""
        found, self._changed = frozenset(self._changed), set()
        return found

    def take(self, frame: SeenFrame) -> None:
        """Go on by one frame; frames come in the order of the log."""
        self.last_lsn = frame.lsn
        sight = sight_of([t for t in self._tracks if not t.gone], frame)
        pairs = matched(sight, frame)
        shown = dict(pairs)
        for i, track in enumerate(sight.tracks):
            track.judge_points(sight.verdicts[i])
            if i not in shown:
                self._judge(track, sight, i, frame)
        for i, n in pairs:
            sight.tracks[i].add(n, frame)
            self._changed.add(sight.tracks[i].object_id)
        left = [track for track in sight.tracks if track.gone]
        self._regrouping.note(sight, pairs, frame)
        begun = {n: self._begun(n, frame) for n in range(len(frame.seen)) if n not in shown.values()}
        self._tracks += begun.values()
        for kept, gone in self._regrouping.joined():
            self._join(kept, gone)
        shows = {n: sight.tracks[i] for i, n in pairs} | begun
        for whole, n in self._regrouping.divided(pairs, sight, frame):
            if whole in self._tracks and shows[n] in self._tracks:
                points = self._regrouping.part(whole, n, frame)
                if 6 <= np.count_nonzero(points) <= len(points) - 6:
                    whole.split_off(shows[n], points)
        self._explored.take(frame)
        for track in left:  # not before the others have been given what this frame shows
            if track in self._tracks and track.gone:
                self._leave(track)
        self._settle(t for t in (*begun.values(), *(sight.tracks[i] for i, _ in pairs)))
        self._changed.discard(0)

    def _judge(self, track: Track, sight: Sight, i: int, frame: SeenFrame) -> None:
        """What a frame that did not find a track says of it."""
        judged = int(sight.agrees[i] + sight.through[i])
        if judged < max(_LEAST_JUDGED, _JUDGED * len(sight.verdicts[i])):
            return
        track.looked_lsn = frame.lsn
        if sight.through[i] >= _THROUGH * judged or stands_in(track, sight, i, frame):
            if not track.large_in(frame):
                return
            track.miss(frame)
        elif sight.agrees[i] >= _THERE * judged:
            track.misses.clear()
            track.held_lsn = frame.lsn

    def _begun(self, n: int, frame: SeenFrame) -> Track:
        self._numbered += 1
        track = Track(self._numbered, self._dim)
        track.add(n, frame)
        track.known_lsn = self._explored.since(track.points_m, frame.lsn)
        return track

    def _leave(self, track: Track) -> None:
        """It is gone: it was never a thing, or it may be one that was found elsewhere meanwhile."""
        if not track.object_id:
            self._tracks.remove(track)
            self._regrouping.drop(track)
            return
        self._changed.add(track.object_id)
        self._move(track)

    def _settle(self, tracks: Iterable[Track]) -> None:
        """Tracks that have views enough are things; one that is new may be one that is gone from elsewhere."""
        for track in tracks:
            if not track.object_id and len(track.views) >= 2 and track in self._tracks:
                self._named += 1
                track.object_id = self._named
                self._changed.add(track.object_id)
                for other in [t for t in self._tracks if t.gone and t.object_id]:
                    self._move(other)

    def _move(self, gone: Track) -> None:
        """Take a thing that is gone for the likeliest one that came up elsewhere since, where there is one."""
        found = moved_from(gone, [t for t in self._tracks if t.object_id and not t.gone])
        if found is not None:
            (gone.absorb if near(gone, found) else gone.move_to)(found)
            self._changed |= {gone.object_id, found.object_id}
            self._tracks.remove(found)
            self._regrouping.drop(found)

    def _join(self, kept: Track, gone: Track) -> None:
        if kept in self._tracks and gone in self._tracks:
            kept.absorb(gone)
            self._changed |= {kept.object_id, gone.object_id}
            kept.object_id = min((n for n in (kept.object_id, gone.object_id) if n), default=0)
            self._tracks.remove(gone)
            self._regrouping.drop(gone)
