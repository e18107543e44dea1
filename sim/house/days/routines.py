"""What residents do in a day, and where they put things: tables that `making` draws from."""

from __future__ import annotations

from dataclasses import dataclass

Kinds = tuple[str, ...]
ALL = frozenset(range(7))
WORKDAYS = frozenset(range(5))
WEEKEND = frozenset((5, 6))


@dataclass(frozen=True)
class Return:
    """Where a thing goes after use."""

    why: str
    after_h: tuple[float, float]
    to: Kinds = ()
    """kinds of places (see Region.kind), liked best first; empty: where it first stood"""
    chance: float = 1.0
    """otherwise it stays"""


@dataclass(frozen=True)
class Errand:
    """Somebody takes things of some kinds somewhere."""

    why: str
    things: Kinds
    """categories"""
    to: Kinds
    """kinds of places, liked best first"""
    hours: tuple[float, float]
    chance: float
    """that a resident does it on a day"""
    rooms: Kinds = ()
    """kinds of rooms it goes to; empty: any"""
    days: frozenset[int] = ALL
    """0 is Monday"""
    back: Return | None = None
    count: int = 1
    """how many things"""


_TABLE = ("dining table", "coffee table", "counter", "desk")
_DISHES = ("sink", "counter")
_SOFA = ("sofa", "coffee table", "side table", "ottoman", "bed")
_LOUNGE = ("living room", "library", "bedroom", "kids room")

ERRANDS: tuple[Errand, ...] = (
    Errand("breakfast", ("mug", "teacup", "bowl", "drinking glass"), _TABLE, (6.8, 8.2), 0.8, back=Return("clearing up after breakfast", (0.4, 1.0), _DISHES, 0.8)),
    Errand("breakfast", ("cereal box", "milk carton", "bread", "spoon", "jar"), _TABLE, (6.8, 8.0), 0.7, count=2, back=Return("clearing up after breakfast", (0.4, 0.9), (), 0.7)),
    Errand("getting ready", ("hairbrush", "toothpaste", "towel", "soap", "toothbrushes"), ("washbasin", "bath edge", "dresser", "nightstand", "bed"), (6.7, 8.2), 0.7),
    Errand("packing", ("backpack", "handbag", "hat", "umbrella", "shoes"), ("bench", "chair", "floor", "console"), (7.0, 8.3), 0.35, ("hallway", "living room", "kitchen")),
    Errand("coffee at the desk", ("mug", "teacup", "water bottle"), ("desk", "side table", "nightstand", "coffee table"), (8.8, 11.0), 0.6, ("office", "bedroom", "library", "living room"), back=Return("taking the cup back", (1.5, 8.0), _DISHES, 0.6)),
    Errand("work", ("laptop", "tablet", "headphones", "book", "scissors", "pen holder", "monitor", "phone"), ("desk", "dining table", "coffee table", "sofa"), (8.5, 15.0), 0.7, count=2, back=Return("finishing work", (2.0, 8.0), (), 0.4)),
    Errand("watering the plants", ("watering can",), ("floor", "cabinet top", "storage shelf", "workbench"), (9.0, 18.0), 0.3),
    Errand("moving a plant into the light", ("houseplant",), ("cabinet top", "desk", "dresser", "dining table", "coffee table", "washbasin"), (9.0, 16.0), 0.15),
    Errand("lunch", ("plate", "bowl", "fork", "spoon", "drinking glass", "mug"), _TABLE, (12.0, 13.5), 0.6, count=2, back=Return("clearing up after lunch", (0.5, 1.2), _DISHES, 0.8)),
    Errand("laundry", ("towel", "blanket", "basket", "crate"), ("machine top", "ironing board", "crate", "floor"), (9.0, 18.0), 0.4, ("laundry room", "bathroom", "storage room"), back=Return("folding the laundry", (2.0, 20.0), ("shelf", "bed", "dresser", "bath edge"), 0.8)),
    Errand("ironing", ("iron",), ("ironing board", "machine top", "storage shelf"), (14.0, 19.0), 0.3, back=Return("ironing done", (0.5, 1.5), (), 0.6)),
    Errand("mending something", ("hammer", "screwdriver", "toolbox", "torch", "scissors"), ("workbench", "dining table", "desk", "floor", "console"), (10.0, 19.0), 0.4, count=2, back=Return("putting the tools away", (1.0, 24.0), ("storage shelf", "workbench"), 0.7)),
    Errand("sport", ("dumbbell", "yoga mat", "water bottle", "towel", "ball"), ("floor", "bench"), (7.0, 19.5), 0.4, ("gym", "living room", "bedroom"), back=Return("after sport", (0.7, 3.0), (), 0.5)),
    Errand("playing", ("toy car", "ball", "teddy bear", "toy blocks", "puzzle cube", "game controller", "globe", "guitar"), ("floor", "bed", "desk", "coffee table", "sofa"), (14.0, 19.0), 0.7, ("kids room", "living room", "bedroom", "hallway"), count=3, back=Return("tidying the toys away", (1.0, 5.0), ("crate", "shelf", "cubby", "under bed", "bed"), 0.4)),
    Errand("cooking", ("saucepan", "cooking pot", "frying pan", "kettle"), ("hob", "counter"), (17.0, 19.0), 0.7, ("kitchen",), back=Return("washing up", (1.0, 2.5), ("sink", "counter", "hob"), 0.6)),
    Errand("cooking", ("cutting board", "kitchen knife", "can", "jar", "lemon", "wine bottle", "bowl", "spoon"), ("board", "counter", "dining table"), (16.8, 18.8), 0.8, ("kitchen", "dining room"), count=3, back=Return("washing up", (1.0, 2.5), (), 0.5)),
    Errand("laying the table", ("plate", "wine glass", "fork", "bowl", "candle", "drinking glass", "teapot"), ("dining table", "coffee table", "counter"), (18.2, 19.5), 0.8, ("dining room", "kitchen", "living room"), count=4, back=Return("clearing the table", (0.8, 1.8), _DISHES, 0.7)),
    Errand("shopping put away", ("can", "jar", "cereal box", "wine bottle", "toilet paper", "bread"), ("counter", "storage shelf", "wall shelf", "toilet", "fridge top"), (16.0, 18.5), 0.4, count=3),
    Errand("reading", ("book", "magazine", "tablet"), _SOFA, (15.0, 22.0), 0.7, _LOUNGE, back=Return("putting the book away", (10.0, 40.0), ("shelf", "nightstand", "desk", "table shelf"), 0.6)),
    Errand("reading in bed", ("book", "magazine", "headphones"), ("nightstand", "bed", "dresser"), (21.0, 22.6), 0.6, ("bedroom", "kids room"), back=Return("putting the book away", (12.0, 60.0), ("shelf", "desk", "cabinet top"), 0.5)),
    Errand("watching television", ("remote control", "blanket", "cushion", "game controller", "wine glass"), _SOFA, (19.0, 21.5), 0.8, ("living room", "bedroom"), count=2, back=Return("off to bed", (1.0, 2.5), ("tv stand", "coffee table", "sofa", "table shelf"), 0.4)),
    Errand("charging it for the night", ("phone", "tablet", "laptop"), ("nightstand", "desk", "dresser", "console"), (21.5, 22.6), 0.6),
    Errand("a glass of water for the night", ("drinking glass", "water bottle"), ("nightstand", "dresser", "desk"), (21.5, 22.6), 0.5, ("bedroom", "kids room"), back=Return("taking the glass back", (8.5, 10.0), _DISHES, 0.8)),
    Errand("setting the alarm", ("alarm clock",), ("nightstand", "dresser", "desk"), (21.0, 22.6), 0.2),
    Errand("making it look nicer", ("vase", "candle", "picture frame", "camera", "globe", "loudspeaker", "row of books", "table lamp"), ("cabinet top", "mantel", "shelf", "console", "dresser", "piano", "coffee table", "dining table", "wall shelf"), (10.0, 20.0), 0.4),
    Errand("a photograph", ("camera",), ("console", "desk", "cabinet top", "coffee table"), (10.0, 18.0), 0.2),
    Errand("a big clean", ("row of books", "cardboard box", "crate", "basket", "toolbox", "shoes", "toilet paper", "wine bottle"), ("storage shelf", "shelf", "shoes", "floor", "under bed"), (10.0, 16.0), 0.8, days=WEEKEND, count=4),
)  # fmt: skip
"""what a resident may do at home on a day"""

