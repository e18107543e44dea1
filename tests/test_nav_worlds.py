"""What every world promises to tasks, asked of each of them; and tasks are played in each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from grid_world import GridWorld

from sim.body import Action
from sim.errors import MissingScene, SimError, UnknownName
from sim.house import HouseConfig
from sim.house.world import HouseWorld
from sim.scene import Scene, SceneConfig, World
from sim.tasks.objectnav import ObjectNavTask
from sim.tasks.registry import TASKS, task

CONFIG = SceneConfig(32, 24)


def houses() -> World:
    return HouseWorld(HouseConfig(floors=1, rooms_per_floor=(3, 4), density=0.4), threads=1, light=False)


@pytest.fixture(scope="module", params=[GridWorld, houses], ids=["grid", "house"])
def world(request: pytest.FixtureRequest) -> World:
    make: Callable[[], World] = request.param
    return make()


@pytest.fixture
def scene(world: World) -> Iterator[Scene]:
    scene = world.open(world.scene_ids("train", 1)[0], CONFIG)
    yield scene
    scene.close()
    scene.close()


def test_scenes_of_a_split_have_lasting_names(world):
    names = world.scene_ids("train", 3)
    assert len(set(names)) == 3 and world.scene_ids("train", 2) == names[:2] and world.scene_ids("train", 0) == []
    with pytest.raises(UnknownName):
        world.scene_ids("nowhere", 1)
    with pytest.raises(MissingScene):
        world.open("../etc", CONFIG)


def test_things_have_ids_of_their_own_and_boxes(scene):
    things = scene.objects()
    assert len({t.object_id for t in things}) == len({t.instance_id for t in things}) == len(things) > 0
    for t in things:
        assert (t.box_max_m >= t.box_min_m).all() and t.instance_id > 0 and t.phrase.endswith(t.category)
        assert t.support == "" or t.support in {o.object_id for o in things}


def test_viewpoints_are_ground_near_the_thing_to_stand_on(scene):
    seen = [t for t in scene.objects() if len(scene.viewpoints_m(t.object_id))]
    assert len(seen) > len(scene.objects()) / 2
    for t in seen[::5]:
        views = scene.viewpoints_m(t.object_id)
        off = np.maximum(np.maximum(t.box_min_m[:2] - views[:, :2], views[:, :2] - t.box_max_m[:2]), 0.0)
        assert np.hypot(off[:, 0], off[:, 1]).max() <= 1.0 + 1e-6
        assert np.array_equal(scene.place(views[0], 0.0).ground_m[:2], views[0][:2])


def test_distances_are_of_ways(scene):
    places = scene.standing_places_m()
    a, b, c = places[0], places[len(places) // 2], places[-1]
    to_b = scene.distances_to(b[None])
    assert to_b(b) == 0.0 and to_b(a) == pytest.approx(scene.distance_m(a, b[None]))
    assert to_b(a) >= np.linalg.norm(a - b) - 1e-6
    assert scene.distance_m(a, np.stack([b, c])) == pytest.approx(min(to_b(a), scene.distance_m(a, c[None])), rel=0.02)
    assert all(math.isfinite(to_b(p)) for p in places[:: max(1, len(places) // 20)])


def test_what_would_happen_is_what_happens(scene):
    rng = np.random.default_rng(0)
    for number in (1, 1, *rng.integers(0, 6, 60)):
        action, before = Action(int(number)), scene.stand
        ahead = scene.after(before, action)
        assert scene.stand == before
        moved = scene.act(action)
        assert moved == ahead and scene.stand == moved.stand
        length = float(np.linalg.norm(moved.stand.ground_m - before.ground_m))
        assert length == pytest.approx(moved.length_m, abs=1e-6) and length <= scene.motion.forward_m + 0.3
        assert action is Action.FORWARD or (length == 0.0 and not moved.collided)
        assert action is not Action.STOP or moved.stand == before


def test_where_nobody_can_stand_nobody_is_placed(scene):
    before = scene.stand
    with pytest.raises(SimError):
        scene.place(np.array([1e3, 1e3, 0.0]), 0.0)
    assert scene.stand == before


def test_pictures(scene):
    sight = scene.look()
    assert sight.rgb.shape == (24, 32, 3) and sight.rgb.dtype == np.uint8
    assert sight.depth_m.shape == sight.instance_ids.shape == (24, 32)
    assert sight.depth_m.dtype == np.float32 and sight.instance_ids.dtype == np.int32
    assert np.array_equal(sight.world_from_camera, scene.world_from_camera) and sight.camera == scene.camera
    again = scene.sight_from(scene.world_from_camera, scene.camera)
    assert np.array_equal(again.rgb, sight.rgb) and np.array_equal(again.depth_m, sight.depth_m)


def test_time_never_goes_back(scene):
    scene.advance(scene.stamp_ns + 10)
    scene.advance(scene.stamp_ns)
    with pytest.raises(SimError):
        scene.advance(scene.stamp_ns - 1)


@pytest.mark.parametrize("name", [n for n in TASKS if n.startswith(("objectnav", "goat"))])
def test_tasks_are_played_in_any_world(world, name):
    played = task(name, width=32, height=24, max_steps=6)
    (episode,) = played.episodes(world, "val", 3, 1)
    scene = world.open(episode.scene_id, played.scene_config())
    trial = played.begin(scene, episode)
    steps = 0
    while not trial.over:
        trial.observation()
        trial.step(int(Action.FORWARD if steps % 3 else Action.LEFT))
        steps += 1
    result = trial.result()
    scene.close()
    assert steps == result.steps == 6 * len(episode.goals) and len(result.goals) == len(episode.goals)
    assert result.metrics["success"] == 0.0 and math.isfinite(result.metrics["distance_to_goal"])
    assert result.status == "timeout"


def test_who_stands_where_the_thing_is_seen_and_stops_has_found_it(world):
    played = ObjectNavTask(width=32, height=24)
    (episode,) = played.episodes(world, "train", 0, 1)
    scene = world.open(episode.scene_id, played.scene_config())
    trial = played.begin(scene, episode)
    scene.place(scene.viewpoints_m(episode.goals[0].object_ids[0])[0], 0.0)
    trial.step(Action.LEFT)
    trial.step(Action.FORWARD)
    trial.step(Action.STOP)
    assert trial.result().metrics["distance_to_goal"] <= 0.5
    scene.close()
