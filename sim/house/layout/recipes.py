"""What furniture a kind of room has, in the order in which it is placed: what matters most comes first."""

from __future__ import annotations

from collections.abc import Callable

from sim.house.category import Made
from sim.house.layout.furnisher import Furnisher
from sim.house.layout.placement import Placement

Recipe = Callable[[Furnisher], None]


def furnish(f: Furnisher) -> None:
    """Furnish a room by its kind; lamps, curtains and pictures come last."""
    RECIPES[f.room.kind](f)
    f.at_windows()
    f.ceiling()
    for _ in range(int(f.rng.integers(0, 3)) if f.room.kind not in ("bathroom", "storage room", "laundry room") else 0):
        f.hang("painting", float(f.rng.uniform(1.35, 1.55)))
    if f.room.kind in ("kitchen", "living room", "office", "dining room") and f.chance(0.5):
        f.hang("wall clock", 1.85)


def _living_room(f: Furnisher) -> None:
    sofa = f.wall("sofa", clear_m=1.3, prefer="middle")
    if sofa is not None:
        stand = f.wall("TV stand", clear_m=0.6, facing=sofa)
        if stand is not None:
            _on_top(f, stand, "television")
        f.before("coffee table", sofa, 0.38)
        for side in (-1, 1):
            if f.chance(0.5):
                f.beside("side table", sofa, side)
        if f.chance(0.7):
            f.rug("rug", under=sofa)
    if f.inside.area > 20.0 and f.chance(0.6):
        f.wall("piano", clear_m=0.8)
    for _ in range(int(f.rng.integers(1, 3))):
        f.wall("armchair", clear_m=0.6, prefer="corner", shift_m=0.12)
    if f.chance(0.45):
        f.wall("fireplace", clear_m=0.9, prefer="middle", shift_m=0.006)
    for _ in range(int(f.rng.integers(1, 3))):
        f.wall("bookshelf", clear_m=0.6)
    if f.chance(0.6):
        f.wall("cabinet", clear_m=0.6)
    f.wall("floor lamp", clear_m=0.0, prefer="corner", shift_m=0.05)
    for _ in range(int(f.rng.integers(1, 3))):
        f.wall("potted plant", clear_m=0.0, prefer="corner", shift_m=0.03)
    if f.chance(0.5):
        f.middle("ottoman", clear_m=0.5)
    if f.chance(0.4):
        f.hang("wall shelf", 1.5)


def _kitchen(f: Furnisher) -> None:
    unit = f.make("kitchen counter")
    run = _counters(f, unit)
    for item in run:
        if item.made.category.name in ("kitchen counter", "dishwasher") and f.chance(0.75):
            width = float(item.made.size_m[0])
            f.hang("wall cabinet", 1.45, over=item, size_m=(width, 0.35, 0.68), like=unit)
    island = f.make("kitchen island", like=unit)
    if f.inside.area > 12.0 and f.chance(0.5) and f.middle("kitchen island", clear_m=0.85, made=island) is not None:
        island = f.items[-1]
        for x in (-0.35, 0.35):
            f.before("stool", island, 0.05, sideways_m=x)
    else:
        table = f.middle("round table" if f.chance(0.5) else "dining table", clear_m=0.7, made=None)
        if table is not None:
            f.around("chair", table, int(f.rng.integers(2, 5)))
    f.wall("waste bin", clear_m=0.0, prefer="corner")
    if f.chance(0.4):
        f.wall("cabinet", clear_m=0.6)
    if f.chance(0.4):
        f.hang("wall shelf", 1.45)


def _counters(f: Furnisher, unit: Made) -> list[Placement]:
    """Fridge, counters, sink and stove side by side, from the wall that holds most of them."""
    names = ["kitchen counter", "kitchen sink", "kitchen counter", "stove", "kitchen counter"]
    if f.chance(0.5):
        names.insert(2, "dishwasher")
    first = f.wall("refrigerator", clear_m=0.7, prefer="corner")
    run: list[Placement] = []
    anchor = first
    sink = f.make("kitchen sink", like=unit)
    made = {"kitchen counter": unit, "kitchen sink": sink, "dishwasher": f.make("dishwasher", like=unit)}
    for name in names:
        piece = made.get(name) or f.make(name)
        nxt = None
        for side in (1, -1) if anchor is not None else ():
            assert anchor is not None
            nxt = f.beside(name, anchor, side, made=piece)
            if nxt is not None:
                break
        nxt = nxt or f.wall(name, clear_m=0.7, prefer="corner", made=piece)
        if nxt is not None:
            run.append(nxt)
            anchor = nxt
    return run


