"""What a model answered, read with patience: as JSON, as something like it, else as plain words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from policies.planner.errors import ParseFailure
from policies.planner.lenient_json import objects
from spatialmem.checks import finite_number, whole_number

_MOST_CHARACTERS = 20_000
"""of an answer are looked at, the last ones: what counts comes last"""
_LARGEST = 10**9
"""a mark or object id"""
_NAMES = {
    "kind": ("kind", "type", "action", "decision"),
    "object_id": ("object_id", "objectid", "object", "id"),
    "snapshot": ("snapshot", "snapshot_id", "snapshotid"),
    "frontier": ("frontier", "frontier_id", "frontierid"),
    "choice": ("choice", "choice_number", "option"),
    "answer": ("answer", "response"),
    "confidence": ("confidence", "certainty", "probability"),
    "reason": ("reason", "reasoning", "explanation", "thought", "thoughts"),
}
"""of a member of the answer, the first one that is there"""
# every run of spaces or signs has a bound: answers may be long and odd, and patterns must not try all ways to share one
_MARK = re.compile(r"[A-Za-z_ #:\s]{0,20}(\d{1,9})(?:[^\d.]\D{0,200})?")
_PLAIN_MARK = re.compile(
    r"\b(snapshot|object|frontier|choice)s?[\s*#:=]{0,4}(?:id|number|no\.)?[\s*#:=]{0,4}[SFO]?(\d{1,9})\b", re.I
)
_PLAIN_ANSWER = re.compile(r"^[^\w\n]{0,9}answer[*_ ]{0,9}[:=](.+)$", re.I | re.M)
_UNKNOWN = re.compile(r"\W{0,9}(unknown|none|i (do not|don't|cannot|can't) (know|tell|answer))\b.{0,200}", re.I | re.S)


@dataclass(frozen=True)
class Reading:
    """The parts of an answer, as far as it has them; nothing is checked against what was shown."""

    kind: str | None = None
    """lower case; None where the answer does not say"""
    object_id: int | None = None
    snapshot: int | None = None
    frontier: int | None = None
    choice: int | None = None
    """number of the answer among those to choose from"""
    answer: str = ""
    confidence: float | None = None
    """0 to 1; None where the answer does not say"""
    reason: str = ""


def read(text: str) -> Reading:
    """The parts of an answer; of several answers in a text the last one. `ParseFailure` when there is none."""
    text = text[-_MOST_CHARACTERS:]
    thought_out = text.rpartition("</think>")[2]
    for found in (_whole(text), list(objects(thought_out)), list(objects(text))):
        readings = [reading for members in found if (reading := _from_members(members)) is not None]
        if readings:
            return readings[-1]
    plain = _plain(thought_out)
    if plain is None:
        raise ParseFailure("no JSON object with the members asked for was found")
    return plain


def _whole(text: str) -> list[dict[str, Any]]:
    """The objects of a text that is JSON and nothing else."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [found for found in (whole if isinstance(whole, list) else [whole]) if isinstance(found, dict)]


def _from_members(members: Mapping[str, Any]) -> Reading | None:
    """The parts that an object has; None when it has none of those that say what to do."""
    known = {str(key).strip().lower().replace(" ", "_").replace("-", "_"): value for key, value in members.items()}
    for name in _NAMES["kind"]:
        if isinstance(known.get(name), dict):  # the decision is wrapped into another object
            return _from_members(known[name])
    part = {part: next((known[n] for n in names if n in known), None) for part, names in _NAMES.items()}
    reading = Reading(
        _kind(part["kind"]), _mark(part["object_id"]), _mark(part["snapshot"]), _mark(part["frontier"]),
        _mark(part["choice"]), _words(part["answer"]), _share(part["confidence"]), _words(part["reason"]),
    )  # fmt: skip
    if reading.choice is None and not reading.answer:  # the choice in words
        reading = replace(reading, answer=_words(part["choice"]))
    told = (reading.kind, reading.object_id, reading.snapshot, reading.frontier, reading.choice, reading.answer or None)
    return reading if any(value is not None for value in told) else None


def _kind(given: Any) -> str | None:
    return given.strip().lower() or None if isinstance(given, str) else None


def _mark(given: Any) -> int | None:
    """3, 3.0, "3", "F3" or "Frontier 3"; None for anything else."""
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if isinstance(given, str):
        found = _MARK.fullmatch(given)
        given = int(found[1]) if found else None
    number = whole_number(given)
    return number if number is not None and 0 <= number < _LARGEST else None


def _words(given: Any) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, bool):
        return "yes" if given else "no"
    return "" if given is None or isinstance(given, (dict, list)) else str(given)


def _share(given: Any) -> float | None:
    """0.8, "0.8", 80 or "80 %" as 0.8; None for anything else."""
    if isinstance(given, str):
        found = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{0,9})?)\s*%?\s*", given)
        given = float(found[1]) if found else None
    number = finite_number(given)
    if number is None or not 0.0 <= number <= 100.0:
        return None
    return number if number <= 1.0 else number / 100.0


def _plain(text: str) -> Reading | None:
    """ "Snapshot 2, Object 5", "Frontier 3", "Answer: on the desk": only where no two of them say different things."""
    named: dict[str, set[int]] = {"snapshot": set(), "object": set(), "frontier": set(), "choice": set()}
    for word, number in _PLAIN_MARK.findall(text):
        named[word.lower()].add(int(number))
    answers = _PLAIN_ANSWER.findall(text)
    if any(len(numbers) > 1 for numbers in named.values()):
        return None
    marks = {word: next(iter(numbers), None) for word, numbers in named.items()}
    snapshot, thing, frontier, choice = (marks[word] for word in ("snapshot", "object", "frontier", "choice"))
    if frontier is not None:
        alone = snapshot is None and thing is None and choice is None and not answers
        return Reading("frontier", frontier=frontier) if alone else None
    if answers or choice is not None:
        return Reading("answer", thing, snapshot, None, choice, answers[-1].strip(" *_\t\r") if answers else "")
    if thing is not None or snapshot is not None:
        return Reading(None, thing, snapshot, answer=_behind_marks(text))
    return Reading("unknown") if _UNKNOWN.fullmatch(text) else None


def _behind_marks(text: str) -> str:
    """What follows the last mark: "Snapshot 2. It is on the desk." answers so."""
    last = list(_PLAIN_MARK.finditer(text))[-1]
    return text[last.end() :].strip(" \t\r\n.,:;-*)")
