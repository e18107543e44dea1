"""Posed frames moved onto the map: what it does to drift, and whether it makes anything worse.

Scenes. Recordings: their own poses are estimates of others, so a distance from them is not all error. Scenes with exact
poses: the room of the tests, and the recordings rendered, that is, views of a map of the recording from its poses, with
the depth noise of a structured-light camera and 2 % of the readings missing; there the pose is the truth.

Single frames. Every other frame makes the map (default configuration, every frame kept). Every fourth frame, none of
them in the map, is asked for, with 1 to 5 cm and 0.5 to 2 degrees of drift added, one draw a run, and once as it is.
The frames left over make a second map that no refinement ever sees. Worse, by three definitions: pose, the camera is
farther from the recording's pose, in metres or in degrees; readings, the frame's readings lie on average farther from
where the recording's pose puts them; held out, the readings lie farther from the surface of the second map (mean
distance, 6 cm at most, over readings that meet it by either pose). Noise, fixed before anything was measured: half a
voxel (1 cm) and 0.2 degrees, the change of a pose under which `correct_poses` leaves a map as it is (docs/format.md,
section 10); for the held-out distance, a tenth of a voxel (2 mm).

Sequences. Memories built with and without `refine_poses`, of the recording's poses, of poses with drift of each frame
by itself (up to 4 cm and 1.5 degrees, the first five frames without), of a steady drift to 15 cm and 3 degrees, and
of a random walk that reaches about 10 cm and 3 degrees. Thickness of walls and distances are those of correction.py;
surface and hits are compared with the memory of the undrifted poses, unrefined. Errors are those of the poses by
which the frames stand in the map.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import KITCHEN, REDWOOD, SEED, TUM, Bench, Wanted, cell, clock, percentile
from correction import WORDS, drifted, hits_off_mm, off_mm, thickness_mm
from numpy.typing import NDArray
from recordings import available, frames_of, label
from scipy.spatial import cKDTree

from spatialmem import SpatialMemory
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.geometry import apply, exp_se3, exp_so3, inverse, make_transform, pose_difference
from spatialmem.localise.readings import Readings, readings_of
from spatialmem.types import Frame
from spatialmem.voxels.views import DepthView
from tests.synthetic import room_frames

CONFIG = MemoryConfig(gate=GateConfig(store_all=True), ram_bytes=2 << 30)
DRIFT_M, DRIFT_DEG = (0.01, 0.05), (0.5, 2.0)
NOISE_M, NOISE_DEG, NOISE_HELD_OUT_M = 0.01, 0.2, 0.002
FAR_M = 0.06
STEADY = 5
"""frames without drift at the start of a sequence: a map must begin somewhere"""
COUNT, QUICK_COUNT, SEQUENCE_RUNS = 60, 12, 3
LEAST_OVERLAP = 0.3


@contextmanager
def memory_of(frames: Sequence[Frame], refine: bool = False) -> Iterator[SpatialMemory]:
    """A memory of these frames, on file."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SpatialMemory.create(
            Path(folder) / "m.mem", encoder="colours", config=replace(CONFIG, refine_poses=refine)
        ) as memory,
    ):
        for frame in frames:
            memory.observe(frame)
        yield memory


# --- scenes


