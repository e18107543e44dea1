"""A map ten times as large as its budget of RAM, and a log larger than its share of the file, held to a budget.

A walk through a row of generated rooms (tests/rooms.py) with a noisy sensor, every frame stored, with questions about a
place and about all of the map, views from an old place and from outside along the row, and after a third a pose
correction, frames forgotten and the mesh written to a file. Resident memory and the memory file with its -wal and -shm
are sampled every 2 ms; resident memory above what the process had after a small memory was put through the same and
closed, its peak as the system counts it where that can be asked; images are made before and read one at a time.
Answers, views and the canonical hash are compared with those of the same stream in a memory with room for all of it:
answers, hashes and every pixel of the views are to be equal. At the end the poses of ever more of the frames whose
images were given up are corrected, until that is refused for lack of room.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import ROOT, Bench, Wanted, cell, clock, percentile, resident_mib

from spatialmem import SpatialMemory
from spatialmem.budget import ByteBudget
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.errors import OutOfRoom
from spatialmem.geometry import exp_so3, make_transform
from spatialmem.io.export_ply import write_mesh_pieces_ply
from spatialmem.types import Frame, View
from spatialmem.voxels.pools import PAGE, block_bytes, row_bytes

sys.path.insert(0, str(ROOT / "tests"))
import budget_helpers
import rooms
import synthetic

RAM, FILE = 64 << 20, 155 << 20
QUICK_RAM, QUICK_FILE = 64 << 20, 26 << 20
WARM_FILE, LEAST_RAM = 8 << 20, 16 << 20
ROOMS, STEPS, QUICK_ROOMS = 62, 8, 8
SIZE = (400, 300)
VOXEL_M = 0.03
PAUSE_S = 0.002
TEXT = "red"
ALONG, ALONG_EVERY = synthetic.look((-3.0, 0.0, 6.0), (1.0, 0.0, -0.15)), 12
"""a pose outside, above the first room, and how many rooms lie between two views from there"""
CORRECTED = "correct_poses of ever more frames without images"


@dataclass
class Watch:
    """The largest resident memory and file, sampled by a thread of its own."""

    path: Path
    base_mib: float = 0.0
    counted: bool = False
    """whether the system tells the peak since `begin`"""
    peak_mib: float = 0.0
    file_bytes: int = 0
    doing: str = ""
    peaks: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """What is resident now is what the process needs without the memory."""
        _give_back_free_heap()
        self.base_mib = resident_mib()
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew: proc(5)
            self.counted = True
        except OSError:
            self.counted = False

    def end(self) -> None:
        """The peak as the system has counted it, if it has: samples may miss a moment."""
        self.stop()
        if self.counted:
            self.peak_mib = max(self.peak_mib, _peak_resident_mib() - self.base_mib)

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


def _give_back_free_heap() -> None:
    """What earlier work has freed would else be taken again without being counted."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)


def _peak_resident_mib() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # the -wal may go at any time
        return 0


