"""What a planner is, and what it decides."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from policies.planner.errors import NotInContext
from spatialmem.checks import described, real_number, whole_number
from spatialmem.errors import InvalidValue
from spatialmem.retrieval.context import Context

Kind = Literal["object", "answer", "frontier", "unknown"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Decision:
    """What to do next: go to a thing, say an answer, look beyond a frontier, or nothing that could be told."""

    kind: Kind
    object_id: int | None = None
    """of the thing to go to, or that the answer is about"""
    snapshot: int | None = None
    """mark of the snapshot that shows it"""
    frontier: int | None = None
    """mark of the frontier to go to"""
    answer: str = ""
    """in words; with "unknown" it is a guess, or empty"""
    confidence: float = 0.0
    """0 to 1, as the planner says it; not calibrated"""
    reason: str = ""
    """for people to read; nothing acts on it"""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidValue(f"the kind of a decision is one of {', '.join(KINDS)}; given {described(self.kind)}")
        for name in ("object_id", "snapshot", "frontier"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        for name in ("answer", "reason"):
            if not isinstance(getattr(self, name), str):
                raise InvalidValue(f"the {name} of a decision is text; given {described(getattr(self, name))}")
        confidence = real_number(self.confidence)
        if confidence is None or not 0.0 <= confidence <= 1.0:
            raise InvalidValue(f"the confidence of a decision lies within 0 to 1; given {described(self.confidence)}")
        object.__setattr__(self, "confidence", confidence)
        self._check_parts()

    def _check_parts(self) -> None:
        needed = {"object": self.object_id, "frontier": self.frontier, "answer": self.answer.strip() or None}
        if self.kind in needed and needed[self.kind] is None:
            part = "object_id" if self.kind == "object" else self.kind
            raise InvalidValue(f"a decision of kind {self.kind!r} needs {part}; give it, or decide 'unknown'")
        foreign = [name for name in _FOREIGN[self.kind] if getattr(self, name) is not None]
        if foreign:
            raise InvalidValue(f"a decision of kind {self.kind!r} has no {' and no '.join(foreign)}; leave it None")


_FOREIGN: Mapping[str, tuple[str, ...]] = {
    "object": ("frontier",),
    "answer": ("frontier",),
    "frontier": ("object_id", "snapshot"),
    "unknown": ("object_id", "snapshot", "frontier"),
}


def _number(name: str, given: object) -> int | None:
    if given is None:
        return None
    number = whole_number(given)
    if number is None or number < 1:
        raise InvalidValue(f"{name} of a decision is a whole number from 1, or None; given {described(given)}")
    return number


def object_ids(context: Context) -> tuple[int, ...]:
    """Of all things that a context shows, each once, best first."""
    shown = [thing.object_id for view in context.snapshots for thing in view.objects]
    return tuple(dict.fromkeys([*(thing.object_id for thing in context.objects), *shown]))


def checked(decision: Decision, context: Context) -> Decision:
    """The decision, or `NotInContext` when it names a thing, snapshot or frontier that the context does not show."""
    marks = {
        "object_id": object_ids(context),
        "snapshot": tuple(view.mark for view in context.snapshots),
        "frontier": tuple(view.mark for view in context.frontiers),
    }
    for name, known in marks.items():
        given = getattr(decision, name)
        if given is not None and given not in known:
            raise NotInContext(f"{name} {given} was not shown; {_known(known)}")
    if decision.object_id is not None and decision.snapshot is not None:
        view = next(view for view in context.snapshots if view.mark == decision.snapshot)
        inside = tuple(thing.object_id for thing in view.objects)
        if decision.object_id not in inside:
            raise NotInContext(f"object {decision.object_id} is not in snapshot {decision.snapshot}; {_known(inside)}")
    return decision


def _known(numbers: tuple[int, ...]) -> str:
    return f"there are {', '.join(map(str, sorted(numbers)))}" if numbers else "there are none"


class Planner(abc.ABC):
    """Decides what to do next. One instance lives through many episodes; a context manager."""

    @abc.abstractmethod
    def decide(self, context: Context, *, choices: tuple[str, ...] = (), asks: bool) -> Decision:
        """What to do next.

        Args:
            context: what the memory shows; decisions name its marks and object ids alone.
            choices: answers to choose from, where the question comes with some.
            asks: a question is to be answered in words; else a thing is to be gone to.

        Raises:
            PlannerDown: what it depends on does not answer.
            CapReached: what it was allowed to spend is spent.
        """

    @abc.abstractmethod
    def reset(self) -> None:
        """An episode begins; nothing is kept from the one before."""

    @abc.abstractmethod
    def identity(self) -> Mapping[str, str]:
        """What its decisions depend on beside code, for the manifest of a run: "model", "prompt_sha256" ..."""

    @property
    def sees(self) -> bool:
        """Whether it looks at pictures; who does not is shown none."""
        return False

    def usage(self) -> Mapping[str, float]:
        """What the episode has taken so far: "calls", "images", "tokens", "cost_usd", "parse_failures" ..."""
        return {}

    def close(self) -> None:  # noqa: B027 - most planners hold nothing
        """Give back what the planner holds; more than once does no harm."""

    def __enter__(self) -> Planner:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
