"""What navigation raises on purpose."""

from __future__ import annotations

from sim.errors import SimError


class Unreachable(SimError):
    """No way leads to a goal, or none that the body got along; the message says which of them, and where it stands."""
