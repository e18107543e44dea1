"""The workers of a run, seen from the process that started them.

A worker that dies or whose agent stalls costs the episode it was in, and another takes its place.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import connection
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from typing import Any, final

from sim import errors
from sim.errors import SimError
from sim.runner.plan import Plan
from sim.runner.play import CELLS, outcome
from sim.runner.worker import THREADS, work

_LOOK_EVERY_S = 0.2
_GOODBYE_S = 5.0
_MAKING_S = 600.0  # an agent that loads a large model takes longer than one that answers; for ever it must not
Job = tuple[int, Mapping[str, Any]]
"""index and values of an episode"""


class RunFailed(SimError):
    """The task, the world or the making of the agent failed: no episode's fault."""


class Stopped(Exception):
    """Somebody asked the run to stop."""


@final
class _Hand:
    """One worker process."""

    def __init__(self, plan: Plan, out: Path, threads: int, replaces: bool) -> None:
        """replaces: another worker of this run that had made its agent."""
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        self._cells = RawArray("d", CELLS)
        self.index: int | None = None
        self._entered, self._started = False, 0.0
        arguments = (plan.as_json(), str(out), theirs, self._cells, not replaces)
        self._process = context.Process(target=work, args=arguments)  # agents may start processes
        with _inherited(threads):
            self._process.start()
        theirs.close()
        self.ready = False

    @property
    def waits_on(self) -> tuple[Any, int]:
        return self._link, self._process.sentinel

    def ask(self, **what: Any) -> None:
        """Send an order; a worker that died in the meantime is noticed when it is listened to."""
        with contextlib.suppress(OSError):
            self._link.send_bytes(json.dumps(what, allow_nan=False).encode())

    def run(self, job: Job) -> None:
        """Have an episode played."""
        self.index, self._entered, self._started = job[0], False, time.monotonic()
        self.ask(do="run", index=job[0], episode=job[1])

    def heard(self) -> Iterator[dict[str, Any]]:
        """Everything it has said since; {"dead": reason} at the end of a worker that ended unasked."""
        alive = self._process.is_alive()  # asked first: what was said before the end is still read
        try:
            while self._link.poll():
                said = json.loads(self._link.recv_bytes())
                self._entered |= "begun" in said
                yield said
        except (EOFError, OSError):
            self._process.join(_GOODBYE_S)
            alive = False
        if not alive:
            yield {"dead": _ending(self._process.exitcode)}

    def stalled(self, act_timeout_s: float) -> str:
        """That its agent has not answered for so long, or cannot be made; empty while that may still come."""
        making = self._cells[2]
        since = self._cells[0]  # read second: a worker sets it before it says that it is no longer making
        limit_s = max(_MAKING_S, act_timeout_s) if making else act_timeout_s
        if since == 0.0 or time.monotonic() - since <= limit_s:
            return ""
        if making:
            return f"stalled: the agent was not made within {limit_s:g} s"
        return f"stalled: the agent did not answer within {limit_s:g} s {self.where}"

    def lost(self, reason: str) -> dict[str, Any]:
        """What is left of a row when the process did not live to write it."""
        row = outcome("crash", reason, None) | {"steps": int(self._cells[1])}
        ms = round(1e3 * (time.monotonic() - self._started))
        return row | {"bytes": 0, "images": 0, "tokens": 0, "ms": ms, "ms_agent": None}

    @property
    def where(self) -> str:
        """In what the episode was when its process ended."""
        return f"in step {int(self._cells[1])}" if self._entered else "while its scene was opened"

    def kill(self) -> None:
        """End the process whatever it does, and those that its agent has started."""
        assert self._process.pid is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):  # all are gone, or it does not lead a group yet
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._link.close()

    def leave(self) -> None:
        """Let it end after what it is doing, unless that takes too long."""
        self.ask(do="end")
        self._process.join(_GOODBYE_S)


