"""Agents in the episodes of tasks: runs, their folders, and tables of what came of them."""

from __future__ import annotations

from sim.runner.evaluate import Progress, Run, evaluate
from sim.runner.folder import BadRun
from sim.runner.names import AgentSpec, agent_spec
from sim.runner.plan import Plan
from sim.runner.table import Table, tabulate

__all__ = ["AgentSpec", "BadRun", "Plan", "Progress", "Run", "Table", "agent_spec", "evaluate", "tabulate"]
