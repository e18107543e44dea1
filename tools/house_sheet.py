"""Make docs/img/houses.png: eight houses, each from above and from inside.

python tools/house_sheet.py [--out docs/img/houses.png] [--first-seed 0]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from sim.house import House, RasterRenderer, look_at, make_house
from sim.house.layout.plan import STOREY_M, Room
from spatialmem.types import Camera

CELL, HOUSES, COLUMNS, MOST_BYTES = 312, 8, 4, 400_000
INSIDE = ("living room", "kitchen", "bedroom", "bathroom", "office", "kids room")


def from_above(renderer: RasterRenderer, house: House, size: tuple[int, int]) -> np.ndarray:
    """The ground floor without its ceilings, and what is above them, from high up."""
    hidden = [
        t.thing_id
        for t in house.things
        if t.category in ("ceiling", "ceiling lamp") or house.rooms[t.room_id].floor > 0
    ]
    for thing_id in hidden:
        renderer.take_away(thing_id)
    foot = house.plan.footprint
    x, y = foot.centre
    hfov = 24.0
    width = max(foot.width, foot.depth * size[0] / size[1]) * 1.06
    height = width / (2.0 * np.tan(np.radians(hfov) / 2.0)) + STOREY_M
    picture = renderer.render(
        look_at(np.array([x, y - 1e-3, height]), np.array([x, y, 0.0])), Camera.from_hfov(hfov, *size)
    )
    for thing_id in hidden:
        renderer.place(thing_id, house.thing(thing_id).world_from_thing)
    return np.where(picture.thing_ids[..., None] == 0, np.uint8(250), picture.rgb)


def inside(renderer: RasterRenderer, house: House, room: Room, size: tuple[int, int]) -> np.ndarray:
    """A room from the reachable corner that shows most things."""
    best, shown = None, -1
    cells = house.navigation.room_cells(room.room_id)
    cells = cells[house.navigation.reachable[tuple(cells.T)]]
    x, y = room.inside.centre
    for cell in cells[:: max(1, len(cells) // 60)]:
        eye = house.navigation.point_of((int(cell[0]), int(cell[1]), int(cell[2]))) + (0.0, 0.0, 1.45)
        target = np.array([x, y, room.base_m + 0.6])
        if np.linalg.norm(eye[:2] - target[:2]) < 1.0:
            continue
        view = look_at(eye, target)
        small = renderer.render(view, Camera.from_hfov(85.0, 48, 36), colour=False)
        count = len(np.unique(small.thing_ids)) - 200 * float((small.depth_m < 0.6).mean())
        if count > shown:
            best, shown = view, count
    assert best is not None
    return renderer.render(best, Camera.from_hfov(85.0, *size), oversample=3).rgb


def cell_of(seed: int) -> np.ndarray:
    house = make_house(seed)
    renderer = RasterRenderer(house)
    half = CELL // 2
    above = from_above(renderer, house, (CELL * 2, CELL // 2 * 3))
    rooms = sorted(house.rooms, key=lambda r: INSIDE.index(r.kind) if r.kind in INSIDE else 99)
    kinds = list({r.kind: r for r in reversed(rooms)}.values())[::-1][:4]
    views = [inside(renderer, house, r, (half, half * 3 // 4)) for r in kinds[:4]]
    rows = [np.hstack(views[i : i + 2]) for i in (0, 2)]
    cell = np.vstack([cv2.resize(above, (CELL, CELL // 4 * 3), interpolation=cv2.INTER_AREA), *rows])
    label = f"seed {seed}: {len(house.rooms)} rooms, {house.plan.floors} floor{'s' * (house.plan.floors - 1)}"
    cv2.putText(cell, label, (5, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (20, 20, 20), 1, cv2.LINE_AA)
    return cv2.copyMakeBorder(cell, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/img/houses.png"))
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    cells = [cell_of(options.first_seed + i) for i in range(HOUSES)]
    sheet = np.vstack([np.hstack(cells[i : i + COLUMNS]) for i in range(0, HOUSES, COLUMNS)])
    from PIL import Image

    for colours in (256, 160, 96, 64):  # a palette keeps a picture of flat colours small without blocks
        picture = Image.fromarray(sheet).quantize(colours, kmeans=3, dither=Image.Dither.NONE)
        picture.save(options.out, optimize=True)
        if options.out.stat().st_size <= MOST_BYTES:
            break
    print(f"{options.out}: {sheet.shape[1]} x {sheet.shape[0]}, {options.out.stat().st_size} bytes, {colours} colours")


if __name__ == "__main__":
    main()
