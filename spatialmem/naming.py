"""What things are called, by the memory's encoder: the likeliest of the names that people use for things of a home."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.perception import Encoder

NAMES = (
    "sofa, armchair, chair, office chair, stool, bench, ottoman, dining table, coffee table, side table, desk, "
    "nightstand, workbench, console table, double bed, single bed, bunk bed, crib, wardrobe, chest of drawers, "
    "cabinet, bookshelf, wall shelf, shoe rack, storage rack, coat rack, refrigerator, stove, kitchen counter, "
    "kitchen island, kitchen sink, wall cabinet, dishwasher, microwave, washing machine, tumble dryer, toilet, "
    "bathtub, shower, washbasin, towel rail, mirror, television, monitor, laptop, keyboard, computer mouse, "
    "printer, loudspeaker, floor lamp, table lamp, desk lamp, ceiling lamp, painting, picture frame, wall clock, "
    "alarm clock, curtain, window, door, radiator, fireplace, rug, round rug, TV stand, cushion, blanket, towel, "
    "potted plant, houseplant, vase, waste bin, basket, laundry basket, crate, cardboard box, suitcase, backpack, "
    "handbag, shoes, hat, umbrella, mug, teacup, plate, bowl, drinking glass, wine glass, wine bottle, water "
    "bottle, teapot, kettle, toaster, coffee machine, saucepan, cooking pot, frying pan, cutting board, kitchen "
    "knife, fork, spoon, jar, can, cereal box, milk carton, bread, apple, orange, lemon, pear, banana, book, row of "
    "books, magazine, newspaper, phone, remote control, headphones, game controller, camera, torch, candle, keys, "
    "wallet, sunglasses, scissors, pen holder, stapler, toolbox, hammer, screwdriver, iron, ironing board, vacuum "
    "cleaner, broom, bucket, soap dispenser, toothbrushes, toilet paper, tissue box, hairbrush, teddy bear, ball, "
    "toy car, toy blocks, puzzle cube, guitar, piano, dumbbell, yoga mat, exercise bike, treadmill, bicycle, helmet"
).split(", ")
"""of things that segmenters without names find"""


_LEAST_KNOWN = 20
"""names that an encoder must know to be asked for any: one of colours knows "orange", and means no fruit"""


@final
class Namer:
    """Names by features. Names that the encoder does not know are never given."""

    def __init__(self, encoder: Callable[[], Encoder]) -> None:
        """encoder: called when a name is first needed."""
        self._encoder = encoder
        self._table: tuple[tuple[str, ...], NDArray[np.float32]] | None = None

    def names(self, features: Sequence[NDArray[np.float32] | None]) -> list[str]:
        """The likeliest name of each feature (D,); empty for None, and where the encoder knows no names."""
        if all(feature is None for feature in features):
            return [""] * len(features)
        names, vectors = self._known()
        if len(names) < _LEAST_KNOWN:
            return [""] * len(features)
        return ["" if f is None else names[int(np.argmax(vectors @ f))] for f in features]

    def _known(self) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        if self._table is None:
            encoder = self._encoder()
            queries = [(name, encoder.encode_text(name)) for name in NAMES]
            known = [(name, q.vector) for name, q in queries if q.vector is not None and not q.unknown_words]
            vectors = np.array([v for _, v in known], np.float32).reshape(-1, encoder.dim)
            self._table = tuple(name for name, _ in known), vectors
        return self._table