def _dining_room(f: Furnisher) -> None:
    table = f.middle("dining table" if f.chance(0.7) else "round table", clear_m=0.75)
    if table is not None:
        f.around("chair", table, int(f.rng.integers(4, 9)))
    f.wall("cabinet", clear_m=0.6, prefer="middle")
    if f.chance(0.6):
        f.wall("cabinet", clear_m=0.6)
    if f.chance(0.5):
        f.wall("bookshelf", clear_m=0.5)
    f.wall("potted plant", clear_m=0.0, prefer="corner")
    if f.chance(0.5):
        f.wall("floor lamp", clear_m=0.0, prefer="corner")
    if f.chance(0.6):
        f.rug("rug")


def _bedroom(f: Furnisher) -> None:
    of_set = f.make("double bed")
    like = of_set if f.chance(0.7) else None
    bed = f.wall("double bed", clear_m=0.6, prefer="middle", made=of_set)
    if bed is not None:
        stand = f.make("nightstand", like=like)
        for side in (-1, 1):
            f.beside("nightstand", bed, side, made=stand if f.chance(0.8) else None)
        if f.chance(0.6):
            f.rug("rug", under=bed)
    f.wall("wardrobe", clear_m=0.65, prefer="corner", made=f.make("wardrobe", like=like))
    f.wall("chest of drawers", clear_m=0.6, made=f.make("chest of drawers", like=like))
    if f.chance(0.4):
        _desk_with_chair(f, "chair")
    if f.chance(0.4):
        f.wall("armchair", clear_m=0.5, prefer="corner", shift_m=0.1)
    if f.chance(0.5):
        f.wall("laundry basket", clear_m=0.0, prefer="corner")
    if f.chance(0.4):
        f.wall("bench", clear_m=0.5)
    if f.chance(0.5):
        f.wall("potted plant", clear_m=0.0, prefer="corner")
    if f.chance(0.7):
        f.hang("mirror", 1.0)


def _kids_room(f: Furnisher) -> None:
    f.wall("bunk bed" if f.chance(0.4) else "single bed", clear_m=0.5, prefer="corner")
    _desk_with_chair(f, "chair")
    f.wall("wardrobe", clear_m=0.6, prefer="corner", size_m=(1.0, 0.58, 1.95))
    f.wall("bookshelf", clear_m=0.5)
    if f.chance(0.6):
        f.wall("chest of drawers", clear_m=0.5)
    f.rug("round rug" if f.chance(0.6) else "rug")
    if f.chance(0.5):
        f.hang("wall shelf", 1.4)
    f.wall("waste bin", clear_m=0.0, prefer="corner")


def _bathroom(f: Furnisher) -> None:
    if f.chance(0.6):
        if f.wall("bathtub", clear_m=0.55, prefer="corner", shift_m=0.006) is None:
            f.wall("shower", clear_m=0.6, prefer="corner")
    else:
        f.wall("shower", clear_m=0.6, prefer="corner", shift_m=0.006)
    basin = f.wall("washbasin", clear_m=0.6)
    if basin is not None:
        width = float(basin.made.size_m[0])
        f.hang("mirror", 1.12, over=basin, size_m=(min(width, 0.7), 0.03, 0.8))
    f.wall("toilet", clear_m=0.5)
    if f.chance(0.5):
        f.wall("laundry basket", clear_m=0.0, prefer="corner")
    if f.chance(0.35):
        f.wall("washing machine", clear_m=0.6)
    f.hang("towel rail", 0.85)
    f.wall("waste bin", clear_m=0.0, prefer="corner", size_m=(0.24, 0.24, 0.28))
    if f.chance(0.5):
        f.rug("rug")


