"""Houses toured into a memory, and the ground that is there in truth; for ground.py and the tests of the ground."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sim.house.navigation import Navigation
from sim.house.world import HouseScene
from sim.touring import tour
from spatialmem import Frame, SpatialMemory

EVERY = 4
"""steps a frame"""


def walked(scene: HouseScene, memory: SpatialMemory) -> Iterator[int]:
    """Tour the house and remember it; the share of the tour in hundredths, after each frame."""
    actions = tour(scene)
    for step in range(len(actions) + 1):
        if step:
            scene.act(actions[step - 1])
            scene.advance(scene.stamp_ns + 250_000_000)
        if step % EVERY == 0:
            sight = scene.look()
            memory.observe(
                Frame(sight.rgb, sight.depth_m, sight.camera, sight.world_from_camera, scene.stamp_ns, seq=step,
                      depth_unit="m")
            )  # fmt: skip
            yield 100 * step // len(actions)


def far_m(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) from each point to the nearest other one."""
    return cKDTree(others).query(points)[0] if len(others) else np.full(len(points), np.inf)


def truth_of(navigation: Navigation) -> NDArray[np.float64]:
    """(N, 3) ground on which the body can stand, without the flight."""
    return navigation.points_of(*np.argwhere(navigation.reachable[: navigation.plan.floors]).T)
