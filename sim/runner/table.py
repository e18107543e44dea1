"""Runs of several agents side by side: shards merged when they agree, episodes paired, intervals by house."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import InvalidSetting, unknown_name
from sim.runner.folder import MANIFEST, BadRun, read_manifest, read_rows
from sim.runner.manifest import OWN, SHARED, differences
from sim.runner.stats import Interval, clustered_interval

FAILURES = ("crash", "invalid_action")
"""ways to end that count as failures, whatever had been reached before"""
UNBOUNDED = ("distance", "path", "steps", "num_", "collisions", "length", "shortest")
"""how metrics begin that failing does not make zero; they are means over the episodes that have them"""
Key = tuple[int, int]
"""seed, and which of its episodes"""


_NEEDED = {"seed", "episode_sha", "status", "metrics", "house", "world", "steps", "ms", "bytes", "images", "tokens"}


@dataclass(frozen=True)
class Shard:
    """A folder that a run wrote."""

    folder: Path
    manifest: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class AgentLine:
    """One agent in the episodes that all agents have."""

    agent: str
    privileged: bool
    statuses: Mapping[str, int]
    metrics: Mapping[str, Interval]
    means: Mapping[str, float]
    """of steps, ms, bytes, images, tokens over its episodes"""


@dataclass(frozen=True)
class Difference:
    """An agent less the baseline, episode by episode."""

    agent: str
    baseline: str
    metrics: Mapping[str, Interval]


@dataclass(frozen=True)
class Table:
    """What `tabulate` makes of runs."""

    task: str
    world: str
    split: str
    episodes: int
    """that every agent has"""
    houses: int
    left_out: Mapping[str, int]
    """episodes of an agent that another has not"""
    unfinished: Mapping[str, str]
    """folders with fewer rows than episodes: how many of how many"""
    agents: tuple[AgentLine, ...]
    differences: tuple[Difference, ...]


def tabulate(folders: Sequence[Path], baseline: str | None = None) -> Table:
    """Merge runs into a table.

    Args:
        folders: that `evaluate` wrote, or that hold such folders.
        baseline: label of an agent that the others are compared with.

    Raises:
        BadRun: a folder is no run, or runs do not go together; the message names the key that differs.
        UnknownName: no agent has the label `baseline`.
    """
    shards = [shard for folder in folders for shard in _shards(folder)]
    if not shards:
        raise InvalidSetting("no folders were given; give those that `spatialmem eval` wrote")
    _agree(shards)
    agents = _by_agent(shards)
    if baseline is not None and baseline not in agents:
        raise unknown_name("agent", baseline, agents)
    _same_episodes(agents)
    common = sorted(set.intersection(*(set(rows) for rows in agents.values())))
    if not common:
        raise BadRun(f"the agents {', '.join(agents)} have no episode in common; run them on the same seed and range")
    privileged = {s.manifest["label"]: bool(s.manifest["agent"]["privileged"]) for s in shards}
    metrics = list(dict.fromkeys(m for rows in agents.values() for row in rows.values() for m in row["metrics"]))
    had = _had(agents, common)
    lines = tuple(_line(name, privileged[name], rows, had, metrics) for name, rows in agents.items())
    against = () if baseline is None else _differences(agents, had, baseline, metrics)
    first = shards[0].manifest
    return Table(
        first["task"], first["world"], first["split"], len(common),
        len({_house(next(iter(agents.values()))[key]) for key in common}),
        {name: len(rows) - len(common) for name, rows in agents.items() if len(rows) > len(common)},
        {str(s.folder): f"{len(s.rows)} of {s.manifest['count']}" for s in shards if len(s.rows) < s.manifest["count"]},
        lines, against,
    )  # fmt: skip


def _shards(folder: Path) -> list[Shard]:
    inside = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    own = [folder] if (folder / MANIFEST).exists() or not inside else inside
    return [Shard(path, read_manifest(path), tuple(read_rows(path))) for path in own]


def _agree(shards: Sequence[Shard]) -> None:
    first = shards[0]
    for shard in shards[1:]:
        _refuse(first, shard, SHARED)
    for i, a in enumerate(shards):
        for b in shards[i + 1 :]:
            if a.manifest["label"] == b.manifest["label"]:
                _refuse(a, b, OWN)


def _refuse(a: Shard, b: Shard, keys: tuple[str, ...]) -> None:
    found = differences(a.manifest, b.manifest, keys)
    if found:
        hint = "; give one of the agents another --label" if keys == OWN else ""
        raise BadRun(f"{a.folder} and {b.folder} do not go together: {'; '.join(found)}{hint}")


def _by_agent(shards: Sequence[Shard]) -> dict[str, dict[Key, Mapping[str, Any]]]:
    agents: dict[str, dict[Key, Mapping[str, Any]]] = {}
    for shard in shards:
        rows = agents.setdefault(shard.manifest["label"], {})
        for row in shard.rows:
            if lacking := sorted(_NEEDED - row.keys()):
                raise BadRun(f"row {row['index']} of {shard.folder} lacks {', '.join(lacking)}; run its episode again")
            key = (row["seed"], row["index"])
            if key in rows:
                raise BadRun(
                    f"episode {key[1]} of seed {key[0]} is in {shard.folder} and in another folder; leave one out"
                )
            rows[key] = row
    return agents


def _same_episodes(agents: Mapping[str, Mapping[Key, Mapping[str, Any]]]) -> None:
    known: dict[Key, tuple[str, str]] = {}
    for name, rows in agents.items():
        for key, row in rows.items():
            other, sha = known.setdefault(key, (name, row["episode_sha"]))
            if sha != row["episode_sha"]:
                raise BadRun(
                    f"split: episode {key[1]} of seed {key[0]} is another one for {name!r} than for {other!r}; run "
                    "both on the same episodes"
                )  # fmt: skip


def _had(agents: Mapping[str, Mapping[Key, Mapping[str, Any]]], common: Sequence[Key]) -> dict[Key, frozenset[str]]:
    """The metrics of each episode: what any agent's row tells, and what all episodes have."""
    always = had_by_all(row for rows in agents.values() for row in rows.values())
    return {key: always.union(*(rows[key]["metrics"] for rows in agents.values())) for key in common}


