"""The parent's side of victim.py: lets a child begin, and kills it at a chosen instant."""

from __future__ import annotations

import os
import select
import signal
import statistics
import subprocess
import sys
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter as clock

_BENCHMARKS = Path(__file__).resolve().parents[1]
_PATIENCE_S = 60.0
_UNKNOWN_S = 0.004  # how long a place takes, until it is known


@dataclass(frozen=True)
class Aim:
    """When a child is to be killed: some time after it enters `place` for the n-th time."""

    deed: str
    place: str
    nth: int
    share: float
    """of the time that the place usually takes, at which the kill falls"""


@dataclass
class Death:
    """How a child died."""

    killed: bool = False
    """whether the kill reached it; else it had ended by itself"""
    places: list[str] = field(default_factory=list)
    """the places it was in, outermost first; empty: between them"""
    facts: dict[str, int] = field(default_factory=dict)
    """the last number of everything it had acknowledged"""
    status: int = 0

    @property
    def phase(self) -> str | None:
        """The place, without what it was inside of it."""
        return self.places[0].split(":")[0] if self.places else None

    @property
    def step(self) -> str | None:
        """The innermost place."""
        return self.places[-1] if self.places else None


class Server:
    """See victim.py. One child at a time."""

    def __init__(self, sides: Path) -> None:
        found_at = os.pathsep.join([str(_BENCHMARKS), str(_BENCHMARKS.parent)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.victim", str(sides)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": found_at},
        )  # fmt: skip
        self._pending = bytearray()
        self._taken: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=31))
        self._least: dict[str, float] = defaultdict(lambda: _UNKNOWN_S)
        """until it is known: longer than anybody was in there before being killed"""
        if self._line(_PATIENCE_S) != "ready":
            raise RuntimeError("victim.py did not start")

    def kill_one(self, path: Path, aim: Aim) -> Death:
        """Let a child do `aim.deed` to the memory at `path`, and kill it where the aim says."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{aim.deed} {path}\n".encode())
        self._process.stdin.flush()
        child = int(self._expected().removeprefix("pid "))
        death, entered, seen, deadline = Death(), {}, 0, None
        while True:
            line = self._line(_PATIENCE_S if deadline is None else max(0.0, deadline - clock()))
            if line is None:
                if deadline is None:
                    os.kill(child, signal.SIGKILL)
                    raise RuntimeError(f"{aim} kept silent for {_PATIENCE_S:g} s")
                os.kill(child, signal.SIGKILL)
                death.killed, deadline = True, None
            elif line.startswith("dead "):
                death.status = int(line.split()[1])
                death.killed &= os.WIFSIGNALED(death.status)
                for place in death.places:
                    self._least[place] = max(self._least[place], 1.5 * (clock() - entered[place]))
                return death
            else:
                self._take(line, death, entered, not death.killed)
                if line == f"+{aim.place}" and not death.killed:
                    seen += 1
                    if seen == aim.nth:
                        deadline = clock() + aim.share * self._usual_s(aim.place)

    def _take(self, line: str, death: Death, entered: dict[str, float], timed: bool) -> None:
        kind, what = line[0], line[1:]
        if kind == "+":
            death.places.append(what)
            entered[what] = clock()
        elif kind == "-":
            death.places.remove(what)
            if timed:
                self._taken[what].append(clock() - entered[what])
        else:
            fact, number = what.rsplit(maxsplit=1)
            death.facts[fact] = int(number)

    def _usual_s(self, place: str) -> float:
        taken = self._taken[place]
        return statistics.median(taken) if taken else self._least[place]

    def usual_ms(self) -> dict[str, float]:
        """Milliseconds that each place usually took."""
        return {place: 1e3 * self._usual_s(place) for place in self._taken}

    def _expected(self) -> str:
        line = self._line(_PATIENCE_S)
        if line is None:
            raise RuntimeError("victim.py does not answer")
        return line

    def _line(self, timeout_s: float) -> str | None:
        """The next line, or None when there is none in time."""
        assert self._process.stdout is not None
        descriptor, until = self._process.stdout.fileno(), clock() + timeout_s
        while b"\n" not in self._pending:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, until - clock()))
            if not ready:
                return None
            data = os.read(descriptor, 1 << 16)
            if not data:
                raise RuntimeError("victim.py died")
            self._pending += data
        line, _, rest = bytes(self._pending).partition(b"\n")
        self._pending = bytearray(rest)
        return line.decode()

    def stop(self) -> None:
        """End it."""
        self._process.communicate()


@contextmanager
def served(sides: Path) -> Iterator[Server]:
    """A server for the block; sides: see victim.py."""
    server = Server(sides)
    try:
        yield server
    finally:
        server.stop()
