"""How many there are, and whether there are any."""

from __future__ import annotations

import numpy as np

from policies.planner.answering.board import Board
from policies.planner.answering.reading import Asked
from policies.planner.answering.told import GONE, NEVER_SEEN, UNTOLD, Told, unknown, yes_or_no
from policies.planner.answering.words import is_known, likeness, phrase_of
from spatialmem.retrieval.context import ShownObject

_ALL, _SO_FAR = 0.8, 0.45
"""ratings of a number when all was looked at, and when not"""
_STOREY_M = 2.2
"""by which the lowest things of two storeys differ at least"""
_SLEEPERS = {"double bed": 2, "single bed": 1, "bunk bed": 2, "crib": 1, "bed": 1}


def count(board: Board, asked: Asked) -> Told:
    """Things of a kind, in a room where one is named."""
    phrase = phrase_of(asked.thing)
    named = [found.thing for found in board.find(asked.thing, by_score=False)]
    fits = [o for o in named if not phrase.colour or o.colour in ("", phrase.colour)]
    room = "" if asked.room.split()[-1:] in (["house"], ["home"]) else asked.room or phrase.room
    here = [o for o in fits if board.here(o, room)]
    if not here and not is_known(phrase.noun):
        return unknown(UNTOLD, f"what {asked.thing} may be called")
    if not here and not board.complete:
        return unknown(NEVER_SEEN, f"{asked.thing}; not all was looked at")
    return _number(len(here), board.complete, here[0] if len(here) == 1 else None, f"{len(here)} were seen")


def count_held(board: Board, asked: Asked) -> Told:
    """Things on, in or under another."""
    found = board.find(asked.thing, asked.room, by_score=False)
    if not found:
        return _missing(board, asked.thing)
    if not board.context.placed:
        return unknown(UNTOLD, "which way is up is not known")
    there = board.held(found[0].thing, asked.relation)
    said = f"{len(there)} were seen there: {', '.join(o.name or 'a thing' for o in there)}"
    return _number(len(there), board.complete, found[0].thing, said)


def occupied(board: Board, asked: Asked) -> Told:
    """Whether anything is on, in or under a thing."""
    found = board.find(asked.thing, asked.room, by_score=False)
    if not found:
        return _missing(board, asked.thing)
    if not board.context.placed:
        return unknown(UNTOLD, "which way is up is not known")
    best = found[0]
    there = board.held(best.thing, asked.relation)
    names = ", ".join(o.name or "a thing" for o in there) or "nothing"
    rating = _ALL if there else (0.65 if board.complete else 0.5)
    return yes_or_no(bool(there), best.rating * rating, best.thing, f"{names} was seen there")


def empty(board: Board, asked: Asked) -> Told:
    """Whether nothing is there."""
    told = occupied(board, asked)
    other = {"yes": "no", "no": "yes"}
    return Told(tuple((other[text], rating) for text, rating in told.texts), told.thing, told.reason)


def sleepers(board: Board, asked: Asked) -> Told:
    """For how many there are places in beds."""
    beds = [o for o in board.there if _places(o)]
    if not beds:
        return unknown(NEVER_SEEN, "a bed")
    said = ", ".join(o.name for o in beds)
    return _number(sum(_places(o) for o in beds), board.complete, None, f"seen: {said}")


def storeys(board: Board, asked: Asked) -> Told:
    """How many floors things stand on."""
    if not board.there:
        return unknown(NEVER_SEEN, "any thing")
    heights = np.sort([float(o.position_m[2] - o.extent_m[2] / 2.0) for o in board.there])
    floors, base = 1, heights[0]
    while (above := heights[heights > base + _STOREY_M]).size:
        floors, base = floors + 1, above[0]
    return _number(floors, board.complete, None, f"things stand on {floors}")


def _places(thing: ShownObject) -> int:
    return next((n for bed, n in _SLEEPERS.items() if likeness(thing.name, bed) >= 0.8), 0)


def _number(number: int, complete: bool, thing: ShownObject | None, reason: str) -> Told:
    return Told(((str(number), _ALL if complete else _SO_FAR),), thing, reason)


def _missing(board: Board, phrase: str) -> Told:
    return unknown(GONE if board.was_there(phrase) else NEVER_SEEN, phrase)
