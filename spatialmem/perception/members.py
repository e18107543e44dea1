"""Members of a plug-in family by name: those of this package, and those that installed packages offer."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TypeVar

from spatialmem.errors import InvalidValue, unknown_name

_Kind = TypeVar("_Kind")


def find_member(family: str, name: str, own: Mapping[str, str], group: str, base: type[_Kind]) -> type[_Kind]:
    """The class of a name.

    Args:
        family: what a member is called in messages, such as "encoder".
        own: name -> "module:Class" of this package; imported only when asked for.
        group: entry-point group of the others.
        base: what the class must derive from.

    Raises `UnknownName` with the nearest name, `InvalidValue` for what is no member.
    """
    installed = {entry.name: entry for entry in entry_points(group=group)}
    if name in own:
        module, _, attribute = own[name].partition(":")
        kind = getattr(importlib.import_module(module), attribute)
    elif name in installed:
        kind = installed[name].load()
    else:
        raise unknown_name(family, name, {*own, *installed})
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise InvalidValue(
            f"{family} {name!r} is {kind!r}; expected a subclass of spatialmem.perception.{base.__name__}"
        )
    return kind
