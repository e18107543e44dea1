"""Which of two, and whether two are alike."""

from __future__ import annotations

import numpy as np

from policies.planner.answering.board import Board, Found, gap_m
from policies.planner.answering.reading import Asked
from policies.planner.answering.told import GONE, NEVER_SEEN, UNTOLD, Told, unknown, yes_or_no

_CLEAR, _CLOSE = 0.9, 0.55
"""ratings of a comparison that is clear, and of one that is not"""
_LEAST_M = 0.08
"""by which heights or gaps must differ to be clear"""
_SAME_ROOM_M, _OTHER_ROOM_M = 1.5, 7.0
_STOREY_M = 2.2
"""by which something upstairs is above the lowest of all"""
_ALIKE = 0.6
"""cosine of colour scores from which two things are of the same colour"""


def _both(board: Board, asked: Asked) -> tuple[Found, Found] | Told:
    """The two things, or why one of them cannot be told of."""
    found = []
    for phrase in (asked.a, asked.b):
        options = board.find(phrase, asked.room, by_score=False)
        options = [o for o in options if all(o.thing is not other.thing for other in found)]
        if not options:
            return unknown(GONE if board.was_there(phrase) else NEVER_SEEN, phrase)
        found.append(options[0])
    return found[0], found[1]


def taller(board: Board, asked: Asked) -> Told:
    """Which of two things is higher from its bottom to its top."""
    both = _both(board, asked)
    if isinstance(both, Told):
        return both
    return _of_two(asked, both, tuple(float(f.thing.extent_m[2]) for f in both), "m high")


def is_taller(board: Board, asked: Asked) -> Told:
    """Whether the first is taller than the second."""
    both = _both(board, asked)
    if isinstance(both, Told):
        return both
    a, b = (float(f.thing.extent_m[2]) for f in both)
    return yes_or_no(a > b, _sure(both, a - b), both[0].thing, f"{a:.2f} m and {b:.2f} m high")


def nearer(board: Board, asked: Asked) -> Told:
    """Which of two things is nearer to a third."""
    both, third = _both(board, asked), board.find(asked.thing, asked.room, by_score=False)
    if isinstance(both, Told):
        return both
    third = [f for f in third if all(f.thing is not one.thing for one in both)]
    if not third:
        return unknown(GONE if board.was_there(asked.thing) else NEVER_SEEN, asked.thing)
    return _of_two(asked, both, tuple(-gap_m(f.thing, third[0].thing) for f in both), "m off")


def same_colour(board: Board, asked: Asked) -> Told:
    """Whether two things have the same colour, by the scores of all colour words."""
    both = _both(board, asked)
    if isinstance(both, Told):
        return both
    a, b = (f.thing.colours for f in both)
    words = sorted({*a, *b})
    if not a or not b:
        return unknown(UNTOLD, "the memory's encoder tells no colours")
    first, second = (np.array([scores.get(word, 0.0) for word in words]) for scores in (a, b))
    cosine = float(first @ second / max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-9))
    same = cosine >= _ALIKE and max(a, key=a.__getitem__) == max(b, key=b.__getitem__) or cosine > 0.9
    clear = all(f.thing.colour for f in both)
    rating = (_CLEAR if clear else _CLOSE) * min(f.rating for f in both)
    said = " and ".join(max(scores, key=scores.__getitem__) for scores in (a, b))
    return yes_or_no(same, rating, both[0].thing, f"they look {said}")


def same_room(board: Board, asked: Asked) -> Told:
    """Whether two things are in one room, by how far apart they are and the furniture around."""
    both = _both(board, asked)
    if isinstance(both, Told):
        return both
    apart = both[0].thing.position_m - both[1].thing.position_m
    far_m, rooms = float(np.linalg.norm(apart[:2])), [board.rooms(f.thing) for f in both]
    rating = min(f.rating for f in both)
    if abs(apart[2]) > _STOREY_M or far_m > _OTHER_ROOM_M:
        return yes_or_no(False, _CLEAR * rating, both[0].thing, f"{far_m:.1f} m apart")
    alike = far_m < _SAME_ROOM_M or sum(rooms[0].get(r, 0.0) * share for r, share in rooms[1].items()) > 0.5
    return yes_or_no(alike, _CLOSE * rating, both[0].thing, f"{far_m:.1f} m apart")


def storey(board: Board, asked: Asked) -> Told:
    """Whether a thing is upstairs or downstairs, by the lowest of all things."""
    found = board.find(asked.thing, asked.room)
    if not found:
        return unknown(GONE if board.was_there(asked.thing) else NEVER_SEEN, asked.thing)
    heights = [float(o.position_m[2] - o.extent_m[2] / 2.0) for o in board.there]
    bottom = float(found[0].thing.position_m[2] - found[0].thing.extent_m[2] / 2.0)
    if max(heights) - min(heights) < _STOREY_M and not board.complete:
        return unknown(UNTOLD, "one floor was seen, and not all was looked at")
    said = ("upstairs", "downstairs") if bottom > min(heights) + _STOREY_M else ("downstairs", "upstairs")
    texts = ((said[0], _CLEAR * found[0].rating), (said[1], 0.05))
    return Told(texts, found[0].thing, f"{bottom - min(heights):.1f} m above the lowest thing")


def _of_two(asked: Asked, both: tuple[Found, Found], more: tuple[float, ...], unit: str) -> Told:
    """The phrase of the one of which there is more."""
    first = more[0] >= more[1]
    said = (asked.a, asked.b) if first else (asked.b, asked.a)
    rating = _sure(both, more[0] - more[1])
    reason = f"{abs(more[0]):.2f} and {abs(more[1]):.2f} {unit}"
    return Told(((said[0], rating), (said[1], 0.1 * rating)), both[0 if first else 1].thing, reason)


def _sure(both: tuple[Found, Found], difference: float) -> float:
    return min(f.rating for f in both) * (_CLEAR if abs(difference) >= _LEAST_M else _CLOSE)
