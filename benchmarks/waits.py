"""How long readers wait to be let in while frames are observed and a mesh is read out.

The kitchen recording walked to and fro, every frame stored, 2 cm, encoder `colours`, no file. One thread observes, one
reads out meshes without pause, and one enters and leaves the epoch every other millisecond, by a timer, and measures
how long each entry took. The first frames and one look of each kind, which compile the kernels, are not measured.
"""

from __future__ import annotations

import threading

from common import KITCHEN, Bench, Wanted, cell, clock, percentile
from recordings import available, frames_of, to_and_fro

from spatialmem import SpatialMemory
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.types import Frame

WARM_UP, COUNT, QUICK_COUNT = 40, 160, 20
PAUSE_S = 0.002


def one_run(frames: list[Frame]) -> dict[str, list[float]]:
    """Milliseconds of each entry, mesh and frame."""
    config = MemoryConfig(gate=GateConfig(store_all=True), ram_bytes=2 << 30)
    stop, taken = threading.Event(), {"wait": [], "mesh": [], "observe": []}
    with SpatialMemory.create(None, encoder="colours", config=config) as memory:

        def enter() -> None:
            while not stop.wait(PAUSE_S):
                start = clock()
                with memory._layers.epochs.read():
                    taken["wait"].append(1e3 * (clock() - start))

        def mesh() -> None:
            while not stop.is_set():
                start = clock()
                memory.mesh()
                taken["mesh"].append(1e3 * (clock() - start))

        def observe(frame: Frame) -> None:
            start = clock()
            memory.observe(frame)
            taken["observe"].append(1e3 * (clock() - start))

        for frame in frames[: WARM_UP - 1]:
            memory.observe(frame)
        with memory._layers.epochs.read():  # compiles what copies blocks
            memory.observe(frames[WARM_UP - 1])
        memory.mesh()
        threads = [threading.Thread(target=target) for target in (enter, mesh)]
        for thread in threads:
            thread.start()
        try:
            for frame in frames[WARM_UP:]:
                observe(frame)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    return taken


def main() -> None:
    bench = Bench(__file__, "Readers beside `observe` and a mesh that is read out", __doc__)
    available(bench, (KITCHEN,))
    frames = to_and_fro(frames_of(KITCHEN), WARM_UP + (QUICK_COUNT if bench.quick else COUNT))
    runs = []
    for run in range(bench.runs):
        bench.progress(f"run {run + 1}")
        runs.append(one_run(frames))
    bench.claim("longest wait of a reader", [max(run["wait"]) for run in runs], "ms", Wanted(must=5.0))
    rows = [[name, cell([percentile(run[name], 50) for run in runs]), cell([max(run[name]) for run in runs])]
            for name in ("wait", "mesh", "observe")]  # fmt: skip
    bench.table("each of them", ["", "median, ms", "longest, ms"], rows)
    bench.finish()


if __name__ == "__main__":
    main()
