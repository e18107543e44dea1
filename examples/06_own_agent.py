"""An agent of your own, evaluated beside another one in a simulated house.

The same from the command line: spatialmem eval objectnav-v1 --agent examples/06_own_agent.py:Careful

    python examples/06_own_agent.py [--episodes N] [--steps N]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from sim import observation as keys
from sim.agent import Agent, Brief, Observation
from sim.body import Action
from sim.runner import Plan, agent_spec, evaluate, tabulate


class Careful(Agent):
    """Goes ahead while the way is free, turns left where it is not, and stops after a number of turns."""

    def __init__(self, most_turns: int = 20) -> None:
        self._most_turns = most_turns

    def reset(self, brief: Brief) -> None:
        self._turns = 0

    def act(self, observation: Observation) -> int:
        depth_m = np.asarray(observation[keys.DEPTH])
        rows, columns = depth_m.shape
        ahead = depth_m[rows // 2, columns // 3 : -columns // 3]
        if ahead.min() > 0.5:
            return Action.FORWARD
        self._turns += 1
        return Action.STOP if self._turns > self._most_turns else Action.LEFT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--episodes", default=4, type=int)
    parser.add_argument("--steps", default=100, type=int)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, agent in (("careful", f"{__file__}:Careful"), ("random", "policies.agents.random:RandomAgent")):
            plan = Plan(
                "objectnav-v1", agent_spec(agent), name, count=given.episodes,
                task_settings={"width": 128, "height": 128, "max_steps": given.steps},
            )  # fmt: skip
            evaluate(plan, Path(folder) / name)
        table = tabulate([Path(folder)], baseline="random")
        for line in table.agents:
            print(f"{line.agent}: SPL {line.metrics['spl'].mean:.2f}, {dict(line.statuses)}")
        print(f"{table.episodes} episodes, {table.houses} houses")


if __name__ == "__main__":  # workers are processes of their own, which import this file
    main()
