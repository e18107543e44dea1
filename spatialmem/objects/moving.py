"""Is a thing that came up somewhere the one that is gone from elsewhere?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spatialmem.objects.track import Track

_ALIKE, _ALIKE_NAMED = 0.6, 0.5
"""least cosine between the features of both, and of those that have one name: elsewhere a thing stands before another
background, in another light"""
_SIZE = 1.8
"""most that the sizes of both may differ by, as a factor; things are seen from some sides only"""
_KNOWN = 10
"""frames between the first look at a place and a thing's coming up there, from which it came there: on the way to a
place, small things come up later than it"""
_SMALL_M = 0.05
"""added to sizes before they are compared: small things are measured less well"""


def moved_from(gone: Track, there: Sequence[Track]) -> Track | None:
    """The one of the things that are there that the gone one is likeliest to be; None where none is.

    It came up after the other's place was last seen to hold it, and at a place that had been looked at a while before:
    what is in a place that is new may have been there always. It has the other's name where both have one, its size,
    and its looks; of several the most alike, then the nearest.
    """
    fits = [(likeness, track) for track in there if (likeness := _alike(gone, track)) is not None]
    if not fits:
        return None
    return min(fits, key=lambda f: (-round(f[0], 6), float(np.linalg.norm(f[1].middle_m - gone.middle_m))))[1]


def near(gone: Track, found: Track) -> bool:
    """Whether both are at one place: then nothing was moved, and the frames that saw through it were wrong."""
    middle = gone.middle_m
    return bool(((middle >= found.low_m - _SMALL_M) & (middle <= found.high_m + _SMALL_M)).all())


def _came_after(gone: Track, track: Track) -> bool:
    """Whether a thing came to its place after another one was last seen in its own."""
    return track.first_lsn > gone.held_lsn and track.first_lsn - track.known_lsn >= _KNOWN


def _alike(gone: Track, track: Track) -> float | None:
    """How alike two things are, 0 to 1; None where they cannot be one."""
    if track.moves or not (_came_after(gone, track) or (near(gone, track) and track.first_lsn > gone.last_lsn)):
        return None
    if gone.label and track.label and gone.label != track.label:
        return None
    one, other = (np.sort(t.extent_m) + _SMALL_M for t in (gone, track))
    apart = float(np.exp(np.abs(np.log(one / other)).max()))
    if apart > _SIZE:
        return None
    mine, its = gone.feature, track.feature
    if mine is None or its is None:
        return 0.5 / apart if gone.label else None
    cosine = float(mine @ its)
    return cosine if cosine >= (_ALIKE_NAMED if gone.label and track.label else _ALIKE) else None
