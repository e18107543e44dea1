"""Correcting poses: a recording with drift added, then corrected to its own poses, as a closed loop would.

Drift is a random walk of translation and rotation over the stored frames, growing to about 10 cm and 3 degrees. Three
memories are compared: one of the recording as it is, one of the drifted poses, and that one corrected with
`correct_poses`. Thickness of walls: around each of 400 surface points, the spread (10th to 90th percentile) along the
normal of the surface points within 6 cm across and 20 cm along it, those facing the same way only. Off the true
surface: distance of each surface point to the nearest of the memory without drift. Hits: distance of the best hit of
each colour word from where the memory without drift has it. Time: `correct_poses`, for each frame it read again. The
same is corrected once more after the images of half of the frames, or of all, were given up, as a file budget would:
what these left in the map is moved (docs/poses.md).
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import KITCHEN, SEED, TUM, Bench, Wanted, cell, clock
from recordings import available, frames_of, label
from scipy.spatial import cKDTree

from spatialmem import SpatialMemory
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.geometry import exp_se3
from spatialmem.types import Frame

COUNT, QUICK_COUNT = 60, 12
WORDS = ("red", "blue", "green", "yellow", "brown", "black", "white")
CONFIG = MemoryConfig(gate=GateConfig(store_all=True), ram_bytes=2 << 30)
THINNED = replace(CONFIG, file_bytes=1 << 34)
"""a file budget that nothing fills: only with one can images be given up"""
GIVEN_UP = {"half": 0.5, "none": 1.0}
"""share of the frames whose images are given up, by what is left"""


def drifted(frames: list[Frame], run: int) -> list[Frame]:
    """The frames with a random walk multiplied onto their poses."""
    rng = np.random.default_rng([SEED, run])
    step = np.array([0.1] * 3 + [np.radians(3.0)] * 3) / np.sqrt(len(frames))
    at, found = np.zeros(6), []
    for frame in frames:
        found.append(frame.with_pose(frame.pose @ exp_se3(at)))
        at = at + rng.normal(size=6) * step
    return found


def built(path: Path, frames: list[Frame], config: MemoryConfig = CONFIG) -> SpatialMemory:
    """A memory of these frames."""
    memory = SpatialMemory.create(path, encoder="colours", config=config)
    for frame in frames:
        memory.observe(frame)
    return memory


def thickness_mm(memory: SpatialMemory, seed: int) -> float:
    """Median over points of the spread along the normal."""
    points = memory.points()
    known = np.linalg.norm(points.normal, axis=1) > 0.5
    position, normal = points.position_m[known].astype(float), points.normal[known].astype(float)
    tree = cKDTree(position)
    spreads = []
    for n in np.random.default_rng(seed).choice(len(position), min(400, len(position)), replace=False):
        near = np.array(tree.query_ball_point(position[n], 0.21))
        offset = position[near] - position[n]
        along = offset @ normal[n]
        across = np.linalg.norm(offset - along[:, None] * normal[n], axis=1)
        same = (across < 0.06) & (np.abs(along) < 0.20) & (normal[near] @ normal[n] > 0.7)
        if same.sum() >= 10:
            spreads.append(np.subtract(*np.percentile(along[same], [90, 10])))
    return 1e3 * float(np.median(spreads))


def off_mm(memory: SpatialMemory, true: cKDTree) -> float:
    """Mean distance of the surface from the true one."""
    return 1e3 * float(true.query(memory.points().position_m)[0].mean())


def hits_off_mm(memory: SpatialMemory, where: dict[str, np.ndarray]) -> float:
    """Mean distance of the best hits."""
    gaps = []
    for word, place in where.items():
        found = memory.query(word, top=1)
        gaps.append(np.linalg.norm(found[0].position_m - place) if len(found) else 1.0)
    return 1e3 * float(np.mean(gaps))


def measured(name: str, bench: Bench, folder: Path) -> dict[str, list[float]]:
    """Figures of each run."""
    frames = frames_of(name, QUICK_COUNT if bench.quick else COUNT)
    found: dict[str, list[float]] = {}
    with built(folder / f"{name}.mem", frames) as clean:
        tree = cKDTree(clean.points().position_m)
        asked = {word: clean.query(word, top=1) for word in WORDS}
        where = {word: hits[0].position_m for word, hits in asked.items() if len(hits)}
        found["true thick"] = [thickness_mm(clean, run) for run in range(bench.runs)]
    for run in range(bench.runs):
        bench.progress(f"{label(name)}, run {run + 1}")
        with built(folder / f"{name}{run}.mem", drifted(frames, run)) as memory:
            figures = {"drift thick": thickness_mm(memory, run), "drift off": off_mm(memory, tree)}
            figures["drift hits"] = hits_off_mm(memory, where)
            start = clock()
            done = memory.correct_poses({k.lsn: f.pose for k, f in zip(memory.trajectory(), frames, strict=True)})
            figures["ms"] = 1e3 * (clock() - start) / max(done.replayed, 1)
            figures |= {"thick": thickness_mm(memory, run), "off": off_mm(memory, tree)}
            figures["hits"] = hits_off_mm(memory, where)
            live = memory.canonical_hash()
            memory.rebuild()
            figures["equal"] = float(memory.canonical_hash() == live)
        drifting = folder / f"{name}{run}drift.mem"
        built(drifting, drifted(frames, run), THINNED).close()
        figures |= without_images(drifting, frames, run, tree)
        for key, value in figures.items():
            found.setdefault(key, []).append(value)
    return found


def given_up(memory: SpatialMemory, share: float, seed: int) -> None:
    """Have the images of a share of the frames given up, chosen at random; the map stays."""
    lsns = [k.lsn for k in memory.trajectory()]
    chosen = np.random.default_rng(seed).choice(lsns, round(share * len(lsns)), replace=False)
    memory._keeper.complete_round(memory._layers)
    thinning = memory._keeper.thinning
    assert thinning is not None
    thinning._evict(sorted(chosen.tolist()))


def without_images(drifting: Path, frames: list[Frame], run: int, tree: cKDTree) -> dict[str, float]:
    """Figures of a drifted memory that is corrected when images are gone."""
    figures: dict[str, float] = {}
    for left, share in GIVEN_UP.items():
        path = shutil.copyfile(drifting, drifting.with_suffix(f".{left}.mem"))
        with SpatialMemory.open(path, "a") as memory:
            given_up(memory, share, run)
            start = clock()
            memory.correct_poses({k.lsn: f.pose for k, f in zip(memory.trajectory(), frames, strict=True)})
            figures[f"{left}: s"] = clock() - start
            figures |= {f"{left}: thick": thickness_mm(memory, run), f"{left}: off": off_mm(memory, tree)}
            live = memory.canonical_hash()
            memory.rebuild()
            figures[f"{left}: equal"] = float(memory.canonical_hash() == live)
        path.unlink()
    return figures


def main() -> None:
    bench = Bench(__file__, "Correcting poses after drift", __doc__)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in available(bench, (KITCHEN, TUM)):
            f = measured(name, bench, Path(folder))
            what = label(name)
            bench.claim(f"a replayed frame: {what}", f["ms"], "ms", Wanted(aim=40.0))
            bench.claim(f"runs equal to a rebuild: {what}", sum(f["equal"]) / len(f["equal"]), "share",
                        Wanted(must=1.0, sense="at least"))  # fmt: skip
            thinner = [a / b for a, b in zip(f["thick"], f["drift thick"], strict=True)]
            bench.claim(f"thickness of walls, after / before: {what}", thinner, "ratio", Wanted(aim=1.0))
            for side, of in (("drifted", "drift "), ("corrected", "")):
                rows.append([what, side, cell(f[of + "thick"]), cell(f[of + "off"]), cell(f[of + "hits"])])
            for left in GIVEN_UP:
                same = sum(f[f"{left}: equal"]) / len(f["equal"])
                bench.claim(f"runs equal to a rebuild, images left: {left}: {what}", same, "share",
                            Wanted(must=1.0, sense="at least"))  # fmt: skip
                thinner = [a / b for a, b in zip(f[f"{left}: thick"], f["drift thick"], strict=True)]
                bench.claim(f"thickness of walls, after / before, images left: {left}: {what}", thinner, "ratio",
                            Wanted(aim=1.0))  # fmt: skip
                rows.append([what, f"corrected, images left: {left}", cell(f[f"{left}: thick"]),
                             cell(f[f"{left}: off"]), ""])  # fmt: skip
            rows.append([what, "without drift", cell(f["true thick"]), 0, 0])
    columns = ["recording", "poses", "thickness of walls, mm", "off the true surface, mm", "hits off, mm"]
    bench.table("the map before and after", columns, rows)
    bench.finish()


if __name__ == "__main__":
    main()
