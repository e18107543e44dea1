"""Frames found in a map without their poses, and posed frames moved onto it.

A memory is built from one half of a recording (encoder `colours`, default configuration); the frames of the other half
are localised in it, and so are frames of the other recordings, which must be answered with nothing. Two splits: every
other frame, and the first half against the second; frames of which less than half of the readings lie in the map do not
count. Errors are distances from the recording's own poses, which are estimates of others and off themselves.
Refinement: the frames of the other half with 1 to 5 cm and 0.5 to 2 degrees of drift added, one draw a run. How far a
pose is off altogether is the mean distance of the frame's readings from where the recording's pose puts them. Worse:
farther off altogether than before. The noise of a frame is how far the alignment alone, without what `refined` asks
before it moves anything, takes the recording's own pose; worse beyond noise: by more than that.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import KITCHEN, REDWOOD, RUNS, SEED, TUM, Bench, Wanted, cell, clock, percentile
from numpy.typing import NDArray
from recordings import available, frames_of, label

from spatialmem import SpatialMemory
from spatialmem.config import MemoryConfig
from spatialmem.geometry import apply, exp_so3, make_transform, pose_difference
from spatialmem.localise.gauss_newton import align
from spatialmem.localise.readings import Readings, readings_of
from spatialmem.localise.refine import levels
from spatialmem.types import Frame
from spatialmem.voxels.views import DepthView

NEAR, WIDE = (0.05, 5.0), (0.25, 10.0)
"""metres and degrees within which an answer counts"""
DRIFT_M, DRIFT_DEG = (0.01, 0.05), (0.5, 2.0)
STRANGERS, QUICK_FRAMES, QUICK_STRANGERS = 40, 8, 4
_LEAST_OVERLAP = 0.5


class Split(NamedTuple):
    """Which frames make the map, and which are looked for in it."""

    built: list[Frame]
    asked: list[Frame]


class Error(NamedTuple):
    """Between two poses."""

    metres: float
    degrees: float

    def within(self, limits: tuple[float, float]) -> bool:
        """Whether both are at most the limits."""
        return self.metres <= limits[0] and self.degrees <= limits[1]


SPLITS = {
    "every other frame": lambda frames: Split(frames[::2], frames[1::2]),
    "first half": lambda frames: Split(frames[: len(frames) // 2], frames[len(frames) // 2 :]),
}


def between(a: NDArray[np.float64], b: NDArray[np.float64]) -> Error:
    """Of two poses (4, 4)."""
    distance, angle = pose_difference(a, b)
    return Error(float(distance), float(np.rad2deg(angle)))


def spread(frames: Sequence[Frame], most: int) -> list[Frame]:
    """At most this many of the frames, evenly."""
    return [frames[i * len(frames) // most] for i in range(most)] if len(frames) > most else list(frames)


@contextmanager
def memory_of(frames: Sequence[Frame]) -> Iterator[SpatialMemory]:
    """A memory of these frames, on file."""
    with tempfile.TemporaryDirectory() as folder, SpatialMemory.create(Path(folder) / "m.mem") as memory:
        for frame in frames:
            memory.observe(frame)
        yield memory


def overlaps(memory: SpatialMemory, frame: Frame) -> bool:
    """Whether half of the readings lie in the map, by the recording's own pose."""
    return memory.refined(frame).overlap >= _LEAST_OVERLAP


class Found(NamedTuple):
    """Answers to the frames of the same recording: error, or None without an answer; and the time of each."""

    errors: list[Error | None]
    ms: list[float]

    def share(self, limits: tuple[float, float]) -> float:
        """% of the frames answered within limits."""
        return 100.0 * sum(e is not None and e.within(limits) for e in self.errors) / max(1, len(self.errors))

    @property
    def wrong(self) -> int:
        """Answers that are farther off than 25 cm or 10 degrees."""
        return sum(e is not None and not e.within(WIDE) for e in self.errors)


def localised(memory: SpatialMemory, frames: Sequence[Frame]) -> Found:
    """Look for frames whose poses are known to us alone."""
    errors, ms = [], []
    for frame in frames:
        start = clock()
        found = memory.localize(frame.with_pose(np.eye(4)))
        ms.append(1e3 * (clock() - start))
        errors.append(None if found is None else between(found.map_from_camera, frame.pose))
    return Found(errors, ms)


def localise_all(bench: Bench, recordings: dict[str, list[Frame]], rows: list[list[Any]]) -> dict[str, list[Found]]:
    """Every recording under every split; false answers are counted over all frames of the others."""
    strangers = QUICK_STRANGERS if bench.quick else STRANGERS
    by_split: dict[str, list[Found]] = {}
    false, asked_strangers = 0, 0
    for name, frames in recordings.items():
        for title, split in SPLITS.items():
            bench.progress(f"localise {label(name)}, {title}")
            built, asked = split(frames)
            with memory_of(built) as memory:
                asked = [f for f in asked if overlaps(memory, f)]
                memory.localize(built[0])  # compile
                found = localised(memory, asked)
                others = [f for other, given in recordings.items() if other != name for f in spread(given, strangers)]
                answers = sum(memory.localize(f) is not None for f in others)
            false, asked_strangers = false + answers, asked_strangers + len(others)
            by_split.setdefault(title, []).append(found)
            errors = [e for e in found.errors if e is not None]
            rows.append([
                label(name), title, len(built), len(asked), found.share(NEAR), found.share(WIDE), len(errors),
                found.wrong, f"{answers} of {len(others)}",
                1e2 * statistics.median(e.metres for e in errors) if errors else float("nan"),
                statistics.median(e.degrees for e in errors) if errors else float("nan"),
                statistics.median(found.ms) if found.ms else float("nan"),
            ])  # fmt: skip
    bench.claim("answers to frames of another scene", false, "", Wanted(aim=0), f"{asked_strangers} frames asked")
    return by_split


