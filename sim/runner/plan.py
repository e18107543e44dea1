"""What a run is to do, as plain values."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.errors import InvalidSetting
from sim.runner.names import AgentSpec

RECORDINGS = ("png", "mp4", "rrd")


@dataclass(frozen=True)
class Plan:
    """One agent in the episodes `first` to `first + count - 1` of a task, world, split and seed."""

    task: str
    """name of the registry, or "module:Class" """
    agent: AgentSpec
    label: str
    """what the agent is called in rows and tables"""
    world: str = "house"
    split: str = "val"
    seed: int = 0
    first: int = 0
    count: int = 20
    task_settings: Mapping[str, Any] = field(default_factory=dict)
    world_settings: Mapping[str, Any] = field(default_factory=dict)
    act_timeout_s: float = 60.0
    """an agent that thinks longer over one call has stalled"""
    record: str = ""
    """png, mp4, rrd, or empty: nothing"""

    def __post_init__(self) -> None:
        if self.first < 0 or self.count < 1:
            raise InvalidSetting(f"episodes must be at least 1, the first one from 0; given {self.count}, {self.first}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InvalidSetting(f"a seed must be a whole number from 0; given {self.seed!r}")
        if not 0.0 < self.act_timeout_s < float("inf"):
            raise InvalidSetting(f"act_timeout_s must be positive and finite; given {self.act_timeout_s}")
        if self.record and self.record not in RECORDINGS:
            raise InvalidSetting(f"recordings are {', '.join(RECORDINGS)}; given {self.record!r}")
        if not self.label.strip():
            raise InvalidSetting("label is empty; give the agent a name for rows and tables")
        for name in ("task_settings", "world_settings"):
            _check_plain(name, getattr(self, name))
        _check_plain("kwargs of the agent", self.agent.kwargs)

    def as_json(self) -> str:
        """One line."""
        return json.dumps(dataclasses.asdict(self), allow_nan=False)

    @staticmethod
    def of_json(text: str) -> Plan:
        """The plan that `as_json` wrote."""
        values = json.loads(text)
        agent = values.pop("agent")
        return Plan(agent=AgentSpec(**{**agent, "wrappers": tuple(agent["wrappers"])}), **values)


def _check_plain(name: str, values: Mapping[str, Any]) -> None:
    try:
        json.dumps(dict(values), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(f"{name} must be plain values, such as JSON holds; {error}") from error
