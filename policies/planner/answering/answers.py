"""Answers to a question that was read, from what a context tells, without choices yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from policies.planner.answering import comparing, counting, placing
from policies.planner.answering.board import Board
from policies.planner.answering.reading import Asked, read_question
from policies.planner.answering.told import GONE, NEVER_SEEN, UNTOLD, Told, decided, unknown, yes_or_no
from policies.planner.answering.words import is_known, is_room, phrase_of
from policies.planner.planner import Decision
from spatialmem.retrieval.context import Context

_GUESS = 0.3
"""score from which the thing that answers best is named where the question is not understood, and the rating then"""
_NO = 0.7
"""rating of "no" when all was looked at"""


def answered(context: Context, choices: tuple[str, ...] = ()) -> Decision:
    """What a context answers to its question; one of the choices where there are any."""
    board, asked = Board(context), read_question(context.question)
    told = _ANSWERS.get(asked.kind, _guess)(board, asked)
    return decided(told, choices, None if told.thing is None else board.snapshot_of(told.thing))


def _exists(board: Board, asked: Asked) -> Told:
    room = asked.room or phrase_of(asked.thing).room
    found = [f for f in board.find(asked.thing, room) if board.may_be_in(f.thing, room)]
    if found:
        best = found[0]
        return yes_or_no(True, best.rating, best.thing, f"{best.thing.name or 'a thing'} was seen")
    gone = board.was_there(asked.thing)
    if not board.complete:
        return unknown(GONE if gone else NEVER_SEEN, f"{asked.thing}; not all was looked at")
    if gone is None and not is_known(phrase_of(asked.thing).noun):
        return unknown(UNTOLD, f"what {asked.thing} may be called")
    return yes_or_no(False, _NO, reason=f"{GONE if gone else NEVER_SEEN}: {asked.thing}")


def _colour(board: Board, asked: Asked) -> Told:
    found = board.find(asked.thing, asked.room)
    if not found:
        return missing(board, asked.thing)
    best = next((f for f in found if f.thing.colours), None)
    if best is None:
        return replace(unknown(UNTOLD, "the memory's encoder tells no colours"), thing=found[0].thing)
    most = max(best.thing.colours.values()) or 1.0
    clear = 1.0 if best.thing.colour else 0.6
    texts = tuple((word, best.rating * clear * score / most) for word, score in best.thing.colours.items())
    return Told(texts, best.thing, f"{best.thing.name or 'the thing'} looks {texts[0][0]}")


def _untold(board: Board, asked: Asked) -> Told:
    """What no part of a context says: substance, pattern, use, whether a door is open."""
    return unknown(UNTOLD, f"a memory of things does not tell this ({asked.kind})")


def _which(board: Board, asked: Asked) -> Told:
    """What of a kind is in a room."""
    named = board.find(asked.thing, asked.room) if phrase_of(asked.thing).noun not in ("", "thing", "object") else []
    texts = [(found.thing.name, found.rating, found.thing) for found in named if found.thing.name]
    here = [o for o in board.there if o.name and board.here(o, asked.room)]
    texts += [(o.name, 0.5 if named == [] else 0.2, o) for o in here]
    if not texts:
        return unknown(NEVER_SEEN, f"{asked.thing} in the {asked.room}")
    return Told(tuple((name, rating) for name, rating, _ in texts), texts[0][2], f"seen in the {asked.room}")


def _held(board: Board, asked: Asked) -> Told:
    if is_room(asked.thing):
        words = asked.a.split()
        noun = words[-2] if len(words) > 1 and words[-1] in ("is", "are") else ""
        return _which(board, replace(asked, kind="which", thing=noun, room=asked.thing.removeprefix("the ")))
    return placing.held(board, asked)


def _guess(board: Board, asked: Asked) -> Told:
    """Who does not understand a question names what answers it best by the memory's encoder."""
    best = max(board.there, key=lambda o: (o.score, -o.object_id), default=None)
    if best is None:
        return unknown(NEVER_SEEN, "no thing is known")
    if best.score < _GUESS or not best.name:
        return unknown(UNTOLD, "the question is not understood, and no thing that was seen is like it")
    return Told(((best.name, _GUESS),), best, f"the question is not understood; {best.name} scores {best.score:.2f}")


def missing(board: Board, phrase: str) -> Told:
    """Why a thing of a phrase cannot be told of."""
    return unknown(GONE if board.was_there(phrase) else NEVER_SEEN, phrase)


_ANSWERS: dict[str, Callable[[Board, Asked], Told]] = {
    "exists": _exists, "colour": _colour, "which": _which, "held": _held, "material": _untold, "pattern": _untold,
    "open": _untold, "use any": _untold, "use room": _untold, "use support": _untold, "use colour": _untold,
    "count": counting.count, "count held": counting.count_held, "sleepers": counting.sleepers,
    "storeys": counting.storeys, "occupied": counting.occupied, "empty": counting.empty, "sit": counting.empty,
    "taller": comparing.taller, "is taller": comparing.is_taller, "nearer": comparing.nearer,
    "same colour": comparing.same_colour, "same room": comparing.same_room, "storey": comparing.storey,
    "where": placing.where, "support": placing.support, "room": placing.room,
}  # fmt: skip
