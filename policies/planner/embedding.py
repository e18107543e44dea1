"""The planner that is at hand without network, key or GPU: it goes by scores in the space of the memory's encoder."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import final

import numpy as np

from policies.planner.answering.answers import answered
from policies.planner.planner import Decision, Planner, checked
from sim.errors import InvalidSetting
from spatialmem.naming import NAMES
from spatialmem.retrieval.context import Context, FrontierView, ShownObject
from spatialmem.types import Presence

_NAMED = 0.6
"""what it counts that a thing is called what is asked for"""
_DOUBT = 0.7
"""by which the score of a thing is multiplied whose place was seen through once"""


@final
class EmbeddingPlanner(Planner):
    """Goes to the thing that answers best, when it answers well enough; else to the frontier that promises most, then
    to the best thing all the same. Questions it answers by names, colours and places (`policies.planner.answering`).
    """

    def __init__(
        self, enough: float = 0.5, alike: float = 0.86, per_metre: float = 0.02, says_more: float = 0.2
    ) -> None:
        """
        Args:
            enough: rating, 0 to 1, from which a thing is what words ask for.
            alike: the same for a picture, of which ratings are cosines.
            says_more: by which that must be higher where more than a name is asked for: "white glass jar".
            per_metre: what a thing must answer better for each metre that it is further away.
        """
        given = (enough, alike, per_metre, says_more)
        if not all(0.0 <= value <= 1.0 for value in given):
            raise InvalidSetting(f"enough, alike, per_metre and says_more lie within 0 to 1; given {given}")
        self._enough, self._alike, self._per_metre, self._says_more = enough, alike, per_metre, says_more

    def reset(self) -> None:
        """There is nothing to forget."""

    def identity(self) -> Mapping[str, str]:
        words = f"enough={self._enough} alike={self._alike} per_metre={self._per_metre} says_more={self._says_more}"
        return {"planner": f"embedding {words}"}

    def decide(self, context: Context, *, choices: tuple[str, ...] = (), asks: bool) -> Decision:
        """A thing that is good enough, the nearer of equals; else a frontier; else the best thing, or "unknown"."""
        if asks:
            return checked(answered(context, choices), context)
        there = [thing for thing in context.objects if thing.presence is not Presence.GONE]
        wanted = noun_of(context.question, {thing.name.lower() for thing in there})
        least = self._least(context, wanted)
        fits = [thing for thing in there if rating_of(thing, wanted) >= least]
        if fits:
            return _go_to(max(fits, key=lambda t: (self._rating(t, wanted, context), -t.object_id)), wanted, context)
        frontier = max(context.frontiers, key=_promise, default=None)
        if frontier is not None:
            return Decision("frontier", frontier=frontier.mark, confidence=frontier.score, reason="not seen yet")
        best = max(there, key=lambda t: (self._rating(t, wanted, context), -t.object_id), default=None)
        if best is not None and rating_of(best, wanted) > 0.0:
            return _go_to(best, wanted, context)
        return Decision("unknown", reason="nothing that was seen is like it, and nothing is left to look at")

    def _least(self, context: Context, wanted: str) -> float:
        """The rating from which a thing is what is asked for; who says more than a name means one of several."""
        if context.goal_rgb is not None:
            return self._alike
        said = [word for word in _words(context.question) if word not in _ARTICLES]
        says_more = bool(wanted) and len(said) > len(_words(wanted))
        return self._enough + self._says_more * says_more

    def _rating(self, thing: ShownObject, wanted: str, context: Context) -> float:
        pose = context.map_from_camera
        far_m = 0.0 if pose is None else float(np.linalg.norm(thing.position_m - pose[:3, 3]))
        return rating_of(thing, wanted) - self._per_metre * far_m


def rating_of(thing: ShownObject, wanted: str) -> float:
    """0 to 1: how well a thing answers, by its score, and by its name where a thing of a `wanted` name is asked for."""
    score = thing.score
    if wanted:
        score = (_NAMED if thing.name.lower() == wanted else 0.0) + (1.0 - _NAMED) * score
    return score * (_DOUBT if thing.presence is Presence.DOUBTED else 1.0)


def noun_of(question: str, names: Collection[str]) -> str:
    """The name of what a phrase asks for: of its words before "on", "in" and the like, the last ones that are a name of
    anything there, or of anything that there may be; empty where there is none."""
    words = _words(re.split(_PLACE, question.lower(), maxsplit=1)[0])
    tails = (" ".join(words[i:]) for i in range(len(words)))
    return next((tail for tail in tails if tail in names or tail in _KNOWN), "")


_PLACE = r"\b(?:on|in|under|at|by|near|beside|next|with|from|above|below|behind)\b"
_ARTICLES = frozenset(("a", "an", "the", "some", "any"))
_KNOWN = frozenset(name.lower() for name in NAMES)


def _words(text: str) -> list[str]:
    """Lower-case words."""
    return re.findall(r"[^\W_]+", text.lower())


def _promise(frontier: FrontierView) -> tuple[float, float]:
    return frontier.score, frontier.width_m


def _go_to(thing: ShownObject, wanted: str, context: Context) -> Decision:
    mark = next((v.mark for v in context.snapshots if thing.object_id in {o.object_id for o in v.objects}), None)
    return Decision(
        "object", object_id=thing.object_id, snapshot=mark, confidence=min(1.0, rating_of(thing, wanted)),
        reason=f"scores {thing.score:.2f}" + (f", called {thing.name!r}" if thing.name else ""),
    )  # fmt: skip
