"""Fusing 640x480 frames into voxels, beside Open3D's VoxelBlockGrid.

Each number of threads gets a process of its own, bound to as many cores, with OMP_NUM_THREADS set, so that neither
side can use more. Inside it the sides run in turn, each into a fresh map. Open3D: tsdf, weight and colour; of block
edges 8 and 16 and attributes float32 and uint16 the fastest is taken, anew for every row. Reading files and
converting images is outside the timed part on both sides; packing the depth image and searching blocks are inside.
Same frames, truncation of 3 voxels and readings up to 5 m on both sides, a 14 x 14 grid of features a frame; median
over the frames after 10 of warm-up. Second table: `observe` of a memory without a file, with an encoder that costs
nothing and features on every 5th frame, so that all it does to voxels is left, and little else.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from common import KITCHEN, REDWOOD, ROOT, SEED, Bench, Wanted, alternate, cell, clock, ratios, usable_cores
from encoders import Ready
from recordings import available, frames_of, label

from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.types import Frame

VOXELS_M = (0.01, 0.02, 0.04)
TRUNCATION_VOXELS, MAX_DEPTH_M = 3.0, 5.0
WIDTH, GRID, ENCODE_EVERY = 64, 14, 5
WARM_UP = 10
FRAMES = {KITCHEN: 60, REDWOOD: 30}
QUICK_FRAMES = 16
VARIANTS = tuple((block, kind) for block in (8, 16) for kind in ("float32", "uint16"))
_RAM_BYTES = 4 << 30


# --- the sides: milliseconds of each frame


def config(voxel_m: float) -> MemoryConfig:
    """The same numbers on both sides."""
    return MemoryConfig(
        voxel_size_m=voxel_m, truncation_voxels=TRUNCATION_VOXELS, max_depth_m=MAX_DEPTH_M, ram_bytes=_RAM_BYTES,
        encode_every=ENCODE_EVERY, gate=GateConfig(store_all=True),
    )  # fmt: skip


def patch_features() -> np.ndarray:
    """(14, 14, 64) unit rows."""
    rows = np.random.default_rng(SEED).standard_normal((GRID, GRID, WIDTH)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def fuse(frames: Sequence[Frame], voxel_m: float, features: np.ndarray | None) -> list[float]:
    """SurfaceGrid: pack the depth image, search blocks, fuse."""
    from spatialmem.voxels.surface import SurfaceGrid
    from spatialmem.voxels.views import DepthView

    numbers = config(voxel_m)
    grid, taken = SurfaceGrid(numbers, WIDTH), []
    for lsn, f in enumerate(frames, 1):
        start = clock()
        view = DepthView.of(f.depth_m, f.valid, f.camera, f.world_from_camera, numbers)
        grid.apply(grid.plan(view, lsn), f.rgb, features)
        taken.append(1e3 * (clock() - start))
    return taken


def observe_voxels(
    frames: Sequence[Frame], voxel_m: float, features: np.ndarray, watch: Callable[[Any], None] | None = None
) -> list[float]:
    """`observe` of a memory without a file whose encoder costs nothing: what is left is its work on voxels.

    Look, judge, plan, carry out, fuse, free space, and the packing of depth for each; features every 5th frame.
    """
    from spatialmem import SpatialMemory

    taken = []
    with SpatialMemory.create(None, encoder=Ready(features), config=config(voxel_m)) as memory:
        if watch is not None:
            watch(memory._layers)
        for f in frames:
            start = clock()
            memory.observe(f)
            taken.append(1e3 * (clock() - start))
    return taken


PARTS = {
    "surface": ("look", "judge", "touch", "plan", "carry_out", "apply"),
    "free": ("plan", "apply"),
}  # fmt: skip


def parts_of_observe(frames: Sequence[Frame], voxel_m: float, features: np.ndarray) -> dict[str, float]:
    """Mean milliseconds of the parts of `observe_voxels`; the rest is packing depth (twice), checks, lists of cells."""
    spent: dict[str, list[float]] = {}

    def timed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            start = clock()
            result = method(*args, **keywords)
            spent.setdefault(name, []).append(1e3 * (clock() - start))
            return result

        return call

    def watched(layers: Any) -> None:
        for grid, names in PARTS.items():
            for name in names:
                setattr(getattr(layers, grid), name, timed(f"{grid}.{name}", getattr(getattr(layers, grid), name)))

    whole = observe_voxels(frames, voxel_m, features, watched)[WARM_UP:]
    means = {name: statistics.fmean(values[WARM_UP:]) for name, values in spent.items()}
    return {**means, "rest": statistics.fmean(whole) - sum(means.values())}


def open3d_images(frames: Sequence[Frame], kind: str) -> list[tuple]:
    """Depth, colour, extrinsic as Open3D takes them for attributes of this kind; readings are whole millimetres."""
    import open3d as o3d

    found = []
    for f in frames:
        depth = np.nan_to_num(f.depth_m if f.valid is None else np.where(f.valid, f.depth_m, 0), posinf=0.0)
        raw = np.rint(depth * 1000).astype(np.uint16) if kind == "uint16" else (depth * 1000).astype(np.float32)
        rgb = f.rgb if kind == "uint16" else f.rgb.astype(np.float32)
        images = [o3d.t.geometry.Image(o3d.core.Tensor(np.ascontiguousarray(a))) for a in (raw, rgb)]
        found.append((*images, o3d.core.Tensor(np.linalg.inv(f.world_from_camera))))
    return found


def fuse_open3d(images: Sequence[tuple], k: np.ndarray, voxel_m: float, block: int, kind: str) -> list[float]:
    """VoxelBlockGrid: search blocks, fuse."""
    import open3d as o3d

    core = o3d.core
    attribute, intrinsic = getattr(core, kind), core.Tensor(k)
    capacity = 60_000 if block == 8 else 12_000
    grid = o3d.t.geometry.VoxelBlockGrid(
        ("tsdf", "weight", "color"), (core.float32, attribute, attribute), ((1), (1), (3)), voxel_m, block, capacity,
        core.Device("CPU:0"),
    )  # fmt: skip
    taken = []
    for depth, colour, extrinsic in images:
        start = clock()
        found = grid.compute_unique_block_coordinates(
            depth, intrinsic, extrinsic, 1000.0, MAX_DEPTH_M, TRUNCATION_VOXELS
        )
        grid.integrate(found, depth, colour, intrinsic, extrinsic, 1000.0, MAX_DEPTH_M, TRUNCATION_VOXELS)
        taken.append(1e3 * (clock() - start))
    return taken


# --- one process: one recording, one number of threads


def work(recording: str, threads: int, count: int, runs: int) -> dict[str, Any]:
    """Figures by voxel size. Called in a process of its own."""
    import open3d as o3d

    from spatialmem.voxels.dispatch import DISPATCHER

    DISPATCHER.set_threads(threads)
    o3d.utility.set_max_threads(threads)
    frames = frames_of(recording, count)
    images = {kind: open3d_images(frames, kind) for kind in ("float32", "uint16")}
    fuse(frames[:3], 0.04, patch_features())  # compiles or loads the kernels
    observe_voxels(frames[:3], 0.04, patch_features())
    return {str(voxel_m): _at(voxel_m, frames, images, runs) for voxel_m in VOXELS_M}


def _at(voxel_m: float, frames: Sequence[Frame], images: dict[str, list[tuple]], runs: int) -> dict[str, Any]:
    k, features = frames[0].camera.K, patch_features()

    def baseline(block: int, kind: str) -> list[float]:
        return fuse_open3d(images[kind], k, voxel_m, block, kind)

    tried = {f"{b}^3 {kind}": statistics.median(baseline(b, kind)[WARM_UP:]) for b, kind in VARIANTS}
    fastest = VARIANTS[int(np.argmin(list(tried.values())))]
    sides: dict[str, Callable[[], dict[str, float]]] = {
        "open3d": _summary("open3d", lambda: baseline(*fastest)),
        "features": _summary("features", lambda: fuse(frames, voxel_m, features)),
        "colour": _summary("colour", lambda: fuse(frames, voxel_m, None)),
        "observe": _summary("observe", lambda: observe_voxels(frames, voxel_m, features)),
    }
    parts = parts_of_observe(frames, voxel_m, features)
    return {"parts": parts, "tried": tried, "fastest": f"{fastest[0]}^3 {fastest[1]}", **alternate(sides, runs)}


def _summary(name: str, side: Callable[[], list[float]]) -> Callable[[], dict[str, float]]:
    def measured() -> dict[str, float]:
        taken = side()[WARM_UP:]
        return {f"{name} median": statistics.median(taken), f"{name} mean": statistics.fmean(taken)}

    return measured


def in_process(recording: str, threads: int, count: int, runs: int) -> dict[str, Any]:
    """`work` in a process bound to `threads` cores."""
    job = json.dumps([recording, threads, count, runs])
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "SPATIALMEM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, __file__, "--job", job],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def bind(threads: int) -> None:
    """Keep this process on `threads` of its cores; threads that libraries start later are bound with it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


