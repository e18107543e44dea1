"""Houses as a world: scenes that tasks, runs and environments enter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.body import Action
from sim.errors import MissingScene, UnknownName
from sim.house import HouseConfig, InvalidHouse
from sim.house.days import Verb, stamp_of
from sim.house.world import HouseScene, HouseWorld
from sim.scene import SceneConfig

SMALL = SceneConfig(64, 48)


@pytest.fixture(scope="module")
def world() -> HouseWorld:
    return HouseWorld(HouseConfig(floors=2, rooms_per_floor=(3, 4), density=0.5), threads=1, light=False)


@pytest.fixture
def scene(world: HouseWorld):
    scene = world.open("3", SMALL)
    yield scene
    scene.close()


def test_splits_share_no_house(world):
    names = {split: set(world.scene_ids(split, 50)) for split in ("train", "val", "test")}
    assert all(len(ids) == 50 for ids in names.values()) and len(set.union(*names.values())) == 150
    assert world.scene_ids("test", 3) == world.scene_ids("test", 50)[:3]
    with pytest.raises(UnknownName, match="did you mean 'train'"):
        world.scene_ids("trian", 1)


@pytest.mark.parametrize("name", ["", "kitchen", "-1", "7.5", "../7", "²", "7+", "+3", "7+3+1", "7+x", "7:days"])
def test_what_names_no_house_is_refused(world, name):
    with pytest.raises(MissingScene, match="seeds of houses"):
        world.open(name, SMALL)


def test_objects_are_where_the_camera_sees_them(scene: HouseScene):
    seen = 0
    for thing in scene.objects()[::9]:
        views = scene.viewpoints_m(thing.object_id)
        if not len(views):
            continue
        at = views[len(views) // 2]
        away = thing.middle_m - at
        scene.place(at, math.atan2(away[1], away[0]), math.atan2(away[2] - 1.25, math.hypot(away[0], away[1])))
        sight = scene.look()
        mask = sight.instance_ids == thing.instance_id
        if not mask.any():
            continue
        rows, columns = np.nonzero(mask)
        depth = sight.depth_m[rows, columns].astype(np.float64)
        c = scene.camera
        rays = np.stack([(columns - c.cx) / c.fx * depth, (rows - c.cy) / c.fy * depth, depth], axis=1)
        points = rays @ sight.world_from_camera[:3, :3].T + sight.world_from_camera[:3, 3]
        assert (points > thing.box_min_m - 0.02).all() and (points < thing.box_max_m + 0.02).all(), thing.phrase
        seen += 1
    assert seen > 5


def test_trying_a_step_changes_nothing_and_foretells_it(scene: HouseScene):
    rng = np.random.default_rng(5)
    for action in rng.integers(1, 6, 60):
        before, told = scene.stand, scene.after(scene.stand, Action(action))
        assert scene.stand == before
        assert scene.act(Action(action)) == told


def test_the_nearest_of_several_targets_counts(scene: HouseScene):
    places = scene.standing_places_m()
    rng = np.random.default_rng(2)
    targets, starts = places[rng.integers(0, len(places), 6)], places[rng.integers(0, len(places), 20)]
    near = scene.distances_to(targets)
    for start in starts:
        each = [scene.distance_m(start, target[None]) for target in targets]
        assert near(start) == pytest.approx(min(each), rel=0.02, abs=0.05)  # any-angle ways of a grid
        assert scene.distance_m(start, targets) == near(start)
    assert scene.distance_m(starts[0], np.empty((0, 3))) == math.inf


def test_what_has_been_moved_is_back_when_the_house_is_entered_again(world):
    scene = world.open("4", SMALL)
    mug = next(t for t in scene.objects() if t.group == "object")
    moved = np.array(scene.house.thing(mug.instance_id).world_from_thing)
    moved[:3, 3] = (*scene.stand.ground_m[:2] + 0.5, 0.0)
    scene.move(mug.instance_id, moved, 10)
    again = next(t for t in scene.objects() if t.object_id == mug.object_id)
    assert not np.allclose(again.middle_m, mug.middle_m) and scene.stamp_ns == 10
    scene.take(mug.instance_id, 20)
    assert mug.object_id not in {t.object_id for t in scene.objects()} and not len(scene.viewpoints_m(mug.object_id))
    scene.close()
    scene.close()
    with pytest.raises(MissingScene, match="closed"):
        scene.look()
    scene = world.open("4", SMALL)
    back = next(t for t in scene.objects() if t.object_id == mug.object_id)
    assert np.allclose(back.middle_m, mug.middle_m) and scene.stamp_ns == 0
    pose = scene.world_from_camera
    fresh = HouseWorld(HouseConfig(floors=2, rooms_per_floor=(3, 4), density=0.5), threads=1, light=False)
    assert np.array_equal(scene.look().instance_ids, fresh.open("4", SMALL).sight_from(pose, scene.camera).instance_ids)
    scene.close()


def test_time_goes_on_and_never_back(scene: HouseScene):
    navigation = scene.truth.navigation
    scene.advance(50)
    assert scene.stamp_ns == 50 and scene.truth.navigation is navigation
    with pytest.raises(InvalidHouse, match="never go back"):
        scene.advance(49)


def test_a_thing_that_is_not_there_is_refused(scene: HouseScene):
    for name in ("0", "99999", "mug", ""):
        with pytest.raises(UnknownName, match="object_id"):
            scene.viewpoints_m(name)


# days


def test_a_house_with_people_in_it_changes_as_time_goes_on(world: HouseWorld):
    scene = world.open("3+1", SMALL)
    try:
        first = {o.object_id: o for o in scene.objects()}
        deeds = scene.advanced(stamp_of("Thursday 20:00"))
        assert len(deeds) > 50
        assert scene.stamp_ns == stamp_of("Thursday 20:00")
        now = {o.object_id: o for o in scene.objects()}
        moved = [i for i in now if i in first and np.linalg.norm(now[i].middle_m - first[i].middle_m) > 0.3]
        assert moved
        for object_id in moved[:5]:
            pose = scene.truth.state(int(object_id)).world_from_thing
            np.testing.assert_allclose(scene._place.renderer.pose_of(int(object_id)), pose)  # type: ignore[union-attr]
        with pytest.raises(InvalidHouse, match="never go back|forwards only"):
            scene.advance(0)
    finally:
        scene.close()
    with_nobody = world.open("3", SMALL)
    try:
        for o in with_nobody.objects():
            np.testing.assert_allclose(o.box_min_m, first[o.object_id].box_min_m)
        with_nobody.advance(stamp_of("Thursday 20:00"))
        assert {o.object_id: tuple(o.box_min_m) for o in with_nobody.objects()} == {
            i: tuple(o.box_min_m) for i, o in first.items()
        }
    finally:
        with_nobody.close()


def test_a_body_where_something_is_put_steps_aside(world: HouseWorld):
    scene = world.open("3+1", SMALL)
    assert scene.script is not None
    try:
        shut = next(d for d in scene.script.deeds if d.verb is Verb.CLOSE and d.why == "in the bathroom")
        scene.advance(shut.stamp_ns - 1)
        low, high = scene.house.thing(shut.thing_id).shape.box_m
        assert shut.target is not None
        middle = (shut.target.world_from_thing @ np.append((low + high) / 2, 1.0))[:3]
        middle[2] = scene.house.rooms[scene.house.thing(shut.thing_id).room_id].base_m
        scene.place(scene.truth.navigation.snap(middle), 1.0)
        before = scene.stand
        scene.advance(shut.stamp_ns)
        assert scene.truth.navigation.is_free(scene.stand.ground_m)
        assert 0.1 < np.linalg.norm(scene.stand.ground_m - before.ground_m) < 1.0
        assert scene.stand.yaw_rad == before.yaw_rad
    finally:
        scene.close()


def test_houses_that_are_lived_in_have_days(world):
    lived_in = HouseWorld(HouseConfig(floors=1, rooms_per_floor=(3, 4)), lived_in=True, threads=1, light=False)
    ids = lived_in.scene_ids("val", 2)
    assert [name.split("+")[0] for name in ids] == world.scene_ids("val", 2)
    scene = lived_in.open(ids[0], SMALL)
    before = {t.object_id: t.middle_m for t in scene.objects()}
    scene.advance(scene.stamp_ns + 72 * 3600 * 10**9)
    after = {t.object_id: t.middle_m for t in scene.objects()}
    assert sum(not np.allclose(before[name], after[name]) for name in before.keys() & after.keys()) > 3
    scene.close()
