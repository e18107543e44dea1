"""A memory without a file, for training loops: 128x128 frames of a table top in a workspace of one metre, one thread.

Analytic frames with 1 mm of depth noise from a camera that circles a table with four balls; encoder `colours` (or
that of --encoder) on every frame, every frame kept, voxels of 5 and 10 mm. Each run is one episode after `reset()`.
"""

from __future__ import annotations

import argparse
import os

from common import SEED, Bench, Wanted, cell, clock, percentile
from recordings import tabletop

from spatialmem import SpatialMemory
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.types import Frame

SIZE = 128
VOXELS_M = (0.005, 0.01)
EPISODE, QUICK_EPISODE = 240, 40
WORKSPACE_M = (-0.5, -0.5, -0.2, 0.5, 0.5, 0.8)


def options(parser: argparse.ArgumentParser) -> None:
    """Which encoder."""
    parser.add_argument("--encoder", default="colours")


def episode(memory: SpatialMemory, frames: list[Frame]) -> tuple[list[float], float]:
    """Milliseconds of each `observe`, and of the `reset` after them."""
    taken = []
    for frame in frames:
        start = clock()
        memory.observe(frame)
        taken.append(1e3 * (clock() - start))
    start = clock()
    memory.reset()
    return taken, 1e3 * (clock() - start)


def main() -> None:
    bench = Bench(__file__, "Ephemeral mode: `observe` at 128x128 and `reset()`", __doc__, options)
    from spatialmem.voxels.dispatch import DISPATCHER

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    DISPATCHER.set_threads(1)
    frames, rows = tabletop(QUICK_EPISODE if bench.quick else EPISODE, SIZE, SEED), []
    for voxel_m in VOXELS_M:
        config = MemoryConfig(
            voxel_size_m=voxel_m, workspace_m=WORKSPACE_M, max_depth_m=2.0, gate=GateConfig(store_all=True)
        )
        with SpatialMemory.create(None, encoder=bench.options.encoder, config=config) as memory:
            episode(memory, frames[:5])  # compiles or loads the kernels
            bench.progress(f"{voxel_m * 1e3:.0f} mm")
            runs = [episode(memory, frames) for _ in range(bench.runs)]
            for frame in frames:
                memory.observe(frame)
            info = memory.info()
        where, medians = f"{voxel_m * 1e3:.0f} mm voxels", [percentile(taken, 50) for taken, _ in runs]
        resets = [reset for _, reset in runs]
        bench.claim(f"observe, {where}", medians, "ms", Wanted(must=8.0))
        bench.claim(f"reset after {len(frames)} frames, {where}", resets, "ms", Wanted(must=5.0))
        counts = [info[name] for name in ("frames", "surface_blocks", "surface_rows")]
        slowest = cell([percentile(taken, 99) for taken, _ in runs])
        rows.append([where, cell(medians), slowest, cell(resets), *counts])
    columns = ["", "observe median, ms", "99th percentile, ms", "reset, ms", "frames kept", "blocks", "surface rows"]
    bench.table(f"episodes of {len(frames)} frames", columns, rows)
    bench.finish()


if __name__ == "__main__":
    main()