# --- the report


def report(bench: Bench, found: dict[tuple[str, int], dict[str, Any]]) -> None:
    """Claims and table from the figures of all processes."""
    rows, second, parts = [], [], []
    for (recording, threads), by_voxel in found.items():
        for voxel, figures in by_voxel.items():
            where = f"{label(recording)}, {float(voxel) * 100:.0f} cm, {threads} thread{'s' * (threads > 1)}"
            wanted = Wanted(must=0.8, aim=0.5 if float(voxel) == 0.02 else None)
            ratio = ratios(figures["features median"], figures["open3d median"])
            bench.claim(f"colour + 64-d features / Open3D colour alone: {where}", ratio, "ratio", wanted)
            keys = ("features median", "colour median", "open3d median")
            colour = ratios(figures["colour median"], figures["open3d median"])
            rows.append([where, *(cell(figures[key], "ms") for key in keys), cell(colour, "ratio"), figures["fastest"]])
            whole = ratios(figures["observe mean"], figures["open3d mean"])
            second.append([where, cell(figures["observe mean"]), cell(figures["observe median"]),
                           cell(figures["open3d mean"]), cell(whole)])  # fmt: skip
            parts.append([where, *(round(value, 2) for value in figures["parts"].values())])
    bench.table(
        "fusion of a frame, ms (median over the frames; median of runs, min .. max)",
        ["", "colour + features", "colour", "Open3D colour", "colour / Open3D", "Open3D's fastest"], rows,
    )  # fmt: skip
    bench.table(
        f"observe's voxel work, features every {ENCODE_EVERY}th frame, ms a frame (the median hides those frames)",
        ["", "observe's voxel work, mean", "median", "Open3D colour fusion, mean", "ratio of means"], second,
    )  # fmt: skip
    names = [n.replace("surface.", "") for n in next(iter(next(iter(found.values())).values()))["parts"]]
    bench.table("parts of observe's voxel work, mean ms a frame, one run", ["", *names], parts)


def main() -> None:
    bench = Bench(__file__, "Fusion of 640x480 frames beside Open3D's VoxelBlockGrid", __doc__)
    cores = usable_cores()
    found = {}
    for recording in available(bench, list(FRAMES)):
        for threads in (1, 2):
            if threads > cores:
                bench.missing(f"{threads} threads: this machine gives {cores} core")
                continue
            bench.progress(f"{label(recording)}, {threads} threads")
            count = QUICK_FRAMES if bench.quick else FRAMES[recording]
            found[recording, threads] = in_process(recording, threads, count, bench.runs)
    bench.detail("figures", {f"{label(r)}, {t} threads": value for (r, t), value in found.items()})
    report(bench, found)
    bench.finish()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        job = json.loads(sys.argv[2])
        bind(job[1])
        print(json.dumps(work(*job)))
    else:
        main()
