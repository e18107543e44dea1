"""What a run was made with: everything that its rows depend on, and where it was made."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata, util
from pathlib import Path
from typing import Any

from sim.agent import Agent, AgentWrapper
from sim.errors import InvalidSetting
from sim.runner.plan import Plan
from sim.scene import World
from sim.tasks.task import Task

FORMAT = 1
SHARED = (
    "format", "task", "task_settings", "world", "world_settings", "split", "task_identity", "act_timeout_s", "code",
)  # fmt: skip
"""what shards of every agent must have in common"""
OWN = ("agent", "agent_code", "checkpoint", "identity")
"""what shards of one agent must have in common besides"""
RANGE = ("seed", "first", "count", "split_sha256")
"""which episodes"""
_OURS = ("sim", "spatialmem", "policies")
_LEFT_OUT = ("spatialmem/cli", "spatialmem/view", "spatialmem/bridges", "sim/runner/recording")
"""what no result depends on"""
_PACKAGES = ("numpy", "numba", "opencv-python", "open3d-cpu", "open3d", "torch", "spatialmem")


def manifest(plan: Plan, task: Task, world: World, agent: Agent) -> dict[str, Any]:
    """The manifest of a run, but for the hash of its episodes; taken where task, world and agent were made."""
    spec = plan.agent
    return {
        "format": FORMAT, "task": task.task_id, "task_settings": task_settings(plan, task), "world": plan.world,
        "world_settings": dict(plan.world_settings), "split": plan.split,
        "task_identity": dict(task.identity()), "act_timeout_s": plan.act_timeout_s,
        "seed": plan.seed, "first": plan.first, "count": plan.count, "split_sha256": "", "label": plan.label,
        "agent": {"entry": _without_folder(spec.entry), "kwargs": dict(spec.kwargs), "wrappers": list(spec.wrappers),
                  "privileged": agent.privileged},
        "agent_code": "+".join(code for one in _chain(agent) if (code := foreign_code(one))),
        "identity": dict(agent.identity()),
        "checkpoint": tree_hash(Path(spec.checkpoint)) if spec.checkpoint else "",
        "code": {**{name: package_code(name) for name in _OURS}, "task": foreign_code(task),
                 "world": foreign_code(world)},
        "versions": versions(), "machine": machine(),
    }  # fmt: skip


def task_settings(plan: Plan, task: Task) -> dict[str, Any]:
    """What was given, and what it comes to: the most steps of a goal, the camera, the steps of the body."""
    scene = dataclasses.asdict(task.scene_config())
    return {"given": dict(plan.task_settings), "max_steps": task.max_steps, "scene": scene}


def differences(a: Mapping[str, Any], b: Mapping[str, Any], keys: tuple[str, ...]) -> list[str]:
    """Dotted names of what differs between two manifests, with both values."""
    return [
        f"{name}: {_short(x)} and {_short(y)}"
        for key in keys
        for name, x, y in _unequal(key, a.get(key), b.get(key))
    ]  # fmt: skip


def _unequal(name: str, a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in sorted({*a, *b}):
            yield from _unequal(f"{name}.{key}", a.get(key), b.get(key))
    elif a != b:
        yield name, a, b


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _without_folder(entry: str) -> str:
    """The entry without the folder of a file: its source is hashed, where it lies does not matter."""
    where, _, name = entry.rpartition(":")
    return f"{Path(where).name}:{name}" if where.endswith(".py") else entry


def package_code(name: str) -> str:
    """SHA-256 over the Python sources of a package that results may depend on; empty where it is not there."""
    spec = util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return ""
    root = Path(next(iter(spec.submodule_search_locations)))
    paths = [p for p in sorted(root.rglob("*.py")) if not _relative(p, root).startswith(_LEFT_OUT)]
    return _hash((_relative(path, root), path) for path in paths)


def foreign_code(made: object) -> str:
    """SHA-256 over the sources of what lives outside this project; empty for what lives inside."""
    module = sys.modules.get(type(made).__module__)
    top, source = type(made).__module__.partition(".")[0], getattr(module, "__file__", None)
    if top in _OURS or source is None:
        return ""
    package = sys.modules.get(top)
    if package is not None and getattr(package, "__path__", None):
        return package_code(top)
    return _hash([(Path(source).name, Path(source))])


def _chain(agent: Agent) -> Iterator[Agent]:
    """An agent and what it is wrapped around."""
    yield agent
    while isinstance(agent, AgentWrapper):
        agent = agent.inner
        yield agent


def tree_hash(path: Path) -> str:
    """SHA-256 over a file, or over all files below a folder with their names."""
    if not path.exists():
        raise InvalidSetting(f"there is no checkpoint {path}")
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return _hash((_relative(file, path), file) for file in files)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root.parent).as_posix()


def _hash(files: Any) -> str:
    total = hashlib.sha256()
    for name, path in files:
        total.update(f"{name}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def versions() -> dict[str, str]:
    """Of Python and of packages that pictures and ways come from."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int]:
    """What a time depends on."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return {"system": platform.system(), "processor": _processor(), "cores": cores}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
