"""Going on with another planner while one is down."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import final

from policies.planner.errors import PlannerDown
from policies.planner.planner import Decision, Planner
from spatialmem.checks import described, whole_number
from spatialmem.errors import InvalidValue
from spatialmem.retrieval.context import Context

_LOG = logging.getLogger(__name__)


@final
class WithFallback(Planner):
    """Decides as the first planner does; when that is down, as the other one, for a number of decisions.

    Only `PlannerDown` makes it fall back: a cap that is reached or a kept answer that is missing goes through. Both
    planners are closed with it.
    """

    def __init__(self, planner: Planner, fallback: Planner, retry_after: int = 10) -> None:
        """`retry_after`: decisions of `fallback` before `planner` is tried again, the one that failed among them."""
        number = whole_number(retry_after)
        if number is None or number < 1:
            raise InvalidValue(f"retry_after is a number of decisions from 1; given {described(retry_after)}")
        self._planner, self._fallback, self._retry_after = planner, fallback, number
        self._left = self._fallbacks = self._downs = 0

    @property
    def sees(self) -> bool:
        return self._planner.sees

    def decide(self, context: Context, *, choices: tuple[str, ...] = (), asks: bool) -> Decision:
        if self._left == 0:
            try:
                return self._planner.decide(context, choices=choices, asks=asks)
            except PlannerDown as error:
                _LOG.warning("the next %d decisions are the fallback's: %s", self._retry_after, error)
                self._left = self._retry_after
                self._downs += 1
        self._left -= 1
        self._fallbacks += 1
        return self._fallback.decide(context, choices=choices, asks=asks)

    def reset(self) -> None:
        """An episode begins; the first planner is tried again, whatever was before."""
        self._left = self._fallbacks = self._downs = 0
        self._planner.reset()
        self._fallback.reset()

    def usage(self) -> Mapping[str, float]:
        """Of both together, with "fallbacks" (decisions of the other planner) and "downs" (times that the first one
        was found down)."""
        first, other = self._planner.usage(), self._fallback.usage()
        both = {name: first.get(name, 0.0) + other.get(name, 0.0) for name in {**first, **other}}
        return both | {"fallbacks": float(self._fallbacks), "downs": float(self._downs)}

    def identity(self) -> Mapping[str, str]:
        other = {f"fallback_{name}": value for name, value in self._fallback.identity().items()}
        return {**self._planner.identity(), **other, "retry_after": str(self._retry_after)}

    def close(self) -> None:
        self._planner.close()
        self._fallback.close()
