"""How far a run of episodes is, on standard error: a bar on a terminal, lines elsewhere; and what it will cost."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Any, final

from spatialmem.cli.output import say

if TYPE_CHECKING:
    from sim.runner import Progress

_LINE_EVERY_S = 2.0
_LONG_S = 1800.0
"""a shard is to take no longer"""


class RunProgress(ABC):
    """Is told of every episode. A context manager."""

    def __enter__(self) -> RunProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    @abstractmethod
    def tell(self, progress: Progress) -> None:
        """An episode is done, episodes are drawn, or the run begins."""


@final
class _Silent(RunProgress):
    def tell(self, progress: Progress) -> None:
        return None


class _Speaking(RunProgress):
    """Says what the run will cost once each worker has had an episode to show it."""

    def __init__(self, workers: int) -> None:
        self._workers, self._statuses, self._told = workers, Counter[str](), False

    def tell(self, progress: Progress) -> None:
        if progress.row is not None:
            self._statuses[progress.row["status"]] += 1
        elif progress.done:
            say(f"{progress.done} of {progress.total} episodes are done already")
        if not self._told and progress.fresh > self._workers and progress.left_s:
            self._told = True
            self._cost(progress)
        self._show(progress)

    def _cost(self, progress: Progress) -> None:
        each, left = progress.seconds / progress.fresh, progress.left_s or 0.0
        hint = ""
        if left > _LONG_S:
            some = max(1, int(_LONG_S / each))
            hint = f"; parts of at most 30 min: --first N --episodes {some}, each with an --out of its own"
        say(f"expected: {progress.total - progress.done} more episodes, {each:.2g} s each: {duration(left)}{hint}")

    def _ends(self) -> str:
        return ", ".join(f"{number} {status}" for status, number in self._statuses.most_common())

    @abstractmethod
    def _show(self, progress: Progress) -> None: ...


@final
class _Lines(_Speaking):
    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._next = 0.0

    def _show(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.drawing:
            say(f"drawing {progress.drawing} episodes, which opens their scenes")
        if progress.row is None or (now < self._next and progress.done < progress.total):
            return
        self._next = now + _LINE_EVERY_S
        say(f"episode {progress.done} of {progress.total}: {self._ends()}; {duration(progress.left_s or 0.0)} left")


@final
class _Bar(_Speaking):
    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        from rich import progress
        from rich.console import Console

        columns: tuple[Any, ...] = (
            progress.TextColumn("{task.fields[text]}"), progress.BarColumn(), progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
        )  # fmt: skip
        self._bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("episodes", total=None, text="starting")

    def __enter__(self) -> RunProgress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def _show(self, progress: Progress) -> None:
        text = "drawing episodes" if progress.drawing else self._ends() or "starting"
        self._bar.update(self._task, total=progress.total, completed=progress.done, text=text)


def duration(seconds: float) -> str:
    """Words for a span of time."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    minutes = seconds / 60.0
    return f"{minutes:.0f} min" if minutes < 90.0 else f"{minutes / 60.0:.1f} h"


def run_progress(workers: int, quiet: bool) -> RunProgress:
    """The kind that suits standard error."""
    if quiet:
        return _Silent()
    return _Bar(workers) if sys.stderr.isatty() else _Lines(workers)
