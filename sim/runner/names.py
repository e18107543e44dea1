"""How tasks, worlds and agents are named, and how names become objects, in the process that needs them.

One grammar: a NAME of a registry (agents: of the entry-point group `spatialmem.agents`), or "module:Class". Agents also
by path: "my_agent.py:Class", a .json file that holds {"entry": ..., "kwargs": ..., "wrappers": [...]}, or a folder with
such a file under the name agent.json; the folder is then the checkpoint, and the manifest of a run holds its hash.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from sim.agent import Agent
from sim.errors import InvalidSetting, UnknownName, unknown_name
from sim.scene import World
from sim.tasks.task import Task

GROUP = "spatialmem.agents"
_ENTRY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_FILE = re.compile(r"(?P<path>.+\.py)(:(?P<name>[A-Za-z_]\w*))?")
_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class AgentSpec:
    """What makes an agent; plain values, so that it can be written down and sent to a worker."""

    entry: str
    """"module:Class", or "file.py:Class" """
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    wrappers: tuple[str, ...] = ()
    """entries of callables that take an agent and return one, the innermost first"""
    checkpoint: str = ""
    """folder whose files the agent is made of; given to the class as `checkpoint`"""

    def make(self) -> Agent:
        """Import and make the agent; `UnknownName` or `InvalidSetting` when that cannot be."""
        given = {**self.kwargs, **({"checkpoint": self.checkpoint} if self.checkpoint else {})}
        agent = _made("agent", self.entry, given, Agent)
        for wrapper in self.wrappers:
            agent = _checked("wrapper", wrapper, loaded("wrapper", wrapper)(agent), Agent)
        return agent


def agent_spec(given: str, kwargs: Mapping[str, Any] | None = None, wrappers: Sequence[str] = ()) -> AgentSpec:
    """The spec that a name, "module:Class" or path stands for; nothing of it is imported.

    Raises:
        UnknownName: no such name, or no such file.
        InvalidSetting: a file that holds no spec.
    """
    kwargs = dict(kwargs or {})
    file = _FILE.fullmatch(given)
    if file:
        return AgentSpec(_file_entry(file["path"], file["name"]), kwargs, tuple(wrappers))
    if _ENTRY.fullmatch(given):
        return AgentSpec(given, kwargs, tuple(wrappers))
    path = Path(given)
    if path.suffix == ".json" or path.is_dir() or "/" in given:
        return _read(path / "agent.json" if path.suffix != ".json" else path, kwargs, wrappers)
    known = {point.name: point.value for point in metadata.entry_points(group=GROUP)}
    if given not in known:
        raise UnknownName(f"{unknown_name('agent', given, known)}; others by module:Class, file.py:Class or a path")
    return AgentSpec(known[given], kwargs, tuple(wrappers))


def _file_entry(path: str, name: str | None) -> str:
    if not Path(path).is_file():
        raise UnknownName(f"no agent {path!r}: there is no such file in {Path.cwd()}")
    if name is None:
        raise UnknownName(f"{path!r} names a file alone; name the class in it too, {path}:MyAgent")
    return f"{Path(path).resolve()}:{name}"


def _read(path: Path, kwargs: Mapping[str, Any], wrappers: Sequence[str]) -> AgentSpec:
    expected = '{"entry": "module:Class", "kwargs": {}, "wrappers": []}'
    if not path.is_file():
        raise UnknownName(f"no agent {str(path)!r}: there is no such file; expected one that holds {expected}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        entry, held, around = values["entry"], dict(values.get("kwargs", {})), tuple(values.get("wrappers", ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidSetting(f"{path} holds no agent ({error!r}); expected {expected}") from error
    checkpoint = str(path.parent.resolve()) if path.name == "agent.json" else ""
    file = _FILE.fullmatch(str(entry))
    if file:  # beside the file that names it
        entry = _file_entry(str(path.parent / file["path"]), file["name"])
    return AgentSpec(str(entry), {**held, **kwargs}, (*map(str, around), *wrappers), checkpoint)


def make_task(name: str, settings: Mapping[str, Any]) -> Task:
    """A task by its name or entry; `UnknownName` suggests the nearest. A setting `scorer` that is an entry becomes the
    `AnswerScorer` it names."""
    from sim.tasks.eqa import AnswerScorer
    from sim.tasks.registry import task

    scorer = settings.get("scorer")
    if isinstance(scorer, str):
        settings = {**settings, "scorer": _made("scorer", scorer, {}, AnswerScorer)}
    if _ENTRY.fullmatch(name):
        return _made("task", name, settings, Task)

    return _with_settings("task", name, lambda: task(name, **settings))


def make_world(name: str, settings: Mapping[str, Any]) -> World:
    """A world by its name or entry; `UnknownName` suggests the nearest."""
    if _ENTRY.fullmatch(name):
        return _made("world", name, settings, World)
    from sim.worlds import world

    return _with_settings("world", name, lambda: world(name, **settings))


def loaded(kind: str, entry: str, wanted: type = object) -> Any:
    """What an entry names, imported; `UnknownName` suggests the nearest class derived from `wanted`."""
    where, _, name = entry.rpartition(":")
    if not where:
        raise UnknownName(f"{kind} {entry!r} is no entry; expected module:Class")
    if where.endswith(".py") and not Path(where).is_file():
        raise UnknownName(f"{kind} {entry!r}: there is no such file in {Path.cwd()}")
    try:
        module = _file_module(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name is None or not where.startswith(error.name):
            raise  # something that the module itself needs
        raise UnknownName(f"{kind} {entry!r}: there is no module {where!r} on the path of Python") from error
    if not hasattr(module, name):
        raise unknown_name(f"{kind} in {where}", name, _classes(module, wanted))
    return getattr(module, name)


def _classes(module: ModuleType, wanted: type) -> list[str]:
    return [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, wanted) and v is not wanted]


def _file_module(path: Path) -> ModuleType:
    path = path.resolve()
    name = f"agent_file_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UnknownName(f"{path} is no Python file")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _made(kind: str, entry: str, kwargs: Mapping[str, Any], wanted: type[_Kind]) -> _Kind:
    maker = loaded(kind, entry, wanted)
    return _checked(kind, entry, _with_settings(kind, entry, lambda: maker(**kwargs)), wanted)


def _with_settings(kind: str, name: str, make: Any) -> Any:
    try:
        return make()
    except TypeError as error:
        raise InvalidSetting(f"the {kind} {name!r} cannot be made with the settings given: {error}") from error


def _checked(kind: str, entry: str, value: Any, wanted: type[_Kind]) -> _Kind:
    if not isinstance(value, wanted):
        article = "an" if wanted.__name__[0] in "AEIOU" else "a"
        raise InvalidSetting(f"the {kind} {entry!r} is a {type(value).__name__}; expected {article} {wanted.__name__}")
    return value
