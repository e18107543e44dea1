"""Words for one thing that fit no other thing of its scene, from what a scene says of its things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from sim.scene import SceneObject


def is_a(thing: SceneObject, category: str) -> bool:
    """Whether people would call it that: a dining table is a table."""
    return thing.category == category or thing.category.endswith(f" {category}")


@dataclass(frozen=True)
class _Claim:
    """What a description says."""

    text: str
    room: str = ""
    support: str = ""
    """category of what the thing is on, in or under"""
    support_words: Mapping[str, str] = field(default_factory=dict)


@final
class Describer:
    """Finds, for each thing of a scene, the shortest description that is true of it alone."""

    def __init__(self, things: Sequence[SceneObject]) -> None:
        self._things = tuple(things)
        self._by_id = {t.object_id: t for t in things}

    def instances(self, category: str) -> tuple[SceneObject, ...]:
        """Everything of a category, and of those whose names end with it."""
        return tuple(t for t in self._things if is_a(t, category))

    def describe(self, thing: SceneObject) -> str:
        """Such as "blue mug on the kitchen counter"; empty when other things fit all that can be said."""
        rivals = [
            t for t in self.instances(thing.category) if t.object_id != thing.object_id and _fits(t, _named(thing))
        ]
        for claim in self._claims(thing):
            if not any(self._true_of(rival, claim) for rival in rivals):
                return claim.text
        return ""

    def _claims(self, thing: SceneObject) -> Iterator[_Claim]:
        yield _Claim(thing.phrase)
        support = self._by_id.get(thing.support)
        room = f" in the {thing.room}" if thing.room else ""
        if support is not None:
            on, more = f"{thing.phrase} {thing.relation or 'on'} the", _named(support)
            yield _Claim(f"{on} {support.category}", support=support.category)
            if room:
                yield _Claim(f"{on} {support.category}{room}", thing.room, support.category)
            yield _Claim(f"{on} {support.phrase}", "", support.category, more)
            if room:
                yield _Claim(f"{on} {support.phrase}{room}", thing.room, support.category, more)
        elif room:
            yield _Claim(f"{thing.phrase}{room}", thing.room)

    def _true_of(self, thing: SceneObject, claim: _Claim) -> bool:
        """Whether what is said beside the phrase fits a thing; on a tray on a table counts as on the table too."""
        if claim.room and thing.room != claim.room:
            return False
        return not claim.support or any(
            is_a(s, claim.support) and _fits(s, claim.support_words) for s in self._supports(thing)
        )

    def _supports(self, thing: SceneObject) -> Iterator[SceneObject]:
        seen = {thing.object_id}
        while thing.support in self._by_id and thing.support not in seen:
            seen.add(thing.support)
            thing = self._by_id[thing.support]
            yield thing


def _named(thing: SceneObject) -> dict[str, str]:
    """Those of its attributes that its phrase tells."""
    words = thing.phrase.split()
    return {name: word for name, word in thing.attributes.items() if all(w in words for w in word.split())}


def _fits(thing: SceneObject, words: Mapping[str, str]) -> bool:
    """Whether attributes are true of a thing too, though its own phrase may tell more."""
    return all(thing.attributes.get(name) == word for name, word in words.items())
