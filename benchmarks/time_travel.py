"""Going back in time: how long `at` takes on a memory of a whole recording, and whether what it gives is exact.

Every good frame is stored. From each memory, closed and opened again, the map of 1, 10 and 50 % of the frames ago is
asked for, each time by a memory that has just been opened, and then that of the frame beside it, as moving a slider
would. "Exact": its canonical hash is that of a memory that was shown those frames alone. Live: asked of the memory that
is still being written, in whose file blocks stand as they were at the last checkpoints. A still room: how many things
are said to have departed or appeared between the middle of the recording and its end; nobody moved anything there.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from common import KITCHEN, TUM, Bench, Wanted, cell, clock
from recordings import available, frames_of, label

from spatialmem import SpatialMemory
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.retrieval.changes import NewlySeen
from spatialmem.types import Frame

SHARES = (1, 10, 50)
QUICK_COUNT = 24
CONFIG = MemoryConfig(gate=GateConfig(store_all=True), ram_bytes=2 << 30, checkpoint_frames=32)


def built(path: Path, frames: list[Frame]) -> SpatialMemory:
    """A memory of these frames."""
    memory = SpatialMemory.create(path, encoder="colours", config=CONFIG)
    for frame in frames:
        memory.observe(frame)
    return memory


def ms_to(memory: SpatialMemory, lsn: int) -> float:
    """How long it takes to go to a frame."""
    start = clock()
    memory.at(lsn=lsn).close()
    return 1e3 * (clock() - start)


def measured(name: str, bench: Bench, folder: Path) -> dict[str, list[float]]:
    """Figures by name, one a run."""
    frames = frames_of(name, QUICK_COUNT if bench.quick else None)
    path, found = folder / f"{name}.mem", {}
    lsns = {share: len(frames) - max(1, round(len(frames) * share / 100)) for share in SHARES}
    with built(path, frames) as memory:
        for share, lsn in lsns.items():
            found[f"live {share}"] = [ms_to(memory, lsn)]
    for run in range(bench.runs):
        bench.progress(f"{label(name)}, run {run + 1}")
        for share, lsn in lsns.items():
            with SpatialMemory.open(path) as memory:
                found.setdefault(f"opened {share}", []).append(ms_to(memory, lsn))
                found.setdefault(f"next {share}", []).append(ms_to(memory, lsn + 1 if share > 1 else lsn - 1))
    found["exact"] = [float(exact(path, lsn, frames[:lsn], folder / f"{name}{lsn}.mem")) for lsn in set(lsns.values())]
    with SpatialMemory.open(path) as memory:
        stamps = [keyframe.stamp_ns for keyframe in memory.trajectory()]
        start = clock()
        changes = memory.changes(stamps[len(stamps) // 2])
        found["changes ms"] = [1e3 * (clock() - start)]
        found["claims"] = [float(sum(not isinstance(change, NewlySeen) for change in changes))]
        found["newly seen"] = [float(len(changes) - found["claims"][0])]
    found["frames"] = [float(len(frames))]
    return found


def exact(path: Path, lsn: int, frames: list[Frame], other: Path) -> bool:
    """Whether the map after a frame is that of a memory of the frames up to it."""
    with SpatialMemory.open(path) as memory, built(other, frames) as true, memory.at(lsn=lsn) as then:
        return then.canonical_hash() == true.canonical_hash()


def main() -> None:
    bench = Bench(__file__, "Going back in time", __doc__)
    rows, still = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name in available(bench, (KITCHEN, TUM)):
            f, what = measured(name, bench, Path(folder)), label(name)
            bench.claim(f"maps that are exact: {what}", sum(f["exact"]) / len(f["exact"]), "share",
                        Wanted(must=1.0, sense="at least"))  # fmt: skip
            bench.claim(f"things claimed to have changed in a still room: {what}", f["claims"], "things",
                        Wanted(aim=0.0))  # fmt: skip
            for share in SHARES:
                asked = [cell(f[f"{way} {share}"]) for way in ("opened", "next", "live")]
                rows.append([what, int(f["frames"][0]), f"{share} %", *asked])
            still.append([what, cell(f["changes ms"]), cell(f["newly seen"])])
    columns = ["recording", "frames", "how far back", "just opened, ms", "one frame on from there, ms", "live, ms"]
    bench.table("how long `at` takes", columns, rows)
    bench.table("changes since the middle", ["recording", "ms", "places newly seen"], still)
    bench.finish()


if __name__ == "__main__":
    main()
