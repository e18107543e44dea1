"""Errors of worlds, tasks and runs. Every message says what was given, what was expected and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SimError(Exception):
    """Base of every error that worlds, tasks and runs raise on purpose."""


class UnknownName(SimError, ValueError):
    """No world, task, agent or category has the name that was given."""


class InvalidSetting(SimError, ValueError):
    """A configuration that cannot be."""


class BadEpisodes(SimError, ValueError):
    """An episode file that is broken or of another kind; the message names the file, the key and the form expected."""


class MissingScene(SimError):
    """The files of a scene are not there; the message names them and where they were looked for."""


class InvalidAction(SimError, ValueError):
    """An agent returned something that is no action."""


def unknown_name(kind: str, given: str, known: Iterable[str]) -> UnknownName:
    """The error for a name that is not known: suggests the nearest and lists what there is."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UnknownName(f"unknown {kind} {given!r}; {hint}known: {', '.join(names) or 'none'}")
