"""Questions about houses answered without a look, and by who is told the answers: the floor and the ceiling of EQA.

Asked of every house of the test split, which nothing was tuned on: questions of all seven categories, once for an
answer in own words and once with choices. `majority` says the commonest answer to the kind of question, `blind` the
answer of the nearest train questions; both judge by the words alone. Chance is one over the number of choices. The
means of a category are over questions, intervals 95 % by bootstrap over houses. Then `spatialmem eval` plays both tasks
with them and with `eqa_oracle`, which is told the answer: what of it counts is the time, and that every question can be
scored. Expected on 2 quiet cores: 24 houses 90 s, 6 runs of 28 episodes 25 s each.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from common import QUICK_RESULTS, ROOT, Bench, Wanted

from policies.agents.blind import Blind
from policies.agents.majority import Majority
from sim.house.world import HouseWorld
from sim.runner import AgentSpec, Plan, Run, evaluate
from sim.runner.stats import Interval, clustered_interval
from sim.tasks.episode import Goal
from sim.tasks.eqa import Asking, EqaTask, ask
from sim.tasks.eqa.matching import matches

HOUSES, QUICK_HOUSES, EACH = 24, 2, 35
EPISODES, QUICK_EPISODES, WORKERS = 28, 7, 2
AGENTS = {
    "majority": "policies.agents.majority:Majority", "blind": "policies.agents.blind:Blind",
    "eqa_oracle": "policies.agents.eqa_oracle:EqaOracle",
}  # fmt: skip
TASKS = ("eqa-v1", "eqa-choice-v1")
FORMS = (("free", "majority"), ("free", "blind"), ("choice", "chance"), ("choice", "majority"), ("choice", "blind"))


@dataclass(frozen=True)
class Asked:
    """A question, and who answered it rightly."""

    house: str
    form: str
    category: str
    right: dict[str, float]


def questions(houses: int) -> Iterator[tuple[str, str, Goal]]:
    """House, "free" or "choice", and a question."""
    world, config = HouseWorld(light=False), EqaTask().scene_config()
    for scene_id in world.scene_ids("test", houses):
        scene = world.open(scene_id, config)
        for form in ("free", "choice"):
            for goal in ask(scene, Asking("test", form == "choice"), EACH):
                yield scene_id, form, goal
        scene.close()


def answered(bench: Bench, houses: int) -> list[Asked]:
    """All questions, answered without a look."""
    majority, blind, found = Majority(), Blind(), []
    for scene_id, form, goal in questions(houses):
        right = {
            name: float(matches(agent.answer(goal.text, goal.choices), goal.answers))
            for name, agent in (("majority", majority), ("blind", blind))
        }
        if goal.choices:
            right["chance"] = 1.0 / len(goal.choices)
        found.append(Asked(scene_id, form, goal.category, right))
    bench.progress(f"{len(found)} questions asked in {houses} houses")
    return found


def interval(asked: list[Asked], form: str, name: str) -> Interval:
    """Mean over the questions of a form."""
    some = [one for one in asked if one.form == form]
    return clustered_interval([one.right[name] for one in some], [one.house for one in some])


def shown(mean: Interval) -> str:
    """A mean and its interval."""
    return f"{mean.mean:.2f}" if mean.low is None else f"{mean.mean:.2f} ({mean.low:.2f} .. {mean.high:.2f})"


def floor(bench: Bench, asked: list[Asked]) -> None:
    """The table by category."""
    parts: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        parts["all"].append(one)
        parts[one.category].append(one)
    rows = [
        [f"{part} ({sum(one.form == 'free' for one in some)})", *(shown(interval(some, *form)) for form in FORMS)]
        for part, some in parts.items()
    ]
    columns = ["category (questions)", "free: majority", "free: blind", "choice: chance", "choice: majority",
               "choice: blind"]  # fmt: skip
    bench.table("share of right answers without a look, 95 % intervals by bootstrap over houses", columns, rows)
    bench.detail("split_sha256", EqaTask().split_hash())


def played(bench: Bench, task: str, agent: str, episodes: int) -> Run:
    """A run of the task, anew."""
    out = QUICK_RESULTS / "eqa" / task / agent
    shutil.rmtree(out, ignore_errors=True)
    run = evaluate(Plan(task, AgentSpec(AGENTS[agent]), agent, split="test", count=episodes), out, workers=WORKERS)
    bench.progress(f"{agent} in {task}: {run.seconds:.0f} s")
    return run


def runs(bench: Bench, episodes: int) -> None:
    """Both tasks by the runner, with every agent."""
    rows: list[list[Any]] = []
    for task in TASKS:
        for agent in AGENTS:
            run = played(bench, task, agent, episodes)
            right = [r["metrics"].get("correct", 0.0) if r["status"] != "crash" else 0.0 for r in run.rows]
            correct = clustered_interval(right, [r["house"] for r in run.rows])
            rows.append([agent, task, len(run.rows), shown(correct), 60.0 * len(run.rows) / run.seconds])
            if agent == "eqa_oracle":
                note = f"{correct.episodes} episodes in {correct.clusters} houses"
                bench.claim(f"told the answers, right in {task}", correct.mean, "",
                            Wanted(must=1.0, sense="at least"), note)  # fmt: skip
    columns = ["agent", "task", "episodes", "right", f"episodes a minute, {WORKERS} workers"]
    bench.table("by the runner, drawing of the episodes included", columns, rows)


def main() -> None:
    parts = [path for folder in ("sim", "policies") for path in (ROOT / folder).rglob("*.py")]
    bench = Bench(__file__, "EQA without a look, and told the answers", __doc__, parts=parts)
    floor(bench, answered(bench, QUICK_HOUSES if bench.quick else HOUSES))
    runs(bench, QUICK_EPISODES if bench.quick else EPISODES)
    bench.finish()


if __name__ == "__main__":
    main()
