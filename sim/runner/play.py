"""One episode: an agent in a task in a scene, and the row that comes of it."""

from __future__ import annotations

import hashlib
import math
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, final

import numpy as np

from sim.agent import Agent, Brief
from sim.body import Action
from sim.errors import InvalidAction
from sim.runner.plan import Plan
from sim.runner.recording.recorder import Recorder
from sim.scene import Scene, World
from sim.tasks.episode import Episode
from sim.tasks.task import Task, Trial, TrialResult

_LAST_LINES = 12
"""of a traceback that go into a row"""
_COUNTS = ("bytes", "images", "tokens")
_Value = TypeVar("_Value")


CELLS = 3
"""numbers that tell how an agent is doing; see Watch"""


class AgentFailed(Exception):
    """An agent raised; the message is the end of its traceback."""


@final
class Watch:
    """Tells who watches from outside when the agent was last called, and how many steps were done.

    `cells`: `CELLS` numbers of shared memory: seconds of the monotonic clock, 0 while the agent does not act; steps;
    and whether it is being made.
    """

    def __init__(self, cells: Any) -> None:
        self._cells = cells
        self.agent_s = 0.0

    def new_episode(self) -> None:
        """Start to count anew."""
        self.agent_s, self._cells[1] = 0.0, 0.0

    def step_done(self) -> None:
        """One more."""
        self._cells[1] += 1.0

    @contextmanager
    def making(self) -> Iterator[None]:
        """While the agent is made, which may take longer than an answer. What it raises comes out as it is."""
        self._cells[2], self._cells[0] = 1.0, time.monotonic()
        try:
            yield
        finally:
            self._cells[0], self._cells[2] = 0.0, 0.0

    @contextmanager
    def agent(self) -> Iterator[None]:
        """While the agent acts. Whatever it raises comes out as `AgentFailed`, `SystemExit` too."""
        started = time.monotonic()
        self._cells[0] = started
        try:
            yield
        except (Exception, SystemExit) as error:  # whatever an agent raises costs its episode alone
            raise AgentFailed(last_lines(error)) from error
        finally:
            self._cells[0] = 0.0
            self.agent_s += time.monotonic() - started


def last_lines(error: BaseException) -> str:
    """The end of its traceback, as rows hold it."""
    return "\n".join("".join(traceback.format_exception(error)).strip().splitlines()[-_LAST_LINES:])


@dataclass(frozen=True)
class Stage:
    """What episodes are played with."""

    plan: Plan
    task: Task
    world: World
    out: Path


def play(stage: Stage, agent: Agent, index: int, episode: Episode, watch: Watch) -> dict[str, Any]:
    """Play an episode; the row but for the parts that are known without playing it.

    What the world or the task raises comes through: it is not the agent's fault.
    """
    watch.new_episode()
    started = time.monotonic()
    with _entered(stage, episode) as scene:
        recorder = Recorder.of(stage.plan.record, scene, episode, _recording(stage, index))
        trial = stage.task.begin(scene, episode)
        status, reason = _played(stage, agent, scene, trial, episode, watch, recorder)
        result = trial.result()
        recorder.close(status or result.status)
    row = outcome(status or result.status, reason, result)
    used, why = _usage(agent, watch) if status != "crash" else ({}, "")
    if why:
        row = {**row, "status": "crash", "reason": why}
    row |= {name: int(used.get(name, 0)) for name in _COUNTS}
    row |= {"ms": round(1e3 * (time.monotonic() - started)), "ms_agent": round(1e3 * watch.agent_s)}
    return {**row, "recording": recorder.path.name} if recorder.path is not None else row


def outcome(status: str, reason: str, result: TrialResult | None) -> dict[str, Any]:
    """Status, steps and metrics as JSON holds them: what is not finite is null."""
    steps, metrics, goals = (result.steps, result.metrics, result.goals) if result else (0, {}, ())
    return {
        "status": status, "reason": reason, "steps": steps, "metrics": finite(metrics),
        "goals": [finite(goal) for goal in goals],
    }  # fmt: skip


def unplayed(reason: str) -> dict[str, Any]:
    """The row of an episode that the agent did not begin."""
    return outcome("crash", reason, None) | dict.fromkeys(_COUNTS, 0) | {"ms": 0, "ms_agent": 0}


def finite(value: Any) -> Any:
    """The value made of what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, np.ndarray):
        return finite(value.tolist())
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def brief_of(stage: Stage, scene: Scene, episode: Episode) -> Brief:
    """What an agent is told; its seed follows from the run's, the scene and the episode, never from the agent."""
    words = f"{stage.plan.seed}/{episode.scene_id}/{episode.episode_id}/{episode.seed}"
    seed = int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big")
    return Brief(
        stage.task.task_id, stage.world.name, scene.camera, scene.motion, seed, stage.task.max_steps
    )  # fmt: skip


def checked_action(action: Any) -> int | Mapping[str, Any]:
    """The action, when it is one: a number of `Action`, or {"action": number, "answer": text}; else `InvalidAction`."""
    try:
        return _checked(action)
    except InvalidAction:
        raise
    except Exception as error:  # what is returned is the agent's, its methods too
        raise InvalidAction(f"the agent returned a {type(action).__name__} that cannot be read: {error!r}") from error


def _checked(action: Any) -> int | Mapping[str, Any]:
    number = action.get("action") if isinstance(action, Mapping) else action
    if isinstance(number, (bool, np.bool_)) or not isinstance(number, (int, np.integer)):
        raise InvalidAction(f"the agent returned {_short(action)}; expected a number of Action")
    if int(number) not in Action._value2member_map_:
        raise InvalidAction(f"the agent returned {_short(action)}; actions are 0 to {max(Action).value}")
    if not isinstance(action, Mapping):
        return int(number)
    if not isinstance(action.get("answer", ""), str):
        raise InvalidAction(f"the agent returned {_short(action)}; an answer is a text")
    return {**action, "action": int(number)}


def _short(value: Any) -> str:
    text = f"{type(value).__name__} {value!r}"
    return text if len(text) <= 120 else f"{text[:117]}..."


def _recording(stage: Stage, index: int) -> Path:
    return stage.out / "recordings" / f"episode-{index:05d}"


@contextmanager
def _entered(stage: Stage, episode: Episode) -> Iterator[Scene]:
    scene = stage.world.open(episode.scene_id, stage.task.scene_config())
    try:
        yield scene
    finally:
        scene.close()


def _played(
    stage: Stage, agent: Agent, scene: Scene, trial: Trial, episode: Episode, watch: Watch, recorder: Recorder
) -> tuple[str, str]:
    """What ended the episode before the task did: a status and the reason; two empty texts otherwise."""
    try:
        with watch.agent():
            agent.reset(brief_of(stage, scene, episode))
            if agent.privileged:
                agent.allow(scene, episode)
        while not trial.over:
            observation = trial.observation()
            recorder.step(observation)
            with watch.agent():
                action = agent.act(observation)
            trial.step(checked_action(action))
            watch.step_done()
    except AgentFailed as failure:
        return "crash", str(failure)
    except InvalidAction as refusal:
        return "invalid_action", str(refusal)
    return "", ""


def _usage(agent: Agent, watch: Watch) -> tuple[Mapping[str, float], str]:
    try:
        with watch.agent():
            used = {name: float(value) for name, value in agent.usage().items()}
            unknown = sorted(set(used) - set(_COUNTS))
            if unknown or not all(math.isfinite(value) for value in used.values()):
                raise ValueError(f"usage() gives finite numbers of {', '.join(_COUNTS)}; given {used}")
            return used, ""
    except AgentFailed as failure:
        return {}, str(failure)
