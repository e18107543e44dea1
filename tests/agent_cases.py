"""Every agent that this project names, and ways to let one act without a runner."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from runner_cases import Reach, RoomWorld

from sim.agent import Agent, Brief
from sim.runner.names import AgentSpec
from sim.scene import World
from sim.tasks.episode import Episode
from sim.tasks.task import Task, Trial

ROOT = Path(__file__).resolve().parents[1]


def named_agents() -> dict[str, str]:
    """name -> entry, as pyproject.toml declares them."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (block,) = re.findall(r'^\[project\.entry-points\."spatialmem\.agents"\][^\n]*\n((?:\w+ = .*\n)+)', text, re.M)
    return dict(re.findall(r'^(\w+) = "([\w.]+:\w+)"', block, re.M))


def made(name: str, **kwargs: Any) -> Agent:
    """An agent of the project."""
    return AgentSpec(named_agents()[name], kwargs).make()


def played(agent: Agent, task: Task, world: World, episode: Episode, seed: int = 7) -> tuple[list[Any], Trial]:
    """What it does in an episode, and the trial at its end."""
    scene = world.open(episode.scene_id, task.scene_config())
    trial = task.begin(scene, episode)
    agent.reset(Brief(task.task_id, world.name, scene.camera, scene.motion, seed, task.max_steps))
    if agent.privileged:
        agent.allow(scene, episode)
    actions = []
    while not trial.over:
        actions.append(agent.act(trial.observation()))
        trial.step(actions[-1])
    scene.close()
    return actions, trial


def reach() -> tuple[Task, World, list[Episode]]:
    """Short episodes in the empty room."""
    task, world = Reach(max_steps=25), RoomWorld()
    return task, world, list(task.episodes(world, "val", 0, 3))
