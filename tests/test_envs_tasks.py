"""Tasks as environments: rewards and ends, computed by hand along a free lane of the grid world."""

from __future__ import annotations

import math
import warnings

import gymnasium
import pytest
from grid_world import GridWorld
from gymnasium.utils.env_checker import check_env

import sim.envs  # noqa: F401 - registers
from sim.errors import InvalidAction, InvalidSetting
from sim.observation import GOAL_IMAGE
from sim.tasks.episode import Episode, Goal, ImageView
from sim.tasks.goat import GoatTask
from sim.tasks.objectnav import ObjectNavTask

LANE_M = 1.65
"""y, between the first and the second row of furniture"""
START = (2.56, LANE_M, 0.0)
"""FORWARD leads to x = 2.81, 3.06, 3.31, 3.56; ways are measured between the middles of cells of 0.1 m"""
STOP, FORWARD, LEFT, RIGHT = 0, 1, 2, 3
SLACK, SUCCESS = -0.001, 2.5


def goal(x_m, kind="category"):
    return Goal(kind, "chair", "chair", ("1",), viewpoints_m=((x_m, LANE_M, 0.0),))


def walked(task, goals, actions, yaw_rad=0.0):
    """[(reward, terminated, truncated), ...] and the info of the last step."""
    episode = Episode("by hand", "train-0", START, yaw_rad, tuple(goals))
    name = "spatialmem/ObjectNav-v1" if task.task_id == "objectnav-v1" else "spatialmem/Goat-v1"
    env = gymnasium.make(name, task=task, world=GridWorld(), episodes=[episode])
    env.reset(seed=0)
    shown, info = [], {}
    for action in actions:
        _, reward, terminated, truncated, info = env.step(action)
        shown.append((pytest.approx(reward, abs=1e-6), terminated, truncated))
    with pytest.raises(InvalidAction, match="over") if terminated or truncated else pytest.raises(InvalidAction):
        env.unwrapped.step(FORWARD if terminated or truncated else 9)
    env.close()
    return shown, info


def objectnav(**settings):
    return ObjectNavTask(width=16, height=16, **settings)


def test_rewards_of_a_goal_that_is_found():
    shown, info = walked(objectnav(), [goal(3.55)], [FORWARD, LEFT, RIGHT, FORWARD, FORWARD, FORWARD, STOP])
    gained = [0.3, 0.0, 0.0, 0.2, 0.3, 0.19]  # 1.0 m of way, then 0.7, 0.5, 0.2, and 0.01 in a straight line
    assert shown == [*((g + SLACK, False, False) for g in gained), (SUCCESS + SLACK, True, False)]
    assert info["status"] == "success" and info["metrics"]["success"] == 1.0


def test_going_away_is_paid_for():
    shown, _ = walked(objectnav(), [goal(3.55)], [FORWARD], math.pi)
    assert shown == [(-0.2 + SLACK, False, False)]


def test_stopping_elsewhere_ends_without_success():
    shown, info = walked(objectnav(), [goal(3.55)], [STOP])
    assert shown == [(SLACK, True, False)] and info["status"] == "failure"


def test_the_limit_truncates():
    shown, info = walked(objectnav(max_steps=2), [goal(3.55)], [FORWARD, LEFT])
    assert shown == [(0.3 + SLACK, False, False), (SLACK, False, True)] and info["status"] == "timeout"


def test_stopping_in_the_last_step_terminates():
    shown, _ = walked(objectnav(max_steps=2), [goal(2.56)], [LEFT, STOP])
    assert shown == [(SLACK, False, False), (SUCCESS + SLACK, True, False)]


def test_no_way_gives_no_reward():
    shown, _ = walked(objectnav(), [goal(5.0)], [FORWARD])  # within a wall
    assert shown == [(SLACK, False, False)]


def test_each_goal_is_rewarded_by_itself():
    task = GoatTask(width=16, height=16, max_steps=2)
    shown, info = walked(task, [goal(2.56), goal(3.55), goal(3.55)], [STOP, FORWARD, LEFT, FORWARD, STOP])
    aslant = 0.7 - (0.4 + 0.1 * math.sqrt(2.0))  # 30 degrees to the left, one row further
    gained = [SUCCESS, 0.3, 0.0, aslant, 0.0]  # the second goal is given up, and the third begins where it was
    assert shown == [(g + SLACK, n == 4, False) for n, g in enumerate(gained)]
    assert info["metrics"]["success"] == pytest.approx(1 / 3)


def test_gymnasium_finds_nothing_to_say_of_another_world():
    env = gymnasium.make("spatialmem/Goat-v1", world=GridWorld(), episodes=2, settings={"width": 16, "height": 16})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_rewards_are_settings():
    episode = Episode("by hand", "train-0", START, 0.0, (goal(2.56),))
    kwargs = {"task": objectnav(), "world": GridWorld(), "episodes": [episode]}
    env = gymnasium.make("spatialmem/ObjectNav-v1", success_reward=7.0, slack_reward=-0.5, **kwargs)
    env.reset()
    assert env.step(STOP)[1] == 6.5


def test_settings_that_do_not_fit_are_named():
    view = ImageView(tuple(float(v) for v in range(16)), 20, 10, 42.0)
    wide = ImageView(view.world_from_camera, 40, 10, 42.0)
    pictures = [Goal("image", "", "chair", ("1",), v) for v in (view, wide)]

    def make(**kwargs):
        return gymnasium.make("spatialmem/Goat-v1", world=GridWorld(), **kwargs).unwrapped

    with pytest.raises(InvalidSetting, match=r"one size.*\(10, 20\), \(10, 40\)"):
        make(episodes=[Episode("e", "train-0", START, 0.0, tuple(pictures))])
    one = make(episodes=[Episode("e", "train-0", START, 0.0, tuple(pictures[:1]))])
    assert one.observation_space[GOAL_IMAGE].shape == (10, 20, 3)
    with pytest.raises(InvalidSetting, match="whole number from 1"):
        make(episodes=0)
    with pytest.raises(InvalidSetting, match="beside a task"):
        make(task=objectnav(), settings={"max_steps": 2})
    with pytest.raises(InvalidSetting, match="finite"):
        make(slack_reward=math.nan)
    with pytest.raises(InvalidSetting, match="0 to 0"):
        one.reset(options={"episode": 1})
    with pytest.raises(InvalidSetting, match="train-0"):
        one.reset(options={"scene": "val-0"})
