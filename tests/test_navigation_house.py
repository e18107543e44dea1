"""A house of two floors, explored and walked in with nothing but a memory."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from house_cases import TALL

from benchmarks.ground_walks import far_m, truth_of
from policies.navigation.errors import Unreachable
from policies.navigation.follower import Follower
from policies.navigation.frontier_walk import FrontierWalk
from policies.navigation.goals import ToPoint, ToThing
from sim.body import Action
from sim.house.world import HouseScene, HouseWorld
from sim.scene import SceneConfig
from spatialmem import Frame, MemoryConfig, SpatialMemory


def observe(scene: HouseScene, memory: SpatialMemory, seq: int) -> None:
    sight = scene.look()
    memory.observe(Frame(sight.rgb, sight.depth_m, sight.camera, sight.world_from_camera, seq * 10**9,
                         depth_unit="m", session_id="a", camera_id="head", seq=seq))  # fmt: skip


@pytest.fixture(scope="module")
def explored():
    """The scene, its memory after the explorer stopped, and (actions, collisions)."""
    scene = HouseWorld(TALL, light=False).open("5", SceneConfig(128, 128, 79.0))
    walk, collided, collisions = FrontierWalk(scene.motion), False, 0
    with SpatialMemory.create(None, encoder="colours", config=MemoryConfig(voxel_size_m=0.05)) as memory:
        memory.declare_up((0.0, 0.0, 1.0))
        for seq in range(1000):
            observe(scene, memory, seq)
            action = walk.next(memory, scene.stand, collided)
            if action is Action.STOP:
                break
            collided = scene.act(action).collided
            collisions += collided
        else:
            pytest.fail("it never stopped")
        yield scene, memory, (seq, collisions)
    scene.close()


def test_the_explorer_comes_to_know_both_floors(explored):
    scene, memory, (actions, collisions) = explored
    floors, truth = memory.floors(), truth_of(scene.house.navigation)
    assert len(floors.floors) == 2 and len(floors.stairs) == 1
    known = far_m(truth, floors.standing.ground_m[floors.floor_of >= 0]) <= 0.2
    assert known.mean() > 0.93, known.mean()
    assert collisions <= 0.05 * actions, (collisions, actions)


def walk_to(scene: HouseScene, follower: Follower, most: int = 400) -> float:
    """Walk until STOP; metres gone."""
    collided, gone_m = False, 0.0
    for _ in range(most):
        action = follower.next(scene.stand, collided)
        if action is Action.STOP:
            return gone_m
        moved = scene.act(action)
        collided, gone_m = moved.collided, gone_m + moved.length_m
    pytest.fail(f"no end after {most} actions")


def test_goals_on_both_floors_are_reached_by_short_ways(explored):
    scene, memory, _ = explored
    rng, places = np.random.default_rng(3), scene.standing_places_m()
    follower, shares = Follower(memory, scene.motion), []
    for goal in places[rng.permutation(len(places))[:8]]:
        shortest_m = scene.distance_m(scene.stand.ground_m, goal[None])
        follower.go(ToPoint(tuple(goal.tolist())))
        gone_m = walk_to(scene, follower)
        assert np.linalg.norm(scene.stand.ground_m - goal) <= 0.25
        shares.append(shortest_m / max(gone_m, shortest_m))
    assert np.mean(shares) > 0.85, shares


def test_things_are_come_near_to(explored):
    scene, memory, _ = explored
    things = [o for o in scene.objects() if o.category in ("bed", "sofa", "fridge", "wardrobe", "toilet", "bathtub")][
        :3
    ]
    follower = Follower(memory, scene.motion)
    for thing in things:
        follower.go(ToThing(tuple(thing.middle_m.tolist()), radius_m=1.4))
        walk_to(scene, follower)
        at = scene.stand.ground_m
        nearest = np.clip(at, thing.box_min_m, thing.box_max_m)
        assert np.linalg.norm((nearest - at)[:2]) < 1.4
        bearing = math.atan2(*(thing.middle_m - at)[1::-1])
        assert math.cos(bearing - scene.stand.yaw_rad) > math.cos(math.radians(16.0))


def test_the_page_runs(explored, capsys):
    scene, memory, _ = explored
    page = (Path(__file__).resolve().parents[1] / "docs" / "navigation.md").read_text(encoding="utf-8")
    goal, thing = scene.standing_places_m()[7], scene.objects()[0].middle_m
    names = {"memory": memory, "motion": scene.motion, "stand": scene.stand}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(code, {**names, "goal_m": tuple(goal.tolist()), "thing_m": tuple(thing.tolist())})
    assert len(capsys.readouterr().out.split()) >= 3


def test_outside_the_house_nothing_is_reached(explored):
    scene, memory, _ = explored
    follower = Follower(memory, scene.motion)
    follower.go(ToPoint((-30.0, 0.0, 0.0)))
    with pytest.raises(Unreachable, match="no known way"):
        follower.next(scene.stand, False)
