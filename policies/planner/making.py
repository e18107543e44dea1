"""Planners by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from policies.planner.embedding import EmbeddingPlanner
from policies.planner.planner import Planner
from sim.errors import InvalidSetting, unknown_name

NAMES = ("embedding", "vlm")


def planner_of(name: str, settings: Mapping[str, Any]) -> Planner:
    """The planner of a name, or of "module:Class", made with settings.

    "vlm" takes the fields of `VlmSettings`, and goes on with "embedding" while the server is down.
    """
    try:
        if name == "embedding":
            return EmbeddingPlanner(**settings)
        if name == "vlm":
            return _asking(settings)
        if ":" in name:
            module, _, kind = name.partition(":")
            made = getattr(importlib.import_module(module), kind)(**settings)
            if isinstance(made, Planner):
                return made
            raise InvalidSetting(f"planner {name!r} is no policies.planner.planner.Planner")
    except TypeError as error:
        raise InvalidSetting(f"planner {name!r} cannot be made with {dict(settings)}: {error}") from error
    raise unknown_name("planner", name, NAMES)


def _asking(settings: Mapping[str, Any]) -> Planner:
    from policies.planner.client import VlmClient
    from policies.planner.fallback import WithFallback
    from policies.planner.settings import VlmSettings
    from policies.planner.vlm_planner import VlmPlanner

    return WithFallback(VlmPlanner(VlmClient(VlmSettings(**settings))), EmbeddingPlanner())
