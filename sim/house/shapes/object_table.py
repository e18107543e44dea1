"""The kinds of small things: sizes in metres (width, depth, height), finishes, and where they are put."""

from __future__ import annotations

from sim.house.category import Builder, Category, Finish, Size
from sim.house.shapes import decor, gadgets, pantry, personal, play, tableware
from sim.house.shapes.furniture_table import BLACK, BULB, LEAF, SOIL, STEEL, WHITE

_ALL = (
    "red",
    "orange",
    "yellow",
    "green",
    "turquoise",
    "blue",
    "purple",
    "pink",
    "brown",
    "beige",
    "white",
    "grey",
    "black",
)
_BRIGHT = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "white", "black")
CERAMIC = Finish(("ceramic",), _BRIGHT, decorated=0.25, axis=2)
PLASTIC = Finish(("plastic",), _BRIGHT)
CLOTH = Finish(("fabric",), _ALL, decorated=0.3)
LEATHER = Finish(("leather",), ("brown", "black", "red", "beige", "blue"))
PAPER = Finish(("paper",), _ALL)
SHEETS = Finish(("paper",), ("white",))
PRINT = Finish(("paper",), _ALL, decorated=0.5)
METAL = Finish(("metal",), ("grey", "black", "red", "blue", "white"))
GADGET = Finish(("plastic", "metal"), ("black", "grey", "white"))
KEYS = Finish(("plastic",), ("black", "grey"))
SCREEN = Finish(("glass",), ("black", "blue"), glow=0.15)
GLASS = Finish(("glass",), ("white", "turquoise", "green", "blue"))
CHROME = STEEL

_DESK, _SHELF = ("desk",), ("shelf", "wall shelf", "cabinet top", "mantel")
_SIT = ("coffee table", "side table", "sofa", "table shelf", "ottoman")
_KITCHEN = ("counter", "dining table", "board")
_BATH = ("washbasin", "bath edge", "shower shelf", "toilet")
_STORE = ("storage shelf", "workbench", "machine top")
_BY_BED = ("nightstand", "dresser")


def _thing(
    name: str, build: Builder, smallest: Size, largest: Size, places: tuple[str, ...], *, rooms: str = "", most: int = 2,
    flat: bool = False, **finishes: Finish,
) -> Category:  # fmt: skip
    kinds = tuple(rooms.split(", ")) if rooms else ()
    return Category(name, "object", build, smallest, largest, finishes, places, kinds, flat, most)


