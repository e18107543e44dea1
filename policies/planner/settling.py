"""From what a model answered to a decision: only what fits the question and was shown is taken."""

from __future__ import annotations

from policies.planner.errors import NotInContext, ParseFailure
from policies.planner.parsing import Reading
from policies.planner.planner import Decision, Kind, checked, object_ids
from policies.planner.quoting import cleaned
from spatialmem.retrieval.context import Context

_KINDS: dict[str, Kind] = {
    "object": "object", "snapshot": "object", "answer": "answer", "frontier": "frontier", "explore": "frontier",
    "unknown": "unknown", "none": "unknown",
}  # fmt: skip
_UNSAID = 0.5
"""confidence where the model gives none"""
_WORDS = 500
"""characters of an answer or a reason"""


def settled(reading: Reading, context: Context, choices: tuple[str, ...], *, asks: bool) -> Decision:
    """The decision that an answer comes to.

    Raises:
        ParseFailure: it does not fit what was asked; `NotInContext`: it names what was not shown. Neither message has
            words of the model.
    """
    kind = _kind(reading, asks)
    answer = cleaned(reading.answer, _WORDS)
    confidence = _UNSAID if reading.confidence is None else reading.confidence
    reason = cleaned(reading.reason, _WORDS)
    if kind == "unknown":
        guess = _guess(reading.choice, answer, choices)
        return Decision(kind, answer=guess, confidence=confidence, reason=reason)
    if kind == "frontier":
        if reading.frontier is None:
            raise ParseFailure("the kind is frontier, and no frontier is named")
        return checked(_frontier(reading.frontier, confidence, reason), context)
    if kind == "object":
        return checked(_object(reading, context, confidence, reason), context)
    object_id, snapshot = _evidence(reading, context)
    answer = _chosen(reading.choice, answer, choices) if choices else answer
    if not answer:
        raise ParseFailure("the kind is answer, and the answer is empty")
    return checked(Decision(kind, object_id, snapshot, None, answer, confidence, reason), context)


def _kind(reading: Reading, asks: bool) -> Kind:
    """Which kind is meant, of those that fit: questions are answered, things are gone to."""
    said = None if reading.kind is None else _KINDS.get(reading.kind)
    if reading.kind is not None and said is None:
        raise ParseFailure("the kind is none of those that were offered")
    if said in ("frontier", "unknown"):
        return said
    if said is None and reading.frontier is not None and reading.object_id is None and not reading.answer:
        return "frontier"
    return "answer" if asks else "object"


def _frontier(mark: int, confidence: float, reason: str) -> Decision:
    if mark < 1:
        raise NotInContext("frontiers are numbered from 1")
    return Decision("frontier", frontier=mark, confidence=confidence, reason=reason)


def _object(reading: Reading, context: Context, confidence: float, reason: str) -> Decision:
    """A thing to go to; a snapshot that shows a single thing names it."""
    object_id, snapshot = _from_one(reading.object_id), _from_one(reading.snapshot)
    if object_id is None:
        inside = [view.objects for view in context.snapshots if view.mark == snapshot]
        if not inside or len(inside[0]) != 1:
            raise ParseFailure("a thing is to be gone to, and object_id names none")
        object_id = inside[0][0].object_id
    return Decision("object", object_id, snapshot, confidence=confidence, reason=reason)


def _evidence(reading: Reading, context: Context) -> tuple[int | None, int | None]:
    """What an answer goes by: a picture before a thing that is not in it."""
    object_id, snapshot = _from_one(reading.object_id), _from_one(reading.snapshot)
    view = next((view for view in context.snapshots if view.mark == snapshot), None)
    known = object_id in object_ids(context)
    if view is not None and known and object_id not in [thing.object_id for thing in view.objects]:
        return None, snapshot
    return object_id, snapshot


def _from_one(number: int | None) -> int | None:
    """Models write 0 for none."""
    return number or None


def _chosen(number: int | None, answer: str, choices: tuple[str, ...]) -> str:
    """The choice that is meant: the one of that number, else the one that the words are or have in them."""
    if number is not None and 1 <= number <= len(choices):
        return choices[number - 1]
    alike = [choice for choice in choices if _bare(choice) == _bare(answer)]
    alike = alike or [choice for choice in choices if f" {_bare(choice)} " in f" {_bare(answer)} "]
    if len(alike) != 1:
        raise ParseFailure(f"choice is none of the numbers 1 to {len(choices)}")
    return alike[0]


def _guess(number: int | None, answer: str, choices: tuple[str, ...]) -> str:
    try:
        return _chosen(number, answer, choices) if choices else answer
    except ParseFailure:
        return ""


def _bare(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())
