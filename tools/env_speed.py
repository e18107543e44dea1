"""How many steps a second environments make here: `python tools/env_speed.py [--steps 200] [--seed 0]`."""

from __future__ import annotations

import argparse
import time
from typing import Any

import gymnasium
import numpy as np

import sim.envs  # noqa: F401 - registers

SIZES = (64, 256)


def measure(name: str, steps: int, seed: int, **settings: Any) -> str:
    """Drawn actions, no STOP; what is made or compiled at the first use is left out, resets on the way are not."""
    env = gymnasium.make(name, **settings)
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    env.step(1)
    start, spent = time.perf_counter(), time.process_time()
    for _ in range(steps):
        *_, terminated, truncated, _ = env.step(int(rng.choice((1, 1, 1, 2, 3))))
        if terminated or truncated:
            env.reset()
    took, spent = time.perf_counter() - start, time.process_time() - spent
    env.close()
    return f"{steps / took:6.1f} steps/s, {spent / steps * 1e3:.1f} ms of processor time a step"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for size in SIZES:
        picture = {"width": size, "height": size}
        rate = measure("spatialmem/House-v0", options.steps, options.seed, scenes=1, **picture)
        print(f"House-v0 {size}x{size}: {rate}")
        rate = measure("spatialmem/ObjectNav-v1", options.steps, options.seed, episodes=1, settings=picture)
        print(f"ObjectNav-v1 {size}x{size}: {rate}")


if __name__ == "__main__":
    main()
