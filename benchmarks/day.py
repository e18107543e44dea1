"""A day of a robot in a house of five rooms: does a memory slow down, or grow in RAM, as its log grows?

How it was made: 24 hours of stamps, a frame every 4 seconds, 160x120, depth and colour cast analytically into a house
of axis-aligned boxes (benchmarks/house.py) with the noise of a structured-light sensor. The robot walks the same way
through all rooms once an hour, each time a few centimetres beside it and looking left and right; one of six coloured
things is moved to another spot twelve times a day. All frames go into one memory file by the full path: encoder
`colours`, look and gate, log, fusion, free space, evidence of change, checkpoints. The gate is the default one: as
frames come more than a second apart it keeps every one of them. The time is that of `observe` alone, without making
the frame. Fifths: the hour is compared with another one in five parts, each with the part that shows the same rooms.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from common import SEED, Bench, Wanted, clock, percentile, ratios, resident_mib
from house import Walk

from spatialmem import SpatialMemory
from spatialmem.budget import ByteBudget
from spatialmem.config import MemoryConfig
from spatialmem.types import Stored

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 160, 120
HOURS, AN_HOUR, QUICK_AN_HOUR = 24, 900, 40
MOVES_A_DAY = 12
VOXEL_M = 0.04
WARM_UP = 3


def options(parser: argparse.ArgumentParser) -> None:
    """`--budget`: the same day within bounds on RAM and file."""
    parser.add_argument("--budget", nargs=2, metavar=("RAM", "FILE"), help='ByteBudget, such as "300 MB" "200 MB"')


def on_disk_mib(path: Path) -> float:
    """File, wal and shm."""
    return sum(p.stat().st_size for p in path.parent.glob(path.name + "*")) / 2**20


def one_day(bench: Bench, path: Path, budget: ByteBudget | None) -> dict[str, Any]:
    """Milliseconds of `observe` for every frame, and the state at the end of each hour."""
    an_hour = QUICK_AN_HOUR if bench.quick else AN_HOUR
    walk, taken, hours, reasons = Walk(WIDTH, HEIGHT, an_hour, MOVES_A_DAY, SEED), [], [], {}
    config = MemoryConfig(voxel_size_m=VOXEL_M)
    with SpatialMemory.create(None, config=config) as warm:  # compiles or loads the kernels
        for number in range(WARM_UP):
            warm.observe(walk.frame(number))
    with SpatialMemory.create(path, config=config, budget=budget) as memory:
        for number in range(HOURS * an_hour):
            frame = walk.frame(number)
            start = clock()
            result = memory.observe(frame)
            taken.append(1e3 * (clock() - start))
            reason = result.reason if isinstance(result, Stored) else f"skipped: {result.reason}"
            reasons[reason] = reasons.get(reason, 0) + 1
            if (number + 1) % an_hour == 0:
                hours.append(state(memory, path))
                bench.progress(f"hour {len(hours)}: {statistics.median(taken[-an_hour:]):.1f} ms, {hours[-1]}")
        live, start = memory.canonical_hash(), clock()
    closing = clock() - start
    return {"ms": taken, "hours": hours, "reasons": reasons, "an hour": an_hour, "hash": live, "close": closing}


def state(memory: SpatialMemory, path: Path) -> dict[str, Any]:
    """What a memory takes at the moment."""
    layers = memory._layers
    return {"resident": resident_mib(), "file": on_disk_mib(path), "blocks": len(layers.surface),
            "free": len(layers.free), "departed": len(layers.departed), "frames": len(memory._keeper.rows)}  # fmt: skip


def fifths(one: list[float]) -> list[float]:
    """Means of five parts."""
    bounds = [len(one) * part // 5 for part in range(6)]
    return [statistics.fmean(one[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)]


def report(bench: Bench, found: dict[str, Any]) -> None:
    """Claims and the table by hour."""
    an_hour, taken, states = found["an hour"], found["ms"], found["hours"]
    hours = [taken[i : i + an_hour] for i in range(0, len(taken), an_hour)]
    bench.claim("frames", len(taken), "frames", Wanted(must=20_000, sense="at least"))
    bench.claim("time of a frame, last hour / first", ratios(fifths(hours[-1]), fifths(hours[0])), "ratio",
                Wanted(must=1.1), "fifths")  # fmt: skip
    bench.claim("time of a frame, last hour / second", ratios(fifths(hours[-1]), fifths(hours[1])), "ratio",
                Wanted(aim=1.1), "fifths; in the first the map is still made")  # fmt: skip
    resident = [one["resident"] for one in states]
    bench.claim("resident memory, end of the day / after two hours", resident[-1] / resident[1], "ratio",
                Wanted(must=1.05))  # fmt: skip
    rows = [
        [n + 1, one["frames"], statistics.fmean(ms), statistics.median(ms), percentile(ms, 99), max(ms),
         one["resident"], one["file"], one["blocks"], one["free"], one["departed"]]
        for n, (ms, one) in enumerate(zip(hours, states, strict=True))
    ]  # fmt: skip
    columns = ["hour", "frames stored", "mean, ms", "median, ms", "99th percentile, ms", "largest, ms",
               "resident, MiB", "file and wal, MiB", "surface blocks", "free-space blocks", "departed"]  # fmt: skip
    bench.table("by the hour", columns, rows)
    grown = 1024 * (resident[-1] - resident[1]) / max(1, states[-1]["frames"] - states[1]["frames"])
    bench.table("the day", ["", "measured"], [
        ["frames by outcome", ", ".join(f"{reason} {count}" for reason, count in sorted(found["reasons"].items()))],
        ["resident memory a stored frame, after two hours, KiB", grown],
        ["file a stored frame, KiB", 1024 * states[-1]["file"] / states[-1]["frames"]],
        ["close, s", found["close"]], ["open again, s", found["open"]], ["same layers", found["same"]],
    ])  # fmt: skip


def opened(path: Path, live: str) -> dict[str, Any]:
    """Seconds of opening the closed file, and whether it holds what the live memory held."""
    start = clock()
    with SpatialMemory.open(path) as memory:
        opening = clock() - start
        return {"open": opening, "same": "yes" if memory.canonical_hash() == live else "NO"}


def main() -> None:
    bench = Bench(__file__, "A day of 21,600 frames", __doc__, options, [HERE / "house.py"])
    given = bench.options.budget
    budget = None if given is None else ByteBudget(*given)
    bench.detail("budget", None if budget is None else {"ram": budget.ram, "file": budget.file})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.mem"
        found = one_day(bench, path, budget)
        report(bench, {**found, **opened(path, found["hash"])})
    bench.finish()


if __name__ == "__main__":
    main()
