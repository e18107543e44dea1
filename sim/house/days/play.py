"""Plays a script: the truth, and the renderers that follow it, become those of a later instant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim.house.days.clock import said
from sim.house.days.deed import Deed, Place, Script, Verb
from sim.house.errors import InvalidHouse
from sim.house.render.base import Renderer
from sim.house.truth import ThingState, Truth

Show = Callable[[int, NDArray[np.float64] | None], None]
"""draws a thing at a pose (4, 4), or no longer"""


@final
class Play:
    """A script as it happens in one Truth. Time goes on only; for an earlier instant a new Truth gets a new Play."""

    def __init__(
        self, truth: Truth, script: Script, renderers: Iterable[Renderer] = (), *, show: Show | None = None
    ) -> None:
        """`renderers` and `show` are told of every thing that has changed, once for each `advance`.

        Raises:
            InvalidHouse: the script was made for another house, or the truth is past its first deed.
        """
        if script.house_digest != truth.house.digest:
            raise InvalidHouse(
                f"the script was made for a house of digest {script.house_digest[:12]}, "
                f"this one's is {truth.house.digest[:12]}; make a script for it with make_script"
            )
        if script.deeds and truth.stamp_ns > script.deeds[0].stamp_ns:
            raise InvalidHouse(
                f"the truth is at {said(truth.stamp_ns)}, after the first deed of the script "
                f"({said(script.deeds[0].stamp_ns)}); begin with a new Truth"
            )
        self.truth, self.script = truth, script
        self._shows: list[Show] = [_shower(r) for r in renderers] + ([show] if show is not None else [])
        self._next = 0

    def advance(self, stamp_ns: int) -> tuple[Deed, ...]:
        """Do every deed up to a stamp, that one included, and let time go on until then; returns the deeds.

        Raises:
            InvalidHouse: a stamp before the last one, or somebody else has moved what a deed is about. The deeds
                before that one are done.
        """
        if isinstance(stamp_ns, bool) or not isinstance(stamp_ns, (int, np.integer)) or stamp_ns < self.truth.stamp_ns:
            raise InvalidHouse(
                f"a script is played forwards only: it is {said(self.truth.stamp_ns)} ({self.truth.stamp_ns} ns), "
                f"asked for {stamp_ns!r}; for an earlier time make a new Truth and a new Play"
            )
        deeds, first, changed = self.script.deeds, self._next, set[int]()
        try:
            while self._next < len(deeds) and deeds[self._next].stamp_ns <= stamp_ns:
                changed.update(do(self.truth, deeds[self._next]))
                self._next += 1
            self.truth.wait(int(stamp_ns))
        finally:
            for thing_id in sorted(changed):
                state = self.truth.state(thing_id)
                for show in self._shows:
                    show(thing_id, state.world_from_thing if state.present else None)
        return deeds[first : self._next]


def do(truth: Truth, deed: Deed) -> tuple[int, ...]:
    """One deed in a truth; ids of what has changed. `InvalidHouse` where the thing is not as the deed has it."""
    state = truth.state(deed.thing_id)
    carried = deed.verb is Verb.PUT
    if carried == state.present or not (carried or _is_at(state, deed.source)):
        raise InvalidHouse(
            f"{state.thing.category} {deed.thing_id} is not where the script has it at {said(deed.stamp_ns)}: somebody "
            "else has moved it; play the script in a truth of its own"
        )
    if deed.target is None:
        return truth.take(deed.thing_id, deed.stamp_ns)
    at = deed.target
    return truth.move(
        deed.thing_id, at.world_from_thing, deed.stamp_ns, support_id=at.support_id, relation=at.relation
    )  # fmt: skip


def _is_at(state: ThingState, place: Place | None) -> bool:
    return place is not None and bool(np.allclose(state.world_from_thing, place.world_from_thing, atol=1e-6))


def _shower(renderer: Renderer) -> Show:
    def show(thing_id: int, pose: NDArray[np.float64] | None) -> None:
        if pose is None:
            renderer.take_away(thing_id)
        else:
            renderer.place(thing_id, pose)

    return show