def _office(f: Furnisher) -> None:
    _desk_with_chair(f, "office chair")
    if f.inside.area > 10.0 and f.chance(0.4):
        _desk_with_chair(f, "office chair")
    for _ in range(int(f.rng.integers(1, 3))):
        f.wall("bookshelf", clear_m=0.6)
    if f.chance(0.6):
        f.wall("cabinet", clear_m=0.6)
    if f.chance(0.6):
        f.wall("armchair", clear_m=0.5, prefer="corner", shift_m=0.1)
    f.wall("waste bin", clear_m=0.0)
    f.wall("floor lamp", clear_m=0.0, prefer="corner", shift_m=0.04)
    if f.chance(0.6):
        f.wall("potted plant", clear_m=0.0, prefer="corner")
    if f.chance(0.5):
        f.rug("rug")
    if f.chance(0.5):
        f.hang("wall shelf", 1.5)


def _laundry_room(f: Furnisher) -> None:
    washer = f.wall("washing machine", clear_m=0.6, prefer="corner")
    if washer is not None and f.chance(0.7) and f.beside("tumble dryer", washer, 1) is None:
        f.beside("tumble dryer", washer, -1)
    f.wall("laundry basket", clear_m=0.0, prefer="corner")
    f.wall("storage rack", clear_m=0.5)
    f.wall("ironing board", clear_m=0.4)
    if f.chance(0.5):
        f.wall("cabinet", clear_m=0.5)


def _storage_room(f: Furnisher) -> None:
    f.wall("storage rack", clear_m=0.6)
    if f.inside.area > 5.0:
        f.wall("workbench", clear_m=0.6)
    f.wall("storage rack", clear_m=0.6)
    if f.chance(0.5):
        f.wall("shoe rack", clear_m=0.4)


def _library(f: Furnisher) -> None:
    for _ in range(int(f.rng.integers(3, 6))):
        f.wall("bookshelf", clear_m=0.6)
    for _ in range(2):
        f.wall("armchair", clear_m=0.6, prefer="corner", shift_m=0.15)
    f.middle("coffee table" if f.chance(0.5) else "side table", clear_m=0.6)
    f.wall("floor lamp", clear_m=0.0, prefer="corner", shift_m=0.04)
    if f.chance(0.5):
        _desk_with_chair(f, "chair")
    f.rug("rug" if f.chance(0.6) else "round rug")
    if f.chance(0.5):
        f.wall("potted plant", clear_m=0.0, prefer="corner")


def _gym(f: Furnisher) -> None:
    f.wall("treadmill", clear_m=0.4, prefer="corner", shift_m=0.2)
    f.middle("exercise bike", clear_m=0.45)
    f.wall("storage rack", clear_m=0.5)
    f.wall("bench", clear_m=0.4)
    for _ in range(2):
        f.hang("mirror", 0.9)
    if f.chance(0.5):
        f.wall("potted plant", clear_m=0.0, prefer="corner")


def _hallway(f: Furnisher) -> None:
    for name, clear, share in (
        ("console table", 0.75, 0.8), ("shoe rack", 0.75, 0.8), ("bench", 0.75, 0.4), ("coat rack", 0.0, 0.7),
        ("cabinet", 0.8, 0.3), ("potted plant", 0.0, 0.4),
    ):  # fmt: skip
        if f.chance(share):
            f.wall(name, clear_m=clear, prefer="corner" if clear == 0.0 else "any")
    if f.chance(0.6):
        f.hang("mirror", 1.0)


def _desk_with_chair(f: Furnisher, chair: str) -> None:
    desk = f.wall("desk", clear_m=0.85)
    if desk is not None:
        f.before(chair, desk, -0.08 if chair == "chair" else 0.0)


def _on_top(f: Furnisher, stand: Placement, name: str) -> None:
    """A screen stands on its board; it is furniture, but of another piece's top."""
    made = f.make(name)
    regions = stand.made.shape.regions
    index = next(i for i, r in enumerate(regions) if r.kind == "television place")
    x, y, z = stand.region_point(regions[index])
    f.items.append(Placement(made, x, y, z, stand.yaw_deg, stand.room_id, f.items.index(stand), index))


RECIPES: dict[str, Recipe] = {
    "living room": _living_room,
    "kitchen": _kitchen,
    "dining room": _dining_room,
    "bedroom": _bedroom,
    "kids room": _kids_room,
    "bathroom": _bathroom,
    "office": _office,
    "laundry room": _laundry_room,
    "storage room": _storage_room,
    "library": _library,
    "gym": _gym,
    "hallway": _hallway,
}
"""kind of room -> its recipe"""
