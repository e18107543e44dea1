"""A run: an agent in the episodes of a task, into a folder that can be gone on with after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import InvalidSetting
from sim.runner.crew import Crew, Stopped
from sim.runner.folder import RunFolder
from sim.runner.frozen import digest
from sim.runner.plan import Plan


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    done: int
    """episodes with a row, those of earlier runs included"""
    total: int
    fresh: int
    """done by this run"""
    seconds: float
    """since the first episode of this run began"""
    row: Mapping[str, Any] | None
    """the newest; None before the first"""
    drawing: int = 0
    """episodes that are being drawn now, before any is played"""

    @property
    def left_s(self) -> float | None:
        """What the rest will take, by what this run's episodes took; None before the first."""
        return self.seconds / self.fresh * (self.total - self.done) if self.fresh else None


@dataclass(frozen=True)
class Run:
    """What came of it."""

    folder: Path
    rows: tuple[Mapping[str, Any], ...]
    """those of the episodes that were asked for, by episode"""
    total: int
    stopped: bool
    """before all episodes were done"""
    seconds: float
    manifest: Mapping[str, Any]


def evaluate(
    plan: Plan,
    out: Path,
    *,
    workers: int = 1,
    tell: Callable[[Progress], None] = lambda progress: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Run:
    """Play the episodes of a plan that have no row in a folder yet.

    Args:
        plan: what to do.
        out: the folder; new, empty, or begun with the same plan, perhaps with fewer episodes.
        workers: processes, started afresh (spawn), each with its share of the processors for its libraries.
        tell: called before episodes are drawn, before the first is played and after every one.
        stopping: once it is true the run ends; episodes under way are lost, rows are kept.

    Raises:
        UnknownName, InvalidSetting: of task, world or agent; nothing was written.
        BadRun: the folder was begun with something else; the message names what differs.
        RunFailed: the task, the world or the agent's class failed; rows are kept.
    """
    if workers < 1:
        raise InvalidSetting(f"workers must be at least 1; given {workers}")
    with RunFolder(out) as folder:
        begun = time.monotonic()
        try:
            with Crew(plan, out, workers, stopping) as crew:
                manifest = _begin(plan, folder, crew, tell)
                stopped = not _play(plan, folder, crew, tell)
        except Stopped:
            stopped, manifest = True, folder.manifest() or {}
        rows = [row for row in folder.put_in_order() if row["index"] < plan.first + plan.count]
        total = min(plan.count, int(manifest.get("count", plan.count)))
        return Run(out, tuple(rows), total, stopped, time.monotonic() - begun, manifest)


def _begin(plan: Plan, folder: RunFolder, crew: Crew, tell: Callable[[Progress], None]) -> Mapping[str, Any]:
    """The manifest and the episodes on file, made or agreed with."""
    old = folder.manifest()
    episodes = folder.episodes(old)
    missing = 0 if len(episodes) >= plan.count else max(plan.count, old["count"] if old else 0)
    if missing:
        tell(Progress(0, missing, 0, 0.0, None, missing))
    manifest, made = crew.plan(missing)
    episodes = made if missing else episodes
    if not episodes:
        raise InvalidSetting(
            f"the task {plan.task!r} has no episode from {plan.first} on in split {plan.split!r} of {plan.world!r}"
        )
    folder.begin(manifest, episodes)
    return folder.manifest() or manifest


def _play(plan: Plan, folder: RunFolder, crew: Crew, tell: Callable[[Progress], None]) -> bool:
    episodes = folder.episodes(folder.manifest())[: plan.count]
    wanted = {plan.first + place: values for place, values in enumerate(episodes)}
    done = {row["index"] for row in folder.rows()} & set(wanted)
    jobs = [(index, values) for index, values in wanted.items() if index not in done]
    tell(Progress(len(done), len(wanted), 0, 0.0, None))
    if not jobs:
        return True
    task_id, privileged = _facts(folder)
    started = time.monotonic()
    for fresh, (index, played) in enumerate(crew.rows(jobs), start=1):
        row = {**_known(plan, index, wanted[index], task_id, privileged), **played}
        folder.append(row)
        tell(Progress(len(done) + fresh, len(wanted), fresh, time.monotonic() - started, row))
    return True


def _facts(folder: RunFolder) -> tuple[str, bool]:
    manifest = folder.manifest() or {}
    return manifest["task"], manifest["agent"]["privileged"]


def _known(plan: Plan, index: int, episode: Mapping[str, Any], task_id: str, privileged: bool) -> dict[str, Any]:
    """The part of a row that is known before an episode is played."""
    return {
        "index": index, "episode": episode["episode_id"], "house": episode["scene_id"], "seed": plan.seed,
        "task": task_id, "world": plan.world, "split": plan.split, "agent": plan.label, "privileged": privileged,
        "episode_sha": digest(episode),
    }  # fmt: skip
