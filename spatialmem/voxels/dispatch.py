"""The one door through which every numba kernel is run on more than one thread.

A kernel is a compiled function `kernel(start, stop, *args)` that releases the GIL and writes only
what belongs to items start..stop-1, so its result does not depend on how the items are shared out.
Plain Python threads carry it: numba's own threading layers abort (workqueue) under two Python
threads or die after a fork (omp), a thread pool of ours does neither and compiles faster.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, final

from spatialmem.errors import InvalidValue

_CHUNKS_PER_THREAD = 4  # so that a slow chunk does not leave the other threads idle


@final
class Dispatcher:
    """Runs range kernels on a fixed number of threads."""

    def __init__(self, threads: int) -> None:
        self._lock = threading.Lock()
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._pid = os.getpid()

    @property
    def threads(self) -> int:
        """Number of threads that kernels are shared out to."""
        return self._threads

    def set_threads(self, threads: int) -> None:
        """Use this many threads from now on (results do not depend on it)."""
        if threads < 1:
            raise InvalidValue(f"threads must be at least 1; given {threads}")
        with self._lock:  # the old pool ends with the last call that still runs on it
            self._pool, self._threads = None, threads

    def run(self, kernel: Callable[..., Any], count: int, *args: Any, grain: int = 1) -> None:
        """`kernel(start, stop, *args)` over range(count), in chunks of at least `grain` items."""
        if count <= 0:
            return
        threads = self._threads
        chunks = min(threads * _CHUNKS_PER_THREAD, max(1, count // max(grain, 1)))
        if threads == 1 or chunks == 1:
            kernel(0, count, *args)
            return
        bounds = [count * i // chunks for i in range(chunks + 1)]

        queue = itertools.count()  # its next() is atomic under the GIL

        def work() -> None:  # whoever is free takes the next chunk, so that a busy core holds up one chunk at most
            while (i := next(queue)) < chunks:
                kernel(bounds[i], bounds[i + 1], *args)

        pending = [self._executor().submit(work) for _ in range(min(threads, chunks) - 1)]
        try:
            work()  # the caller works too
        finally:
            wait(pending)  # after an error as well: nobody writes any more once this call has returned
        for future in pending:
            future.result()

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None or self._pid != os.getpid():  # threads do not survive a fork
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="spatialmem-kernel")
                self._pid = os.getpid()
            return self._pool


def _default_threads() -> int:
    given = os.environ.get("SPATIALMEM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, 16)


DISPATCHER = Dispatcher(_default_threads())
