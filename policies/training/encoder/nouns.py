"""Nouns and what they name: every kind of thing by its own name, by synonyms, and by wider words."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim.house.thing import CATEGORIES, CATEGORY_IDS

SYNONYMS: dict[str, str] = {
    "couch": "sofa", "settee": "sofa", "desk chair": "office chair", "swivel chair": "office chair",
    "easy chair": "armchair", "footstool": "ottoman", "pouf": "ottoman", "bar stool": "stool", "rug": "rug, round rug",
    "carpet": "rug, round rug", "mat": "rug, round rug, ?yoga mat", "door": "door, front door",
    "entrance door": "front door", "staircase": "stairs", "steps": "stairs", "banister": "railing",
    "doorway": "door frame", "ground": "floor", "kitchen table": "dining table, ?round table", "worktable": "workbench",
    "writing desk": "desk", "bedside table": "nightstand", "night table": "nightstand", "closet": "wardrobe",
    "dresser": "chest of drawers", "bookcase": "bookshelf", "shelf": "wall shelf, ?bookshelf, ?storage rack",
    "shelves": "bookshelf, storage rack, ?wall shelf", "storage shelf": "storage rack", "sideboard": "cabinet",
    "cupboard": "cabinet, wall cabinet, ?wardrobe", "hanging cupboard": "wall cabinet", "bin": "waste bin, ?crate",
    "trash can": "waste bin", "rubbish bin": "waste bin", "hamper": "laundry basket", "fridge": "refrigerator",
    "cooker": "stove", "oven": "stove", "counter": "kitchen counter, ?kitchen sink, ?kitchen island",
    "worktop": "kitchen counter, ?kitchen island", "sink": "kitchen sink, washbasin", "basin": "washbasin",
    "washer": "washing machine", "dryer": "tumble dryer", "lavatory": "toilet", "bath": "bathtub", "tub": "bathtub",
    "shower cabin": "shower", "tv": "television", "telly": "television", "screen": "television, monitor, ?laptop",
    "standing lamp": "floor lamp", "hanging lamp": "ceiling lamp", "pendant lamp": "ceiling lamp",
    "picture": "painting, picture frame", "artwork": "painting", "photo frame": "picture frame",
    "looking glass": "mirror", "drapes": "curtain", "heater": "radiator", "stationary bike": "exercise bike",
    "running machine": "treadmill", "chimney": "fireplace", "coat stand": "coat rack", "coffee mug": "mug",
    "coffee cup": "mug, ?teacup", "cup": "mug, teacup", "tumbler": "drinking glass", "water glass": "drinking glass",
    "dish": "plate, bowl", "flask": "water bottle", "pot": "cooking pot, saucepan, ?teapot",
    "pan": "frying pan, saucepan", "skillet": "frying pan", "knife": "kitchen knife",
    "chopping board": "cutting board", "tin": "can", "soda can": "can",
    "cereal packet": "cereal box", "cornflakes": "cereal box", "milk": "milk carton", "loaf": "bread",
    "espresso machine": "coffee machine", "coffee maker": "coffee machine", "microwave oven": "microwave",
    "novel": "book", "books": "row of books, ?book", "journal": "magazine", "notebook computer": "laptop",
    "mobile phone": "phone", "smartphone": "phone", "remote": "remote control", "mouse": "computer mouse",
    "computer screen": "monitor", "headset": "headphones", "speaker": "loudspeaker", "gamepad": "game controller",
    "joystick": "game controller", "clock": "alarm clock, wall clock", "flower vase": "vase", "flowers": "vase",
    "pencil cup": "pen holder", "pens": "pen holder", "shears": "scissors", "key": "keys", "bunch of keys": "keys",
    "purse": "handbag, ?wallet", "billfold": "wallet", "shades": "sunglasses", "glasses": "sunglasses, ?drinking glass",
    "rucksack": "backpack", "bag": "handbag, backpack", "sneakers": "shoes", "cap": "hat", "parasol": "umbrella",
    "hand soap": "soap, soap dispenser", "shampoo": "shampoo bottle", "toothbrush": "toothbrushes",
    "toilet roll": "toilet paper", "tissues": "tissue box", "brush": "hairbrush, ?toothbrushes", "teddy": "teddy bear",
    "stuffed animal": "teddy bear", "football": "ball", "toy truck": "toy car", "building blocks": "toy blocks",
    "blocks": "toy blocks", "cube": "puzzle cube", "weight": "dumbbell", "exercise mat": "yoga mat",
    "flashlight": "torch", "tool case": "toolbox", "flat iron": "iron", "carton": "cardboard box, ?milk carton",
    "box": "cardboard box, ?cereal box, ?tissue box, ?toolbox, ?crate", "storage bin": "crate", "pillow": "cushion",
    "throw": "blanket", "reading lamp": "desk lamp", "bedside lamp": "table lamp", "potted flower": "houseplant",
}  # fmt: skip
"""noun -> the kinds it names; a kind after ? may be called that, so it is neither right nor wrong"""

WIDER: dict[str, str] = {
    "table": "dining table, round table, coffee table, side table, console table, ?desk, ?workbench, ?kitchen island",
    "chair": "chair, office chair, ?armchair, ?stool",
    "seat": "chair, office chair, armchair, stool, sofa, bench, ottoman",
    "bed": "double bed, single bed, bunk bed",
    "lamp": "floor lamp, ceiling lamp, desk lamp, table lamp",
    "light": "floor lamp, ceiling lamp, desk lamp, table lamp, ?window, ?torch",
    "plant": "potted plant, houseplant, ?vase",
    "bottle": "wine bottle, water bottle, shampoo bottle, ?soap dispenser",
    "glass": "drinking glass, wine glass",
    "fruit": "apple, orange, lemon, pear, banana",
    "food": "apple, orange, lemon, pear, banana, bread, ?milk carton, ?cereal box, ?can, ?jar",
    "toy": "teddy bear, ball, toy car, toy blocks, puzzle cube, ?game controller",
    "tool": "hammer, screwdriver, scissors, ?torch, ?toolbox, ?kitchen knife",
    "cutlery": "fork, spoon, kitchen knife",
    "tableware": "mug, teacup, plate, bowl, drinking glass, wine glass, teapot, ?fork, ?spoon",
    "cookware": "saucepan, cooking pot, frying pan",
    "basket": "basket, laundry basket",
    "rack": "shoe rack, storage rack, coat rack, ?towel rail",
    "container": "basket, crate, cardboard box, laundry basket, waste bin, toolbox, jar, ?bowl",
    "machine": "washing machine, tumble dryer, dishwasher, coffee machine, ?refrigerator, ?microwave",
    "kitchen appliance": "refrigerator, stove, dishwasher, microwave, toaster, coffee machine, kettle",
}  # fmt: skip
"""wider nouns, in the same form"""


def _parsed(text: str) -> tuple[frozenset[str], frozenset[str]]:
    names = [name.strip() for name in text.split(",")]
    return frozenset(n for n in names if n[0] != "?"), frozenset(n[1:] for n in names if n[0] == "?")


@functools.cache
def nouns() -> tuple[str, ...]:
    """All nouns; the names of kinds come first, in the order of CATEGORIES."""
    own = [name for name in CATEGORIES if name]
    return tuple(dict.fromkeys([*own, *SYNONYMS, *WIDER]))


@functools.cache
def truth() -> NDArray[np.int8]:
    """(nouns, CATEGORIES) int8: 1 a thing of the kind is called that, 0 it is not, -1 it may be."""
    table = np.zeros((len(nouns()), len(CATEGORIES)), np.int8)
    for row, noun in enumerate(nouns()):
        sure, maybe = _parsed(SYNONYMS.get(noun) or WIDER.get(noun) or noun)
        table[row, [CATEGORY_IDS[name] for name in maybe]] = -1
        table[row, [CATEGORY_IDS[name] for name in sure]] = 1
    table.flags.writeable = False
    return table


@functools.cache
def nouns_of() -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """category -> (its own name and synonyms, wider nouns)."""
    found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for category in CATEGORIES[1:]:
        called = [n for n, row in zip(nouns(), truth(), strict=True) if row[CATEGORY_IDS[category]] == 1]
        close = tuple(n for n in called if n not in WIDER)
        found[category] = (tuple(dict.fromkeys([category, *close])), tuple(n for n in called if n in WIDER))
    return found


def number(noun: str) -> int:
    """Index of a noun in `nouns`."""
    return _numbers()[noun]


@functools.cache
def _numbers() -> Mapping[str, int]:
    return {noun: n for n, noun in enumerate(nouns())}
