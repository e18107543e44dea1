"""The part of `SpatialMemory` that goes back in time: the map as it was, and what has changed since."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import final

from spatialmem.answering import scene_of
from spatialmem.arguments import checked_instant, checked_times
from spatialmem.asking import Asking
from spatialmem.correction import cell_keys
from spatialmem.errors import Evicted, InvalidValue, SpatialMemError
from spatialmem.far_reading import whole_epoch
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.map_epoch import MapEpoch
from spatialmem.past import Horizon, Past, horizon_of, last_until
from spatialmem.retrieval.changes import Change, Instant, changes_between
from spatialmem.rewind import Rewind, departed_after, go_on, log_until, nothing_yet
from spatialmem.turn import Turn
from spatialmem.whereabouts import Whereabouts

_LOOK_UP, _SHARE = 0.6, 0.7
"""in units of replaying a frame: looking up what one touched; what going back replays, of the frames up to there"""


@dataclass(eq=False)
class _Kept:
    """Layers of an earlier time, and who asks them."""

    layers: Layers
    rewritten: int
    """how often the past had been changed when they were made (`Places.rewritten`)"""
    asked_by: weakref.WeakSet[Past] = field(default_factory=weakref.WeakSet)

    def at_leisure(self) -> bool:
        """Whether nobody asks them any more, so that they may go on."""
        return all(past.closed for past in list(self.asked_by))


@final
class Pasts:
    """Layers of earlier times, of which the last are kept: the next question is often about a time near by."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self._kept: _Kept | None = None

    def drop(self) -> None:
        """Keep nothing: frames have been erased, or the memory is closed."""
        self._kept = None

    def layers(self, log: Keeper, now: MapEpoch, lsn: int, let_go: Callable[[], None]) -> _Kept:
        """The layers after frame `lsn` of the log, or 0, for who holds `guard`.

        log, now: up to the same frame; let_go: called as soon as `now` is not needed any more.
        """
        kept, self._kept = self._kept, None
        if kept is not None and kept.rewritten != log.places.rewritten:
            kept = None
        if kept is None or kept.layers.last_lsn != lsn:
            kept = _Kept(_made(log, now, lsn, kept, let_go), log.places.rewritten)
        self._kept = kept
        return kept


def _made(log: Keeper, now: MapEpoch, lsn: int, kept: _Kept | None, let_go: Callable[[], None]) -> Layers:
    """The layers after a frame, by the way that takes least work, of those that replay no frame that was given up."""
    gone = log.on_file().evicted_frames() & log.rows.keys()

    def frames(after: int, until: int) -> int:
        return sum(after < n <= until for n in log.rows)

    def on(after: int) -> float:
        return math.inf if any(after < n <= lsn for n in gone) else frames(after, lsn)

    def back(later: int) -> float:
        return _LOOK_UP * frames(lsn, later) + (_SHARE * frames(0, lsn) if frames(lsn, later) else 0.0)

    ways: list[tuple[float, Callable[[], Layers]]] = [
        (back(now.last_lsn), lambda: _gone_back(log, now, lsn, let_go)),
        (on(0), lambda: _gone_on(nothing_yet(log), log, now, lsn, let_go)),
    ]
    if kept is not None and kept.layers.last_lsn > lsn:
        ways.append((back(kept.layers.last_lsn), lambda: _gone_back_from(kept.layers, log, lsn)))
    if kept is not None and kept.layers.last_lsn < lsn and kept.at_leisure():
        ways.append((on(kept.layers.last_lsn), lambda: _gone_on(kept.layers, log, now, lsn, let_go)))
    return min(ways, key=lambda way: way[0])[1]()


def _gone_back(log: Keeper, later: MapEpoch, lsn: int, let_go: Callable[[], None]) -> Layers:
    rewind = Rewind(log, lsn)
    rewind.copy(later)
    let_go()
    return rewind.make_anew()


def _gone_back_from(layers: Layers, log: Keeper, lsn: int) -> Layers:
    with whole_epoch(lambda: layers) as later:
        return _gone_back(log, later, lsn, lambda: None)


def _gone_on(layers: Layers, log: Keeper, now: MapEpoch, lsn: int, let_go: Callable[[], None]) -> Layers:
    cells, departed = now.cells, now.departed
    let_go()
    return go_on(layers, log, cells, departed, lsn)


