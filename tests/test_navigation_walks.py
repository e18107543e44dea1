"""The follower and the explorer in small worlds: they arrive, or say that they cannot."""

from __future__ import annotations

import math

import ground_cases as cases
import navigation_cases as walks
import numpy as np
import pytest
from navigation_cases import Given, Walker, follow, gives_up, point, stand

from policies.navigation.follower import Follower, FollowerConfig
from policies.navigation.frontier_walk import FrontierWalk
from policies.navigation.goals import ToFrontier, ToPoint, ToPoints, ToThing
from sim.body import Action, Motion, Stand
from sim.errors import InvalidSetting
from spatialmem.ground.frontiers import Frontier
from spatialmem.voxels.free_reading import FREE, OCCUPIED, UNKNOWN


def follower(state: np.ndarray, motion: Motion = walks.MOTION, **config: int) -> Follower:
    return Follower(Given(cases.space(state)), motion, cases.BODY, FollowerConfig(**config))


def off_m(walker: Walker, goal_m: tuple[float, float, float]) -> float:
    return float(np.linalg.norm(walker.stand.ground_m - goal_m))


@pytest.mark.parametrize("turn_deg", [10.0, 30.0, 45.0])
def test_it_arrives_at_a_point_round_a_wall(turn_deg):
    state = cases.room(40, 30)
    state[20, :22, 1:12] = OCCUPIED
    walker, goal = Walker(state, stand(5, 5, yaw_rad=2.0)), point(34, 4, 1)
    walk = follower(state, Motion(turn_deg=turn_deg))
    walk.go(ToPoint(goal))
    route = walk.route(walker.stand)
    actions = follow(walk, walker)
    assert off_m(walker, goal) <= 0.25 and walker.collisions == 0
    assert route is not None
    assert 0.25 * actions.count(Action.FORWARD) <= 1.1 * route.length_m
    assert walk.next(walker.stand, False) is Action.STOP  # it stays there


def test_it_climbs_stairs_and_comes_down_again():
    state = cases.two_storeys()
    walker, walk = Walker(state, stand(5, 5)), follower(state)
    for goal in (point(40, 20, 13), point(4, 18, 1)):
        walk.go(ToPoint(goal))
        follow(walk, walker)
        assert off_m(walker, goal) <= 0.25
    assert walker.collisions <= 6  # the flight is no wider than the body, but for a column


def test_it_passes_a_gap_as_wide_as_the_body():
    state = cases.room(24, 40)
    state[12, :, 1:12] = OCCUPIED
    state[12, 20:23, 1:12] = FREE
    walker, walk = Walker(state, stand(4, 6), radius_m=0.12), follower(state)
    walk.go(ToPoint(point(20, 30, 1)))
    follow(walk, walker)
    assert off_m(walker, point(20, 30, 1)) <= 0.25


def test_the_nearest_of_several_points_is_taken_by_way_and_not_as_the_crow_flies():
    state = cases.room(40, 30)
    state[20, :26, 1:12] = OCCUPIED
    walker, walk = Walker(state, stand(16, 5)), follower(state)
    beyond, near = point(24, 5, 1), point(8, 20, 1)
    walk.go(ToPoints((beyond, near)))
    follow(walk, walker)
    assert off_m(walker, near) <= 0.25


def test_it_faces_what_it_was_sent_to():
    state = cases.room(30, 30, 20)
    state[20:23, 14:17, 1:8] = OCCUPIED
    walker, walk, thing = Walker(state, stand(4, 4)), follower(state), point(21, 15, 6)
    walk.go(ToThing(thing, radius_m=0.7, eye_m=0.8))
    follow(walk, walker)
    off = np.subtract(thing, walker.stand.ground_m)
    assert np.hypot(off[0], off[1]) <= 0.8
    assert abs(np.cos(walker.stand.yaw_rad - math.atan2(off[1], off[0]))) > np.cos(np.radians(16))
    walk.go(ToPoint(point(4, 20, 1), face_m=point(4, 29, 1)))
    follow(walk, walker)
    assert np.sin(walker.stand.yaw_rad) > 0.9
    tilted = ToThing(thing, radius_m=0.7, eye_m=2.0, tilts=True)
    walk.go(tilted)
    looked = tilted.facing(walker.stand)
    assert looked is not None and looked.pitch_rad is not None and looked.pitch_rad < 0.0
    frontier = Frontier(point(25, 25, 1), 1.0, 0.5, 0)
    walk.go(ToFrontier(frontier))
    follow(walk, walker)
    assert off_m(walker, frontier.position_m) <= 0.45 and np.cos(walker.stand.yaw_rad - 1.0) > 0.96


