"""Making houses and rendering them, beside MuJoCo's renderer on the same meshes.

House 0 of the usual config, along a fixed walk through all its rooms: shortest ways from the middle of one room to
that of the next, gaze along the way and swinging from side to side, 79 degrees wide, 1.25 m above the ground. Every
picture is colour, depth and instance ids on every side; category ids come with ours. Time is that of the call from pose
to finished arrays. MuJoCo (an optional package: `pip install mujoco==4.0.0`; without it ours is measured alone): EGL
where that works, else OSMesa, offsamples 0, shadowsize 0, one headlight; things are geoms of one colour without
texture, where ours have procedural textures, a lamp and windows with baked shadows. Threads: as many as there are
cores, on all sides. The sides render the whole walk in turn, in every run. Ratio: MuJoCo's time over ours. Making:
seeds 0 to 19 (after one that loads the compiled kernels), each once; in the seconds are plan, furniture, things, and
the checks that every room can be walked into and every thing be looked at; not the renderer's, which are below.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import ROOT, Bench, Wanted, alternate, cell, clock, ratios, usable_cores
from mujoco_house import INSTALL, MujocoHouse, working_gl

from sim.house import House, RasterRenderer, RaycastRenderer, make_house
from sim.house.render.base import look_at
from spatialmem.types import Camera

HOUSE = 0
SIZES = ((128, 128), (256, 256), (640, 480))
WANTED = {(256, 256): Wanted(must=60.0, sense="at least"), (640, 480): Wanted(must=15.0, aim=30.0, sense="at least")}
VIEWS, QUICK_VIEWS = 48, 12
SEEDS, QUICK_SEEDS = 20, 3
HFOV_DEG = 79.0
Render = Callable[[np.ndarray, Camera], object]


def walk(house: House, count: int) -> list[np.ndarray]:
    """Poses at even distances along a way through all rooms."""
    navigation = house.navigation
    stops = []
    for room in house.rooms:
        cells = navigation.room_cells(room.room_id)
        cells = cells[navigation.reachable[tuple(cells.T)]]
        points = navigation.points_of(*cells.T)
        away = np.hypot(*(points[:, :2] - room.inside.centre).T)
        stops.append(points[int(away.argmin())])
    legs = [navigation.path(a, b) for a, b in zip(stops[:-1], stops[1:], strict=True)]
    way = np.concatenate([leg[:-1] for leg in legs] + [stops[-1:]])
    steps = np.diff(way, axis=0)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=1))])
    poses = []
    for i, at in enumerate(np.linspace(0.0, length[-1], count, endpoint=False)):
        step = int(np.searchsorted(length, at, side="right")) - 1
        eye = way[step] + steps[step] * (at - length[step]) / (length[step + 1] - length[step])
        eye = eye + (0.0, 0.0, house.config.body.eye_m)
        yaw = np.arctan2(steps[step, 1], steps[step, 0]) + 1.2 * np.sin(0.7 * i)
        poses.append(look_at(eye, eye + (np.cos(yaw), np.sin(yaw), -0.2)))
    return poses


def seconds_a_frame(render: Render, poses: list[np.ndarray], camera: Camera) -> float:
    """Mean over the walk."""
    start = clock()
    for pose in poses:
        render(pose, camera)
    return (clock() - start) / len(poses)


def making(bench: Bench) -> None:
    """Time to make houses, one of each seed."""
    make_house(HOUSE)
    taken, triangles, things, rooms = [], [], [], []
    for seed in range(QUICK_SEEDS if bench.quick else SEEDS):
        start = clock()
        house = make_house(seed)
        taken.append(clock() - start)
        triangles.append(house.triangles)
        things.append(len(house.things))
        rooms.append(len(house.rooms))
    bench.claim(f"making a house, median of {len(taken)} seeds", taken, "s", Wanted(aim=2.0))
    bench.claim("making a house, slowest seed", max(taken), "s", Wanted(aim=2.0))
    bench.table(
        f"{len(taken)} houses: median, smallest and largest",
        ["seconds", "triangles", "things", "rooms"],
        [[cell(taken), cell(triangles), cell(things), cell(rooms)]],
    )


def rendering(bench: Bench, house: House, poses: list[np.ndarray]) -> None:
    """Frames per second of our renderers and of MuJoCo, in turn."""
    start = clock()
    raster = RasterRenderer(house)
    made = {"RasterRenderer": clock() - start}
    start = clock()
    raycast = RaycastRenderer(house)
    made["RaycastRenderer"] = clock() - start
    sides: dict[str, Render] = {"raster": raster.render, "raycast": raycast.render}
    gl = working_gl()
    if gl is None:
        bench.missing(f"MuJoCo's renderer: it cannot be loaded or finds no GL; {INSTALL}")
    else:
        start = clock()
        mujoco = MujocoHouse(house, gl)
        made[f"MuJoCo, {gl}"] = clock() - start
        sides["mujoco"] = mujoco.render
        bench.table("The same picture", *agreement(raster, mujoco, poses))
    rows = []
    for size in SIZES:
        bench.progress(f"{size[0]}x{size[1]}")
        camera = Camera.from_hfov(HFOV_DEG, *size)
        for render in sides.values():
            render(poses[0], camera)
        timed = {name: functools.partial(seconds_a_frame, render, poses, camera) for name, render in sides.items()}
        taken = alternate(timed, bench.runs)
        rates = {name: [1.0 / t for t in runs] for name, runs in taken.items()}
        if size in WANTED:
            bench.claim(f"{size[0]}x{size[1]}, `RasterRenderer`", rates["raster"], "frames/s", WANTED[size])
        beside = ratios(taken["mujoco"], taken["raster"]) if "mujoco" in taken else None
        rows.append([
            f"{size[0]}x{size[1]}", cell(rates["raster"]), cell(rates["raycast"]),
            *([cell(rates["mujoco"]), cell(beside)] if beside else ["not measured", ""]),
        ])  # fmt: skip
    columns = [
        "",
        "`RasterRenderer`",
        "`RaycastRenderer`",
        "MuJoCo" if gl is None else f"MuJoCo, {gl}",
        "`RasterRenderer` / MuJoCo",
    ]
    bench.table("frames a second: colour, depth, ids", columns, rows)
    bench.table("Seconds to make a renderer", list(made), [[round(v, 2) for v in made.values()]])
    if gl is not None:
        mujoco.close()


def agreement(raster: RasterRenderer, mujoco: MujocoHouse, poses: list[np.ndarray]) -> tuple[list[str], list[list]]:
    """Columns and rows of a table: how far the two sides see the same things at the same depths."""
    camera, ids, depths = Camera.from_hfov(HFOV_DEG, 256, 256), [], []
    for pose in poses:
        ours = raster.render(pose, camera)
        _, depth_m, thing_ids = mujoco.render(pose, camera)
        ids.append(np.mean(ours.thing_ids == thing_ids))
        depths.append(np.mean(np.abs(ours.depth_m - depth_m) < 0.01))
    return ["pixels of the same thing, %", "of the same depth to 1 cm, %"], [
        [round(100.0 * float(np.mean(ids)), 3), round(100.0 * float(np.mean(depths)), 3)]
    ]


def main() -> None:
    sources = sorted(Path(ROOT / "sim" / "house").rglob("*.py"))
    parts = [Path(__file__).resolve().with_name("mujoco_house.py"), *sources]
    bench = Bench(__file__, "Houses: making them, and rendering them beside MuJoCo", __doc__, parts=parts)
    bench.progress("making houses")
    making(bench)
    house = make_house(HOUSE)
    poses = walk(house, QUICK_VIEWS if bench.quick else VIEWS)
    bench.claim(
        "triangles of the house that is rendered", house.triangles, "triangles", Wanted(200_000, sense="at least")
    )
    bench.detail("threads", usable_cores())
    rendering(bench, house, poses)
    bench.finish()


if __name__ == "__main__":
    main()
