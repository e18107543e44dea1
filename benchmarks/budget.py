"""A map ten times as large as its share of RAM, held to a budget.

A walk through a row of generated rooms (tests/rooms.py), every frame stored, with questions about a place and about all
of the map, views from old places, a pose correction, frames forgotten and the mesh written to a file on the way.
Resident memory is sampled every 2 ms, above what the process had after a small memory was put through the same and
closed; images are made before and read one at a time. Answers, views and the canonical hash are compared with those of
the same stream in a memory with room for all of it. `file` is the memory file with its -wal and -shm, sampled along.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from common import ROOT, Bench, Wanted, cell, clock, percentile, resident_mib

from spatialmem import SpatialMemory
from spatialmem.budget import ByteBudget
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.geometry import exp_so3, make_transform
from spatialmem.io.export_ply import write_mesh_pieces_ply
from spatialmem.types import Camera, Frame

sys.path.insert(0, str(ROOT / "tests"))
import rooms
import synthetic

RAM, QUICK_RAM = 256 << 20, 64 << 20
FILE = 2 << 30
ROOMS, STEPS, QUICK_ROOMS = 30, 12, 8
SIZE = (320, 240)
VOXEL_M, QUICK_VOXEL_M = 0.02, 0.03
PAUSE_S = 0.002
TEXT = "red"


@dataclass
class Watch:
    """The largest resident memory and file, sampled by a thread of its own."""

    path: Path
    base_mib: float = 0.0
    peak_mib: float = 0.0
    file_bytes: int = 0
    doing: str = ""
    peaks: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._stop.wait(PAUSE_S):
            now = resident_mib() - self.base_mib
            self.peaks[self.doing] = max(self.peaks.get(self.doing, 0.0), now)
            self.peak_mib = max(self.peak_mib, now)
            self.file_bytes = max(self.file_bytes, sum(_size(p) for p in self.path.parent.glob(self.path.name + "*")))

    def stop(self) -> None:
        """No more samples."""
        self._stop.set()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # the -wal may go at any time
        return 0


class Images:
    """Frames of the walk, kept in files."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._camera = folder, synthetic.room_camera(*SIZE)
        frames = rooms.walk(count, STEPS, SIZE)
        self.poses = [frame.pose for frame in frames]
        self.stamps_ns = [frame.stamp_ns for frame in frames]
        for n, frame in enumerate(frames):
            np.savez(folder / f"{n}.npz", rgb=frame.rgb, depth_m=frame.depth_m)

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, n: int) -> Frame:
        with np.load(self._folder / f"{n}.npz") as held:
            return Frame(held["rgb"], held["depth_m"], self._camera, self.poses[n], self.stamps_ns[n], seq=n)


@dataclass
class Told:
    """What a memory answered on the way, and how long it took, by what was asked."""

    answers: list[object] = field(default_factory=list)
    took_ms: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, what: str, watch: Watch | None, question: Callable[[], object]) -> None:
        """Time a question and keep its answer."""
        if watch is not None:
            watch.doing = what
        start = clock()
        self.answers.append(question())
        self.took_ms.setdefault(what, []).append(1e3 * (clock() - start))


def put_through(memory: SpatialMemory, images: Images, folder: Path, watch: Watch | None) -> Told:
    """The walk, with everything that is to be asked on the way."""
    told, camera, middle = Told(), synthetic.room_camera(*SIZE), len(images) // 2
    for n in range(len(images)):
        told.ask("observe", watch, lambda n=n: type(memory.observe(images[n])).__name__)
        if n % STEPS == STEPS - 1:
            told.ask("query of a place", watch, lambda: _hits(memory, at=(0.0, 0.0, 0.8), radius_m=2.0))
            told.ask("query of a text", watch, lambda: _hits(memory))
            told.ask("render", watch, lambda: _view(memory, images.poses[1], camera))
        if n == middle:
            told.ask("correct_poses", watch, lambda: _correct(memory))
            told.ask("forget", watch, lambda: memory.forget(frames=[5]).frames)
    told.ask("mesh to a file", watch, lambda: _export(memory, folder / "mesh.ply"))
    told.ask("canonical_hash", watch, memory.canonical_hash)
    return told


def _hits(memory: SpatialMemory, **place) -> list[tuple]:
    answer = memory.query(TEXT, top=20, **place)
    hits = [(hit.position_m.tolist(), hit.score, hit.voxels, hit.presence, hit.last_seen_ns) for hit in answer]
    return [*hits, (answer.searched_voxels, answer.not_searched)]


def _view(memory: SpatialMemory, pose: np.ndarray, camera: Camera) -> tuple[bytes, bytes]:
    view = memory.render(pose, camera)
    return view.depth_m.tobytes(), view.rgb.tobytes()


