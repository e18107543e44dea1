"""Errors of the houses. Every message says what was given, what was expected and what to do next."""

from __future__ import annotations


class HouseError(Exception):
    """Base of every error that houses raise on purpose."""


class InvalidHouse(HouseError, ValueError):
    """A configuration, name or pose that cannot be used as it was given."""


class NoHouse(HouseError):
    """No layout of a seed passed the checks within the allowed number of attempts."""
