"""Names of household things that are looked for unless others are given."""

from __future__ import annotations

from pathlib import Path

from spatialmem.errors import InvalidValue

HOUSEHOLD: tuple[str, ...] = tuple(
    name.strip()
    for name in """
    chair, armchair, office chair, stool, bench, sofa, bed, cot, desk, dining table, coffee table, side table,
    nightstand, dresser, wardrobe, cabinet, shelf, bookcase, sideboard, kitchen counter, kitchen island, sink,
    bathtub, shower, toilet, refrigerator, oven, stove, microwave, dishwasher, washing machine, dryer, range hood,
    radiator, fireplace, fan, air conditioner, heater, vacuum cleaner, ironing board, iron, television, monitor,
    computer, laptop, keyboard, computer mouse, printer, loudspeaker, telephone, remote control, game controller,
    camera, router, lamp, floor lamp, ceiling lamp, candle, mirror, picture, painting, poster, clock, curtain,
    window blind, rug, door mat, cushion, pillow, blanket, towel, basket, laundry basket, waste bin, box, cardboard
    box, suitcase, backpack, handbag, bag, umbrella, coat, jacket, hat, shoe, boot, slipper, plant, flower, vase,
    flower pot, book, magazine, newspaper, notebook, paper, pen, pencil, scissors, stapler, ruler, toy, teddy bear,
    doll, ball, board game, guitar, piano, bicycle, scooter, pushchair, ladder, toolbox, hammer, screwdriver, drill,
    broom, mop, bucket, dustpan, mug, cup, teacup, glass, wine glass, bottle, water bottle, can, jar, carton, plate,
    bowl, tray, pan, pot, kettle, teapot, coffee machine, toaster, blender, knife, fork, spoon, spatula, cutting
    board, kitchen scale, dish rack, sponge, soap, soap dispenser, toothbrush, toothpaste, toilet paper, tissue box,
    hair dryer, medicine, apple, banana, orange, lemon, pear, tomato, bread, cake, cereal box, egg, cheese, key,
    wallet, glasses, watch, coin, battery, charger, cable, power strip, light switch, fire extinguisher, cat, dog,
    bird cage, aquarium, dog bed, litter box
    """.replace("\n", " ").split(",")
)

_MOST = 2000


def names_of(path: Path) -> tuple[str, ...]:
    """The names in a text file, one a line; blank lines and what follows "#" are passed over."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValue(
            f"cannot read the names in {str(path)!r}: {error}; give a text file, one name a line"
        ) from error
    names = tuple(dict.fromkeys(name for line in lines if (name := " ".join(line.partition("#")[0].split()))))
    if not 1 <= len(names) <= _MOST:
        raise InvalidValue(f"{str(path)!r} holds {len(names)} names; give 1 to {_MOST}, one a line")
    return names
