"""Closing and opening a memory of 500 MB.

The kitchen recording, every frame stored, walked to and fro through decoded frames with rising stamps until the file
and its wal have 500 MB; then a clean close. Opening is timed in new processes with the file in the page cache: `open`
is the call alone, `start to first answer` includes the imports. Rebuilding is timed on a smaller memory, where it can
be repeated. The cost of checkpoints is the difference between frames whose transaction wrote voxel blocks and those
whose did not.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import KITCHEN, ROOT, Bench, Wanted, cell, clock, percentile
from open_once import TEXT
from recordings import available, frames_of, restamped, to_and_fro

from spatialmem import SpatialMemory
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.types import Frame

WANTED_MB, QUICK_MB = 500, 40
REBUILT, QUICK_REBUILT = 120, 16
MODES = ("r", "a")


def on_disk_mb(path: Path) -> float:
    """File, wal and shm, MB of 10^6 bytes."""
    return sum(p.stat().st_size for p in path.parent.glob(path.name + "*")) / 1e6


def fill(path: Path, views: list[Frame], wanted_mb: float, bench: Bench) -> dict[str, Any]:
    """Observe until the file has its size; milliseconds of frames with and without blocks in their transaction."""
    lap, plain, with_blocks, number = [*views, *reversed(views)], [], [], 0
    memory = SpatialMemory.create(path, encoder="colours", config=MemoryConfig(gate=GateConfig(store_all=True)))
    size = 0.0
    while size < wanted_mb:
        frame = restamped(lap[number % len(lap)], number)
        before, start = memory._keeper._round.base_lsn, clock()
        memory.observe(frame)
        taken = 1e3 * (clock() - start)
        checkpoints = memory._keeper._round  # one is under way, or has just been completed
        (with_blocks if checkpoints._start is not None or checkpoints.base_lsn > before else plain).append(taken)
        number += 1
        if number % 100 == 0:
            size = on_disk_mb(path)
            bench.progress(f"{number} frames, {size:.0f} MB")
    start = clock()
    memory.close()
    closing = clock() - start
    return {
        "plain": plain,
        "with blocks": with_blocks,
        "close": closing,
        "frames": number,
        "MB": path.stat().st_size / 1e6,
    }


def in_process(path: Path, mode: str) -> dict[str, float]:
    """open_once.py in a process that has loaded nothing yet."""
    command = [sys.executable, str(ROOT / "benchmarks" / "open_once.py"), str(path), mode]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def rebuilds(folder: Path, views: list[Frame], runs: int) -> list[float]:
    """Milliseconds a frame of `rebuild`."""
    taken = []
    with SpatialMemory.create(
        folder / "small.mem", encoder="colours", config=MemoryConfig(gate=GateConfig(store_all=True))
    ) as memory:
        for frame in views:
            memory.observe(frame)
        for _ in range(runs):
            start = clock()
            memory.rebuild()
            taken.append(1e3 * (clock() - start) / len(views))
    return taken


def report_opening(bench: Bench, path: Path, size_mb: float) -> None:
    """Claims and table of opening, the modes in turn."""
    path.read_bytes()  # into the page cache
    found: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for _ in range(bench.runs):
        for mode in MODES:
            found[mode].append(in_process(path, mode))
    for mode in MODES:
        runs = [run["open"] for run in found[mode]]
        bench.claim(f'open("{mode}") of {size_mb:,.0f} MB after a clean close', runs, "s", Wanted(aim=1.0))
    names = [name for name in found["r"][0] if name != "hits"]
    rows = []
    for mode, runs in found.items():
        rows.append([f'open("{mode}")', *(cell([run[name] for run in runs]) for name in names), int(runs[0]["hits"])])
    bench.table("a new process, seconds", ["", *names, f"hits for {TEXT!r}"], rows)


def main() -> None:
    bench = Bench(__file__, "Opening and closing a 500 MB memory", __doc__)
    name = available(bench, [KITCHEN])[0]
    views = frames_of(name, QUICK_REBUILT if bench.quick else None)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rebuilding = rebuilds(folder, to_and_fro(views, QUICK_REBUILT if bench.quick else REBUILT), bench.runs)
        bench.progress("rebuilt")
        filled = fill(folder / "large.mem", views, QUICK_MB if bench.quick else WANTED_MB, bench)
        report_opening(bench, folder / "large.mem", filled["MB"])
    rows = [["rebuild, ms a frame", cell(rebuilding)], ["close after the last frame, s", cell(filled["close"])],
            ["frames in the file", filled["frames"]], ["file, MB", round(filled["MB"], 1)]]  # fmt: skip
    for kind in ("plain", "with blocks"):
        taken = filled[kind]
        if taken:
            figures = (statistics.median(taken), percentile(taken, 99), max(taken))
            name = f"observe, frames {kind}: number; median, 99th percentile, largest, ms"
            rows.append([name, f"{len(taken)}; {', '.join(f'{value:.1f}' for value in figures)}"])
    bench.table("the rest", ["", "measured"], rows)
    bench.finish()


if __name__ == "__main__":
    main()
