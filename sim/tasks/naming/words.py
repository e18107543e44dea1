"""Which colour words are true of a thing, and which nobody can deny of it."""

from __future__ import annotations

import functools

import numpy as np

from sim.house.materials import COLOURS, WOODS, Material, Pattern, Rgb
from sim.house.thing import Thing

BROWNS = frozenset(WOODS)
_SKY = frozenset(("blue", "turquoise", "white", "grey", "green"))
_BESIDE = {
    "turquoise": ("blue", "green"), "beige": ("brown", "white"), "light brown": ("beige",), "dark brown": ("black",),
}  # fmt: skip
"""colour -> words that some people use for it too"""
_NEAR = 0.15
_NEARLY = 1.15
_PALE = ("wall", "floor", "ceiling")
"""their colours are mixed with much white, and may look like another"""


@functools.lru_cache(maxsize=4096)
def colours_of(thing: Thing) -> frozenset[str]:
    """Colour words that the truth of the house has for a thing, "brown" for every wood; none where it has no say."""
    look = thing.look
    words = {word for word in (look.colour, look.second_colour) if word}
    words |= {"brown" for word in words if word in BROWNS}
    if thing.category in _PALE:
        words &= frozenset().union(*map(_words_of, thing.shape.materials))
    return frozenset(words)


@functools.lru_cache(maxsize=4096)
def unclear_colours_of(thing: Thing) -> frozenset[str]:
    """Colour words that are neither true nor false of it: those of its parts, and those that border on its own."""
    look = thing.look
    words = {look.colour, look.second_colour}.union(*map(_words_of, thing.shape.materials))
    beside = {other for word in words for other in _BESIDE.get(word, ())}
    return frozenset(words | beside) - colours_of(thing) - {""}


@functools.lru_cache(maxsize=4096)
def _words_of(material: Material) -> frozenset[str]:
    """Colour words for what a material shows."""
    if material.pattern is Pattern.SKY:
        return _SKY
    shown = [material.rgb, material.rgb2]
    if material.pattern is Pattern.PRINT:
        shown.append(tuple((a + b) / 2.0 for a, b in zip(*shown, strict=True)))  # type: ignore[arg-type]
    return frozenset().union(*map(_words_near, shown))


def _words_near(rgb: Rgb) -> frozenset[str]:
    """The nearest colour words, those of woods among them."""
    known = {**WOODS, **COLOURS}  # "brown" is in both: paint
    far = {word: float(np.linalg.norm(np.subtract(rgb, value))) for word, value in known.items()}
    reach = max(_NEAR, _NEARLY * min(far.values()))
    near = {word for word, distance in far.items() if distance <= reach}
    return frozenset(near | {"brown" for word in near if word in BROWNS})
