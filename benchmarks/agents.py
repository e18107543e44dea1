"""The floor, the ceiling and an agent in between, at ObjectNav in houses of the test split that nothing was tuned on.

`oracle` is told where everything is and searches the lattice of step actions; `frontier` recognises its goal without
fail, explores, and stays on its floor; `random` draws its actions. All play the same episodes (two a house) with the
task's own rules (objectnav-v1: 256x256, 79 degrees, within 0.1 m of a view point, 500 steps), turning by 30 degrees,
the oracle by 10 as well. Intervals: 95 % by bootstrap over houses. Rows and manifests: runs/benchmarks/agents/.
Expected on 2 quiet cores: making 12 houses 4 times 100 s; an episode of the oracle 1 s, of random 2 s, of frontier 8 s;
24 x (1 + 1 + 2 + 8) s with 2 workers 150 s; under 6 minutes in all.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from common import QUICK_RESULTS, ROOT, Bench, Wanted

from sim.runner import AgentSpec, Plan, Run, evaluate, tabulate
from sim.runner.stats import Interval
from sim.runner.table import AgentLine

EPISODES, QUICK_EPISODES, WORKERS = 24, 4, 2
AGENTS = {
    "oracle": "policies.agents.oracle:OracleAgent", "random": "policies.agents.random:RandomAgent",
    "frontier": "policies.agents.frontier:FrontierAgent",
}  # fmt: skip
LEAST_SPL = {10: 0.98, 30: 0.95}
METRICS = ("success", "spl", "softspl", "distance_to_goal")


def played(bench: Bench, agent: str, turn_deg: int, episodes: int, out: Path) -> Run:
    """One agent in all episodes, anew."""
    bench.progress(f"{agent}, turns of {turn_deg} degrees")
    plan = Plan(
        "objectnav-v1", AgentSpec(AGENTS[agent]), agent, split="test", count=episodes,
        task_settings={"turn_deg": turn_deg, "per_scene": 2, "shows_ids": True},
    )  # fmt: skip
    return evaluate(plan, out, workers=WORKERS)


def shown(interval: Interval) -> str:
    """A mean and its interval."""
    if interval.low is None:
        return f"{interval.mean:.3f}"
    return f"{interval.mean:.3f} ({interval.low:.3f} .. {interval.high:.3f})"


def row(line: AgentLine, turn_deg: int, run: Run) -> list[Any]:
    """A line of the table: the measures, and what the run took."""
    per_minute = 60.0 * len(run.rows) / run.seconds
    agent_ms = [r["ms_agent"] / max(1, r["steps"]) for r in run.rows if r["ms_agent"] is not None]
    ends = ", ".join(f"{count} {status}" for status, count in sorted(line.statuses.items()))
    return [
        line.agent, turn_deg, *(shown(line.metrics[name]) for name in METRICS), line.means["steps"],
        sum(agent_ms) / max(1, len(agent_ms)), per_minute, ends,
    ]  # fmt: skip


def claims(bench: Bench, turn_deg: int, lines: dict[str, AgentLine]) -> None:
    """What is wanted of the ceiling and of the floor."""
    oracle = lines["oracle"].metrics
    note = f"{oracle['success'].episodes} episodes in {oracle['success'].clusters} houses"
    always = Wanted(must=1.0, sense="at least")
    bench.claim(f"oracle, success at {turn_deg} degrees", oracle["success"].mean, "", always, note)
    wanted = Wanted(must=LEAST_SPL[turn_deg], sense="at least")
    bench.claim(f"oracle, SPL at {turn_deg} degrees", oracle["spl"].mean, "", wanted, note)
    if "random" in lines:
        floor = Wanted(aim=0.1, sense="at most")
        bench.claim("random, success", lines["random"].metrics["success"].mean, "", floor, note)


def main() -> None:
    parts = [path for folder in ("sim", "policies") for path in (ROOT / folder).rglob("*.py")]
    bench = Bench(__file__, "Agents to compare with, at ObjectNav in unseen houses", __doc__, parts=parts)
    episodes = QUICK_EPISODES if bench.quick else EPISODES
    root = QUICK_RESULTS / "agents"
    shutil.rmtree(root, ignore_errors=True)
    rows = []
    for turn_deg, agents in ((30, tuple(AGENTS)), (10, ("oracle",))):
        folder = root / f"turn-{turn_deg}"
        runs = {agent: played(bench, agent, turn_deg, episodes, folder / agent) for agent in agents}
        lines = {line.agent: line for line in tabulate([folder]).agents}
        rows += [row(lines[agent], turn_deg, runs[agent]) for agent in agents]
        claims(bench, turn_deg, lines)
    heads = ["agent", "turn (deg)", "success", "SPL", "SoftSPL", "distance to goal (m)", "steps", "agent (ms a step)"]
    heads += [f"episodes a minute, {WORKERS} workers", "ended by"]
    bench.table("95 % intervals by bootstrap over houses, in brackets", heads, rows)
    bench.finish()


if __name__ == "__main__":
    main()
