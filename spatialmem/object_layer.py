"""The things of a memory, made of its observations when they are asked for.

Observations are rows of the log, small ones, which stay when images are given up. What is made of them is kept in RAM
and goes on frame by frame; when poses were corrected or frames erased, it is made anew. So it is the same live,
reopened and at any earlier time, and no file holds it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import final

import numpy as np

from spatialmem.keeper import Keeper
from spatialmem.naming import Namer
from spatialmem.objects.fold import ObjectFold
from spatialmem.objects.looking import SeenFrame
from spatialmem.objects.track import Sighting, Track
from spatialmem.snapshots.cover import Cover, Snapshot
from spatialmem.snapshots.kept import KeptSnapshots
from spatialmem.store.rows import KeyframeRow
from spatialmem.things import MapObject
from spatialmem.types import Evidence, Presence

Box = tuple[float, float, float, float]
"""left, top, right, bottom, pixels"""
_EVIDENCE_FRAMES = 3
_RECENT_NS = 1_000_000_000


@final
class ObjectLayer:
    """Of one memory, or of one as it was earlier. Any number of threads may ask."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._guard = threading.Lock()
        self._fold, self._snapshots = ObjectFold(keeper.feature_width), KeptSnapshots()
        self._made_of = (0, 0)
        self._namer = Namer(lambda: keeper.encoder)

    def objects(self) -> tuple[MapObject, ...]:
        """All things, by number, those that are gone included; as of the last stored frame."""
        return self.at_once()[0]

    def at_once(self) -> tuple[tuple[MapObject, ...], tuple[Snapshot, ...], Mapping[int, Mapping[int, Box]]]:
        """Things, snapshots, and by lsn of these the pixel boxes of the things that they show, all of one instant."""
        with self._guard:
            rows = self._up_to_date()
            found = [(track, self._described(track, rows)) for track in self._fold.objects]
            snapshots = self._snapshots.cover.snapshots
            chosen = {s.lsn for s in snapshots}
            boxes: dict[int, dict[int, Box]] = {lsn: {} for lsn in chosen}
            for track in self._fold.objects:
                for s in _where_it_is(track):
                    if s.lsn in chosen:
                        boxes[s.lsn][track.object_id] = s.box_xyxy
        named = self._namer.names([o.feature if not track.label else None for track, o in found])
        things = tuple(replace(o, name=name) if name else o for (_, o), name in zip(found, named, strict=True))
        return things, snapshots, boxes

    def snapshots(self, most: int | None = None) -> Cover:
        """Keyframes that stand for all things that are there; at most so many, or as many as it takes."""
        with self._guard:
            self._up_to_date()
            return self._snapshots.cover if most is None else self._snapshots.at_most(most)

    def boxes(self, lsn: int) -> dict[int, Box]:
        """Pixel boxes of the things that a frame shows, by number."""
        with self._guard:
            self._up_to_date()
            return {
                track.object_id: s.box_xyxy
                for track in self._fold.objects for s in _where_it_is(track) if s.lsn == lsn
            }  # fmt: skip

    def _up_to_date(self) -> Mapping[int, KeyframeRow]:
        """Take in what was stored since; returns the rows of the log."""
        keeper, places = self._keeper, self._keeper.places
        made_of = (places.rewritten, places.erased)
        if made_of != self._made_of or self._fold.last_lsn > keeper.last_lsn:
            self._fold, self._snapshots, self._made_of = ObjectFold(keeper.feature_width), KeptSnapshots(), made_of
        rows, last = keeper.rows, keeper.last_lsn
        try:
            for lsn, seen in keeper.observed.after(self._fold.last_lsn, last, rows):
                row = rows[lsn]
                self._fold.take(SeenFrame(lsn, row.stamp_ns, places.map_from_camera(row), seen))
                self._snapshots.take(self._news())
        except BaseException:
            self._made_of = (-1, -1)  # half a frame may be in it
            raise
        return rows

    def _news(self) -> dict[int, dict[int, int] | None]:
        """What snapshots are told of a frame: which images show the things of which something is new."""
        there = {track.object_id: track for track in self._fold.objects if not track.gone}
        return {
            n: {s.lsn: s.quality for s in _where_it_is(there[n])} if n in there else None for n in self._fold.changed()
        }

    def _described(self, track: Track, rows: Mapping[int, KeyframeRow]) -> MapObject:
        feature = track.feature
        best = sorted(_where_it_is(track), key=lambda s: (-s.quality, -s.lsn))
        return MapObject(
            object_id=track.object_id, name=track.label, position_m=track.middle_m, box_min_m=track.low_m.copy(),
            box_max_m=track.high_m.copy(), points_m=track.points_m.astype(np.float32),
            feature=None if feature is None else feature.astype(np.float32), first_seen_ns=track.first_ns,
            last_seen_ns=track.last_ns, first_lsn=track.first_lsn, last_lsn=track.last_lsn,
            presence=_presence(track, rows.get(self._keeper.last_lsn)), views=len(track.views),
            moves=tuple(track.moves),
            evidence=tuple(_evidence(rows[s.lsn], s) for s in best[:_EVIDENCE_FRAMES] if s.lsn in rows),
        )  # fmt: skip


def _where_it_is(track: Track) -> list[Sighting]:
    """Sightings of a thing at its present place."""
    return [s for s in track.sightings if s.lsn > track.left_lsn]


def _evidence(row: KeyframeRow, s: Sighting) -> Evidence:
    return Evidence(row.lsn, row.session_id, row.camera_id, row.seq, row.stamp_ns, s.box_xyxy, s.pixels)


def _presence(track: Track, latest: KeyframeRow | None) -> Presence:
    """What is known since it was last seen: as for hits, from what frames said of its place."""
    if track.gone:
        return Presence.GONE
    if track.misses:
        return Presence.DOUBTED
    just_now = latest is not None and abs(latest.stamp_ns - track.last_ns) <= _RECENT_NS
    if just_now or track.looked_lsn > track.last_lsn:
        return Presence.PRESENT
    return Presence.NOT_SEEN_SINCE