_TABLEWARE = (
    _thing("mug", tableware.mug, (0.105, 0.075, 0.085), (0.13, 0.09, 0.11), (*_KITCHEN, *_DESK, *_SIT, "nightstand"), main=CERAMIC),
    _thing("teacup", tableware.cup, (0.14, 0.14, 0.065), (0.16, 0.16, 0.075), (*_KITCHEN, "coffee table", "side table"), main=CERAMIC),
    _thing("drinking glass", tableware.drinking_glass, (0.065, 0.065, 0.1), (0.08, 0.08, 0.15), (*_KITCHEN, "nightstand", "coffee table"), main=GLASS),
    _thing("wine glass", tableware.wine_glass, (0.075, 0.075, 0.19), (0.09, 0.09, 0.23), ("dining table", "coffee table", "counter"), main=GLASS, most=4),
    _thing("plate", tableware.plate, (0.21, 0.21, 0.018), (0.27, 0.27, 0.024), ("dining table", "counter", "sink"), main=CERAMIC, most=4),
    _thing("bowl", tableware.bowl, (0.2, 0.2, 0.07), (0.3, 0.3, 0.1), ("dining table", "counter", "coffee table"), main=Finish(("ceramic", "wood", "metal"), (*_BRIGHT, "brown", "light brown"))),
    _thing("wine bottle", tableware.bottle, (0.07, 0.07, 0.28), (0.08, 0.08, 0.33), ("counter", "dining table", "storage shelf", "shelf"), main=Finish(("glass",), ("green", "brown", "black")), cap=Finish(("plastic",), ("red", "black", "yellow")), label=SHEETS),
    _thing("water bottle", tableware.water_bottle, (0.065, 0.065, 0.2), (0.08, 0.08, 0.26), ("desk", "nightstand", "counter", "bench", "floor"), main=Finish(("plastic", "metal"), _BRIGHT), cap=GADGET),
    _thing("teapot", tableware.teapot, (0.2, 0.13, 0.13), (0.25, 0.16, 0.17), ("dining table", "counter", "cabinet top"), main=CERAMIC),
    _thing("kettle", tableware.kettle, (0.22, 0.15, 0.2), (0.26, 0.18, 0.25), ("counter",), rooms="kitchen", most=1, main=Finish(("metal", "plastic"), ("grey", "red", "white", "black", "turquoise")), handle=BLACK),
    _thing("saucepan", tableware.saucepan, (0.34, 0.17, 0.09), (0.42, 0.22, 0.13), ("hob", "counter"), most=1, main=METAL, handle=BLACK),
    _thing("cooking pot", tableware.cooking_pot, (0.26, 0.22, 0.17), (0.32, 0.27, 0.24), ("hob", "counter"), most=1, main=Finish(("metal",), ("grey", "red", "blue", "black", "orange")), handle=BLACK),
    _thing("frying pan", tableware.frying_pan, (0.4, 0.22, 0.04), (0.5, 0.28, 0.05), ("hob", "counter"), most=1, main=Finish(("metal",), ("black", "grey")), handle=Finish(("wood", "plastic"), ("black", "light brown", "red"))),
    _thing("kitchen knife", pantry.knife, (0.26, 0.035, 0.018), (0.34, 0.045, 0.02), ("counter", "board", "dining table"), rooms="kitchen", main=CHROME, handle=Finish(("wood", "plastic"), ("black", "brown", "red"))),
    _thing("fork", pantry.fork, (0.18, 0.024, 0.012), (0.2, 0.026, 0.014), ("dining table", "sink"), main=CHROME, most=4),
    _thing("spoon", pantry.spoon, (0.17, 0.035, 0.012), (0.2, 0.042, 0.014), ("dining table", "sink", "counter"), main=Finish(("metal", "wood"), ("grey", "light brown")), most=4),
    _thing("cutting board", tableware.cutting_board, (0.36, 0.22, 0.018), (0.45, 0.3, 0.025), ("counter",), rooms="kitchen", most=1, flat=True, main=Finish(("wood", "plastic"), ("light brown", "brown", "white", "green"))),
    _thing("jar", pantry.jar, (0.08, 0.08, 0.11), (0.1, 0.1, 0.16), ("counter", "storage shelf", "wall shelf"), main=Finish(("glass", "ceramic"), ("orange", "red", "brown", "yellow", "white", "green")), cap=METAL, label=SHEETS),
    _thing("can", pantry.can, (0.07, 0.07, 0.1), (0.085, 0.085, 0.12), ("counter", "storage shelf"), main=PAPER, metal=CHROME, most=4),
    _thing("cereal box", pantry.packet, (0.18, 0.06, 0.26), (0.22, 0.08, 0.32), ("counter", "dining table", "fridge top", "storage shelf"), rooms="kitchen, dining room, storage room", main=PAPER, print=PRINT, label=SHEETS),
    _thing("milk carton", pantry.milk_carton, (0.08, 0.08, 0.22), (0.095, 0.095, 0.26), ("counter", "dining table"), main=Finish(("paper",), ("white", "blue", "green")), label=PAPER, cap=PLASTIC, most=1),
    _thing("apple", pantry.fruit, (0.07, 0.07, 0.075), (0.085, 0.085, 0.09), ("bowl", "counter", "dining table", "board"), most=4, main=Finish(("food",), ("red", "green", "yellow")), stalk=Finish(("wood",), ("brown",))),
    _thing("orange", pantry.fruit, (0.075, 0.075, 0.075), (0.09, 0.09, 0.088), ("bowl", "counter"), most=4, main=Finish(("food",), ("orange",)), stalk=LEAF),
    _thing("lemon", pantry.fruit, (0.06, 0.06, 0.08), (0.07, 0.07, 0.095), ("bowl", "counter", "board"), most=3, main=Finish(("food",), ("yellow",)), stalk=LEAF),
    _thing("pear", pantry.pear, (0.07, 0.07, 0.11), (0.08, 0.08, 0.13), ("bowl", "dining table"), most=3, main=Finish(("food",), ("green", "yellow")), stalk=Finish(("wood",), ("brown",))),
    _thing("banana", pantry.banana, (0.19, 0.1, 0.04), (0.23, 0.12, 0.05), ("bowl", "counter", "dining table"), most=1, main=Finish(("food",), ("yellow",)), stalk=Finish(("food",), ("brown",))),
    _thing("bread", pantry.bread, (0.24, 0.1, 0.09), (0.32, 0.13, 0.12), ("board", "counter", "dining table"), most=1, main=Finish(("food",), ("brown", "beige")), stalk=Finish(("food",), ("beige",))),
    _thing("toaster", pantry.toaster, (0.28, 0.16, 0.18), (0.34, 0.2, 0.21), ("counter",), rooms="kitchen", most=1, flat=True, main=Finish(("metal", "plastic"), ("grey", "red", "white", "black", "turquoise")), handle=BLACK),
    _thing("coffee machine", pantry.coffee_machine, (0.2, 0.26, 0.32), (0.26, 0.32, 0.38), ("counter",), rooms="kitchen, office", most=1, flat=True, main=Finish(("plastic", "metal"), ("black", "grey", "red", "white")), glass=GLASS, handle=BLACK),
    _thing("microwave", pantry.microwave, (0.44, 0.32, 0.26), (0.5, 0.38, 0.29), ("counter",), rooms="kitchen", most=1, flat=True, main=Finish(("metal",), ("white", "grey", "black", "red")), glass=Finish(("glass",), ("black",)), handle=CHROME),
)  # fmt: skip

