"""Which keyframes stand for which objects: few images in which everything can be seen.

The memory snapshots of 3D-Mem (Yang et al., CVPR 2025): every object is represented by exactly one keyframe, which saw
all that it represents. There a tree of 2-means clusters is split until a keyframe covers each leaf (`bisecting.py`);
here the keyframes are chosen by greedy set cover, which does not mind where things stand, knows how well an image shows
them, and takes the most valuable images first, so that a bound on their number costs least.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from spatialmem.errors import InvalidValue

QUALITY_ONE = 1000
"""quality of an object that an image shows as well as can be; whole numbers, so that sums do not hang on their order"""


@dataclass(frozen=True)
class Shown:
    """A keyframe, and how well it shows the objects in it."""

    lsn: int
    quality: Mapping[int, int]
    """object_id -> 0 to `QUALITY_ONE`"""

    def __post_init__(self) -> None:
        bad = {n: q for n, q in self.quality.items() if not 0 <= q <= QUALITY_ONE}
        if bad:
            raise InvalidValue(f"quality must lie in 0 to {QUALITY_ONE}; keyframe {self.lsn} has {bad}")


@dataclass(frozen=True)
class Snapshot:
    """A keyframe that stands for objects, all of which it saw."""

    lsn: int
    object_ids: tuple[int, ...]
    """ascending; at least one"""


@dataclass(frozen=True)
class Cover:
    """Snapshots in the order of their keyframes."""

    snapshots: tuple[Snapshot, ...]
    unseen: tuple[int, ...] = ()
    """objects that no keyframe shows"""
    left_out: tuple[int, ...] = ()
    """objects that are shown, and for whose images there was no room"""

    @property
    def chosen(self) -> frozenset[int]:
        """lsn of the snapshots."""
        return frozenset(snapshot.lsn for snapshot in self.snapshots)


def cover(
    object_ids: Iterable[int], views: Sequence[Shown], *, current: Collection[int] = (), most: int | None = None
) -> Cover:
    """Keyframes that show all objects, few of them, and to each object the one of them that shows it best.

    Args:
        object_ids: what is to be represented. An object that is gone is not among them, and of one that was moved,
            `views` tell only what shows it where it is.
        views: keyframes to choose from.
        current: lsn of keyframes to prefer where the choice is equal, such as those that are snapshots already; then
            the newest is taken.
        most: snapshots at most; None: as many as it takes. What they leave without an image is `left_out`.
    """
    if most is not None and most < 0:
        raise InvalidValue(f"most must be at least 0, or None; given {most}")
    wanted = frozenset(object_ids)
    useful = {lsn: view for lsn, view in by_lsn(views).items() if not wanted.isdisjoint(view.quality)}
    shown = wanted & frozenset[int]().union(*(view.quality for view in useful.values()))
    chosen = _chosen(shown, useful, frozenset(current), most)
    snapshots = _assigned(shown, chosen)
    represented = frozenset(n for snapshot in snapshots for n in snapshot.object_ids)
    return Cover(snapshots, tuple(sorted(wanted - shown)), tuple(sorted(shown - represented)))


def renewed(
    before: Cover, changed: Collection[int], object_ids: Iterable[int], views: Sequence[Shown], *,
    most: int | None = None,
) -> Cover:  # fmt: skip
    """The cover after some objects were found, seen again, moved or lost: all else stays as it was.

    What `touched` names, what had no image so far, and what is in a snapshot whose keyframe is not given any more, is
    covered anew, as `cover` does it with the snapshots of before preferred. Where an object would lose its image for
    want of room, or a new one get none, everything is.

    Args:
        before: the cover so far.
        changed: objects of which something is new; those that are new, and those that are gone, among them.
        object_ids: all that is to be represented now.
        views, most: as for `cover`.
    """
    wanted, there = frozenset(object_ids), by_lsn(views)
    anew = touched(before, changed) & wanted
    kept = tuple(
        s for s in before.snapshots
        if s.lsn in there and anew.isdisjoint(s.object_ids) and wanted.issuperset(s.object_ids)
    )  # fmt: skip
    standing = frozenset(n for snapshot in kept for n in snapshot.object_ids)
    room = None if most is None else most - len(kept)
    if room is None or room >= 0:
        found = cover(wanted - standing, views, current=before.chosen, most=room)
        if set(found.left_out) <= set(before.left_out):
            return Cover(_joined(kept, found.snapshots), found.unseen, found.left_out)
    return cover(wanted, views, current=before.chosen, most=most)


def touched(before: Cover, changed: Collection[int]) -> frozenset[int]:
    """Objects of which something is new, and those that share a snapshot with one."""
    changed = frozenset(changed)
    sharing = [s.object_ids for s in before.snapshots if not changed.isdisjoint(s.object_ids)]
    return changed.union(*sharing)


def _joined(kept: Iterable[Snapshot], new: Iterable[Snapshot]) -> tuple[Snapshot, ...]:
    """Snapshots of one keyframe are one."""
    clusters: dict[int, frozenset[int]] = {}
    for snapshot in (*kept, *new):
        clusters[snapshot.lsn] = clusters.get(snapshot.lsn, frozenset()).union(snapshot.object_ids)
    return tuple(Snapshot(lsn, tuple(sorted(ids))) for lsn, ids in sorted(clusters.items()))


def by_lsn(views: Iterable[Shown]) -> dict[int, Shown]:
    """The keyframes by their lsn; `InvalidValue` where one is given twice."""
    found = dict[int, Shown]()
    for view in views:
        if view.lsn in found:
            raise InvalidValue(
                f"each keyframe may be given once; {view.lsn} was given twice: merge what is known of it"
            )
        found[view.lsn] = view
    return found


def _chosen(
    shown: frozenset[int], views: Mapping[int, Shown], current: frozenset[int], most: int | None
) -> list[Shown]:
    """Greedily chosen keyframes; the room of those that turn out to be spare is given to others."""
    chosen = list[Shown]()
    while True:
        missing = shown.difference(*(view.quality for view in chosen))
        more = _greedy(missing, views, current, None if most is None else most - len(chosen))
        if not more:
            return chosen
        chosen = _without_spare([*chosen, *more], shown)


def _greedy(
    shown: frozenset[int], views: Mapping[int, Shown], current: frozenset[int], most: int | None
) -> list[Shown]:
    """Always the keyframe that adds most, until nothing is missing; gains only fall, so stale ones wait in a heap."""
    missing, chosen = set(shown), list[Shown]()
    heap = [(-_gain(view, missing), lsn not in current, -lsn) for lsn, view in views.items()]
    heapq.heapify(heap)
    while heap and missing and (most is None or len(chosen) < most):
        stale, other, negative = heapq.heappop(heap)
        view = views[-negative]
        gain = _gain(view, missing)
        if gain < -stale:
            if gain:
                heapq.heappush(heap, (-gain, other, negative))
            continue
        chosen.append(view)
        missing -= view.quality.keys()
    return chosen


def _gain(view: Shown, missing: Collection[int]) -> int:
    """An object more counts as much as the best quality."""
    return sum(QUALITY_ONE + quality for n, quality in view.quality.items() if n in missing)


def _without_spare(chosen: Sequence[Shown], shown: frozenset[int]) -> list[Shown]:
    """Without keyframes all of whose objects others show too; of the ones chosen last first."""
    kept = list(chosen)
    times = {n: sum(n in view.quality for view in kept) for n in shown}
    for view in reversed(chosen):
        mine = [n for n in view.quality if n in shown]
        if all(times[n] > 1 for n in mine):
            kept.remove(view)
            for n in mine:
                times[n] -= 1
    return kept


def _assigned(shown: frozenset[int], chosen: Sequence[Shown]) -> tuple[Snapshot, ...]:
    """Each object to the keyframe that shows it best, the newest of equal ones. None is left without: each is the only
    one that shows some object (`_without_spare`)."""
    clusters: dict[int, list[int]] = {view.lsn: [] for view in chosen}
    for n in sorted(shown):
        best = max(((view.quality[n], view.lsn) for view in chosen if n in view.quality), default=None)
        if best is not None:
            clusters[best[1]].append(n)
    return tuple(Snapshot(lsn, tuple(ids)) for lsn, ids in sorted(clusters.items()))
