"""What verbs that use simulated worlds share."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spatialmem.cli.codes import WrongUsage
from spatialmem.errors import InvalidValue, MissingDependency, SpatialMemError, UnknownName

INSTALL = "pip install 'spatialmem[sim]'"


@contextmanager
def sim_errors() -> Iterator[None]:
    """Errors of worlds come out as the library's own, which the command knows how to tell."""
    errors = _sim_errors()
    try:
        yield
    except errors.UnknownName as error:
        raise UnknownName(str(error)) from error
    except errors.InvalidSetting as error:
        raise InvalidValue(str(error)) from error
    except errors.SimError as error:
        raise SpatialMemError(str(error)) from error


def _sim_errors() -> Any:
    try:
        return importlib.import_module("sim.errors")
    except ModuleNotFoundError as error:
        raise MissingDependency(f"the worlds are not installed ({error}); install them with: {INSTALL}") from error


def settings(option: str, text: str | None) -> dict[str, Any]:
    """The JSON object that an option holds; none: an empty one."""
    if text is None:
        return {}
    try:
        values = json.loads(text)
    except ValueError as error:
        raise WrongUsage(
            f"""{option} {text!r} is no JSON ({error}); expected such as '{{"turn_deg": 10}}'"""
        ) from error
    if not isinstance(values, dict):
        raise WrongUsage(f"""{option} {text!r} is no JSON object; expected such as '{{"turn_deg": 10}}'""")
    return values
