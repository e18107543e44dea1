"""Tasks by name. A name carries the version of its rules; rules of a version never change."""

from __future__ import annotations

import importlib
from typing import Any, Final

from sim.errors import InvalidSetting, unknown_name
from sim.tasks.task import Task

TASKS: Final[dict[str, str]] = {
    "objectnav-v1": "sim.tasks.objectnav:ObjectNavTask",
    "goat-v1": "sim.tasks.goat:GoatTask",
    "eqa-v1": "sim.tasks.eqa:EqaTask",
    "eqa-choice-v1": "sim.tasks.eqa:EqaChoiceTask",
}
"""name -> "module:Class", imported when it is asked for"""


def latest(name: str) -> str:
    """The newest version of a task that is named without one, such as "goat"; every other name as it is."""
    versions = {n: int(n.rpartition("-v")[2]) for n in TASKS if n.rpartition("-v")[0] == name}
    return max(versions, key=lambda n: versions[n]) if versions else name


def task(name: str, **settings: Any) -> Task:
    """The task of a name, made with its settings.

    Raises:
        UnknownName: no task has the name; the nearest is suggested.
        InvalidSetting: it has no such setting, or not with such a value.
    """
    if name not in TASKS:
        raise unknown_name("task", name, TASKS)
    module, _, kind = TASKS[name].partition(":")
    made = getattr(importlib.import_module(module), kind)
    try:
        return made(**settings)
    except TypeError as error:
        raise InvalidSetting(f"task {name!r} cannot be made with {settings}: {error}; see docs/tasks.md") from error