def claim_recall(bench: Bench, by_split: dict[str, list[Found]]) -> None:
    """Over all recordings of a split."""
    for title, parts in by_split.items():
        every = Found([e for p in parts for e in p.errors], [m for p in parts for m in p.ms])
        note = f"{len(every.errors)} frames"
        sure = Wanted(aim=90.0, sense="at least")
        bench.claim(f"recall within 5 cm and 5 degrees: {title}", every.share(NEAR), "%", sure, note)
        bench.claim(f"recall within 25 cm and 10 degrees: {title}", every.share(WIDE), "%", sure, note)
        bench.claim(f"answers farther off than that: {title}", every.wrong, "", Wanted(aim=0), note)


# --- refinement


def drifted(pose: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
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


def noise_of(memory: SpatialMemory, frame: Frame) -> float:
    """How far the alignment takes the recording's own pose, metres at the readings."""
    taken = readings(frame, memory.config)
    with memory._reading() as epoch:
        pose, _ = align(taken, frame.pose, epoch.surface.distances, levels(memory.config.voxel_size_m))
    return displaced(taken.points_m, pose, frame.pose)


class Run(NamedTuple):
    """One draw of drift over the frames of a recording."""

    off_before_cm: float
    """at the readings, as the next"""
    off_after_cm: float
    before_cm: float
    after_cm: float
    before_deg: float
    after_deg: float
    worse: float
    """% of the frames"""
    worse_beyond_noise: float
    moved: float
    """% of the frames"""
    ms: float
    ms_99: float


def one_run(memory: SpatialMemory, frames: Sequence[Frame], noise: Sequence[float], seed: int) -> Run:
    """Drift every frame and refine it."""
    rng = np.random.default_rng([SEED, seed])
    before, after, off, ms, moved = [], [], [], [], 0
    for frame in frames:
        shifted = frame.with_pose(drifted(frame.pose, rng))
        start = clock()
        found = memory.refined(shifted)
        ms.append(1e3 * (clock() - start))
        moved += found.moved
        before.append(between(shifted.pose, frame.pose))
        after.append(between(found.map_from_camera, frame.pose))
        points = readings(frame, memory.config).points_m
        off.append([displaced(points, pose, frame.pose) for pose in (shifted.pose, found.map_from_camera)])
    off_before, off_after = np.array(off).T

    def worse(allowed: Sequence[float]) -> float:
        return 100.0 * float(np.mean(off_after > off_before + np.array(allowed)))

    medians = [
        statistics.median(getattr(e, field) for e in errors)
        for field in ("metres", "degrees")
        for errors in (before, after)
    ]
    return Run(
        1e2 * float(np.median(off_before)), 1e2 * float(np.median(off_after)),
        1e2 * medians[0], 1e2 * medians[1], medians[2], medians[3], worse([0.0] * len(frames)), worse(noise),
        100.0 * moved / len(frames), statistics.median(ms), percentile(ms, 99),
    )  # fmt: skip


def refine_all(bench: Bench, recordings: dict[str, list[Frame]], rows: list[list[Any]]) -> None:
    """Every recording, built from every other frame."""
    for name, frames in recordings.items():
        bench.progress(f"refine {label(name)}")
        built, asked = SPLITS["every other frame"](frames)
        with memory_of(built) as memory:
            noise = [noise_of(memory, f) for f in asked]
            runs = [one_run(memory, asked, noise, seed) for seed in range(2 if bench.quick else RUNS)]
        columns = [cell([getattr(run, field) for run in runs]) for field in Run._fields]
        rows.append([label(name), len(asked), *columns, 1e2 * statistics.median(noise)])
        bench.claim(f"time of a refinement: {label(name)}", [run.ms for run in runs], "ms", Wanted(aim=20.0))
        worse = [run.worse_beyond_noise for run in runs]
        bench.claim(f"made worse beyond noise: {label(name)}", worse, "%", Wanted(must=0.0))
        gain = [run.off_after_cm / run.off_before_cm for run in runs]
        bench.claim(f"distance after / before: {label(name)}", gain, "ratio", Wanted(aim=0.5))


def main() -> None:
    bench = Bench(__file__, "Frames localised in a map, and moved onto it", __doc__)
    most = QUICK_FRAMES if bench.quick else None
    recordings = {name: frames_of(name, most) for name in available(bench, (KITCHEN, TUM, REDWOOD))}
    found: list[list[Any]] = []
    claim_recall(bench, localise_all(bench, recordings, found))
    bench.table("localised", [
        "recording", "map from", "frames in the map", "frames asked", "within 5 cm and 5 deg, %",
        "within 25 cm and 10 deg, %", "answered", "farther off", "answers to other scenes", "median error, cm",
        "median error, deg", "median time, ms",
    ], found)  # fmt: skip
    refined: list[list[Any]] = []
    refine_all(bench, recordings, refined)
    bench.table("refined", [
        "recording", "frames", "off before, cm at the readings", "off after", "before, cm",
        "after, cm", "before, deg", "after, deg", "worse, %",
        "worse beyond noise, %", "moved, %", "time, ms", "99th percentile, ms", "noise, cm at the readings",
    ], refined)  # fmt: skip
    bench.finish()


if __name__ == "__main__":
    main()
