"""A few frames of a recording and which of them to compare, without any trust in its conventions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.conventions.readings import PoseReading, as_written, declared_reading
from spatialmem.errors import InvalidValue, ReadError
from spatialmem.io import BadFrame, Reader
from spatialmem.io.images import read_rgb
from spatialmem.io.registration import ColourRegistration
from spatialmem.io.shots import ShotsReader, usable_pose
from spatialmem.types import Camera, Frame, checked_transform

_ANCHORS = 8
_OFFSETS = (0, 1, 3, 9, 27, 81)  # frames after an anchor: some pair moves enough, some pair still overlaps
_ALL_PAIRS_UP_TO = 16
_STREAM_KEPT = 32


@dataclass(frozen=True, eq=False)
class Sample:
    """One frame, with its pose as the recording wrote it."""

    name: str
    """what messages call it"""
    depth_m: NDArray[np.float32]
    """(H, W) metres by the scale that the reader used; NaN where there is no reading"""
    usable: NDArray[np.bool_]
    """(H, W) readings that are neither missing nor masked"""
    rgb: NDArray[np.uint8]
    """(Hc, Wc, 3) colour as its own camera took it, before any registration"""
    camera: Camera
    """of the depth image"""
    written: NDArray[np.float64]
    """(4, 4) the pose as written, to be understood by a `PoseReading`"""


@dataclass(frozen=True, eq=False)
class Samples:
    """Frames and pairs of them."""

    frames: tuple[Sample, ...]
    pairs: tuple[tuple[int, int], ...]
    """indices into `frames`"""
    declared: PoseReading
    depth_scale: float | None
    """raw / depth_scale = metres, as the reader used it; None: the reader does not say"""
    registration: ColourRegistration | None
    """how the reader finds colour; None: colour and depth share their pixels"""
    bad: tuple[str, ...]
    """why frames that were wanted could not be used"""


def take_samples(reader: Reader) -> Samples:
    """Read the frames to compare: runs of growing steps from a few places, or all of a short recording.

    Depth is taken as it is, also where `Frame` would refuse its unit, if the recording is one of image files.
    `ReadError` when there are no two frames with depth and pose.
    """
    declared = declared_reading(reader)
    indices, wanted = ([], []) if reader.is_stream else _plan(len(reader))
    found: dict[int, Sample] = {}
    bad: list[str] = []
    source = _stream(reader) if reader.is_stream else ((i, _read(reader, i)) for i in indices)
    for index, outcome in source:
        if isinstance(outcome, _Taken):
            found[index] = outcome.sample(declared)
        else:
            bad.append(outcome)
    if len(found) < 2:
        raise ReadError(
            f"{reader.path}: {len(found)} of {len(found) + len(bad)} frames looked at have depth and a pose; two are "
            "needed to compare" + (f". The first problem: {bad[0]}" if bad else "")
        )
    order = sorted(found)
    if reader.is_stream:
        wanted = _pairs_of(order)
    place = {index: i for i, index in enumerate(order)}
    pairs = tuple((place[i], place[j]) for i, j in wanted if i in place and j in place)
    scale, registration = (reader.depth_scale, reader.registration) if isinstance(reader, ShotsReader) else (None, None)
    return Samples(tuple(found[i] for i in order), pairs, declared, scale, registration, tuple(bad))


def _plan(count: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Indices of the frames to read, rising, and the pairs to compare, of a recording of `count` frames."""
    if count <= _ALL_PAIRS_UP_TO:
        return list(range(count)), [(i, j) for i in range(count) for j in range(i + 1, count)]
    offsets = [offset for offset in _OFFSETS if offset <= count // 2]
    pairs = set()
    for start in np.linspace(0, count - 1 - offsets[-1], _ANCHORS).astype(int).tolist():
        pairs.update((start, start + offset) for offset in offsets[1:])
        pairs.update((start + a, start + b) for a, b in zip(offsets[2:], offsets[3:], strict=False))
    return sorted({i for pair in pairs for i in pair}), sorted(pairs)


def _pairs_of(order: list[int]) -> list[tuple[int, int]]:
    """Pairs among evenly spaced frames: each with some of the next ones."""
    if len(order) <= _ALL_PAIRS_UP_TO:
        return [(i, j) for k, i in enumerate(order) for j in order[k + 1 :]]
    return [(order[k], order[k + gap]) for gap in (1, 2, 4, 8) for k in range(len(order) - gap)]


@dataclass(frozen=True, eq=False)
class _Taken:
    """What a reader gave: pose as it understands it."""

    name: str
    depth_m: NDArray[np.float32]
    valid: NDArray[np.bool_] | None
    rgb: NDArray[np.uint8]
    camera: Camera
    world_from_camera: NDArray[np.float64]

    def sample(self, declared: PoseReading) -> Sample:
        usable = np.isfinite(self.depth_m) & (self.depth_m > 0)
        if self.valid is not None:
            usable &= self.valid
        written = as_written(self.world_from_camera, declared)
        return Sample(self.name, self.depth_m, usable, self.rgb, self.camera, written)


def _stream(reader: Reader) -> Iterator[tuple[int, _Taken | str]]:
    """Evenly spaced frames of a stream, whose length is not known beforehand."""
    kept: dict[int, _Taken] = {}
    step = 1
    for index, frame in enumerate(reader):
        if index % step:
            continue
        taken = _of_frame(frame, f"frame {index}")
        if isinstance(taken, str):
            yield index, taken
            continue
        kept[index] = taken
        if len(kept) >= 2 * _STREAM_KEPT:
            step *= 2
            kept = {i: t for i, t in kept.items() if i % step == 0}
    yield from kept.items()


def _read(reader: Reader, index: int) -> _Taken | str:
    """Frame `index`, or why it cannot be used."""
    try:
        if isinstance(reader, ShotsReader):
            return _of_shot(reader, index)
        return _of_frame(reader[index], reader.describe(index))
    except (ReadError, InvalidValue, BadFrame, OSError) as error:
        return f"{reader.describe(index)}: {error}"


def _of_shot(reader: ShotsReader, index: int) -> _Taken | str:
    """From the files, around the checks of `Frame`: a wrong depth unit is what is to be found out here."""
    shot = reader.shots[index]
    pose = checked_transform(usable_pose(reader.pose_of(shot), shot.pose_problem))
    rgb, depth_m, valid = reader.images_of(shot)
    name = reader.describe(index)
    if depth_m is None:
        return f"{name}: it has no depth"
    if reader.registration is not None:
        rgb = read_rgb(shot.rgb)
    return _Taken(name, depth_m, valid, rgb, reader.camera, pose)


def _of_frame(frame: Frame, name: str) -> _Taken | str:
    if frame.depth_m is None or frame.world_from_camera is None:
        return f"{name}: it has no depth or no pose"
    return _Taken(name, frame.depth_m, frame.valid, frame.rgb, frame.camera, frame.world_from_camera)
