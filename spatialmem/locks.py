"""One writer, many readers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final


@final
class EpochLock:
    """Readers share an epoch of the map; a writer waits for them and begins the next one.

    A waiting writer goes first, so that a stream of readers cannot starve `observe`. The lock is held for
    writing only while kernels change the map (milliseconds), never during encoding or disk access. A thread
    must not ask for the lock again while it holds it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._writing = False
        self._writers_waiting = 0

    @contextmanager
    def read(self) -> Iterator[None]:
        """Hold the map as it is."""
        holding = False
        try:
            with self._changed:
                while self._writing or self._writers_waiting:
                    self._changed.wait()
                self._readers += 1
                holding = True
            yield
        finally:
            with self._changed:
                self._readers -= holding
                self._changed.notify_all()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the map alone."""
        holding = False
        try:
            with self._changed:
                self._writers_waiting += 1
                try:
                    while self._writing or self._readers:
                        self._changed.wait()
                    self._writing = holding = True
                finally:
                    self._writers_waiting -= 1
            yield
        finally:
            with self._changed:
                if holding:
                    self._writing = False
                self._changed.notify_all()