def test_what_cannot_be_reached_is_said_at_once():
    state = cases.room(24, 24)
    state[10:20, [10, 19], 1:12] = state[[10, 19], 10:20, 1:12] = OCCUPIED
    walk = follower(state)
    for goal in (ToPoint(point(15, 15, 1)), ToPoint((99.0, 0.0, 0.0)), ToThing(point(15, 15, 5), 0.3)):
        walk.go(goal)
        assert gives_up(walk, Walker(state, stand(3, 3))) == 0
    assert walk.route(stand(3, 3)) is None


def test_what_is_not_on_the_map_is_found_by_bumping_and_walked_round():
    known, true = cases.room(40, 30), cases.room(40, 30)
    true[20, 4:20, 1:12] = OCCUPIED
    walker, walk = Walker(true, stand(5, 12)), follower(known)
    walk.go(ToPoint(point(34, 12, 1)))
    follow(walk, walker, 300)
    assert off_m(walker, point(34, 12, 1)) <= 0.25 and 1 <= walker.collisions < 40


def test_behind_a_wall_that_is_not_on_the_map_it_gives_up():
    known, true = cases.room(20, 12), cases.room(20, 12)
    true[10, :, 1:12] = OCCUPIED
    walker, walk = Walker(true, stand(4, 5)), follower(known, most_steps=600)
    walk.go(ToPoint(point(16, 5, 1)))
    assert gives_up(walk, walker, 700) < 601
    walk.go(ToPoint(point(4, 9, 1)))  # and goes on to something else
    follow(walk, walker)


def test_what_appears_on_the_way_is_seen_before_it_is_run_into():
    state = cases.room(40, 30)
    walker, walk = Walker(state, stand(4, 15)), follower(state, every=100)
    walk.go(ToPoint(point(35, 15, 1)))
    for _ in range(3):
        walker.act(walk.next(walker.stand, False))
    walker.state = state.copy()
    walker.state[18, 8:22, 1:12] = OCCUPIED
    walk.known.memory.free = cases.space(walker.state)
    follow(walk, walker)
    assert off_m(walker, point(35, 15, 1)) <= 0.25 and walker.collisions == 0


def test_ground_that_was_not_seen_below_the_body_is_left():
    state = cases.room(40, 30)
    state[2:11, 10:20, 0] = UNKNOWN
    true = cases.room(40, 30)
    walker, walk = Walker(true, stand(6, 15)), follower(state)
    walk.go(ToPoint(point(30, 15, 1)))
    follow(walk, walker)
    assert off_m(walker, point(30, 15, 1)) <= 0.25


def test_where_no_ground_is_known_nothing_is_reached():
    walk = follower(np.zeros((20, 20, 16), np.uint8))
    walk.go(ToPoint(point(5, 5, 1)))
    assert gives_up(walk, Walker(cases.room(20, 20), stand(10, 10))) == 0


def test_wrong_use_is_refused():
    walk = follower(cases.room())
    with pytest.raises(InvalidSetting, match=r"go\(goal\)"):
        walk.next(stand(3, 3), False)
    for wrong in (
        lambda: ToPoint((float("nan"), 0.0, 0.0)),
        lambda: ToPoint((0.0, 0.0, 0.0), 0.0),
        lambda: ToPoints(()),
        lambda: ToThing((0.0, 0.0, 0.0), -1.0),
        lambda: FollowerConfig(every=0),
    ):
        with pytest.raises(InvalidSetting):
            wrong()


