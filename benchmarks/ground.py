"""Floors, ground and frontiers of the memory of a house, against its truth.

Houses of two floors (seeds of the test split of `naming`) are toured; every fourth step a frame of 160 x 120 goes
into a memory with voxels of 5 cm (free space 8 cm), encoder `colours`, which has no say in this. Known: the share of
all ground on which the house's body can stand that lies within 0.2 m of ground of `memory.floors()` where that body
has room. Wrong: the share of the latter that is further than that from the former. Beside it the peer: slices of the
free space at the true heights of both floors, as planners of one floor take them (benchmarks/sliced_walk.py),
which are told where the floors are. Frontiers are asked for after a fifth of the tour: they are good when, 0.6 m
ahead of them, true ground that is not known lies within 1 m; weighted by width. Intervals are over houses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ground_walks
import numpy as np
from common import Bench, Wanted, clock
from ground_walks import far_m, truth_of, walked
from numpy.typing import NDArray
from sliced_walk import ground_of

from sim.house import HouseConfig
from sim.house.layout.plan import STOREY_M
from sim.house.world import HouseWorld
from sim.scene import SceneConfig
from sim.tasks.naming import houses
from spatialmem import MemoryConfig, SpatialMemory
from spatialmem.config import GateConfig
from spatialmem.ground.floors import NOT_REACHED, Floors
from spatialmem.ground.frontiers import Frontier

HOUSES, QUICK_HOUSES, EARLY, NEAR_M = 12, 2, 5, 0.2


@dataclass(frozen=True)
class Found:
    """A house."""

    floors: int
    stairs: int
    known: float
    wrong: float
    slice_known: float
    slice_wrong: float
    leading: float
    """share of the width of early frontiers that lead to unknown ground; NaN without any"""
    unknown_early: float
    """share of the ground that was not known then"""
    ms: float
    """of `floors` and `frontiers` of the whole house"""


def leading_share(frontiers: tuple[Frontier, ...], unknown: NDArray[np.float64]) -> float:
    """Share of the width of frontiers ahead of which there is unknown ground."""
    if not frontiers:
        return float("nan")
    ahead = np.array(
        [np.add(f.position_m, 0.6 * np.array([np.cos(f.yaw_rad), np.sin(f.yaw_rad), 0])) for f in frontiers]
    )
    widths = np.array([f.width_m for f in frontiers])
    return float(widths[far_m(ahead, unknown) < 1.0].sum() / widths.sum())


def clear_ground(floors: Floors, radius_m: float) -> NDArray[np.float64]:
    """(N, 3) ground of floors on which a body has room."""
    return floors.standing.ground_m[(floors.floor_of >= 0) & (floors.standing.clearance_m >= radius_m)]


def sliced(memory: SpatialMemory, radius_m: float) -> NDArray[np.float64]:
    """(N, 3) ground of a slice at the true height of each floor, where a body has room."""
    import cv2

    found = []
    for height_m in (0.0, STOREY_M):
        ground = ground_of(memory.free_space(), height_m)
        room = cv2.distanceTransform((~ground.occupied).astype(np.uint8), cv2.DIST_L2, 5) * ground.cell_m
        middles = ground.middles_m(ground.free & (np.asarray(room) >= radius_m))
        found.append(np.column_stack([middles, np.full(len(middles), height_m)]))
    return np.concatenate(found)


def judged(scene_id: str) -> Found:
    """Tour, ask, compare."""
    scene = HouseWorld(HouseConfig(floors=2)).open(scene_id, SceneConfig(160, 120, 79.0))
    navigation, truth = scene.house.navigation, truth_of(scene.house.navigation)
    config = MemoryConfig(voxel_size_m=0.05, gate=GateConfig(store_all=True))
    early: tuple[Floors, tuple[Frontier, ...]] | None = None
    with SpatialMemory.create(None, "colours", config) as memory:
        memory.declare_up((0.0, 0.0, 1.0))
        for share in walked(scene, memory):
            if early is None and share >= 100 // EARLY:
                early = memory.floors(), memory.frontiers()
        memory.floors()
        start = clock()
        floors, _ = memory.floors(), memory.frontiers()
        ms = 1e3 * (clock() - start)
        slice_m = sliced(memory, navigation.body.radius_m)
    scene.close()
    assert early is not None
    found = clear_ground(floors, navigation.body.radius_m)
    known_early = early[0].standing.ground_m[early[0].floor_of > NOT_REACHED]
    unknown = truth[far_m(truth, known_early) > 2 * NEAR_M]
    heights = [floor.height_m for floor in floors.floors]
    right = len(heights) == 2 and abs(heights[0]) < 0.15 and abs(heights[1] - STOREY_M) < 0.15
    return Found(
        2 if right else 0, len(floors.stairs), float((far_m(truth, found) <= NEAR_M).mean()),
        float((far_m(found, truth) > NEAR_M).mean()), float((far_m(truth, slice_m) <= NEAR_M).mean()),
        float((far_m(slice_m, truth) > NEAR_M).mean()),
        leading_share(early[1], unknown), len(unknown) / len(truth), ms,
    )  # fmt: skip


def main() -> None:
    bench = Bench(
        __file__, "Floors and frontiers of houses of two floors", __doc__, parts=[Path(ground_walks.__file__)]
    )
    found = list[Found]()
    for number, scene_id in enumerate(houses("test", QUICK_HOUSES if bench.quick else HOUSES), start=1):
        found.append(judged(scene_id))
        bench.progress(f"house {number}: {found[-1]}")
    both, one = (
        100 * float(np.mean(good)) for good in ([f.floors == 2 for f in found], [f.stairs == 1 for f in found])
    )
    bench.claim("houses whose two floors are found at their heights", both, "%", Wanted())
    bench.claim("houses whose one flight of stairs is found", one, "%", Wanted())
    bench.claim("ground known", [100 * f.known for f in found], "%", Wanted())
    bench.claim("ground known / that of slices", [f.known / f.slice_known for f in found], "ratio", Wanted())
    bench.claim("ground that is none", [100 * f.wrong for f in found], "%", Wanted())
    bench.claim("ground that is none / that of slices", [f.wrong / f.slice_wrong for f in found], "ratio", Wanted())
    leading = [100 * f.leading for f in found if np.isfinite(f.leading)]
    bench.claim("frontiers that lead to unknown ground", leading, "% of their width", Wanted(),
                f"{100 * np.mean([f.unknown_early for f in found]):.0f} % of the ground unknown then")  # fmt: skip
    bench.claim("floors and frontiers of the whole house", [f.ms for f in found], "ms", Wanted())
    bench.finish()


if __name__ == "__main__":
    main()
