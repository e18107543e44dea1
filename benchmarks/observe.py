"""`observe` with the default encoder (or that of --encoder) on 640x480 recordings, reading and decoding included.

Each recording goes into a new memory file: once with every frame stored, once at the default gate, in turn. The time
of a frame runs from asking the reader for it to the return of `observe`; frames a second are frames over the sum of
these times. Growth: one long memory with every frame stored, walked to and fro through the decoded frames of all
recordings (each in a session of its own, 30 m apart) with rising stamps; the first lap is warm-up, and the last whole
lap is compared with the second, so that both show the same views.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import KITCHEN, REDWOOD, TUM, Bench, Wanted, cell, clock, percentile, ratios, resident_mib
from recordings import available, frames_of, label, reader, restamped

from spatialmem import SpatialMemory
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.perception import DEFAULT_ENCODER
from spatialmem.types import Frame, Stored

RECORDINGS = (KITCHEN, TUM, REDWOOD)
GATES = {"every frame": GateConfig(store_all=True), "default gate": GateConfig()}
QUICK_FRAMES = 12
LONG, QUICK_LONG = 5000, 500
_APART_M = 30.0


def options(parser: argparse.ArgumentParser) -> None:
    """Which encoder."""
    parser.add_argument("--encoder", default=DEFAULT_ENCODER)


def some_frames(name: str, most: int | None) -> Iterator[tuple[float, Frame]]:
    """Milliseconds the reader took for each frame, and the frame."""
    source, number = iter(reader(name)), 0
    while most is None or number < most:
        start = clock()
        frame = next(source, None)
        if frame is None:
            return
        yield 1e3 * (clock() - start), frame
        number += 1


def one_build(name: str, gate: GateConfig, folder: Path, most: int | None, encoder: str) -> dict[str, Any]:
    """One recording into one new file."""
    path = folder / "memory.mem"
    decode, observe, stored = [], [], 0
    with SpatialMemory.create(path, encoder=encoder, config=MemoryConfig(gate=gate)) as memory:
        for decoding, frame in some_frames(name, most):
            start = clock()
            stored += isinstance(memory.observe(frame), Stored)
            observe.append(1e3 * (clock() - start))
            decode.append(decoding)
        start = clock()
    closing = 1e3 * (clock() - start)
    size = path.stat().st_size / 2**20
    path.unlink()
    return {"decode": decode, "observe": observe, "stored": stored, "close": closing, "MiB": size}


def builds(bench: Bench, name: str, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """All runs of a recording, the gates in turn."""
    found: dict[str, list[dict[str, Any]]] = {gate: [] for gate in GATES}
    for run in range(bench.runs):
        order = list(GATES) if run % 2 == 0 else list(GATES)[::-1]
        for gate in order:
            found[gate].append(
                one_build(name, GATES[gate], folder, QUICK_FRAMES if bench.quick else None, bench.options.encoder)
            )
    return found


def report_builds(bench: Bench, name: str, found: dict[str, list[dict[str, Any]]], rows: list[list[Any]]) -> None:
    """Claims and a table row for each gate."""
    for gate, runs in found.items():
        whole = [[d + o for d, o in zip(run["decode"], run["observe"], strict=True)] for run in runs]
        per_second = [1e3 * len(frames) / sum(frames) for frames in whole]
        slowest = [percentile(frames, 99) for frames in whole]
        where = f"{label(name)}, {gate}"
        bench.claim(f"frames a second: {where}", per_second, "1/s", Wanted(aim=15.0, sense="at least"))
        bench.claim(f"99th percentile of a frame: {where}", slowest, "ms", Wanted(aim=150.0), f"{len(whole[0])} frames")
        rows.append([
            where, len(whole[0]), runs[0]["stored"], cell([percentile(frames, 50) for frames in whole]), cell(slowest),
            *(cell([statistics.median(run[part]) for run in runs]) for part in ("decode", "observe")),
            cell([run["close"] for run in runs]), round(runs[0]["MiB"], 1),
        ])  # fmt: skip


# --- growth


def lap_of(names: list[str], most: int | None) -> list[Frame]:
    """The views of one lap: each recording forwards and backwards, in a session of its own."""
    lap = []
    for name in names:
        frames = [replace(frame, session_id=name) for frame in frames_of(name, most)]
        lap += [*frames, *reversed(frames)]
    return lap


def long_run(bench: Bench, names: list[str], folder: Path) -> dict[str, Any]:
    """Milliseconds of `observe` for every frame, and resident memory at the end of each lap."""
    lap = lap_of(names, QUICK_FRAMES if bench.quick else None)
    count, taken, resident = QUICK_LONG if bench.quick else LONG, [], []
    with SpatialMemory.create(
        folder / "long.mem", encoder=bench.options.encoder, config=MemoryConfig(gate=GateConfig(store_all=True))
    ) as memory:
        for number, name in enumerate(names):
            place = np.eye(4)
            place[0, 3] = number * _APART_M
            memory.add_session(name, place)
        for i in range(count):
            frame = restamped(lap[i % len(lap)], i)
            start = clock()
            memory.observe(frame)
            taken.append(1e3 * (clock() - start))
            if i % len(lap) == len(lap) - 1:
                resident.append(resident_mib())
                bench.progress(f"growth: {i + 1} of {count} frames, {resident[-1]:.0f} MiB resident")
        blocks = len(memory._layers.surface)
        start = clock()
    return {"lap": len(lap), "ms": taken, "resident": resident, "blocks": blocks, "close": clock() - start,
            "MiB": (folder / "long.mem").stat().st_size / 2**20}  # fmt: skip


def report_growth(bench: Bench, found: dict[str, Any]) -> None:
    """The last whole lap against the second: five parts of each as runs."""
    lap, taken = found["lap"], found["ms"]
    laps = [taken[i : i + lap] for i in range(0, len(taken) - lap + 1, lap)]
    if len(laps) < 3:
        bench.missing(f"growth: {len(taken)} frames are fewer than three laps of {lap}")
        return
    bounds = [lap * part // 5 for part in range(6)]
    early, late = (
        [statistics.fmean(one[a:b]) for a, b in zip(bounds, bounds[1:], strict=False)] for one in (laps[1], laps[-1])
    )
    what = f"time of a frame, frames {len(taken) - len(taken) % lap - lap} on / frames {lap} on"
    bench.claim(what, ratios(late, early), "ratio", Wanted(aim=1.1), f"five fifths of a lap of {lap} frames")
    first, last = found["resident"][1], found["resident"][-1]
    bench.claim("resident memory at the end / after two laps", last / first, "ratio", Wanted(aim=1.1))
    per_frame = 1024 * (last - first) / max(1, (len(laps) - 2) * lap)
    bench.table(
        f"growth over {len(taken)} frames, every frame stored (observe alone, without decoding)",
        ["lap", "mean, ms", "median, ms", "99th percentile, ms", "resident, MiB"],
        [[n + 1, statistics.fmean(one), statistics.median(one), percentile(one, 99), resident]
         for n, (one, resident) in enumerate(zip(laps, found["resident"], strict=False))],
    )  # fmt: skip
    bench.detail("growth", {
        "resident KiB a stored frame": round(per_frame, 2), "surface blocks": found["blocks"],
        "file MiB": round(found["MiB"]), "close s": round(found["close"], 2), "largest ms": max(taken),
        "frames over 150 ms": sum(t > 150 for t in taken),
        "least squares ms a thousand frames": round(1000 * slope(taken[lap : len(laps) * lap]), 3),
    })  # fmt: skip


def slope(values: list[float]) -> float:
    """Least-squares slope of values over their index."""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0]) if len(values) > 1 else math.nan


def main() -> None:
    bench = Bench(__file__, "`observe` end to end, 640x480", __doc__, options)
    names, rows = available(bench, RECORDINGS), []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in names:
            bench.progress(label(name))
            one_build(
                name, GATES["every frame"], folder, 3, bench.options.encoder
            )  # compiles or loads the kernels of library and reader
            report_builds(bench, name, builds(bench, name, folder), rows)
        bench.table(
            "a frame, ms (median of runs, min .. max)",
            ["", "frames", "stored", "median", "99th percentile", "reading, median", "observe, median", "close",
             "file, MiB"], rows,
        )  # fmt: skip
        report_growth(bench, long_run(bench, names, folder))
    bench.finish()


if __name__ == "__main__":
    main()
