"""Trials shared out to workers, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from faults.worker import Worker

Spec = dict[str, Any]
Result = tuple[Spec, Spec]
"""what was done, and what came of it"""


def run(module: str, folder: Path, specs: Sequence[Spec], workers: int, timeout_s: float = 30.0) -> list[Result]:
    """Every trial of `specs`, in their order; each worker takes every n-th."""

    def share(number: int) -> list[Result]:
        worker = Worker(module, folder, timeout_s)
        try:
            return [(spec, worker.trial(spec)) for spec in specs[number::workers]]
        finally:
            worker.stop()

    with ThreadPoolExecutor(workers) as pool:
        shares = list(pool.map(share, range(workers)))
    found: list[Result] = [({}, {})] * len(specs)
    for number, results in enumerate(shares):
        found[number::workers] = results
    return found


def table(results: Iterable[Result], group: Callable[[Spec], str], outcomes: Sequence[str]) -> list[list[Any]]:
    """A row a group: trials, and how many had each outcome."""
    counts: dict[str, Counter[str]] = {}
    for spec, answer in results:
        counts.setdefault(group(spec), Counter())[answer["outcome"]] += 1
    unknown = {name for counter in counts.values() for name in counter} - set(outcomes)
    if unknown:
        raise RuntimeError(f"unforeseen outcomes {unknown}")
    return [[name, sum(counter.values()), *(counter[key] for key in outcomes)] for name, counter in counts.items()]


def told(results: Iterable[Result], most: int = 60) -> list[str]:
    """Lines that say what was done and what came of it."""
    return [f"{spec}: {answer['outcome']}: {answer.get('detail', '')[:300]}" for spec, answer in results][:most]
