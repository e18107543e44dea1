"""Which words name which colours, and what a phrase asks for.

A basic term (Berlin & Kay 1969) is the unit vector of that term. Any other colour name is looked up as the
sRGB colour that the xkcd survey (Munroe 2010, CC0) found for it, and is the square root of that colour's
memberships: "turquoise" is partly blue and partly green, "dark red" is red, "pale grey" is white.
"""

from __future__ import annotations

import functools
import re

import numpy as np
from numpy.typing import NDArray

from spatialmem.perception import colour_model
from spatialmem.perception.colour_survey import TERMS
from spatialmem.perception.fingerprint import Part

SURVEY_NAMES: dict[str, str] = {
    "aqua": "13eac9", "azure": "069af3", "beige": "e6daa6", "burgundy": "610023", "crimson": "8c000f",
    "cyan": "00ffff", "fuchsia": "ed0dd9", "indigo": "380282", "ivory": "ffffcb", "khaki": "aaa662",
    "lavender": "c79fef", "lilac": "cea2fd", "magenta": "c20078", "maroon": "650021", "mauve": "ae7181",
    "navy": "01153e", "ochre": "bf9005", "scarlet": "be0119", "tan": "d1b26f", "teal": "029386",
    "turquoise": "06c2ac", "violet": "9a0eea",
    "blue green": "137e6d", "blue grey": "607c8e", "blue purple": "5729ce", "forest green": "06470c",
    "hot pink": "ff028d", "lime green": "89fe05", "mint green": "8fff9f", "navy blue": "001146",
    "olive green": "677a04", "pink purple": "db4bda", "red brown": "8b2e16", "red orange": "fd3c06",
    "reddish brown": "7f2b0a", "royal blue": "0504aa", "sky blue": "75bbfd", "yellow green": "c0fb2d",
    "bright blue": "0165fc", "bright green": "01ff07", "bright orange": "ff5b00", "bright pink": "fe01b1",
    "bright purple": "be03fd", "bright red": "ff000d", "bright yellow": "fffd01",
    "dark blue": "00035b", "dark brown": "341c02", "dark green": "033500", "dark grey": "363737",
    "dark orange": "c65102", "dark pink": "cb416b", "dark purple": "35063e", "dark red": "840000",
    "dark yellow": "d5b60a", "deep blue": "040273", "deep brown": "410200", "deep green": "02590f",
    "deep orange": "dc4d01", "deep pink": "cb0162", "deep purple": "36013f", "deep red": "9a0200",
    "light blue": "95d0fc", "light brown": "ad8150", "light green": "96f97b", "light grey": "d8dcd6",
    "light orange": "fdaa48", "light pink": "ffd1df", "light purple": "bf77f6", "light red": "ff474c",
    "light yellow": "fffe7a", "pale blue": "d0fefe", "pale brown": "b1916e", "pale green": "c7fdb5",
    "pale grey": "fdfdfe", "pale orange": "ffa756", "pale pink": "ffcfdc", "pale purple": "b790d4",
    "pale red": "d9544d", "pale yellow": "ffff84",
}  # fmt: skip
"""Names that are not basic terms, and their survey colour."""

_SAME = {"gray": "grey", "turqoise": "turquoise", "fuschia": "fuchsia", "ocher": "ochre"}
_ISH = {
    "blackish": "black", "greyish": "grey", "grayish": "grey", "whitish": "white", "reddish": "red",
    "orangish": "orange", "brownish": "brown", "yellowish": "yellow", "greenish": "green", "bluish": "blue",
    "blueish": "blue", "purplish": "purple", "pinkish": "pink",
}  # fmt: skip
_MODIFIERS = frozenset(("dark", "light", "pale", "bright", "deep"))
_SHADES = frozenset(
    "apple baby blood brick chocolate emerald forest grass hot lemon lime mint moss mustard neon olive pastel "
    "pitch rose royal salmon sky snow tomato wine".split()
)  # words that belong to a colour's name only right before a basic term
_STOP_WORDS = frozenset(
    "a all an and any anything are can color colored colors colour coloured colours could did do everything find "
    "for get give have how i in is it item items kind look looking many me my object objects of one ones our "
    "painted please s see show some something surface that the there these thing things this those to was we were "
    "what where which who whose you your".split()
)
_NOUNS = frozenset(("can",))  # stop words that name a thing where they end a phrase
_PLACES = frozenset(
    "above against at before behind below beneath beside besides between by from inside near next off on "
    "outside over towards under underneath with".split()
)  # what follows describes another thing, or a part
_LOGIC = frozenset("but except neither never no non nor not or without".split())
_SMALLEST_SHARE = 0.1  # smaller parts of a survey colour's memberships are left out of its vector