def rendered(frames: Sequence[Frame]) -> list[Frame]:
    """Views of a map of these frames from their poses, at half the size, with noise: their poses are exact."""
    rng = np.random.default_rng(SEED)
    with memory_of(frames) as memory:
        found = []
        for frame in frames:
            camera = frame.camera.scaled_to(frame.camera.width // 2, frame.camera.height // 2)
            view = memory.render(frame.pose, camera)
            depth = view.depth_m.astype(np.float64)
            depth += rng.normal(size=depth.shape) * (0.0012 + 0.0019 * (depth - 0.4) ** 2)
            depth[rng.random(depth.shape) < 0.02] = np.nan
            found.append(replace(frame, rgb=view.rgb, depth_m=depth.astype(np.float32), camera=camera, valid=None))
        return found


class Scene(NamedTuple):
    """Frames, and whether their poses are the truth."""

    name: str
    frames: list[Frame]
    exact: bool


def scenes(bench: Bench) -> Iterator[Scene]:
    """The room of the tests, then every recording, as it is and rendered."""
    most = QUICK_COUNT if bench.quick else COUNT
    yield Scene("room, exact", room_frames(most, 320, 240, seed=SEED, noise=True), exact=True)
    for name in available(bench, (KITCHEN, TUM, REDWOOD)):
        frames = frames_of(name, most)
        yield Scene(label(name), frames, exact=False)
        yield Scene(f"{label(name)}, rendered", rendered(frames), exact=True)


# --- single frames


def moved_at_random(pose: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The pose with a random motion of the camera."""
    axis, along = rng.normal(size=(2, 3))
    turn = exp_so3(np.deg2rad(rng.uniform(*DRIFT_DEG)) * axis / np.linalg.norm(axis))
    return pose @ make_transform(turn, rng.uniform(*DRIFT_M) * along / np.linalg.norm(along))


def readings(frame: Frame, config: MemoryConfig) -> Readings:
    """Those that `refined` takes."""
    view = DepthView.of(frame.depth_m, frame.valid, frame.camera, frame.pose, config)
    return readings_of(view, config.voxel_size_m)


def displaced(points_m: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Mean distance in metres of the points (N, 3) of a camera between two of its poses."""
    return float(np.linalg.norm(apply(a, points_m) - apply(b, points_m), axis=1).mean())


def held_out(memory: SpatialMemory, points_m: NDArray[np.float64], poses: Sequence[NDArray[np.float64]]) -> list[float]:
    """Mean distance of the points from the surface of a memory by each pose; NaN where too few meet it."""
    with memory._reading() as epoch:
        distances = np.abs([epoch.surface.distances(apply(pose, points_m))[0] for pose in poses])
    met = np.isfinite(distances).any(axis=0)
    if met.mean() < LEAST_OVERLAP:
        return [float("nan")] * len(poses)
    return [float(np.minimum(np.where(np.isfinite(row), row, FAR_M), FAR_M)[met].mean()) for row in distances]


def asked_for(memory: SpatialMemory, other: SpatialMemory, frame: Frame, shifted: Frame) -> list[float]:
    """Of a frame refined from another pose: metres, degrees, at the readings, held out, each before and after; whether
    it was moved; ms."""
    points = readings(frame, memory.config).points_m
    start = clock()
    found = memory.refined(shifted)
    ms = 1e3 * (clock() - start)
    poses = (shifted.pose, found.map_from_camera)
    errors = [pose_difference(pose, frame.pose) for pose in poses]
    return [
        *(float(metres) for metres, _ in errors), *(float(np.rad2deg(angle)) for _, angle in errors),
        *(displaced(points, pose, frame.pose) for pose in poses), *held_out(other, points, poses),
        float(found.moved), ms,
    ]  # fmt: skip


class Run(NamedTuple):
    """One draw of drift over the frames of a scene: medians, and per cent of the frames."""

    cm_before: float
    cm_after: float
    deg_before: float
    deg_after: float
    readings_before: float
    """cm"""
    readings_after: float
    held_out_before: float
    """mm"""
    held_out_after: float
    moved: float
    worse_pose: float
    worse_readings: float
    worse_held_out: float
    pose_beyond: float
    """% worse beyond noise"""
    readings_beyond: float
    held_out_beyond: float
    ms: float
    ms_99: float


def run_of(rows: Sequence[Sequence[float]]) -> Run:
    """What the frames of one draw amount to."""
    m0, m1, d0, d1, r0, r1, h0, h1, moved, ms = np.array(rows).T
    known = np.isfinite(h0)

    def share(wrong: NDArray[np.bool_]) -> float:
        return 100.0 * float(wrong.mean()) if len(wrong) else float("nan")

    def worse(noise_m: float, noise_deg: float, noise_held_out_m: float) -> tuple[float, float, float]:
        pose = (m1 > m0 + noise_m) | (d1 > d0 + noise_deg)
        return share(pose), share(r1 > r0 + noise_m), share((h1 > h0 + noise_held_out_m)[known])

    medians = [1e2 * np.median(m0), 1e2 * np.median(m1), np.median(d0), np.median(d1), 1e2 * np.median(r0),
               1e2 * np.median(r1), 1e3 * np.nanmedian(h0), 1e3 * np.nanmedian(h1)]  # fmt: skip
    return Run(
        *map(float, medians), share(moved > 0), *worse(1e-9, 1e-9, 1e-9), *worse(NOISE_M, NOISE_DEG, NOISE_HELD_OUT_M),
        float(np.median(ms)), percentile(ms, 99),
    )  # fmt: skip


def single_frames(bench: Bench, scene: Scene) -> list[list[Any]]:
    """Rows of the table, and claims."""
    with memory_of(scene.frames[::2]) as memory, memory_of(scene.frames[3::4]) as other:
        asked = [f for f in scene.frames[1::4] if memory.refined(f).overlap >= LEAST_OVERLAP]
        still = run_of([asked_for(memory, other, frame, frame) for frame in asked])
        runs = []
        for seed in range(bench.runs):
            rng = np.random.default_rng([SEED, seed])
            runs.append(run_of([asked_for(memory, other, f, f.with_pose(moved_at_random(f.pose, rng))) for f in asked]))
    columns = {field: cell([getattr(run, field) for run in runs]) for field in Run._fields}
    bench.claim(f"time of a refinement: {scene.name}", [run.ms for run in runs], "ms", Wanted(aim=20.0))
    limits = {"readings": Wanted(must=0.0), "held_out": Wanted(must=0.0)}
    limits |= {"pose": Wanted(must=0.0) if scene.exact else Wanted(aim=0.0)}
    for by, wanted in limits.items():
        shares = [getattr(run, f"{by}_beyond") for run in runs]
        note = "" if scene.exact else "by poses that are estimates"
        bench.claim(f"made worse beyond noise, by {by.replace('_', ' ')}: {scene.name}", shares, "%", wanted, note)
    gain = [run.readings_after / run.readings_before for run in runs]
    bench.claim(f"readings off, after / before: {scene.name}", gain, "ratio", Wanted(aim=0.5))
    return [
        [scene.name, "added", len(asked), *columns.values()],
        [scene.name, "none", len(asked), *(getattr(still, field) for field in Run._fields)],
    ]


# --- sequences


def shaken(frames: list[Frame], run: int) -> list[Frame]:
    """Each frame moved by itself; the first few not."""
    rng = np.random.default_rng([SEED, run])
    found = []
    for n, frame in enumerate(frames):
        axis, along = rng.normal(size=(2, 3))
        turn = exp_so3(np.deg2rad(rng.uniform(0.0, 1.5)) * axis / np.linalg.norm(axis))
        moved = make_transform(turn, rng.uniform(0.0, 0.04) * along / np.linalg.norm(along))
        found.append(frame if n < STEADY else frame.with_pose(frame.pose @ moved))
    return found


def steady(frames: list[Frame], run: int) -> list[Frame]:
    """The world moves away evenly, as with a bias of odometry: to 15 cm and 3 degrees about where the camera began."""
    rng = np.random.default_rng([SEED, run, 7])
    along, axis = rng.normal(size=(2, 3))
    end = np.concatenate([0.15 * along / np.linalg.norm(along), np.deg2rad(3.0) * axis / np.linalg.norm(axis)])
    begin = make_transform(np.eye(3), frames[0].pose[:3, 3])
    last = max(1, len(frames) - 1)
    return [f.with_pose(begin @ exp_se3(end * n / last) @ inverse(begin) @ f.pose) for n, f in enumerate(frames)]


def still(frames: list[Frame], run: int) -> list[Frame]:
    """As they are."""
    return frames


DRIFTS: dict[str, Callable[[list[Frame], int], list[Frame]]] = {
    "none": still, "each frame by itself": shaken, "steady": steady, "random walk": drifted,
}  # fmt: skip


class Truth(NamedTuple):
    """What the maps are compared with."""

    surface: cKDTree
    hits: dict[str, NDArray[np.float64]]


def truth_of(memory: SpatialMemory) -> Truth:
    """Surface and best hits of the memory without drift."""
    asked = {word: memory.query(word, top=1) for word in WORDS}
    hits = {word: found[0].position_m for word, found in asked.items() if len(found)}
    return Truth(cKDTree(memory.points().position_m), hits)


def figures(memory: SpatialMemory, frames: Sequence[Frame], truth: Truth, run: int) -> dict[str, float]:
    """Of a memory: poses against those of `frames`, and its map."""
    poses = {k.seq: k.map_from_camera for k in memory.trajectory()}
    errors = [pose_difference(poses[f.seq], f.pose) for f in frames]
    return {
        "pose, cm": 1e2 * statistics.median(float(m) for m, _ in errors),
        "pose, deg": float(np.rad2deg(statistics.median(float(a) for _, a in errors))),
        "thickness of walls, mm": thickness_mm(memory, run),
        "off the undrifted surface, mm": off_mm(memory, truth.surface),
        "hits off, mm": hits_off_mm(memory, truth.hits) if truth.hits else float("nan"),
        "refined, %": 100.0 * memory.info()["revised_poses"] / len(frames),
    }


def sequences(bench: Bench, scene: Scene) -> list[list[Any]]:
    """Rows of the table, and claims."""
    with memory_of(scene.frames) as clean:
        truth = truth_of(clean)
    rows = []
    for drift, changed in DRIFTS.items():
        runs = 1 if drift == "none" else 2 if bench.quick else SEQUENCE_RUNS
        found: dict[bool, list[dict[str, float]]] = {False: [], True: []}
        for run in range(runs):
            given = changed(scene.frames, run)
            for refine in (False, True):
                bench.progress(f"{scene.name}, drift: {drift}, run {run + 1}, {'refined' if refine else 'as given'}")
                with memory_of(given, refine) as memory:
                    found[refine].append(figures(memory, scene.frames, truth, run))
        for refine, kept in found.items():
            columns = [cell([one[key] for one in kept]) for key in kept[0]]
            rows.append([scene.name, drift, "refined" if refine else "as given", *columns])
        for key in ("thickness of walls, mm", "off the undrifted surface, mm"):
            if drift != "none" or key.startswith("thickness"):
                ratio = [b[key] / a[key] for a, b in zip(found[False], found[True], strict=True)]
                what = f"{key.split(',')[0]}, refined / as given: {scene.name}, drift: {drift}"
                bench.claim(what, ratio, "ratio", Wanted(aim=1.0))
    return rows


def main() -> None:
    bench = Bench(__file__, "Posed frames moved onto the map", __doc__)
    single: list[list[Any]] = []
    whole: list[list[Any]] = []
    for scene in scenes(bench):
        bench.progress(f"single frames, {scene.name}")
        single += single_frames(bench, scene)
        if not scene.name.endswith("rendered"):
            whole += sequences(bench, scene)
    bench.table("single frames (medians; worse in % of the frames, without noise and beyond it)", [
        "scene", "drift", "frames", "pose, cm, before", "after", "pose, deg, before", "after",
        "readings, cm, before", "after", "held out, mm, before", "after", "moved, %", "worse: pose", "readings",
        "held out", "beyond noise: pose", "readings", "held out", "time, ms", "99th percentile, ms",
    ], single)  # fmt: skip
    bench.table("sequences", [
        "scene", "drift", "poses", "pose off, cm", "pose off, deg", "thickness of walls, mm",
        "off the undrifted surface, mm", "hits off, mm", "refined, %",
    ], whole)  # fmt: skip
    bench.finish()


if __name__ == "__main__":
    main()
