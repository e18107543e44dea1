"""Exploring houses of two floors and going to points in them, on a memory and nothing else.

Houses of two floors (seeds of the test split of `naming`), a camera of 128 x 128 and 79 degrees, turns of 30 degrees
and moves of 0.25 m. Every frame goes into a memory with voxels of 5 cm (free space
8 cm), encoder `colours`, which has no say in this; poses are exact. Explored: by `FrontierWalk` of
policies/navigation, which tilts its camera down itself, and by the walker that it replaced
(benchmarks/sliced_walk.py), which knows one floor and whose camera looks 0.3 rad down as it always did, from the same
start; what of the true ground on which the body can stand lies within 0.2 m of ground of `memory.floors()`.
Neither is stopped before it stops by itself, or has done the last count of actions. Then, on the memory of the first,
`Follower` goes to points one after the other, drawn from all true standing places of both floors: success is STOP
within 0.25 m; SPL as of Anderson et al. (2018) against the true shortest way. Times of a tick are those of the walker
alone, without rendering and `observe`. Routes: the graph and one field of cheapest ways on a made room of 10 x 10 m
with pillars. Intervals are over houses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import ground_walks
import numpy as np
import sliced_walk
from common import Bench, Wanted, clock, percentile
from ground_walks import far_m, truth_of
from numpy.typing import NDArray

from policies.navigation.errors import Unreachable
from policies.navigation.follower import Follower
from policies.navigation.frontier_walk import FrontierWalk
from policies.navigation.goals import ToPoint
from policies.navigation.graph import graph_of
from sim.body import Action
from sim.house import HouseConfig
from sim.house.world import HouseScene, HouseWorld
from sim.scene import SceneConfig
from sim.tasks.naming import houses
from spatialmem import Frame, MemoryConfig, SpatialMemory
from spatialmem.ground.floors import NOT_REACHED, floors_of
from spatialmem.ground.standing import standing_of
from spatialmem.voxels.free_reading import FREE, OCCUPIED, FreeSpace

HOUSES, QUICK_HOUSES, GOALS, NEAR_M, THERE_M, PITCH_RAD = 12, 1, 12, 0.2, 0.25, -0.3
COUNTS = (100, 200, 400, 800)
"""actions after which it is asked how much is known"""

Walk = Callable[[SpatialMemory, HouseScene, bool], Action]


@dataclass
class Ticks:
    """Actions, metres, bumps and times of a walk."""

    ms: list[float] = field(default_factory=list)
    metres: float = 0.0
    collisions: int = 0
    collided: bool = False

    def step(self, scene: HouseScene, says: Callable[[], Action]) -> Action:
        """Ask for an action, and do it."""
        start = clock()
        action = says()
        self.ms.append(1e3 * (clock() - start))
        moved = scene.act(action)
        self.collided, self.metres = moved.collided, self.metres + moved.length_m
        self.collisions += moved.collided
        return action


@dataclass
class Explored:
    """How a house was explored."""

    known: dict[int, float]
    """share of the true ground, by actions"""
    stopped: int
    floors: int
    ticks: Ticks


@dataclass
class Gone:
    """Goals in a house."""

    success: list[bool]
    spl: list[float]
    shortest_m: float
    ticks: Ticks


def observe(scene: HouseScene, memory: SpatialMemory, seq: int) -> None:
    """A frame into the memory."""
    sight = scene.look()
    memory.observe(
        Frame(sight.rgb, sight.depth_m, sight.camera, sight.world_from_camera, seq * 250_000_000, depth_unit="m",
              session_id="walk", camera_id="head", seq=seq)
    )  # fmt: skip


def known_share(memory: SpatialMemory, truth: NDArray[np.float64]) -> float:
    """Share of the true ground that is known."""
    floors = memory.floors()
    return float((far_m(truth, floors.standing.ground_m[floors.floor_of > NOT_REACHED]) <= NEAR_M).mean())


def explored(scene: HouseScene, memory: SpatialMemory, walk: Walk) -> Explored:
    """Walk until it stops, or for as many actions as are counted."""
    truth, known, ticks = truth_of(scene.house.navigation), dict[int, float](), Ticks()
    action, seq = Action.LEFT, 0
    for seq in range(max(COUNTS) + 1):
        observe(scene, memory, seq)
        if seq in COUNTS:
            known[seq] = known_share(memory, truth)
        if seq == max(COUNTS):
            break
        action = ticks.step(scene, lambda: walk(memory, scene, ticks.collided))
        if action is Action.STOP:
            break
    last = known_share(memory, truth)
    return Explored({count: known.get(count, last) for count in COUNTS}, seq, len(memory.floors().floors), ticks)


def gone(scene: HouseScene, memory: SpatialMemory, seed: int) -> Gone:
    """Go to points one after the other."""
    rng, places, ticks = np.random.default_rng(seed), scene.standing_places_m(), Ticks()
    follower, result = Follower(memory, scene.motion), Gone([], [], 0.0, ticks)
    for goal in places[rng.permutation(len(places))[:GOALS]]:
        shortest_m, before_m = scene.distance_m(scene.stand.ground_m, goal[None]), ticks.metres
        follower.go(ToPoint(tuple(goal.tolist())))
        ticks.collided = False
        try:
            while ticks.step(scene, lambda: follower.next(scene.stand, ticks.collided)) is not Action.STOP:
                pass
            there = bool(np.linalg.norm(scene.stand.ground_m - goal) <= THERE_M)
        except Unreachable:
            there = False
        result.success.append(there)
        result.spl.append(there * shortest_m / max(shortest_m, ticks.metres - before_m, 1e-9))
        result.shortest_m += shortest_m
    return result


def new_walk() -> Walk:
    """The explorer of policies/navigation."""
    walks: list[FrontierWalk] = []

    def says(memory: SpatialMemory, scene: HouseScene, collided: bool) -> Action:
        if not walks:
            walks.append(FrontierWalk(scene.motion))
        return walks[0].next(memory, scene.stand, collided)

    return says


def old_walk() -> Walk:
    """The one that it replaced."""
    walks: list[sliced_walk.FrontierWalk] = []

    def says(memory: SpatialMemory, scene: HouseScene, collided: bool) -> Action:
        if not walks:
            walks.append(sliced_walk.FrontierWalk(scene.motion))
        return walks[0].next(memory.free_space(), scene.stand, collided)

    return says


def in_house(scene_id: str) -> tuple[Explored, Explored, Gone]:
    """New, old, goals on the memory of the new."""
    found, went = list[Explored](), None
    for walk, pitch_rad in ((new_walk(), 0.0), (old_walk(), PITCH_RAD)):
        scene = HouseWorld(HouseConfig(floors=2), light=False).open(scene_id, SceneConfig(128, 128, 79.0))
        scene.place(scene.stand.ground_m, scene.stand.yaw_rad, pitch_rad)
        with SpatialMemory.create(None, "colours", MemoryConfig(voxel_size_m=0.05)) as memory:
            memory.declare_up((0.0, 0.0, 1.0))
            found.append(explored(scene, memory, walk))
            went = went or gone(scene, memory, int(scene_id))
        scene.close()
    assert went is not None
    return found[0], found[1], went


def made_room(side_m: float = 10.0, voxel_m: float = 0.08) -> FreeSpace:
    """A walled room with pillars."""
    count = round(side_m / voxel_m)
    state = np.full((count, count, 25), FREE, np.uint8)
    state[:, :, 0] = OCCUPIED
    state[[0, -1]] = state[:, [0, -1]] = OCCUPIED
    rng = np.random.default_rng(1)
    for i, j in rng.integers(8, count - 12, (25, 2)):
        state[i : i + 5, j : j + 5] = OCCUPIED
    return FreeSpace(np.zeros(3), voxel_m, state)


def route_ms(runs: int) -> tuple[list[float], list[float]]:
    """Of the graph, and of a field and the way from the far corner, ms."""
    floors = floors_of(standing_of(made_room()), [np.array([[1.0, 1.0, 1.3]])])
    graphs, fields = list[float](), list[float]()
    for run in range(runs + 1):
        start = clock()
        graph = graph_of(floors)
        between = clock()
        route = graph.field(graph.places_within(np.array([1.0, 1.0, 0.08]), 0.2)).route(
            graph.place_at(np.array([9.0, 9.0, 0.08]))
        )
        end = clock()
        assert route is not None
        if run:  # the first one compiles
            graphs.append(1e3 * (between - start))
            fields.append(1e3 * (end - between))
    return graphs, fields


def main() -> None:
    bench = Bench(
        __file__, "Exploring houses of two floors and going to points in them", __doc__,
        parts=[Path(ground_walks.__file__), Path(sliced_walk.__file__),
               *sorted((Path(__file__).parents[1] / "policies" / "navigation").glob("*.py"))],
    )  # fmt: skip
    graphs, fields = route_ms(5 if bench.quick else 20)
    new, old, went = list[Explored](), list[Explored](), list[Gone]()
    for number, scene_id in enumerate(houses("test", QUICK_HOUSES if bench.quick else HOUSES), start=1):
        one, other, goals = in_house(scene_id)
        new.append(one)
        old.append(other)
        went.append(goals)
        bench.progress(
            f"house {number}: known {one.known} (old {other.known}), stopped at {one.stopped}, "
            f"success {np.mean(goals.success):.2f}, SPL {np.mean(goals.spl):.2f}"
        )
    report(bench, new, old, went)
    bench.claim("a graph of 10 x 10 m", graphs, "ms", Wanted())
    bench.claim("cheapest ways to a goal over 10 x 10 m, and one of them", fields, "ms", Wanted(30.0, 10.0))
    bench.finish()


def report(bench: Bench, new: list[Explored], old: list[Explored], went: list[Gone]) -> None:
    """Claims and tables."""
    bench.claim("points reached", [100 * float(np.mean(g.success)) for g in went], "% of a house", Wanted())
    bench.claim("SPL", [100 * float(np.mean(g.spl)) for g in went], "%", Wanted())
    bench.claim("collisions, to points", [g.ticks.collisions / g.ticks.metres for g in went], "per metre", Wanted())
    bench.claim(
        "actions, to points", [len(g.ticks.ms) / g.shortest_m for g in went], "per metre of shortest way", Wanted()
    )
    for count in COUNTS:
        bench.claim(f"ground known after {count} actions", [100 * e.known[count] for e in new], "%", Wanted(),
                    f"before: {100 * np.median([e.known[count] for e in old]):.1f}")  # fmt: skip
    bench.claim("houses of which both floors were found", 100 * float(np.mean([e.floors == 2 for e in new])), "%",
                Wanted(), f"before: {100 * float(np.mean([e.floors == 2 for e in old])):.0f}")  # fmt: skip
    bench.claim("collisions, exploring", [e.ticks.collisions / e.ticks.metres for e in new], "per metre", Wanted(),
                f"before: {np.median([e.ticks.collisions / e.ticks.metres for e in old]):.3f}")  # fmt: skip
    sides = {
        "to points": [t for g in went for t in g.ticks.ms], "exploring": [t for e in new for t in e.ticks.ms],
        "exploring, before": [t for e in old for t in e.ticks.ms],
    }  # fmt: skip
    rows = [[name, len(ms), percentile(ms, 50), percentile(ms, 95), float(np.mean(ms))] for name, ms in sides.items()]
    bench.table("time of a tick, ms", ["walk", "ticks", "median", "p95", "mean"], rows)
    bench.table(
        "exploring, house by house", ["stopped after", "before", "metres", "before", "known at the end, %", "before"],
        [[e.stopped, o.stopped, e.ticks.metres, o.ticks.metres, 100 * e.known[COUNTS[-1]], 100 * o.known[COUNTS[-1]]]
         for e, o in zip(new, old, strict=True)],
    )  # fmt: skip


if __name__ == "__main__":
    main()
