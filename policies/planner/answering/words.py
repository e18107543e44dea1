"""Words and phrases: tidied, singular, and split into what is named and what narrows it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spatialmem.naming import NAMES
from spatialmem.telling import COLOURS

RELATIONS = {
    "on": "on", "on top of": "on", "upon": "on", "in": "in", "inside": "in", "inside of": "in", "within": "in",
    "under": "under", "beneath": "under", "underneath": "under", "below": "under", "beside": "beside",
    "next to": "beside", "near": "beside", "by": "beside",
}  # fmt: skip
"""words -> on, in, under, beside"""
RELATION = rf"(?P<rel>{'|'.join(sorted(RELATIONS, key=len, reverse=True))})"
_PLACE = re.compile(rf"\s+(?:that is |which is )?{RELATION}\s+")
_ARTICLE = re.compile(r"^(?:the|a|an|any|some|my|your|our|that|this|one|piece of furniture|thing)\s+")
_ROOM_WORDS = ("room", "kitchen", "hall", "hallway", "office", "library", "gym", "corridor", "house", "home")
_ALIKE = {
    "fridge": "refrigerator", "couch": "sofa", "settee": "sofa", "tv": "television", "telly": "television",
    "cupboard": "cabinet", "trash can": "waste bin", "bin": "waste bin", "plant": "houseplant",
    "potted plant": "houseplant", "picture": "framed picture", "sink": "washbasin", "dryer": "tumble dryer",
    "dresser": "chest of drawers", "bedside table": "nightstand", "bookcase": "bookshelf", "cooker": "stove",
    "glass": "drinking glass", "bath": "bathtub", "book": "row of books", "shoes": "pair of shoes",
    "shoe": "pair of shoes", "keys": "bunch of keys", "toilet paper": "roll of toilet paper",
}  # fmt: skip
"""other words for the same thing"""
_KINDS_OF = {
    "lamp": "floor lamp, table lamp, desk lamp, ceiling lamp",
    "cutlery": "fork, spoon, kitchen knife, knife",
    "fruit": "apple, orange, lemon, pear, banana",
    "bag": "handbag, backpack, suitcase, shopping bag",
    "toy": "teddy bear, ball, toy car, toy blocks, puzzle cube, doll",
    "clock": "wall clock, alarm clock",
    "instrument": "guitar, piano, violin",
    "tool": "hammer, screwdriver, toolbox, wrench, pliers, saw, drill",
    "plant": "houseplant, potted plant",
    "seat": "sofa, armchair, chair, office chair, stool, bench, ottoman",
    "bed": "double bed, single bed, bunk bed, crib",
    "equipment": "treadmill, exercise bike, dumbbell, yoga mat, dumbbell rack",
    "appliance": "refrigerator, stove, dishwasher, microwave, washing machine, tumble dryer, toaster, kettle",
    "table": "dining table, coffee table, side table, round table, console table",
    "thing to read": "row of books, magazine, newspaper, book",
    "vessel to cook in": "saucepan, cooking pot, frying pan, wok",
    "vessel to drink from": "mug, teacup, drinking glass, wine glass, cup",
    "screen": "television, monitor, laptop",
}
"""words for kinds -> things that are of them"""
_OF_KIND = {kind: frozenset(names.split(", ")) for kind, names in _KINDS_OF.items()}
_NAMED = frozenset(name.lower() for name in NAMES).union(*_OF_KIND.values())
_SAME_WORDS = {"color": "colour", "colored": "coloured", "gray": "grey"}


@dataclass(frozen=True)
class Phrase:
    """A thing as people name it."""

    noun: str
    """singular, without article and colour: "mug" """
    colour: str = ""
    room: str = ""
    """kind of room that it is in"""
    relation: str = ""
    anchor: str = ""
    """what it is on, in, under or beside"""


def tidy(text: str) -> str:
    """Lower case, one space between words, colons and commas kept, no other marks at the end or within."""
    line = re.sub(r"[?!.\"]+", " ", text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    return " ".join(_SAME_WORDS.get(word, word) for word in line.split()).strip(" :,")


def phrase_of(text: str) -> Phrase:
    """A phrase taken apart."""
    head, *rest = _PLACE.split(tidy(text), maxsplit=1)
    if rest and rest[1].startswith("in "):  # a vessel to cook in in the kitchen
        head, rest[1] = f"{head} {rest[0]}", rest[1].removeprefix("in ")
    relation, anchor = (RELATIONS[rest[0]], without_article(rest[1])) if rest else ("", "")
    room = ""
    if anchor and is_room(anchor):
        room, relation, anchor = anchor, "", ""
    words = without_article(head).rpartition(" of the ")[2].split()
    colour = ""
    while len(words) > 1 and words[0] in (*COLOURS, "light", "dark"):
        colour = words[0] if words[0] in COLOURS else colour
        words = words[1:]
    return Phrase(singular(" ".join(words)), colour, room, relation, anchor)


def is_room(text: str) -> bool:
    """Whether it names a room or the house."""
    words = tidy(text).split()
    return bool(words) and (words[-1] in _ROOM_WORDS or words[-1].endswith("room"))


def without_article(text: str) -> str:
    """Without "the", "a" and the like in front."""
    line = tidy(text)
    while (short := _ARTICLE.sub("", line, count=1)) != line:
        line = short
    return line


def singular(text: str) -> str:
    """Of a noun of one or more words: "wine glasses" -> "wine glass", "pairs of shoes" -> "pair of shoes"."""
    cut = re.search(r" (?:of|to|for) ", text)
    head, tail = (text[: cut.start()], text[cut.start() :]) if cut else (text, "")
    words = head.split()
    if words:
        words[-1] = _single(words[-1])
    return " ".join(words) + tail


def _single(word: str) -> str:
    if word in ("glass", "dress", "keys", "shoes", "headphones", "sunglasses", "scissors", "toothbrushes", "blocks"):
        return word
    for end, instead in (("shelves", "shelf"), ("knives", "knife"), ("ies", "y")):
        if word.endswith(end) and len(word) > 4:
            return word[: -len(end)] + instead
    if re.search(r"(?:ss|sh|ch|x|o)es$", word) and not word.endswith("shoes"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def likeness(name: str, noun: str) -> float:
    """0 to 1: whether a thing of a name is what a noun means: 1 the same, less for one kind of several."""
    name, noun = singular(tidy(name)), singular(tidy(noun))
    if not name or not noun:
        return 0.0
    same = {noun, _ALIKE.get(noun, noun), next((k for k, v in _ALIKE.items() if v == noun), noun)}
    if name in same:
        return 1.0
    if any(name.endswith(" " + word) for word in same) or name in kind_of(noun):
        return 0.8
    if any(word.endswith(" " + name) for word in same):
        return 0.6
    return 0.0


def kind_of(noun: str) -> frozenset[str]:
    """Names of the things of a kind: "children's toy" and "piece of fruit" too; empty where it is none."""
    bare = noun.removeprefix("piece of ").removeprefix("pieces of ")
    tails = [bare, bare.partition(" to ")[0], bare.partition(" for ")[0]]
    if bare not in _NAMED:  # a coffee table is no table of any kind, a children's toy is any toy
        tails.append(bare.rpartition(" ")[2])
    return next((_OF_KIND[tail] for tail in tails if tail in _OF_KIND), frozenset())


def is_known(noun: str) -> bool:
    """Whether a thing may have such a name, or be of such a kind: else that none was seen says little."""
    return bool(kind_of(noun)) or any(likeness(name, noun) >= 0.8 for name in NAMES)