_PERSONAL = (
    _thing("book", personal.book, (0.13, 0.19, 0.02), (0.19, 0.26, 0.045), (*_DESK, *_SIT, *_SHELF, *_BY_BED, "bed", "cubby"), flat=True, main=PAPER, paper=SHEETS, print=PRINT),
    _thing("row of books", personal.book_row, (0.22, 0.15, 0.2), (0.42, 0.2, 0.27), ("shelf", "wall shelf"), flat=True, most=2, main=PAPER, second=PAPER, third=PAPER, fourth=PAPER, paper=SHEETS),
    _thing("magazine", personal.magazine, (0.2, 0.27, 0.005), (0.22, 0.3, 0.008), ("coffee table", "table shelf", "sofa", "bed", "toilet"), flat=True, main=PAPER, print=PRINT, paper=SHEETS),
    _thing("laptop", gadgets.laptop, (0.3, 0.21, 0.22), (0.36, 0.25, 0.26), ("desk", "dining table", "coffee table"), flat=True, most=1, main=Finish(("metal", "plastic"), ("grey", "black", "white", "pink")), keys=KEYS, screen=SCREEN),
    _thing("phone", gadgets.phone, (0.07, 0.145, 0.008), (0.078, 0.16, 0.009), (*_DESK, *_SIT, *_BY_BED, "counter", "console"), most=1, main=GADGET, screen=SCREEN),
    _thing("tablet", gadgets.tablet, (0.17, 0.24, 0.007), (0.19, 0.26, 0.008), ("coffee table", "sofa", "desk", "bed"), flat=True, most=1, main=GADGET, screen=SCREEN),
    _thing("remote control", gadgets.remote_control, (0.045, 0.16, 0.02), (0.055, 0.2, 0.024), ("coffee table", "sofa", "tv stand", "side table"), rooms="living room, bedroom", main=GADGET, keys=Finish(("rubber",), ("grey", "white"))),
    _thing("keyboard", gadgets.keyboard, (0.4, 0.13, 0.025), (0.45, 0.16, 0.03), ("desk",), rooms="office, bedroom, kids room", flat=True, most=1, main=GADGET, keys=KEYS),
    _thing("computer mouse", gadgets.computer_mouse, (0.06, 0.1, 0.036), (0.07, 0.115, 0.042), ("desk",), flat=True, most=1, main=GADGET, keys=KEYS),
    _thing("monitor", gadgets.monitor, (0.5, 0.18, 0.42), (0.62, 0.22, 0.48), ("desk",), rooms="office", flat=True, most=1, main=GADGET, screen=SCREEN),
    _thing("headphones", gadgets.headphones, (0.17, 0.18, 0.07), (0.2, 0.2, 0.085), ("desk", "nightstand", "bed", "coffee table"), most=1, main=Finish(("plastic",), ("black", "white", "red", "blue", "pink"))),
    _thing("loudspeaker", gadgets.speaker, (0.15, 0.16, 0.24), (0.2, 0.2, 0.34), ("tv stand", "shelf", "desk", "cabinet top"), flat=True, main=Finish(("wood", "plastic"), ("black", "brown", "white", "light brown")), cone=BLACK),
    _thing("game controller", gadgets.game_controller, (0.15, 0.1, 0.05), (0.165, 0.11, 0.06), ("coffee table", "tv stand", "sofa", "cubby"), main=Finish(("plastic",), ("black", "white", "red", "blue")), keys=KEYS),
    _thing("camera", gadgets.camera, (0.12, 0.1, 0.08), (0.14, 0.13, 0.1), ("shelf", "desk", "console", "cabinet top"), most=1, main=GADGET, keys=BLACK),
    _thing("alarm clock", gadgets.alarm_clock, (0.09, 0.045, 0.11), (0.12, 0.055, 0.14), ("nightstand", "dresser", "desk"), flat=True, most=1, main=Finish(("metal",), ("red", "turquoise", "grey", "black", "yellow", "white")), face=WHITE, keys=BLACK),
    _thing("vase", personal.vase, (0.1, 0.1, 0.3), (0.16, 0.16, 0.5), ("dining table", "console", "cabinet top", "mantel", "piano", "coffee table", "shelf", "dresser"), most=1, main=CERAMIC, leaf=LEAF, flower=Finish(("food",), ("red", "yellow", "pink", "purple", "white", "orange"))),
    _thing("candle", personal.candle, (0.08, 0.08, 0.1), (0.11, 0.11, 0.2), ("mantel", "dining table", "coffee table", "bath edge", "piano", "dresser"), main=Finish(("wax",), ("white", "red", "beige", "green", "purple")), dish=METAL, wick=BLACK),
    _thing("picture frame", personal.picture_frame, (0.13, 0.1, 0.17), (0.2, 0.13, 0.26), ("shelf", "cabinet top", "mantel", "piano", "nightstand", "dresser", "desk", "console"), flat=True, main=Finish(("wood", "metal"), ("black", "white", "light brown", "brown", "grey")), print=PRINT),
    _thing("pen holder", personal.pen_cup, (0.07, 0.07, 0.15), (0.09, 0.09, 0.19), ("desk",), most=1, main=Finish(("plastic", "metal", "wood"), (*_BRIGHT, "grey", "brown")), ink=PLASTIC, keys=BLACK, second=PLASTIC),
    _thing("scissors", personal.scissors, (0.17, 0.08, 0.01), (0.22, 0.09, 0.012), ("desk", "counter", "workbench"), most=1, main=PLASTIC, blade=CHROME),
    _thing("keys", personal.keys, (0.13, 0.04, 0.01), (0.13, 0.04, 0.01), ("console", "counter", "desk", "cabinet top", "bench"), rooms="hallway, kitchen, office, living room", most=1, main=PLASTIC, blade=CHROME),
    _thing("wallet", personal.wallet, (0.1, 0.08, 0.02), (0.12, 0.095, 0.025), ("console", "desk", "nightstand", "dresser"), most=1, main=LEATHER),
    _thing("sunglasses", personal.sunglasses, (0.14, 0.14, 0.045), (0.15, 0.15, 0.05), ("console", "dresser", "side table", "cabinet top"), most=1, main=PLASTIC, glass=Finish(("glass",), ("black", "brown"))),
    _thing("handbag", personal.handbag, (0.28, 0.13, 0.28), (0.36, 0.16, 0.36), ("chair", "bench", "bed", "sofa", "floor"), most=1, main=Finish(("leather", "fabric"), ("red", "brown", "black", "beige", "blue", "green")), trim=LEATHER),
    _thing("backpack", personal.backpack, (0.28, 0.2, 0.4), (0.34, 0.24, 0.48), ("floor", "bed", "chair", "bench", "under desk"), most=1, main=CLOTH, trim=CLOTH),
    _thing("shoes", personal.shoes, (0.22, 0.26, 0.1), (0.25, 0.3, 0.12), ("shoes", "floor"), rooms="hallway, bedroom, kids room", most=3, main=Finish(("leather", "fabric"), ("black", "brown", "white", "red", "blue", "pink")), sole=Finish(("rubber",), ("white", "black", "brown"))),
    _thing("hat", personal.hat, (0.3, 0.3, 0.1), (0.38, 0.38, 0.13), ("bench", "console", "bed", "dresser", "chair", "shelf"), most=1, main=CLOTH, trim=CLOTH),
    _thing("umbrella", personal.umbrella, (0.6, 0.08, 0.08), (0.75, 0.1, 0.1), ("bench", "console", "storage shelf", "floor"), rooms="hallway, storage room", most=1, flat=True, main=CLOTH, trim=BLACK),
    _thing("towel", personal.towel, (0.3, 0.22, 0.09), (0.38, 0.28, 0.14), ("machine top", "washbasin", "bath edge", "bed", "shelf", "ironing board", "toilet"), rooms="bathroom, laundry room, bedroom", flat=True, main=CLOTH),
    _thing("soap", personal.soap, (0.11, 0.08, 0.035), (0.13, 0.09, 0.045), (*_BATH, "counter"), rooms="bathroom, kitchen, laundry room", most=1, main=Finish(("wax",), ("white", "green", "pink", "yellow")), dish=CERAMIC),
    _thing("soap dispenser", personal.soap_dispenser, (0.065, 0.065, 0.16), (0.08, 0.08, 0.2), ("washbasin", "counter"), rooms="bathroom, kitchen", most=1, main=Finish(("plastic", "ceramic"), _BRIGHT), cap=METAL, label=SHEETS),
    _thing("shampoo bottle", personal.shampoo, (0.07, 0.045, 0.18), (0.09, 0.055, 0.24), ("shower shelf", "bath edge", "bathtub"), most=2, main=PLASTIC, cap=PLASTIC),
    _thing("toothbrushes", personal.toothbrush_cup, (0.07, 0.07, 0.18), (0.08, 0.08, 0.2), ("washbasin",), most=1, main=CERAMIC, second=PLASTIC, third=PLASTIC, bristle=WHITE),
    _thing("toothpaste", personal.toothpaste, (0.15, 0.05, 0.04), (0.18, 0.055, 0.045), ("washbasin",), most=1, main=PLASTIC, cap=PLASTIC),
    _thing("toilet paper", personal.toilet_roll, (0.1, 0.1, 0.095), (0.12, 0.12, 0.1), ("toilet", "floor", "storage shelf"), rooms="bathroom, storage room", main=SHEETS, core=Finish(("cardboard",), ("brown",))),
    _thing("tissue box", personal.tissue_box, (0.2, 0.11, 0.12), (0.24, 0.13, 0.14), ("nightstand", "coffee table", "desk", "dresser", "washbasin"), flat=True, most=1, main=PRINT, paper=SHEETS),
    _thing("hairbrush", personal.hairbrush, (0.2, 0.06, 0.05), (0.24, 0.075, 0.06), ("washbasin", "dresser", "nightstand"), most=1, main=Finish(("wood", "plastic"), ("brown", "black", "pink", "purple", "blue")), bristle=BLACK),
)  # fmt: skip

