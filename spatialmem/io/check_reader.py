"""Check a reader against the contract that the rest of the library relies on."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator

import numpy as np

from spatialmem.errors import SpatialMemError
from spatialmem.geometry import inverse, opencv_pose
from spatialmem.io.agreement import depth_agreement
from spatialmem.io.reader import BadFrame, Reader
from spatialmem.types import Frame

_ENOUGH_OVERLAP = 0.3
_POOR_WITHIN = 0.5  # share of readings within 5 cm under which poses are suspect
_CLEARLY_BETTER = 0.2


def check_reader(reader: Reader, max_frames: int = 20) -> list[str]:
    """Problems of a reader, in words; an empty list means that none was found.

    Reads the first `max_frames` frames several times. Checked: names and report; that random access gives the
    same frame in any order and after its arrays were written to; `IndexError` beyond the end; that two
    iterations are equal to each other and to random access; rising stamps; that every listed frame of a short
    recording is delivered or counted; that depth of overlapping frames agrees under the poses, and if not,
    whether inverted poses or other camera axes would. The recording itself is not changed.
    """
    problems = list(_check_names(reader))
    try:
        first = list(itertools.islice(reader, max_frames))
        second = list(itertools.islice(reader, max_frames))
    except SpatialMemError as error:
        return [*problems, f"iteration fails: {error}"]
    if not first:
        return [*problems, "no frame is delivered"]
    problems += _check_frames(first)
    problems += _check_poses(first)  # before anything is written into frames, which a poor reader may share
    problems += _check_counts(reader, len(second), max_frames)
    if len(first) != len(second) or not all(same_frame(a, b) for a, b in zip(first, second, strict=False)):
        problems.append("two iterations differ: each must start at the first frame and change nothing")
    if not reader.is_stream:
        problems += _check_access(reader, first, max_frames)
    return problems


def same_frame(a: Frame, b: Frame) -> bool:
    """Whether two frames hold exactly the same values."""
    pairs = ((a.rgb, b.rgb), (a.depth_m, b.depth_m), (a.valid, b.valid), (a.world_from_camera, b.world_from_camera))
    plain = (a.key, a.stamp_ns, a.camera, a.recording_id) == (b.key, b.stamp_ns, b.camera, b.recording_id)
    return plain and all(_same_array(x, y) for x, y in pairs)


def _same_array(x: np.ndarray | None, y: np.ndarray | None) -> bool:
    if x is None or y is None:
        return x is y
    return x.shape == y.shape and x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind == "f")


def _check_names(reader: Reader) -> Iterator[str]:
    if not isinstance(reader, Reader):
        yield f"{type(reader).__name__} does not derive from spatialmem.io.Reader"
    if not getattr(reader, "format_name", ""):
        yield "format_name is not set"
    if not isinstance(getattr(reader, "frame_id", None), str) or not reader.frame_id:
        yield "frame_id, the name of the world frame, is not set; call super().__init__(path, ...)"


def _check_counts(reader: Reader, delivered: int, max_frames: int) -> Iterator[str]:
    """After a pass that reached the end, every listed frame was delivered or counted as skipped."""
    report = reader.report
    if report.delivered != delivered:
        yield f"report says {report.delivered} frames, {delivered} were delivered; let Reader.__iter__ count"
    elif delivered < max_frames and not reader.is_stream and delivered + report.skipped_total != len(reader):
        yield f"{len(reader)} frames are listed, but {delivered} delivered and {report.skipped_total} skipped"


def _check_frames(frames: list[Frame]) -> Iterator[str]:
    last: dict[tuple[str, str], int] = {}
    for frame in frames:
        camera = (frame.session_id, frame.camera_id)
        if frame.stamp_ns <= last.get(camera, -1):
            yield f"stamps do not rise at frame {frame.seq}: {frame.stamp_ns} ns"
        last[camera] = frame.stamp_ns
        if frame.world_from_camera is None:
            yield f"frame {frame.seq} has no pose: raise BadFrame(BadReason.LOST_POSE, ...) instead"
    if len({frame.key for frame in frames}) != len(frames):
        yield "two frames have the same (session_id, camera_id, seq); number them with seq"
    if all(frame.depth_m is not None and not (frame.depth_m > 0).any() for frame in frames):
        yield "no frame has a single depth reading"


def _check_access(reader: Reader, frames: list[Frame], max_frames: int) -> Iterator[str]:
    count = len(reader)
    shown = min(count, max_frames)
    there = {i: _frame_or_none(reader, i) for i in range(shown)}
    for i in reversed(range(shown)):
        again = _frame_or_none(reader, i)
        before = there[i]
        if (again is None) != (before is None) or (again and before and not same_frame(again, before)):
            yield f"frame {i} differs when it is read again in another order"
    good = [frame for frame in there.values() if frame is not None]
    delivered = {frame.key: frame for frame in frames}
    if not all(same_frame(frame, delivered.get(frame.key, frame)) for frame in good):
        yield "random access and iteration give different frames"
    yield from _check_writes(reader, there)
    for index in (count, -count - 1):
        try:
            reader[index]
        except IndexError:
            continue
        except SpatialMemError as error:
            yield f"index {index} of {count} frames raises {type(error).__name__}, expected IndexError"
        else:
            yield f"index {index} of {count} frames gives a frame, expected IndexError"


def _check_writes(reader: Reader, there: dict[int, Frame | None]) -> Iterator[str]:
    """Writing into a frame that was handed out must not reach the next one."""
    index = next((i for i, frame in there.items() if frame is not None), None)
    if index is None:
        return
    before = copy.deepcopy(there[index])
    scratch = reader[index]
    assert before is not None
    for array in (scratch.rgb, scratch.depth_m, scratch.world_from_camera):
        if array is not None and array.flags.writeable:
            array[...] = 1
    after = _frame_or_none(reader, index)
    if after is None or not same_frame(after, before):
        yield f"frame {index} changes when the arrays of an earlier copy are written to; hand out new arrays"


def _check_poses(frames: list[Frame]) -> Iterator[str]:
    """Compare the poses with their usual confusions on the pairs that overlap most."""
    pairs = list(zip(frames, frames[1:], strict=False)) + list(zip(frames, frames[5:], strict=False))
    readings = {name: _within(pairs, change) for name, change in _CONFUSIONS.items()}
    best = max(readings, key=lambda name: readings[name])
    given = readings["as given"]
    if given < _POOR_WITHIN and readings[best] > given + _CLEARLY_BETTER:
        yield (
            f"depth of overlapping frames disagrees ({given:.0%} within 5 cm); {best} it would be {readings[best]:.0%}"
        )


def _within(pairs: list[tuple[Frame, Frame]], change) -> float:
    """Mean share of readings that agree within 5 cm; 1 when no pair overlaps, for nothing can be said then."""
    shares = []
    for a, b in pairs:
        if a.world_from_camera is None or b.world_from_camera is None:
            continue
        found = depth_agreement(a.with_pose(change(a.world_from_camera)), b.with_pose(change(b.world_from_camera)), 8)
        if found.overlap > _ENOUGH_OVERLAP:
            shares.append(found.within_5cm)
    return float(np.mean(shares)) if shares else 0.0


_CONFUSIONS = {
    "as given": lambda pose: pose,
    "with OpenGL camera axes": lambda pose: opencv_pose(pose, "opengl"),
    "with robot body axes (x forward)": lambda pose: opencv_pose(pose, "ros_body"),
    "with the poses inverted (they are camera_from_world)": inverse,
    "with the poses inverted and OpenGL camera axes": lambda pose: opencv_pose(inverse(pose), "opengl"),
    "with the poses inverted and robot body axes": lambda pose: opencv_pose(inverse(pose), "ros_body"),
}


def _frame_or_none(reader: Reader, index: int) -> Frame | None:
    try:
        return reader[index]
    except BadFrame:
        return None
