"""Captions: claims that are true of a thing or a view, and claims that are nearly true, put into words."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from policies.training.encoder import claims, held_out, nouns
from policies.training.encoder.claims import COLOUR, DECOR, MATERIAL, NOUN, RELATION, ROOM, SECOND, SIZE, SUPPORT
from sim.house.thing import CATEGORIES, GROUPS
from spatialmem.perception.tiny.words import words_of

Row = tuple[int, ...]
COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "turquoise": ("turquoise", "turquoise", "teal"), "purple": ("purple", "purple", "violet"),
    "beige": ("beige", "beige", "cream"), "grey": ("grey", "grey", "silver"),
}  # fmt: skip
"""other words for some colours"""
MATERIAL_WORDS: dict[str, tuple[str, ...]] = {
    "wood": ("wooden", "wood"), "metal": ("metal", "steel", "metallic"), "fabric": ("fabric", "cloth", "textile"),
    "ceramic": ("ceramic", "porcelain"), "wool": ("wool", "woollen"), "wicker": ("wicker", "rattan"),
    "tile": ("tile", "tiled"), "wax": ("wax",), "leather": ("leather",), "paper": ("paper",), "food": ("food",),
}  # fmt: skip
ROOM_WORDS: dict[str, tuple[str, ...]] = {
    "living room": ("living room", "living room", "lounge"), "kids room": ("kids room", "nursery"),
    "bathroom": ("bathroom", "bathroom", "washroom"), "hallway": ("hallway", "corridor"), "office": ("office", "study"),
}  # fmt: skip
PATTERN_WORDS = {"striped": "stripes", "checked": "checks", "dotted": "dots"}
NEAR_COLOURS = (
    ("red", "orange"), ("red", "pink"), ("orange", "yellow"), ("green", "turquoise"), ("turquoise", "blue"),
    ("blue", "purple"), ("purple", "pink"), ("brown", "orange"), ("beige", "white"), ("white", "grey"),
    ("grey", "black"), ("brown", "black"), ("beige", "yellow"), ("brown", "red"), ("dark brown", "black"),
)  # fmt: skip
LIKE_SHAPES = (
    ("mug", "teacup", "drinking glass", "can", "jar", "pen holder", "toothbrushes", "candle"),
    ("plate", "bowl", "frying pan", "hat", "wall clock"),
    ("wine bottle", "water bottle", "shampoo bottle", "soap dispenser", "vase"),
    ("book", "magazine", "tablet", "cutting board", "laptop", "keyboard", "picture frame"),
    ("phone", "remote control", "wallet", "soap", "game controller", "computer mouse"),
    ("apple", "orange", "lemon", "pear", "ball", "globe"),
    ("fork", "spoon", "kitchen knife", "screwdriver", "hairbrush", "scissors"),
    ("cereal box", "milk carton", "tissue box", "cardboard box", "toolbox", "crate", "basket"),
    ("toaster", "microwave", "coffee machine", "kettle", "teapot", "iron", "watering can"),
    ("saucepan", "cooking pot", "frying pan"), ("backpack", "handbag", "cushion", "blanket", "towel", "teddy bear"),
    ("chair", "office chair", "armchair", "stool", "ottoman"), ("sofa", "bench", "double bed", "single bed", "bathtub"),
    ("dining table", "round table", "coffee table", "side table", "desk", "console table", "workbench"),
    ("wardrobe", "bookshelf", "storage rack", "refrigerator", "cabinet", "chest of drawers", "piano", "fireplace"),
    ("nightstand", "cabinet", "shoe rack", "TV stand", "laundry basket", "waste bin"),
    ("stove", "dishwasher", "washing machine", "tumble dryer", "kitchen counter", "kitchen sink"),
    ("painting", "mirror", "television", "monitor", "window", "wall cabinet"),
    ("floor lamp", "coat rack", "potted plant", "curtain"), ("table lamp", "desk lamp", "vase", "houseplant"),
    ("rug", "round rug", "floor"), ("wall", "ceiling", "floor", "door"), ("toilet", "washbasin", "kitchen sink"),
)  # fmt: skip
_KINDS = ("noun", "colour", "material", "colour_material", "decor", "size", "support", "room", "thing", "stuff")
_SHARES = (0.23, 0.28, 0.07, 0.06, 0.07, 0.03, 0.12, 0.06, 0.06, 0.02)


@dataclass(frozen=True)
class Caption:
    """Words and what they claim."""

    text: str
    row: Row
    """codes, see claims.FIELDS"""


@dataclass(frozen=True)
class ViewCaption:
    """Words about a whole picture."""

    text: str
    room: int
    """code, -1: not said"""
    things: tuple[Row, ...]
    """what it shows"""


def is_held_out(row: Row) -> bool:
    """Whether a claim joins a colour and a kind that training leaves out."""
    said = {claims.word_of(COLOUR, row[COLOUR]), claims.word_of(SECOND, row[SECOND])} - {""}
    noun = claims.word_of(NOUN, row[NOUN])
    return any((colour, category) in held_out.combinations() for colour in said for category in _close(noun))


@functools.cache
def _close(noun: str) -> tuple[str, ...]:
    return tuple(c for c in CATEGORIES[1:] if noun in nouns.nouns_of()[c][0])


def caption_of(thing: Sequence[int], rng: Random, part: str = "train") -> Caption:
    """Something true of a thing (its codes), in wordings of "train" or "test"."""
    row = true_claim(thing, rng, rng.choices(_KINDS, _SHARES)[0])
    return Caption(say(row, rng, part), row)


def true_claim(thing: Sequence[int], rng: Random, kind: str) -> Row:
    """A claim of a kind (_KINDS) that is true of a thing; a simpler one where the thing lacks what it needs."""
    t = [int(v) for v in thing]
    row = [-1] * len(claims.FIELDS)
    if kind not in ("thing", "stuff") or (kind == "thing" and t[COLOUR] < 0) or (kind == "stuff" and t[MATERIAL] < 0):
        row[NOUN] = nouns.number(_noun_for(CATEGORIES[t[NOUN]], rng))
    more = {
        "colour": (COLOUR,), "material": (MATERIAL,), "colour_material": (COLOUR, MATERIAL), "size": (SIZE,),
        "decor": (DECOR,), "support": (SUPPORT, RELATION), "room": (ROOM,), "thing": (COLOUR,), "stuff": (MATERIAL,),
    }.get(kind, ())  # fmt: skip
    for field in more:
        row[field] = t[field]
    if kind == "decor" and t[DECOR] >= 0 and rng.random() < 0.7:
        row[COLOUR], row[SECOND] = t[COLOUR], t[SECOND]
    if kind in ("support", "room", "size") and rng.random() < 0.5:
        row[COLOUR] = t[COLOUR]
    row[SUPPORT] = nouns.number(_noun_for(CATEGORIES[t[SUPPORT]], rng)) if row[SUPPORT] > 0 else -1
    if row[SUPPORT] < 0:
        row[RELATION] = -1
    return tuple(row)


def nearly_true(row: Row, rng: Random) -> Row:
    """The claim with one part changed: a near colour, a like shape, another room or support."""
    changed = list(row)
    said = [f for f in (NOUN, COLOUR, SUPPORT, ROOM, MATERIAL, DECOR) if row[f] >= 0]
    field = rng.choice(said)
    if field in (NOUN, SUPPORT):
        changed[field] = _other_noun(row[field], rng)
    elif field == COLOUR:
        changed[field] = _other_colour(row[field], rng)
    else:
        names = {ROOM: claims.ROOM_NAMES, MATERIAL: claims.MATERIAL_NAMES, DECOR: claims.DECOR_NAMES}[field]
        changed[field] = rng.randrange(len(names))
    return tuple(changed)


def _noun_for(category: str, rng: Random) -> str:
    close, wide = nouns.nouns_of()[category]
    chance = rng.random()
    if chance < 0.15 and wide:
        return rng.choice(wide)
    return category if chance < 0.7 else rng.choice(close)


def _other_noun(noun: int, rng: Random) -> int:
    word = nouns.nouns()[noun]
    category = (_close(word) or ("",))[0]
    alike = [name for shapes in LIKE_SHAPES if category in shapes for name in shapes if name != category]
    if not alike or rng.random() < 0.4:
        group = GROUPS.get(category, "object")
        alike = [name for name in CATEGORIES[1:] if GROUPS[name] == group]
    return nouns.number(rng.choice(alike))


def _other_colour(colour: int, rng: Random) -> int:
    word = claims.COLOUR_NAMES[colour]
    near = [b if a == word else a for a, b in NEAR_COLOURS if word in (a, b)]
    pool = near if near and rng.random() < 0.6 else [c for c in claims.COLOUR_NAMES if c != word]
    return claims.COLOUR_NAMES.index(rng.choice(pool))


def view_caption(room: int, things: Sequence[Sequence[int]], rng: Random, part: str = "train") -> ViewCaption:
    """Something true of a picture: the code of its room (-1: none) and the codes of what it shows well."""
    options = [w for w in held_out.wordings(part)["view"] if room >= 0 or "{room}" not in w]
    options = [w for w in options if sum(f"{{{n}}}" in w for n in "abc") <= len(things)]
    if not options:
        return ViewCaption("a room", -1, ())
    wording = rng.choice(options)
    slots = [n for n in "abc" if f"{{{n}}}" in wording]
    rows = [
        true_claim(things[int(i)], rng, "colour" if rng.random() < 0.5 else "noun")
        for i in rng.sample(range(len(things)), len(slots))
    ]
    words = {n: _noun_phrase(row, rng, part) for n, row in zip(slots, rows, strict=True)}
    said = "{room}" in wording
    return ViewCaption(
        wording.format(room=_room(room, rng) if said else "", **words), room if said else -1, tuple(rows)
    )


def say(row: Row, rng: Random, part: str = "train") -> str:
    """A claim in words."""
    wordings = held_out.wordings(part)
    phrase = _noun_phrase(row, rng, part)
    if row[SUPPORT] >= 0:
        support = claims.word_of(SUPPORT, row[SUPPORT])
        relation = claims.word_of(RELATION, row[RELATION]) or "on"
        phrase = rng.choice(wordings["support"]).format(np=phrase, relation=relation, support=support)
    elif row[ROOM] >= 0:
        phrase = rng.choice(wordings["room"]).format(np=phrase, room=_room(row[ROOM], rng))
    return rng.choice(wordings["sentence"]).format(x=phrase)


def _noun_phrase(row: Row, rng: Random, part: str) -> str:
    wordings = held_out.wordings(part)
    words = {
        "noun": claims.word_of(NOUN, row[NOUN]),
        "colour": _word(COLOUR_WORDS, claims.word_of(COLOUR, row[COLOUR]), rng),
        "second": claims.word_of(SECOND, row[SECOND]), "decor": claims.word_of(DECOR, row[DECOR]),
        "material": _word(MATERIAL_WORDS, claims.word_of(MATERIAL, row[MATERIAL]), rng),
        "size": claims.word_of(SIZE, row[SIZE]),
    }  # fmt: skip
    words["pattern"] = PATTERN_WORDS.get(words["decor"], "")
    said = {name for name, word in words.items() if word and name != "second"} | (
        {"second"} if words["second"] else set()
    )
    if not words["noun"]:
        kind = "thing" if words["colour"] else "stuff"
        return rng.choice(wordings[kind]).format(**words)
    kind = next((k for k, needs in _NEEDS if needs <= said), "")
    if not kind:
        return words["noun"]
    fitting = [w for w in wordings[kind] if _slots(w) <= said and _core(said) <= _slots(w)]
    return rng.choice(fitting or [_plain(said)]).format(**words)


_NEEDS = (
    ("decor", {"decor"}), ("size", {"size"}), ("colour_material", {"colour", "material"}), ("colour", {"colour"}),
    ("material", {"material"}),
)  # fmt: skip


@functools.cache
def _slots(wording: str) -> frozenset[str]:
    return frozenset(
        n for n in ("noun", "colour", "second", "decor", "material", "size", "pattern") if f"{{{n}}}" in wording
    )


def _core(said: set[str]) -> set[str]:
    """What must not be left out: the words that the claim is judged by; a decoration may be told by its pattern."""
    return said - {"decor", "pattern"}


def _plain(said: set[str]) -> str:
    order = ("size", "colour", "second", "decor", "material", "noun")
    return " ".join("and {second}" if n == "second" else f"{{{n}}}" for n in order if n in said)


def _word(table: dict[str, tuple[str, ...]], word: str, rng: Random) -> str:
    return rng.choice(table[word]) if word in table else word


def _room(room: int, rng: Random) -> str:
    return _word(ROOM_WORDS, claims.ROOM_NAMES[room], rng)


def vocabulary() -> tuple[str, ...]:
    """Every word that training captions are made of, sorted."""
    return tuple(sorted({*_content_words(), *_wording_words()}))


def function_words() -> tuple[str, ...]:
    """Those that alone mean nothing: they come from wordings only, or join the parts of names."""
    return tuple(sorted((set(_wording_words()) - set(_content_words())) | {"of", "in", "on", "under", "and"}))


def _wording_words() -> list[str]:
    texts = [line for lines in held_out.wordings("train").values() for line in lines] + list(claims.RELATION_NAMES)
    return [word for text in texts for word in words_of(re.sub(r"\{\w+\}", " ", text))]


def _content_words() -> list[str]:
    texts = [*nouns.nouns(), *claims.COLOUR_NAMES, *claims.MATERIAL_NAMES, *claims.DECOR_NAMES, *claims.SIZE_NAMES]
    texts += [*claims.ROOM_NAMES, *PATTERN_WORDS.values()]
    texts += [w for table in (COLOUR_WORDS, MATERIAL_WORDS, ROOM_WORDS) for words in table.values() for w in words]
    return [word for text in texts for word in words_of(text)]
