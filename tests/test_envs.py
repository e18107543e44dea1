"""Environments: gymnasium's own check, determinism, sensors, and frames for a memory."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from env_cases import ENVS, HOUSE, same
from gymnasium.utils.env_checker import check_env

import sim.envs
from sim.errors import InvalidAction, InvalidSetting, UnknownName
from sim.house.sensors import DepthNoise, Drift
from sim.observation import DEPTH, POSE, RGB, STAMP, STATE
from sim.sensing import SensingConfig
from spatialmem import SpatialMemory, Stored


@pytest.mark.parametrize("name", ENVS)
def test_gymnasium_finds_nothing_to_say(name):
    env = gymnasium.make(name, render_mode="rgb_array", **ENVS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()
    env.close()


@pytest.mark.parametrize("name", ENVS)
def test_the_same_seed_gives_the_same_episode(name):
    env = gymnasium.make(name, **ENVS[name])
    runs = []
    for _ in range(2):
        steps = [env.reset(seed=5)[0]]
        steps += [env.step(action)[0] for action in (1, 2, 1, 5)]
        runs.append(steps)
    for a, b in zip(*runs, strict=True):
        same(a, b)
    env.close()


def test_sensors_drift_while_the_scene_keeps_the_truth():
    sensing = SensingConfig(DepthNoise(), Drift(along_m=0.1), 3)
    env = gymnasium.make("spatialmem/House-v0", sensing=sensing, **HOUSE)
    env.reset(seed=1)
    for action in (2, 1, 1, 3, 1):
        seen = env.step(action)[0]
    scene = env.unwrapped.scene
    assert np.abs(seen[POSE] - scene.world_from_camera).max() > 1e-4
    ground = np.array([*scene.stand.ground_m], np.float32)
    assert 1e-4 < np.abs(seen[STATE][:3] - ground).max() < 1.0
    env.close()


def test_velocity_moves_the_body():
    env = gymnasium.make("spatialmem/House-v0", control="velocity", period_s=0.2, **HOUSE)
    env.reset(seed=2)
    before = env.unwrapped.scene.stand
    env.step(np.array([0.0, 1.0], np.float32))
    assert env.unwrapped.scene.stand.yaw_rad != before.yaw_rad
    with pytest.raises(InvalidAction):
        env.unwrapped.step(np.array([9.0, 0.0], np.float32))
    env.close()


def test_a_memory_observes_an_environment():
    env = gymnasium.make("spatialmem/House-v0", **HOUSE)
    seen, _ = env.reset(seed=1)
    frame = sim.envs.frame_of(seen, env.unwrapped.scene.camera)
    assert np.isnan(frame.depth_m[seen[DEPTH] == 0]).all() and (frame.rgb == seen[RGB]).all()
    with SpatialMemory.create(None, encoder="colours") as memory:
        assert isinstance(memory.observe(frame), Stored)
    near = {**seen, DEPTH: np.full_like(seen[DEPTH], 0.4)}  # before a wall: metres all the same
    assert sim.envs.frame_of(near, env.unwrapped.scene.camera).depth_m.max() == np.float32(0.4)
    env.close()


def test_what_cannot_be_is_named():
    with pytest.raises(InvalidSetting, match="control"):
        gymnasium.make("spatialmem/House-v0", control="legs", **HOUSE)
    env = gymnasium.make("spatialmem/House-v0", **HOUSE).unwrapped
    with pytest.raises(UnknownName, match="did you mean 'scene'"):
        env.reset(options={"scenes": "1"})
    with pytest.raises(InvalidSetting, match="reset first"):
        env.step(1)


def test_the_page_runs():
    page = (Path(__file__).parents[1] / "docs" / "environments.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, flags=re.S)
    known: dict = {}
    exec(block, known)
    assert known["frame"].rgb.shape == (128, 128, 3) and known["info"].keys() == {"length_m"}
    for name in re.findall(r"`(spatialmem/\w+-v\d)`", page):
        assert name in gymnasium.registry


def test_time_goes_on_in_the_scene_and_who_steps_aside_knows_it():
    env = gymnasium.make("spatialmem/House-v0", sensing=SensingConfig(), **HOUSE).unwrapped
    seen, _ = env.reset(seed=1)
    before = int(seen[STAMP])
    seen = env.step(1)[0]
    assert int(seen[STAMP]) == env.scene.stamp_ns > before
    scene = env.scene
    chair = next(s for s in scene.scene.truth.states(group="furniture") if s.thing.category.endswith("chair"))
    pose = chair.world_from_thing.copy()
    pose[:3, 3] = scene.stand.ground_m
    scene.scene.move(chair.thing.thing_id, pose, scene.stamp_ns)
    scene.advance(scene.stamp_ns)  # whoever looks next has taken notice
    assert scene.scene.truth.navigation.is_free(scene.stand.ground_m)
    env.close()