def _line(
    name: str, privileged: bool, of: Mapping[Key, Mapping[str, Any]], had: Mapping[Key, Collection[str]],
    wanted: Sequence[str],
) -> AgentLine:  # fmt: skip
    rows, metrics = [of[key] for key in had], {}
    for metric in wanted:
        values = [(value(of[key], metric, had[key]), _house(of[key])) for key in had]
        found = [(v, house) for v, house in values if v is not None]
        if found:
            metrics[metric] = clustered_interval([v for v, _ in found], [house for _, house in found])
    means = {
        part: sum(row[part] for row in rows) / len(rows) for part in ("steps", "ms", "bytes", "images", "tokens")
    }  # fmt: skip
    return AgentLine(name, privileged, dict(Counter(row["status"] for row in rows)), metrics, means)


def _differences(
    agents: Mapping[str, Mapping[Key, Mapping[str, Any]]],
    had: Mapping[Key, Collection[str]],
    baseline: str,
    wanted: Sequence[str],
) -> tuple[Difference, ...]:
    base = agents[baseline]
    found = []
    for name, rows in agents.items():
        if name == baseline:
            continue
        metrics = {}
        for metric in wanted:
            pairs = [
                (value(rows[key], metric, had[key]), value(base[key], metric, had[key]), _house(rows[key]))
                for key in had
            ]
            whole = [(a - b, house) for a, b, house in pairs if a is not None and b is not None]
            if whole:
                metrics[metric] = clustered_interval([d for d, _ in whole], [house for _, house in whole])
        found.append(Difference(name, baseline, metrics))
    return tuple(found)


def value(row: Mapping[str, Any], metric: str, had: Collection[str] = ()) -> float | None:
    """A metric of a row as tables count it: an episode that crashed has failed; None where there is none.

    had: metrics that the episode has, though the row of a process that died tells none.
    """
    told = row["metrics"].get(metric)
    if row["status"] in FAILURES and not metric.startswith(UNBOUNDED):
        return 0.0 if metric in row["metrics"] or (not row["metrics"] and metric in had) else None
    return None if told is None else float(told)


def had_by_all(rows: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The metrics that every row has which has any."""
    told = [frozenset(row["metrics"]) for row in rows if row["metrics"]]
    return frozenset.intersection(*told) if told else frozenset()


def _house(row: Mapping[str, Any]) -> str:
    return f"{row['world']}/{row['house']}"
