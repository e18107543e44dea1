"""Tasks and worlds by name."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from sim.errors import InvalidSetting, SimError, UnknownName
from sim.scene import World
from sim.tasks.registry import TASKS, latest, task
from sim.tasks.task import Task
from sim.worlds import WORLDS, world


@pytest.mark.parametrize("name", TASKS)
def test_tasks_have_the_names_that_they_are_listed_under(name):
    made = task(name)
    assert isinstance(made, Task) and made.task_id == name and name[-3:-1] == "-v"
    assert made.max_steps >= 1 and made.scene_config().width >= 1


@pytest.mark.parametrize("name", WORLDS)
def test_worlds_have_the_names_that_they_are_listed_under(name):
    module, _, kind = WORLDS[name].partition(":")
    made = getattr(importlib.import_module(module), kind)
    assert issubclass(made, World) and made.name == name


def test_settings_reach_the_task():
    config = task("objectnav-v1", turn_deg=10.0, width=64, height=48).scene_config()
    assert (config.motion.turn_deg, config.width, config.height) == (10.0, 64, 48)


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'objectnav-v1'"):
        task("objectnav")
    with pytest.raises(UnknownName, match="did you mean 'house'"):
        world("huose")


def test_unknown_settings_are_named():
    with pytest.raises(InvalidSetting, match="turn_degrees"):
        task("goat-v1", turn_degrees=10)
    with pytest.raises(InvalidSetting, match="colour"):
        world("house", colour="red")


def test_habitat_is_said_not_to_be_there_yet():
    with pytest.raises(SimError, match="not in this version.*use the world 'house'"):
        world("habitat")


def test_naming_tasks_imports_none_of_them():
    code = (
        "import sys, sim.tasks.registry, sim.worlds; "
        "print([m for m in sys.modules if m.startswith(('sim.house', 'sim.tasks.goat', 'open3d'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_task_without_a_version_is_the_newest_one():
    assert latest("goat") == "goat-v1" and latest("eqa-choice") == "eqa-choice-v1"
    assert latest("goat-v1") == "goat-v1" and latest("module:Class") == "module:Class" and latest("gaot") == "gaot"
