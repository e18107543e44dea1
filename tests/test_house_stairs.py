"""What stands at the foot or head of the stairs is in the way of who climbs them; nothing else is."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from house_cases import TALL, tall_house

from sim.body import Action
from sim.house import Truth
from sim.house.agent import Agent
from sim.house.layout.plan import STOREY_M, Rect, Stairs
from sim.house.navigation import ground_taken
from sim.house.shape import placed
from sim.house.thing import Thing
from sim.house.truth import is_loose
from sim.house.world import HouseWorld
from sim.scene import SceneConfig

ENDS = ("foot", "head")


def stairs() -> Stairs:
    found = tall_house().plan.stairs
    assert found is not None
    return found


def beyond(end: str, off_m: float) -> tuple[int, np.ndarray]:
    """Floor and point of the ground so far away from an end of the flight; negative: on its steps."""
    s = stairs()
    up = math.copysign(1.0, s.end_m - s.start_m)
    x = s.start_m - up * off_m if end == "foot" else s.end_m + up * off_m
    y = (s.y0_m + s.y1_m) / 2.0
    return s.floor + (end == "head"), np.array([x, y, tall_house().navigation.ground_m(tall_house().plan.floors, x, y)])


def a_piece(*, loose: bool) -> Thing:
    """Furniture that residents move, or that only a caller does."""
    return next(
        t for t in tall_house().things
        if t.group == "furniture" and is_loose(t) == loose and not t.support_id
        and all(0.3 < f.width_m < 0.9 and 0.3 < f.depth_m < 0.9 for f in t.shape.footprints)
        and ground_taken(t, tall_house().rooms[t.room_id].base_m, TALL.body)
    )  # fmt: skip


def gaps_m(truth: Truth, thing: Thing, floor: int) -> np.ndarray:
    """(N,) from every cell of the floor, and of the half of the flight that ends there, where the body can stand, to
    the ground that a thing takes."""
    state, n = truth.state(thing.thing_id), truth.navigation
    there = dataclasses.replace(thing, world_from_thing=state.world_from_thing)
    (rect,) = ground_taken(there, floor * STOREY_M, TALL.body)
    near = np.abs(n.height_m - floor * STOREY_M) < STOREY_M / 2
    near[1 - floor] = False
    points = n.points_of(*np.nonzero(n.free & near))
    x, y = points[:, 0], points[:, 1]
    return np.hypot(np.clip(x, rect.x0, rect.x1) - x, np.clip(y, rect.y0, rect.y1) - y)


@pytest.mark.parametrize("loose", [True, False])
@pytest.mark.parametrize("end", ENDS)
def test_what_stands_at_an_end_of_the_stairs_is_in_the_way(end, loose):
    truth, thing = Truth(tall_house()), a_piece(loose=loose)
    below, above = beyond("foot", 1.0)[1], beyond("head", 1.0)[1]
    assert math.isfinite(truth.distance_m(below, above))
    for stamp, off_m in enumerate((0.3, 0.0, -0.2), start=1):
        floor, at = beyond(end, off_m)
        truth.move(thing.thing_id, placed((at[0], at[1], at[2])), stamp)
        assert gaps_m(truth, thing, floor).min() >= TALL.body.radius_m - 1e-9
        assert math.isinf(truth.distance_m(below, above))
    truth.move(thing.thing_id, thing.world_from_thing, 9)
    np.testing.assert_array_equal(truth.navigation.free, tall_house().navigation.free)
    np.testing.assert_array_equal(truth.navigation.links, tall_house().navigation.links)


@pytest.mark.parametrize("end", ENDS)
def test_a_body_stops_before_it_from_either_side(end):
    truth, thing, s = Truth(tall_house()), a_piece(loose=True), stairs()
    floor, at = beyond(end, 0.0)
    truth.move(thing.thing_id, placed((at[0], at[1], at[2])), 1)
    agent = Agent(tall_house())
    agent.navigation = truth.navigation
    half_m = max(max(f.width_m, f.depth_m) for f in thing.shape.footprints) / 2
    for off_m in (1.0, -1.5):
        yaw = 0.0 if (s.end_m > s.start_m) == ((end == "foot") == (off_m > 0)) else math.pi
        agent.place(beyond(end, off_m)[1], yaw)
        moves = [agent.act(Action.FORWARD) for _ in range(12)]
        assert moves[-1].collided and moves[0].length_m > 0.1
        left_m = abs(agent.stand.x_m - at[0])
        assert TALL.body.radius_m <= left_m <= half_m + TALL.body.radius_m + 0.15
        assert np.sign(agent.stand.x_m - at[0]) == np.sign(beyond(end, off_m)[1][0] - at[0])
    assert floor == round(at[2] / STOREY_M)


@pytest.mark.parametrize("end", ENDS)
def test_what_stands_elsewhere_leaves_the_flight_as_it_is(end):
    before, s = tall_house().navigation, stairs()
    floor, at = beyond(end, 0.2)
    g = s.ground
    on_the_other_floor = Rect(at[0] - 0.3, g.y0, at[0] + 0.3, g.y1)
    beside = Rect(g.x0 - 0.5, g.y1, g.x1 + 0.5, g.y1 + 0.4), Rect(g.x0 - 0.5, g.y0 - 0.4, g.x1 + 0.5, g.y0)
    after = before.with_taken([(1 - floor, on_the_other_floor), *((f, rect) for f in (0, 1) for rect in beside)])
    np.testing.assert_array_equal(after.clearance_m[2], before.clearance_m[2])
    assert (after.free[:2] != before.free[:2]).any()


@pytest.mark.parametrize("end", ENDS)
def test_a_body_on_the_stairs_steps_aside_for_what_is_put_there(end):
    scene = HouseWorld(TALL, light=False).open("5", SceneConfig(32, 24))
    thing, (floor, at) = a_piece(loose=True), beyond(end, 0.1)
    scene.place(at, 0.0)
    assert scene.stand.layer == tall_house().plan.floors
    scene.move(thing.thing_id, placed((at[0], at[1], at[2])), 1)
    aside = scene.stand
    assert scene.truth.navigation.is_free(aside.ground_m)
    assert np.linalg.norm(aside.ground_m - at) > TALL.body.radius_m
    assert gaps_m(scene.truth, thing, floor).min() >= TALL.body.radius_m - 1e-9
    scene.close()


def test_in_a_new_house_the_flight_knows_its_own_sides_alone():
    n, s = tall_house().navigation, stairs()
    y = n.origin_m[1] + (np.arange(n.free.shape[1]) + 0.5) * 0.05
    x = n.origin_m[0] + (np.arange(n.free.shape[2]) + 0.5) * 0.05
    sides = np.maximum(np.minimum(y - s.y0_m, s.y1_m - y), 0.0)
    along = (x > s.ground.x0 - 0.25) & (x < s.ground.x1 + 0.25)
    np.testing.assert_array_equal(n.free[2], along[None] & (sides >= TALL.body.radius_m)[:, None])
