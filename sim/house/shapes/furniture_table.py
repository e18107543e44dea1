"""The kinds of furniture: sizes in metres (width, depth, height), finishes by role."""

from __future__ import annotations

from sim.house.category import Builder, Category, Finish, Size
from sim.house.shapes import decor, seats, storage, tables, wet

_TONES = ("light brown", "brown", "dark brown")
_WOODS = (*_TONES, *_TONES, "white", "black", "grey")
_CLOTHS = ("grey", "beige", "blue", "green", "brown", "red", "turquoise", "black", "orange", "purple", "pink", "yellow")

WOOD = Finish(("wood",), _WOODS)
"""stands out in a room: natural or painted"""
UPRIGHT = Finish(("wood",), _WOODS, axis=2)
PAINTED = Finish(("painted wood",), ("white", "grey", "blue", "green", "beige", "black", "turquoise", "red", "yellow"))
LEGS = Finish(("wood", "metal"), ("light brown", "dark brown", "black"), axis=2)
METAL = Finish(("metal",), ("grey", "black", "white"))
STEEL = Finish(("metal",), ("grey",))
BLACK = Finish(("plastic",), ("black",))
DARK_GLASS = Finish(("glass",), ("black",))
WHITE = Finish(("plastic",), ("white",))
CLOTH = Finish(("fabric",), _CLOTHS, decorated=0.2)
SOFT = Finish(("fabric", "fabric", "leather"), _CLOTHS)
SHEET = Finish(("fabric",), ("white", "beige", "white", "grey"))
CERAMIC = Finish(("ceramic",), ("white",) * 6 + ("beige", "pink", "turquoise", "grey"))
WORKTOP = Finish(("granite", "stone", "wood"), ("grey", "black", "beige", "white", "brown"))
SHADE = Finish(("fabric",), ("white", "beige", "yellow", "red", "green", "blue", "orange"), glow=0.35)
BULB = Finish(("glass",), ("white",), glow=0.9)
POT = Finish(("ceramic",), ("brown", "white", "grey", "orange", "blue", "turquoise", "black"))
LEAF = Finish(("leaf",), ("green",))
SOIL = Finish(("wool",), ("brown",))
SCREEN = Finish(("glass",), ("black", "black", "blue"), glow=0.1)
MACHINE = Finish(("metal",), ("white", "white", "grey", "black", "red"))


def _kind(name: str, build: Builder, smallest: Size, largest: Size, **finishes: Finish) -> Category:
    return Category(name, "furniture", build, smallest, largest, {k.replace("_", " "): v for k, v in finishes.items()})


