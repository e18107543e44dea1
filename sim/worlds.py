"""Worlds by name."""

from __future__ import annotations

import importlib
from typing import Any, Final

from sim.errors import InvalidSetting, SimError, unknown_name
from sim.scene import World

WORLDS: Final[dict[str, str]] = {"house": "sim.house.world:HouseWorld"}
"""name -> "module:Class", imported when it is asked for"""
_LATER: Final = {
    "habitat": "the world 'habitat' is not in this version; its episode files can be read already "
    "(sim.tasks.files), its scenes cannot be entered: use the world 'house' for now"
}


def world(name: str, **settings: Any) -> World:
    """The world of a name, made with its settings.

    Raises:
        UnknownName: no world has the name; the nearest is suggested.
        InvalidSetting: it has no such setting, or not with such a value.
        SimError: a world that is not there yet.
    """
    if name in _LATER:
        raise SimError(_LATER[name])
    if name not in WORLDS:
        raise unknown_name("world", name, {*WORLDS, *_LATER})
    module, _, kind = WORLDS[name].partition(":")
    made = getattr(importlib.import_module(module), kind)
    try:
        return made(**settings)
    except TypeError as error:
        raise InvalidSetting(f"world {name!r} cannot be made with {settings}: {error}") from error
