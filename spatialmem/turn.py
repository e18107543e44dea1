"""Whose turn it is to change a memory: one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import final

from spatialmem.epochs import Epochs
from spatialmem.errors import OutOfRoom

_LOOK_S = 0.05
"""after which a thread that waits for its turn looks whether it is waited for itself"""


@final
class Turn:
    """A lock that a thread does not wait for whose own reading another one waits for, which has the lock.

    Where Ctrl-C comes between taking the lock and entering, or between leaving and giving it back, the thread keeps it
    until its next turn, which gives it back as often as it was taken.
    """

    def __init__(self, epochs: Callable[[], Epochs]) -> None:
        """epochs: those of the memory as it is now."""
        self._lock, self._epochs = threading.RLock(), epochs
        self._inside = False

    def __enter__(self) -> None:
        while not self._lock.acquire(timeout=_LOOK_S):
            if self._epochs().waits_for_this_thread():
                raise OutOfRoom(
                    "another thread is changing the map and waits until this one has finished what it reads; finish "
                    "the pieces of the mesh or the points that it takes, or create the memory with a larger ram_bytes"
                )
        self._inside = True

    def locked(self) -> bool:
        """Whether it is anybody's turn."""
        return self._inside

    def __exit__(self, *exception: object) -> None:
        self._inside = False
        with suppress(RuntimeError):  # once for each time that this thread has taken it
            while True:
                self._lock.release()

    @contextmanager
    def at_last(self) -> Iterator[None]:
        """For closing: who waits for this thread's reading meanwhile gets `OutOfRoom` in place of it."""
        while not self._lock.acquire(timeout=_LOOK_S):
            if self._epochs().waits_for_this_thread():
                self._epochs().stop_waiting()
        try:
            yield
        finally:
            self.__exit__()
