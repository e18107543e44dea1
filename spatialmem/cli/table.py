"""`spatialmem table`: runs of several agents side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from spatialmem.cli.codes import OK
from spatialmem.cli.output import say, write_json
from spatialmem.cli.worlds import sim_errors

if TYPE_CHECKING:
    import sim.runner
    from sim.runner.stats import Interval

_ASIDE = ("num_", "path_", "shortest_", "collisions")
"""how metrics begin that are shown with --json alone: a terminal is narrow"""


@dataclass(frozen=True)
class Table:
    """Merge what `spatialmem eval` wrote. Refused where runs do not go together; the message names what differs."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """folders of runs, or folders that hold some"""
    baseline: str | None = None
    """label of the agent that the others are compared with, episode by episode"""
    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Merge; returns the exit code."""
        with sim_errors():
            from sim.runner import tabulate

            table = tabulate(self.folders, self.baseline)
        if self.json:
            write_json(dataclasses.asdict(table))
        else:
            _print(table)
        for folder, rows in table.unfinished.items():
            say(f"{folder} is not finished: {rows} episodes")
        for agent, number in table.left_out.items():
            say(f"{number} episodes of {agent} are left out: another agent has not played them")
        return OK


def _print(table: sim.runner.Table) -> None:
    from rich import print

    metrics = dict.fromkeys(metric for line in table.agents for metric in line.metrics)
    names = [metric for metric in metrics if not metric.startswith(_ASIDE)]
    title = f"{table.task} in {table.world}/{table.split}: {table.episodes} episodes in {table.houses} houses"
    rows = [[line.agent + (" *" if line.privileged else ""), *_cells(line.metrics, names),
             f"{line.means['steps']:.0f}", f"{line.means['ms'] / 1e3:.2f}", _ends(line.statuses)]
            for line in table.agents]  # fmt: skip
    print(_rich(title, ["agent", *names, "steps", "s", "ended by"], rows))
    if any(line.privileged for line in table.agents):
        print("* is told the truth, or part of it")
    if table.differences:
        title = f"less {table.differences[0].baseline}, episode by episode"
        rows = [[d.agent, *_cells(d.metrics, names)] for d in table.differences]
        print(_rich(title, ["agent", *names], rows))
    print("Below means: 95 % by bootstrap over houses. An episode that crashed has failed.")


def _rich(title: str, heads: list[str], rows: list[list[str]]) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table as RichTable

    table = RichTable(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _cells(metrics: Mapping[str, Interval], names: list[str]) -> list[str]:
    return [_interval(metrics[name]) if name in metrics else "" for name in names]


def _interval(interval: Interval) -> str:
    if interval.low is None:
        return f"{interval.mean:.3f}\none house"
    return f"{interval.mean:.3f}\n{interval.low:.3f} .. {interval.high:.3f}"


def _ends(statuses: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {status}" for status, number in sorted(statuses.items(), key=lambda s: -s[1]))
