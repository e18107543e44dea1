"""Where things are, and what is on, in, under and beside them."""

from __future__ import annotations

from policies.planner.answering.board import Board, Found, gap_m
from policies.planner.answering.reading import Asked
from policies.planner.answering.told import GONE, NEVER_SEEN, UNTOLD, Told, unknown
from policies.planner.answering.words import phrase_of
from spatialmem.retrieval.context import ShownObject

_ON, _BESIDE, _LIKELY_ROOM = 0.9, 0.4, 0.5
"""ratings of what a thing is on and beside; share from which a room is named"""
_NEAR_M = 1.0
_CLOSE, _FOUND_COLOUR = 0.3, 0.4
"""rating of what is only near a support; what another colour than the one asked for counts"""
_MOST = 8
"""things that a phrase may mean, all of which are looked at where there are choices"""


def where(board: Board, asked: Asked) -> Told:
    """On or in or beside what, and in which room."""
    found = board.find(asked.thing, asked.room)[:_MOST]
    if not found:
        return _missing(board, asked.thing)
    texts: list[tuple[str, float]] = []
    for one in found:
        texts += _places(board, one)
    if not texts:
        at = ", ".join(f"{v:.1f}" for v in found[0].thing.position_m)
        texts = [(f"at {at} m", _BESIDE * found[0].rating)]
    return Told(tuple(texts), found[0].thing, f"{found[0].thing.name or 'a thing'} was seen there")


def place_of(board: Board, thing: ShownObject) -> str:
    """Where a thing is, in words; empty where nothing around tells."""
    return max(_places(board, Found(thing, 1.0)), key=lambda t: t[1], default=("", 0.0))[0]


def _places(board: Board, found: Found) -> list[tuple[str, float]]:
    thing, rating = found.thing, found.rating
    rooms = list(board.rooms(thing).items())
    room = f" in the {rooms[0][0]}" if rooms and rooms[0][1] >= _LIKELY_ROOM else ""
    held = [("in", thing.inside), ("on", thing.on), ("under", thing.under)]
    named = [(word, board.by_id[n]) for word, n in held if n is not None and n in board.by_id]
    texts = [(f"{word} the {o.name}{room}", _ON * rating) for word, o in named if o.name]
    near = [board.by_id[n].name for n in thing.beside if n in board.by_id]
    texts += [(f"beside the {name}{room}", (_BESIDE - 0.05 * i) * rating) for i, name in enumerate(near) if name]
    texts += [("on the floor" + room, _BESIDE * rating * 0.9)] if not named and board.context.placed else []
    return texts + [(f"in the {name}", rating * share * 0.35) for name, share in rooms]


def support(board: Board, asked: Asked) -> Told:
    """What a thing is on."""
    found = board.find(asked.thing, asked.room)[:_MOST]
    if not found:
        return _missing(board, asked.thing)
    texts: list[tuple[str, float]] = []
    for one in found:
        carries = board.anchor_of(one.thing, "")
        texts += [(o.name, _ON * one.rating) for o in carries if o.name]
        texts += [(board.by_id[n].name, _CLOSE * one.rating) for n in one.thing.beside if n in board.by_id]
    texts = [(name, rating) for name, rating in texts if name]
    if not texts:
        return unknown(UNTOLD, f"nothing was seen to carry {asked.thing}")
    return Told(tuple(texts), found[0].thing, f"{found[0].thing.name or 'a thing'} was seen on it")


def room(board: Board, asked: Asked) -> Told:
    """In which kind of room a thing is, by the furniture around."""
    found = board.find(asked.thing, asked.room)[:_MOST]
    if not found:
        return _missing(board, asked.thing)
    texts = [(name, one.rating * share) for one in found for name, share in board.rooms(one.thing).items()]
    if not texts:
        return unknown(UNTOLD, f"no furniture around {asked.thing} tells the room")
    return Told(tuple(texts), found[0].thing, "told by the furniture around it")


def held(board: Board, asked: Asked) -> Told:
    """What is on, in, under or beside a thing, of a colour where one is named."""
    found = board.find(asked.thing, asked.room, by_score=False)
    if not found:
        return _missing(board, asked.thing)
    colour = next((word for word in asked.a.split() if word in _colours(board)), "")
    texts: list[tuple[str, float]] = []
    for one in found[:_MOST]:
        there = board.held(one.thing, asked.relation)
        texts += [(o.name, _ON * one.rating * _of_colour(o, colour)) for o in there if o.name]
        near = [o for o in board.there if o not in there and o is not one.thing and gap_m(o, one.thing) <= _NEAR_M]
        texts += [(o.name, _CLOSE * one.rating * _of_colour(o, colour)) for o in near if o.name]
    seen = [name for name, rating in texts if rating > _CLOSE]
    several = [*dict.fromkeys(seen)]
    if len(several) > 1 and not colour:
        texts.append((f"{', '.join(several[:-1])} and {several[-1]}", max(rating for _, rating in texts) + 0.01))
    if not seen and not colour:
        texts.append(("nothing", 0.5 * found[0].rating))
    named = f"{found[0].thing.name} was seen"
    return Told(tuple(texts), found[0].thing, f"{named}, with {', '.join(dict.fromkeys(seen)) or 'nothing'}")


def _of_colour(thing: ShownObject, colour: str) -> float:
    if not colour or thing.colour == colour:
        return 1.0
    best = max(thing.colours.values(), default=0.0)
    return max(_FOUND_COLOUR, thing.colours.get(colour, 0.0) / best) if best > 0.0 else _FOUND_COLOUR


def _colours(board: Board) -> set[str]:
    return {word for o in board.there for word in o.colours}


def _missing(board: Board, phrase: str) -> Told:
    gone = board.was_there(phrase)
    return unknown(GONE if gone else NEVER_SEEN, phrase_of(phrase).noun or phrase)