@final
class Crew:
    """So many workers. A context manager; leaving it ends them.

    `stopping` is asked several times a second; once it is true, `Stopped` is raised.
    """

    def __init__(self, plan: Plan, out: Path, workers: int, stopping: Callable[[], bool]) -> None:
        self._plan, self._out, self._wanted, self._stopping = plan, out, workers, stopping
        self._threads = max(1, _cores() // workers)
        self._hands: list[_Hand] = []

    def __enter__(self) -> Crew:
        self._hands.append(self._hand())
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        try:
            for hand in self._hands if kind is None else ():
                hand.leave()
        finally:
            for hand in self._hands:
                hand.kill()

    def _hand(self, replaces: bool = False) -> _Hand:
        return _Hand(self._plan, self._out, self._threads, replaces)

    def plan(self, episodes: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The manifest, and so many episodes; the first worker makes them."""
        first = self._hands[0]
        first.ask(do="plan", episodes=episodes)
        while True:
            for _, said in self._listen():
                _raise_failure(said)
                if "dead" in said:
                    raise RunFailed(f"a worker ended while it made the episodes: {said['dead']}")
                if "manifest" in said:
                    return said["manifest"], said["episodes"]

    def rows(self, jobs: Sequence[Job]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Play episodes; indices and their rows as they come."""
        todo = deque(jobs)
        while len(self._hands) < min(self._wanted, len(jobs)):
            self._hands.append(self._hand())
        for hand in self._hands:
            _give(hand, todo)
        while any(hand.index is not None for hand in self._hands):
            for hand, said in self._listen():
                _raise_failure(said)
                row = said.get("row")
                if "dead" in said:
                    row = hand.lost(f"the worker process ended {hand.where}: {said['dead']}")
                if row is not None and hand.index is not None:
                    yield self._done(hand, row, "dead" in said, todo)
            for hand in list(self._hands):
                busy = hand.ready and hand.index is not None  # one that never was ready ends the run, in `_listen`
                if busy and (reason := hand.stalled(self._plan.act_timeout_s)):
                    yield self._done(hand, hand.lost(reason), True, todo)

    def _done(self, hand: _Hand, row: dict[str, Any], gone: bool, todo: deque[Job]) -> tuple[int, dict[str, Any]]:
        """The row with its index; the hand, or another in its place, gets the next episode."""
        assert hand.index is not None
        index, hand.index = hand.index, None
        if gone:
            hand.kill()
            self._hands.remove(hand)
            if todo:
                hand = self._hand(replaces=True)
                self._hands.append(hand)
        if todo:
            _give(hand, todo)
        return index, row

    def _listen(self) -> Iterator[tuple[_Hand, dict[str, Any]]]:
        if self._stopping():
            raise Stopped
        connection.wait([part for hand in self._hands for part in hand.waits_on], _LOOK_EVERY_S)
        if self._stopping():
            raise Stopped
        for hand in list(self._hands):
            for said in hand.heard():
                hand.ready |= "ready" in said
                if "dead" in said and not hand.ready:
                    raise RunFailed(f"a worker ended before it had made task, world and agent: {said['dead']}")
                if "dead" in said and hand.index is None and len(self._hands) > 1:
                    hand.kill()  # it had nothing left to do; what its agent has started goes too
                    self._hands.remove(hand)
                    continue
                yield hand, said
            if not hand.ready and hand in self._hands and (stalled := hand.stalled(self._plan.act_timeout_s)):
                raise RunFailed(f"{stalled}; nothing can be played with it")


@contextlib.contextmanager
def _inherited(threads: int) -> Iterator[None]:
    """A process that is started here has so many threads for every library, and Ctrl-C, which reaches all processes of
    a terminal, does not break into its first imports."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _give(hand: _Hand, todo: deque[Job]) -> None:
    if todo:
        hand.run(todo.popleft())


def _raise_failure(said: Mapping[str, Any]) -> None:
    if "failed" in said:
        kind = getattr(errors, said["kind"], RunFailed)
        raise (kind if issubclass(kind, SimError) else RunFailed)(said["failed"])


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
