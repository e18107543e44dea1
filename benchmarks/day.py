"""A day of a robot in a house of five rooms: does a memory slow down, or grow in RAM, as its log grows?

How it was made: 24 hours of stamps, a frame every 4 seconds, 160x120, depth and colour cast analytically into a house
of axis-aligned boxes (benchmarks/house.py) with the noise of a structured-light sensor. The robot walks the same way
through all rooms once an hour, each time a few centimetres beside it and looking left and right; one of six coloured
things is moved to another spot twelve times a day. All frames go into one memory file by the full path: encoder
`colours`, look and gate, log, fusion, free space, evidence of change, checkpoints. The gate is the default one: as
frames come more than a second apart it keeps every one of them. The time is that of `observe` alone, without making the
frame. The speed of a machine changes over a run this long, by 40 % at times, and the last hour over the first shows
that too: so there are three days, and a reference runs through each, in a process of its own, so that resident memory
is that of the day alone. In turn with every ninth frame one of the first hundred goes into a memory that is new each
hour, the same work in every hour; what it varies by is the machine. One such hour goes before the day in each process,
as the kernels are loaded in it. The second way: after the day three more hours go into the old memory, frame by frame
in turn with the first hour of a new one each.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from common import SEED, Bench, Wanted, cell, clock, percentile, ratios, resident_mib
from house import Walk

from spatialmem import SpatialMemory
from spatialmem.budget import ByteBudget
from spatialmem.config import MemoryConfig
from spatialmem.types import Frame, Skipped, Stored
from spatialmem.voxels.heap import give_back

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 160, 120
HOURS, AN_HOUR, QUICK_AN_HOUR = 24, 900, 27
MOVES_A_DAY = 12
VOXEL_M = 0.04
REFERENCE_EVERY = 9  # a part of both hours
TURNS = 3
"""hours in turn, each with a new memory"""


def options(parser: argparse.ArgumentParser) -> None:
    """`--budget`: the same day within bounds on RAM and file."""
    parser.add_argument("--days", type=int, default=3, help="days, each with a memory of its own")
    parser.add_argument("--budget", nargs=2, metavar=("RAM", "FILE"), help='ByteBudget, such as "300 MB" "200 MB"')


def on_disk_mib(path: Path) -> float:
    """File, wal and shm."""
    return sum(p.stat().st_size for p in path.parent.glob(path.name + "*")) / 2**20


def one_day(bench: Bench, folder: Path, budget: ByteBudget | None) -> dict[str, Any]:
    """Milliseconds of `observe` for every frame, and the state at the end of each hour."""
    an_hour, path = QUICK_AN_HOUR if bench.quick else AN_HOUR, folder / "day.mem"
    walk, config = Walk(WIDTH, HEIGHT, an_hour, MOVES_A_DAY, SEED), MemoryConfig(voxel_size_m=VOXEL_M)
    found: dict[str, Any] = {"ms": [], "busy": [], "hours": [], "reference": [], "reasons": Counter(),
                             "an hour": an_hour}  # fmt: skip
    fill(folder / "warm.mem", walk, an_hour, config, budget)
    give_back()  # what that memory has left in the heap
    found["before"] = resident_mib()
    with (
        SpatialMemory.create(path, encoder="colours", config=config, budget=budget) as memory,
        references(an_hour, budget) as reference,
    ):
        for number in range(HOURS * an_hour):
            if number % REFERENCE_EVERY == 0:
                reference.send(number % an_hour // REFERENCE_EVERY)
                found["reference"].append(reference.recv())
            wall_ms, busy_ms, result = timed(memory, walk.frame(number))
            found["ms"].append(wall_ms)
            found["busy"].append(busy_ms)
            found["reasons"][result.reason if isinstance(result, Stored) else f"skipped: {result.reason}"] += 1
            if (number + 1) % an_hour == 0:
                found["hours"].append(state(memory, path))
                median = statistics.median(found["ms"][-an_hour:])
                bench.progress(f"hour {len(found['hours'])}: {median:.1f} ms, {found['hours'][-1]}")
        found["turns"] = []
        for turn in range(TURNS):
            with SpatialMemory.create(
                folder / f"young{turn}.mem", encoder="colours", config=config, budget=budget
            ) as young:
                found["turns"].append(side_by_side(memory, young, an_hour, HOURS + turn))
        found["hash"], start = memory.canonical_hash(), clock()
    return {**found, "close": clock() - start, **opened(path, found["hash"])}


@contextmanager
def references(an_hour: int, budget: ByteBudget | None) -> Iterator[Connection]:
    """A process that observes a frame whose number it is sent, and sends back how long that took, in milliseconds."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, an_hour, budget), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def serve(asked: Connection, an_hour: int, budget: ByteBudget | None) -> None:
    """The process: frame 0 goes into a new memory, once all those of an hour have gone into another."""
    walk, config = Walk(WIDTH, HEIGHT, an_hour, MOVES_A_DAY, SEED), MemoryConfig(voxel_size_m=VOXEL_M)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "warm.mem", walk, an_hour, config, budget)
        memory = SpatialMemory.create(folder / "0.mem", encoder="colours", config=config, budget=budget)
        try:
            for hour in range(HOURS):
                if hour:
                    memory.close()
                    (folder / f"{hour - 1}.mem").unlink()
                    memory = SpatialMemory.create(
                        folder / f"{hour}.mem", encoder="colours", config=config, budget=budget
                    )
                for _ in range(an_hour // REFERENCE_EVERY):
                    asked.send(timed(memory, walk.frame(asked.recv()))[0])
        except EOFError:  # the day ended early
            pass
        finally:
            memory.close()


def fill(path: Path, walk: Walk, an_hour: int, config: MemoryConfig, budget: ByteBudget | None) -> None:
    """An hour of the reference, in a memory that is gone afterwards: compiles or loads the kernels."""
    with SpatialMemory.create(path, encoder="colours", config=config, budget=budget) as memory:
        for number in range(an_hour // REFERENCE_EVERY):
            memory.observe(walk.frame(number))
    path.unlink()


def timed(memory: SpatialMemory, frame: Frame) -> tuple[float, float, Stored | Skipped]:
    """Milliseconds on the wall and of the processors, and what came of it."""
    start, before = clock(), time.process_time()
    result = memory.observe(frame)
    return 1e3 * (clock() - start), 1e3 * (time.process_time() - before), result


def side_by_side(old: SpatialMemory, young: SpatialMemory, an_hour: int, hour: int) -> dict[str, list[float]]:
    """Milliseconds of this hour of the old memory and of the first hour of a new one, frame by frame in turn."""
    taken: dict[str, list[float]] = {"old": [], "young": []}
    walks = {"old": Walk(WIDTH, HEIGHT, an_hour, MOVES_A_DAY, SEED), "young": Walk(WIDTH, HEIGHT, an_hour, 0, SEED)}
    for number in range(an_hour):
        sides = [("old", old, hour * an_hour + number), ("young", young, number)]
        for name, memory, at in sides if number % 2 else sides[::-1]:
            taken[name].append(timed(memory, walks[name].frame(at))[0])
    return taken


def state(memory: SpatialMemory, path: Path) -> dict[str, Any]:
    """What a memory takes at the moment."""
    layers = memory._layers
    return {"resident": resident_mib(), "file": on_disk_mib(path), "blocks": len(layers.surface),
            "free": len(layers.free), "departed": len(layers.departed), "frames": len(memory._keeper.rows)}  # fmt: skip


def fifths(one: list[float]) -> list[float]:
    """Means of five parts."""
    bounds = [len(one) * part // 5 for part in range(6)]
    return [statistics.fmean(one[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]


def by_fifths(hours: list[list[float]], others: list[list[float]]) -> str:
    """Ratios of the means of the five parts of some hours and of others."""
    one, two = (np.mean([fifths(hour) for hour in some], axis=0) for some in (hours, others))
    return ", ".join(f"{ratio:.2f}" for ratio in one / two)


def machine_of(found: dict[str, Any]) -> list[float]:
    """Mean of the reference, milliseconds, hour by hour."""
    times = len(found["reference"]) // HOURS
    return [statistics.fmean(found["reference"][n : n + times]) for n in range(0, times * HOURS, times)]


def bare_of(found: dict[str, Any]) -> float:
    """The last hour over the first, as they were."""
    ms, an_hour = found["ms"], found["an hour"]
    return statistics.fmean(ms[-an_hour:]) / statistics.fmean(ms[:an_hour])


def claims_of(bench: Bench, days: list[dict[str, Any]], budget: ByteBudget | None) -> None:
    """Claims; a run is a day."""
    machines = [machine_of(found) for found in days]
    bench.claim("frames", [len(found["ms"]) for found in days], "frames", Wanted(must=20_000, sense="at least"))
    slower = ", ".join(f"{machine[-1] / machine[0]:.2f}" for machine in machines)
    bench.claim("time of a frame, last hour / first", [bare_of(found) for found in days], "ratio", Wanted(must=1.1),
                f"mean of the hour; days after each other; the reference in the meantime: {slower}")  # fmt: skip
    turns = [turn for found in days for turn in found["turns"]]
    in_turn = ratios(*([statistics.fmean(turn[side]) for turn in turns] for side in ("old", "young")))
    bench.claim("time of a frame, an hour after the day / the first of a new memory, in turn", in_turn, "ratio",
                Wanted(must=1.1), "mean of the hour; three hours a day, each with a new memory")  # fmt: skip
    resident = [[one["resident"] for one in found["hours"]] for found in days]
    bench.claim("resident memory, end of the day / after two hours", [one[-1] / one[1] for one in resident], "ratio",
                Wanted(must=1.05))  # fmt: skip
    bench.claim("the closed file holds other layers than the live memory", sum(not found["same"] for found in days),
                "memories", Wanted(must=0))  # fmt: skip
    if budget is not None:
        largest = [max(one["file"] for one in found["hours"]) * 2**20 / budget.file for found in days]
        bench.claim("file and wal, largest at the end of an hour / budget", largest, "ratio", Wanted(must=1.0))
        above = [(max(one) - found["before"]) * 2**20 / budget.ram for one, found in zip(resident, days, strict=True)]
        bench.claim("resident memory above that before, largest at the end of an hour / budget", above, "ratio",
                    Wanted(must=1.0))  # fmt: skip


def report(bench: Bench, found: dict[str, Any]) -> None:
    """Tables of a day."""
    an_hour, states = found["an hour"], found["hours"]
    hours, busy = (
        [found[kind][i : i + an_hour] for i in range(0, len(found[kind]), an_hour)] for kind in ("ms", "busy")
    )
    old_turns, young_turns = ([turn[side] for turn in found["turns"]] for side in ("old", "young"))
    old, young = (list(map(statistics.fmean, turns)) for turns in (old_turns, young_turns))
    machine, bare, resident = machine_of(found), bare_of(found), [one["resident"] for one in states]
    rows = [
        [n + 1, one["frames"], statistics.fmean(ms), statistics.median(ms), percentile(ms, 99), max(ms),
         statistics.fmean(cpu), same, one["resident"], one["file"], one["blocks"], one["free"], one["departed"]]
        for n, (ms, cpu, same, one) in enumerate(zip(hours, busy, machine, states, strict=True))
    ]  # fmt: skip
    columns = ["hour", "frames stored", "mean, ms", "median, ms", "99th percentile, ms", "largest, ms",
               "processor, mean, ms", "reference, mean, ms", "resident, MiB", "file and wal, MiB", "surface blocks",
               "free-space blocks", "departed"]  # fmt: skip
    bench.table("by the hour, the last of the days", columns, rows)
    grown = 1024 * (resident[-1] - resident[1]) / max(1, states[-1]["frames"] - states[1]["frames"])
    bench.table("that day", ["", "measured"], [
        ["frames by outcome", ", ".join(f"{reason} {count}" for reason, count in sorted(found["reasons"].items()))],
        ["resident memory a stored frame, after two hours, KiB", grown],
        ["file a stored frame, KiB", 1024 * states[-1]["file"] / states[-1]["frames"]],
        ["in turn: a frame in the old memory, ms", cell(old)],
        ["in turn: a frame in the new memory, ms", cell(young)],
        ["in turn: the old memory / the new one, by fifths", by_fifths(old_turns, young_turns)],
        ["bare: the last hour / the first, mean", bare], ["the reference: the same", machine[-1] / machine[0]],
        ["bare: the last hour / the first, by fifths", by_fifths(hours[-1:], hours[:1])],
        ["bare: processor time, the last hour / the first, by fifths", by_fifths(busy[-1:], busy[:1])],
        ["the machine: first hour of a new memory, after the day / the day's own, by fifths",
         by_fifths(young_turns, hours[:1])],
        ["close, s", found["close"]], ["open again, s", found["open"]],
    ])  # fmt: skip


def opened(path: Path, live: str) -> dict[str, Any]:
    """Seconds of opening the closed file, and whether it holds what the live memory held."""
    start = clock()
    with SpatialMemory.open(path) as memory:
        opening = clock() - start
        return {"open": opening, "same": memory.canonical_hash() == live}


def main() -> None:
    bench = Bench(__file__, "A day of 21,600 frames", __doc__, options, [HERE / "house.py"])
    given = bench.options.budget
    budget = None if given is None else ByteBudget(*given)
    bench.detail("budget", None if budget is None else {"ram": budget.ram, "file": budget.file})
    days = []
    for _ in range(1 if bench.quick else bench.options.days):
        with tempfile.TemporaryDirectory() as folder:
            days.append(one_day(bench, Path(folder), budget))
    claims_of(bench, days, budget)
    report(bench, days[-1])
    bench.finish()


if __name__ == "__main__":
    main()