def _correct(memory: SpatialMemory) -> int:
    turn = make_transform(exp_so3((0.0, 0.01, 0.03)), (0.05, -0.03, 0.02))
    log = {k.lsn: k.map_from_camera for k in memory.trajectory()}
    return memory.correct_poses({lsn: log[lsn] @ turn for lsn in (2, 3, 4)}).replayed


def _export(memory: SpatialMemory, path: Path) -> tuple[int, int]:
    pieces = ((p.vertices_m, p.normals, p.rgb, p.triangles) for p in memory.mesh_pieces())
    return write_mesh_pieces_ply(path, pieces)


def config(quick: bool, ram_bytes: int) -> MemoryConfig:
    """Every frame stored."""
    voxel_m = QUICK_VOXEL_M if quick else VOXEL_M
    return MemoryConfig(voxel_size_m=voxel_m, gate=GateConfig(store_all=True), ram_bytes=ram_bytes)


def main() -> None:
    bench = Bench(__file__, "A map ten times as large as its share of RAM", __doc__)
    ram = QUICK_RAM if bench.quick else RAM
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        images = Images(folder / "images", QUICK_ROOMS if bench.quick else ROOMS)
        bench.progress(f"{len(images)} images made")
        small, held, free = (folder / f"{part}" for part in ("small", "held", "free"))
        for part in (small, held, free):
            part.mkdir()
        warm_up(images, small, bench.quick)
        watch = Watch(held / "a.mem")
        gc.collect()
        time.sleep(0.2)
        watch.base_mib = resident_mib()
        bench.progress(f"warm: {watch.base_mib:.0f} MiB")
        thread = threading.Thread(target=watch.run)
        thread.start()
        try:
            budget = ByteBudget(ram, FILE)
            with SpatialMemory.create(watch.path, config=config(bench.quick, ram), budget=budget) as memory:
                told = put_through(memory, images, held, watch)
                info = memory.info()
                capacity = memory._layers.surface.pools.free_blocks.shape[0]
                watch.doing = "close"
            watch.doing = "open"
            with SpatialMemory.open(watch.path) as memory:
                told.ask("canonical_hash", watch, memory.canonical_hash)
        finally:
            watch.stop()
            thread.join()
        bench.progress(f"peak {watch.peak_mib:.0f} MiB; the same with room for all")
        with SpatialMemory.create(free / "a.mem", config=config(bench.quick, 8 << 30)) as memory:
            wanted = put_through(memory, images, free, None)
            wanted.ask("canonical_hash", None, memory.canonical_hash)
    report(bench, watch, ram, info, capacity, told, wanted)


def warm_up(images: Images, folder: Path, quick: bool) -> None:
    """Compile and load all that is used, with a memory so small that blocks leave RAM."""

    class First(Images):
        def __init__(self) -> None:
            self._folder, self._camera = images._folder, images._camera
            self.poses, self.stamps_ns = images.poses[: 3 * STEPS], images.stamps_ns[: 3 * STEPS]

    with SpatialMemory.create(folder / "a.mem", config=config(True, 24 << 20 if quick else 32 << 20)) as memory:
        put_through(memory, First(), folder, None)
    with SpatialMemory.open(folder / "a.mem") as memory:
        memory.canonical_hash()


def report(bench: Bench, watch: Watch, ram: int, info: dict, capacity: int, told: Told, wanted: Told) -> None:
    """Claims and tables."""
    blocks = info["surface_blocks"] + info["surface_blocks_on_file_alone"]
    equal = sum(a == b for a, b in zip(told.answers, wanted.answers, strict=True))
    bench.claim(
        "blocks of the map over blocks of the surface pool", blocks / capacity, "", Wanted(10.0, sense="at least")
    )
    bench.claim(
        "peak resident memory above warm-up over the RAM budget", watch.peak_mib * 2**20 / ram, "", Wanted(1.05)
    )
    bench.claim("file + wal + shm at most, over the file budget", watch.file_bytes / FILE, "", Wanted(1.0))
    share = 100.0 * equal / len(told.answers)
    bench.claim("answers equal to those with room for all", share, "%", Wanted(100.0, sense="at least"))
    rows = [
        [what, len(took), cell([percentile(took, 50)]), cell([max(took)]), cell(watch.peaks.get(what, 0.0)),
         cell([percentile(wanted.took_ms[what], 50)])]
        for what, took in told.took_ms.items()
    ]  # fmt: skip
    columns = ["", "times", "median, ms", "longest, ms", "peak above warm-up, MiB", "with room for all: median, ms"]
    bench.table("each of them", columns, rows)
    bench.table("the map", ["", "blocks"], [
        ["surface", blocks], ["of these in RAM", info["surface_blocks"]], ["surface pool", capacity],
        ["free space, on file alone", info["free_space_blocks_on_file_alone"]],
    ])  # fmt: skip
    bench.finish()


if __name__ == "__main__":
    main()
