"""What an answer is before it is one: texts with ratings, of which choices keep those that fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from policies.planner.answering.rooms import same_kind
from policies.planner.answering.words import is_room, likeness, tidy, without_article
from policies.planner.planner import Decision
from spatialmem.retrieval.context import ShownObject

NEVER_SEEN, GONE, UNTOLD = "never seen", "gone", "cannot be told"
"""reasons of who does not know"""
_LEAST, _FITS = 0.15, 0.05
"""ratings from which an answer is one at all, and from which a choice fits"""
_PLACE = re.compile(r"(?P<relation>on|in|under|beside) (?P<rest>.+?)(?: in (?P<room>[\w' ]+))?")
_OTHER_RELATION, _OTHER_ROOM = 0.3, 0.5


@dataclass(frozen=True, eq=False)
class Told:
    """What was found towards a question."""

    texts: tuple[tuple[str, float], ...] = ()
    """answers with ratings 0 to 1"""
    thing: ShownObject | None = None
    """that it is about"""
    reason: str = ""
    """how it was told, or why nothing could be"""


def unknown(reason: str, about: str = "") -> Told:
    """Nothing could be told."""
    return Told(reason=f"{reason}: {about}" if about else reason)


def yes_or_no(says_yes: bool, rating: float, thing: ShownObject | None = None, reason: str = "") -> Told:
    """With the rating for what is said; the opposite has a smaller one."""
    said = ("yes", "no") if says_yes else ("no", "yes")
    return Told(((said[0], rating), (said[1], 0.3 * rating)), thing, reason)


def decided(told: Told, choices: Sequence[str], snapshot: int | None) -> Decision:
    """The decision that follows; among choices one of them alone."""
    best = max(told.texts, key=lambda t: t[1], default=None)
    if best is None:
        return Decision("unknown", reason=told.reason)
    text, rating = best
    if rating < _LEAST:
        return Decision("unknown", reason=f"{UNTOLD}: nothing that was seen fits well; {told.reason}")
    if choices:
        rated = [(max(rating * agreement(text, choice) for text, rating in told.texts), choice) for choice in choices]
        rating, text = max(rated, key=lambda r: r[0])
        if rating < _FITS:
            return Decision("unknown", reason=f"{UNTOLD}: none of the choices fits {best[0]!r}")
    thing = None if told.thing is None else told.thing.object_id
    return Decision(
        "answer", object_id=thing, snapshot=snapshot if thing is not None else None, answer=text,
        confidence=min(1.0, max(0.0, rating)), reason=told.reason,
    )  # fmt: skip


def agreement(text: str, choice: str) -> float:
    """0 to 1: whether a choice says what an answer says."""
    a, b = without_article(text), without_article(choice)
    if a == b:
        return 1.0
    if a.isdigit() and b.isdigit():
        return 0.0 if a == "0" else 0.4 / abs(int(a) - int(b))
    if {a, b} & {"yes", "no"}:
        return 0.0
    places = _PLACE.fullmatch(tidy(text)), _PLACE.fullmatch(tidy(choice))
    if places[0] and places[1]:
        return _same_place(places[0], places[1])
    if is_room(a) and is_room(b):
        return 1.0 if same_kind(a, b) else 0.0
    if b.split()[-1] == a or a.split()[-1] == b:  # "brown" of "light brown"
        return 0.8
    return likeness(a, b)


def _same_place(a: re.Match[str], b: re.Match[str]) -> float:
    rating = likeness(without_article(a["rest"]), without_article(b["rest"]))
    rating *= 1.0 if a["relation"] == b["relation"] else _OTHER_RELATION
    if a["room"] and b["room"]:
        rating *= 1.0 if same_kind(a["room"], b["room"]) else _OTHER_ROOM
    return rating
