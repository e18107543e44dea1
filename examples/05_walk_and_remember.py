"""Walk through a house that a simulator makes up, remember it, ask, and compare the answers with the truth.

The body goes ahead until it touches something, then turns by a drawn angle. Needs the extra [sim].

    python examples/05_walk_and_remember.py [--steps N] [--seed N]
"""

from __future__ import annotations

import argparse

import gymnasium
import numpy as np

import sim.envs  # registers the environments
from sim.body import Action
from sim.house.house import HouseConfig
from sim.observation import COLLIDED
from spatialmem import SpatialMemory, Stored

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--steps", default=60, type=int)
parser.add_argument("--seed", default=0, type=int)
arguments = parser.parse_args()

house = HouseConfig(floors=1, rooms_per_floor=(3, 4))
env = gymnasium.make("spatialmem/House-v0", house=house, width=128, height=128, scenes=1)
rng = np.random.default_rng(arguments.seed)
observation, info = env.reset(seed=arguments.seed)
scene = env.unwrapped.scene  # camera, and the truth

with SpatialMemory.create(None) as memory:
    stored, turns = 0, 12  # first once around
    for _ in range(arguments.steps):
        stored += isinstance(memory.observe(sim.envs.frame_of(observation, scene.camera)), Stored)
        if observation[COLLIDED]:
            turns = int(rng.integers(2, 7))
        action = Action.LEFT if turns > 0 else Action.FORWARD
        turns -= 1
        observation, _, _, truncated, _ = env.step(action)
        if truncated:
            break
    print(f"{stored} frames of scene {info['scene']} stored")

    for question in ("red", "blue", "green"):
        for hit in memory.query(question, top=2):
            off_m = [
                np.linalg.norm(hit.position_m - np.clip(hit.position_m, o.box_min_m, o.box_max_m))
                for o in scene.objects()
            ]
            nearest = scene.objects()[int(np.argmin(off_m))]
            print(f"{question} at {hit.position_m.round(2).tolist()}: {min(off_m):.2f} m from a {nearest.phrase}")
env.close()
