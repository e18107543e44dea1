"""How fast houses are made and rendered here: `python tools/house_speed.py [--seed 0] [--threads 2] [--views 60]`."""

from __future__ import annotations

import argparse
import time

import numpy as np

from sim.house import House, RasterRenderer, RaycastRenderer, look_at, make_house
from spatialmem.types import Camera

SIZES = ((640, 480), (256, 256), (128, 128))


def views(house: House, count: int) -> list[np.ndarray]:
    """Poses all over the house, at the height of the eye, looking about level."""
    rng = np.random.default_rng(1)
    cells = np.argwhere(house.navigation.reachable)
    found = []
    for _ in range(count):
        row = cells[int(rng.integers(len(cells)))]
        eye = house.navigation.point_of((int(row[0]), int(row[1]), int(row[2]))) + (0.0, 0.0, house.config.body.eye_m)
        yaw = float(rng.uniform(0.0, 2.0 * np.pi))
        found.append(look_at(eye, eye + (np.cos(yaw), np.sin(yaw), float(rng.uniform(-0.5, 0.2)))))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--views", type=int, default=60)
    options = parser.parse_args()
    make_house(options.seed)  # compiles
    start = time.perf_counter()
    house = make_house(options.seed)
    made = time.perf_counter() - start
    print(f"house {options.seed}: {made:.2f} s, {len(house.things)} things, {house.triangles} triangles")
    poses = views(house, options.views)
    for kind in (RasterRenderer, RaycastRenderer):
        start = time.perf_counter()
        renderer = kind(house, threads=options.threads)
        print(f"{kind.__name__}: made in {time.perf_counter() - start:.2f} s, {options.threads} threads")
        for width, height in SIZES:
            camera = Camera.from_hfov(79.0, width, height)
            renderer.render(poses[0], camera)
            taken = []
            spent = time.process_time()
            for pose in poses:
                start = time.perf_counter()
                renderer.render(pose, camera)
                taken.append(time.perf_counter() - start)
            spent = (
                (time.process_time() - spent) / len(poses) * 1e3
            )  # of all threads: does not count waiting for a core
            median, slow = np.percentile(taken, (50, 95)) * 1e3
            rate = f"{1.0 / np.mean(taken):6.1f} frames/s, median {median:.1f} ms, 95th {slow:.1f} ms"
            print(f"  {width}x{height}: {rate}; {spent:.1f} ms of processor time a frame")


if __name__ == "__main__":
    main()
