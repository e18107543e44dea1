"""The truth of a house: what is moved, since when, what goes along; and the files that are written of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from house_cases import camera, renderer, small_house, tall_house

from sim.house import CATEGORIES, InvalidHouse, RasterRenderer, RaycastRenderer, Truth, look_at, visible
from sim.house.errors import MissingPackage, require
from sim.house.export import truth_as_json, write_glb, write_truth
from sim.house.layout.plan import STOREY_M
from sim.house.standpoints import standpoints


def holder(truth: Truth) -> int:
    """A thing that holds at least one other."""
    return next(t.support_id for t in truth.house.things if t.support_id)


def shifted(pose: np.ndarray, by: tuple[float, float, float]) -> np.ndarray:
    moved = pose.copy()
    moved[:3, 3] += by
    return moved


def test_what_a_thing_holds_goes_along():
    truth = Truth(small_house(), stamp_ns=5)
    support = holder(truth)
    held = truth.held_by(support)
    before = {i: truth.state(i).world_from_thing for i in (support, *held)}
    moved = truth.move(support, shifted(before[support], (0.1, 0.0, 0.0)), 9)
    assert moved == (support, *held)
    for i in moved:
        np.testing.assert_allclose(truth.state(i).world_from_thing, shifted(before[i], (0.1, 0.0, 0.0)), atol=1e-9)
        assert truth.state(i).since_ns == 9
    others = [s for s in truth.states() if s.thing.thing_id not in moved]
    assert {s.since_ns for s in others} == {5}
    assert truth.state(held[0]).support_id == support


def test_a_thing_can_be_put_on_another():
    truth = Truth(small_house())
    thing = next(t for t in small_house().things if t.group == "object")
    table = next(
        t for t in small_house().things if t.group == "furniture" and t.shape.regions and t.thing_id != thing.support_id
    )
    region = table.shape.regions[0]
    spot = table.world_from_thing @ np.array([region.x_m, region.y_m, region.z_m, 1.0])
    pose = np.eye(4)
    pose[:3, 3] = spot[:3]
    truth.move(thing.thing_id, pose, 3, support_id=table.thing_id, relation=region.relation)
    state = truth.state(thing.thing_id)
    assert (state.support_id, state.relation, state.room_id) == (table.thing_id, region.relation, table.room_id)
    assert thing.thing_id in truth.held_by(table.thing_id)
    np.testing.assert_allclose(state.box_min_m[2], spot[2] + thing.shape.box_m[0][2], atol=1e-6)


def test_a_thing_that_is_taken_is_not_there_until_it_is_put_somewhere():
    truth = Truth(small_house())
    support = holder(truth)
    gone = truth.take(support, 4)
    there = {s.thing.thing_id for s in truth.states()}
    assert not there & set(gone)
    truth.move(support, np.eye(4), 6)
    assert truth.state(support).present
    assert all(truth.state(i).since_ns == 6 for i in gone)
    assert truth.state(truth.held_by(support)[0]).present


def test_states_are_chosen_by_group_and_category():
    truth = Truth(small_house())
    assert {s.thing.group for s in truth.states(group="object")} == {"object"}
    assert all(s.thing.category == "wall" for s in truth.states(category="wall"))
    assert len(truth.states(category="wall")) == len(small_house().rooms)


def test_rooms_are_found_by_place_on_every_floor():
    truth = Truth(tall_house())
    for room in tall_house().rooms:
        x, y = room.inside.centre
        assert truth.room_at(np.array([x, y, room.base_m + 1.0])) == room.room_id
    assert truth.room_at(np.array([-3.0, 0.0, 1.0])) == -1


def test_moves_that_cannot_be_are_refused_and_change_nothing():
    house = small_house()
    truth = Truth(house, stamp_ns=10)
    wall = house.of("wall")[0].thing_id
    support = holder(truth)
    held = truth.held_by(support)[0]
    pose = house.thing(support).world_from_thing
    for call, text in (
        (lambda: truth.move(wall, np.eye(4), 11), "part of the house"),
        (lambda: truth.take(wall, 11), "part of the house"),
        (lambda: truth.move(support, pose, 9), "never go back"),
        (lambda: truth.move(support, pose, 11, support_id=held, relation="on"), "which it holds"),
        (lambda: truth.move(support, pose, 11, support_id=support), "which it holds"),
        (lambda: truth.move(support, pose, 11, support_id=10_000), "no thing has id"),
    ):
        with pytest.raises(InvalidHouse, match=text):
            call()
    assert truth.stamp_ns == 10
    assert {s.since_ns for s in truth.states()} == {10}


def test_floor_plans_show_rooms_openings_and_free_ground():
    truth = Truth(tall_house())
    for floor in (0, 1):
        plan = truth.floor_plan(floor)
        assert plan.base_m == floor * STOREY_M
        assert {r.floor for r in plan.rooms} == {floor}
        assert {o.floor for o in plan.openings} == {floor}
        area = plan.free.sum() * plan.cell_m**2
        assert 0.2 * tall_house().plan.footprint.area < area < tall_house().plan.footprint.area
    with pytest.raises(InvalidHouse, match="no floor 2"):
        truth.floor_plan(2)


def test_standpoints_are_near_reachable_and_show_the_thing():
    house = small_house()
    caster, eye = renderer(RaycastRenderer, "small"), renderer(RasterRenderer, "small")
    shown = asked = 0
    for t in [t for t in house.things if t.group == "object"][:10]:
        spots = standpoints(caster, house.navigation, t.thing_id)
        low, high = t.corners_m().min(axis=0), t.corners_m().max(axis=0)
        for spot in spots[:: max(1, len(spots) // 3)]:
            assert house.navigation.reachable[house.navigation.cell_of(spot)]
            off = np.maximum(np.maximum(low[:2] - spot[:2], spot[:2] - high[:2]), 0.0)
            assert np.hypot(*off) <= 1.0
            view = look_at(spot + (0.0, 0.0, house.config.body.eye_m), t.corners_m().mean(axis=0))
            asked += 1
            shown += t.thing_id in visible(eye.render(view, camera(320, 240), colour=False))
    assert asked > 10
    assert shown == asked


def test_standpoints_follow_what_is_moved():
    house = small_house()
    caster = renderer(RaycastRenderer, "small")
    t = next(t for t in house.things if t.group == "object")
    before = standpoints(caster, house.navigation, t.thing_id, within_m=2.0)
    spot = max(house.viewpoints.values(), key=lambda p: float(np.linalg.norm(p - house.viewpoints[t.thing_id])))
    pose = np.eye(4)
    pose[:3, 3] = spot + (0.0, 0.0, 0.5)
    try:
        caster.place(t.thing_id, pose)
        after = standpoints(caster, house.navigation, t.thing_id, within_m=0.5)
        assert len(after)
        assert np.linalg.norm(after[:, :2] - spot[:2], axis=1).max() < 0.5 + 0.5
        caster.take_away(t.thing_id)
        with pytest.raises(InvalidHouse, match="taken away"):
            standpoints(caster, house.navigation, t.thing_id)
    finally:
        caster.place(t.thing_id, t.world_from_thing)
    np.testing.assert_array_equal(standpoints(caster, house.navigation, t.thing_id, within_m=2.0), before)


def test_distances_are_those_of_the_navigable_space():
    house = small_house()
    a, b = list(house.viewpoints.values())[:2]
    assert Truth(house).distance_m(a, b) == house.navigation.distance_m(a, b)


def test_a_door_that_closes_shuts_the_way():
    house = tall_house()
    truth = Truth(house)
    rooms = {r.room_id: r for r in house.rooms}
    leaf = None
    for o in house.plan.openings:
        ways = [p for p in house.plan.openings_of(o.leaf_room) if len(p.rooms) == 2] if o.leaf_room >= 0 else []
        if o.passage.value == "door" and len(ways) == 1:  # the only way into its room
            base = rooms[o.leaf_room].base_m
            spot = np.array([*o.middle, base])
            leaf = next(d for d in house.of("door") if np.linalg.norm(d.world_from_thing[:3, 3] - spot) < 0.6)
            opening = o
            break
    assert leaf is not None
    points = [p for p in house.viewpoints.values() if truth.room_at(p) in opening.rooms]
    inside = next(p for p in points if truth.room_at(p) == opening.leaf_room)
    outside = next(p for p in points if truth.room_at(p) != opening.leaf_room)
    assert np.isfinite(truth.distance_m(outside, inside))
    closed = np.eye(4)
    along = np.array([1.0, 0.0]) if opening.axis == 0 else np.array([0.0, 1.0])
    start = np.array(opening.middle) - along * (opening.width_m / 2 - 0.05)
    closed[:2, 0], closed[:2, 1] = along, (-along[1], along[0])
    closed[:2, 3], closed[2, 3] = start, base
    truth.move(leaf.thing_id, closed, 5)
    assert np.isinf(truth.distance_m(outside, inside))
    truth.move(leaf.thing_id, leaf.world_from_thing, 6)
    assert np.isfinite(truth.distance_m(outside, inside))


def test_the_truth_is_written_as_json(tmp_path):
    truth = Truth(small_house())
    path = write_truth(truth, tmp_path / "truth.json")
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read == json.loads(json.dumps(truth_as_json(truth)))
    assert read["version"] == 1
    assert read["digest"] == small_house().digest
    assert [t["thing_id"] for t in read["things"]] == list(range(1, len(small_house().things) + 1))
    for row in read["things"]:
        state = truth.state(row["thing_id"])
        assert row["category"] == state.thing.category == CATEGORIES[row["category_id"]]
        np.testing.assert_allclose(row["world_from_thing"], state.world_from_thing, atol=1e-6)
        assert np.all(np.array(row["box_min_m"]) <= np.array(row["box_max_m"]))
        assert row["since_ns"] == 0
        assert (row["viewpoint_m"] is None) == (row["category"] in ("wall", "floor", "ceiling"))


def test_what_has_moved_is_written_where_it_is_without_its_old_standpoint():
    truth = Truth(small_house())
    thing = next(t for t in small_house().things if t.group == "object")
    pose = shifted(thing.world_from_thing, (0.3, 0.2, 0.0))
    truth.move(thing.thing_id, pose, 8)
    row = truth_as_json(truth)["things"][thing.thing_id - 1]
    np.testing.assert_allclose(row["world_from_thing"], pose, atol=1e-6)
    assert (row["since_ns"], row["support_id"], row["viewpoint_m"]) == (8, 0, None)


def test_the_meshes_are_written_as_glb_and_read_again(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    house = small_house()
    scene = trimesh.load(write_glb(house, tmp_path / "house.glb"), force="scene")
    assert len(scene.geometry) == len(house.things)
    nodes = set(scene.graph.nodes_geometry)
    for t in house.things[:: max(1, len(house.things) // 20)]:
        name = f"{t.thing_id:04d} {t.category}"
        assert name in nodes
        transform, geometry = scene.graph[name]
        mesh = scene.geometry[geometry]
        assert len(mesh.faces) == len(t.shape.faces)
        y_up = mesh.vertices @ transform[:3, :3].T + transform[:3, 3]
        z_up = np.stack([y_up[:, 0], -y_up[:, 2], y_up[:, 1]], axis=1)
        pose = t.world_from_thing
        mine = t.shape.vertices_m @ pose[:3, :3].T + pose[:3, 3]
        np.testing.assert_allclose(z_up.min(axis=0), mine.min(axis=0), atol=1e-4)
        np.testing.assert_allclose(z_up.max(axis=0), mine.max(axis=0), atol=1e-4)


def test_files_are_refused_where_they_cannot_be(tmp_path):
    truth = Truth(small_house())
    with pytest.raises(InvalidHouse, match=r"must end in \.json"):
        write_truth(truth, tmp_path / "truth.txt")
    with pytest.raises(InvalidHouse, match="does not exist"):
        write_glb(small_house(), tmp_path / "no" / "house.glb")


def test_a_missing_package_is_answered_with_the_command():
    with pytest.raises(MissingPackage, match=r"pip install 'spatialmem\[sim\]'"):
        require("no_such_package_of_the_world")
