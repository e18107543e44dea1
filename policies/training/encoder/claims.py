"""What captions claim, as numbers, and of which things it is true.

A claim or a thing is a row of codes (FIELDS). `judge` says for every thing and claim 1 (true), 0 (false) or -1
(neither: people might say so), so that in a batch every true pair counts as one and no pair is false by chance.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from policies.training.encoder import nouns
from policies.training.encoder.facts import Facts
from sim.house.layout.recipes import RECIPES
from sim.house.materials import COLOURS, DECORS, SUBSTANCES, WOODS
from sim.house.thing import CATEGORY_IDS

FIELDS = ("noun", "colour", "second", "decor", "material", "size", "room", "support", "relation")
"""of things, noun and support are category ids; of claims, indices into nouns.nouns(). -1: not said, or none"""
NOUN, COLOUR, SECOND, DECOR, MATERIAL, SIZE, ROOM, SUPPORT, RELATION = range(len(FIELDS))
COLOUR_NAMES = (*COLOURS, *(name for name in WOODS if name not in COLOURS))
MATERIAL_NAMES = (
    *(name for name in SUBSTANCES if name != "painted wood"),
    "tile",
    "carpet",
    "wallpaper",
    "plaster",
    "brick",
)
DECOR_NAMES = tuple(DECORS)
SIZE_NAMES = ("small", "large")
ROOM_NAMES = tuple(RECIPES)
RELATION_NAMES = ("on", "in", "under")
_MAYBE_COLOURS = (("brown", "light brown"), ("brown", "dark brown"), ("beige", "light brown"), ("black", "dark brown"))
"""pairs of which a thing of one may be called the other"""
_ALSO_COLOURS = (("brown", "light brown"), ("brown", "dark brown"))
"""(claim, thing): what is light brown is brown"""
_MAYBE_MATERIALS = (
    ("stone", "granite"),
    ("stone", "tile"),
    ("ceramic", "tile"),
    ("fabric", "wool"),
    ("stone", "brick"),
)

Codes = NDArray[np.int16]


def code(names: Sequence[str], word: str) -> int:
    """Index of a word, -1 for one that is not there."""
    return names.index(word) if word in names else -1


def thing_codes(facts: Sequence[Facts]) -> Codes:
    """(N, FIELDS) int16 of things."""
    rows = [
        (
            CATEGORY_IDS[f.category], code(COLOUR_NAMES, f.colour), code(COLOUR_NAMES, f.second_colour),
            code(DECOR_NAMES, f.decor), code(MATERIAL_NAMES, f.material), code(SIZE_NAMES, f.size),
            code(ROOM_NAMES, f.room), CATEGORY_IDS[f.support], code(RELATION_NAMES, f.relation),
        )
        for f in facts
    ]  # fmt: skip
    return np.array(rows, np.int16).reshape(-1, len(FIELDS))


def claim(**words: str) -> tuple[int, ...]:
    """A row of a claim from words: noun, colour, second, decor, material, size, room, support, relation."""
    return tuple(code(_NAMES[field], words.get(name, "")) for field, name in enumerate(FIELDS))


_NAMES: tuple[tuple[str, ...], ...] = (
    nouns.nouns(), COLOUR_NAMES, COLOUR_NAMES, DECOR_NAMES, MATERIAL_NAMES, SIZE_NAMES, ROOM_NAMES, nouns.nouns(),
    RELATION_NAMES,
)  # fmt: skip


def word_of(field: int, value: int) -> str:
    """The word of a code of a claim; empty for -1."""
    return _NAMES[field][value] if value >= 0 else ""


def judge(things: Codes, claimed: Codes) -> NDArray[np.int8]:
    """(things, claims) int8: 1 true, 0 false, -1 neither."""
    parts = [
        _noun(things[:, NOUN], claimed[:, NOUN]), _colour(things, claimed), _second(things, claimed),
        _equal(things[:, DECOR], claimed[:, DECOR]), _by(_material_table(), things[:, MATERIAL], claimed[:, MATERIAL]),
        _size(things[:, SIZE], claimed[:, SIZE]), _equal(things[:, ROOM], claimed[:, ROOM]),
        _noun(things[:, SUPPORT], claimed[:, SUPPORT]), _equal(things[:, RELATION], claimed[:, RELATION]),
    ]  # fmt: skip
    return np.where(functools.reduce(np.logical_or, [p == 0 for p in parts]), 0, functools.reduce(np.minimum, parts))


def _noun(category: NDArray[np.int16], noun: NDArray[np.int16]) -> NDArray[np.int8]:
    table = np.vstack([nouns.truth(), np.ones((1, nouns.truth().shape[1]), np.int8)])  # -1, the last: nothing claimed
    return table[noun][:, category].T


def _equal(thing: NDArray[np.int16], said: NDArray[np.int16]) -> NDArray[np.int8]:
    return ((thing[:, None] == said[None]) | (said[None] < 0)).astype(np.int8)


def _by(table: NDArray[np.int8], thing: NDArray[np.int16], said: NDArray[np.int16]) -> NDArray[np.int8]:
    return table[said][:, thing].T


def _colour(things: Codes, claimed: Codes) -> NDArray[np.int8]:
    found = _by(_colour_table(), things[:, COLOUR], claimed[:, COLOUR])
    other = (things[:, SECOND, None] == claimed[None, :, COLOUR]) & (claimed[None, :, COLOUR] >= 0)
    return np.where((found == 0) & other, -1, found).astype(np.int8)


def _second(things: Codes, claimed: Codes) -> NDArray[np.int8]:
    said = claimed[None, :, SECOND]
    swapped = (things[:, COLOUR, None] == said) & (things[:, SECOND, None] == claimed[None, :, COLOUR])
    found = np.where(things[:, SECOND, None] == said, 1, np.where(swapped, -1, 0))
    return np.where(said < 0, 1, found).astype(np.int8)


def _size(thing: NDArray[np.int16], said: NDArray[np.int16]) -> NDArray[np.int8]:
    found = np.where(thing[:, None] == said[None], 1, np.where(thing[:, None] < 0, -1, 0))
    return np.where(said[None] < 0, 1, found).astype(np.int8)


@functools.cache
def _colour_table() -> NDArray[np.int8]:
    return _table(COLOUR_NAMES, _MAYBE_COLOURS, _ALSO_COLOURS)


@functools.cache
def _material_table() -> NDArray[np.int8]:
    return _table(MATERIAL_NAMES, _MAYBE_MATERIALS, ())


def _table(names: Sequence[str], maybe: Sequence[tuple[str, str]], also: Sequence[tuple[str, str]]) -> NDArray[np.int8]:
    """[said, thing] with one more row (nothing said: true) and column (nothing known of the thing: neither)."""
    table = np.eye(len(names) + 1, dtype=np.int8)
    for a, b in maybe:
        table[names.index(a), names.index(b)] = table[names.index(b), names.index(a)] = -1
    for said, thing in also:
        table[names.index(said), names.index(thing)] = 1
    table[:, -1] = -1
    table[-1] = 1
    return table
