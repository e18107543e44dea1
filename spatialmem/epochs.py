"""One writer, many readers: a reader sees the map of one instant, and neither waits long for the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar, final

from spatialmem.errors import OutOfRoom

T = TypeVar("T")

_ASIDE_FRAMES = 30
"""frames for which the writer goes on working beside readers after the last one left: another is likely to come"""
_COURTESY_S = 0.05
"""for which a new reader lets a writer go first that waits for older ones, or as long as that has waited already: an
older reader may wait for the new one, and readers that overlap are not to keep a writer out"""


@dataclass(eq=False)
class _Reader:
    thread: int


@dataclass
class _Entry(Generic[T]):
    number: int
    value: T
    readers: set[_Reader] = field(default_factory=set)


@final
class Epochs(Generic[T]):
    """Immutable values, one after the other, each read by any number of threads.

    The writer has two ways to go on to the next value. While nobody reads, it `take`s the current one and changes it
    in place; whoever comes then waits for one kernel. While somebody reads, or has read a moment ago, `take` fails, and
    the writer prepares the next value beside the current one and then calls `publish`; nobody waits. For
    `take(wait=True)` new readers let the writer go first for a moment, and go in when older ones keep it waiting.
    """

    def __init__(self, first: T) -> None:
        self._changed = threading.Condition()
        self._current = _Entry(0, first)
        self._older: list[_Entry[T]] = []
        self._taken = False
        self._waiting_since: float | None = None
        self._stopped = False
        self._writer: int | None = None
        self._aside = 0

    @property
    def number(self) -> int:
        """Number of the current value; it grows by one with each `publish`."""
        return self._current.number

    def shows(self, value: T) -> bool:
        """Whether this is the current value."""
        return self._current.value is value

    @contextmanager
    def read(self) -> Iterator[T]:
        """The current value, which stays as it is until the block ends."""
        entry: _Entry[T] | None = None
        me = _Reader(threading.get_ident())  # a set of readers, not their number: Ctrl-C may come between any two steps
        try:
            with self._changed:
                self._wait_for_writer(me.thread)
                if self._writer not in (
                    None,
                    threading.get_ident(),
                ):  # who reads between its own frames is in nobody's way
                    self._aside = _ASIDE_FRAMES
                entry = self._current
                entry.readers.add(me)
            yield entry.value
        finally:
            if entry is not None:
                with self._changed:
                    entry.readers.discard(me)
                    self._changed.notify_all()

    def _wait_for_writer(self, thread: int) -> None:
        """Until nobody changes the current value; a writer that waits itself is let go first for a moment, unless it
        waits for this very thread."""
        until: float | None = None
        while self._taken:
            now, since = time.monotonic(), self._waiting_since
            if since is None:
                self._changed.wait()
                continue
            until = until or now + max(_COURTESY_S, now - since)
            if until <= now or self._reads(thread):
                return
            self._changed.wait(until - now)

    def take(self, wait: bool = False) -> bool:
        """Have the current value alone, to change it in place; False when somebody reads (wait: until nobody does).

        To be followed by `give_back`, whatever happens. Raises `OutOfRoom` where it would wait for its own thread.
        """
        with self._changed:
            self._writer = threading.get_ident()
            if wait:
                self.require_others()
            try:
                self._taken, self._stopped = wait, False  # then who comes now waits too
                self._waiting_since = time.monotonic() if wait else None
                while wait and self._read():
                    self._changed.wait()
                    self._require_going_on()
            finally:
                self._waiting_since = None
            self._taken = not self._read() and (wait or self._aside == 0)
            self._aside = max(0, self._aside - 1)
            return self._taken

    def give_back(self) -> None:
        """End what `take` began; does nothing when nothing was taken."""
        with self._changed:
            self._taken = False
            self._changed.notify_all()

    def publish(self, value: T) -> None:
        """Make this the current value. Who reads an older one goes on reading it."""
        with self._changed:
            self._older = [entry for entry in (*self._older, self._current) if entry.readers]
            self._current = _Entry(self._current.number + 1, value)

    def in_use(self) -> list[int]:
        """Numbers of the values that somebody reads."""
        with self._changed:
            return [entry.number for entry in (*self._older, self._current) if entry.readers]

    def require_others(self) -> None:
        """Raise `OutOfRoom` where this thread reads itself: it cannot wait until nobody does."""
        with self._changed:
            if self._reads(threading.get_ident()):
                raise OutOfRoom(
                    "there is no room to change the map beside what this thread is still reading; finish the pieces of "
                    "the mesh or the points that it takes, or create the memory with a larger ram_bytes"
                )

    def waits_for_this_thread(self) -> bool:
        """Whether the writer waits until nobody reads, and this thread does."""
        with self._changed:
            return self._waiting_since is not None and self._reads(threading.get_ident())

    def stop_waiting(self) -> None:
        """A writer that waits until nobody reads gets `OutOfRoom`."""
        with self._changed:
            self._stopped = self._waiting_since is not None
            self._changed.notify_all()

    def _require_going_on(self) -> None:
        if self._stopped:
            raise OutOfRoom("the memory is being closed while somebody reads beside whom there is no room to change it")

    def _reads(self, thread: int) -> bool:
        every = (*self._older, self._current)
        return any(reader.thread == thread for entry in every for reader in entry.readers)

    def _read(self) -> bool:
        return any(entry.readers for entry in (*self._older, self._current))