def definition() -> dict[str, Part]:
    """Everything above, for the fingerprint."""
    sets = {
        "modifiers": _MODIFIERS,
        "shades": _SHADES,
        "stop": _STOP_WORDS,
        "places": _PLACES,
        "logic": _LOGIC,
        "nouns": _NOUNS,
    }
    return {
        "names": SURVEY_NAMES, "same": _SAME, "ish": _ISH, "smallest_share": _SMALLEST_SHARE,
        **{key: sorted(words) for key, words in sets.items()},
    }  # fmt: skip


def parse(text: str) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
    """What a phrase asks for: (16,) float32 unit vector or None, and the words that had no say, in order.

    "red and white" asks for both in one place, in equal parts. A phrase with "not" or "or" has no vector:
    neither can be said by one direction. From a word of place on ("on", "with", ...), a phrase describes
    something else: those words are unknown, colours among them too.
    """
    written: list[str] = re.findall(r"[^\W_]+", text.lower())
    words = [_SAME.get(word, word) for word in written]
    described = next((k for k, word in enumerate(words) if word in _PLACES), len(words))
    vectors, unknown = _read(words[:described])
    unknown += [word for word in words[described:] if word not in _STOP_WORDS]
    if not vectors or not _LOGIC.isdisjoint(words):
        return None, tuple(dict.fromkeys(unknown))
    total = np.sum(list({vector.tobytes(): vector for vector in vectors}.values()), axis=0)
    return (total / np.linalg.norm(total)).astype(np.float32), tuple(dict.fromkeys(unknown))


def _read(words: list[str]) -> tuple[list[NDArray[np.float64]], list[str]]:
    vectors: list[NDArray[np.float64]] = []
    unknown: list[str] = []
    k = 0
    while k < len(words):
        word, following = words[k], words[k + 1] if k + 1 < len(words) else ""
        if f"{word} {following}" in SURVEY_NAMES:
            vectors.append(_survey_vector(f"{word} {following}"))
            k += 1
        elif _is_part_of_name(word, following):
            pass
        elif _ISH.get(word, word) in TERMS:
            vectors.append(_term_vector(_ISH.get(word, word)))
        elif word in SURVEY_NAMES:
            vectors.append(_survey_vector(word))
        elif word not in _STOP_WORDS or (word in _NOUNS and vectors and not following):
            unknown.append(word)
        k += 1
    return vectors, unknown


def _is_part_of_name(word: str, following: str) -> bool:
    """Whether `word` only shades the colour that follows, as in "dark turquoise", "bluish grey", "brick red"."""
    if word in _MODIFIERS:
        return following in TERMS or following in SURVEY_NAMES or following in _ISH
    return following in TERMS and (word in _SHADES or word in _ISH or word in SURVEY_NAMES)


def _term_vector(term: str) -> NDArray[np.float64]:
    vector = np.zeros(colour_model.WIDTH)
    vector[TERMS.index(term)] = 1.0
    return vector


@functools.cache
def _survey_vector(name: str) -> NDArray[np.float64]:
    srgb = np.array([colour_model.srgb_from_hex(SURVEY_NAMES[name])])
    share = colour_model.memberships(colour_model.lab_from_srgb(srgb))[0]
    share = np.where(share < _SMALLEST_SHARE, 0.0, share)
    vector = np.zeros(colour_model.WIDTH)
    vector[: len(TERMS)] = np.sqrt(share / share.sum())
    return vector