class Travelling(Whereabouts):
    """`at`, `changes` and `horizon`, beside what can be asked."""

    _layers: Layers
    _observing: Turn
    _pasts: Pasts

    @property
    def horizon(self) -> Horizon | None:
        """The oldest instant that `at` can give exactly; None while nothing is stored."""
        return horizon_of(self._keeper)

    def at(self, stamp_ns: int | None = None, *, lsn: int | None = None) -> Past:
        """The memory as it was after the last frame taken at or before a stamp, or after the stored frame `lsn`.

        What counts is the order of the log: the last of its frames with such a stamp, and every frame stored before
        that one, whatever its own stamp; those of several sessions need not be in order. Frames stand where they are
        known to stand now, so what was corrected since is right here too (docs/time.md).

        Before `horizon` the result has the log and what had departed, and raises `BeforeHorizon` when its map is
        asked. It takes up to as much RAM as the map once more; close it when it is done with. Raises `OutOfRoom` when
        that map does not fit into what is reserved, `SpatialMemError` for a memory without a file: it has no log.
        """
        stamp, number = checked_instant(stamp_ns, lsn)
        while True:
            self._require_sound()
            revisions = self._keeper.on_file().revisions()
            try:
                past = self._past(stamp, number)
            except SpatialMemError:
                if revisions == self._keeper.on_file().revisions():
                    raise
                continue  # poses were revised or frames erased while it was made
            if revisions == self._keeper.on_file().revisions():
                return past

    def _past(self, stamp_ns: int, lsn: int | None) -> Past:
        with self._pasts.guard, ExitStack() as reading:
            with self._observing:  # a correction changes the file before it changes what is in RAM
                now = reading.enter_context(self._reading())
                _require_current(self._keeper)
                log = log_until(self._keeper, now.last_lsn)
            horizon = horizon_of(log)  # reads through the blocks on file, while `observe` goes on
            if lsn is None:
                lsn = last_until(log, stamp_ns)
            elif lsn and lsn not in log.rows:
                raise InvalidValue(f"there is no stored frame {lsn}; the log holds frames 1 to {log.last_lsn}")
            known, departed = log_until(log, lsn), departed_after(now.departed, lsn)
            if horizon is not None and 0 < lsn < horizon.lsn:
                return Past(self, known, None, departed, horizon)
            try:
                kept = self._pasts.layers(log, now, lsn, reading.close)
            except Evicted:  # given up meanwhile
                return Past(self, known, None, departed, horizon_of(log))
            past = Past(self, known, kept.layers, departed, horizon)
            kept.asked_by.add(past)
            return past

    def changes(self, since_ns: int, until_ns: int | None = None) -> tuple[Change, ...]:
        """What is different at `until_ns` (None: now) from what it was at `since_ns`, in order of time.

        `Departed`: was there, was seen through, and nothing is there now. `Appeared`: stands where free space had been
        seen. `NewlySeen`: of that place nothing was known. What came and went in between is no difference, and where
        nobody looked nothing is claimed. Takes as long as `at` and a second or so (docs/time.md); raises as it does.
        """
        since, until = checked_times(since_ns, until_ns)
        while True:
            with (
                self.at(since) as then,
                nullcontext(self) if until_ns is None else self.at(until) as after,
                then._reading() as before,
                ExitStack() as reading,
            ):
                with self._observing:
                    if then.rewritten != self._keeper.places.rewritten:
                        continue  # poses were revised meanwhile, and the two would be two maps
                    now = reading.enter_context(after._reading())
                return _changes(_instant(then, before), _instant(after, now), now.cells)


def _changes(before: Instant, after: Instant, cells: Mapping[int, bytes]) -> tuple[Change, ...]:
    if after.lsn <= before.lsn:
        return ()
    return changes_between(before, after, lambda lsn: cell_keys(cells.get(lsn)))


def _instant(memory: Asking, epoch: MapEpoch) -> Instant:
    return Instant(epoch.last_lsn, epoch.surface, epoch.free, epoch.departed, scene_of(memory._keeper, epoch))


def _require_current(keeper: Keeper) -> None:
    """Who reads beside a live writer does not see what that one changes of the past."""
    file, rows = keeper.on_file(), keeper.rows
    if keeper.read_only and (
        file.erased_frames().within(rows.stamps_ns()[0]).any() or file.revised() != keeper.places.revised
    ):
        raise SpatialMemError(
            "the writer of this memory has corrected poses or erased frames since it was opened here; open it again"
        )
