"""`spatialmem eval`: an agent in the episodes of a task."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from spatialmem.cli.codes import INTERRUPTED, OK
from spatialmem.cli.interrupt import Interrupt
from spatialmem.cli.output import pairs_table, say, write_json
from spatialmem.cli.run_progress import run_progress
from spatialmem.cli.worlds import settings, sim_errors

if TYPE_CHECKING:
    from sim.runner import Plan, Run

_STOPPING = "stopping; rows are kept, episodes under way are not (Ctrl-C again stops at once)"


@dataclass(frozen=True)
class Eval:
    """Play episodes of a task with an agent, into a folder; what it has already is not played again."""

    task: tyro.conf.Positional[str]
    """objectnav-v1, goat-v1 ..., or module:Class; without a version the newest"""
    agent: str
    """name (random, oracle, frontier ...), module:Class, file.py:Class, a .json file, or a folder with agent.json"""
    world: str = "house"
    """house, or module:Class"""
    episodes: int = 20
    """how many"""
    first: int = 0
    """the first one: parts of a long evaluation go to folders of their own, and `spatialmem table` merges them"""
    seed: int = 0
    """which episodes are drawn; the same for every agent"""
    split: str = "val"
    """train, val or test: houses that have nothing in common"""
    workers: int = 1
    """processes that play at once"""
    out: Path | None = None
    """the folder (default: runs/eval/TASK-LABEL-SPLIT-SEED)"""
    agent_args: str | None = None
    """settings of the agent, a JSON object"""
    task_args: str | None = None
    """settings of the task, a JSON object, such as '{"turn_deg": 10}'"""
    world_args: str | None = None
    """settings of the world, a JSON object"""
    wrapper: tuple[str, ...] = ()
    """module:callable that takes the agent and returns one, the innermost first"""
    label: str | None = None
    """what the agent is called in tables (default: its name)"""
    act_timeout: float = 60.0
    """seconds after which an agent that does not answer has stalled"""
    record: Literal["png", "mp4", "rrd"] | None = None
    """keep of every episode a picture, a film (extra sim) or a Rerun recording (extra rerun)"""
    json: bool = False
    """one JSON object on standard output"""
    quiet: bool = False
    """no progress and no summary"""

    def run(self) -> int:
        """Play; returns the exit code."""
        with sim_errors():
            from sim.runner import evaluate

            plan = self._plan()
            out = self.out or Path("runs") / "eval" / _folder_name(plan)
            with Interrupt(_STOPPING) as stop, run_progress(self.workers, self.quiet) as progress:
                run = evaluate(plan, out, workers=self.workers, tell=progress.tell, stopping=lambda: stop.asked)
        self._report(plan, run)
        return INTERRUPTED if run.stopped else OK

    def _plan(self) -> Plan:
        from sim.runner import Plan, agent_spec
        from sim.tasks.registry import latest

        agent = agent_spec(self.agent, settings("--agent-args", self.agent_args), self.wrapper)
        return Plan(
            task=latest(self.task), agent=agent, label=self.label or _label(self.agent), world=self.world,
            split=self.split, seed=self.seed, first=self.first, count=self.episodes,
            task_settings=settings("--task-args", self.task_args),
            world_settings=settings("--world-args", self.world_args), act_timeout_s=self.act_timeout,
            record=self.record or "",
        )  # fmt: skip

    def _report(self, plan: Plan, run: Run) -> None:
        statuses = Counter(row["status"] for row in run.rows)
        if self.json:
            write_json(self._values(plan, run, statuses))
        elif not self.quiet:
            pairs_table("", _summary(plan, run, statuses))
        if run.stopped:
            done = f"{len(run.rows)} of {run.total} episodes are in {run.folder}"
            say(f"stopped by Ctrl-C: {done}; the same command goes on")

    def _values(self, plan: Plan, run: Run, statuses: Counter[str]) -> dict[str, Any]:
        return {
            "folder": run.folder, "task": run.manifest.get("task", plan.task), "world": plan.world, "agent": plan.label,
            "split": plan.split, "seed": plan.seed, "episodes": run.total, "done": len(run.rows),
            "statuses": dict(statuses), "metrics": _means(run), "seconds": round(run.seconds, 3),
            "stopped": run.stopped,
        }  # fmt: skip


def _summary(plan: Plan, run: Run, statuses: Counter[str]) -> list[tuple[str, str]]:
    rows = [
        ("run", f"{plan.label} in {plan.task}, {plan.world}/{plan.split}, seed {plan.seed}"),
        ("episodes", f"{len(run.rows)} of {run.total} done, in {run.seconds:.1f} s"),
        ("ended by", ", ".join(f"{number} {status}" for status, number in statuses.most_common()) or "nothing yet"),
    ]
    rows += [(metric, f"{mean:.3f}") for metric, mean in _means(run).items()]
    reasons = Counter(row["reason"].splitlines()[-1] for row in run.rows if row["reason"])
    rows += [("reason", f"{number} x {reason}") for reason, number in reasons.most_common(3)]
    return [*rows, ("rows", str(run.folder / "rows.jsonl"))]


def _means(run: Run) -> dict[str, float]:
    from sim.runner.table import had_by_all, value

    found, had = {}, had_by_all(run.rows)
    for metric in dict.fromkeys(metric for row in run.rows for metric in row["metrics"]):
        values = [v for row in run.rows if (v := value(row, metric, had)) is not None]
        if values:
            found[metric] = sum(values) / len(values)
    return found


def _label(agent: str) -> str:
    """A name, or the class of an entry, or the stem of a path, of agent.json its folder's."""
    path = Path(agent)
    path = path.parent if path.name == "agent.json" else path
    return agent.rpartition(":")[2] if ":" in agent else path.resolve().stem


def _folder_name(plan: Plan) -> str:
    words = f"{plan.task.rpartition(':')[2]}-{plan.label}-{plan.split}-{plan.seed}"
    return re.sub(r"[^\w.-]+", "_", words if plan.first == 0 else f"{words}-from-{plan.first}")
