"""Snapshots that go on frame by frame: things of which something is new are covered anew, with those that share their
images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import final

from spatialmem.snapshots.cover import Cover, Shown, cover, renewed, touched


@final
class KeptSnapshots:
    """The cover of all things that are there, and in which frames each of them is seen."""

    def __init__(self) -> None:
        self._cover = Cover(())
        self._shown: dict[int, dict[int, int]] = {}
        """lsn -> object_id -> quality"""
        self._frames: dict[int, tuple[int, ...]] = {}
        """object_id -> lsn of the frames that show it"""

    @property
    def cover(self) -> Cover:
        """As it is now."""
        return self._cover

    def take(self, changed: Mapping[int, Mapping[int, int] | None]) -> None:
        """Go on: object_id -> frames (lsn) that show it and how well (0 to 1000); None: it is no more, or gone."""
        if not changed:
            return
        for object_id, quality in changed.items():
            self._set(object_id, quality or {}, quality is None)
        anew = touched(self._cover, changed.keys())
        views = self._views(anew & self._frames.keys(), self._cover.chosen)
        self._cover = renewed(self._cover, changed.keys(), self._frames.keys(), views)

    def at_most(self, most: int) -> Cover:
        """A cover of so many snapshots, those that are there already preferred."""
        return cover(self._frames, self._views(self._frames, ()), current=self._cover.chosen, most=most)

    def shown(self, lsn: int) -> Mapping[int, int]:
        """Things that a frame shows, and how well."""
        return dict(self._shown.get(lsn, {}))

    def _set(self, object_id: int, quality: Mapping[int, int], gone: bool) -> None:
        for lsn in self._frames.pop(object_id, ()):
            others = self._shown[lsn]
            del others[object_id]
            if not others:
                del self._shown[lsn]
        if gone:
            return
        self._frames[object_id] = tuple(quality)
        for lsn, value in quality.items():
            self._shown.setdefault(lsn, {})[object_id] = value

    def _views(self, object_ids: Iterable[int], frames: Iterable[int]) -> list[Shown]:
        """The frames that show any of some things, and these."""
        wanted = {lsn for n in object_ids for lsn in self._frames[n]} | {lsn for lsn in frames if lsn in self._shown}
        return [Shown(lsn, dict(self._shown[lsn])) for lsn in sorted(wanted)]
