"""Memory that was freed and that the allocator keeps for later."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any


@functools.cache
def _trim() -> Callable[[int], Any] | None:
    """glibc has it; other allocators give back by themselves, or cannot be asked."""
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):  # no handle of the program itself, as on Windows
        return None


def give_back() -> None:
    """Let the system have it: rare large work would else leave holes that count as the memory's own ever after."""
    trim = _trim()
    if trim is not None:
        trim(0)