def test_the_ground_is_not_read_every_tick():
    state = cases.room(40, 30)
    walker, walk = Walker(state, stand(5, 5)), follower(state, every=10)
    walk.go(ToPoint(point(34, 24, 1)))
    actions = follow(walk, walker)
    assert walk.known.memory.asked <= 1 + len(actions) // 10


# --- the explorer


class Explored(Given):
    """A memory of a space of which what lies within some metres of the body was seen."""

    def look(self, true: np.ndarray, at: Stand, far_m: float = 1.5) -> None:
        middles = self.free.origin_m[:2] + (np.indices(true.shape[:2]).transpose(1, 2, 0) + 0.5) * cases.VOXEL_M
        near = np.hypot(*(middles - (at.x_m, at.y_m)).transpose(2, 0, 1)) <= far_m
        self.free.state[near] = true[near]
        self.tracks_m[0] = np.concatenate([self.tracks_m[0], [at.ground_m + (0.0, 0.0, 0.4)]])


def explored(true: np.ndarray, start: Stand, motion: Motion, most: int = 600) -> tuple[Explored, Walker, int]:
    memory = Explored(cases.space(np.zeros_like(true)), [np.empty((0, 3))])
    walker, walk, collided = Walker(true, start), FrontierWalk(motion, cases.BODY), False
    for count in range(most):
        memory.look(true, walker.stand)
        action = walk.next(memory, walker.stand, collided)
        if action is Action.STOP:
            return memory, walker, count
        collided = walker.act(action, motion)
    raise AssertionError(f"it has not stopped after {most} actions")


def closed_room(width: int, depth: int) -> np.ndarray:
    state = cases.room(width, depth)
    state[[0, -1], :, 1:12] = state[:, [0, -1], 1:12] = OCCUPIED
    return state


@pytest.mark.parametrize("turn_deg", [10.0, 30.0])
def test_the_explorer_sees_all_ground_and_stops(turn_deg):
    true = closed_room(50, 40)
    true[25, :30, 1:12] = OCCUPIED
    memory, walker, count = explored(true, stand(5, 5), Motion(turn_deg=turn_deg))
    assert (memory.free.state[1:-1, 1:-1, 0] != UNKNOWN).mean() > 0.97
    assert count < 300 * 30.0 / turn_deg and walker.collisions == 0


def test_the_explorer_goes_upstairs():
    true = cases.two_storeys(8, 15)
    true[0, :, 1:12], true[:20, [0, -1], 1:12] = OCCUPIED, OCCUPIED
    true[-1, :, 13:24], true[32:, [0, -1], 13:24] = OCCUPIED, OCCUPIED
    true[19, :8, 1:12], true[19, 15:, 1:12] = OCCUPIED, OCCUPIED
    memory, _, _ = explored(true, stand(5, 12), Motion())
    assert [floor.floor for floor in memory.floors(cases.BODY).floors] == [0, 1]


@pytest.mark.parametrize("turn_deg", [15.0, 30.0])
def test_the_explorer_leaves_edges_that_looking_does_not_resolve(turn_deg):
    """A room with unseen ground all around it, which no look ever resolves."""
    state = cases.room(40, 30)
    state[[0, -1]] = state[:, [0, -1]] = UNKNOWN
    motion = Motion(turn_deg=turn_deg)
    memory, walker, walk = (
        Given(cases.space(state)),
        Walker(cases.room(40, 30), stand(10, 10)),
        FrontierWalk(motion, cases.BODY),
    )
    memory.tracks_m.append(walker.stand.ground_m[None] + (0.0, 0.0, 0.4))
    collided, actions = False, list[Action]()
    while not actions or (actions[-1] is not Action.STOP and len(actions) < 900):
        actions.append(walk.next(memory, walker.stand, collided))
        collided = walker.act(actions[-1], motion)
    assert actions[-1] is Action.STOP and len(actions) > 12 and len(walk.left_m) == 0