KINDS: tuple[Category, ...] = (
    _kind("chair", seats.chair, (0.42, 0.42, 0.82), (0.48, 0.48, 1.0), main=Finish(("wood", "fabric", "leather"), (*_TONES, *_CLOTHS, "white")), legs=LEGS),
    _kind("stool", seats.stool, (0.34, 0.34, 0.62), (0.4, 0.4, 0.75), main=WOOD, legs=LEGS),
    _kind("office chair", seats.office_chair, (0.6, 0.6, 0.98), (0.66, 0.66, 1.12), main=SOFT, legs=BLACK),
    _kind("sofa", seats.sofa, (1.6, 0.85, 0.8), (2.4, 0.98, 0.9), main=SOFT, legs=LEGS, cushions=CLOTH),
    _kind("armchair", seats.armchair, (0.78, 0.8, 0.82), (0.92, 0.9, 0.95), main=SOFT, legs=LEGS),
    _kind("bench", seats.bench, (0.9, 0.35, 0.42), (1.3, 0.42, 0.48), main=CLOTH, legs=WOOD),
    _kind("ottoman", seats.ottoman, (0.45, 0.45, 0.38), (0.6, 0.6, 0.45), main=SOFT),
    _kind("double bed", seats.bed, (1.45, 2.05, 0.85), (1.85, 2.15, 1.15), main=WOOD, sheet=SHEET, cover=CLOTH, pillow=CLOTH),
    _kind("single bed", seats.bed, (0.95, 2.0, 0.75), (1.05, 2.08, 1.0), main=WOOD, sheet=SHEET, cover=CLOTH, pillow=CLOTH),
    _kind("bunk bed", seats.bunk_bed, (1.0, 2.05, 1.65), (1.05, 2.1, 1.75), main=WOOD, sheet=SHEET, cover=CLOTH, pillow=CLOTH),
    _kind("dining table", tables.dining_table, (1.3, 0.8, 0.73), (2.0, 0.95, 0.77), main=WOOD, legs=WOOD),
    _kind("round table", tables.round_table, (0.95, 0.95, 0.73), (1.25, 1.25, 0.77), main=Finish(("wood", "stone"), (*_TONES, "white")), legs=LEGS),
    _kind("coffee table", tables.coffee_table, (0.8, 0.5, 0.4), (1.2, 0.65, 0.47), main=Finish(("wood", "stone"), (*_TONES, "white", "black")), legs=LEGS),
    _kind("side table", tables.side_table, (0.4, 0.4, 0.48), (0.52, 0.52, 0.6), main=Finish(("wood", "metal", "stone"), (*_TONES, "white", "black")), legs=LEGS),
    _kind("desk", tables.desk, (1.15, 0.6, 0.73), (1.6, 0.75, 0.76), main=WOOD, front=WOOD, handles=METAL),
    _kind("console table", tables.console_table, (0.8, 0.3, 0.78), (1.2, 0.38, 0.88), main=WOOD, legs=METAL),
    _kind("workbench", tables.workbench, (1.2, 0.6, 0.85), (1.7, 0.7, 0.92), main=Finish(("wood",), _TONES), legs=METAL, board=PAINTED),
    _kind("ironing board", tables.ironing_board, (1.2, 0.36, 0.85), (1.35, 0.42, 0.92), main=CLOTH, legs=METAL),
    _kind("bookshelf", storage.bookshelf, (0.7, 0.28, 1.1), (1.2, 0.34, 2.0), main=UPRIGHT),
    _kind("wardrobe", storage.wardrobe, (1.0, 0.58, 1.95), (1.8, 0.62, 2.2), main=UPRIGHT, front=UPRIGHT, handles=METAL),
    _kind("chest of drawers", storage.chest_of_drawers, (0.8, 0.45, 0.75), (1.3, 0.5, 1.1), main=WOOD, front=WOOD, handles=METAL),
    _kind("nightstand", storage.nightstand, (0.4, 0.36, 0.45), (0.5, 0.42, 0.58), main=WOOD, front=WOOD, handles=METAL),
    _kind("TV stand", storage.tv_stand, (1.3, 0.38, 0.45), (1.8, 0.45, 0.58), main=WOOD, front=WOOD, handles=METAL),
    _kind("cabinet", storage.cabinet, (0.85, 0.4, 0.75), (1.5, 0.46, 0.95), main=WOOD, front=PAINTED, handles=METAL),
    _kind("shoe rack", storage.shoe_rack, (0.6, 0.28, 0.4), (0.85, 0.32, 0.6), main=WOOD),
    _kind("storage rack", storage.storage_rack, (0.9, 0.4, 1.7), (1.3, 0.5, 1.95), main=WOOD, legs=METAL),
    _kind("wall shelf", storage.wall_shelf, (0.6, 0.2, 0.18), (1.1, 0.25, 0.22), main=WOOD, handles=METAL),
    _kind("wall cabinet", storage.wall_cabinet, (0.6, 0.34, 0.6), (1.2, 0.36, 0.72), main=PAINTED, front=PAINTED, handles=METAL),
    _kind("coat rack", storage.coat_rack, (0.45, 0.45, 1.6), (0.5, 0.5, 1.75), main=LEGS, coat=CLOTH),
    _kind("laundry basket", storage.laundry_basket, (0.38, 0.38, 0.5), (0.45, 0.45, 0.62), main=Finish(("wicker", "plastic"), ("beige", "brown", "white", "blue", "pink")), cloth=CLOTH),
    _kind("waste bin", storage.waste_bin, (0.24, 0.24, 0.28), (0.3, 0.3, 0.36), main=Finish(("plastic", "metal"), ("black", "white", "red", "blue", "green", "grey"))),
    _kind("kitchen counter", wet.counter, (0.5, 0.62, 0.9), (1.2, 0.62, 0.9), main=PAINTED, top=WORKTOP, handles=METAL),
    _kind("kitchen sink", wet.sink_counter, (0.8, 0.62, 0.9), (1.2, 0.62, 0.9), main=PAINTED, top=WORKTOP, handles=STEEL),
    _kind("stove", wet.stove, (0.6, 0.62, 0.9), (0.62, 0.62, 0.92), main=MACHINE, glass=DARK_GLASS, rings=STEEL, knobs=METAL),
    _kind("refrigerator", wet.refrigerator, (0.6, 0.64, 1.45), (0.72, 0.7, 1.9), main=MACHINE, handles=STEEL),
    _kind("dishwasher", wet.dishwasher, (0.6, 0.62, 0.9), (0.6, 0.62, 0.9), main=MACHINE, top=WORKTOP, handles=METAL),
    _kind("kitchen island", wet.kitchen_island, (1.2, 0.75, 0.9), (1.7, 0.9, 0.93), main=PAINTED, top=WORKTOP, handles=METAL),
    _kind("washing machine", wet.washing_machine, (0.6, 0.58, 0.85), (0.6, 0.62, 0.87), main=WHITE, panel=STEEL, ring=STEEL, glass=DARK_GLASS),
    _kind("tumble dryer", wet.tumble_dryer, (0.6, 0.58, 0.85), (0.6, 0.62, 0.87), main=MACHINE, panel=BLACK, ring=METAL),
    _kind("toilet", wet.toilet, (0.37, 0.66, 0.78), (0.4, 0.72, 0.85), main=CERAMIC, handles=STEEL),
    _kind("washbasin", wet.washbasin, (0.55, 0.45, 0.95), (0.9, 0.5, 1.0), main=CERAMIC, cupboard=WOOD, handles=STEEL),
    _kind("bathtub", wet.bathtub, (1.5, 0.72, 0.55), (1.7, 0.78, 0.6), main=CERAMIC, handles=STEEL),
    _kind("shower", wet.shower, (0.85, 0.85, 2.0), (0.95, 0.95, 2.1), main=CERAMIC, handles=STEEL, pane=Finish(("glass",), ("turquoise", "white", "grey"))),
    _kind("towel rail", wet.towel_rail, (0.45, 0.12, 0.8), (0.55, 0.14, 1.2), main=CLOTH, handles=METAL),
    _kind("television", decor.television, (0.9, 0.2, 0.6), (1.25, 0.24, 0.8), main=BLACK, screen=SCREEN),
    _kind("floor lamp", decor.floor_lamp, (0.36, 0.36, 1.4), (0.46, 0.46, 1.65), main=SHADE, pole=METAL, bulb=BULB),
    _kind("ceiling lamp", decor.ceiling_lamp, (0.34, 0.34, 0.4), (0.5, 0.5, 0.55), main=SHADE, pole=METAL, bulb=BULB),
    _kind("potted plant", decor.plant, (0.5, 0.5, 0.9), (0.7, 0.7, 1.5), main=POT, leaf=LEAF, soil=SOIL),
    _kind("rug", decor.rug, (1.2, 0.8, 0.014), (2.2, 1.5, 0.014), main=Finish(("wool",), _CLOTHS, decorated=0.5), border=Finish(("wool",), _CLOTHS)),
    _kind("round rug", decor.round_rug, (1.1, 1.1, 0.012), (1.6, 1.6, 0.012), main=Finish(("wool",), _CLOTHS, decorated=0.4)),
    _kind("painting", decor.painting, (0.45, 0.03, 0.4), (1.0, 0.03, 0.75), main=Finish(("wood", "metal"), ("black", "white", "brown", "dark brown"))),
    _kind("mirror", decor.mirror, (0.45, 0.03, 0.6), (0.7, 0.03, 0.95), main=WOOD, glass=Finish(("glass",), ("grey",), glow=0.25)),
    _kind("wall clock", decor.clock, (0.26, 0.05, 0.26), (0.36, 0.05, 0.36), main=Finish(("plastic", "wood", "metal"), ("black", "white", "red", "brown")), face=WHITE, hands=BLACK),
    _kind("curtain", decor.curtain, (1.2, 0.08, 1.9), (2.2, 0.08, 2.2), main=CLOTH, pole=METAL),
    _kind("radiator", decor.radiator, (0.7, 0.1, 0.55), (1.3, 0.1, 0.6), main=Finish(("metal",), ("white",))),
    _kind("piano", decor.piano, (1.4, 0.6, 1.1), (1.5, 0.62, 1.25), main=Finish(("wood",), ("black", "dark brown", "brown", "white")), keys=WHITE, black_keys=BLACK),
    _kind("exercise bike", decor.exercise_bike, (0.5, 1.0, 1.1), (0.55, 1.1, 1.25), main=Finish(("plastic",), ("red", "blue", "black", "grey", "green")), frame=METAL, seat=BLACK),
    _kind("treadmill", decor.treadmill, (0.75, 1.6, 1.25), (0.8, 1.75, 1.35), main=BLACK, frame=METAL, belt=Finish(("rubber",), ("black",))),
    _kind("fireplace", decor.fireplace, (1.2, 0.35, 1.05), (1.5, 0.4, 1.2), main=Finish(("stone", "painted wood"), ("white", "grey", "beige", "red")), shelf=WOOD, hearth=Finish(("stone",), ("black",)), logs=Finish(("wood",), ("brown",), glow=0.0)),
)  # fmt: skip
"""all kinds of furniture"""
