"""Errors of the houses. Every message says what was given, what was expected and what to do next."""

from __future__ import annotations

import importlib
from types import ModuleType

from sim.errors import SimError


class HouseError(SimError):
    """Base of every error that houses raise on purpose."""


class InvalidHouse(HouseError, ValueError):
    """A configuration, name or pose that cannot be used as it was given."""


class NoHouse(HouseError):
    """No layout of a seed passed the checks within the allowed number of attempts."""


class MissingPackage(HouseError, ImportError):
    """A package that only worlds need is not installed; the message is the command that installs it."""


def require(module: str) -> ModuleType:
    """Import a package of the extra `sim`, or raise `MissingPackage`."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise MissingPackage(f"{module!r} is not installed; install it with: pip install 'spatialmem[sim]'") from error
