"""Exit codes of the command."""

from __future__ import annotations

from spatialmem.errors import InvalidValue

OK = 0
"""done; an empty answer is an answer"""
FAILED = 1
"""what was asked for failed; standard error says why"""
USAGE = 2
"""the command line was wrong"""
INTERRUPTED = 130
"""stopped by Ctrl-C (128 + SIGINT, as shells say it)"""


class WrongUsage(InvalidValue):
    """A command line that no file or machine could make right; ends with code `USAGE`."""
