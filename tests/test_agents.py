"""Agents to compare with: one contract for all, and what each is for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from agent_cases import made, named_agents, played, reach
from house_cases import SMALL, TALL
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.agents.lattice import Search
from policies.agents.occupancy import CELL_M, Occupancy, turned
from sim import observation as keys
from sim.agent import Brief
from sim.body import Action, Motion
from sim.errors import InvalidSetting
from sim.house.world import HouseWorld
from sim.scene import SceneConfig
from sim.tasks.episode import Episode, Goal
from sim.tasks.walking import targets
from spatialmem.types import Camera


@pytest.mark.parametrize("name", named_agents())
def test_no_state_crosses_episodes(name):
    task, world, episodes = reach()
    alone = [played(made(name), task, world, episode)[0] for episode in episodes]
    agent = made(name)
    agent.close()
    again = [played(agent, task, world, episode)[0] for episode in (*episodes, episodes[0], episodes[0])]
    assert again == [*alone, alone[0], alone[0]]
    assert all(0 <= int(a["action"] if isinstance(a, dict) else a) <= 5 for actions in again for a in actions)
    scene = world.open(episodes[0].scene_id, task.scene_config())
    brief = Brief(task.task_id, world.name, scene.camera, scene.motion, 7, task.max_steps)
    for _ in range(2):
        agent.reset(brief)
    assert set(agent.usage()) <= {"bytes", "images", "tokens"}
    agent.close()
    agent.close()


# random


def test_random_depends_on_the_seed_of_the_brief_alone():
    task, world, episodes = reach()
    one, other = (played(made("random"), task, world, episodes[0], seed)[0] for seed in (7, 8))
    assert one != other
    counts = np.bincount(played(made("random", stop=0.0), task, world, episodes[0])[0], minlength=6)
    assert counts[0] == counts[4] == counts[5] == 0 and counts.sum() == 25 and counts[1:4].min() >= 3
    assert set(played(made("random", stop=0.0, weights=[0, 1, 0]), task, world, episodes[0])[0]) == {2}


def test_random_answers_with_a_choice():
    agent = made("random")
    task, world, episodes = reach()
    played(agent, task, world, episodes[0])
    asked = {keys.GOAL_KIND: "question", keys.GOAL_CHOICES: ("red", "blue")}
    answers = {agent.act(asked)["answer"] for _ in range(20)}
    assert answers == {"red", "blue"} and agent.act({**asked, keys.GOAL_CHOICES: ()})["answer"] == ""


@pytest.mark.parametrize(
    "kwargs", [{"stop": 1.5}, {"weights": [1, 2]}, {"weights": [0, 0, 0]}, {"weights": [-1, 2, 1]}]
)
def test_random_refuses_what_cannot_be_drawn(kwargs):
    with pytest.raises(InvalidSetting, match="given"):
        made("random", **kwargs)


# oracle


@pytest.fixture(scope="module")
def world():
    return HouseWorld(TALL, light=False, threads=1)


@pytest.mark.parametrize("turn_deg", [10.0, 30.0])
def test_the_oracle_gets_there_by_all_but_the_shortest_way(world, turn_deg):
    scene = world.open("5", SceneConfig(width=32, height=32, motion=Motion(turn_deg=turn_deg)))
    rng, places = np.random.default_rng(0), scene.standing_places_m()
    things = rng.permutation(np.array(scene.objects(), object))
    things = [thing for thing in things[:6] if len(scene.viewpoints_m(thing.object_id))]
    ratios, floors = [], set()
    for number, thing in enumerate(things):
        goal = Goal("category", thing.category, thing.category, (thing.object_id,))
        start = scene.place(places[rng.integers(len(places))], float(rng.uniform(-3, 3)))
        distance = scene.distances_to(targets(scene, goal))
        shortest = distance(start.ground_m)
        agent = made("oracle")
        agent.reset(None)
        agent.allow(scene, Episode(str(number), "5", (0.0, 0.0, 0.0), 0.0, (goal,)))
        length, action = 0.0, 1
        while action != Action.STOP:
            action = agent.act({keys.GOAL_INDEX: 0})
            length += scene.act(Action(action)).length_m
        assert distance(scene.stand.ground_m) < 0.1
        ratios.append(shortest / max(shortest, length))
        floors.add(abs(scene.stand.z_m - start.z_m) > 1.0)
    scene.close()
    assert floors == {True, False}  # some ways led over the stairs
    assert np.mean(ratios) >= (0.98 if turn_deg == 10.0 else 0.95)


def test_the_oracle_stops_where_nothing_leads_and_answers_right(world):
    scene = world.open("5", SceneConfig(width=32, height=32))
    here = scene.stand.ground_m
    nowhere = Goal("category", "ghost")
    here_goal = Goal("category", "here", viewpoints_m=(tuple(float(v) for v in here),))
    asked = Goal("question", "what?", answers=("a mug", "mug"))
    agent = made("oracle")
    agent.reset(None)
    agent.allow(scene, Episode("0", "5", (0.0, 0.0, 0.0), 0.0, (nowhere, here_goal, asked)))
    assert [agent.act({keys.GOAL_INDEX: n}) for n in range(3)] == [0, 0, {"action": 0, "answer": "a mug"}]
    scene.close()


def test_the_oracle_finds_its_way_again_when_it_was_carried_off(world):
    scene = world.open("5", SceneConfig(width=32, height=32))
    places = scene.standing_places_m()
    goal = Goal("category", "there", viewpoints_m=(tuple(float(v) for v in places[-1]),))
    agent = made("oracle")
    agent.reset(None)
    agent.allow(scene, Episode("0", "5", (0.0, 0.0, 0.0), 0.0, (goal,)))
    scene.place(places[0], 0.0)
    for _ in range(5):
        scene.act(Action(agent.act({keys.GOAL_INDEX: 0})))
    scene.place(places[len(places) // 2], 1.0)
    while (action := agent.act({keys.GOAL_INDEX: 0})) != 0:
        scene.act(Action(action))
    assert scene.distance_m(scene.stand.ground_m, places[-1:]) < 0.1
    scene.close()


def test_a_search_without_a_way_gives_none(world):
    scene = world.open("5", SceneConfig(width=32, height=32))
    search = Search(scene.after, lambda point: math.inf, 30.0, 0.1)
    assert search.way(scene.stand) is None
    scene.close()


# frontier


def test_the_frontier_agent_finds_things_it_was_not_told_the_place_of():
    world = HouseWorld(SMALL, light=False, threads=1)
    scene = world.open("3", SceneConfig(width=64, height=64))
    rng, places = np.random.default_rng(1), scene.standing_places_m()
    large = [t for t in scene.objects() if t.category in ("washbasin", "kitchen sink", "dishwasher")]
    found = 0
    for number, thing in enumerate(large[:3]):
        goal = Goal("category", thing.category, thing.category, (thing.object_id,))
        scene.place(places[rng.integers(len(places))], float(rng.uniform(-3, 3)))
        found += _searched(scene, goal, number)
    scene.close()
    assert found >= 2


def _searched(scene, goal, number):
    agent = made("frontier")
    agent.reset(Brief("t", "house", scene.camera, scene.motion, number, 250))
    agent.allow(scene, Episode(str(number), "3", (0.0, 0.0, 0.0), 0.0, (goal,)))
    collided = False
    for _ in range(250):
        sight, s = scene.look(), scene.stand
        action = agent.act({
            keys.DEPTH: np.nan_to_num(sight.depth_m), keys.IDS: sight.instance_ids, keys.POSE: sight.world_from_camera,
            keys.STATE: np.array([s.x_m, s.y_m, s.z_m, s.yaw_rad, s.pitch_rad], np.float32), keys.GOAL_INDEX: 0,
            keys.COLLIDED: np.int8(collided),
        })  # fmt: skip
        if action == 0:
            return scene.distance_m(s.ground_m, targets(scene, goal)) < 0.1
        collided = scene.act(Action(action)).collided
    return False


def flat_room(yaw: float) -> tuple[np.ndarray, Camera, np.ndarray]:
    """Depth of a wall 2 m ahead in an otherwise endless plane, from 1.25 m above it."""
    camera = Camera.from_hfov(90.0, 64, 64)
    down = (np.arange(64) - camera.cy) / camera.fy
    rows = np.where(down > 0, np.minimum(1.25 / np.maximum(down, 1e-9), 2.0), 2.0)
    pose = np.eye(4)
    pose[:3, 0] = (math.sin(yaw), -math.cos(yaw), 0.0)
    pose[:3, 1] = (0.0, 0.0, -1.0)
    pose[:3, 2] = (math.cos(yaw), math.sin(yaw), 0.0)
    pose[:3, 3] = (1.0, 2.0, 1.25)
    return np.repeat(rows[:, None], 64, axis=1).astype(np.float32), camera, pose


@settings(max_examples=15)
@given(st.floats(-math.pi, math.pi))
def test_what_a_wall_hides_is_not_known(yaw):
    depth, camera, pose = flat_room(yaw)
    grid = Occupancy(1.0, 2.0, 0.18, 1.5)
    grid.add(depth, camera, pose, 0.0)
    ahead = np.array([math.cos(yaw), math.sin(yaw)])
    at = {d: grid.cell(*(np.array([1.0, 2.0]) + d * ahead)) for d in (0.5, 1.5, 2.0, 2.6)}
    assert grid.seen_free[at[0.5]] and grid.seen_free[at[1.5]] and not grid.blocked[at[1.5]]
    assert not grid.seen_free[at[2.6]] and not grid.blocked[at[2.6]]
    row, column = at[2.0]
    assert grid.blocked[row - 2 : row + 3, column - 2 : column + 3].any()
    grid.stand(1.0, 2.0)
    open_cells = grid.open(1.0, 2.0)
    left = grid.field(open_cells, np.array([at[0.5]]))
    assert left[at[1.5]] == pytest.approx(1.0, abs=3 * CELL_M) and not np.isfinite(left[at[2.6]])
    beside = grid.cell(*(np.array([1.0, 2.0]) - 1.0 * ahead))
    assert not grid.seen_free[beside]
    assert grid.frontiers().any()


@given(st.floats(-20.0, 20.0))
def test_angles_come_back_within_half_a_turn(angle):
    assert -math.pi <= turned(angle) <= math.pi
    assert math.isclose(math.cos(turned(angle)), math.cos(angle), abs_tol=1e-9)
