"""How kernels are compiled, and the threads that carry them.

A kernel is `kernel(start, stop, *args)`; it releases the GIL and writes only what belongs to items start..stop-1,
so that its result does not depend on the number of threads.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, final

from numba import njit

from sim.house.errors import InvalidHouse


def _digest_of_sources() -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


_SOURCES = _digest_of_sources()


def leaf(function: Callable[..., Any]) -> Any:
    """Compile a function in which no array is made; kept on disk until any file of this folder changes.

    numba itself watches only the file a function stands in, and would keep what was compiled with an old helper.
    References are not counted (`_nrt`): counting them makes two threads fight over the counters.
    """
    compiled: Any = njit
    dispatcher = compiled(cache=True, nogil=True, fastmath=True, error_model="numpy", _nrt=False)(function)
    dispatcher._cache._cache_file._source_stamp = _SOURCES
    return dispatcher


def helper(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call; it is kept with them."""
    compiled: Any = njit
    return compiled(nogil=True, fastmath=True, error_model="numpy", _nrt=False)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into those that call it: for what takes a tuple of arrays, which is dear to hand over."""
    compiled: Any = njit
    return compiled(nogil=True, fastmath=True, error_model="numpy", inline="always", _nrt=False)(function)


@final
class Threads:
    """Runs range kernels on a number of plain threads: numba's own layers abort or die after a fork."""

    def __init__(self, count: int | None = None) -> None:
        if count is not None and count < 1:
            raise InvalidHouse(f"threads must be at least 1; given {count}")
        self.count = count or _cores()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._pid = os.getpid()

    def run(self, kernel: Callable[..., Any], items: int, *args: Any, grain: int = 1) -> None:
        """`kernel(start, stop, *args)` over range(items), `grain` items at a time, each chunk to whoever is free."""
        chunks = -(-items // grain)
        if self.count == 1 or chunks <= 1:
            kernel(0, items, *args)
            return
        queue = itertools.count()  # its next() is atomic under the GIL

        def work() -> None:
            while (i := next(queue)) < chunks:
                kernel(i * grain, min((i + 1) * grain, items), *args)

        pending = [self._executor().submit(work) for _ in range(min(self.count, chunks) - 1)]
        try:
            work()
        finally:
            wait(pending)
        for future in pending:
            future.result()

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None or self._pid != os.getpid():  # threads do not survive a fork
                self._pool = ThreadPoolExecutor(max(self.count - 1, 1), thread_name_prefix="house-render")
                self._pid = os.getpid()
            return self._pool


def _cores() -> int:
    given = os.environ.get("SPATIALMEM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16)