OUT_WITH: tuple[tuple[Kinds, float], ...] = (
    (("handbag", "backpack"), 0.9),
    (("keys",), 0.95),
    (("phone",), 0.8),
    (("wallet",), 0.8),
    (("umbrella",), 0.35),
    (("sunglasses",), 0.3),
    (("hat",), 0.25),
    (("shoes",), 0.6),
    (("water bottle",), 0.3),
)
"""kinds of which one goes out with a resident, and how likely"""
OUT_BACK: Kinds = ("console", "bench", "shoes", "chair", "sofa", "floor", "desk", "counter", "dresser", "cabinet top")
"""where such things are dropped on coming home, liked best first, as far as their kind is put there at all"""

EATEN: Kinds = ("apple", "banana", "orange", "pear")
TIDIED_UP = "tidying up"
WORK = "work"
TABLE_SEATS: Kinds = ("chair", "stool")
DESK_SEATS: Kinds = ("office chair", "chair")
MOVED_ABOUT: Kinds = ("chair", "stool", "ottoman", "laundry basket", "waste bin")
"""light furniture that is carried to another spot or room"""
FURNITURE_ROOMS: Kinds = (
    "living room",
    "dining room",
    "kitchen",
    "bedroom",
    "office",
    "library",
    "bathroom",
    "hallway",
)
WORK_ROOMS: Kinds = ("office", "library", "bedroom")
SLEEP_ROOMS: Kinds = ("bedroom", "kids room")
