"""Errors of planners. Every message says what was given, what was expected and what to do next."""

from __future__ import annotations

from spatialmem.errors import SpatialMemError


class PlannerError(SpatialMemError):
    """Base of every error that planners raise on purpose."""


class PlannerDown(PlannerError):
    """A planner cannot decide for a reason outside of it, such as a server that does not answer."""


class CapReached(PlannerError):
    """The tokens or the money that were allowed are spent."""


class ParseFailure(PlannerError, ValueError):
    """An answer of a model that cannot be used. The message has no words of the model: it is shown to it again."""


class NotInContext(ParseFailure):
    """An answer that can be read, but names what was not shown."""


class VlmError(PlannerError):
    """A model gave no answer."""


class VlmDown(VlmError):
    """The server was not reached, or was overloaded or failing each time it was tried."""


class VlmRefused(VlmError):
    """The server was reached and will not do what was asked: key, name of the model, size of the request."""


class VlmGarbled(VlmError):
    """What came back is no chat completion."""


class ReplayMiss(PlannerError):
    """An answer was asked for that is not among those kept."""
