"""Batches of environments: each member is as if it were alone, whatever resets it."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from env_cases import ENVS, HOUSE, same
from gymnasium.vector import AutoresetMode

import sim.envs  # noqa: F401 - registers
from sim.house.sensors import DepthNoise, Drift
from sim.house.world import HouseWorld
from sim.observation import GOAL_INDEX
from sim.sensing import SensingConfig

LIMIT, STEPS, SEEDS = 3, 8, (3, 4, 5)
ACTIONS = np.random.default_rng(0).integers(1, 6, (STEPS, len(SEEDS)))


def member(batch, number):
    return {key: value[number] for key, value in batch.items()}


def alone(name, settings, mode, number):
    """(observation, reward, terminated, truncated) as a batch with a mode of reset is to show it of one member."""
    env = gymnasium.make(name, **settings)
    shown = [(env.reset(seed=SEEDS[number])[0], 0.0, False, False)]
    ended = False
    for action in ACTIONS[:, number]:
        if ended and mode is AutoresetMode.NEXT_STEP:
            shown.append((env.reset()[0], 0.0, False, False))
            ended = False
            continue
        if ended and mode is AutoresetMode.DISABLED:
            env.reset()
        seen, reward, terminated, truncated, _ = env.step(action)
        ended = terminated or truncated
        if ended and mode is AutoresetMode.SAME_STEP:
            seen = env.reset()[0]
        shown.append((seen, reward, terminated, truncated))
    env.close()
    return shown


def played(many, numbers):
    """The same of a batch, step by step."""
    batch, _ = many.reset(seed=[SEEDS[n] for n in numbers])
    none = np.zeros(len(numbers), bool)
    shown = [(batch, np.zeros(len(numbers)), none, none)]
    for actions in ACTIONS[:, list(numbers)]:
        ended = shown[-1][2] | shown[-1][3]
        if many.metadata["autoreset_mode"] is AutoresetMode.DISABLED and ended.any():
            many.reset(options={"reset_mask": ended})
        shown.append(many.step(actions)[:4])
    return shown


def assert_members(shown, numbers, apart):
    for step, (batch, rewards, terminated, truncated) in enumerate(shown):
        for place, number in enumerate(numbers):
            seen, *rest = apart[number][step]
            same(member(batch, place), seen)
            assert [rewards[place], terminated[place], truncated[place]] == rest


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_batch_is_its_members(mode):
    settings = {**HOUSE, "max_episode_steps": LIMIT}
    apart = {n: alone("spatialmem/House-v0", settings, mode, n) for n in range(len(SEEDS))}
    assert sum(truncated for *_, truncated in apart[0]) == 2  # it is reset within the test
    for numbers in ((0, 1, 2), (1,)):
        many = gymnasium.make_vec(
            "spatialmem/House-v0", len(numbers), "sync", vector_kwargs={"autoreset_mode": mode}, **settings
        )
        assert many.metadata["autoreset_mode"] is mode
        assert_members(played(many, numbers), numbers, apart)
        many.close()


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_batch_of_tasks_is_its_members(mode):
    name = "spatialmem/ObjectNav-v1"
    settings = {**ENVS[name], "settings": {**ENVS[name]["settings"], "max_steps": LIMIT}}
    apart = {n: alone(name, settings, mode, n) for n in (0, 1)}
    assert sum(truncated for *_, truncated in apart[0]) == 2
    assert any(reward for _, reward, *_ in apart[0])
    many = gymnasium.make_vec(name, 2, "sync", vector_kwargs={"autoreset_mode": mode}, **settings)
    assert_members(played(many, (0, 1)), (0, 1), apart)
    many.close()


def test_what_ended_is_told_apart_from_what_began():
    settings = {**HOUSE, "max_episode_steps": LIMIT}
    kwargs = {"autoreset_mode": AutoresetMode.SAME_STEP}
    many = gymnasium.make_vec("spatialmem/House-v0", 1, "sync", vector_kwargs=kwargs, **settings)
    one = gymnasium.make("spatialmem/House-v0", **settings)
    many.reset(seed=[3])
    one.reset(seed=3)
    for _ in range(LIMIT):
        batch, _, _, truncated, infos = many.step(np.array([2]))
        last = one.step(2)[0]
    assert truncated.all()
    same(infos["final_obs"][0], last)
    same(member(batch, 0), one.reset()[0])
    many.close()
    one.close()


@pytest.mark.parametrize(("name", "numbers"), [("spatialmem/House-v0", (0, 1)), ("spatialmem/Goat-v1", (1,))])
def test_processes_of_their_own_change_nothing(name, numbers):
    house = name == "spatialmem/House-v0"
    settings = {**ENVS[name], "max_episode_steps": LIMIT} if house else ENVS[name]
    kwargs = {"context": "spawn", "shared_memory": house}
    many = gymnasium.make_vec(name, len(numbers), "async", vector_kwargs=kwargs, **settings)
    try:
        shown = played(many, numbers)
    finally:
        many.close()
    apart = {n: alone(name, settings, AutoresetMode.NEXT_STEP, n) for n in numbers}
    assert_members(shown, numbers, apart)
    assert house or apart[1][0][0][GOAL_INDEX] < apart[1][-1][0][GOAL_INDEX]  # the goal changed on the way


def test_texts_in_shared_memory_are_refused():
    with pytest.raises(ValueError, match="shared_memory=False"):
        gymnasium.make_vec("spatialmem/Goat-v1", 1, "async", **ENVS["spatialmem/Goat-v1"])


def test_no_state_crosses_episodes():
    sensing = SensingConfig(DepthNoise(), Drift(along_m=0.1), 3)
    settings = {**ENVS["spatialmem/Goat-v1"], "sensing": sensing}

    def second(env):
        seen = [env.reset(seed=9, options={"episode": 1})[0]]
        for action in (1, 2, 0, 1, 4, 1):
            *step, _ = env.step(action)
            seen.append({**step[0], "rest": step[1:]})
        env.close()
        return seen

    env = gymnasium.make("spatialmem/Goat-v1", **settings)
    env.reset(seed=1, options={"episode": 0})
    inside = env.unwrapped.scene.scene  # behind its sensors
    for thing in inside.house.things:
        if thing.group == "furniture" and inside.truth.state(thing.thing_id).present:
            inside.take(thing.thing_id, 1)
    for action in (0, 1, 1, 5):
        env.step(action)
    after = second(env)
    fresh = HouseWorld(settings.pop("house"), threads=1)
    first = second(gymnasium.make("spatialmem/Goat-v1", world=fresh, **settings))
    for a, b in zip(after, first, strict=True):
        same(a, b)