class Images:
    """Frames of the walk, kept in files."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._camera = folder, synthetic.room_camera(*SIZE)
        frames = (budget_helpers.noisy(frame, n) for n, frame in enumerate(rooms.walk(count, STEPS, SIZE)))
        self.poses, self.stamps_ns = [], []
        for n, frame in enumerate(frames):
            self.poses.append(frame.pose)
            self.stamps_ns.append(frame.stamp_ns)
            np.savez(folder / f"{n}.npz", rgb=frame.rgb, depth_m=frame.depth_m)

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, n: int) -> Frame:
        with np.load(self._folder / f"{n}.npz") as held:
            return Frame(held["rgb"], held["depth_m"], self._camera, self.poses[n], self.stamps_ns[n], seq=n)


@dataclass
class Told:
    """What a memory answered on the way, and how long it took, by what was asked."""

    folder: Path
    """of views: in RAM they would count"""
    answers: dict[str, list[object]] = field(default_factory=dict)
    views: list[Path] = field(default_factory=list)
    took_ms: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, what: str, watch: Watch | None, question: Callable[[], object]) -> None:
        """Time a question and keep its answer."""
        if watch is not None:
            watch.doing = what
        start = clock()
        answer = question()
        self.took_ms.setdefault(what, []).append(1e3 * (clock() - start))
        if isinstance(answer, View):
            self.views.append(self.folder / f"view{len(self.views)}.npz")
            np.savez(self.views[-1], depth_m=answer.depth_m, rgb=answer.rgb)
        else:
            self.answers.setdefault(what, []).append(answer)


def put_through(memory: SpatialMemory, images: Images, folder: Path, watch: Watch | None) -> Told:
    """The walk, with everything that is to be asked on the way."""
    told, camera, third = Told(folder), synthetic.room_camera(*SIZE), len(images) // 3
    for n in range(len(images)):
        told.ask("observe", watch, lambda n=n: type(memory.observe(images[n])).__name__)
        if n % STEPS == STEPS - 1:
            told.ask("query of a place", watch, lambda: _hits(memory, at=(0.0, 0.0, 0.8), radius_m=2.0))
            told.ask("query of a text", watch, lambda: _hits(memory))
            told.ask("render", watch, lambda: memory.render(images.poses[1], camera))
            if n // STEPS % ALONG_EVERY == 0:
                told.ask("render along the row", watch, lambda: memory.render(ALONG, camera))
        if n == third:  # before frames are given up: what they left in blocks that are made anew would be lost
            told.ask("correct_poses", watch, lambda: _correct(memory))
            told.ask("forget", watch, lambda: memory.forget(frames=[5]).frames)
            told.ask("mesh to a file", watch, lambda: _export(memory, folder / "mesh.ply"))
    told.ask("canonical_hash", watch, memory.canonical_hash)
    return told


def _hits(memory: SpatialMemory, **place) -> list[tuple]:
    answer = memory.query(TEXT, top=20, **place)
    hits = [(hit.position_m.tolist(), hit.score, hit.voxels, hit.presence, hit.last_seen_ns) for hit in answer]
    return [*hits, (answer.searched_voxels, answer.not_searched)]


def _correct(memory: SpatialMemory) -> int:
    turn = make_transform(exp_so3((0.0, 0.01, 0.03)), (0.05, -0.03, 0.02))
    log = {k.lsn: k.map_from_camera for k in memory.trajectory()}
    return memory.correct_poses({lsn: log[lsn] @ turn for lsn in (2, 3, 4)}).replayed


def _export(memory: SpatialMemory, path: Path) -> tuple[int, int]:
    pieces = ((p.vertices_m, p.normals, p.rgb, p.triangles) for p in memory.mesh_pieces())
    return write_mesh_pieces_ply(path, pieces)


def config(ram_bytes: int) -> MemoryConfig:
    """Every frame stored."""
    return MemoryConfig(voxel_size_m=VOXEL_M, gate=GateConfig(store_all=True), ram_bytes=ram_bytes)


def main() -> None:
    parts = [ROOT / "tests" / f"{name}.py" for name in ("budget_helpers", "memory_helpers", "rooms", "synthetic")]
    bench = Bench(__file__, "A map and a log larger than their budget", __doc__, parts=parts)
    budget = ByteBudget(QUICK_RAM, QUICK_FILE) if bench.quick else ByteBudget(RAM, FILE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images_in, small, held, free = (folder / part for part in ("images", "small", "held", "free"))
        for part in (images_in, small, held, free):
            part.mkdir()
        images = Images(images_in, QUICK_ROOMS if bench.quick else ROOMS)
        bench.progress(f"{len(images)} images made")
        warm_up(images, small)
        watch = Watch(held / "a.mem")
        told, info, capacity = put_through_held(bench, budget, images, held, watch)
        bench.progress(f"peak {watch.peak_mib:.0f} MiB, file {watch.file_bytes >> 20} MiB; the same with room for all")
        with SpatialMemory.create(free / "a.mem", encoder="colours", config=config(8 << 30)) as memory:
            wanted = put_through(memory, images, free, None)
            wanted.ask("canonical_hash", None, memory.canonical_hash)
            all_of_it = map_bytes(memory)
        sizes = Sizes(info, capacity, (free / "a.mem").stat().st_size, all_of_it)
        report(bench, watch, budget, sizes, told, wanted)


def map_bytes(memory: SpatialMemory) -> int:
    """What the voxels of a memory with room for all of them take."""
    surface, free = memory._layers.surface, memory._layers.free
    blocks, unused_pages = (int(count) for count in surface.pools.counters)
    pages = surface.pools.free_pages.shape[0] - unused_pages
    rows = pages * PAGE * row_bytes(surface.feature_width)
    return (
        blocks * block_bytes() + rows + len(free) * (free.pools.log_odds[0].nbytes + 2 * free.pools.last_free[0].nbytes)
    )


class Sizes(NamedTuple):
    """What the walk took."""

    info: dict
    capacity: int
    """blocks of the surface pool within the budget"""
    file_bytes: int
    """without a budget"""
    map_bytes: int
    """with room for all of it"""


def put_through_held(
    bench: Bench, budget: ByteBudget, images: Images, folder: Path, watch: Watch
) -> tuple[Told, dict, int]:
    """The walk within the budget, and opened again; what was told, `info()` and blocks of the surface pool."""
    watch.begin()
    bench.progress(f"warm: {watch.base_mib:.0f} MiB")
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        with SpatialMemory.create(watch.path, encoder="colours", config=config(1 << 30), budget=budget) as memory:
            told = put_through(memory, images, folder, watch)
            given_up = memory.sql("SELECT count(*) FROM frames WHERE colour IS NULL")[0][0]
            info = {**memory.info(), "frames_given_up": given_up}
            capacity = memory._layers.surface.pools.free_blocks.shape[0]
            watch.doing = "close"
        del memory  # or there would be two of them
        gc.collect()
        watch.doing = "open"
        with SpatialMemory.open(watch.path) as memory:
            told.ask("canonical_hash", watch, memory.canonical_hash)
        del memory  # or there would be two of them
        gc.collect()
        watch.doing = CORRECTED
        info["corrected"], info["corrected_blocks"] = correct_ever_more(watch.path)
    finally:
        watch.end()
        thread.join()
    return told, info, capacity


def correct_ever_more(path: Path) -> tuple[int, int]:
    """Frames of the largest correction of frames without images that was not refused, and blocks it moved."""
    turn, count, done = make_transform(exp_so3((0.0, 0.0, 0.02)), (0.03, -0.02, 0.0)), 4, (0, 0)
    with SpatialMemory.open(path, "a") as memory:
        gone = [lsn for (lsn,) in memory.sql("SELECT lsn FROM frames WHERE colour IS NULL ORDER BY lsn")]
        while count < 2 * len(gone):
            log = {k.lsn: k.map_from_camera for k in memory.trajectory()}
            some = gone[:count]
            try:
                moved = memory.correct_poses({lsn: log[lsn] @ turn for lsn in some}).moved_blocks
            except OutOfRoom:
                break
            done, count = (len(some), moved), 2 * count
    return done


def warm_up(images: Images, folder: Path) -> None:
    """Compile and load all that is used, with memories so small that blocks leave RAM and images are given up."""

    class First(Images):
        def __init__(self) -> None:
            self._folder, self._camera = images._folder, images._camera
            self.poses, self.stamps_ns = images.poses[: 2 * STEPS], images.stamps_ns[: 2 * STEPS]

    with SpatialMemory.create(folder / "a.mem", encoder="colours", config=config(32 << 20)) as memory:
        put_through(memory, First(), folder, None)
    with SpatialMemory.open(folder / "a.mem") as memory:
        memory.canonical_hash()
    with SpatialMemory.create(
        folder / "b.mem", encoder="colours", config=config(1 << 30), budget=ByteBudget(QUICK_RAM, WARM_FILE)
    ) as memory:
        for n in range(len(First())):
            memory.observe(images[n])
    correct_ever_more(folder / "b.mem")
    with SpatialMemory.create(
        folder / "c.mem", encoder="colours", config=config(LEAST_RAM)
    ) as memory:  # a view through more than fits
        for n in range(len(First())):
            memory.observe(images[n])
        memory.render(ALONG, synthetic.room_camera(*SIZE))


def compared(told: Told, wanted: Told) -> tuple[float, float]:
    """Shares in per cent of answers and of pixels of views that are equal."""
    pairs = [(a, b) for what in told.answers for a, b in zip(told.answers[what], wanted.answers[what], strict=True)]
    equal, count = 0, 0
    for one, two in zip(told.views, wanted.views, strict=True):
        with np.load(one) as a, np.load(two) as b:
            depth_m, other_m = a["depth_m"], b["depth_m"]
            same = (depth_m == other_m) | (np.isnan(depth_m) & np.isnan(other_m))
            equal += int((same & (a["rgb"] == b["rgb"]).all(2)).sum())
            count += same.size
    return 100.0 * sum(a == b for a, b in pairs) / len(pairs), 100.0 * equal / count


def unequal(told: Told, wanted: Told) -> str:
    """How many answers of which kind are not equal, and the first of them."""
    notes = []
    for what, answers in told.answers.items():
        pairs = [pair for pair in zip(answers, wanted.answers[what], strict=True) if pair[0] != pair[1]]
        if pairs:
            notes.append(
                f"{what}: {len(pairs)} of {len(answers)}, as {str(pairs[0][0])[-300:]} is {str(pairs[0][1])[-300:]}"
            )
    return "; ".join(notes)


def report(bench: Bench, watch: Watch, budget: ByteBudget, sizes: Sizes, told: Told, wanted: Told) -> None:
    """Claims and tables."""
    info, capacity = sizes.info, sizes.capacity
    blocks = info["surface_blocks"] + info["surface_blocks_on_file_alone"]
    answers, pixels = compared(told, wanted)
    least, most, all_of_it = Wanted(10.0, sense="at least"), Wanted(1.0), Wanted(100.0, sense="at least")
    bench.claim("the map, with room for all of it, over the RAM budget", sizes.map_bytes / budget.ram, "", least)
    peak = watch.peak_mib * 2**20 / budget.ram
    bench.claim("peak resident memory above warm-up over the RAM budget", peak, "", Wanted(1.05))
    bench.claim("file + wal + shm at most, over the file budget", watch.file_bytes / budget.file, "", most)
    bench.claim("answers equal to those with room for all", answers, "%", all_of_it, unequal(told, wanted))
    bench.claim("pixels of views equal to those with room for all", pixels, "%", all_of_it)
    rows = [
        [what, len(took), cell([percentile(took, 50)]), cell([max(took)]), cell(watch.peaks.get(what, 0.0)),
         cell([percentile(wanted.took_ms[what], 50)])]
        for what, took in told.took_ms.items()
    ]  # fmt: skip
    columns = ["", "times", "median, ms", "longest, ms", "peak above warm-up, MiB", "with room for all: median, ms"]
    bench.table("each of them", columns, rows)
    bench.table("what was held", ["", ""], [
        ["map with room for all of it, MiB", sizes.map_bytes / 2**20],
        ["surface blocks", blocks], ["of these in RAM", info["surface_blocks"]], ["surface pool", capacity],
        ["free-space blocks on file alone", info["free_space_blocks_on_file_alone"]],
        ["frames whose images were given up", info["frames_given_up"]],
        ["of these corrected at once, most", info["corrected"]], ["blocks that this moved", info["corrected_blocks"]],
        ["peak above warm-up with that, MiB", watch.peaks.get(CORRECTED, 0.0)],
        ["file without a budget, MiB", sizes.file_bytes / 2**20],
        ["largest file within it, MiB", watch.file_bytes / 2**20],
        ["peak as the system counts it" if watch.counted else "peak of samples", watch.peak_mib],
    ])  # fmt: skip
    bench.finish()


if __name__ == "__main__":
    main()
