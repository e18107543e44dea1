"""The body: steps of exact length, collisions without sliding, stairs, the camera's pose."""

from __future__ import annotations

import math

import numpy as np
import pytest
from house_cases import box_room, tall_house
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.body import Action, Motion
from sim.errors import InvalidSetting
from sim.house import InvalidHouse
from sim.house.agent import Agent, first_place
from sim.house.layout.plan import STOREY_M

MIDDLE = np.array([2.5, 2.0, 0.0])


def test_actions_are_numbered_as_in_habitat():
    assert [a.name for a in Action] == ["STOP", "FORWARD", "LEFT", "RIGHT", "LOOK_UP", "LOOK_DOWN"]
    assert [int(a) for a in Action] == list(range(6))


@pytest.mark.parametrize("turn_deg", [10.0, 30.0])
def test_steps_and_turns_have_their_length(turn_deg):
    agent = Agent(box_room(), Motion(turn_deg=turn_deg))
    agent.place(MIDDLE, 0.0)
    moved = agent.act(Action.FORWARD)
    assert not moved.collided
    assert moved.length_m == pytest.approx(0.25)
    np.testing.assert_allclose(agent.stand.ground_m, (2.75, 2.0, 0.0), atol=1e-9)
    agent.act(Action.LEFT)
    assert agent.stand.yaw_rad == pytest.approx(math.radians(turn_deg))
    agent.act(Action.RIGHT)
    agent.act(3)
    assert agent.stand.yaw_rad == pytest.approx(-math.radians(turn_deg))
    before = agent.stand
    assert agent.act(Action.STOP).stand == before


def test_looking_up_and_down_is_limited():
    agent = Agent(box_room())
    for _ in range(5):
        agent.act(Action.LOOK_UP)
    assert agent.stand.pitch_rad == pytest.approx(math.radians(60.0))
    forward = agent.world_from_camera[:3, 2]
    assert forward[2] == pytest.approx(math.sin(math.radians(60.0)))
    for _ in range(9):
        agent.act(Action.LOOK_DOWN)
    assert agent.stand.pitch_rad == pytest.approx(-math.radians(60.0))


def test_the_camera_is_upright_at_the_height_of_the_eye():
    agent = Agent(box_room())
    agent.place(MIDDLE, 0.7)
    pose = agent.world_from_camera
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    np.testing.assert_allclose(pose[:3, 2], (math.cos(0.7), math.sin(0.7), 0.0), atol=1e-12)
    np.testing.assert_allclose(pose[:3, 1], (0.0, 0.0, -1.0), atol=1e-12)  # rows of the image go down
    np.testing.assert_allclose(pose[:3, 3], (2.5, 2.0, 1.25))


@settings(max_examples=40, derandomize=True, deadline=None)
@given(yaw=st.floats(-3.14, 3.14))
def test_a_wall_stops_the_body_where_it_touches_and_it_does_not_slide(yaw):
    agent = Agent(box_room())
    agent.place(MIDDLE, yaw)
    while not (moved := agent.act(Action.FORWARD)).collided:
        pass
    assert moved.length_m < 0.25
    x, y, _ = agent.stand.ground_m
    gap = min(x - 0.06, 4.94 - x, y - 0.06, 3.94 - y)
    assert 0.18 - 0.03 <= gap < 0.18 + 0.06  # a cell of 5 cm is free or not as a whole
    way = agent.stand.ground_m - MIDDLE
    across = abs(way[0] * math.sin(yaw) - way[1] * math.cos(yaw))
    assert across < 1e-9
    before = agent.stand
    assert agent.act(Action.FORWARD).stand == before


@settings(max_examples=15, derandomize=True, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_body_that_acts_at_random_is_always_where_it_can_be(seed):
    house = tall_house()
    agent = Agent(house, Motion(turn_deg=30.0))
    rng = np.random.default_rng(seed)
    for _ in range(60):
        agent.act(int(rng.choice([1, 1, 1, 2, 3])))
        assert house.navigation.free[house.navigation.cell_of(agent.stand.ground_m)]


def test_stairs_lead_from_floor_to_floor_and_back():
    house = tall_house()
    stairs = house.plan.stairs
    assert stairs is not None
    ahead = math.copysign(1.0, stairs.end_m - stairs.start_m)
    middle = (stairs.y0_m + stairs.y1_m) / 2.0
    agent = Agent(house)
    agent.place(
        house.navigation.snap(np.array([stairs.start_m - 0.4 * ahead, middle, 0.0])), 0.0 if ahead > 0 else math.pi
    )
    length = 0.0
    for _ in range(40):
        length += agent.act(Action.FORWARD).length_m
        if agent.stand.z_m >= STOREY_M - 1e-9 and agent.stand.layer == 1:
            break
    assert agent.stand.layer == 1
    assert agent.stand.z_m == pytest.approx(STOREY_M)
    assert length > math.hypot(stairs.end_m - stairs.start_m, STOREY_M)
    for _ in range(6):
        agent.act(Action.LEFT)
    for _ in range(40):
        agent.act(Action.FORWARD)
    assert agent.stand.layer == 0
    assert agent.stand.z_m == pytest.approx(0.0)


def test_driving_in_an_arc_ends_where_geometry_says():
    agent = Agent(box_room())
    agent.place(np.array([2.0, 1.5, 0.0]), 0.0)
    moved = agent.drive(0.5, 0.5, math.pi / 2.0)  # an eighth of a circle of radius 1 m
    angle = math.pi / 4.0
    assert not moved.collided
    np.testing.assert_allclose(
        agent.stand.ground_m, (2.0 + math.sin(angle), 1.5 + 1.0 - math.cos(angle), 0.0), atol=2e-3
    )
    assert agent.stand.yaw_rad == pytest.approx(angle)
    back = agent.drive(-0.5, 0.0, 0.4)
    assert back.length_m == pytest.approx(0.2)
    assert agent.drive(3.0, 0.0, 5.0).collided


def test_the_first_place_is_the_roomiest():
    x, y, z = first_place(box_room().navigation)
    assert min(x - 0.06, 4.94 - x, y - 0.06, 3.94 - y) >= 0.99
    assert z == 0.0


def test_what_cannot_be_is_refused():
    agent = Agent(box_room())
    with pytest.raises(InvalidHouse, match="unknown action 6"):
        agent.act(6)
    with pytest.raises(InvalidHouse, match="cannot stand"):
        agent.place(np.array([0.1, 0.1, 0.0]), 0.0)
    with pytest.raises(InvalidHouse, match="finite"):
        agent.drive(math.nan, 0.0, 1.0)
    with pytest.raises(InvalidSetting, match="positive"):
        Motion(forward_m=0.0)