_PLAY = (
    _thing("teddy bear", play.teddy_bear, (0.22, 0.2, 0.28), (0.34, 0.3, 0.42), ("bed", "chair", "sofa", "shelf", "floor"), rooms="kids room, bedroom, living room", main=Finish(("wool",), ("brown", "beige", "white", "pink", "grey")), muzzle=Finish(("wool",), ("beige", "white")), eyes=BLACK),
    _thing("ball", play.football, (0.15, 0.15, 0.15), (0.24, 0.24, 0.24), ("floor", "crate", "under bed"), rooms="kids room, living room, gym, hallway", main=Finish(("rubber", "leather"), _BRIGHT, decorated=0.5)),
    _thing("toy car", play.toy_car, (0.08, 0.17, 0.075), (0.12, 0.26, 0.11), ("floor", "crate", "shelf", "bed", "desk", "under bed"), rooms="kids room, living room", main=PLASTIC, glass=Finish(("glass",), ("black",)), wheels=Finish(("rubber",), ("black",))),
    _thing("toy blocks", play.toy_blocks, (0.17, 0.17, 0.16), (0.24, 0.24, 0.23), ("floor", "desk", "coffee table"), rooms="kids room, living room", most=1, main=PLASTIC, second=PLASTIC, third=PLASTIC, fourth=PLASTIC),
    _thing("puzzle cube", play.puzzle_cube, (0.056, 0.056, 0.056), (0.066, 0.066, 0.066), ("desk", "coffee table", "shelf", "nightstand"), most=1, main=Finish(("plastic",), ("red",)), second=Finish(("plastic",), ("green",)), third=Finish(("plastic",), ("blue",)), fourth=Finish(("plastic",), ("yellow",)), fifth=Finish(("plastic",), ("orange",)), paper=WHITE, black=BLACK),
    _thing("guitar", play.guitar, (0.34, 0.34, 0.98), (0.4, 0.36, 1.05), ("floor",), rooms="living room, bedroom, library, kids room", most=1, main=Finish(("wood",), ("light brown", "brown", "red", "black", "blue")), fret=Finish(("wood",), ("dark brown",)), strings=METAL),
    _thing("dumbbell", play.dumbbell, (0.24, 0.1, 0.1), (0.34, 0.15, 0.15), ("floor", "storage shelf"), rooms="gym, bedroom, storage room", most=3, main=Finish(("rubber", "metal"), ("black", "grey", "blue", "red", "pink")), bar=STEEL),
    _thing("yoga mat", play.yoga_mat, (0.6, 0.1, 0.1), (0.66, 0.13, 0.13), ("floor", "storage shelf"), rooms="gym, bedroom, living room", most=1, flat=True, main=Finish(("rubber",), ("purple", "green", "pink", "blue", "turquoise", "grey")), band=BLACK),
    _thing("watering can", play.watering_can, (0.3, 0.13, 0.2), (0.4, 0.17, 0.27), ("floor", "storage shelf", "cabinet top"), most=1, main=Finish(("metal", "plastic"), ("green", "grey", "red", "blue", "yellow"))),
    _thing("hammer", play.hammer, (0.28, 0.11, 0.034), (0.34, 0.13, 0.036), ("workbench", "storage shelf"), most=1, main=Finish(("wood", "rubber"), ("light brown", "black", "red")), head=STEEL),
    _thing("screwdriver", play.screwdriver, (0.2, 0.03, 0.03), (0.26, 0.036, 0.036), ("workbench", "storage shelf", "desk"), main=Finish(("plastic",), ("red", "yellow", "blue", "black", "orange")), head=STEEL),
    _thing("torch", play.torch_light, (0.15, 0.045, 0.045), (0.22, 0.06, 0.06), ("storage shelf", "workbench", "nightstand", "console"), most=1, main=Finish(("plastic", "metal"), ("black", "yellow", "red", "grey")), glass=BULB, band=BLACK),
    _thing("toolbox", play.toolbox, (0.38, 0.2, 0.2), (0.48, 0.24, 0.25), ("storage shelf", "workbench", "floor"), rooms="storage room, laundry room", most=1, flat=True, main=Finish(("metal", "plastic"), ("red", "blue", "green", "yellow", "black")), band=BLACK, head=STEEL),
    _thing("iron", play.iron, (0.24, 0.11, 0.13), (0.28, 0.13, 0.15), ("ironing board", "machine top", "storage shelf"), most=1, main=Finish(("plastic",), ("blue", "white", "purple", "red", "turquoise")), head=STEEL, band=GADGET),
    _thing("cardboard box", play.cardboard_box, (0.28, 0.22, 0.18), (0.42, 0.34, 0.3), ("storage shelf", "floor", "under desk"), rooms="storage room, office, laundry room", main=Finish(("cardboard",), ("brown", "beige")), band=Finish(("plastic",), ("beige", "white", "brown"))),
    _thing("crate", play.storage_bin, (0.34, 0.26, 0.16), (0.46, 0.34, 0.22), ("floor", "storage shelf"), rooms="kids room, storage room, laundry room, gym", most=1, flat=True, main=PLASTIC),
    _thing("basket", play.basket, (0.28, 0.28, 0.16), (0.38, 0.38, 0.22), ("floor", "cabinet top", "machine top"), rooms="living room, bedroom, kids room, laundry room, bathroom", most=1, main=Finish(("wicker",), ("light brown", "brown", "beige", "white"))),
    _thing("globe", play.globe, (0.22, 0.22, 0.32), (0.28, 0.28, 0.4), ("desk", "shelf", "cabinet top"), rooms="office, kids room, library, living room", most=1, main=Finish(("stone",), ("blue", "turquoise")), band=Finish(("wood", "metal"), ("brown", "grey"))),
    _thing("cushion", play.throw_pillow, (0.38, 0.38, 0.13), (0.48, 0.48, 0.17), ("sofa", "bed", "chair", "floor"), rooms="living room, bedroom, kids room, library", main=CLOTH),
    _thing("blanket", play.blanket, (0.4, 0.3, 0.09), (0.5, 0.36, 0.13), ("sofa", "bed", "ottoman", "crate"), flat=True, most=1, main=Finish(("wool", "fabric"), _ALL, decorated=0.4)),
    _thing("desk lamp", decor.desk_lamp, (0.16, 0.26, 0.38), (0.2, 0.32, 0.48), ("desk", "nightstand"), most=1, main=Finish(("metal", "plastic"), (*_BRIGHT, "grey")), pole=STEEL, bulb=BULB),
    _thing("table lamp", decor.table_lamp, (0.2, 0.2, 0.3), (0.28, 0.28, 0.45), ("nightstand", "side table", "dresser", "cabinet top", "console"), most=1, main=Finish(("fabric",), ("white", "beige", "red", "yellow", "blue", "green"), glow=0.35), pole=Finish(("ceramic", "wood", "metal"), ("white", "brown", "blue", "grey", "black")), bulb=BULB),
    _thing("houseplant", decor.plant, (0.16, 0.16, 0.2), (0.26, 0.26, 0.36), ("cabinet top", "shelf", "wall shelf", "desk", "dresser", "dining table", "coffee table", "washbasin", "mantel"), most=1, main=CERAMIC, leaf=LEAF, soil=SOIL),
)  # fmt: skip

THINGS: tuple[Category, ...] = (*_TABLEWARE, *_PERSONAL, *_PLAY)
"""all kinds of small things"""
