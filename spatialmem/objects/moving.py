"""Is a thing that came up somewhere the one that is gone from elsewhere?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spatialmem.objects.track import Track

_ALIKE = 0.6
"""least cosine between the features of both"""
_SIZE = 1.8
"""most that the sizes of both may differ by, as a factor; things are seen from some sides only"""
_SMALL_M = 0.05
"""added to sizes before they are compared: small things are measured less well"""


def moved_from(gone: Track, there: Sequence[Track]) -> Track | None:
    """The one of the things that are there that the gone one is likeliest to be; None where none is.

    It came up after the other was last seen, has its name where both have one, its size, and its looks; of several
    the most alike, then the nearest.
    """
    fits = [(likeness, track) for track in there if (likeness := _alike(gone, track)) is not None]
    if not fits:
        return None
    return min(fits, key=lambda f: (-round(f[0], 6), float(np.linalg.norm(f[1].middle_m - gone.middle_m))))[1]


def near(gone: Track, found: Track) -> bool:
    """Whether both are at one place: then nothing was moved, and the frames that saw through it were wrong."""
    middle = gone.middle_m
    return bool(((middle >= found.low_m - _SMALL_M) & (middle <= found.high_m + _SMALL_M)).all())


def _alike(gone: Track, track: Track) -> float | None:
    """How alike two things are, 0 to 1; None where they cannot be one."""
    if track.first_lsn <= gone.last_lsn or track.moves:
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
    return cosine if cosine >= _ALIKE else None
