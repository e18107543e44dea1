"""How far a build is, on standard error: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import resource
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, final

from spatialmem.cli.output import say
from spatialmem.view.words import size

_LINE_EVERY_S = 2.0
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Memory this process holds now; its peak where the system does not tell."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    return peak_bytes()


def peak_bytes() -> int:
    """Most memory this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes


class Progress(ABC):
    """Is told of every frame. A context manager."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    @abstractmethod
    def step(self, frames: int, stored: int) -> None:
        """`frames` have been looked at, `stored` of them kept, say."""


@final
class Silent(Progress):
    """Says nothing."""

    def step(self, frames: int, stored: int) -> None:
        return None


@final
class Lines(Progress):
    """The first frame, then a line every two seconds."""

    def __init__(self, total: int | None, done: str) -> None:
        self._done = done
        self._of = f" of {total}" if total else ""
        self._started = time.monotonic()
        self._next = 0.0

    def step(self, frames: int, stored: int) -> None:
        elapsed = time.monotonic() - self._started
        if elapsed < self._next:
            return
        self._next = elapsed + _LINE_EVERY_S
        rate = f"{frames / max(elapsed, 1e-9):.1f} frames/s"
        say(f"frame {frames}{self._of}: {stored} {self._done}, {rate}, {size(resident_bytes())} of memory")


@final
class Bar(Progress):
    """A bar that rich draws."""

    def __init__(self, total: int | None, done: str) -> None:
        from rich import progress
        from rich.console import Console

        columns: tuple[Any, ...] = (
            progress.TextColumn("{task.fields[text]}"), progress.BarColumn(), progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
        )  # fmt: skip
        self._bar = progress.Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("frames", total=total, text="starting")
        self._started, self._done = time.monotonic(), done

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def step(self, frames: int, stored: int) -> None:
        rate = frames / max(time.monotonic() - self._started, 1e-9)
        text = f"{stored} {self._done}, {rate:.1f} frames/s, {size(resident_bytes())}"
        self._bar.update(self._task, completed=frames, text=text)


def progress_for(total: int | None, quiet: bool, done: str = "stored") -> Progress:
    """The kind that suits standard error; done: what is counted of the frames."""
    if quiet:
        return Silent()
    return Bar(total, done) if sys.stderr.isatty() else Lines(total, done)
