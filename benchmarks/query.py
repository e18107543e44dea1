"""Asking a map of one million feature voxels.

The map is a flat wall seen by a camera that moves along it: analytic depth, 64-d features, everything through
`observe` of an ephemeral memory. The wall is painted with things; a stand-in encoder gives each thing a direction of
its own, so that a question has right answers of a known size. Timed is `SpatialMemory.query` with a text, from the
call to the finished hits: text vector, scan, grouping into regions, scores against a bank of 15, presence, evidence
boxes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import SEED, Bench, Wanted, cell, clock, percentile, usable_cores
from encoders import PATCH, Painted
from numpy.typing import NDArray
from recordings import wall

from spatialmem import SpatialMemory
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.types import Camera

SIZES = (250_000, 1_000_000)
QUICK_SIZES = (60_000,)
QUESTIONS = {"small things": "thing 1", "half of the wall (worst case)": "thing 2", "nothing": "thing 0"}
"""thing 1 is on 1 % of the wall, thing 2 on 48 %, thing 0 on none of it"""
ASKED, QUICK_ASKED = 40, 5
_LONGEST_MS = 2000
_CAMERA = Camera(525.0, 525.0, 319.5, 239.5, 640, 480)
_COLUMNS = 8


def painting(number: int) -> NDArray[np.uint8]:
    """(480, 640, 3): red names the thing of a patch, green its disturbance; the left half of every view is thing 2."""
    rng = np.random.default_rng([SEED, number])
    rows, columns = _CAMERA.height // PATCH, _CAMERA.width // PATCH
    thing = rng.integers(8, 48, (rows, columns))
    thing[:, : columns // 2] = 2
    row, column = rng.integers(1, rows - 4), rng.integers(columns // 2 + 1, columns - 5)
    thing[row : row + 3, column : column + 4] = 1
    patches = np.stack([thing, rng.integers(0, 251, thing.shape), np.full_like(thing, 128)], -1).astype(np.uint8)
    return np.kron(patches, np.ones((PATCH, PATCH, 1), np.uint8))


def grow(memory: SpatialMemory, size: int, first: int) -> int:
    """Observe views until the map holds `size` feature voxels; returns the number of the next view."""
    number = first
    while feature_voxels(memory) < size:
        memory.observe(wall(number, _COLUMNS, _CAMERA, painting(number)))
        number += 1
    return number


def feature_voxels(memory: SpatialMemory) -> int:
    """Rows of the map that hold a feature."""
    return int(np.count_nonzero(memory._layers.surface.pools.feature_weight))


def ask(memory: SpatialMemory, text: str, count: int) -> tuple[list[float], int, int]:
    """Milliseconds of each of `count` queries, or of fewer, at least 5, when they take long; hits; voxels searched."""
    answer, taken = memory.query(text), []
    while len(taken) < 5 or (len(taken) < count and sum(taken) < _LONGEST_MS):
        start = clock()
        answer = memory.query(text)
        taken.append(1e3 * (clock() - start))
    return taken, len(answer), answer.searched_voxels


def measured(bench: Bench, memory: SpatialMemory, threads: int) -> list[dict[str, Any]]:
    """Every question, asked in turn run by run."""
    from spatialmem.voxels.dispatch import DISPATCHER

    DISPATCHER.set_threads(threads)
    found: dict[str, dict[str, Any]] = {name: {"median": [], "p95": []} for name in QUESTIONS}
    for _ in range(bench.runs):
        for name, text in QUESTIONS.items():
            taken, hits, searched = ask(memory, text, QUICK_ASKED if bench.quick else ASKED)
            entry = found[name]
            entry["median"].append(percentile(taken, 50))
            entry["p95"].append(percentile(taken, 95))
            entry.update(question=name, hits=hits, searched=searched, threads=threads)
    return list(found.values())


def main() -> None:
    bench = Bench(__file__, "A query over one million feature voxels, text vector to finished hits", __doc__)
    config = MemoryConfig(gate=GateConfig(store_all=True), ram_bytes=2 << 30)
    sizes, rows, view = QUICK_SIZES if bench.quick else SIZES, [], 0
    cores = usable_cores()
    with SpatialMemory.create(None, encoder=Painted(SEED), config=config) as memory:
        for size in sizes:
            view = grow(memory, size, view)
            bench.progress(f"{feature_voxels(memory)} feature voxels from {view} views")
            for threads in (1, 2):
                if threads > cores:
                    bench.missing(f"{threads} threads: this machine gives {cores} core")
                    continue
                for entry in measured(bench, memory, threads):
                    add(bench, entry, feature_voxels(memory), rows, claimed=size == sizes[-1])
    columns = [
        "feature voxels",
        "threads",
        "question",
        "median, ms",
        "95th percentile, ms",
        "hits",
        "surface voxels searched",
    ]
    bench.table("time of a query", columns, rows)
    bench.finish()


def add(bench: Bench, entry: dict[str, Any], voxels: int, rows: list[list[Any]], claimed: bool) -> None:
    """One question at one size: a row of the table, and a claim at the largest size."""
    rows.append([voxels, entry["threads"], entry["question"], cell(entry["median"]), cell(entry["p95"]), entry["hits"],
                 entry["searched"]])  # fmt: skip
    if claimed:
        what = f"query for {entry['question']}, {voxels:,} feature voxels, {entry['threads']} threads"
        bench.claim(what, entry["median"], "ms", Wanted(must=30.0, aim=10.0))


if __name__ == "__main__":
    main()
