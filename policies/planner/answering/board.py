"""What a context tells, laid out for answers: things by phrase, what they hold, the rooms they are in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from policies.planner.answering.rooms import rooms_of, same_kind
from policies.planner.answering.words import Phrase, is_known, is_room, likeness, phrase_of
from spatialmem.retrieval.context import Context, ShownObject
from spatialmem.types import Presence

_DOUBT = 0.7
"""for a thing whose place was seen through once"""
_OTHER_COLOUR, _NO_COLOUR = 0.1, 0.75
_OTHER_ROOM, _NO_ROOM = 0.5, 0.8
_HERE = 0.85
"""from which a thing counts as in a room"""
_ELSEWHERE = 0.6
"""for one that is not on, in or beside what the phrase names"""
_ENOUGH, _BY_SCORE = 0.5, 0.6
"""score of the memory's encoder from which a thing without the name may be meant, and what that counts"""


@dataclass(frozen=True, eq=False)
class Found:
    """A thing that may be meant by a phrase."""

    thing: ShownObject
    rating: float
    """0 to 1"""


@final
class Board:
    """A context, with what is asked of it again and again."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.there = tuple(o for o in context.objects if o.presence is not Presence.GONE)
        self.gone = tuple(o for o in context.objects if o.presence is Presence.GONE)
        self.by_id = {o.object_id: o for o in context.objects}
        self._rooms: dict[int, dict[str, float]] = {}

    @cached_property
    def complete(self) -> bool:
        """Whether all was looked at: no frontier is left, and there was a way to tell."""
        return not self.context.frontiers and "frontiers" not in self.context.left_out

    def find(self, text: str, room: str = "", by_score: bool = True) -> list[Found]:
        """Things that a phrase may mean, the best first; `by_score`: where things have no names, or none
        could have this one, also those of which the encoder says that they answer the question."""
        phrase = phrase_of(text)
        named = [Found(o, likeness(o.name, phrase.noun)) for o in self.there]
        nameless = not any(o.name for o in self.there)
        if by_score and not any(found.rating for found in named) and (nameless or not is_known(phrase.noun)):
            named = [Found(o, _BY_SCORE * o.score) for o in self.there if o.score >= _ENOUGH]
        narrowed = [self._narrowed(found, phrase, room or phrase.room) for found in named if found.rating > 0.0]
        return sorted(narrowed, key=lambda f: (-f.rating, -f.thing.score, f.thing.object_id))

    def was_there(self, text: str) -> ShownObject | None:
        """A thing that a phrase means and that is gone."""
        noun = phrase_of(text).noun
        return next((o for o in self.gone if likeness(o.name, noun) >= 0.8), None)

    def _narrowed(self, found: Found, phrase: Phrase, room: str) -> Found:
        thing, rating = found.thing, found.rating
        if phrase.colour:
            rating *= self._colour_share(thing, phrase.colour)
        if room and room not in ("house", "home"):
            rating *= self.in_room(thing, room)
        if phrase.anchor:
            held = self.anchor_of(thing, phrase.relation)
            rating *= 1.0 if any(likeness(o.name, phrase_of(phrase.anchor).noun) for o in held) else _ELSEWHERE
        return Found(thing, rating * (_DOUBT if thing.presence is Presence.DOUBTED else 1.0))

    def _colour_share(self, thing: ShownObject, colour: str) -> float:
        if thing.colour == colour:
            return 1.0
        if colour not in thing.colours:
            return _NO_COLOUR
        best = max(thing.colours.values())
        return max(_OTHER_COLOUR, thing.colours[colour] / best if best > 0.0 else _NO_COLOUR)

    def in_room(self, thing: ShownObject, room: str) -> float:
        """1 where furniture says that it is in such a room, less where it says another or nothing."""
        rooms = self.rooms(thing)
        if not rooms or not is_room(room):
            return _NO_ROOM
        share = sum(share for kind, share in rooms.items() if same_kind(kind, room))
        return _OTHER_ROOM + (1.0 - _OTHER_ROOM) * min(1.0, 2.0 * share)

    def may_be_in(self, thing: ShownObject, room: str) -> bool:
        """Whether it is in such a room, or nothing around tells."""
        return not room or self.in_room(thing, room) >= _NO_ROOM

    def here(self, thing: ShownObject, room: str) -> bool:
        """Whether it is in such a room for all that the furniture says."""
        return not room or self.in_room(thing, room) >= _HERE

    def rooms(self, thing: ShownObject) -> dict[str, float]:
        """Share by kind of room that a thing may be in."""
        if thing.object_id not in self._rooms:
            self._rooms[thing.object_id] = rooms_of(thing, self.there)
        return self._rooms[thing.object_id]

    def anchor_of(self, thing: ShownObject, relation: str) -> list[ShownObject]:
        """What a thing is on, in, under or beside; the relation empty: any but beside."""
        ids = {"on": [thing.on], "in": [thing.inside, thing.on], "under": [thing.under], "beside": [*thing.beside]}
        chosen = ids.get(relation, [thing.on, thing.inside, thing.under])
        return [self.by_id[n] for n in dict.fromkeys(chosen) if n is not None and n in self.by_id]

    def held(self, thing: ShownObject, relation: str) -> list[ShownObject]:
        """What is there on, in, under or beside a thing; the relation empty: on or in it."""
        fits = {
            "on": lambda o: thing.object_id in (o.on, o.inside), "in": lambda o: thing.object_id in (o.inside, o.on),
            "under": lambda o: o.under == thing.object_id or self._low_on(o, thing),
            "beside": lambda o: o.object_id in thing.beside,
        }.get(relation, lambda o: thing.object_id in (o.on, o.inside))  # fmt: skip
        return [o for o in self.there if o.object_id != thing.object_id and fits(o)]

    def _low_on(self, thing: ShownObject, carrier: ShownObject) -> bool:
        """Whether it lies on a low board of what has more above it: people say under, too."""
        top = thing.position_m[2] + thing.extent_m[2] / 2.0
        return thing.on == carrier.object_id and bool(top < carrier.position_m[2])

    def snapshot_of(self, thing: ShownObject) -> int | None:
        """Mark of the snapshot that stands for a thing."""
        views = self.context.snapshots
        return next((v.mark for v in views if thing.object_id in {o.object_id for o in v.objects}), None)


def gap_m(a: ShownObject, b: ShownObject) -> float:
    """Between the boxes of two things, metres; 0 where they meet."""
    apart = np.abs(a.position_m - b.position_m) - (a.extent_m + b.extent_m) / 2.0
    return float(np.linalg.norm(np.maximum(apart, 0.0)))
