"""Which detections of a frame show which tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.objects.looking import AGREES, HIDDEN, THROUGH, SeenFrame, look
from spatialmem.objects.track import Track

_IN_MASK, _IN_BOX = 0.4, 0.25
"""shares from which a detection may show a track: of the track's points in sight those in the mask, and of the
detection's points those in the track's box"""
_ENOUGH = 1.0
"""the sum of both, and of what is alike, from which it does"""
_ALIKE, _OTHER_NAME = 0.5, 0.5
"""weight of the cosine between features; what another name costs"""
_MEANWHILE = 20
"""frames after which a detection with a name that a track never had is another thing in its place: what one thing is
called changes from frame to frame"""
_UNLIKE = 0.2
"""a smaller cosine is of another thing, where one stands in the place of another"""
_MARGIN_M, _MARGIN_SHARE = 0.04, 0.01
"""by which the box of a track is larger: so much, and such a share of the depth"""
_INSTEAD = 0.6
"""shares, as those in mask and box, from which another thing stands in the place of a track"""
_LEAST_IN_SIGHT = 3
"""points of a track that must be in sight"""


@dataclass(frozen=True, eq=False)
class Sight:
    """What a frame says of T tracks that may be in its view, with N detections."""

    tracks: tuple[Track, ...]
    verdicts: tuple[NDArray[np.uint8], ...]
    """of the points of each track (looking.py)"""
    agrees: NDArray[np.int64]
    """(T,) points that are in sight"""
    through: NDArray[np.int64]
    """(T,) points that were seen through"""
    in_sight: NDArray[np.int64]
    """(T,) points that are there, or hidden by what is nearer to them than the track is large: by itself, perhaps"""
    in_mask: NDArray[np.float64]
    """(T, N) share of these that lie in the mask of each detection"""
    shown: NDArray[np.float64]
    """(T, N) the same of the points that are there, without those that may be"""


def sight_of(tracks: Sequence[Track], frame: SeenFrame) -> Sight:
    """Look at the tracks whose boxes may be in view."""
    near = tuple(t for t in tracks if _may_show(t, frame))
    counts = [len(t.points_m) for t in near]
    looked = look(np.concatenate([np.empty((0, 3)), *(t.points_m for t in near)]), frame)
    ends = np.cumsum([0, *counts])
    agrees, through, in_sight = (np.zeros(len(near), np.int64) for _ in range(3))
    in_mask, shown = (np.zeros((len(near), len(frame.seen))) for _ in range(2))
    for i, track in enumerate(near):
        mine = np.s_[ends[i] : ends[i + 1]]
        verdict, of = looked.verdict[mine], looked.detection_of[mine]
        there = verdict == AGREES
        other_side = (verdict == HIDDEN) & (looked.behind_m[mine] <= float(np.linalg.norm(track.extent_m)))
        agrees[i], in_sight[i] = np.count_nonzero(there), np.count_nonzero(there | other_side)
        through[i] = np.count_nonzero(verdict == THROUGH)
        in_mask[i], shown[i] = _shares(of[there | other_side], frame), _shares(of[there], frame)
    verdicts = tuple(looked.verdict[ends[i] : ends[i + 1]] for i in range(len(near)))
    return Sight(near, verdicts, agrees, through, in_sight, in_mask, shown)


def _shares(of: NDArray[np.uint8], frame: SeenFrame) -> NDArray[np.float64]:
    """(N,) share of points that lie in the mask of each detection."""
    return np.bincount(of, minlength=len(frame.seen) + 1)[1:] / max(len(of), 1)


def _may_show(track: Track, frame: SeenFrame) -> bool:
    """Whether the ball around a track's box reaches into the view."""
    camera, pose = frame.seen.camera, frame.map_from_camera
    x, y, z = (float(v) for v in (track.middle_m - pose[:3, 3]) @ pose[:3, :3])
    radius = float(np.linalg.norm(track.extent_m)) / 2.0
    if z + radius < 0.05:
        return False
    wide = max(camera.cx, camera.width - camera.cx) / camera.fx
    high = max(camera.cy, camera.height - camera.cy) / camera.fy
    slack_x, slack_y = radius * (1.0 + wide * wide) ** 0.5, radius * (1.0 + high * high) ** 0.5
    return abs(x) <= z * wide + slack_x and abs(y) <= z * high + slack_y


def matched(sight: Sight, frame: SeenFrame) -> list[tuple[int, int]]:
    """Pairs (number in `sight.tracks`, detection), each at most once, the surest first."""
    pairs = list[tuple[float, int, int]]()
    for i, track in enumerate(sight.tracks):
        if sight.in_sight[i] < _LEAST_IN_SIGHT:
            continue
        for n in np.flatnonzero(sight.in_mask[i] >= _IN_MASK):
            score = _score(track, frame, int(n), float(sight.in_mask[i, n]))
            if score >= _ENOUGH:
                pairs.append((-score, i, int(n)))
    taken_tracks, taken = set[int](), set[int]()
    found = list[tuple[int, int]]()
    for _, i, n in sorted(pairs):
        if i not in taken_tracks and n not in taken:
            taken_tracks.add(i)
            taken.add(n)
            found.append((i, n))
    return found


def _score(track: Track, frame: SeenFrame, n: int, in_mask: float) -> float:
    inside = share_in_box(track, frame, n)
    if inside < _IN_BOX:
        return 0.0
    alike = likeness(track, frame, n)
    if alike is not None and alike < _UNLIKE:
        return 0.0
    if another_thing(track, frame, n):
        return 0.0
    label = frame.seen.labels[n]
    other_name = bool(label and track.label and label != track.label)
    return in_mask + inside + _ALIKE * (alike or 0.0) - _OTHER_NAME * other_name


def another_thing(track: Track, frame: SeenFrame, n: int) -> bool:
    """Whether a detection has a name that a track never had, and that was not seen for a while."""
    label = frame.seen.labels[n]
    named = bool(label and track.label)
    return named and label not in track.labels and frame.lsn - track.last_lsn >= _MEANWHILE


def stands_in(track: Track, sight: Sight, i: int, frame: SeenFrame) -> bool:
    """Whether another thing stands where a track was, number `i` of the sight, and covers what is in sight of it."""
    if not sight.shown.shape[1]:
        return False
    n = int(np.argmax(sight.shown[i]))
    covers = sight.shown[i, n] >= _INSTEAD and share_in_box(track, frame, n) >= _INSTEAD
    return covers and another_thing(track, frame, n)


def share_in_box(track: Track, frame: SeenFrame, n: int) -> float:
    """Of the points of a detection, those in the box of a track."""
    local = frame.seen.points_of(n).astype(np.float64)
    points = local @ frame.map_from_camera[:3, :3].T + frame.map_from_camera[:3, 3]
    margin = _MARGIN_M + _MARGIN_SHARE * float(np.median(local[:, 2]))
    return float(((points >= track.low_m - margin) & (points <= track.high_m + margin)).all(axis=1).mean())


def likeness(track: Track, frame: SeenFrame, n: int) -> float | None:
    """Cosine between the features of a track and of a detection; None where one has none."""
    features, mine = frame.seen.features, track.feature
    if features is None or mine is None or not features[n].any():
        return None
    return float(mine @ features[n].astype(np.float64))
