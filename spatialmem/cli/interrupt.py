"""Ctrl-C as a wish first, and as an order the second time."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, final

from spatialmem.cli.output import say

_WORDS = "stopping after this frame and closing the memory; Ctrl-C again stops at once (no stored frame is lost)"


@final
class Interrupt:
    """While entered, the first Ctrl-C sets `asked`; the second raises `KeyboardInterrupt`."""

    def __init__(self, words: str = _WORDS) -> None:
        """`words`: what is said at the first Ctrl-C."""
        self.asked = False
        self._words = words
        self._previous: Any = None
        self._watching = threading.current_thread() is threading.main_thread()  # signals arrive nowhere else

    def __enter__(self) -> Interrupt:
        if self._watching:
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._watching:
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        say(self._words)
