"""Frames found in a map without their poses, and sessions placed in it by them.

A memory is built from one half of a recording (default encoder and configuration; --encoder names another); the frames
of the other half are localised in it, and so are frames of the other recordings, which must be answered with nothing.
Two splits: every other frame, and the first half against the second; frames of which less than half of the readings lie
in the map do not count. Errors are distances from the recording's own poses, which are estimates of others and off
themselves.
Sessions: the other half in a world of its own, placed by `localize_session` from frames all over it; so are the other
recordings, which must be refused. Off is how far the place puts the frames of the session from the recording's poses.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import KITCHEN, REDWOOD, TUM, Bench, Wanted, clock
from numpy.typing import NDArray
from recordings import available, frames_of, label

from spatialmem import SpatialMemory
from spatialmem.geometry import exp_so3, inverse, make_transform, pose_difference
from spatialmem.localise.consensus import spread_order
from spatialmem.perception import DEFAULT_ENCODER
from spatialmem.types import Frame

NEAR, WIDE = (0.05, 5.0), (0.25, 10.0)
"""metres and degrees within which an answer counts"""
WORLD = make_transform(exp_so3((0.1, -0.2, 2.0)), (1.5, -0.7, 0.3))
"""where the world of a new session lies in the map"""
SURE = Wanted(aim=1.0, sense="at least")
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


def options(parser: argparse.ArgumentParser) -> None:
    """Which encoder."""
    parser.add_argument("--encoder", default=DEFAULT_ENCODER)


def between(a: NDArray[np.float64], b: NDArray[np.float64]) -> Error:
    """Of two poses (4, 4)."""
    distance, angle = pose_difference(a, b)
    return Error(float(distance), float(np.rad2deg(angle)))


def spread(frames: Sequence[Frame], most: int) -> list[Frame]:
    """At most this many of the frames, evenly."""
    return [frames[i * len(frames) // most] for i in range(most)] if len(frames) > most else list(frames)


@contextmanager
def memory_of(frames: Sequence[Frame], encoder: str) -> Iterator[SpatialMemory]:
    """A memory of these frames, on file."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SpatialMemory.create(Path(folder) / "m.mem", encoder=encoder) as memory,
    ):
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
            with memory_of(built, bench.options.encoder) as memory:
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


# --- sessions


def session_of(frames: Sequence[Frame]) -> list[Frame]:
    """Frames as a robot gives them that knows nothing of the map: as a session of a world of its own."""
    away = inverse(WORLD)
    return [replace(f, world_from_camera=away @ f.pose, session_id="new", recording_id=None) for f in frames]


def spread_first(frames: Sequence[Frame]) -> list[Frame]:
    """The same frames, the first few of them from all over, as the command asks for them."""
    return [frames[n] for n in spread_order(len(frames))]


def place_sessions(bench: Bench, recordings: dict[str, list[Frame]], rows: list[list[Any]]) -> None:
    """The frames that do not make the map as a new session; then the other recordings, which must be refused."""
    wrong, strangers = 0, 0
    for name, frames in recordings.items():
        for title, split in SPLITS.items():
            bench.progress(f"sessions of {label(name)}, {title}")
            built, asked = split(frames)
            with memory_of(built, bench.options.encoder) as memory:
                start = clock()
                found = memory.localize_session(spread_first(session_of(asked)))
                seconds = clock() - start
                off = [between(found.map_from_world @ f.pose, WORLD @ f.pose) for f in session_of(asked)
                       ] if found.map_from_world is not None else []  # fmt: skip
                refused = [memory.localize_session(spread_first(session_of(given))).placed
                           for other, given in recordings.items() if other != name]  # fmt: skip
            wrong, strangers = wrong + sum(refused), strangers + len(refused)
            bench.claim(f"the other frames placed: {label(name)}, {title}", float(found.placed), "", SURE, found.why)
            rows.append([
                label(name), title, len(asked), "placed" if found.placed else "refused", found.asked, found.answered,
                found.agreed, 1e2 * max((e.metres for e in off), default=float("nan")),
                max((e.degrees for e in off), default=float("nan")), f"{sum(refused)} of {len(refused)}", seconds,
            ])  # fmt: skip
    bench.claim("sessions of another scene placed", wrong, "", Wanted(must=0.0), f"{strangers} asked")


def main() -> None:
    bench = Bench(__file__, "Frames localised in a map, and sessions placed in it", __doc__, options)
    most = QUICK_FRAMES if bench.quick else None
    recordings = {name: frames_of(name, most) for name in available(bench, (KITCHEN, TUM, REDWOOD))}
    found: list[list[Any]] = []
    claim_recall(bench, localise_all(bench, recordings, found))
    bench.table("localised", [
        "recording", "map from", "frames in the map", "frames asked", "within 5 cm and 5 deg, %",
        "within 25 cm and 10 deg, %", "answered", "farther off", "answers to other scenes", "median error, cm",
        "median error, deg", "median time, ms",
    ], found)  # fmt: skip
    placed: list[list[Any]] = []
    place_sessions(bench, recordings, placed)
    bench.table("sessions", [
        "recording", "map from", "frames of the session", "outcome", "frames asked", "found", "agreed",
        "farthest frame off, cm", "deg", "sessions of other scenes placed", "time, s",
    ], placed)  # fmt: skip
    bench.finish()


if __name__ == "__main__":
    main()
