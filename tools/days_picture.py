"""Make docs/img/days.png: one room on Monday at 08:00 and on Thursday at 20:00, what differs outlined.

python tools/days_picture.py [--out docs/img/days.png] [--house 3] [--days 3] [--room kitchen]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from sim.house import House, Picture, RasterRenderer, Truth, look_at, make_house
from sim.house.days import Play, Script, make_script, said, stamp_of
from sim.house.layout.plan import Room
from spatialmem.types import Camera

WIDTH, HEIGHT, HFOV_DEG, EYE_M, MOST_BYTES = 480, 360, 80.0, 1.45, 300_000
TIMES = ("Monday 08:00", "Thursday 20:00")
COLOURS = ((214, 60, 40), (30, 150, 60))


def at(house: House, script: Script, when: str) -> tuple[Truth, RasterRenderer]:
    truth, renderer = Truth(house), RasterRenderer(house)
    Play(truth, script, [renderer]).advance(stamp_of(when))
    return truth, renderer


def best_view(house: House, room: Room, renderers: list[RasterRenderer]) -> np.ndarray:
    """The standpoint in the room from which most things are seen at one time only."""
    cells = house.navigation.room_cells(room.room_id)
    cells = cells[house.navigation.reachable[tuple(cells.T)]]
    x, y = room.inside.centre
    best, most = None, -1.0
    for cell in cells[:: max(1, len(cells) // 50)]:
        eye = house.navigation.point_of((int(cell[0]), int(cell[1]), int(cell[2]))) + (0.0, 0.0, EYE_M)
        if np.hypot(eye[0] - x, eye[1] - y) < 0.8:
            continue
        view = look_at(eye, np.array([x, y, room.base_m + 0.6]))
        small = [r.render(view, Camera.from_hfov(HFOV_DEG, 96, 72), colour=False) for r in renderers]
        ids = [set(np.unique(p.thing_ids).tolist()) for p in small]
        score = len(ids[0] ^ ids[1]) + 60.0 * min(0.1, float((small[0].thing_ids != small[1].thing_ids).mean()))
        score -= 100.0 * float((small[0].depth_m < 0.5).mean())
        if score > most:
            best, most = view, score
    assert best is not None
    return best


def outlined(picture: Picture, ids: set[int], colour: tuple[int, int, int], label: str) -> np.ndarray:
    shown = np.ascontiguousarray(picture.rgb)
    for thing_id in ids:
        mask = (picture.thing_ids == thing_id).astype(np.uint8)
        contours, _ = cv2.findContours(
            cv2.dilate(mask, np.ones((3, 3), np.uint8)), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(shown, contours, -1, colour, 1, cv2.LINE_AA)
    bar = np.full((24, shown.shape[1], 3), 255, np.uint8)
    cv2.putText(bar, label, (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.48, (20, 20, 20), 1, cv2.LINE_AA)
    return np.vstack([bar, shown])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/img/days.png"))
    parser.add_argument("--house", type=int, default=3)
    parser.add_argument("--days", type=int, default=3, help="seed of the script")
    parser.add_argument("--room", default="kitchen")
    options = parser.parse_args()
    house = make_house(options.house)
    script = make_script(house, options.days)
    (monday, first), (thursday, second) = (at(house, script, when) for when in TIMES)
    room = next(r for r in house.rooms if r.kind == options.room)
    view = best_view(house, room, [first, second])
    camera = Camera.from_hfov(HFOV_DEG, WIDTH, HEIGHT)
    pictures = [r.render(view, camera, oversample=3) for r in (first, second)]
    poses = [{s.thing.thing_id: s.world_from_thing for s in t.states()} for t in (monday, thursday)]
    moved = [{i for i in a if i not in b or not np.allclose(a[i], b[i])} for a, b in (poses, poses[::-1])]
    cells = []
    for picture, ids, colour, when in zip(pictures, moved, COLOURS, TIMES, strict=True):
        seen = ids & set(np.unique(picture.thing_ids).tolist())
        print(when, sorted(f"{house.thing(i).category} {i}" for i in seen))
        verb = "there, gone or moved by Thursday" if when == TIMES[0] else "arrived since"
        label = f"{said(stamp_of(when))[:-3]}: {len(seen)} things {verb}"
        cells.append(outlined(picture, ids, colour, label))
    sheet = np.hstack([cells[0], np.full((len(cells[0]), 6, 3), 255, np.uint8), cells[1]])
    from PIL import Image

    for colours in (256, 160, 96):
        picture = Image.fromarray(sheet).quantize(colours, kmeans=3, dither=Image.Dither.NONE)
        picture.save(options.out, optimize=True)
        if options.out.stat().st_size <= MOST_BYTES:
            break
    print(f"{options.out}: {sheet.shape[1]} x {sheet.shape[0]}, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
